"""The hook into trio: every private name of trio that turnlock touches stands in this file, and nowhere else.

Trio orders each batch of runnable tasks by ``trio._core._run._r.shuffle(batch)`` when
``_ALLOW_DETERMINISTIC_SCHEDULING`` is true. Both names are replaced while at least one thread is controlled;
for every other thread they answer as before. The object that takes the place of ``_r`` lets one task through
per turn of the loop, and puts the rest back on the run queue. So a task can be kept waiting for as long as a
schedule wants. "Jump to the next deadline" puts all of them back, and moves the ``MockClock``.

Owns what a choice point is, the order in which waiting tasks stand, and the record of what was chosen.
Decides nothing: a schedule does. Must not raise out of the hook: trio would tear the run down as an internal
error. ``canary.py`` proves that the hook still works with the trio that is installed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any, TypeAlias

import trio
from attrs import define, field
from trio._core import _run as loop
from trio.lowlevel import Task
from trio.testing import MockClock

from turnlock.errors import SchedulingError
from turnlock.testing.scheduling.schedulers import JUMP, Deviations, Schedule

Step: TypeAlias = tuple[int, float, int, str, int]
"""Choice point or -1, time, number of the task or -1 for a jump, its name, that of whom it overtook or -1."""

_OUTSIDE = ("trio._threads", "trio._core._io_", "trio._core._generated_io_", "trio._signals")
"""Modules whose waits end by something that is not in the loop: a thread, a socket, a signal, a process."""


@define(eq=False)
class Run:
    """What is controlled in one block, and what has happened in it so far.

    Attributes:
        schedule: Who chooses.
        horizon: Seconds: a deadline further away is no target of a jump.
        points: Choice points so far. One is where more than one choice exists.
        options: How many choices there were at each of them, a jump counted in.
        places: How many of those were tasks.
        taken: The choices that were not first in, first out: point → place in the queue, or ``"jump"``.
        trace: Every step, in order.
        error: The first exception of the schedule itself, such as hypothesis's own when its data is used up.
            From then on the run goes on first in, first out.
        on_error: Called once with that exception, in the loop, between two steps: to make the run end.
        on_idle: Called when nothing can ever go on by itself: with the tasks that wait.
        turns: How often trio asked for an order; 0 after a run means that this trio cannot be controlled.
    """

    schedule: Schedule
    horizon: float = 3600.0
    points: int = 0
    options: list[int] = field(factory=list)
    places: list[int] = field(factory=list)
    taken: dict[int, int | str] = field(factory=dict)
    trace: list[Step] = field(factory=list)
    error: BaseException | None = None
    on_error: Callable[[BaseException], None] | None = None
    on_idle: Callable[[list[Task]], None] | None = None
    turns: int = 0
    _runner: Any = None
    _clock: Any = None
    _reach: float = -math.inf
    _waiting: list[Task] = field(factory=list)
    _system: list[Task] = field(factory=list)

    @property
    def deviations(self) -> Deviations:
        """What was chosen so far, as a value that replays it."""
        return Deviations(self.taken)

    @property
    def alone(self) -> bool:
        """Whether the task that runs now is the only one that could run."""
        return not self._waiting

    def arrange(self, batch: list[Task]) -> None:
        """Leave one task in trio's batch, and put the others back on the run queue.

        Args:
            batch: Every runnable task, sorted by trio by the order in which they were made.
        """
        self.turns += 1
        runner = loop.GLOBAL_RUN_CONTEXT.runner
        if runner is not self._runner:
            self._begin(runner)
        if not batch:
            if self.on_idle is not None:
                self._look_for_the_end(runner)
            return
        waiting = self._waiting
        system: list[Task] = []
        if len(batch) != len(waiting):
            system = self._arrive(batch, runner)
            if not waiting:
                return
        now = self._clock._virtual_base if self._clock is not None else runner.clock.current_time()
        jump = runner.deadlines.next_deadline() <= now + self._reach
        count = len(waiting)
        if count + jump == 1:
            chosen = 0
            self.trace.append((-1, now, waiting[0]._counter, waiting[0].name, -1))
        else:
            chosen = self._choose(waiting, count + jump, now)
        batch.clear()
        if chosen < count:
            batch.append(waiting.pop(chosen))
        else:
            self._jump(runner)
        runner.runq.extend(waiting)
        batch.extend(system)

    def _arrive(self, batch: list[Task], runner: Any) -> list[Task]:
        """Put new tasks at the end of the queue; return those of trio itself, which run at once, always.

        These are the root of all tasks, and the task that runs what other threads hand in.
        """
        known = self._waiting if len(self._waiting) < 8 else set(self._waiting)
        new = [task for task in batch if task not in known]
        system = self._system
        if not system:
            if runner.main_task is None:
                return new
            # Trio makes them together: both are there the first time that one of them is.
            self._system = system = [
                runner.init_task,
                *(task for task in new if task is not runner.main_task),
            ]
        own = [task for task in new if task in system]
        self._waiting += [task for task in new if task not in own] if own else new
        return own

    def _begin(self, runner: Any) -> None:
        """Another run in the same block: its tasks are new, and its clock may be another."""
        self._runner = runner
        self._waiting = []
        self._system = []
        clock = runner.clock
        virtual = isinstance(clock, MockClock) and clock.rate == 0.0
        self._clock = clock if virtual else None
        self._reach = self.horizon if virtual else -math.inf

    def _choose(self, waiting: list[Task], options: int, now: float) -> int:
        point = self.points
        self.points = point + 1
        self.options.append(options)
        self.places.append(len(waiting))
        chosen = 0
        if self.error is None:
            try:
                chosen = self.schedule.choose(point, waiting, options)
                if not 0 <= chosen < options:
                    raise SchedulingError(  # noqa: TRY301 - kept like what the schedule raises itself
                        f"{self.schedule!r} chose {chosen!r} at point {point}, where the choices are 0 to "
                        f"{options - 1}: return one of them, 0 for first in, first out"
                    )
            except BaseException as error:  # noqa: BLE001 - kept: it would end the run as an error of trio
                chosen = 0
                self._keep(error)
        if chosen >= len(waiting):
            self.taken[point] = JUMP
            self.trace.append((point, now, -1, "", waiting[0]._counter))
            return chosen
        task = waiting[chosen]
        if chosen:
            self.taken[point] = chosen
            self.trace.append((point, now, task._counter, task.name, waiting[0]._counter))
        else:
            self.trace.append((point, now, task._counter, task.name, -1))
        return chosen

    def _keep(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            if self.on_error is not None:
                self.on_error(error)

    def _jump(self, runner: Any) -> None:
        deadline = runner.deadlines.next_deadline()
        clock = runner.clock
        clock.jump(max(0.0, deadline - clock.current_time()))
        while clock.current_time() < deadline:  # the sum may be rounded down
            clock.jump(math.ulp(deadline))

    def _look_for_the_end(self, runner: Any) -> None:
        """Whether every task waits for another one, with no deadline ahead: nothing will ever happen."""
        if runner.waiting_for_idle or runner.deadlines.next_deadline() < math.inf or runner.runq:
            return
        tasks = sorted((task for task in runner.tasks if task not in self._system), key=_age)
        if tasks and not any(_waits_outside(task) for task in tasks):
            assert self.on_idle is not None
            self.on_idle(tasks)


def _age(task: Task) -> int:
    return task._counter


def _waits_outside(task: Task) -> bool:
    return any(
        frame.f_globals.get("__name__", "").startswith(_OUTSIDE) for frame, _line in task.iter_await_frames()
    )


def where(task: Task) -> str:
    """The place in the user's code where a task waits: ``name: file:line in function``."""
    place = ""
    for frame, line in task.iter_await_frames():
        code: CodeType = frame.f_code
        if not frame.f_globals.get("__name__", "").startswith("trio."):
            place = f": {code.co_filename}:{line} in {code.co_name}"
    return f"{task.name}{place}"


