"""The hook into trio: every private name of trio that turnlock touches stands in this file, and nowhere else.

Trio orders each batch of runnable tasks by ``trio._core._run._r.shuffle(batch)`` when
``_ALLOW_DETERMINISTIC_SCHEDULING`` is true. Both names are replaced while at least one thread is controlled;
for every other thread they answer as before. The object that takes the place of ``_r`` lets one task through
per turn of the loop and keeps the others in a queue of its own, for as long as a schedule wants; one of them
goes back on trio's run queue, so that the loop does not fall asleep. "Jump to the next deadline" lets none
through, and moves the ``MockClock``.

Owns what a choice point is, the order in which waiting tasks stand, and the record of what was chosen.
Decides nothing: a schedule does. Nothing that a schedule raises may leave the hook: trio would tear the run
down as an internal error. ``canary.py`` proves that the hook still works with the trio that is installed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, TypeAlias

import trio
from attrs import define, field
from trio._core import _run as loop
from trio.lowlevel import Task
from trio.testing import MockClock

from turnlock.errors import SchedulingError
from turnlock.testing.scheduling.schedulers import JUMP, Deviations, Schedule

Step: TypeAlias = tuple[int, float, int, str, int, int, int]
"""Choice point or -1, time, number of the task or -1 for a jump, its name, number of whom it overtook or -1,
how many tasks could run, how many choices there were."""

_OUTSIDE = ("trio._threads", "trio._core._io_", "trio._core._generated_io_", "trio._signals")
"""Modules whose waits end by something that is not in the loop: a thread, a socket, a signal, a process."""


@define(eq=False)
class Run:
    """What is controlled in one block, and what has happened in it so far.

    Attributes:
        schedule: Who chooses.
        horizon: Seconds: a deadline further away is no target of a jump.
        points: Choice points so far. One is where more than one choice exists.
        taken: The choices that were not first in, first out: point → place in the queue, or ``"jump"``.
        trace: Every step, in order.
        error: The first exception of the schedule itself, such as hypothesis's own when its data is used up.
            From then on the run goes on first in, first out.
        on_error: Called once with that exception, in the loop, between two steps: to make the run end.
        on_idle: Called when nothing can ever go on by itself: with the tasks that wait.
        runs: How many runs of trio asked for an order; 0 after a run: this trio cannot be controlled.
    """

    schedule: Schedule
    horizon: float = 3600.0
    points: int = 0
    taken: dict[int, int | str] = field(factory=dict)
    trace: list[Step] = field(factory=list)
    error: BaseException | None = None
    on_error: Callable[[BaseException], None] | None = None
    on_idle: Callable[[list[Task]], None] | None = None
    runs: int = 0
    _runner: Any = None
    _clock: Any = None
    _reach: float = -math.inf
    _waiting: list[Task] = field(factory=list)
    _system: set[Task] | None = None

    _choose: Callable[[int, Sequence[Task], int], int] = field(init=False)

    @_choose.default
    def _asks_the_schedule(self) -> Callable[[int, Sequence[Task], int], int]:
        return self.schedule.choose

    @property
    def deviations(self) -> Deviations:
        """What was chosen so far, as a value that replays it."""
        return Deviations(self.taken)

    @property
    def alone(self) -> bool:
        """Whether the task that runs now is the only one that could run."""
        return not self._waiting

    def stop(self) -> None:
        """Cancel the main task of the run, and all that it has started. To be called in the loop."""
        self._runner.main_task.parent_nursery.cancel_scope.cancel()

    def arrange(self, batch: list[Task]) -> None:  # noqa: C901, PLR0912, PLR0915 - one per step, and calls cost
        """Leave one task in trio's batch, and let the others wait.

        Args:
            batch: What became runnable, sorted by trio by the order in which it was made; and the one of the
                waiting tasks that was put back on the run queue, so that trio knows that there is work.
        """
        runner = loop.GLOBAL_RUN_CONTEXT.runner
        if runner is not self._runner:
            self._begin(runner)
        if not batch:
            if self.on_idle is not None:
                self._look_for_the_end(runner)
            return
        waiting = self._waiting
        own: list[Task] | None = None
        if waiting:
            batch.remove(waiting[0])
        if batch:
            if self._system is None or not self._system.isdisjoint(batch):
                own = self._take_own(batch, runner)
            waiting += batch
            if not waiting:
                batch += own or ()
                return
        now = self._clock._virtual_base if self._clock is not None else runner.clock.current_time()
        deadlines, reach = runner.deadlines, now + self._reach
        # What stands first may be out of date, and is then too early: a cheap look before the exact one.
        heap = deadlines._heap
        jump = bool(heap) and heap[0][0] <= reach and deadlines.next_deadline() <= reach
        count = len(waiting)
        if count == 1 and not jump:
            task = waiting[0]
            self.trace.append((-1, now, task._counter, task.name, -1, 1, 1))
            batch[:] = waiting
            waiting.clear()
        else:
            point, options = self.points, count + jump
            self.points = point + 1
            try:
                chosen = self._choose(point, waiting, options)
                if not 0 <= chosen < options:
                    raise SchedulingError(  # noqa: TRY301 - kept like what the schedule raises itself
                        f"{self.schedule!r} chose {chosen!r} at point {point}, where the choices are 0 to "
                        f"{options - 1}: return one of them, 0 for first in, first out"
                    )
            except BaseException as error:  # noqa: BLE001 - kept: it would end the run as an error of trio
                chosen = 0
                self._keep(error)
            if chosen < count:
                task = waiting[chosen]
                overtaken = -1
                if chosen:
                    overtaken = waiting[0]._counter
                    self.taken[point] = chosen
                self.trace.append((point, now, task._counter, task.name, overtaken, count, options))
                del waiting[chosen]
                batch[:] = (task,)
            else:
                self.taken[point] = JUMP
                self.trace.append((point, now, -1, "", waiting[0]._counter, count, options))
                batch.clear()
                self._jump(runner)
            if waiting:
                runner.runq.append(waiting[0])
        if own:
            batch += own

    def _take_own(self, new: list[Task], runner: Any) -> list[Task]:
        """Take out the tasks of trio itself, which run at once, always.

        These are the root of all tasks, and the one that runs what other threads hand in.
        """
        system = self._system
        if system is None:
            # Trio makes the second of them together with the main task: when that is there, both are.
            own = [task for task in new if task is not runner.main_task]
            if runner.main_task is not None:
                self._system = {runner.init_task, *own}
        else:
            own = [task for task in new if task in system]
        new[:] = [task for task in new if task not in own]
        return own

    def _begin(self, runner: Any) -> None:
        """Another run in the same block: its tasks are new, and its clock may be another."""
        self.runs += 1
        self._runner = runner
        self._waiting = []
        self._system = None
        clock = runner.clock
        virtual = isinstance(clock, MockClock) and clock.rate == 0.0
        self._clock = clock if virtual else None
        self._reach = self.horizon if virtual else -math.inf

    def _keep(self, error: BaseException) -> None:
        self.error = error
        self._choose = _first_in_first_out
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
        tasks = sorted(runner.tasks - (self._system or set()), key=_age)
        if tasks and not any(_waits_outside(task) for task in tasks):
            assert self.on_idle is not None
            self.on_idle(tasks)


def _first_in_first_out(_point: int, _tasks: Sequence[Task], _options: int) -> int:
    return 0


def _age(task: Task) -> int:
    return task._counter


def _waits_outside(task: Task) -> bool:
    return any(
        frame.f_globals.get("__name__", "").startswith(_OUTSIDE) for frame, _line in task.iter_await_frames()
    )


def unshield(tasks: list[Task]) -> None:
    """Let a cancellation reach tasks that shield themselves from it, and would wait for ever."""
    for task in tasks:
        status: Any = task._cancel_status
        while status is not None:
            status._scope.shield = False
            status = status._parent


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
    arrange: Callable[[list[Task]], None] | None = None


_here = _Here()


class _Switch:
    """In the place of ``_ALLOW_DETERMINISTIC_SCHEDULING``: true for the threads that are controlled."""

    def __init__(self, before: object) -> None:
        self.before = before

    def __bool__(self) -> bool:
        return _here.arrange is not None or bool(self.before)


class _Order:
    """In the place of ``_r``: orders the batches of controlled threads, and is trio's own for all others."""

    def __init__(self, before: Any) -> None:
        self.before = before

    def shuffle(self, batch: list[Task]) -> None:
        arrange = _here.arrange
        if arrange is None:
            self.before.shuffle(batch)
            return
        try:
            arrange(batch)
        except Exception as error:
            # A private name is not what it was. Trio makes an internal error of this; `caused` looks into it.
            raise SchedulingError.of_trio(trio.__version__, f"{type(error).__name__}: {error}") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.before, name)


