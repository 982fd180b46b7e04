"""Waiting for what another thread completes, under either loop; and plain functions in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, get_args

import pytest
import trio
import trio.testing

from turnlock.hosts.loops import Library, LoopThread, Task, in_thread, wait

PATIENCE = 30.0  # seconds: nothing here takes one
LIBRARIES: tuple[Library, ...] = get_args(Library)
both = pytest.mark.parametrize("library", LIBRARIES)
SLEEP: dict[Library, Callable[[float], Awaitable[None]]] = {"asyncio": asyncio.sleep, "trio": trio.sleep}


def begun(loop: LoopThread, function: Callable[[], Awaitable[Any]]) -> Task:
    """Spawn it, and let it come to its first wait."""
    task = loop.spawn(function)
    loop.settle()
    return task


@both
def test_waiting_for_another_thread(library: Library) -> None:
    """A coroutine waits for a future that another thread completes, and has its result or its error."""
    good: Future[str] = Future()
    bad: Future[str] = Future()
    with LoopThread(library) as loop:
        tasks = [begun(loop, partial(wait, future)) for future in (good, bad)]
        assert not any(task.done for task in tasks)
        good.set_result("done")
        bad.set_exception(ValueError("no"))
        assert tasks[0].future.result(PATIENCE) == "done"
        with pytest.raises(ValueError, match="no"):
            tasks[1].future.result(PATIENCE)
        assert loop.call(partial(wait, good)) == "done", "one that is complete is not waited for"


@both
def test_who_is_cancelled_leaves_the_future_alone(library: Library) -> None:
    """Another one who waits for it has its result."""
    future: Future[str] = Future()
    with LoopThread(library) as loop:
        one, other = (begun(loop, partial(wait, future)) for _ in range(2))
        one.cancel()
        with pytest.raises(CancelledError):
            one.future.result(PATIENCE)
        future.set_result("done")
        assert other.future.result(PATIENCE) == "done"


def test_a_shield_under_trio() -> None:
    """Whoever waits behind a shield hears of its cancellation only when it has what it waits for."""
    future: Future[str] = Future()
    with LoopThread("trio") as loop:
        task = begun(loop, partial(wait, future, shielded=True))
        task.cancel()
        loop.settle()
        assert not task.done
        future.set_result("done")
        assert task.future.result(PATIENCE) == "done"


def test_no_shield_under_asyncio() -> None:
    """Asyncio knows none: there the cancellation is heard."""
    future: Future[str] = Future()
    with LoopThread("asyncio") as loop:
        task = begun(loop, partial(wait, future, shielded=True))
        task.cancel()
        with pytest.raises(CancelledError):
            task.future.result(PATIENCE)
    assert not future.cancelled()


async def test_a_future_that_the_same_loop_completes() -> None:
    """Under trio the waiting task is woken at once, not by way of another thread's door."""
    future: Future[str] = Future()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, future)
        await trio.testing.wait_all_tasks_blocked()
        future.set_result("done")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert not nursery.child_tasks


def test_a_future_that_is_complete_when_nobody_waits_any_more() -> None:
    """A loop that has ended meanwhile is no concern of whoever completes it."""
    future: Future[str] = Future()

    async def gives_up() -> None:
        with trio.move_on_after(0):
            await wait(future)

    with LoopThread("trio") as loop:
        loop.call(gives_up)
    future.set_result("late")
    assert future.result() == "late"


def test_a_plain_function_in_a_thread() -> None:
    """It runs aside, and gives its result or its error; to cancel it does nothing."""
    go: Future[str] = Future()
    task = in_thread(partial(go.result, PATIENCE))
    task.cancel()
    assert not task.done
    go.set_result("done")
    assert task.future.result(PATIENCE) == "done"
    assert task.error is None

    def fails() -> None:
        raise SystemExit(3)

    failed = in_thread(fails)
    assert isinstance(failed.future.exception(PATIENCE), SystemExit)
    assert isinstance(failed.error, SystemExit)
