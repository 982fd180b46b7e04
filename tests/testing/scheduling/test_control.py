"""The hook into trio: what it decides, what it leaves alone, and how it says that trio has changed."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import trio
from attrs import define
from trio._core import _run as loop
from trio.lowlevel import Task
from trio.testing import MockClock

from turnlock.errors import SchedulingError
from turnlock.testing import JUMP, Deviations, Schedule, Uniform, canary, controlled, run_scheduled
from turnlock.testing.scheduling._trio import Run
from turnlock.testing.scheduling.running import outcome

checkpoint = trio.lowlevel.checkpoint


async def five() -> tuple[int, ...]:
    """Five tasks, and the order in which they ran."""
    order: list[int] = []

    async def note(n: int) -> None:
        order.append(n)

    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(note, n)
    return tuple(order)


async def timed_out() -> bool:
    """Whether a deadline passed while the task could go on."""
    with trio.move_on_after(10) as scope:
        await checkpoint()
    return scope.cancelled_caught


def test_canary() -> None:
    """The trio that is installed can be controlled."""
    canary()


@pytest.mark.parametrize("name", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_a_name_that_is_gone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trio without the names that are used is named with its version, and nothing runs."""
    monkeypatch.delattr(loop, name)
    with pytest.raises(SchedulingError, match=rf"trio {trio.__version__} cannot be controlled.*{name}"):
        run_scheduled(five, Deviations())


def test_a_trio_that_does_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trio that no longer asks for an order is noticed by every run, and by the canary."""
    real = loop.unrolled_run.__code__
    names = tuple("_never" if name == "_ALLOW_DETERMINISTIC_SCHEDULING" else name for name in real.co_names)
    monkeypatch.setattr(loop, "_never", False, raising=False)
    monkeypatch.setattr(loop.unrolled_run, "__code__", real.replace(co_names=names))
    with pytest.raises(SchedulingError, match="did not ask"):
        run_scheduled(five, Deviations())
    with pytest.raises(SchedulingError, match=f"trio {trio.__version__} cannot be controlled"):
        canary()


# A trio that was stopped in its midst leaves coroutines behind: all of them are collected in here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
def test_a_private_name_that_means_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks inside of the hook is told as what it is, and not as an internal error of trio."""

    def breaks(self: Run, new: list[Task], runner: object) -> list[Task]:
        raise AttributeError("'Runner' object has no attribute 'init_task'")

    monkeypatch.setattr(Run, "_take_own", breaks)
    wanted = f"trio {trio.__version__} cannot be controlled: AttributeError: 'Runner' object has no"
    with pytest.raises(SchedulingError, match=wanted):
        run_scheduled(five, Deviations())
    with pytest.raises(SchedulingError, match=wanted), controlled(Deviations()):
        trio.run(five)
    with pytest.raises(SchedulingError, match=wanted):
        canary()
    gc.collect()


def test_first_in_first_out() -> None:
    """Without deviations tasks run in the order of their arrival, every time."""
    assert {run_scheduled(five, Deviations()) for _ in range(20)} == {(0, 1, 2, 3, 4)}


def test_deviations() -> None:
    """A deviation takes the task at its place; one that does not exist is first in, first out."""
    assert run_scheduled(five, Deviations({0: 4})) == (4, 0, 1, 2, 3)
    assert run_scheduled(five, Deviations({0: 1, 2: 2})) == (1, 0, 4, 2, 3)
    assert run_scheduled(five, Deviations({0: 5, 1: JUMP, 400: 1})) == (0, 1, 2, 3, 4)


def test_a_task_can_be_held_back_for_long() -> None:
    """A task that can run is passed over across many turns of the loop, and keeps its place."""

    async def story() -> list[str]:
        order: list[str] = []

        async def steps() -> None:
            for _ in range(5):
                order.append("step")
                await checkpoint()

        async def held() -> None:
            order.append("held")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(held)
            nursery.start_soon(steps)
        return order

    assert run_scheduled(story, Deviations())[0] == "held"
    assert run_scheduled(story, Deviations(dict.fromkeys(range(4), 1))) == [*["step"] * 4, "held", "step"]


