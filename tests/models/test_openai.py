"""The OpenAI adapters over the real client: what each way to fail means, and that nothing is left behind."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import httpx2
import msgspec
import pytest
import trio
from openai import AsyncOpenAI

from support.ear import Ear
from support.wire_server import END, OK, Step, WireServer, chunk, sse, status, text_item
from turnlock import ModelError, Text, Usage
from turnlock.engine import Finish, Trouble
from turnlock.models import Model, Request, Response
from turnlock.models.openai import OpenAIChat, OpenAIResponses
from turnlock.wire import Encoder, encoder

DONE = {"type": "response.completed", "response": {"id": "resp_1", "usage": None}}


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


@asynccontextmanager
async def asked(
    *answers: list[Step | None], chat: bool = False
) -> AsyncIterator[tuple[WireServer, OpenAIResponses | OpenAIChat]]:
    server = WireServer(answers)
    made = OpenAIChat if chat else OpenAIResponses
    http = httpx2.AsyncClient(verify=False)  # loading certificates takes longer than all the rest
    async with (
        server.serving() as base_url,
        AsyncOpenAI(base_url=base_url, api_key="sk-x", http_client=http) as client,
    ):
        with trio.fail_after(20):
            yield server, made("m", client=client)


BODY = Request(1, b'{"model":"m","input":[],"stream":true}', [], 0)


async def respond(model: Model, ear: Ear | None = None) -> Response:
    return await model.respond(BODY, Ear() if ear is None else ear)


async def failure(*steps: Step | None, chat: bool = False) -> ModelError:
    async with asked(list(steps), chat=chat) as (server, model):
        with pytest.raises(ModelError) as caught:
            await respond(model)
        assert len(server.bodies) == 1, "the SDK's own retries are off"
    return caught.value


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize(
    ("code", "name", "trouble"),
    [
        (400, None, Trouble.REFUSED),
        (400, "context_length_exceeded", Trouble.OVERFLOW),
        (400, "invalid_prompt", Trouble.REFUSED),
        (401, "invalid_api_key", Trouble.FATAL),
        (403, None, Trouble.FATAL),
        (404, "model_not_found", Trouble.FATAL),
        (404, None, Trouble.FATAL),
        (402, None, Trouble.FATAL),
        (407, None, Trouble.FATAL),
        (451, None, Trouble.FATAL),
        (405, None, Trouble.FATAL),
        (408, None, Trouble.LOST),
        (409, "conversation_locked", Trouble.LOST),
        (413, None, Trouble.REFUSED),
        (422, None, Trouble.REFUSED),
        (425, None, Trouble.LOST),
        (429, "rate_limit_exceeded", Trouble.LOST),
        (429, "insufficient_quota", Trouble.FATAL),
        (500, None, Trouble.LOST),
        (503, None, Trouble.LOST),
        (529, None, Trouble.LOST),
    ],
)
async def test_statuses(code: int, name: str | None, trouble: Trouble, *, chat: bool) -> None:
    """R20 and C23: what is asked again, what is the body's fault, what no asking will mend."""
    error = await failure(
        status(code, {"error": {"message": "The text.", "code": name, "type": "x", "param": None}}), chat=chat
    )
    assert (error.trouble, error.text, error.status) == (trouble, "The text.", code)


async def test_a_refusal_that_is_not_json() -> None:
    """A proxy's page is still a refusal, and its text is kept."""
    error = await failure(status(502, b"<html>Bad Gateway</html>"))
    assert error.trouble == Trouble.LOST
    assert "502" in error.text or "Bad Gateway" in error.text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: 0.5", 0.5),
        ("Retry-After: -3", 0.0),
        ("retry-after-ms: 1500", 1.5),
        ("Retry-After: soon", None),
        ("Retry-After: inf", None),
        ("Retry-After: nan", None),
        ("X-Other: 1", None),
    ],
)
async def test_retry_after(header: str, seconds: float | None) -> None:
    """C23: in seconds or milliseconds; what cannot be waited for is none."""
    assert (await failure(status(429, {"error": {"message": "slow"}}, header))).retry_after == seconds


async def test_retry_after_as_a_date() -> None:
    """C23: as a date, of which the past is now."""
    for offset, low, high in ((30, 25, 30), (-30, 0, 0)):
        header = f"Retry-After: {formatdate(time.time() + offset, usegmt=True)}"
        error = await failure(status(503, {"error": {"message": "slow"}}, header))
        assert error.retry_after is not None
        assert low <= error.retry_after <= high


