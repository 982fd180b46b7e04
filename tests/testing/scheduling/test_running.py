"""One run, all runs with few deviations, the shortest that fails, and what a failure says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
import trio

from support.races import lost_update, starved_consumer, timeout_after_effect
from turnlock.errors import Deadlock, SchedulingError
from turnlock.testing import JUMP, Deviations, Uniform, every_schedule, run_scheduled, shortest
from turnlock.testing.scheduling.running import outcome

TESTS = Path(__file__).parents[2]
checkpoint = trio.lowlevel.checkpoint


async def argued(value: int, wanted: list[str]) -> int:
    await checkpoint()
    if wanted != ["right"]:
        raise ValueError(wanted)
    return value


def test_arguments_and_result() -> None:
    """It runs like trio.run: arguments in, result out."""
    assert run_scheduled(argued, Deviations(), 3, ["right"]) == 3


def notes(function: Callable[..., Awaitable[object]], deviations: Deviations, *args: object) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each story raises its own
        run_scheduled(function, deviations, *args)
    return "\n".join(caught.value.__notes__)


def test_a_failure_shows_the_trace_with_its_deviations() -> None:
    """Tasks by name, virtual time, a mark where it was not first in, first out, and a test to paste."""
    assert (
        notes(lost_update, Deviations({0: 1, 1: 1}))
        == """\
8 steps, 5 choice points, first in, first out but for 2 deviations, marked >
   step  point   time  runs
      0         0.000  lost_update
>     1      0  0.000  add#2        instead of add
>     2      1  0.000  add#2        instead of add
      3      2  0.000  add
      4      3  0.000  add#2
      5      4  0.000  add
      6         0.000  add#2
      7         0.000  lost_update

A test that replays it:

    from turnlock.testing import Deviations, run_scheduled
    from support.races import lost_update

    def test_replay() -> None:
        run_scheduled(lost_update, Deviations({0: 1, 1: 1}))"""
    )


def test_a_jump_is_shown_with_the_time() -> None:
    """The clock's jump is a step, and the times after it are later."""
    note = notes(timeout_after_effect, Deviations({1: JUMP}))
    assert re.search(
        r"^> +\d+ +1 +1\.000 +the clock jumps .* instead of timeout_after_effect$", note, re.MULTILINE
    )
    assert re.search(r"^ +\d+ +\d* +5\.000 +timeout_after_effect$", note, re.MULTILINE)
    assert 'Deviations({1: "jump"})' in note


def test_the_pasted_test_replays(tmp_path: Path) -> None:
    """It is a test as it stands: it fails in the same way in a process of its own."""
    note = notes(starved_consumer, Deviations({1: 1, 2: 1, 3: 1}))
    code = "\n".join(line.removeprefix("    ") for line in note.partition("replays it:\n")[2].splitlines())
    code = f"import sys\nsys.path.insert(0, {str(TESTS)!r})\n{code}\ntest_replay()\n"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert ended.returncode == 1
    assert "the shelf is full" in ended.stderr


def test_what_cannot_be_imported_is_said() -> None:
    """A function inside of a test has no path: a comment says what to put there, arguments are written."""

    async def inner(limit: int) -> None:
        await checkpoint()
        raise ValueError(limit)

    note = notes(inner, Deviations(), 3)
    assert "    # inner as in the test that failed\n" in note
    assert "        run_scheduled(inner, Deviations(), 3)" in note
    assert "first in, first out\n" in note


def test_a_horizon_is_pasted_too() -> None:
    """What decided the choices belongs to the replay."""
    with pytest.raises(AssertionError) as caught:
        run_scheduled(timeout_after_effect, Deviations({1: JUMP}), horizon=100.0)
    assert 'Deviations({1: "jump"}), horizon=100.0)' in caught.value.__notes__[0]


def test_a_long_run_is_shown_by_windows() -> None:
    """A note has some dozen lines, however long the run was; many deviations come with the repair."""

    async def long() -> None:
        async def steps() -> None:
            for _ in range(3000):
                await checkpoint()

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(steps)
        raise ValueError("long")

    few = notes(long, Deviations({100: 1, 5000: 2}))
    assert len(few.splitlines()) < 40
    assert re.search(r"^   … \d{4} steps$", few, re.MULTILINE)
    assert few.count("instead of") == 2
    _result, run, _error = outcome(long, Uniform(Random(1)), ())
    many = notes(long, run.deviations)
    assert len(run.taken) > 1000
    assert len(many.splitlines()) < 90
    assert re.search(r"^   … \d+ steps, \d{4} of them deviations$", many, re.MULTILINE)
    assert "shortest(long, Deviations(...)) finds the few that matter" in many


