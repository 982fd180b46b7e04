"""Bodies of OpenAI's two formats, read back into transcripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from support.histories import CHATS, DIALECTS, MODELS, RESPONSES, STORES, histories
from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.wire import Settings, ToolSpec, encoder, read
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History
from turnlock.wire.common.jsontext import dumps

SAMPLE = Path(__file__).parent / "data" / "wire_recorded_openai.jsonl"
RECORDED = [json.loads(line) for line in SAMPLE.read_text("utf-8").split("\n") if line]

HELD = {"previous_response_id", "conversation"}
"""There outputs answer calls that no body shows: read, but not to be sent by our encoder."""


def again(history: History, dialect: str) -> bytes:
    return encoder(dialect).encode(history.items, len(history.items), history.settings()).body


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), model=st.sampled_from(MODELS), options=st.sampled_from(STORES))
def test_what_was_written_and_read_is_written_the_same(
    dialect: str, data: st.DataObject, model: str, options: dict[str, Any]
) -> None:
    """Nothing that our bodies say is lost by reading them: the same bytes leave again."""
    items, _ = data.draw(histories(dialect))
    body = encoder(dialect).encode(items, len(items), Settings(model, "Be brief.", options=options)).body
    history = read(body, dialect)
    assert (history.model, history.instructions) == (model, "Be brief.")
    assert json.loads(again(history, dialect)) == json.loads(body)


def told(items: Sequence[Item]) -> list[tuple[str, Any]]:
    """What items say that both formats can: texts of one answer as one, calls and outputs by their place."""
    said: list[tuple[str, Any]] = []
    calls: list[int] = []
    for item in items:
        match item:
            case Message():
                said.append((str(item.role), plain_text(item.content)))
            case Note():
                said.append(("user", item.text))
            case Text():
                said.append(("text", item.text))
            case Call():
                calls.append(item.ordinal)
                said.append((item.kind, (item.name, json.loads(item.arguments))))
            case Output():
                said.append(("output", (calls.index(item.ordinal), item.model_text)))
            case Reasoning() | ServerCall():
                pass
    return said


@given(data=st.data(), model=st.sampled_from(MODELS))
def test_a_transcript_of_functions_comes_back_from_responses(data: st.DataObject, model: str) -> None:
    """Decoding an encoding gives the same transcript: who said what, which calls, what answered them."""
    items, _ = data.draw(histories("openai_responses"))
    assume(all(item.kind in _PLAIN for item in items if isinstance(item, Call)))
    # A native value goes in place of the text, where the kind has parts.
    assume(all(item.outcome.native is None for item in items if isinstance(item, Output)))
    body = encoder("openai_responses").encode(items, len(items), Settings(model)).body
    plain = [item for item in items if not (isinstance(item, Text) and not item.text)]
    back = told(read(body, "openai_responses").items)
    assert json.loads(dumps([_named(each) for each in told(plain)])) == json.loads(dumps(back))


_PLAIN = (CallKind.FUNCTION, CallKind.CUSTOM)


def _named(told: tuple[str, Any]) -> tuple[str, Any]:
    """A call without a name, and a custom one without input, are written as providers take them."""
    sort, said = told
    if sort == CallKind.CUSTOM:
        return sort, (said[0] or "unknown", said[1] or {"input": ""})
    return (sort, (said[0] or "unknown", said[1])) if sort == CallKind.FUNCTION else told


def chat(*rows: dict[str, Any], dialect: str = "openai_chat", **fields: Any) -> History:
    return read({"model": "m", "messages": list(rows), **fields}, dialect)


def responses(*rows: Any, **fields: Any) -> History:
    return read({"model": "m", "input": list(rows), **fields}, "openai_responses")


def asks(*ids: str) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def pairs(history: History) -> list[tuple[str, int]]:
    return [(type(item).__name__, item.ordinal) for item in history.items if isinstance(item, Call | Output)]


def test_a_chat_body_is_read_row_by_row() -> None:
    """Instructions, roles, parts, an answer per assistant message, outputs at their calls."""
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x/y"}},
    ]
    history = chat(
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Now."},
        {"role": "user", "content": parts},
        {**asks("a", "b"), "content": "Looking."},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {"role": "assistant", "content": "Done."},
        temperature=0,
        stream=True,
    )
    assert (history.instructions, history.model, history.options) == ("Be brief.", "m", {"temperature": 0})
    developer, user, said, first, second, two, one, done = history.items
    assert developer == Message("m1", "Now.", Role.DEVELOPER)
    assert user == Message("m2", tuple(parts))
    assert isinstance(said, Text)
    assert isinstance(done, Text)
    assert (said.request, done.request) == (1, 2)
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert isinstance(two, Output)
    assert isinstance(one, Output)
    assert (two.ordinal, two.model_text) == (second.ordinal, "two")
    assert (one.ordinal, one.model_text) == (first.ordinal, "(no output)")


def test_pairs_that_are_wrong_are_read_as_they_stand() -> None:
    """C36, C37, C40: an open call stays open, an orphan has its own ordinal, a second one its call's."""
    tool = {"role": "tool", "tool_call_id": "a", "content": "x"}
    user = {"role": "user", "content": "hi"}
    assert pairs(chat(asks("a"), user)) == [("Call", 1)]
    assert pairs(chat(tool, user)) == [("Output", 1)]
    assert pairs(chat(tool, asks("a"))) == [("Output", 1), ("Call", 1)]
    assert pairs(chat(asks("a"), tool, tool)) == [("Call", 1), ("Output", 1), ("Output", 1)]
    assert pairs(chat(asks("a"), user, tool)) == [("Call", 1), ("Output", 1)]
    assert pairs(chat(asks("a"), tool, asks("a"), tool)) == [
        ("Call", 1),
        ("Output", 1),
        ("Call", 2),
        ("Output", 2),
    ]
    assert pairs(chat(asks("a"), user, asks("a"), tool)) == [("Call", 1), ("Call", 2), ("Output", 2)]
    assert pairs(chat(asks("a"), tool, {**tool, "tool_call_id": "z"})) == [
        ("Call", 1),
        ("Output", 1),
        ("Output", 2),
    ]


