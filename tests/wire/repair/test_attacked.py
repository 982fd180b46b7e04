"""Bodies that a repair once left broken, or changed again the second time."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from turnlock.strict import judge_anthropic
from turnlock.wire import Settings, check, encoder, repair

_GO = {"role": "user", "content": "go"}
_SEARCH = {"type": "tool_search_call", "call_id": "h1", "execution": "server", "arguments": {}}
_FOUND = {"type": "tool_search_output", "call_id": "h1", "execution": "server", "tools": []}
_TRIGGER = {"type": "compaction_trigger"}
_USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
_RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}


def _result_in_a_system_message() -> dict[str, Any]:
    late = {"role": "system", "content": [_RESULT, {"type": "text", "text": "new rule"}]}
    asked = {"role": "assistant", "content": [_USE]}
    return {"model": "m", "max_tokens": 9, "messages": [_GO, asked, {**_GO, "content": "stop"}, late]}


def _half_in_a_system_message() -> dict[str, Any]:
    asked = {"role": "assistant", "content": [_USE, {**_USE, "id": "toolu_2"}]}
    given = {"role": "system", "content": [{**_RESULT, "tool_use_id": "toolu_2"}]}
    return {
        "model": "m",
        "max_tokens": 9,
        "messages": [_GO, asked, {"role": "user", "content": [_RESULT]}, given],
    }


_BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "RESP-DUP-CALL-ID: a hosted search has two outputs": (
        "openai_responses",
        {"input": [_GO, _SEARCH, _FOUND, _FOUND]},
    ),
    "RESP-DUP-CALL-ID: a hosted search stands twice": (
        "openai_responses",
        {"input": [_GO, _SEARCH, _SEARCH, _FOUND]},
    ),
    "ANT-USE-NO-RESULT: a second result stands behind the first, in a system message": (
        "anthropic",
        _half_in_a_system_message(),
    ),
    "RESP-COMPACTION-LAST: two triggers": ("openai_responses", {"input": [_TRIGGER, _TRIGGER, _GO]}),
    "ANT-USE-NO-RESULT: the result stands in a system message": (
        "anthropic",
        _result_in_a_system_message(),
    ),
    "MIS-LAST: nothing is left but an orphan": (
        "mistral",
        {"messages": [{"role": "tool", "tool_call_id": "abcdefghi", "content": "ok"}]},
    ),
    "MIS-LAST: nothing is there": ("mistral", {"messages": []}),
}


@pytest.mark.parametrize(("dialect", "body"), _BODIES.values(), ids=_BODIES)
def test_a_repair_ends_with_a_body_that_may_leave(dialect: str, body: dict[str, Any]) -> None:
    """C37, C40, R16: nothing is left, a second repair changes nothing, and each thing is done once."""
    done = repair(body, dialect)
    assert done.ok
    assert 1 <= len(done.changes) <= 2
    again = repair(done.body, dialect)
    assert (again.body, again.changes) == (done.body, ())


def test_a_message_that_lost_its_result_holds_the_one_that_is_made() -> None:
    """ANT-USE-NO-RESULT: the provider takes no empty message, also not beside the results."""
    rows = [_GO, {"role": "assistant", "content": [_USE]}, {"role": "user", "content": []}]
    done = repair({"model": "m", "max_tokens": 9, "messages": rows}, "anthropic")
    assert done.ok
    assert judge_anthropic(done.value) is None
    assert len(done.value["messages"]) == 3


@pytest.mark.parametrize("dialect", ["mistral", "mistral+v3", "bedrock_converse"])
def test_a_request_without_a_history_says_something(dialect: str) -> None:
    """MIS-LAST: also where every item is set aside, a body has a message."""
    encoded = encoder(dialect).encode((), 0, Settings(model="m"))
    assert check(encoded.body, dialect) == ()
    assert b"Continue." in encoded.body


_HELD = """
from turnlock.wire import check, repair
body, held = {"previous_response_id": "r", "input": []}, {"call_a", "call_b", "call_c", "call_d"}
print(repair(body, "openai_responses", held).body)
print([each.message for each in check(body, "openai_responses", held)])
"""


def test_what_the_provider_holds_is_answered_in_one_order() -> None:
    """R10, RESP-PREV-PENDING: the same bytes in every process, whatever order its sets have."""
    here = dict(os.environ)
    said = {
        subprocess.run(
            [sys.executable, "-c", _HELD],
            env={**here, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(said) == 1
