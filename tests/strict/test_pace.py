"""A provider that a test conducts: further lines, answers by a function, and a pace for what leaves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest
import trio
from trio.testing import MockClock

from turnlock.strict import Asked, ConnectionCut, Reply, Script, ScriptError, StrictProvider
from turnlock.strict.app import handle
from turnlock.strict.server import InProcess, serve

ASK: dict[str, Any] = {"model": "m", "input": "go"}
LS: dict[str, Any] = {"calls": [{"name": "ls"}]}


async def nap(seconds: float) -> None:
    await trio.sleep(seconds)


class Paced:
    """A provider whose answers wait as ``pace`` says."""

    def __init__(self, pace: Callable[[int], Awaitable[None] | None], *lines: dict[str, Any]) -> None:
        self.provider = StrictProvider(Script.of(*lines))
        self.pace = pace

    def respond(self, *request: Any) -> Reply:
        reply = self.provider.respond(*request)
        reply.pace = self.pace
        return reply


def post(provider: StrictProvider, **body: Any) -> tuple[int, Any]:
    reply = provider.respond("POST", "/v1/responses", [], json.dumps(body or ASK).encode())
    reply.finish("complete")
    return reply.status, json.loads(b"".join(reply.chunks))


def inside(paced: Paced, timeout: float | None = None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=InProcess(paced), base_url="http://strict/v1", timeout=timeout)


def test_lines_are_added_while_it_is_asked() -> None:
    """A provider that had nothing left answers with what is added; a bad line adds nothing."""
    provider = StrictProvider(Script.of())
    assert post(provider)[0] == 422
    provider.add({"text": "one"})
    with pytest.raises(ScriptError, match="script, line 3: it answers nothing"):
        provider.add({"text": "two"}, {})
    assert post(provider)[1]["output"][0]["content"][0]["text"] == "one"
    assert post(provider)[0] == 422


def test_a_function_answers() -> None:
    """It sees what is asked; where it says None the script answers; its call ids are unique."""
    seen: list[Asked] = []

    def answer(asked: Asked) -> dict[str, Any] | None:
        seen.append(asked)
        return LS if asked.text == "go" else None

    provider = StrictProvider(Script.of(LS), answer=answer)
    ids = [post(provider, model="m", input=text)[1]["output"][0]["call_id"] for text in ("go", "go", "on")]
    assert [asked.text for asked in seen] == ["go", "go", "on"]
    assert len(set(ids)) == 3


async def test_what_paces_an_answer_inside_the_process(autojump_clock: MockClock) -> None:
    """It is asked before the head, behind the delay, and before each chunk, and is awaited where it waits."""
    times: list[tuple[int, float]] = []

    def pace(at: int) -> Awaitable[None] | None:
        times.append((at, trio.current_time()))
        return nap(10) if at in {0, 2} else None

    start = trio.current_time()
    async with inside(Paced(pace, {"text": "ok", "delay": 5})) as client:
        await client.post("responses", json={**ASK, "stream": True})
    began = [at - start for _, at in times]
    assert [number for number, _ in times] == list(range(len(times)))
    assert began[:4] == [5, 15, 15, 25]


@pytest.mark.parametrize("waits_at", [0, 2])
async def test_a_client_waits_no_longer_than_it_says(autojump_clock: MockClock, waits_at: int) -> None:
    """An answer that is held beyond the client's read timeout times out, at the head and in its middle."""
    paced = Paced(lambda at: nap(100) if at == waits_at else None, {"text": "ok"})
    start = trio.current_time()
    async with inside(paced, timeout=7) as client:
        with pytest.raises(httpx2.ReadTimeout, match="did not answer in time"):
            await client.post("responses", json={**ASK, "stream": True})
    assert trio.current_time() - start == 7
    assert paced.provider.exchanges[0].ended == "aborted"


@pytest.mark.parametrize("cut_at", [0, 2])
async def test_a_pace_that_cuts(cut_at: int) -> None:
    """A cut out of the pace breaks the connection, inside the process and over sockets."""

    async def cut() -> None:
        raise ConnectionCut("cut by the test")

    def pace(at: int) -> Awaitable[None] | None:
        return cut() if at == cut_at else None

    paced = Paced(pace, {"text": "one"}, {"text": "two"})
    async with inside(paced) as client:
        with pytest.raises(httpx2.RemoteProtocolError, match="cut by the test"):
            await client.post("responses", json={**ASK, "stream": True})
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve, partial(handle, paced.respond))
        async with httpx2.AsyncClient(base_url=url) as client:
            if cut_at:
                with pytest.raises(httpx2.RemoteProtocolError):
                    await client.post("responses", json={**ASK, "stream": True})
            else:
                assert (await client.post("responses", json={**ASK, "stream": True})).status_code == 500
        nursery.cancel_scope.cancel()
    assert [exchange.ended for exchange in paced.provider.exchanges] == ["aborted", "aborted"]
