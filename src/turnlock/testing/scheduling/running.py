"""Running under a schedule: one run, all runs with few deviations, the shortest that still fails.

Owns the clock of a run, its end after an error of the schedule, and what an exception is told. How trio is
controlled stands in ``_trio.py``, how a failure is told in ``report.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, TypeVarTuple, Unpack

import trio
from trio.lowlevel import Task
from trio.testing import MockClock

from turnlock.errors import Deadlock, SchedulingError
from turnlock.testing.scheduling import _trio
from turnlock.testing.scheduling._trio import Run
from turnlock.testing.scheduling.report import note
from turnlock.testing.scheduling.schedulers import JUMP, Choice, Deviations, Schedule

T = TypeVar("T")
Args = TypeVarTuple("Args")


@contextmanager
def controlled(schedule: Schedule, *, horizon: float = 3600.0) -> Iterator[Run]:
    """Every trio run that is started and run in this thread within the block follows the schedule.

    Runs of other threads are left alone. An exception of the schedule itself (also hypothesis's own, which
    says that its data is used up) is kept, the run goes on first in, first out, and the exception is raised
    when the block ends, instead of whatever else the block raises. Set ``run.on_error`` to make the run end
    earlier.

    Args:
        schedule: Who chooses.
        horizon: Seconds: a deadline further away is no target of a jump. 0: no jumps.

    Yields:
        The run: ``deviations``, ``points``, ``trace``, ``error``.

    Raises:
        SchedulingError: The thread is inside of a trio run or of another such block, or trio has changed.
    """
    run = Run(schedule, horizon)
    with _trio.installed(run):
        try:
            yield run
        except BaseException:
            if run.error is None:
                raise
    if run.error is not None:
        raise run.error


def run_scheduled(
    async_fn: Callable[[Unpack[Args]], Awaitable[T]],
    schedule: Schedule,
    *args: *Args,
    horizon: float = 3600.0,
) -> T:
    """Run an async function under trio, in virtual time, with a schedule that decides every race.

    The clock stands still while anything is runnable, unless the schedule jumps; when nothing is, it jumps to
    the next deadline by itself.

    Args:
        async_fn: What to run. It must depend on nothing but the schedule: no threads, no sockets, no real
            clock.
        schedule: Who chooses: drawn from ``schedules()``, or ``Deviations(...)`` as a failure printed it.
        args: Its arguments.
        horizon: Seconds: a deadline further away is no target of a jump.

    Returns:
        What the function returned.

    Raises:
        Deadlock: Every task waits for another one, and no deadline is ahead.
        SchedulingError: trio has changed, or a trio run is under way in this thread.
        BaseException: What the function raised, with a note: the steps, the deviations marked, and a test to
            paste.
    """
    result, run, error = outcome(async_fn, schedule, args, horizon=horizon)
    if error is None:
        return result  # type: ignore[return-value] # without an error there is one
    if run.error is not error or isinstance(error, Deadlock):
        error.add_note(note(async_fn, run, args))
    raise error


def outcome(
    async_fn: Callable[[Unpack[Args]], Awaitable[T]],
    schedule: Schedule,
    args: tuple[*Args],
    *,
    horizon: float = 3600.0,
) -> tuple[T | None, Run, BaseException | None]:
    """One run: the result, the run, and the exception, whose note is left to whoever asked."""
    scope = trio.CancelScope()

    async def main() -> T:
        with scope:
            return await async_fn(*args)
        raise SchedulingError("the run was ended: see the error of the schedule")

    # Names in a trace are those of the user's functions.
    main.__module__ = getattr(async_fn, "__module__", __name__)
    main.__qualname__ = getattr(async_fn, "__qualname__", type(async_fn).__qualname__)
    run = Run(schedule, horizon)

    def end(_error: BaseException) -> None:
        scope.cancel()

    def idle(tasks: list[Task]) -> None:
        found = Deadlock([_trio.where(task) for task in tasks])
        if run.error is not None:
            raise found  # cancelled already, and shielded: only the end of the whole run is left
        run.error = found
        scope.cancel()

    run.on_error = end
    run.on_idle = idle
    result: T | None = None
    error: BaseException | None = None
    with _trio.installed(run):
        try:
            result = trio.run(main, clock=MockClock(autojump_threshold=0.0))
        except BaseException as raised:  # noqa: BLE001 - handed on as a value
            error = raised
    if run.error is not None:
        error = run.error
    elif error is None and not run.turns:
        error = SchedulingError.of_trio(trio.__version__, "it did not ask for an order of its tasks")
    return result, run, error


def every_schedule(
    async_fn: Callable[[Unpack[Args]], Awaitable[object]],
    *args: *Args,
    at_most: int = 2,
    horizon: float = 3600.0,
) -> Iterator[tuple[Deviations, BaseException | None]]:
    """Run every schedule with at most so many deviations from first in, first out, the fewest first.

    Args:
        async_fn: What to run; it must do the same every time that the schedule is the same.
        args: Its arguments.
        at_most: Deviations per schedule. The number of runs grows with the number of choice points to this
            power.
        horizon: Seconds: a deadline further away is no target of a jump.

    Yields:
        The deviations, and the exception with its note, or None.
    """
    level: list[Deviations] = [Deviations()]
    for depth in range(at_most + 1):
        following: list[Deviations] = []
        for deviations in level:
            _result, run, error = outcome(async_fn, deviations, args, horizon=horizon)
            if error is not None:
                error.add_note(note(async_fn, run, args))
            if depth < at_most:
                following += _extended(deviations, run)
            yield deviations, error
        level = following


def _extended(deviations: Deviations, run: Run) -> Iterator[Deviations]:
    """The same and one more, later than all of them: so each set of deviations is met once."""
    first = max(deviations.taken, default=-1) + 1
    for point in range(first, len(run.options)):
        for place in range(1, run.places[point]):
            yield Deviations({**deviations.taken, point: place})
        if run.options[point] > run.places[point]:
            yield Deviations({**deviations.taken, point: JUMP})


def shortest(
    async_fn: Callable[[Unpack[Args]], Awaitable[object]],
    deviations: Deviations,
    *args: *Args,
    horizon: float = 3600.0,
) -> Deviations:
    """The fewest deviations that still fail in the same way, found by leaving some out and running again.

    Args:
        async_fn: What fails.
        deviations: The ones under which it does.
        args: Its arguments.
        horizon: Seconds: a deadline further away is no target of a jump.

    Raises:
        SchedulingError: It does not fail under these deviations: the function depends on something else, too.
    """

    def failure(candidate: Deviations) -> frozenset[type[BaseException]]:
        return _kinds(outcome(async_fn, candidate, args, horizon=horizon)[2])

    wanted = failure(deviations)
    if not wanted:
        raise SchedulingError(
            f"{deviations!r} does not fail: the function must depend on nothing but the schedule "
            "(no threads, no sockets, no real clock, no random numbers)"
        )
    kept: dict[int, Choice] = dict(deviations.taken)
    size = max(1, len(kept) // 2)
    while kept:
        points = list(kept)
        for start in range(0, len(points), size):
            fewer = {point: kept[point] for point in kept if point not in points[start : start + size]}
            if len(fewer) < len(kept) and failure(Deviations(fewer)) == wanted:
                kept = fewer
        if size == 1 and len(points) == len(kept):
            break
        size = max(1, size // 2)
    return Deviations(kept)


def _kinds(error: BaseException | None) -> frozenset[type[BaseException]]:
    """The types of what was raised, without the groups around it."""
    if error is None:
        return frozenset()
    if isinstance(error, BaseExceptionGroup):
        return frozenset().union(*(_kinds(inner) for inner in error.exceptions))
    return frozenset({type(error)})
