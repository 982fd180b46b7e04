"""A loop in a thread of its own, of either kind, as another thread sees it; and waiting under both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from functools import partial
from typing import Any, get_args

import pytest
import trio
import trio.testing

from turnlock.hosts import loops
from turnlock.hosts.loops import Library, LoopThread, Task, wait

PATIENCE = 30.0  # seconds: nothing here takes one
LIBRARIES: tuple[Library, ...] = get_args(Library)
both = pytest.mark.parametrize("library", LIBRARIES)
SLEEP: dict[Library, Callable[[float], Awaitable[None]]] = {"asyncio": asyncio.sleep, "trio": trio.sleep}


async def forever(library: Library) -> None:
    await SLEEP[library](1e6)


def begun(loop: LoopThread, function: Callable[[], Awaitable[Any]]) -> Task:
    """Spawn it, and let it come to its first wait."""
    task = loop.spawn(function)
    loop.settle()
    return task


# ── running ─────────────────────────────────────────────────────────────────────────────────────────────


@both
def test_a_coroutine_gives_its_result_to_another_thread(library: Library) -> None:
    """``call`` returns what the coroutine returned, which ran in the thread of the loop."""

    async def where() -> int:
        await SLEEP[library](0)
        return threading.get_ident()

    with LoopThread(library) as loop:
        first, second = loop.call(where), loop.call(where)
    assert first == second != threading.get_ident()


@both
def test_what_a_coroutine_raises_comes_back(library: Library) -> None:
    """Its error is raised by ``call``, and kept by a task; the loop goes on."""

    async def fails() -> None:
        raise ValueError("no")

    with LoopThread(library) as loop:
        with pytest.raises(ValueError, match="no"):
            loop.call(fails)
        task = begun(loop, fails)
        assert task.done
        assert isinstance(task.error, ValueError)
        loop.call(partial(SLEEP[library], 0))


@both
def test_even_what_ends_programs_comes_back(library: Library) -> None:
    """An error that is no ``Exception`` ends neither the loop nor its thread."""

    async def fails() -> None:
        raise SystemExit(3)

    with LoopThread(library) as loop:
        with pytest.raises(SystemExit):
            loop.call(fails)
        loop.call(partial(SLEEP[library], 0))


@both
def test_a_task_that_runs_returns_or_is_cancelled(library: Library) -> None:
    """Until it has ended a task is not done, and one that was cancelled has no error."""
    with LoopThread(library) as loop:
        task = begun(loop, partial(forever, library))
        assert (task.done, task.error) == (False, None)
        task.cancel()
        with pytest.raises(CancelledError):
            task.future.result(PATIENCE)
        assert (task.done, task.error) == (True, None)


@both
def test_a_task_that_is_cancelled_before_it_begins(library: Library) -> None:
    """Whoever waits for it is told, although not one line of it may have run."""
    with LoopThread(library) as loop:
        task = loop.spawn(partial(forever, library))
        task.cancel()
        with pytest.raises(CancelledError):
            task.future.result(PATIENCE)


def test_a_task_that_is_cancelled_within_a_nursery() -> None:
    """A nursery raises a group then: it is like any other, unless something failed on the way."""

    async def waits() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(forever, "trio")
            await forever("trio")

    async def fails() -> None:
        try:
            await forever("trio")
        finally:
            raise ValueError("no")

    async def waits_and_fails() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails)
            await forever("trio")

    with LoopThread("trio") as loop:
        one, other, third = (begun(loop, each) for each in (waits, waits_and_fails, waits))
        one.cancel()
        other.cancel()
        with pytest.raises(CancelledError):
            one.future.result(PATIENCE)
        with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="no")):
            other.future.result(PATIENCE)
        assert one.error is None
    assert third.future.cancelled(), "by the end of the loop"


@both
def test_a_task_that_answers_its_cancellation_with_a_result(library: Library) -> None:
    """What it returned counts: it was not ended by its cancellation."""

    async def obstinate() -> str:
        try:
            await forever(library)
        except BaseException:  # noqa: BLE001  # whatever the loop cancels with
            return "all the same"
        return "never"

    with LoopThread(library) as loop:
        task = begun(loop, obstinate)
        task.cancel()
        assert task.future.result(PATIENCE) == "all the same"


@both
def test_whoever_does_not_come_in_time_is_cancelled(library: Library) -> None:
    """``call`` with a patience raises ``TimeoutError``, and what it had begun is asked to stop."""
    stopped: Future[None] = Future()

    async def slow() -> None:
        try:
            await forever(library)
        finally:
            stopped.set_result(None)

    with LoopThread(library) as loop:
        with pytest.raises(TimeoutError):
            loop.call(slow, patience=0.05)
        stopped.result(PATIENCE)


@both
def test_settled_means_that_everybody_had_turns(library: Library) -> None:
    """Tasks that hand on to each other a few times have come to their waits."""
    steps: list[int] = []

    async def walks() -> None:
        for number in range(10):
            await SLEEP[library](0)
            steps.append(number)
        await forever(library)

    with LoopThread(library) as loop:
        loop.spawn(walks)
        loop.settle()
        assert steps == list(range(10))


def test_trio_may_have_a_clock_of_its_own() -> None:
    """Under a mock clock that jumps, a million seconds are nothing."""
    with LoopThread("trio", trio.testing.MockClock(autojump_threshold=0)) as loop:
        loop.call(partial(forever, "trio"))


# ── beginning and end ───────────────────────────────────────────────────────────────────────────────────


@both
def test_the_end_cancels_what_still_runs(library: Library) -> None:
    """Leaving the block ends all tasks, the thread, and the loop."""
    before = threading.active_count()
    with LoopThread(library) as loop:
        tasks = [begun(loop, partial(forever, library)) for _ in range(3)]
    assert all(task.future.cancelled() for task in tasks)
    assert threading.active_count() == before


def test_a_task_that_swallows_its_cancellation_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under asyncio it is left behind after a while."""
    monkeypatch.setattr(loops, "_LAST", 0.05)
    asked: list[str] = []
    over = False

    async def swallows() -> None:
        while not over:
            try:
                await asyncio.sleep(1e6)
            except asyncio.CancelledError:
                asked.append("cancelled")

    with LoopThread("asyncio") as loop:
        task = begun(loop, swallows)
    assert asked == ["cancelled"]
    assert not task.done
    over = True  # when its coroutine is thrown away it may end