def test_a_deadlock_is_an_end() -> None:
    """When every task waits for another one the run ends, and says where each of them waits."""

    async def story() -> None:
        event = trio.Event()

        async def waits() -> None:
            await event.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits)

    with pytest.raises(
        Deadlock, match=r"nothing can go on.*story.*waits: .*test_running.py:\d+ in waits"
    ) as caught:
        run_scheduled(story, Deviations())
    assert len(caught.value.tasks) == 2
    assert "run_scheduled(story, Deviations())" in caught.value.__notes__[0]


def test_a_deadlock_that_cannot_be_cancelled() -> None:
    """Also a task that shields itself and waits for ever does not hang the test."""

    async def story() -> None:
        with trio.CancelScope(shield=True):
            await trio.Event().wait()

    with pytest.raises(Deadlock):
        run_scheduled(story, Deviations())


def test_a_thread_is_waited_for() -> None:
    """What comes from outside is no deadlock: it is not controlled, and it is not cut off either."""

    async def story() -> str:
        return await trio.to_thread.run_sync(lambda: "from a thread")

    assert run_scheduled(story, Deviations()) == "from a thread"


def test_every_schedule_is_every_schedule() -> None:
    """All orders of three tasks come up with two deviations, each schedule once, the fewest first."""
    orders: list[tuple[int, ...]] = []

    async def story() -> None:
        order: list[int] = []

        async def note(n: int) -> None:
            order.append(n)

        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(note, n)
        orders.append(tuple(order))

    ran = [deviations for deviations, error in every_schedule(story) if error is None]
    assert ran == [
        Deviations(),
        Deviations({0: 1}),
        Deviations({0: 2}),
        Deviations({1: 1}),
        Deviations({0: 1, 1: 1}),
        Deviations({0: 2, 1: 1}),
    ]
    assert sorted(orders) == [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    assert [len(each) for each, _ in every_schedule(story, at_most=1)] == [0, 1, 1, 1]


def test_every_schedule_is_a_gate() -> None:
    """A race is found with as many deviations as it takes, and not with fewer."""
    assert [error for _, error in every_schedule(lost_update, at_most=1) if error] == []
    found = {deviations: error for deviations, error in every_schedule(lost_update, at_most=2) if error}
    assert Deviations({0: 1, 1: 1}) in found
    assert all("A test that replays it" in error.__notes__[0] for error in found.values())
    assert [each for each, error in every_schedule(timeout_after_effect, at_most=1) if error] == [
        Deviations({1: JUMP})
    ]


def test_the_shortest_that_fails() -> None:
    """Of a hundred deviations those are left that it takes, whatever they were found with."""
    for race, count in ((lost_update, 2), (starved_consumer, 3), (timeout_after_effect, 1)):
        random = Random(7)
        failing = next(
            run.deviations
            for run, error in (outcome(race, Uniform(random), ())[1:] for _ in range(1000))
            if error is not None
        )
        few = shortest(race, failing)
        assert len(few) <= count
        assert outcome(race, few, ())[2] is not None


def test_shortest_of_what_does_not_fail() -> None:
    """It says that the function depends on something else."""
    with pytest.raises(SchedulingError, match="does not fail: the function must depend on nothing"):
        shortest(lost_update, Deviations())


def test_the_same_failure_is_kept_inside_of_groups() -> None:
    """Another exception on the way is not taken for the one that was asked for."""

    async def two_bugs() -> None:
        first = True

        async def second() -> None:
            nonlocal first
            if first:
                await checkpoint()
                raise KeyError("the other bug")
            raise ValueError("the bug")

        async def begins() -> None:
            nonlocal first
            first = False

        async with trio.open_nursery() as nursery:
            nursery.start_soon(second)
            nursery.start_soon(begins)

    error = outcome(two_bugs, Deviations({0: 1}), ())[2]
    assert isinstance(error, ExceptionGroup)
    assert shortest(two_bugs, Deviations({0: 1})) == Deviations({0: 1})
    assert shortest(two_bugs, Deviations({5: 1})) == Deviations()
