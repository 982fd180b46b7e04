"""The verdicts on Chat Completions requests, beyond the examples of the table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.strict import judge_chat

Message = dict[str, Any]
#: The ends of the provider's longer texts.
TEXT_OR_PARTS = "one of an array of objects or string"
ROLES = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
EMPTY_STRING = "empty string. Expected a string with minimum length 1, but got an empty string instead."
EMPTY_ARRAY = "empty array. Expected an array with minimum length 1, but got an empty array instead."
CALLS = "messages[0].tool_calls"
FUNCTION = f"{CALLS}[0].function"
USER: Message = {"role": "user", "content": "go"}


def tool_call(call_id: object = "call_1", **more: object) -> Message:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}, **more}


def calls(*ids: str, **more: object) -> Message:
    return {"role": "assistant", "content": None, "tool_calls": [tool_call(one) for one in ids], **more}


def tool(call_id: object = "call_1", content: object = "ok") -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def verdict(*messages: object) -> tuple[str, str, str | None] | None:
    refusal = judge_chat({"messages": list(messages)})
    return None if refusal is None else (refusal.rule, refusal.message, refusal.param)


@pytest.mark.parametrize(
    "messages",
    [
        (USER, calls("a", "b"), tool("b"), tool("a"), USER),
        (USER, calls("a"), tool("a"), calls("a"), tool("a")),
        (USER, calls("a", content="Let me see."), tool("a", "")),
        (
            USER,
            {"role": "assistant", "tool_calls": [tool_call("a")]},
            tool("a", [{"type": "text", "text": "x"}]),
        ),
        (
            USER,
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
            {"role": "function", "name": "f", "content": None},
        ),
        (USER, {"role": "assistant", "content": None, "refusal": "No."}),
        ({**USER, "tool_calls": None, "name": None}, {"role": "assistant", "content": ""}),
        (
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}],
            },
            tool("a"),
        ),
    ],
)
def test_accepted_shapes_pass(messages: tuple[Message, ...]) -> None:
    """Order in a run is free, content may be null beside a call, ids may come back (CHAT-TOOL-ORDER)."""
    assert verdict(*messages) is None


def test_every_call_that_lacks_an_answer_is_named() -> None:
    """The text lists all open ids (CHAT-CALL-NO-TOOL)."""
    rule, text, param = verdict(USER, calls("a", "b", "c"), tool("b"), USER, tool("a")) or ("", "", "")
    assert rule == "CHAT-CALL-NO-TOOL"
    assert text.endswith("did not have response messages: a, c")
    assert param == "messages.[3].role"


def test_a_history_may_not_end_with_an_open_call() -> None:
    """Nothing behind the call is no answer either; the param is then the last message (CHAT-CALL-NO-TOOL)."""
    rule, _text, param = verdict(USER, calls("a")) or ("", "", "")
    assert (rule, param) == ("CHAT-CALL-NO-TOOL", "messages.[1].role")


def test_two_calls_that_share_an_id_cannot_be_answered() -> None:
    """One answer leaves the other open, two are duplicates (CHAT-CALL-NO-TOOL, CHAT-TOOL-DUP)."""
    one = verdict(USER, calls("a", "a"), tool("a"))
    two = verdict(USER, calls("a", "a"), tool("a"), tool("a"))
    assert one is not None
    assert two is not None
    assert (one[0], two[0]) == ("CHAT-CALL-NO-TOOL", "CHAT-TOOL-DUP")


def test_a_tool_message_belongs_to_the_run_behind_its_call() -> None:
    """Behind a user message, at the start, or twice away from the call it is an orphan (CHAT-TOOL-ORPHAN)."""
    for messages in ((tool(),), (USER, tool()), (USER, calls("a"), tool("a"), USER, tool("a"))):
        rule, _text, param = verdict(*messages) or ("", "", "")
        assert (rule, param) == ("CHAT-TOOL-ORPHAN", f"messages.[{len(messages) - 1}].role")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("hello", "Invalid type for 'messages[0]': expected an object, but got a string instead."),
        ({"content": "x"}, "Missing required parameter: 'messages[0].role'."),
        (
            {"role": "model", "content": "x"},
            f"Invalid value: 'model'. Supported values are: {ROLES}.",
        ),
        ({"role": "user"}, "Invalid value for 'content': expected a string, got null."),
        (
            {"role": "user", "content": 3},
            f"Invalid type for 'messages[0].content': expected {TEXT_OR_PARTS}, but got an integer instead.",
        ),
        (
            {"role": "user", "content": []},
            f"Invalid 'messages[0].content': {EMPTY_ARRAY}",
        ),
        (
            {"role": "user", "content": ["x"]},
            "Invalid type for 'messages[0].content[0]': expected an object, but got a string instead.",
        ),
        ({"role": "user", "content": [{}]}, "Missing required parameter: 'messages[0].content[0].type'."),
        (
            calls(tool_calls={}),
            f"Invalid type for '{CALLS}': expected an array of objects, but got an object instead.",
        ),
        (
            calls(tool_calls=["x"]),
            "Invalid type for 'messages[0].tool_calls[0]': expected an object, but got a string instead.",
        ),
        (calls(tool_calls=[{"id": "a"}]), "Missing required parameter: 'messages[0].tool_calls[0].type'."),
        (
            calls(tool_calls=[tool_call(type="mcp")]),
            "Invalid value: 'mcp'. Supported values are: 'function' and 'custom'.",
        ),
        (
            calls(tool_calls=[tool_call(7)]),
            "Invalid type for 'messages[0].tool_calls[0].id': expected a string, but got an integer instead.",
        ),
        (
            calls(tool_calls=[{"type": "function"}]),
            "Missing required parameter: 'messages[0].tool_calls[0].id'.",
        ),
        (
            calls(tool_calls=[tool_call(function=None)]),
            "Missing required parameter: 'messages[0].tool_calls[0].function'.",
        ),
        (
            calls(tool_calls=[tool_call(function=[])]),
            f"Invalid type for '{FUNCTION}': expected an object, but got an array instead.",
        ),
        (
            calls(tool_calls=[tool_call(function={"name": "f"})]),
            "Missing required parameter: 'messages[0].tool_calls[0].function.arguments'.",
        ),
        (
            calls(tool_calls=[tool_call(function={"name": "f", "arguments": {}})]),
            f"Invalid type for '{FUNCTION}.arguments': expected a string, but got an object instead.",
        ),
        (
            calls(tool_calls=[tool_call(function={"name": "", "arguments": ""})]),
            f"Invalid '{FUNCTION}.name': {EMPTY_STRING}",
        ),
    ],
)
def test_a_malformed_message_is_refused_with_its_path(message: object, text: str) -> None:
    """Types and missing fields get the provider's words (SHAPE, CHAT-CONTENT-NULL, CHAT-EMPTY-ARRAYS)."""
    refusal = judge_chat({"messages": [message]})
    assert refusal is not None
    assert refusal.message == text
    assert (refusal.param or "").startswith("messages")


