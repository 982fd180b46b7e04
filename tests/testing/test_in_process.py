"""The same provider without sockets, in the trio loop of the test: virtual time, holds, doors."""

from __future__ import annotations

import threading

import httpx2
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from support.plain_client import ASK, post
from turnlock.testing import Provider, Request, every_schedule, loopback
from turnlock.testing.bell import Bell


def client_of(provider: Provider, timeout: float | None = None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=provider.transport(), base_url="http://strict/v1", timeout=timeout)


def servers() -> int:
    return sum(thread.name == "turnlock loopback" for thread in threading.enumerate())


async def test_an_agent_in_virtual_time(autojump_clock: MockClock) -> None:
    """An agent runs in the test's own loop; no thread is started, and its clock jumps."""
    before, start = servers(), trio.current_time()
    history: list[dict[str, str]] = [{"role": "user", "content": "List the files."}]
    with loopback({"calls": [{"name": "ls"}]}, {"text": "Two files.", "delay": 100}) as provider:
        async with client_of(provider) as client:
            (call,) = (await client.post("responses", json={"input": history})).json()["output"]
            await trio.sleep(60)
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a.txt b.txt"}
            last = await client.post("responses", json={"input": [*history, call, output]})
    assert last.json()["status"] == "completed"
    assert provider.transcripts == ("U", "U K(a) O(a)")
    assert (trio.current_time() - start, servers()) == (160, before)


async def test_holds_wait_in_the_loop_of_the_test() -> None:
    """A held answer stops at the head and in its middle, and goes on in the instant of its release."""
    with loopback({"calls": [{"name": "ls"}]}) as provider:
        head, middle = provider.hold(), provider.hold(items=1)
        read: list[str] = []

        async def ask() -> None:
            async with client.stream("POST", "responses", json={**ASK, "stream": True}) as answer:
                read.append("head")
                async for line in answer.aiter_lines():
                    read.extend(["item"] if line == "event: response.output_item.done" else [])

        async with client_of(provider) as client, trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await head.until_reached()
            assert read == []
            head.release()
            await wait_all_tasks_blocked()
            assert middle.reached
            assert read == ["head", "item"]
            assert [exchange.number for exchange in provider.in_flight] == [1]
            middle.release()
    assert provider.exchanges[0].ended == "complete"


async def test_a_client_that_leaves_a_held_answer(autojump_clock: MockClock) -> None:
    """Cancelled or out of patience, it is seen as aborted, and the hold holds nobody any more."""
    with loopback({"text": "a"}, {"text": "b"}) as provider:
        provider.hold(number=1)
        provider.hold(number=2)
        async with client_of(provider, timeout=9) as client:
            with trio.move_on_after(5):
                await client.post("responses", json=ASK)
            with pytest.raises(httpx2.ReadTimeout):
                await client.post("responses", json=ASK)
    assert [exchange.number for exchange in provider.aborted] == [1, 2]


def test_no_schedule_makes_an_answer_late_that_waits_for_nothing() -> None:
    """A client's patience counts only while an answer is held: a jump of the clock finds no other."""

    async def ask() -> None:
        with loopback({"text": "a"}) as provider:
            async with client_of(provider, timeout=600) as client, trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 1)  # so that there is something to jump to
                await client.post("responses", json={**ASK, "stream": True})

    tried = [error for _, error in every_schedule(ask, at_most=1)]
    assert len(tried) > 10
    assert [error for error in tried if error is not None] == []


async def test_closed_while_an_answer_is_held() -> None:
    """The client's connection is broken; a request that comes later is told that the provider is gone."""
    with loopback({"text": "a"}) as provider:
        hold = provider.hold()
        async with client_of(provider) as client:
            async with trio.open_nursery() as nursery:

                async def ask() -> None:
                    with pytest.raises(httpx2.RemoteProtocolError, match="was closed while this answer"):
                        await client.post("responses", json=ASK)

                nursery.start_soon(ask)
                await hold.until_reached()
                provider.close()
            late = await client.post("responses", json=ASK)
    assert (late.status_code, late.json()["error"]["code"]) == (410, "provider_closed")


async def test_doors_inside_the_process() -> None:
    """A door of the test is reached through the transport as well, in the test's own loop."""
    opened = trio.Event()

    async def work(request: Request) -> str:
        await opened.wait()
        return request.path

    with loopback() as provider:
        provider.mount("/work", work)
        async with client_of(provider) as client, trio.open_nursery() as nursery:

            async def ask() -> None:
                assert (await client.get("work/a")).text == "a"

            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            opened.set()


async def test_both_ways_at_once() -> None:
    """One provider can be asked over sockets and inside the process; the order of arrival is one."""
    with loopback({"text": "a"}, {"text": "b"}) as provider:
        async with client_of(provider) as client:
            await client.post("responses", json=ASK)
        await trio.to_thread.run_sync(post, provider.base_url, ASK)
    assert [(one.number, one.ended) for one in provider.exchanges] == [(1, "complete"), (2, "complete")]


async def test_a_bell_wakes_every_loop_and_thread() -> None:
    """Whoever waits looks again when something changes, and sleeps on where it is not so yet."""
    bell = Bell()
    state: set[str] = set()
    woken: list[str] = []

    def wake(word: str) -> None:
        with bell.changes():
            state.add(word)

    def other_loop() -> None:
        async def wait() -> None:
            await bell.until(lambda: "loop" in state)
            woken.append("loop")
            wake("seen by the loop")

        trio.run(wait)

    def other_thread() -> None:
        assert bell.wait_for(lambda: "thread" in state, 30)
        woken.append("thread")
        wake("seen by the thread")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, other_loop)
        nursery.start_soon(trio.to_thread.run_sync, other_thread)
        wake("nothing that anybody waits for")
        wake("thread")
        await bell.until(lambda: "seen by the thread" in state)
        assert woken == ["thread"]
        wake("loop")
        await bell.until(lambda: "seen by the loop" in state)
    assert woken == ["thread", "loop"]
    assert not bell.wait_for(lambda: False, 0)


async def test_a_sleeper_that_is_gone() -> None:
    """One that was cancelled, and one whose loop ended without it, are not woken."""
    bell = Bell()
    with trio.move_on_after(0):
        await bell.until(lambda: False)
    bell.ring()
    assert await trio.to_thread.run_sync(bell.wait_for, lambda: True, 0)
