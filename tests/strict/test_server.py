"""The provider over loopback, with the real SDK: sockets, cuts, and a quiet end."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeAlias

import httpx2
import openai
import pytest
import trio

from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import serve

Outside: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[StrictProvider, openai.AsyncOpenAI]]]

ASK: dict[str, Any] = {"model": "m", "input": "go"}
LS = {"calls": [{"name": "ls"}, {"name": "cat"}]}

#: See test_stream_chat.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(openai|httpx2|httpcore2):ResourceWarning")


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Any:
    """No test here may leave a line on stdout or stderr, or a record of the server."""
    yield
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert [record for record in caplog.records if record.name.startswith("hypercorn")] == []


async def read(client: openai.AsyncOpenAI, done: list[str]) -> None:
    """Read a stream to its end; note the types of the items that were complete."""
    async with await client.responses.create(**ASK, stream=True) as stream:
        async for event in stream:
            done += [event.item.type] if event.type == "response.output_item.done" else []


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what only a socket can tell the server, for two seconds at most."""
    for _ in range(400):
        if happened():
            return
        await trio.sleep(0.005)
    pytest.fail("it never happened")


async def test_a_session_over_sockets(outside: Outside) -> None:
    """Both dialects, streamed and whole, answer over one server; the bytes are recorded as they were sent."""
    async with outside(LS, {"text": "Two."}, {"text": "Three."}, LS) as (provider, client):
        async with await client.responses.create(**ASK, stream=True) as stream:
            last = [event async for event in stream][-1]
        assert last.type == "response.completed"
        assert [item.type for item in last.response.output] == ["function_call", "function_call"]
        assert (await client.responses.create(**ASK)).output_text == "Two."
        chat = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}])
        assert chat.choices[0].message.content == "Three."
        chunks = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "go"}], stream=True
        )
        async with await chunks as chunked:
            reasons = [chunk.choices[0].finish_reason async for chunk in chunked]
        assert reasons[-1] == "tool_calls"
        exact = b'{ "input" : "go",\n "model":"m" }'
        async with httpx2.AsyncClient(base_url=client.base_url) as plain:
            await plain.post("responses", content=exact)
    assert provider.exchanges[-1].raw == exact
    assert [exchange.ended for exchange in provider.exchanges] == ["complete"] * 5


async def test_a_large_request_arrives_whole(outside: Outside) -> None:
    """A body of many packets is one request."""
    async with outside({"text": "ok"}) as (provider, client):
        await client.responses.create(model="m", input="x" * 2_000_000)
    assert len(provider.bodies[0]["input"]) == 2_000_000


@pytest.mark.parametrize("cut_after", [0, 1, 2])
async def test_a_cut_breaks_the_connection(outside: Outside, cut_after: int) -> None:
    """The client sees a body that is not whole; the server lives on, and tells what was complete (C18)."""
    async with outside({**LS, "cut_after": cut_after}, {"text": "ok"}) as (provider, client):
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            await read(client, [])
        assert (await client.responses.create(**ASK)).output_text == "ok"
    assert provider.exchanges[0].ended == "cut"
    assert len(provider.exchanges[0].answer) == cut_after


async def test_what_came_before_a_cut_is_received(outside: Outside) -> None:
    """A cut loses nothing of what was sent before it: the completed item is there."""
    done: list[str] = []
    async with outside({**LS, "cut_after": 1}) as (_, client):
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            await read(client, done)
    assert done == ["function_call"]


async def test_a_cut_object_and_a_status_with_retry_after(outside: Outside) -> None:
    """What is not streamed is cut as well; an error status brings its header."""
    async with outside({"text": "x", "cut_after": 1}, {"status": 429, "retry_after": 7}) as (_, client):
        with pytest.raises(openai.APIConnectionError):
            await client.responses.create(**ASK)
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**ASK)
    assert caught.value.response.headers["retry-after"] == "7"