# ── in the place of trio's own ──────────────────────────────────────────────────────────────────────


class _Here(threading.local):
    run: Run | None = None


_here = _Here()


class _Switch:
    """In the place of ``_ALLOW_DETERMINISTIC_SCHEDULING``: true for the threads that are controlled."""

    def __init__(self, before: object) -> None:
        self.before = before

    def __bool__(self) -> bool:
        return _here.run is not None or bool(self.before)


class _Order:
    """In the place of ``_r``: orders the batches of controlled threads, and is trio's own for all others."""

    def __init__(self, before: Any) -> None:
        self.before = before

    def shuffle(self, batch: list[Task]) -> None:
        run = _here.run
        if run is None:
            self.before.shuffle(batch)
        else:
            run.arrange(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.before, name)


_lock = threading.Lock()
_users = 0
_NAMES = ("_r", "_ALLOW_DETERMINISTIC_SCHEDULING")


@contextmanager
def installed(run: Run) -> Iterator[None]:
    """Let a run decide for this thread.

    Raises:
        SchedulingError: This thread is controlled already, or is inside of a trio run; or trio has changed.
    """
    global _users  # noqa: PLW0603 - trio's own hook is global, so is who uses it
    if _here.run is not None:
        raise SchedulingError("this thread is controlled already: leave the outer block first")
    if getattr(loop.GLOBAL_RUN_CONTEXT, "runner", None) is not None:
        raise SchedulingError(
            "a trio run is under way in this thread, and only runs that start inside of the block are "
            "controlled: make the test a plain function, not an async one"
        )
    names = vars(loop)
    missing = [name for name in (*_NAMES, "GLOBAL_RUN_CONTEXT") if name not in names]
    if missing:
        raise SchedulingError.of_trio(trio.__version__, f"trio._core._run has no {', '.join(missing)}")
    with _lock:
        if not _users:
            names.update(zip(_NAMES, (_Order(names[_NAMES[0]]), _Switch(names[_NAMES[1]])), strict=True))
        _users += 1
    _here.run = run
    try:
        yield
    finally:
        _here.run = None
        with _lock:
            _users -= 1
            if not _users:
                # Trio's own plugin for hypothesis may have put something else there meanwhile.
                for name, kind in zip(_NAMES, (_Order, _Switch), strict=True):
                    if isinstance(names[name], kind):
                        names[name] = names[name].before
