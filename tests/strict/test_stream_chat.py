"""How an answer looks on Chat Completions: chunks and the whole object, as the SDK reads them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from turnlock.strict import Asked, StrictProvider
from turnlock.strict.stream_chat import asked

Inside: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[StrictProvider, openai.AsyncOpenAI]]]

#: The SDK stops reading at [DONE] and drops its own generators half read, however the stream is closed.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(openai|httpx2|httpcore2):ResourceWarning")

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "go"}]}
LS = {"name": "ls", "arguments": {"path": "."}}


async def chunks_of(client: openai.AsyncOpenAI, into: list[ChatCompletionChunk], **more: Any) -> None:
    async with await client.chat.completions.create(**ASK, **more, stream=True) as stream:
        async for chunk in stream:
            into += [chunk]


async def streamed(client: openai.AsyncOpenAI, **more: Any) -> list[ChatCompletionChunk]:
    chunks: list[ChatCompletionChunk] = []
    await chunks_of(client, chunks, **more)
    return chunks


def deltas(chunks: list[ChatCompletionChunk]) -> list[dict[str, Any]]:
    return [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks if chunk.choices]


async def test_the_chunks_of_a_call_come_in_the_recorded_order(inside: Inside) -> None:
    """Role and opened call first, then the arguments in fragments, then the reason (WIRE.md, section 7)."""
    async with inside({"calls": [LS]}) as (_, client):
        chunks = await streamed(client)
    opened = {
        "index": 0,
        "id": "call_001_00001",
        "type": "function",
        "function": {"name": "ls", "arguments": ""},
    }
    assert deltas(chunks) == [
        {"role": "assistant", "content": None, "refusal": None, "tool_calls": [opened]},
        *(
            {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
            for text in ('{"p', "ath", '":"', '."}')
        ),
        {},
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 5 + ["tool_calls"]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(warnings=False))


async def test_text_and_several_calls_are_joined_by_index(inside: Inside) -> None:
    """The text comes first; id and name come once for each call, the fragments with its index."""
    async with inside({"text": "Look.", "calls": [LS, {"name": "cat", "id": "mine"}]}) as (_, client):
        found = deltas(await streamed(client))
    assert "".join(delta.get("content") or "" for delta in found) == "Look."
    fragments = [call for delta in found for call in delta.get("tool_calls", [])]
    assert [call["id"] for call in fragments if "id" in call] == ["call_001_00001", "mine"]
    for index, arguments in enumerate(('{"path":"."}', "{}")):
        said = [call["function"]["arguments"] for call in fragments if call["index"] == index]
        assert "".join(said) == arguments


async def test_a_custom_call_keeps_its_kind(inside: Inside) -> None:
    """Custom calls have their own type, streamed and whole."""
    line = {"calls": [{"kind": "custom", "name": "patch", "arguments": "*** Begin"}]}
    async with inside(line, line) as (_, client):
        fragments = [call for delta in deltas(await streamed(client)) for call in delta.get("tool_calls", [])]
        whole = await client.chat.completions.create(**ASK)
    assert fragments[0]["type"] == "custom"
    assert "".join(fragment["custom"]["input"] for fragment in fragments) == "*** Begin"
    (call,) = whole.choices[0].message.tool_calls or []
    assert call.type == "custom"
    assert call.custom.input == "*** Begin"


async def test_a_completion_that_is_not_streamed_is_one_object(inside: Inside) -> None:
    """Message, reason and usage are valid for the SDK's own type."""
    async with inside({"reasoning": "is not sent", "text": "Look.", "calls": [LS]}) as (provider, client):
        whole = await client.chat.completions.create(**ASK)
    ChatCompletion.model_validate(whole.model_dump(warnings=False))
    (choice,) = whole.choices
    assert (choice.message.content, choice.finish_reason) == ("Look.", "tool_calls")
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert provider.exchanges[0].answer[0]["tool_calls"][0]["function"]["name"] == "ls"


async def test_usage_comes_in_a_chunk_of_its_own_where_it_is_asked_for(inside: Inside) -> None:
    """The last chunk has no choices and the usage; without the option no chunk has any."""
    async with inside({"text": "a"}, {"text": "a"}) as (_, client):
        counted = await streamed(client, stream_options={"include_usage": True})
        plain = await streamed(client)
    assert counted[-1].choices == []
    assert counted[-1].usage is not None
    assert all(chunk.usage is None for chunk in [*counted[:-1], *plain])


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_an_answer_may_end_incomplete(inside: Inside, finish: str) -> None:
    """The last call is cut in half, and the reason says so (R12)."""
    async with inside({"calls": [LS], "finish": finish}, {"text": "abcd", "finish": finish}) as (_, client):
        call = (await client.chat.completions.create(**ASK)).choices[0]
        text = (await client.chat.completions.create(**ASK)).choices[0]
    (cut,) = call.message.tool_calls or []
    assert cut.type == "function"
    assert (cut.function.arguments, call.finish_reason) == ('{"path', finish)
    assert (text.message.content, text.finish_reason) == ("ab", finish)


@pytest.mark.parametrize(
    ("cut_after", "text", "arguments"), [(0, "ab", ""), (1, "abcd", '{"path'), (2, "abcd", '{"path":"."}')]
)
async def test_a_cut_leaves_no_reason_to_finish(
    inside: Inside, cut_after: int, text: str, arguments: str
) -> None:
    """So much has come, and neither finish_reason nor [DONE] ever does: nothing of it was complete (C18)."""
    chunks: list[ChatCompletionChunk] = []
    async with inside({"text": "abcd", "calls": [LS], "cut_after": cut_after}) as (provider, client):
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            await chunks_of(client, chunks)
    found = deltas(chunks)
    assert "".join(delta.get("content") or "" for delta in found) == text
    fragments = [call for delta in found for call in delta.get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in fragments) == arguments
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)
    assert (provider.exchanges[0].answer, provider.exchanges[0].ended) == ((), "cut")


def test_the_answers_behind_the_last_user_text_are_counted() -> None:
    """Assistant messages in a row are one answer; tool messages divide."""
    called = {"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}
    user, said = {"role": "user", "content": "go"}, {"role": "assistant", "content": "x"}
    messages: list[Any] = [user, said, user, said, called, {"role": "tool", "tool_call_id": "a"}, said]
    assert asked(messages, b"") == Asked("go", (("a", "b"), ()), b"")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"calls": [{"kind": "shell"}]}, "has a shell call, which Chat Completions lacks"),
        ({"text": "x", "finish": "pause"}, "has the end pause, which Chat Completions lacks"),
    ],
)
async def test_what_the_dialect_lacks_is_the_script_s_fault(
    inside: Inside, line: dict[str, Any], reason: str
) -> None:
    """It cannot be said here: the answer names the line (422, not a refusal of the history)."""
    async with inside(line) as (_, client):
        with pytest.raises(openai.UnprocessableEntityError, match=f"Line 1 of the script {reason}"):
            await client.chat.completions.create(**ASK)
