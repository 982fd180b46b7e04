"""The check as a whole: any body, in any form."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.wire import RULES, check

DIALECTS = tuple(RULES)
WORDS = [
    *("input", "messages", "type", "role", "id", "call_id", "content", "tool_calls", "tool_call_id", "store"),
    *("function_call", "function_call_output", "reasoning", "message", "mcp_approval_request", "shell_call"),
    *("environment", "tool_search_call", "execution", "assistant", "tool", "item_reference", "conversation"),
    *("previous_response_id", "approval_request_id", "mcp_approval_response", "compaction_trigger"),
    *("function", "arguments", "reasoning_content", "user", "tool_use", "tool_result"),
]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text())
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text()), inner)
    ),
    max_leaves=25,
)
ITEMS = st.lists(st.dictionaries(st.sampled_from(WORDS), SCALARS, max_size=5), max_size=8)
BODIES = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"input": ITEMS, "messages": ITEMS}, optional={"store": SCALARS, "previous_response_id": SCALARS}
    ),
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=BODIES, open_calls=st.lists(st.sampled_from(WORDS)))
def test_no_json_value_makes_the_check_fail(dialect: str, body: Any, open_calls: list[str]) -> None:
    """R15: whatever stands in a body, the check answers; as bytes the answer is the same."""
    found = check(body, dialect, open_calls)
    text = json.dumps(body)
    if not isinstance(body, str) and "NaN" not in text and "Infinity" not in text and "\\ud" not in text:
        assert check(text, dialect, open_calls) == check(text.encode(), dialect, open_calls) == found


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        "[" * 100_000,
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "\ud800",
        b"[]",
        b"7",
        [],
        None,
        7,
    ],
    ids=lambda body: repr(body)[:20],
)
def test_a_body_that_is_no_json_object_is_one_violation(dialect: str, body: Any) -> None:
    """UNREADABLE: malformed text is named, never raised."""
    (found,) = check(body, dialect)
    assert (found.rule, found.severity, found.at) == ("UNREADABLE", "error", "")


@pytest.mark.parametrize("input_", [7, {}, True])
def test_an_input_that_is_no_list_is_unreadable(input_: Any) -> None:
    """UNREADABLE: text is one message, anything else but a list is not an input."""
    assert [each.at for each in check({"input": input_}, "openai_responses")] == ["/input"]
    assert [each.at for each in check({"input": input_}, "deepseek_responses")] == ["/input"]
    assert check({"input": "hello"}, "deepseek_responses") == ()


def test_a_body_may_be_any_mapping() -> None:
    """A frozen body is read like a plain one."""
    call = MappingProxyType({"type": "function_call", "call_id": "c"})
    assert [each.rule for each in check(MappingProxyType({"input": (call,)}), "openai_responses")] == [
        "RESP-CALL-NO-OUTPUT"
    ]