async def test_milliseconds_come_first() -> None:
    """C23: they are the finer of the two."""
    error = await failure(
        status(429, {"error": {"message": "slow"}}, "Retry-After: 60", "retry-after-ms: 250")
    )
    assert error.retry_after == 0.25


# ── streams that break ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize(
    "steps",
    [
        [None],
        [b"HTTP/1.1 200", None],
        [OK, None],
        [OK, END],
        [OK, sse({"type": "response.created"}), END],
        [OK, sse({"type": "response.created"}), None],
        [OK, chunk(b'data: {"type": "resp'), None],
        [OK, sse(b"<html>"), END],
        [OK, sse(b"[1]", b"null", b"7"), END],
        [OK, sse({"error": {"message": "overloaded"}, "type": "error"}), END],
    ],
    ids=str,
)
async def test_what_breaks_off_is_lost(steps: list[Step | None], *, chat: bool) -> None:
    """C23: at whatever byte the connection ends, and whatever the server says instead of events."""
    assert (await failure(*steps, chat=chat)).trouble == Trouble.LOST


async def test_a_refusal_that_breaks_off() -> None:
    """C23: what the status would have meant was never said."""
    half = b"HTTP/1.1 400 Said\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    assert (await failure(half, None)).trouble == Trouble.LOST


async def test_nobody_is_there() -> None:
    """C23: a connection that cannot be made is lost like one that breaks."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="sk-x") as client:
        with pytest.raises(ModelError, match="connection was lost") as caught:
            await respond(OpenAIResponses("m", client=client))
    assert caught.value.trouble == Trouble.LOST


async def test_what_came_before_the_break_counts() -> None:
    """R12: an item that was completed has been told, also if the rest of its chunk is garbage."""
    item = text_item("Hello.")
    ear = Ear()
    async with asked([OK, sse({"type": "response.output_item.done", "item": item}, b"<html>"), END]) as (
        _,
        model,
    ):
        with pytest.raises(ModelError, match="not JSON"):
            await respond(model, ear)
    assert ear.items == [(item, False)]


async def test_a_break_behind_the_end_breaks_nothing() -> None:
    """R12: the response came to its end: what the connection does then is of no interest."""
    for last in ([None], [chunk(b"data: {"), None], [sse(b"<html>"), END], [b"garbage\r\n", None]):
        async with asked([OK, sse(DONE), *last]) as (_, model):
            assert (await respond(model)).id == "resp_1"


async def test_a_server_that_keeps_the_stream_open() -> None:
    """The end marker is the end: nobody waits for a server that says no more."""
    async with asked([OK, sse(DONE), trio.Event()]) as (_, model):
        start = trio.current_time()
        await respond(model)
        assert trio.current_time() - start < 5


async def test_the_connection_is_used_again() -> None:
    """What stands behind the end marker is read: one connection serves any number of requests."""
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    answer: list[Step | None] = [
        OK,
        sse(
            {"id": "c", "choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}, usage, b"[DONE]"
        ),
        END,
    ]
    async with asked(answer, answer, answer, chat=True) as (server, model):
        for _ in range(3):
            assert (await respond(model)).usage == Usage(3, 1)
        assert server.connections == 1


async def test_an_abort_closes_the_connection() -> None:
    """R22: an aborted request is not listened to, and the server learns of it."""
    gone = trio.Event()

    async def wait_for_the_client() -> None:
        with trio.move_on_after(10):
            await gone.wait()

    delta = {"type": "response.output_text.delta", "delta": "Hel"}
    ear = Ear()
    async with asked([OK, sse(delta), wait_for_the_client, *[sse(delta)] * 1000]) as (server, model):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ear.cancel_when_shown, scope)
                await respond(model, ear)
        gone.set()
        while not server.lost:
            await trio.sleep(0.005)
    assert ear.shown == ["Hel"]


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_bytes_are_posted_as_they_are() -> None:
    """R15: what was checked is what leaves, with the key and no retry of the SDK's own."""
    async with asked([OK, sse(DONE), END]) as (server, model):
        await respond(model)
    assert server.bodies == [BODY.body]
    assert server.heads[0].startswith(b"POST /v1/responses ")
    assert b"authorization: bearer sk-x" in server.heads[0].lower()