def test_the_old_form_of_a_call_is_a_call() -> None:
    """R16: function_call and its role function, without ids."""
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    history = chat(old, {"role": "function", "name": "f", "content": "ok"})
    assert pairs(history) == [("Call", 1), ("Output", 1)]


def test_reasoning_of_a_chat_server_is_read_as_its_own() -> None:
    """DS-REASONING-BACK: it goes back to the model and the server that it came from, and to no other."""
    row = {**asks("a"), "reasoning_content": "Hm."}
    history = chat(row, {"role": "tool", "tool_call_id": "a", "content": "x"}, dialect="deepseek_chat")
    assert isinstance(history.items[0], Reasoning)
    assert json.loads(again(history, "deepseek_chat"))["messages"][0]["reasoning_content"] == "Hm."
    assert b"Hm." not in again(history, "openai_chat")


def test_input_may_be_text() -> None:
    """Responses: text is one message of the user."""
    assert read({"input": "hello"}, "openai_responses").items == (Message("m1", "hello"),)
    assert read({}, "openai_responses").items == ()


def test_outputs_say_what_their_kind_can() -> None:
    """Lists of parts, screens and tools stay what they are; our texts of failed patches are known again."""
    picture = [{"type": "input_image", "image_url": "https://x/y"}]
    calls: list[dict[str, Any]] = [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "apply_patch_call", "call_id": "b", "operation": {"type": "delete_file", "path": "x"}},
        {"type": "computer_call", "call_id": "c", "action": {"type": "wait"}},
        {"type": "mcp_approval_request", "id": "d", "server_label": "s", "name": "n", "arguments": "{}"},
    ]
    outputs: list[dict[str, Any]] = [
        {"type": "function_call_output", "call_id": "a", "output": picture},
        {
            "type": "apply_patch_call_output",
            "call_id": "b",
            "status": "failed",
            "output": "Tool cancelled before it started: it was not run.",
        },
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": "https://x/z"},
        },
        {"type": "mcp_approval_response", "approval_request_id": "d", "approve": False, "reason": "no"},
    ]
    history = responses(*calls, *outputs)
    assert pairs(history) == [("Call", n) for n in (1, 2, 3, 4)] + [("Output", n) for n in (1, 2, 3, 4)]
    causes = [item.outcome.cause for item in history.items if isinstance(item, Output)]
    assert causes == [Cause.RETURNED, Cause.NOT_STARTED, Cause.RETURNED, Cause.RAISED]
    rows = json.loads(again(history, "openai_responses"))["input"]
    assert [rows[4]["output"], rows[5]["status"], rows[6]["output"]["image_url"]] == [
        picture,
        "failed",
        "https://x/z",
    ]
    assert rows[7] == outputs[3] | {"reason": "Tool error: no"}


