"""Running tools: tasks, cancel scopes, deadlines, grace, and what is left behind.

A tool runs in a nursery that lives as long as the session; the turn waits for the call's terminal state,
not for the task. Cancel scopes do the cancelling, the engine's state does the gating: so a tool that
shields itself, swallows cancellation or blocks a thread cannot hold the turn beyond deadline + grace (R8).

A time that has come is checked against what runs: a return that stands in the inbox came first, and wins.

A session inside a tool is bounded by it (C26): its tools get no more grace than is left of the outer call's,
and at that instant theirs is over first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import get_ident
from typing import Any

import trio
from attrs import define, field
from trio.lowlevel import TrioToken, current_trio_token

from turnlock.engine import Cause, Invocation, Limits, inputs
from turnlock.runtime.watchdog import ALWAYS, Watchdog
from turnlock.tools.context import ToolContext, enter_call
from turnlock.tools.declare import DEFAULT, Tool
from turnlock.tools.output import cap, describe, render
from turnlock.wire.common.jsontext import mended

_LEAK_CHECK = 0.05  # seconds after the gate opened: a tool that ends in this time was no leak (grace 0)
_STALL = 0.1  # seconds by which a time must be missed before we speak of a stall

Post = Callable[[inputs.Input], None]


@define(eq=False)
class Run(ToolContext):
    """A tool at work; what the tool itself may see of it is the ``ToolContext``.

    Attributes:
        tool: The tool.
        owner: The supervisor.
        started: When it was started, on trio's clock.
        scope: Cancels its task.
        heard: When it last said something; None when it has not.
        expired: Its deadline is over.
        asked: When it was asked to stop.
        until: When its grace is over.
        left_behind: It is.
        printed: What it said so far.
        over: Its end was posted: no time means anything to it any more.
        in_thread: Its function's thread has not ended.
        abandoned: Its task has left its thread behind.
        leaked: It was reported as a leak.
        inner: The tools of sessions that run inside it.
    """

    tool: Tool
    owner: Supervisor
    started: float
    scope: trio.CancelScope
    heard: float | None = None
    expired: bool = False
    asked: float | None = None
    until: float | None = None
    left_behind: bool = False
    printed: list[str] | None = None
    over: bool = False
    in_thread: bool = False
    abandoned: bool = False
    leaked: bool = False
    inner: list[Supervisor] | None = None

    def output(self, text: str = "") -> None:
        """See ``ToolContext``."""
        if text:
            if self.printed is None:
                self.printed = []
            text = mended(text)
            self.printed.append(text)
        if get_ident() == self.owner.loop_thread:
            self.owner.hear(self, text)
        else:  # a plain function's thread, or one that the tool has started itself
            self.owner.tell_loop(self.owner.hear, self, text)


@define(eq=False)
class Supervisor:
    """The tools of one session.

    Attributes:
        session: The session's id.
        limits: The session's limits.
        spawn: Starts a task of the session.
        clock: The current time, in seconds, on trio's clock.
        epoch: The session's time zero on it.
        watchdog: Calls back when a time has come.
        post: Takes an input in.
        told: Called with ``output``, ``leaked``, ``freed``, ``stalled`` or ``broken`` when something happens
            that no input of a tool says.
        keep: Called with the whole of an output that is too long for the model.
        outer: The call in whose tool this session runs.
        running: The tools at work by ordinal, leaks included.
        loop: The loop of the session.
        loop_thread: The thread that it runs in.
    """

    session: str
    limits: Limits
    spawn: Callable[..., None]
    clock: Callable[[], float]
    epoch: float
    watchdog: Watchdog
    post: Post
    told: Callable[[str, Run, Any], None]
    keep: Callable[[int, str], None]
    outer: Run | None
    running: dict[int, Run] = field(factory=dict, init=False)
    loop: TrioToken = field(factory=current_trio_token, init=False)
    loop_thread: int = field(factory=get_ident, init=False)
    _timed: set[float] = field(factory=set, init=False)  # deadlines, in seconds, that a timer runs for
    _tasks: int = field(default=0, init=False)
    _idle: trio.Event | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self.outer is not None:
            self.outer.inner = [*(self.outer.inner or ()), self]

    # ── commands ────────────────────────────────────────────────────────────────────────────────────

    def run(self, invocation: Invocation, tool: Tool, arguments: dict[str, Any]) -> None:
        """Start a tool; the record that it started is durable."""
        now, ordinal = self.clock(), invocation.call.ordinal
        deadline, idle = tool.deadline, tool.idle_deadline
        if deadline is DEFAULT:
            deadline = self.limits.deadline
        if idle is DEFAULT:
            idle = self.limits.idle_deadline
        run = Run(invocation, self.session, deadline, tool, self, now, trio.CancelScope())
        self.running[ordinal] = run
        if deadline is not None and deadline not in self._timed:
            self._time(deadline, now)
        if idle is not None:
            self.watchdog.push(now + idle, partial(self._maybe_idle, idle), ordinal, self.running)
        self._tasks += 1
        self.spawn(self._work, run, arguments, name=tool.name)

    def _time(self, deadline: float, since: float) -> None:
        """Set the one timer of all tools with this deadline: they are due in the order of their starts."""
        self._timed.add(deadline)
        self.watchdog.push(since + deadline, partial(self._deadlines_over, deadline), 0, ALWAYS)

    def stop(self, invocation: Invocation) -> None:
        """Ask a tool to stop, and open the gate when its grace is over."""
        run = self.running.get(invocation.call.ordinal)
        if run is None or run.over:
            return  # its end stands in the inbox
        run.asked = self.clock()
        self._bound(run, run.asked + self.limits.grace)
        if not run.in_thread:  # a thread cannot be cancelled: it may ask `stopping`, and has its grace
            run.scope.cancel(reason=invocation.stop_cause)

    def hurry(self) -> None:
        """The session is being closed: what was asked to stop before gets no more than is left outside."""
        for run in self.running.values():
            if run.until is not None and not run.over:
                self._bound(run, run.until)

    def _bound(self, run: Run, until: float) -> None:
        """The gate opens at this time, or with the outer call's."""
        outer = self.outer
        if outer is not None and outer.until is not None and not outer.over:
            until = min(until, outer.until)
        if run.until is None or until < run.until:
            run.until = until
            self.watchdog.push(until, self._grace_over, run.call.ordinal, self.running)

    @property
    def leaks(self) -> list[Run]:
        """Tools that run on though their calls are over."""
        return [run for run in self.running.values() if run.call.outcome is not None]

    async def wait_tasks_ended(self) -> None:
        """Return when no tool's task runs any more; a thread that was abandoned is not waited for."""
        while self._tasks:
            self._idle = trio.Event()
            await self._idle.wait()

    # ── a tool's task ───────────────────────────────────────────────────────────────────────────────

    async def _work(self, run: Run, arguments: dict[str, Any]) -> None:
        tool = run.tool
        enter_call(run)
        if tool.context is not None:
            arguments[tool.context] = run
        try:
            with run.scope:
                value = await (
                    tool.function(**arguments) if tool.is_async else self._in_thread(run, arguments)
                )
            if not run.scope.cancelled_caught:
                self._returned(run, value)
            elif not run.abandoned:  # a thread is only abandoned when its grace is over: that was posted
                self._stopped(run)
        except Exception as error:  # noqa: BLE001  # whatever a tool raises is its output (R9)
            self._raised(run, error)
        except BaseException as error:
            cancelled = _cancellation(error)
            if cancelled is not None:  # the session's own tasks are being cancelled
                self._stopped(run)
                raise cancelled from None
            run.over = True  # Ctrl-C, SystemExit: it leaves through the session, and the turn is over
            self.told("broken", run, describe(error))
            self._raised(run, error)
            raise
        finally:
            self._tasks -= 1
            if not self._tasks and self._idle is not None:
                self._idle.set()
            if not run.abandoned:
                self._forget(run)

    async def _in_thread(self, run: Run, arguments: dict[str, Any]) -> Any:  # noqa: ANN401  # the tool's value
        """Run a plain function in a thread; one that is abandoned says by itself when it ends."""
        function = partial(run.tool.function, **arguments)

        def work() -> tuple[Any]:
            try:
                value = function()
            except BaseException as error:
                self.tell_loop(self._thread_ended, run, error, None)
                raise
            self.tell_loop(self._thread_ended, run, None, value)
            return (value,)  # as it is: trio takes a coroutine for a mistake

        # Cancelled before this line, there was no thread. Behind it trio looks no more before it starts one.
        await trio.lowlevel.checkpoint_if_cancelled()
        run.in_thread = True
        # A limiter of its own: an abandoned thread keeps its token, and must not keep another call's.
        limiter = trio.CapacityLimiter(1)
        try:
            (value,) = await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        except trio.Cancelled:
            run.abandoned = run.in_thread
            raise
        # A plain wrapper of an async function has only made what is to be awaited.
        return await value if inspect.isawaitable(value) else value

    def _thread_ended(self, run: Run, error: BaseException | None, value: object) -> None:
        run.in_thread = False
        if not run.abandoned:
            return  # its task has the value
        if inspect.iscoroutine(value):
            value.close()
        if error is None:
            self._returned(run, value)  # late: recorded, and without effect
        else:
            self._raised(run, error)
        self._forget(run)

    def _returned(self, run: Run, value: object) -> None:
        call = run.call.call
        try:
            text, native = render(value, call.kind)
        except Exception as error:  # noqa: BLE001  # a value may have any code of its own
            self._raised(run, error)
            return
        if len(text) * 4 > self.limits.output_cap:  # a character takes four bytes at most
            short = self._capped(call.ordinal, text)
            if short is not text:
                text, native = short, None
        self._end(run, inputs.Returned(self.clock() - self.epoch, call.ordinal, text, native))

    def _raised(self, run: Run, error: BaseException) -> None:
        ordinal, text = run.call.ordinal, describe(error)
        self._end(run, inputs.Raised(self._now(), ordinal, self._capped(ordinal, text), self._partial(run)))

    def _stopped(self, run: Run) -> None:
        self._end(run, inputs.Stopped(self._now(), run.call.ordinal, self._partial(run)))

    def _partial(self, run: Run) -> str:
        """What it said so far, as the model may read it."""
        return self._capped(run.call.ordinal, "".join(run.printed)) if run.printed else ""

    def _capped(self, ordinal: int, text: str) -> str:
        """A text, or what the model gets of it when it is too long; the whole is then kept (C27)."""
        short = cap(text, self.limits.output_cap)
        if short is None:
            return text
        self.keep(ordinal, text)
        return short

    def _end(self, run: Run, ending: inputs.Returned | inputs.Raised | inputs.Stopped) -> None:
        run.over = True
        if run.deadline is not None and run.asked is None:
            due, now = run.started + run.deadline, ending.at + self.epoch
            if now > due:  # and nobody has asked it to stop: it held the loop, and the watchdog with it
                self._check_stall(run, due, now)
        self.post(ending)

    def _forget(self, run: Run) -> None:
        del self.running[run.call.ordinal]
        if run.leaked:
            self.told("freed", run, self.clock() - (run.asked or run.started))

    def hear(self, run: Run, text: str) -> None:
        """A tool said something."""
        run.heard = self.clock()
        if text and run.call.outcome is None:
            self.told("output", run, text)

    def tell_loop(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in the event loop, from a thread; nothing when the loop is gone."""
        with suppress(trio.RunFinishedError):
            self.loop.run_sync_soon(function, *args)

    def close(self) -> None:
        """Nothing runs in here any more that the outer call would have to end."""
        if self.outer is not None and self.outer.inner is not None:
            self.outer.inner.remove(self)

    def _now(self) -> float:
        return self.clock() - self.epoch

    # ── times that have come ────────────────────────────────────────────────────────────────────────

    def _deadlines_over(self, deadline: float, _key: int, _when: float, now: float) -> None:
        self._timed.remove(deadline)
        for run in tuple(self.running.values()):
            if run.deadline != deadline or run.over or run.expired:
                continue
            due = run.started + deadline
            if due > now:
                self._time(deadline, run.started)
                return
            run.expired = True
            self._check_stall(run, due, now)
            self.post(inputs.StopAsked(now - self.epoch, run.call.ordinal, Cause.DEADLINE))

    def _maybe_idle(self, idle: float, ordinal: int, when: float, now: float) -> None:
        run = self.running[ordinal]
        if run.over:
            return
        self._check_stall(run, when, now)
        due = (run.started if run.heard is None else run.heard) + idle
        if now >= due:  # the very sum that the watchdog compares: another rounding would never let it go on
            self.post(inputs.StopAsked(now - self.epoch, ordinal, Cause.IDLE))
        else:
            self.watchdog.push(due, partial(self._maybe_idle, idle), ordinal, self.running)

    def _grace_over(self, ordinal: int, when: float, now: float) -> None:
        run = self.running[ordinal]
        if run.over or run.left_behind:
            return
        run.left_behind = True
        self._check_stall(run, when, now)
        for inner in run.inner or ():
            inner.grace_over(now)
        self.post(inputs.GraceOver(now - self.epoch, ordinal, self._partial(run)))
        self.watchdog.push(now + _LEAK_CHECK, self._leaks, ordinal, self.running)
        if run.in_thread:
            run.scope.cancel(reason="its grace is over")

    def grace_over(self, now: float) -> None:
        """The outer call's grace is over, and so is that of every tool that was asked to stop in here."""
        for run in tuple(self.running.values()):
            if run.asked is not None:
                self._grace_over(run.call.ordinal, now, now)

    def _leaks(self, ordinal: int, _when: float, now: float) -> None:
        run = self.running[ordinal]
        if not run.over:
            run.leaked = True
            self.told("leaked", run, now - (run.asked or now))

    def _check_stall(self, run: Run, when: float, now: float) -> None:
        """Code that blocks the loop cannot be bounded by anybody in this process; it can be named."""
        if now - when > _STALL:
            self.told("stalled", run, now - when)


def _cancellation(error: BaseException) -> BaseException | None:
    """What of an error says that its task is being cancelled; None when it says more than that."""
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        return cancelled if rest is None or isinstance(rest, Exception) else None
    return error if isinstance(error, trio.Cancelled) else None