async def test_a_client_that_leaves_during_a_delay_is_noticed(outside: Outside) -> None:
    """The abandoned answer ends as aborted, and is not held (R22)."""
    async with outside({"text": "late", "delay": 60}, {"text": "ok"}) as (provider, client):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(client.responses.create, **ASK))
            await until(lambda: bool(provider.exchanges))
            nursery.cancel_scope.cancel()
        await until(lambda: provider.exchanges[0].ended is not None)
        assert (await client.responses.create(**ASK)).output_text == "ok"
    assert provider.exchanges[0].ended == "aborted"


async def test_two_clients_are_answered_at_once(outside: Outside) -> None:
    """A delayed answer to one does not hold back the other."""
    lines = ({"when": "slow", "text": "s", "delay": 60}, {"when": "fast", "text": "f"})
    async with outside(*lines) as (provider, client), trio.open_nursery() as nursery:
        nursery.start_soon(partial(client.responses.create, model="m", input="slow"))
        await until(lambda: bool(provider.exchanges))
        with trio.fail_after(2):
            assert (await client.responses.create(model="m", input="fast")).output_text == "f"
        nursery.cancel_scope.cancel()


async def test_it_starts_and_stops_at_once() -> None:
    """Ready and gone in well under a second, also with an open connection and an answer on its way."""
    provider = StrictProvider(Script.of({"text": "late", "delay": 60}, {"text": "ok"}))
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        server = trio.CancelScope()
        base_url = await nursery.start(_served, provider, server)
        assert trio.current_time() - started < 0.5
        async with httpx2.AsyncClient(base_url=base_url, timeout=None) as client:
            nursery.start_soon(_lost, client)
            await until(lambda: bool(provider.exchanges))
            await client.get("models")
            stopping = trio.current_time()
            server.cancel()
            await until(lambda: provider.exchanges[0].ended is not None)
    assert trio.current_time() - stopping < 0.5
    assert provider.exchanges[0].ended == "aborted"


async def _served(provider: StrictProvider, scope: trio.CancelScope, *, task_status: Any) -> None:
    with scope:
        await serve(provider, task_status=task_status)


async def _lost(client: httpx2.AsyncClient) -> None:
    assert (await client.post("responses", json={"input": "go"})).status_code == 500


async def test_it_listens_on_loopback_only_and_on_the_port_that_is_asked_for() -> None:
    """The address is 127.0.0.1; a port that is taken is a plain OSError."""
    provider = StrictProvider(Script.of({"text": "ok"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with trio.open_nursery() as nursery:
        assert await nursery.start(partial(serve, provider, port=port)) == f"http://127.0.0.1:{port}/v1"
        with pytest.raises(OSError, match="in use"):
            await serve(provider, port=port)
        nursery.cancel_scope.cancel()


async def test_the_record_can_be_read_over_http(outside: Outside) -> None:
    """An agent in any language can be judged from outside: what came in, and what broke which rule."""
    async with outside({"text": "ok"}) as (_, client):
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(
                model="m", input=[{"type": "function_call_output", "call_id": "c", "output": "x"}]
            )
        async with httpx2.AsyncClient(base_url=client.base_url) as plain:
            (shown,) = (await plain.get("exchanges")).json()
    assert (shown["rule"], shown["status"]) == ("RESP-OUTPUT-NO-CALL", 400)
    assert json.dumps(shown["headers"]).count("[redacted]") == 1


async def test_the_logs_of_the_process_are_left_alone(outside: Outside) -> None:
    """Serving configures no logger and adds no handler."""
    before = logging.getLogger("hypercorn.error").handlers, logging.getLogger("hypercorn.access").handlers
    async with outside({"text": "ok"}) as (_, client):
        await client.responses.create(**ASK)
    assert (
        logging.getLogger("hypercorn.error").handlers,
        logging.getLogger("hypercorn.access").handlers,
    ) == before