def test_a_task_behind_a_shield_holds_the_end_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio waits for it, but whoever leaves the block does not: the error says what holds."""
    monkeypatch.setattr(loops, "_END", 0.2)
    over: Future[None] = Future()

    with pytest.raises(TimeoutError, match="a task in it shields itself"):
        with LoopThread("trio") as loop:
            begun(loop, partial(wait, over, shielded=True))
    over.set_result(None)
    loop._thread.join(PATIENCE)
    assert not loop._thread.is_alive()


@both
def test_a_task_for_a_loop_that_ends_is_not_waited_for(library: Library) -> None:
    """A coroutine that is spawned by one that is being cancelled does not hold the end."""
    late: list[Task] = []

    async def spawns(loop: LoopThread) -> None:
        try:
            await forever(library)
        finally:
            late.append(loop.spawn(partial(forever, library)))

    with LoopThread(library) as loop:
        begun(loop, partial(spawns, loop))
    assert len(late) == 1


@both
def test_what_stands_around_the_run_is_in_its_thread(library: Library) -> None:
    """It is entered before the loop begins, and left behind its end."""
    seen: list[tuple[str, int]] = []

    @contextmanager
    def around() -> Iterator[None]:
        seen.append(("in", threading.get_ident()))
        yield
        seen.append(("out", threading.get_ident()))

    async def here() -> int:
        return threading.get_ident()

    with LoopThread(library, around=around) as loop:
        ident = loop.call(here)
    assert seen == [("in", ident), ("out", ident)]


@both
@pytest.mark.parametrize("late", [False, True])
def test_what_fails_around_the_run_is_told(library: Library, late: bool) -> None:  # noqa: FBT001
    """A loop that cannot begin says so when it is entered; one that fails at its end, when it is left."""
    entered: list[str] = []

    @contextmanager
    def around() -> Iterator[None]:
        if not late:
            raise ValueError("cannot begin")
        yield
        raise ValueError("cannot end")

    with pytest.raises(ValueError, match="cannot end" if late else "cannot begin"):
        with LoopThread(library, around=around):
            entered.append("entered")
    assert bool(entered) == late


def test_a_task_that_blocks_the_loop_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else can run: settling says so, and the end does not wait for it."""
    monkeypatch.setattr(loops, "_TURN", 0.2)
    free = threading.Event()

    async def block() -> None:
        await asyncio.sleep(0)
        free.wait(60)  # it blocks on purpose

    with LoopThread("asyncio") as loop:
        task = loop.spawn(block)
        with pytest.raises(TimeoutError):
            loop.settle()
        assert loop.deaf
    assert not task.done  # it is left behind
    free.set()
    task.future.result(60)