_lock = threading.Lock()
_users = 0
_NAMES = ("_r", "_ALLOW_DETERMINISTIC_SCHEDULING")
_KINDS = (_Order, _Switch)


def caused(error: BaseException) -> BaseException:
    """What is told of an exception: that trio cannot be controlled, if its internal error says so."""
    if isinstance(error, trio.TrioInternalError) and isinstance(error.__cause__, SchedulingError):
        return error.__cause__
    return error


def install(run: Run) -> None:
    """Let a run decide for this thread, until ``uninstall``.

    Raises:
        SchedulingError: This thread is controlled already, or is inside of a trio run; or trio has changed.
    """
    global _users  # noqa: PLW0603 - trio's own hook is global, so is who uses it
    if _here.arrange is not None:
        raise SchedulingError("this thread is controlled already: leave the outer block first")
    if getattr(loop.GLOBAL_RUN_CONTEXT, "runner", None) is not None:
        raise SchedulingError(
            "a trio run is under way in this thread, and only runs that start inside of the block are "
            "controlled: make the test a plain function, not an async one"
        )
    with _lock:
        if not _users:
            names = vars(loop)
            missing = [name for name in _NAMES if name not in names]
            if missing:
                raise SchedulingError.of_trio(
                    trio.__version__, f"trio._core._run has no {', '.join(missing)}"
                )
            for name, kind in zip(_NAMES, _KINDS, strict=True):
                names[name] = kind(names[name])
        _users += 1
    _here.arrange = run.arrange


def uninstall() -> None:
    """Leave this thread alone again; and trio, if no other thread is controlled."""
    global _users  # noqa: PLW0603 - see install
    _here.arrange = None
    with _lock:
        _users -= 1
        if not _users:
            names = vars(loop)
            for name, kind in zip(_NAMES, _KINDS, strict=True):
                # Trio's own plugin for hypothesis may have put something else there meanwhile.
                if isinstance(names[name], kind):
                    names[name] = names[name].before
