"""The provider speaking Anthropic, with the real SDK: refusals, pauses, thinking, errors, choice of lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anthropic
import httpx2
import pytest
import trio
import trio.testing
from anthropic.types import Message

from turnlock.strict import Script, StrictProvider
from turnlock.strict.anthropic.judge import trace
from turnlock.strict.anthropic.stream import asked

Inside: TypeAlias = Callable[
    ..., AbstractAsyncContextManager[tuple[StrictProvider, anthropic.AsyncAnthropic]]
]

#: See test_anthropic_stream.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Async generator '(anthropic|httpx2|httpcore2):ResourceWarning"
)

MODEL = "claude-sonnet-5"
GO: Any = {"role": "user", "content": "go"}
LS = {"calls": [{"name": "ls", "id": "toolu_1"}]}
SEARCH = {"kind": "server", "name": "web_search", "arguments": {"query": "q"}, "open": True}


async def ask(client: anthropic.AsyncAnthropic, *messages: Any, **more: Any) -> Message:
    answer: Message = await client.messages.create(
        **{"model": MODEL, "max_tokens": 100, "messages": messages, **more}
    )
    return answer


def said(message: Message) -> Any:
    return {"role": "assistant", "content": message.content}


def results(*call_ids: str) -> Any:
    content = [{"type": "tool_result", "tool_use_id": call_id, "content": "ok"} for call_id in call_ids]
    return {"role": "user", "content": content}


def post(provider: StrictProvider, body: object, path: str = "/v1/messages") -> tuple[int, Any]:
    """Send a body without any client; the answer is taken as arrived."""
    reply = provider.respond("POST", path, [], json.dumps(body).encode())
    reply.finish("complete")
    return reply.status, json.loads(b"".join(reply.chunks))


@pytest.mark.parametrize("door", ["inside", "outside"])
async def test_the_origin_story_is_refused_in_the_provider_s_words(
    door: str, request: pytest.FixtureRequest
) -> None:
    """A call without result and a new message: 400, literally, with the id of the request (C4).

    Inside the process and over loopback. The refused request uses up nothing of the script, and keys of the
    client are not kept.
    """
    opened: Inside = request.getfixturevalue(door)
    async with opened(LS, {"text": "Two files."}) as (provider, client):
        answer = await ask(client, GO)
        with pytest.raises(anthropic.BadRequestError) as caught:
            await ask(client, GO, said(answer), GO)
        done = await ask(client, GO, said(answer), results("toolu_1"), GO)
    assert caught.value.request_id == "req_00002"
    assert caught.value.body == {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": (
                "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: "
                "toolu_1. Each `tool_use` block must have a corresponding `tool_result` block "
                "in the next message."
            ),
        },
        "request_id": "req_00002",
    }
    assert done.content[0].type == "text"
    assert [(exchange.dialect, exchange.status, exchange.rule) for exchange in provider.exchanges] == [
        ("anthropic", 200, None),
        ("anthropic", 400, "ANT-USE-NO-RESULT"),
        ("anthropic", 200, None),
    ]
    assert "sk-ant-x" not in repr(provider.exchanges)
    assert provider.bodies[0]["messages"] == [GO]


async def test_a_paused_answer_is_asked_again_as_it_stands(inside: Inside) -> None:
    """The result comes first in what follows; a user text in between is refused first (C45)."""
    paused = {"calls": [SEARCH], "finish": "pause"}
    async with inside(paused, {"text": "Found."}) as (provider, client):
        first = await ask(client, GO)
        assert first.stop_reason == "pause_turn"
        with pytest.raises(anthropic.BadRequestError, match="was found without a corresponding"):
            await ask(client, GO, said(first), GO)
        second = await ask(client, GO, said(first))
        with pytest.raises(anthropic.BadRequestError, match="does not support assistant message prefill"):
            await ask(client, GO, said(first), said(second))
    assert [block.type for block in second.content] == ["web_search_tool_result", "text"]
    assert [exchange.rule for exchange in provider.exchanges] == [
        None,
        "ANT-SERVER-UNPAIRED",
        None,
        "ANT-PREFILL",
    ]


async def test_only_what_was_paused_there_goes_on_behind_a_text(inside: Inside) -> None:
    """A paused answer may end with text; the same text, said without a pause, may not (ANT-PAUSE-TURN)."""
    line = {"text": "Let me think."}
    async with inside(line, {**line, "finish": "pause"}, {"text": "Done."}) as (_, client):
        first = await ask(client, GO)
        with pytest.raises(anthropic.BadRequestError, match="prefill"):
            await ask(client, GO, said(first))
        second = await ask(client, GO)
        third = await ask(client, GO, said(second))
    assert third.stop_reason == "end_turn"


async def test_a_pause_that_was_never_told_is_none(inside: Inside) -> None:
    """Where the client left before the last bytes, the provider does not know a paused answer."""
    provider = StrictProvider(Script.of({"text": "Let me think.", "finish": "pause"}, {"text": "Done."}))
    body = {"model": MODEL, "messages": [GO]}
    provider.respond("POST", "/v1/messages", [], json.dumps(body).encode()).finish("aborted")
    again = {**body, "messages": [GO, {"role": "assistant", "content": "Let me think."}]}
    assert post(provider, again)[0] == 400


async def test_lines_are_chosen_by_what_stands_in_the_request(inside: Inside) -> None:
    """A paused answer and what follows it count as two, however the client puts them together."""
    lines: Any = [
        {"when": "go", "calls": [SEARCH], "finish": "pause"},
        {"when": "go", **LS},
        {"when": "go", "text": "Done."},
    ]
    async with inside(*lines) as (_, client):
        first = await ask(client, GO)
        second = await ask(client, GO, said(first))
        apart = await ask(client, GO, said(first), said(second), results("toolu_1"))
        joined: Any = {"role": "assistant", "content": [*first.content, *second.content]}
        together = await ask(client, GO, joined, results("toolu_1"))
    assert second.stop_reason == "tool_use"
    assert [block.type for block in apart.content] == [block.type for block in together.content] == ["text"]


def test_the_answers_behind_the_last_user_text_are_counted() -> None:
    """Results are no text of the user, a text beside them is; assistant messages in a row are one answer."""
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    called = {"role": "assistant", "content": [call]}
    more = {"role": "assistant", "content": [{**call, "id": "b"}]}
    hello: Any = {"role": "assistant", "content": "x"}
    assert asked([GO, called, more, results("a", "b"), hello], b"", ()).answers == (("a", "b"), ())
    both = results("a")
    both["content"] += [{"type": "text", "text": "One more."}, {"type": "text", "text": "And?"}]
    assert (asked([GO, called, both], b"", ()).text, asked([GO, called, both], b"", ()).answers) == (
        "And?",
        (),
    )
    picture: Any = {"role": "user", "content": [{"type": "image"}]}
    assert (asked([GO, hello, picture], b"", ()).text, asked([GO, hello, picture], b"", ()).answers) == (
        "",
        (),
    )
    one = trace([call])
    assert asked([GO, called, more], b"", {one, (), trace([call, call])}).answers == (("a",), ("b",))


async def test_thinking_comes_back_to_the_model_that_thought_it(inside: Inside) -> None:
    """As it was given; left out, changed, or sent to another model, each has its refusal.

    ANT-THINKING-FIRST, ANT-THINKING-MODIFIED, ANT-THINKING-SIGNATURE.
    """
    enabled: Any = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    async with inside({"reasoning": "hm", **LS}, {"text": "Done."}) as (provider, client):
        first = await ask(client, GO, **enabled)
        thought: Any = first.content[0].model_dump()
        call: Any = first.content[1]
        for blocks, model in (
            ([call], MODEL),
            ([{**thought, "thinking": "hm "}, call], MODEL),
            ([thought, call], "claude-opus-5"),
            ([{**thought, "signature": ""}, call], MODEL),
        ):
            history: Any = [GO, {"role": "assistant", "content": blocks}, results("toolu_1")]
            with pytest.raises(anthropic.BadRequestError):
                await ask(client, *history, **enabled, model=model)
        await ask(client, GO, said(first), results("toolu_1"), **enabled)
    assert [exchange.rule for exchange in provider.exchanges] == [
        None,
        "ANT-THINKING-FIRST",
        "ANT-THINKING-MODIFIED",
        "ANT-THINKING-SIGNATURE",
        "ANT-THINKING-SIGNATURE",
        None,
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "authentication_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_errors_have_anthropic_s_types(inside: Inside, status: int, kind: str) -> None:
    """A status of the script comes with the type that the API gives it, and says when to come back (C20)."""
    async with inside({"status": status, "message": "Later.", "retry_after": 2}) as (provider, client):
        with pytest.raises(anthropic.APIStatusError) as caught:
            await ask(client, GO)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "2"
    assert caught.value.body == {
        "type": "error",
        "error": {"type": kind, "message": "Later."},
        "request_id": "req_00001",
    }
    assert provider.exchanges[0].ended == "complete"


def test_what_is_no_request_is_refused_in_the_same_form() -> None:
    """Broken JSON, a wrong method, an address of another dialect, and a script that has no more to say."""
    provider = StrictProvider(Script(()))
    broken = provider.respond("POST", "/v1/messages", [], b"{")
    assert (broken.status, json.loads(broken.chunks[0])["error"]["type"]) == (400, "invalid_request_error")
    looked = provider.respond("GET", "/v1/messages", [], b"")
    assert (looked.status, dict(looked.headers)["allow"]) == (405, "POST")
    assert json.loads(looked.chunks[0])["type"] == "error"
    status, body = post(provider, {"model": MODEL, "messages": [GO]})
    assert (status, body["error"]["type"]) == (422, "invalid_request_error")
    assert "no line for this request" in body["error"]["message"]
    chat_only = StrictProvider(Script.of({"text": "a"}), dialect="openai_chat")
    status, body = post(chat_only, {"model": MODEL, "messages": [GO]})
    assert (status, body["error"]["type"]) == (404, "not_found_error")
    only = StrictProvider(Script.of({"text": "a"}), dialect="anthropic")
    assert post(only, {"model": MODEL, "messages": [GO]}, "/v1/chat/completions")[0] == 404
    assert post(only, {"model": MODEL, "messages": [GO]})[0] == 200


async def test_an_answer_may_be_late(inside: Inside, autojump_clock: trio.testing.MockClock) -> None:
    """A delay lies before the answer begins; who does not wait that long gets nothing."""
    async with inside({"text": "late", "delay": 30.0}) as (provider, client):
        with pytest.raises(anthropic.APITimeoutError):
            await client.messages.create(model=MODEL, max_tokens=9, messages=[GO], timeout=5.0)
    assert trio.current_time() == 5.0
    assert provider.exchanges[0].ended == "aborted"


async def test_a_stream_over_sockets(outside: Inside) -> None:
    """Streamed, cut and whole, over one server, with the address that it tells."""
    async with outside(LS, {"text": "abcd", "cut_after": 0}, {"text": "Done."}) as (provider, client):
        async with client.messages.stream(model=MODEL, max_tokens=9, messages=[GO]) as stream:
            first = await stream.get_final_message()
        history: Any = [GO, {"role": "assistant", "content": first.to_dict()["content"]}, results("toolu_1")]
        with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
            async with client.messages.stream(model=MODEL, max_tokens=9, messages=history) as stream:
                await stream.until_done()
        last = await ask(client, *history)
    assert last.content[0].type == "text"
    assert [(exchange.status, exchange.ended) for exchange in provider.exchanges] == [
        (200, "complete"),
        (200, "cut"),
        (200, "complete"),
    ]