def test_a_jump_moves_the_clock_while_a_task_can_run() -> None:
    """The choice that stock trio never makes: a deadline passes, though there was something to do."""
    assert not run_scheduled(timed_out, Deviations())
    assert run_scheduled(timed_out, Deviations({0: JUMP}))


def test_a_deadline_beyond_the_horizon_is_no_target() -> None:
    """A sentinel sleep is never jumped to; a horizon of 0 means no jumps."""
    assert not run_scheduled(timed_out, Deviations({0: JUMP}), horizon=9.0)
    assert run_scheduled(timed_out, Deviations({0: JUMP}), horizon=10.0)
    assert not run_scheduled(timed_out, Deviations({0: JUMP}), horizon=0.0)


def test_a_jump_lands_on_the_deadline() -> None:
    """Also where sums of floats are rounded: no deadline is missed by a hair, and none needs two jumps."""

    async def story() -> list[float]:
        late: list[float] = []
        for n in range(1, 200):
            deadline = trio.current_time() + n / 7
            with trio.CancelScope(deadline=deadline) as scope:
                await checkpoint()
            assert scope.cancelled_caught
            late.append(trio.current_time() - deadline)
        return late

    @define
    class AlwaysJump:
        def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
            return options - 1

    _result, run, error = outcome(story, AlwaysJump(), ())
    assert error is None
    assert _result is not None
    assert max(_result) < 1e-9
    assert run.points == 199


def test_the_clock_is_virtual_and_jumps_when_nothing_can_run() -> None:
    """Hours pass in no time."""

    async def story() -> float:
        await trio.sleep(7200)
        return trio.current_time()

    assert run_scheduled(story, Deviations()) == pytest.approx(7200)


def test_a_real_clock_has_no_jumps() -> None:
    """Under ``controlled`` with trio's own clock only the order of tasks is a choice."""
    with controlled(Deviations({0: JUMP})) as run:
        assert not trio.run(timed_out)
    assert (run.points, run.deviations) == (0, Deviations())


def test_every_run_in_the_block_is_controlled() -> None:
    """Choice points are counted on, and the clock may be another one."""
    with controlled(Deviations({0: 1, 4: 1})) as run:
        first = trio.run(five)
        second = trio.run(five, clock=MockClock(autojump_threshold=0))
    assert (first, second) == ((1, 0, 2, 3, 4), (1, 0, 2, 3, 4))
    assert (run.points, run.deviations) == (8, Deviations({0: 1, 4: 1}))
    assert [step[3].rpartition(".")[2] for step in run.trace[:2]] == ["five", "note"]


def test_other_threads_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of another thread has stock trio's order, while this thread is controlled."""
    monkeypatch.setattr(loop, "_ALLOW_DETERMINISTIC_SCHEDULING", False)  # hypothesis may have set it
    started, go = threading.Event(), threading.Event()
    orders: list[tuple[int, ...]] = []

    def other() -> None:
        started.set()
        go.wait(10)
        orders.extend(trio.run(five) for _ in range(40))

    thread = threading.Thread(target=other)
    thread.start()
    started.wait(10)
    with controlled(Deviations({0: 2})) as run:
        go.set()
        thread.join()
        assert run.runs == 0
        assert trio.run(five) == (2, 0, 1, 3, 4)
    assert len(orders) == 40
    assert set(orders) <= {(0, 1, 2, 3, 4), (4, 3, 2, 1, 0)}