async def test_a_stream_in_any_pieces() -> None:
    """Events are put together from bytes as they come, whatever their line ends and comments."""
    item = text_item("Grüße \u2028 👋")
    events = (
        {"type": "response.output_text.delta", "delta": "Grüße "},
        {"type": "response.output_text.delta", "delta": "\u2028 👋"},
        {"type": "response.output_item.done", "item": item},
        DONE,
    )
    whole = b": ping\r\n\r\nevent: x\r\n" + b"".join(
        b"data: %b\r\n\r\n" % msgspec.json.encode(event) for event in events
    )
    for size in (1, 2, 7, len(whole)):
        pieces = [chunk(whole[at : at + size]) for at in range(0, len(whole), size)]
        ear = Ear()
        async with asked([OK, b"".join(pieces), END]) as (_, model):
            await respond(model, ear)
        assert ear.shown == ["Grüße ", "\u2028 👋"]
        assert ear.items == [(item, False)]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", Finish.LENGTH), ("content_filter", Finish.FILTER), (None, Finish.LENGTH)],
)
async def test_responses_that_are_incomplete(reason: str | None, finish: Finish) -> None:
    """R12: how the response ended; a call that was cut says so, or the end does."""
    said = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{", "status": "incomplete"}
    unsaid = {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "hal"}
    details = None if reason is None else {"reason": reason}
    end = {"type": "response.incomplete", "response": {"id": "r", "incomplete_details": details}}
    for item in (said, unsaid):
        ear = Ear()
        events = ({"type": "response.output_item.done", "item": item}, end)
        async with asked([OK, sse(*events), END]) as (_, model):
            assert (await respond(model, ear)).finish is finish
        assert ear.items == [(item, True)]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "whole"},
        {"type": "mcp_approval_request", "id": "mcpr_1", "name": "g", "arguments": "{}"},
        {"type": "apply_patch_call", "call_id": "b", "operation": {}, "status": "in_progress"},
    ],
    ids=lambda item: item["type"],
)
async def test_calls_that_do_not_say_whether_they_were_cut(item: dict[str, Any]) -> None:
    """R12: the next event does: another item, the end, or nothing any more, then the call is whole."""
    done = {"type": "response.output_item.done", "item": item}
    added = {"type": "response.output_item.added", "item": {"type": "message"}}
    for rest, broken in (([added, DONE], False), ([done, DONE], False), ([DONE], False), ([], True)):
        ear = Ear()
        async with asked([OK, sse(done, *rest), END]) as (_, model):
            if broken:
                with pytest.raises(ModelError):
                    await respond(model, ear)
            else:
                await respond(model, ear)
        assert ear.items == [(item, False)] * (1 + (done in rest))


async def test_a_failed_response() -> None:
    """C23: an error inside the stream means what its code says."""
    for code, trouble in (
        ("server_error", Trouble.LOST),
        ("rate_limit_exceeded", Trouble.LOST),
        ("context_length_exceeded", Trouble.OVERFLOW),
        ("invalid_prompt", Trouble.REFUSED),
        ("insufficient_quota", Trouble.FATAL),
    ):
        failed = {"type": "response.failed", "response": {"error": {"code": code, "message": "The text."}}}
        for event in (failed, {"type": "error", "code": code, "message": "The text.", "param": None}):
            error = await failure(OK, sse(event), END)
            assert (error.trouble, error.text) == (trouble, "The text.")
    silent = await failure(OK, sse({"type": "response.failed", "response": {"error": None}}), END)
    assert "did not say why" in silent.text


