"""How an answer looks on Anthropic Messages: events and the whole object, as the SDK reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anthropic
import httpx2
import pytest
from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from pydantic import TypeAdapter

from turnlock.strict import StrictProvider

Inside: TypeAlias = Callable[
    ..., AbstractAsyncContextManager[tuple[StrictProvider, anthropic.AsyncAnthropic]]
]

#: The SDK drops its own generators half read where a connection breaks.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator '(anthropic|httpx2|httpcore2):ResourceWarning"
)

GO: list[MessageParam] = [{"role": "user", "content": "go"}]
ASK: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": GO}
LS = {"name": "ls", "arguments": {"path": "."}}
SEARCH = {"kind": "server", "name": "web_search", "arguments": {"query": "q"}}
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


async def events_of(client: anthropic.AsyncAnthropic, into: list[Any], **more: Any) -> None:
    async with await client.messages.create(**ASK, **more, stream=True) as stream:
        async for event in stream:
            into += [event.model_dump(exclude_unset=True, warnings=False)]


async def streamed(client: anthropic.AsyncAnthropic) -> list[Any]:
    events: list[Any] = []
    await events_of(client, events)
    return events


async def final(client: anthropic.AsyncAnthropic) -> Message:
    """The message that the SDK puts together from a stream."""
    async with client.messages.stream(**ASK) as stream:
        return await stream.get_final_message()


async def whole(client: anthropic.AsyncAnthropic) -> Message:
    answer: Message = await client.messages.create(**ASK)
    return Message.model_validate(answer.model_dump(warnings=False))


def said(message: Message) -> list[Any]:
    """The blocks as the provider wrote them."""
    return [
        block.model_dump(exclude_none=True, exclude={"parsed_output"}, warnings=False)
        for block in message.content
    ]


async def test_the_events_of_a_call_come_in_the_recorded_order(inside: Inside) -> None:
    """Start, ping, the block with an empty input, its JSON in fragments behind an empty one.

    WIRE.md, section 7. The bytes are looked at, too, for the SDK hands on no ping.
    """
    async with inside({"calls": [LS]}) as (provider, client):
        events = await streamed(client)
        body = json.dumps({**ASK, "stream": True}).encode()
        provider.add({"calls": [LS]})
        sent = b"".join(provider.respond("POST", "/v1/messages", [], body).chunks).decode()
    call = {"type": "tool_use", "id": "call_001_00001", "name": "ls", "input": {}}
    fragments = ("", '{"p', "ath", '":"', '."}')
    assert events[1:-2] == [
        {"type": "content_block_start", "index": 0, "content_block": call},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": fragment},
            }
            for fragment in fragments
        ),
        {"type": "content_block_stop", "index": 0},
    ]
    begun = events[0]["message"]
    assert (begun["content"], begun["stop_reason"], begun["usage"]["output_tokens"]) == ([], None, 1)
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[-1] == {"type": "message_stop"}
    for event in events:
        EVENT.validate_python(event)
    names = [line.removeprefix("event: ") for line in sent.splitlines() if line.startswith("event: ")]
    assert names[:3] == ["message_start", "ping", "content_block_start"]
    assert all(
        json.loads(line[6:])["type"] in names for line in sent.splitlines() if line.startswith("data: ")
    )


async def test_thinking_ends_with_its_signature(inside: Inside) -> None:
    """The signature comes in a delta of its own, behind the last one of the thinking."""
    async with inside({"reasoning": "hm", "text": "Look."}) as (_, client):
        events = await streamed(client)
    deltas = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == [
        "thinking_delta",
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "text_delta",
        "text_delta",
    ]
    block = next(event["content_block"] for event in events if event["type"] == "content_block_start")
    assert block == {"type": "thinking", "thinking": "", "signature": ""}


async def test_streamed_and_whole_say_the_same(inside: Inside) -> None:
    """Thinking, text and calls in that order; what the SDK reads from events is the one JSON object."""
    line = {"reasoning": "hm", "text": "Look.", "calls": [LS, {"name": "cat", "id": "mine"}]}
    async with inside(line, {**line, "calls": [{**LS, "id": "call_001_00001"}, line["calls"][1]]}) as (
        provider,
        client,
    ):
        first, second = await final(client), await whole(client)
    assert said(first) == said(second)
    assert [block["type"] for block in said(second)] == ["thinking", "text", "tool_use", "tool_use"]
    assert said(second)[2:] == [
        {"type": "tool_use", "id": "call_001_00001", "name": "ls", "input": {"path": "."}},
        {"type": "tool_use", "id": "mine", "name": "cat", "input": {}},
    ]
    assert (first.stop_reason, second.stop_reason) == ("tool_use", "tool_use")
    assert first.usage == second.usage or first.usage.output_tokens == second.usage.output_tokens
    assert [dict(block) for block in provider.exchanges[1].answer] == said(second)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (None, "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("context", "model_context_window_exceeded"),
        ("pause", "pause_turn"),
    ],
)
async def test_the_ends_of_an_answer(inside: Inside, finish: str | None, reason: str) -> None:
    """Every reason to stop; a text that ends in the middle is half, a paused one is whole."""
    line = {"text": "abcd", "finish": finish}
    async with inside(line, line) as (_, client):
        answers = await final(client), await whole(client)
    for answer in answers:
        assert answer.stop_reason == reason
        assert said(answer) == [{"type": "text", "text": "abcd" if finish in {None, "pause"} else "ab"}]


async def test_the_last_call_of_an_answer_that_became_too_long_is_cut(inside: Inside) -> None:
    """Its JSON breaks off in the stream, and the whole object shows an empty input (R12)."""
    line = {"calls": [LS, LS], "finish": "length"}
    async with inside(line, line) as (_, client):
        events = await streamed(client)
        answer = await whole(client)
    text = "".join(
        event["delta"].get("partial_json", "")
        for event in events[1:]
        if event.get("index") == 1 and "delta" in event
    )
    assert text == '{"path'
    assert [block["input"] for block in said(answer)] == [{"path": "."}, {}]
    assert (events[-2]["delta"]["stop_reason"], answer.stop_reason) == ("max_tokens", "max_tokens")


async def test_arguments_that_are_a_text_are_sent_as_they_are(inside: Inside) -> None:
    """Broken JSON can be played in a stream; no arguments at all are an empty text."""
    async with inside({"calls": [{"name": "f", "arguments": '{"a":'}, {"name": "f", "arguments": ""}]}) as (
        _,
        client,
    ):
        events = await streamed(client)
    sent = ["", ""]
    for event in events:
        if event["type"] == "content_block_delta":
            sent[event["index"]] += event["delta"]["partial_json"]
    assert sent == ['{"a":', ""]


async def test_a_server_tool_answers_at_once_or_with_the_next_answer(inside: Inside) -> None:
    """Its result stands behind its call; of one left open it begins what the next line says (C45)."""
    code = {"kind": "server", "name": "code_execution", "open": True}
    async with inside({"text": "a", "calls": [SEARCH, code, LS]}, {"text": "b"}) as (_, client):
        first = await final(client)
        results: Any = [{"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "ok"}]  # type: ignore[union-attr]  # the call
        history: list[MessageParam] = [
            *GO,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ]
        second = await client.messages.create(**{**ASK, "messages": history})
    Message.model_validate(
        first.model_dump(warnings=False, exclude={"content": {"__all__": {"parsed_output"}}})
    )
    Message.model_validate(second.model_dump(warnings=False))
    assert [block.type for block in first.content] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "server_tool_use",
        "tool_use",
    ]
    found, text = second.content
    assert found.type == "code_execution_tool_result"
    assert found.tool_use_id == first.content[3].id  # type: ignore[union-attr]  # the server's call
    assert text.type == "text"


@pytest.mark.parametrize(
    ("cut_after", "sent", "complete"),
    [
        (0, [("thinking", "h", "")], []),
        (1, [("thinking", "hm", "signed"), ("text", "ab", "")], ["thinking"]),
        (
            2,
            [("thinking", "hm", "signed"), ("text", "abcd", ""), ("tool_use", '{"path', "")],
            ["thinking", "text"],
        ),
        (
            3,
            [("thinking", "hm", "signed"), ("text", "abcd", ""), ("tool_use", '{"path":"."}', "")],
            ["thinking", "text", "tool_use"],
        ),
    ],
)
async def test_a_cut_leaves_blocks_without_a_stop(
    inside: Inside, cut_after: int, sent: list[tuple[str, str, str]], complete: list[str]
) -> None:
    """So much has come, a half thinking block has no signature, and no message_stop ever comes (C18)."""
    events: list[Any] = []
    line = {"reasoning": "hm", "text": "abcd", "calls": [LS], "cut_after": cut_after}
    async with inside(line) as (provider, client):
        with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
            await events_of(client, events)
    blocks: list[list[str]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append([event["content_block"]["type"], "", ""])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            blocks[-1][1] += "".join(delta.get(key, "") for key in ("text", "thinking", "partial_json"))
            blocks[-1][2] = "signed" if "signature" in delta else ""
    assert [tuple(block) for block in blocks] == sent
    assert len([event for event in events if event["type"] == "content_block_stop"]) == cut_after
    assert events[-1]["type"] not in {"message_delta", "message_stop"}
    (exchange,) = provider.exchanges
    assert ([block["type"] for block in exchange.answer], exchange.ended) == (complete, "cut")


async def test_an_object_that_is_cut_is_no_json(inside: Inside) -> None:
    """Not streamed, nothing of a cut answer was complete."""
    async with inside({"text": "abcd", "cut_after": 1}) as (provider, client):
        with pytest.raises(anthropic.APIConnectionError):
            await client.messages.create(**ASK)
    assert (provider.exchanges[0].answer, provider.exchanges[0].ended) == ((), "cut")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            {"calls": [{"kind": "shell"}]},
            "Line 1 of the script has a shell call, which Anthropic Messages lacks.",
        ),
        (
            {"calls": [{"kind": "server", "name": "look"}]},
            "Line 1 of the script has a server call of look; there are web_search and code_execution.",
        ),
    ],
)
async def test_what_the_dialect_cannot_say_is_the_script_s_fault(
    inside: Inside, line: dict[str, Any], reason: str
) -> None:
    """The answer names the line (422, not a refusal of the history)."""
    async with inside(line) as (_, client):
        with pytest.raises(anthropic.UnprocessableEntityError, match=reason):
            await client.messages.create(**ASK)