@pytest.mark.parametrize("body", [{}, {"messages": "hello"}, {"messages": []}])
def test_a_request_needs_messages(body: Message) -> None:
    """A request says something."""
    refusal = judge_chat(body)
    assert refusal is not None
    assert refusal.param == "messages"


words = st.sampled_from(
    [
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "id",
        "type",
        "function",
        "custom",
        "name",
        "arguments",
        "input",
    ]
)
values = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["user", "assistant", "tool", "function", "call_1", "", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@given(st.lists(st.dictionaries(words, values, max_size=4) | values, max_size=4))
def test_no_body_makes_the_judge_fail(messages: list[object]) -> None:
    """Whatever JSON comes in, there is a verdict and never an exception."""
    judge_chat({"messages": messages})


@pytest.mark.parametrize("role", ["user", "assistant", "tool", "function"])
@pytest.mark.parametrize("value", [None, True, 7, "x", [], [[]], {}, {"type": []}])
def test_no_field_of_any_message_makes_the_judge_fail(role: str, value: object) -> None:
    """Each field of each role, holding each kind of JSON value, gets a verdict and no exception."""
    for name in ["role", "content", "tool_calls", "tool_call_id", "function_call"]:
        judge_chat({"messages": [calls("call_1"), {**tool(), "role": role, name: value}]})
    for name in ["id", "type", "function", "custom"]:
        judge_chat({"messages": [calls(tool_calls=[{**tool_call(), name: value}]), tool()]})