async def test_reasoning_and_refusals() -> None:
    """They are shown as they come, on both APIs; what Chat servers reasoned may have to go back to them."""
    ear = Ear()
    events = (
        {"type": "response.reasoning_summary_text.delta", "delta": "Hm. "},
        {"type": "response.reasoning_text.delta", "delta": "So."},
        {"type": "response.refusal.delta", "delta": "No."},
        {"type": "response.some_new_event", "delta": 7},
        DONE,
    )
    async with asked([OK, sse(*events), END]) as (_, model):
        await respond(model, ear)
    assert (ear.thoughts, ear.shown) == (["Hm. ", "So."], ["No."])
    ear = Ear()
    chunks = (
        {"choices": [{"delta": {"reasoning_content": "Hm. "}}]},
        {"choices": [{"delta": {"reasoning_content": "So.", "reasoning": "So."}}]},
        {"choices": [{"delta": {"refusal": "No."}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    )
    async with asked([OK, sse(*chunks, b"[DONE]"), END], chat=True) as (_, model):
        await respond(model, ear)
    assert (ear.thoughts, ear.shown) == (["Hm. ", "So."], ["No."])
    thought = {"reasoning_content": "Hm. So.", "reasoning": "So."}
    assert ear.items == [({"role": "assistant", "content": None, "refusal": "No.", **thought}, False)]


async def test_an_emoji_in_two_chunks() -> None:
    """Halves of a character that come one after the other are one, in texts and in arguments."""
    ear = Ear()
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "say", "arguments": ""}}
    chunks = [
        {"choices": [{"delta": {"content": half, "tool_calls": [{**call, "function": function}]}}]}
        for half in ("HIGH", "LOW")
        for function in [{"name": "say", "arguments": half}]
    ]
    end = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
    said = sse(*chunks, end, b"[DONE]").replace(b"HIGH", rb"\ud83d").replace(b"LOW", rb"\ude00")
    said = chunk(said.split(b"\r\n", 1)[1].removesuffix(b"\r\n"))
    async with asked([OK, said, END], chat=True) as (_, model):
        await respond(model, ear)
    ((message, _),) = ear.items
    assert message["content"] == "😀"
    assert message["tool_calls"][0]["function"] == {"name": "say", "arguments": "😀"}


async def test_calls_of_a_chat_answer() -> None:
    """Pieces are joined by index; servers that leave the index or later names out are understood."""
    ear = Ear()

    def piece(index: int | None, **fields: object) -> dict[str, object]:
        call = fields if index is None else {"index": index, **fields}
        return {"choices": [{"delta": {"tool_calls": [call]}}]}

    chunks = (
        piece(0, id="a", type="function", function={"name": "f", "arguments": ""}),
        piece(1, id="b", type="custom", custom={"name": "g", "input": "in"}),
        piece(0, function={"arguments": '{"x":'}),
        piece(1, custom={"input": "put"}),
        piece(0, function={"arguments": "1}"}),
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    )
    async with asked([OK, sse(*chunks, b"[DONE]"), END], chat=True) as (_, model):
        assert (await respond(model, ear)).finish is Finish.STOP
    function = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    custom = {"id": "b", "type": "custom", "custom": {"name": "g", "input": "input"}}
    assert ear.items == [({"role": "assistant", "content": None, "tool_calls": [function, custom]}, False)]


async def test_a_chat_answer_that_was_cut() -> None:
    """R12: length and content_filter cut the last call; the adapter says so."""
    for reason, finish in (("length", Finish.LENGTH), ("content_filter", Finish.FILTER)):
        ear = Ear()
        chunks = {"choices": [{"delta": {"content": "ha"}, "finish_reason": reason}]}
        async with asked([OK, sse(chunks, b"[DONE]"), END], chat=True) as (_, model):
            assert (await respond(model, ear)).finish is finish
        assert ear.items[0][1]


async def test_usage() -> None:
    """What the provider counted; None when it did not say."""
    told = {"id": "r", "usage": {"input_tokens": 3, "output_tokens": 4}}
    for response, usage in ((told, Usage(3, 4)), ({"id": "r"}, None)):
        async with asked([OK, sse({"type": "response.completed", "response": response}), END]) as (_, model):
            assert (await respond(model)).usage == usage
    silent = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    async with asked([OK, sse(silent, b"[DONE]"), END], chat=True) as (_, model):
        assert (await respond(model)).usage is None


async def test_text_that_is_no_text() -> None:
    """Half an emoji, as models send it when they are cut: it is told, and can be stored and sent."""
    ear = Ear()
    item = b'{"type":"message","id":"msg_1","content":[{"type":"output_text","text":"\\ud83d"}]}'
    events = (b'{"type":"response.output_item.done","item":' + item + b"}", DONE)
    async with asked([OK, sse(*events), END]) as (_, model):
        await respond(model, ear)
    text = Text("\ud83d", 1)
    assert ear.items[0][0]["content"][0]["text"] == text.text
    made: Encoder = encoder("openai_responses")
    assert b"\xef\xbf\xbd" in made.encode([text], 1, model.settings("", [])).body


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────


async def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the turn fails with the SDK's own words; nothing is made before the first request."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = OpenAIResponses("m")
    assert model.client is None
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as caught:
        await respond(model)
    assert caught.value.trouble == Trouble.FATAL
    await model.aclose()


async def test_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made with the key from the environment, and closed with the adapter; a given one is not."""
    server = WireServer([[OK, sse(DONE), END]] * 3)
    async with server.serving() as base_url:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-own")
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        model = OpenAIResponses("m")
        await respond(model)
        own = model.client
        assert own is not None
        await model.aclose()
        assert own.is_closed()
        assert b"bearer sk-own" in server.heads[0].lower()
        async with AsyncOpenAI(base_url=base_url, api_key="sk-x") as client:
            given = OpenAIResponses("m", client=client)
            await respond(given)
            await given.aclose()
            assert not client.is_closed()
            await respond(given)
