"""Our check of Mistral against the provider's own validator, on a generated corpus.

mistral-common has one validator for each generation of tokenizers; the profiles say the same:

    v3    mistral+common+v3                        counts results; words or calls
    v7    mistral+common+v3, words beside calls    counts results
    v11   mistral+common                           compares ids
    v13   mistral+common+v13                       and takes ids of any form
    v15   as v13

Where the two differ, and why, stands in ``DIFFERENCES``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from support.wire_histories import TOOLS, History, histories
from turnlock.wire import Settings, Severity, check, encoder

pytest.importorskip("mistral_common", reason="the provider's validator is not installed")

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from pydantic import ValidationError

PROFILES = {
    "v3": "mistral+common+v3",
    "v7": "mistral+common+v3",
    "v11": "mistral+common",
    "v13": "mistral+common+v13",
    "v15": "mistral+common+v13",
}
VERSIONS = [version for version in PROFILES if version in TokenizerVersion.__members__]
DIFFERENCES: Mapping[str, tuple[list[dict[str, Any]], bool]] = {
    # what, a history, does the validator take it
    "names of functions have no rule in the table": (
        [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "abcdefghi", "function": {"name": "a.b", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "abcdefghi", "content": "ok"},
        ],
        False,
    ),
    "contents have no rule in the table: its types know no document, the hosted API does (recorded)": (
        [{"role": "user", "content": [{"type": "document_url", "document_url": "https://x.test/1.pdf"}]}],
        False,
    ),
    "fields have no rule in the table: its types know no index, the hosted API does (recorded)": (
        [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "abcdefghi", "index": 0, "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "abcdefghi", "content": "ok"},
        ],
        False,
    ),
}


def refused(messages: list[dict[str, Any]], version: str) -> str | None:
    """What the provider's validator says to it before serving; None when it takes it."""
    try:
        request: ChatCompletionRequest[Any] = ChatCompletionRequest.model_validate(
            {"model": "m", "messages": messages}
        )
        get_validator(TokenizerVersion[version], ValidationMode.serving).validate_request(request)
    except (MistralCommonException, ValidationError) as error:
        return str(error)
    return None


def errors(messages: list[dict[str, Any]], version: str) -> list[str]:
    found = check({"messages": messages}, PROFILES[version])
    return [
        each.message
        for each in found
        if each.severity is Severity.ERROR
        and not (version == "v7" and each.rule == "MIS-CONTENT-XOR")  # the first that takes both, and neither
    ]


IDS = st.sampled_from(["aaaaaaaaa", "aaaaaaaaa", "bbbbbbbbb", "ccccccccc", "AZaz09xyz"])
ODD_IDS = st.sampled_from(["aaaaaaaaa", "call_1", "null", "", None, "aaaaaaaaaa", "aaaa-aaaa", "äaaaaaaaa"])


def call(call_id: str | None) -> dict[str, Any]:
    named = {} if call_id is None else {"id": call_id}
    return {**named, "type": "function", "function": {"name": "f", "arguments": "{}"}}


def tool(call_id: str | None) -> dict[str, Any]:
    named = {} if call_id is None else {"tool_call_id": call_id}
    return {"role": "tool", **named, "content": "ok", "name": "f"}


@st.composite
def anything(draw: st.DrawFn, ids: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A message of any role."""
    role = draw(st.sampled_from(["user", "assistant", "assistant", "tool", "tool", "system"]))
    if role == "tool":
        return tool(draw(ids))
    content = draw(st.sampled_from(["hello", "hello", "", [{"type": "text", "text": "hello"}]]))
    row: dict[str, Any] = {"role": role, "content": content}
    if role == "assistant":
        row["content"] = draw(st.sampled_from([content, None, [], ""]))
        if draw(st.booleans()):
            row["tool_calls"] = list(map(call, draw(st.lists(ids, max_size=3))))
        if draw(st.integers(0, 4)) == 0:
            row["prefix"] = True
    return row


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A history that is in order, and then damaged here and there, or not."""
    rows: list[dict[str, Any]] = [{"role": "system", "content": "be brief"}] if draw(st.booleans()) else []
    rows.append({"role": "user", "content": "go"})
    for _ in range(draw(st.integers(0, 3))):
        ids = draw(st.lists(IDS, unique=True, max_size=3))
        rows.append(
            {"role": "assistant", "content": "" if ids else "hello", "tool_calls": list(map(call, ids))}
        )
        rows.extend(map(tool, draw(st.permutations(ids))))
        if draw(st.booleans()):
            rows.append({"role": "user", "content": "more"})
    for _ in range(draw(st.integers(0, 2))):
        if not rows:
            break
        at = draw(st.integers(0, len(rows) - 1))
        match draw(st.sampled_from(["drop", "double", "swap", "insert"])):
            case "drop":
                del rows[at]
            case "double":
                rows.insert(at, rows[at])
            case "swap":
                rows.insert(draw(st.integers(0, len(rows) - 1)), rows.pop(at))
            case _:
                rows.insert(at, draw(anything(IDS)))
    return rows


@pytest.mark.parametrize("version", VERSIONS)
@given(
    messages=st.one_of(
        conversations(), st.lists(anything(IDS), max_size=7), st.lists(anything(ODD_IDS), max_size=4)
    )
)
@settings(max_examples=600)
def test_the_providers_validator_says_the_same(version: str, messages: list[dict[str, Any]]) -> None:
    """MIS-COUNT, MIS-ORDER, MIS-LAST, MIS-ID-9, MIS-ID-SET, MIS-CONTENT-XOR: refused by both or by neither.

    What it refuses with is among what we predicted; the table has an older wording for MIS-LAST.
    """
    found = errors(messages, version)
    refusal = refused(messages, version)
    assert (found == []) == (refusal is None), (found, refusal, json.dumps(messages))
    if refusal is not None:
        said = re.sub(r" \(or Assistant with prefix\)", " (or Assistant with prefix True)", refusal)
        assert said in found, json.dumps(messages)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """An assistant message of Mistral."""
    calls = [call(call_id) for call_id in draw(st.lists(ODD_IDS, max_size=3))]
    return {"role": "assistant", "content": draw(st.sampled_from(["", "hello"])), "tool_calls": calls}


@pytest.mark.parametrize("version", VERSIONS)
@given(history=histories("mistral", answers()))
@settings(max_examples=40)
def test_the_providers_validator_takes_what_we_write(version: str, history: History) -> None:
    """R15: any history that the engine can produce, for a server of its version and for the hosted API.

    Reasoning of Mistral is not among it: the validator's types know it as text, the API as chunks (recorded).
    """
    items, lengths = history
    for length in lengths:
        for dialect in ("mistral", PROFILES[version]):
            if version != "v3" or "v3" in dialect:
                body = encoder(dialect).encode(items, length, Settings("m", tools=TOOLS)).body
                assert refused(json.loads(body)["messages"], version) is None, body.decode()


@pytest.mark.parametrize("what", DIFFERENCES)
@pytest.mark.parametrize("version", VERSIONS)
def test_where_the_two_differ(version: str, what: str) -> None:
    """What the corpus leaves out, so that a change of either side is noticed."""
    messages, takes = DIFFERENCES[what]
    assert (refused(messages, version) is None) is takes
    assert (errors(messages, version) == []) is not takes