def test_what_only_the_provider_understands_is_kept_as_it_came() -> None:
    """R21, R22: references, its own calls and their outputs, tools that came late, a compaction."""
    rows: list[dict[str, Any]] = [
        {"type": "item_reference", "id": "rs_1"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "shell_call", "call_id": "s", "action": {}, "environment": {"type": "container_reference"}},
        {"type": "shell_call_output", "call_id": "s", "output": []},
        {"type": "additional_tools", "role": "developer", "tools": []},
        {"type": "compaction", "encrypted_content": "g"},
    ]
    history = responses(*rows)
    assert [type(item) for item in history.items] == [ServerCall] * len(rows)
    assert json.loads(again(history, "openai_responses"))["input"][0] == rows[0]


def test_tools_become_specs_unless_they_say_more() -> None:
    """What a ToolSpec cannot say stays an option, as it came."""
    grammar = {"syntax": "lark", "definition": "x"}
    plain: list[dict[str, Any]] = [
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": {"type": "object"},
            "strict": True,
        },
        {"type": "custom", "name": "p", "format": {"type": "grammar", **grammar}},
        {"type": "shell", "environment": {"type": "local"}},
    ]
    more: list[Any] = [
        {"type": "web_search"},
        {"type": "function", "name": "g", "parameters": {}, "defer_loading": True},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "tool_search", "execution": "server"},
        "odd",
    ]
    history = responses(tools=[*plain, *more])
    assert [spec.kind for spec in history.tools] == ["function", "custom", "shell"]
    assert history.options["tools"] == more
    assert json.loads(again(history, "openai_responses"))["tools"] == [*plain, *more]
    asked: list[Any] = [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
        {"type": "custom", "custom": {"name": "p", "format": {"type": "grammar", "grammar": grammar}}},
        {"type": "function", "function": {"name": "g", "cache_control": {}}},
        {"type": "web_search"},
    ]
    history = chat(tools=asked)
    assert history.tools[1] == ToolSpec("p", "", {"type": "grammar", **grammar}, CallKind.CUSTOM)
    assert history.options["tools"] == asked[2:]
    assert json.loads(again(history, "openai_chat"))["tools"] == asked


@pytest.mark.parametrize(
    "recording",
    [each for each in RECORDED if each["status"] == 200 and not HELD & each["body"].keys()],
    ids=lambda recording: recording["source"].split("/")[-1][:60],
)
def test_a_recorded_body_says_the_same_when_it_is_sent_again(recording: dict[str, Any]) -> None:
    """No message, call or output of an accepted body is lost by reading and writing it."""
    dialect, body = recording["dialect"], recording["body"]
    field = "input" if dialect in RESPONSES else "messages"
    sent = json.loads(again(read(body, dialect), dialect))
    assert told(read(sent, dialect).items) == told(read(body, dialect).items)
    if isinstance(body[field], list):
        assert len(sent[field]) == len(body[field])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": 7, "messages": 7, "tools": 7, "model": 7, "instructions": 7},
        {"input": [7, {}, {"role": 7}, {"type": "function_call_output"}], "messages": [7, {}, {"role": 7}]},
        {"messages": [{"role": "assistant"}, {"role": "tool"}, {"role": "system", "content": 7}]},
        {"tools": [{"type": "function", "function": 7}, {"type": "function", "function": {"name": 7}}, {}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "strict": 7}},
                {"type": "shell", "name": 7},
            ]
        },
        {"input": [{"type": "shell_call_output", "call_id": "s"}, {"type": "computer_call_output"}]},
    ],
    ids=str,
)
def test_no_body_makes_reading_fail(dialect: str, body: dict[str, Any]) -> None:
    """What cannot be understood is left out of the transcript, and never raised."""
    assert isinstance(read(body, dialect), History)


def test_there_is_a_reader_for_every_server() -> None:
    """The servers of one format read alike."""
    for dialect in CHATS:
        assert [type(item) for item in chat(asks("a"), dialect=dialect).items] == [Call]