def test_two_threads_have_schedules_of_their_own() -> None:
    """Each follows its own, and trio is as before when the last one has left."""
    before = (loop._r, loop._ALLOW_DETERMINISTIC_SCHEDULING)
    both = threading.Barrier(2, timeout=10)
    orders: dict[int, set[tuple[int, ...]]] = {}

    def run(place: int) -> None:
        with controlled(Deviations({4 * n: place for n in range(50)})):
            both.wait()
            orders[place] = {trio.run(five) for _ in range(50)}

    threads = [threading.Thread(target=run, args=(place,)) for place in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert orders == {1: {(1, 0, 2, 3, 4)}, 2: {(2, 0, 1, 3, 4)}}
    assert (loop._r, loop._ALLOW_DETERMINISTIC_SCHEDULING) == before


def test_blocks_do_not_nest() -> None:
    """The outer schedule would be forgotten in silence."""
    with controlled(Deviations()), pytest.raises(SchedulingError, match="controlled already"):
        run_scheduled(five, Deviations())


async def test_not_inside_of_a_run() -> None:
    """A run that began before could be controlled by halves: the repair is a plain test function."""
    with pytest.raises(SchedulingError, match="plain function"):
        run_scheduled(five, Deviations())


class StopIt(BaseException):
    """Like hypothesis's StopTest: no Exception."""


@define
class Breaks:
    """A schedule that raises at one point."""

    at: int
    error: BaseException

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        if point == self.at:
            raise self.error
        return 1


@pytest.mark.parametrize("error", [StopIt(), KeyError("bug"), KeyboardInterrupt()], ids=repr)
def test_an_error_of_the_schedule_comes_out_as_itself(error: BaseException) -> None:
    """The run is cancelled, ends in order, and the very exception is raised: in no group, without a note."""
    ended: list[str] = []

    async def story() -> None:
        try:
            await five()
            await trio.sleep_forever()
        finally:
            ended.append("finally")

    with pytest.raises(type(error)) as caught:
        run_scheduled(story, Breaks(2, error))
    assert caught.value is error
    assert getattr(error, "__notes__", []) == []
    assert ended == ["finally"]


def test_after_an_error_it_goes_on_first_in_first_out() -> None:
    """For whoever steps a live loop: ``run.error`` holds the first error, raised when the block ends."""
    error = StopIt()
    told: list[BaseException] = []
    with pytest.raises(StopIt) as caught, controlled(Breaks(1, error)) as run:
        run.on_error = told.append
        assert trio.run(five) == (1, 0, 2, 3, 4)
        assert run.error is error
    assert caught.value is error
    assert told == [error]


def test_the_schedule_s_error_wins_over_what_it_caused() -> None:
    """What the block raises because of it is not what happened."""
    error = StopIt()
    with pytest.raises(StopIt), controlled(Breaks(0, error)):
        trio.run(five)
        raise ValueError("because of it")


@pytest.mark.parametrize("choice", [-1, 5, 99])
def test_a_choice_that_is_none(choice: int) -> None:
    """A schedule that answers nonsense is told so."""

    @define
    class Wrong:
        def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
            return choice

    with pytest.raises(SchedulingError, match=rf"chose {choice} at point 0, where the choices are 0 to 4"):
        run_scheduled(five, Wrong())


def test_what_another_thread_hands_in_is_no_choice() -> None:
    """Trio's own tasks run at once: a schedule is the same with and without them."""

    async def story(hand_in: str) -> None:
        if hand_in:
            token = trio.lowlevel.current_trio_token()
            heard = trio.Event()
            await trio.to_thread.run_sync(token.run_sync_soon, heard.set)
            await heard.wait()
        await five()

    runs = [outcome(story, Deviations(), (hand_in,))[1] for hand_in in ("", "yes")]
    assert runs[0].points == runs[1].points == 4


def test_what_stays_runs_when_the_test_ends() -> None:
    """System tasks of the user are controlled like others, and cancelled at the end as ever."""
    ended: list[str] = []

    async def background() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("background")

    async def story() -> None:
        trio.lowlevel.spawn_system_task(background)
        await five()

    run_scheduled(story, Uniform(Random(3)))
    assert ended == ["background"]


def test_the_hook_outlives_hypothesis_s_plugin() -> None:
    """If trio's own plugin sets its switch meanwhile, it stays set."""
    before = loop._ALLOW_DETERMINISTIC_SCHEDULING
    names: dict[str, Any] = vars(loop)
    try:
        with controlled(Deviations()):
            names["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
        assert names["_ALLOW_DETERMINISTIC_SCHEDULING"] is True
    finally:
        names["_ALLOW_DETERMINISTIC_SCHEDULING"] = before
    schedule: Schedule = Deviations()
    assert run_scheduled(five, schedule) == (0, 1, 2, 3, 4)
