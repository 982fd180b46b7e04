"""Running under a schedule: one run, all runs with few deviations, the shortest that still fails.

Owns the clock of a run, its end after an error of the schedule, and what an exception is told. How trio is
controlled stands in ``_trio.py``, how a failure is told in ``report.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
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
    _trio.install(run)
    try:
        yield run
    except BaseException as raised:
        if run.error is None:
            error = _trio.caused(raised)
            if error is raised:
                raise
            raise error from raised
    finally:
        _trio.uninstall()
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
    if not isinstance(error, SchedulingError) and (run.error is not error or isinstance(error, Deadlock)):
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
    run = Run(schedule, horizon)

    def end(_error: BaseException) -> None:
        run.stop()

    def idle(tasks: list[Task]) -> None:
        if run.error is None:
            run.error = Deadlock([_trio.where(task) for task in tasks])
            run.stop()
        else:  # that did not end it
            _trio.unshield(tasks)

    run.on_error = end
    run.on_idle = idle
    result: T | None = None
    error: BaseException | None = None
    _trio.install(run)
    try:
        result = trio.run(async_fn, *args, clock=MockClock(autojump_threshold=0.0))
    except BaseException as raised:  # noqa: BLE001 - handed on as a value
        error = _trio.caused(raised)
    finally:
        _trio.uninstall()
    if run.error is not None:
        error = run.error
    elif error is None and not run.runs:
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
    last = max(deviations.taken, default=-1)
    for point, _time, _task, _name, _overtaken, tasks, options in run.trace:
        if point > last:
            for place in range(1, tasks):
                yield Deviations({**deviations.taken, point: place})
            if options > tasks:
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

    def ran(candidate: Mapping[int, Choice]) -> tuple[Deviations, frozenset[type[BaseException]]]:
        _result, run, error = outcome(async_fn, Deviations(candidate), args, horizon=horizon)
        return run.deviations, _kinds(error)

    kept, wanted = ran(deviations.taken)
    if not wanted:
        raise SchedulingError(
            f"{deviations!r} does not fail: the function must depend on nothing but the schedule "
            "(no threads, no sockets, no real clock, no random numbers)"
        )
    shorter = True
    while shorter:
        shorter = False
        for candidate in _fewer(kept):
            taken, kinds = ran(candidate)
            if kinds == wanted and len(taken) < len(kept):
                kept, shorter = taken, True
                break
    return kept


def _fewer(deviations: Deviations) -> Iterator[dict[int, Choice]]:
    """The same without some in a row, the most first; what stands behind them may have to move with them."""
    points = list(deviations.taken.items())
    count = len(points)
    size = count
    while size:
        for start in range(0, count - size + 1, max(1, size // 4)):
            before, behind = dict(points[:start]), points[start + size :]
            yield {**before, **dict(behind)}
            if behind and count <= _FEW:
                room = behind[0][0] - max(before, default=-1) - 1
                for by in (*range(-1, -min(room, 2 * size) - 1, -1), *range(1, 2 * size + 1)):
                    yield {**before, **{point + by: choice for point, choice in behind}}
        size = size // 2 if count > _FEW else size - 1


_FEW = 12
"""From so many deviations on every one counts: all rows of them are tried."""


def _kinds(error: BaseException | None) -> frozenset[type[BaseException]]:
    """The types of what was raised, without the groups around it."""
    if error is None:
        return frozenset()
    if isinstance(error, BaseExceptionGroup):
        return frozenset().union(*(_kinds(inner) for inner in error.exceptions))
    return frozenset({type(error)})
