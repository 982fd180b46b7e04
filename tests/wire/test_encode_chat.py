"""What leaves for Chat Completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Outcome,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.machines import InvocationState
from turnlock.wire import Encoded, Settings, ToolSpec, check, encoder

OURS = "openai_chat"
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")


def encode(*items: Item, instructions: str = "") -> Encoded:
    return encoder(OURS).encode(items, len(items), Settings("m", instructions))


def sent(*items: Item, instructions: str = "") -> list[dict[str, Any]]:
    body = encode(*items, instructions=instructions).body
    assert check(body, OURS) == ()
    found: list[dict[str, Any]] = json.loads(body)["messages"]
    return found


def function(call_id: str, arguments: str = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_instructions_are_the_first_message() -> None:
    """They stand before everything else; positions count them."""
    assert sent(Message("1", "hi", Role.DEVELOPER), instructions="Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "hi"},
    ]
    assert list(encode(Message("1", ()), Note("x"), instructions="Be brief.").positions) == [1, 2]


def test_one_answer_is_one_assistant_message() -> None:
    """CHAT-CALL-NO-TOOL, C42: text behind a call is content too, and the outputs follow directly."""
    items: list[Item] = [
        Message("1", "go"),
        Reasoning("hm", 1),
        Text("first", 1),
        Call(1, "a", "f", '{"x": 1}', 1),
        Call(2, "a", "g", "{}", 1),
        Text("shown", 1),
        Output(1, DONE),
        Output(2, Outcome(InvocationState.CANCELLED, Cause.NOT_STARTED)),
        Note("stopped"),
    ]
    assert sent(*items) == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "first\nshown",
            "tool_calls": [function("a", '{"x": 1}'), function("a_2", name="g")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "fine"},
        {
            "role": "tool",
            "tool_call_id": "a_2",
            "content": "Tool cancelled before it started: it was not run.",
        },
        {"role": "user", "content": "stopped"},
    ]
    assert list(encode(*items).positions) == [0, None, 1, 1, 1, 1, 2, 3, 4]


def test_two_answers_are_two_assistant_messages() -> None:
    """An answer is what one request got."""
    assert [message["content"] for message in sent(Text("a", 1), Text("b", 2))] == ["a", "b"]


def test_an_answer_of_calls_alone_has_no_content() -> None:
    """CHAT-CONTENT-NULL: null stands beside calls only."""
    assert sent(Call(1, "a", "f", "{}", 1), Output(1, DONE))[0] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [function("a")],
    }


@pytest.mark.parametrize("kind", set(CallKind) - {CallKind.FUNCTION, CallKind.CUSTOM})
def test_a_kind_that_chat_cannot_say_is_a_function_of_its_name(kind: CallKind) -> None:
    """R16: no call is dropped because its dialect was another."""
    call = Call(1, "c", kind, '{"a":1}', 1, kind, Origin("openai_responses", "m", {"type": f"{kind}_call"}))
    asked, answered = sent(call, Output(1, DONE))
    assert asked["tool_calls"] == [function("c", '{"a":1}', kind)]
    assert answered["content"] == "fine"


@pytest.mark.parametrize(
    ("arguments", "said"), [('{"input": "x"}', "x"), ("{}", ""), ('{"input": [1]}', "[1]"), ("oops", "")]
)
def test_a_custom_call_has_its_input_as_text(arguments: str, said: str) -> None:
    """As the SDK's types have it, nameless ones too: providers take no empty name."""
    asked, _ = sent(Call(1, "c", "", arguments, 1, CallKind.CUSTOM), Output(1, DONE))
    assert asked["tool_calls"] == [
        {"id": "c", "type": "custom", "custom": {"name": "unknown", "input": said}}
    ]


def test_what_chat_has_no_words_for_is_set_aside() -> None:
    """R16, R21: a server call has no tool message; an answer of nothing else leaves no empty message."""
    found = ServerCall("web_search_call", 1, Origin("openai_responses", "m", {"type": "web_search_call"}))
    encoded = encode(Reasoning("hm", 1), found, Output(9, DONE), Note("x"))
    assert list(encoded.positions) == [None, None, None, 0]
    assert len(sent(found, Text("found it", 1))) == 1


def test_the_body_asks_for_usage_when_it_streams() -> None:
    """An option of the same name wins."""
    stream = Settings("m")
    assert encoder(OURS).encode([], 0, stream).body == (
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
    )
    assert b"stream_options" not in encoder(OURS).encode([], 0, Settings("m", stream=False)).body
    own = Settings("m", options={"stream_options": {"include_usage": False}})
    assert b'{"include_usage":false}' in encoder(OURS).encode([], 0, own).body


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
GRAMMAR = {"syntax": "regex", "definition": "a+"}


@pytest.mark.parametrize(
    ("spec", "tool"),
    [
        (
            ToolSpec("f", "does", SCHEMA, strict=False),
            {
                "type": "function",
                "function": {"name": "f", "description": "does", "parameters": SCHEMA, "strict": False},
            },
        ),
        (
            ToolSpec("tool_search", kind=CallKind.TOOL_SEARCH),
            {
                "type": "function",
                "function": {"name": "tool_search", "parameters": {"type": "object", "properties": {}}},
            },
        ),
        (
            ToolSpec("shell", parameters={"environment": {"type": "local"}}, kind=CallKind.SHELL),
            {"type": "function", "function": {"name": "shell", "parameters": {"type": "object"}}},
        ),
        (ToolSpec("c", kind=CallKind.CUSTOM), {"type": "custom", "custom": {"name": "c"}}),
        (
            ToolSpec("c", parameters={"type": "grammar", **GRAMMAR}, kind=CallKind.CUSTOM),
            {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        ),
        (
            ToolSpec("c", parameters={"type": "text"}, kind=CallKind.CUSTOM),
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_tool_is_nested_as_chat_has_it(spec: ToolSpec, tool: dict[str, Any]) -> None:
    """As the SDK's types have them; kinds that Chat does not know are functions of any object."""
    tools = (spec, ToolSpec("mcp_approval", kind=CallKind.MCP_APPROVAL))
    assert json.loads(encoder(OURS).encode([], 0, Settings("m", tools=tools)).body)["tools"] == [tool]
