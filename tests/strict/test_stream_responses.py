"""How an answer looks on the Responses API: events, items and the whole object, as the SDK reads them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import httpx2
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from turnlock.strict import Asked, StrictProvider, judge_responses
from turnlock.strict.stream_responses import asked

Inside: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[StrictProvider, openai.AsyncOpenAI]]]

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ASK: dict[str, Any] = {"model": "m", "input": "go"}
CALLS: dict[str, dict[str, Any]] = {
    "function_call": {"name": "ls", "arguments": {"path": "."}},
    "custom_tool_call": {"kind": "custom", "name": "patch", "arguments": "*** Begin"},
    "local_shell_call": {"kind": "local_shell", "arguments": {"command": ["ls"]}},
    "shell_call": {"kind": "shell", "arguments": {"commands": ["ls"]}},
    "apply_patch_call": {
        "kind": "apply_patch",
        "arguments": {"type": "update_file", "path": "a", "diff": "+x"},
    },
    "computer_call": {"kind": "computer", "arguments": {"type": "screenshot"}},
    "tool_search_call": {"kind": "tool_search", "arguments": {"queries": ["x"]}},
    "mcp_approval_request": {"kind": "mcp_approval", "name": "deploy", "arguments": {"to": "prod"}},
}
PREFIXES = {
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "local_shell_call": "lsh_",
    "shell_call": "sh_",
    "apply_patch_call": "apc_",
    "computer_call": "cu_",
    "tool_search_call": "tsc_",
    "mcp_approval_request": "mcpr_",
}


async def events_of(client: openai.AsyncOpenAI, into: list[Any], **more: Any) -> None:
    """Put all events of a stream into a list; each must be valid for the SDK's types, not just readable."""
    async with await client.responses.create(**{**ASK, **more}, stream=True) as stream:
        async for event in stream:
            EVENT.validate_python(event.model_dump(by_alias=True, warnings=False))
            into.append(event)


async def streamed(client: openai.AsyncOpenAI, **more: Any) -> list[Any]:
    events: list[Any] = []
    await events_of(client, events, **more)
    return events


def names(events: list[Any]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


async def test_the_events_come_in_the_recorded_order(inside: Inside) -> None:
    """Reasoning, message, call: the order of WIRE.md, numbered without a gap, each text in several deltas."""
    async with inside({"reasoning": "Hmm.", "text": "Look.", "calls": [CALLS["function_call"]]}) as (
        _,
        client,
    ):
        events = await streamed(client)
    assert names(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        *["reasoning_summary_text.delta"] * 4,
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 3,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        *["function_call_arguments.delta"] * 4,
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Look."
    arguments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(arguments) == '{"path":"."}'


async def test_the_deltas_of_an_item_are_joined_by_its_id_and_index(inside: Inside) -> None:
    """Whatever speaks of an item names its id and its place; the call id stands in the item alone."""
    async with inside({"text": "ab", "calls": [CALLS["function_call"], CALLS["custom_tool_call"]]}) as (
        _,
        client,
    ):
        events = await streamed(client)
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in done] == [0, 1, 2]
    ids = [event.item.id for event in done]
    for event in events:
        if hasattr(event, "item_id"):
            assert ids[event.output_index] == event.item_id
    added = next(
        event.item
        for event in events
        if event.type == "response.output_item.added" and event.output_index == 1
    )
    assert (added.status, added.arguments, added.name) == ("in_progress", "", "ls")
    assert added.call_id == done[1].item.call_id == "call_001_00001"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", CALLS)
async def test_every_kind_of_call_is_an_item_of_the_sdk(inside: Inside, kind: str, stream: bool) -> None:  # noqa: FBT001
    """Streamed or not, each kind decodes into its own type, completed, with the id prefix of its kind."""
    async with inside({"calls": [CALLS[kind]]}) as (provider, client):
        if stream:
            response = (await streamed(client))[-1].response
        else:
            response = await client.responses.create(**ASK)
    Response.model_validate(response.model_dump(by_alias=True, warnings=False))
    (item,) = response.output
    assert item.type == kind
    assert item.id.startswith(PREFIXES[kind])
    assert getattr(item, "status", "completed") == "completed" or kind in {
        "custom_tool_call",
        "mcp_approval_request",
    }
    assert provider.exchanges[0].answer[0]["type"] == kind


@pytest.mark.parametrize("kind", CALLS)
async def test_an_open_call_of_every_kind_is_refused_when_it_comes_back(inside: Inside, kind: str) -> None:
    """The provider refuses what it played itself, when the answer to it is missing (C4, every kind)."""
    async with inside({"calls": [CALLS[kind]]}) as (provider, client):
        await client.responses.create(**ASK)
        items = [{"role": "user", "content": "go"}, *provider.exchanges[0].answer]
        with pytest.raises(openai.BadRequestError, match=r"No (tool output|approval response) found for "):
            await client.responses.create(model="m", input=[*items, {"role": "user", "content": "wait"}])  # type: ignore[list-item]  # as it came


async def test_ids_and_arguments_are_played_verbatim(inside: Inside) -> None:
    """An empty id, one of 70 characters, one used twice and broken JSON reach the client (C19, C20, C22)."""
    calls = [{"name": "f", "id": call_id, "arguments": "{broken"} for call_id in ("", "x" * 70, "one", "one")]
    async with inside({"calls": calls}) as (_, client):
        response = (await streamed(client))[-1].response
    assert [item.call_id for item in response.output] == ["", "x" * 70, "one", "one"]
    assert {item.arguments for item in response.output} == {"{broken"}


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_an_answer_may_end_incomplete(inside: Inside, finish: str, reason: str) -> None:
    """The last item is cut in half and says so; the response is incomplete, with the reason (R12, C19)."""
    async with inside({"text": "Look.", "calls": [CALLS["function_call"]], "finish": finish}) as (_, client):
        events = await streamed(client)
    last = events[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.incomplete_details.reason == reason
    message, call = last.response.output
    assert (message.status, call.status, call.arguments) == ("completed", "incomplete", '{"path')


@pytest.mark.parametrize("kind", CALLS)
async def test_an_incomplete_call_of_every_kind_is_valid_for_the_sdk(inside: Inside, kind: str) -> None:
    """Cut in half, each kind still decodes, and says that it is not complete where it has a status."""
    async with inside({"calls": [CALLS[kind]], "finish": "length"}) as (_, client):
        (item,) = (await streamed(client))[-1].response.output
    assert getattr(item, "status", None) in {None, "incomplete", "in_progress"}


def test_the_answers_behind_the_last_user_text_are_counted() -> None:
    """A run of items of the model is one answer; outputs and notes divide, what the server did does not."""
    thought: dict[str, Any] = {"type": "reasoning", "summary": []}
    search = {"type": "tool_search_call", "call_id": None, "execution": "server"}
    found = {"type": "tool_search_output", "call_id": None, "execution": "server"}
    call, other = ({"type": "function_call", "call_id": call_id} for call_id in ("a", "b"))
    request = {"type": "mcp_approval_request", "id": "mcpr_1"}
    user = {"role": "user", "content": [{"type": "input_image"}, {"type": "input_text", "text": "go"}]}
    items: list[dict[str, Any]] = [
        user,
        call,
        user,
        thought,
        search,
        found,
        call,
        other,
        {"type": "function_call_output"},
        request,
    ]
    assert asked([*items, {"role": "developer"}, {"role": "assistant"}], b"") == Asked(
        "go", (("a", "b"), ("mcpr_1",), ()), b""
    )


async def test_an_incomplete_message_keeps_half_of_its_text(inside: Inside) -> None:
    """A text that the length limit cut ends where it was cut."""
    async with inside({"text": "abcdef", "finish": "length"}) as (_, client):
        response = await client.responses.create(**ASK)
    assert (response.output_text, response.status) == ("abc", "incomplete")


@pytest.mark.parametrize(
    ("cut_after", "complete", "deltas"),
    [
        (0, 0, {"output_text": "ab", "function_call_arguments": ""}),
        (1, 1, {"output_text": "abcd", "function_call_arguments": '{"path'}),
        (2, 2, {"output_text": "abcd", "function_call_arguments": '{"path":"."}'}),
    ],
)
async def test_a_cut_comes_in_the_middle_of_the_next_item(
    inside: Inside, cut_after: int, complete: int, deltas: dict[str, str]
) -> None:
    """So many items are complete, half of the next one has come, and no end marker ever does (C18)."""
    line = {"text": "abcd", "calls": [CALLS["function_call"]], "cut_after": cut_after}
    events: list[Any] = []
    async with inside(line) as (provider, client):
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            await events_of(client, events)
    assert names(events).count("output_item.done") == complete
    assert "completed" not in names(events)
    for stem, text in deltas.items():
        assert "".join(event.delta for event in events if event.type == f"response.{stem}.delta") == text
    (exchange,) = provider.exchanges
    assert (len(exchange.answer), exchange.ended) == (complete, "cut")


async def test_a_cut_answer_that_is_not_streamed_is_half_a_body(inside: Inside) -> None:
    """Without a stream the client gets nothing whole."""
    async with inside({"text": "abcd", "cut_after": 1}) as (provider, client):
        with pytest.raises(openai.APIConnectionError):
            await client.responses.create(**ASK)
    assert (provider.exchanges[0].answer, provider.exchanges[0].ended) == ((), "cut")


async def test_the_object_around_the_items_tells_of_the_request(inside: Inside) -> None:
    """Model, tools, instructions and usage: what a client may read back is there."""
    tools: Any = [{"type": "function", "name": "ls", "parameters": {}, "strict": True}]
    async with inside({"reasoning": "Hmm.", "text": "Hello."}) as (_, client):
        response = await client.responses.create(
            model="gpt-x",
            input="go",
            instructions="Be brief.",
            tools=tools,
            metadata={"a": "b"},
        )
    assert (response.model, response.instructions, response.metadata) == ("gpt-x", "Be brief.", {"a": "b"})
    assert [tool.type for tool in response.tools] == ["function"]
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.output_tokens_details.reasoning_tokens == 1


async def test_reasoning_comes_encrypted_where_it_is_asked_for(inside: Inside) -> None:
    """What store=false needs to send reasoning back (RESP-STORE-FALSE-REF)."""
    async with inside({"reasoning": "Hmm.", "text": "Hello."}) as (provider, client):
        await client.responses.create(**ASK, store=False, include=["reasoning.encrypted_content"])
    items = [
        {"role": "user", "content": "go"},
        *provider.exchanges[0].answer,
        {"role": "user", "content": "and?"},
    ]
    assert judge_responses({"store": False, "input": items}) is None


async def test_the_same_script_gives_the_same_bytes(inside: Inside) -> None:
    """No clock and no randomness: two providers answer alike, byte for byte (R19)."""
    line = {"reasoning": "Hmm.", "text": "Look.", "calls": list(CALLS.values())}
    replies = []
    for _ in range(2):
        async with inside(line) as (provider, _client):
            body = b'{"model":"m","input":"go","stream":true}'
            replies.append(provider.respond("POST", "/v1/responses", [], body).chunks)
    assert replies[0] == replies[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"calls": [{"kind": "server", "name": "web_search"}]}, "has a server call, which Responses lacks"),
        ({"text": "x", "finish": "context"}, "has the end context, which Responses lacks"),
    ],
)
async def test_what_the_dialect_lacks_is_the_script_s_fault(
    inside: Inside, line: dict[str, Any], reason: str
) -> None:
    """It cannot be said here: the answer names the line (422, not a refusal of the history)."""
    async with inside(line) as (_, client):
        with pytest.raises(openai.UnprocessableEntityError, match=f"Line 1 of the script {reason}"):
            await client.responses.create(**ASK)
