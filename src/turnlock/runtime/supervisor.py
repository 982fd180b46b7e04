"""Running tools: tasks, cancel scopes, deadlines, grace, and what is left behind.

A tool runs in a nursery that lives as long as the session; the turn waits for the call's terminal state,
not for the task. Cancel scopes do the cancelling, the engine's state does the gating: so a tool that
shields itself, swallows cancellation or blocks a thread cannot hold the turn beyond deadline + grace (R8).

A time that has come is checked against what runs: a return that stands in the inbox came first, and wins.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import trio
from attrs import define, field
from trio.lowlevel import TrioToken, current_trio_token

from turnlock.engine import Cause, Invocation, Limits, inputs
from turnlock.runtime.watchdog import Watchdog
from turnlock.tools.context import ToolContext, enter_call
from turnlock.tools.declare import Default, Tool
from turnlock.tools.output import Unsayable, cap, describe, render

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
        asked: When it was asked to stop.
        printed: What it said so far.
        over: Its end was posted: no time means anything to it any more.
        thread: The loop to which its function's thread belongs, while that has not ended.
        abandoned: Its task has left its thread behind.
        leaked: It was reported as a leak.
    """

    tool: Tool
    owner: Supervisor
    started: float
    scope: trio.CancelScope
    heard: float | None = None
    asked: float | None = None
    printed: list[str] | None = None
    over: bool = False
    thread: TrioToken | None = None
    abandoned: bool = False
    leaked: bool = False

    @property
    def partial(self) -> str:
        """What it said so far."""
        return "".join(self.printed) if self.printed else ""

    def output(self, text: str = "") -> None:
        """See ``ToolContext``."""
        if text:
            if self.printed is None:
                self.printed = []
            self.printed.append(text)
        if self.thread is None:
            self.owner.hear(self, text)
        else:
            _tell(self.thread, self.owner.hear, self, text)


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
        told: Called with ``output``, ``leaked``, ``freed`` or ``stalled`` when something happens that no
            input says.
        keep: Called with the whole of an output that is too long for the model.
        running: The tools at work by ordinal, leaks included.
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
    running: dict[int, Run] = field(factory=dict, init=False)
    _tasks: int = field(default=0, init=False)
    _idle: trio.Event | None = field(default=None, init=False)

    # ── commands ────────────────────────────────────────────────────────────────────────────────────

    def run(self, invocation: Invocation, tool: Tool, arguments: dict[str, Any]) -> None:
        """Start a tool; the record that it started is durable."""
        now, ordinal = self.clock(), invocation.call.ordinal
        deadline, idle = self._bounds(tool)
        run = Run(invocation, self.session, deadline, tool, self, now, trio.CancelScope())
        self.running[ordinal] = run
        if deadline is not None:
            self.watchdog.push(now + deadline, self._deadline_over, ordinal, self.running)
        if idle is not None:
            self.watchdog.push(now + idle, self._maybe_idle, ordinal, self.running)
        self._tasks += 1
        self.spawn(self._work, run, arguments, name=tool.name)

    def _bounds(self, tool: Tool) -> tuple[float | None, float | None]:
        """Deadline and idle deadline of a tool, in seconds."""
        deadline, idle = tool.deadline, tool.idle_deadline
        return (
            self.limits.deadline if isinstance(deadline, Default) else deadline,
            self.limits.idle_deadline if isinstance(idle, Default) else idle,
        )

    def stop(self, invocation: Invocation) -> None:
        """Ask a tool to stop, and open the gate when its grace is over."""
        run = self.running.get(invocation.call.ordinal)
        if run is None or run.over:
            return  # its end stands in the inbox
        run.asked = self.clock()
        if run.thread is None:  # a thread cannot be cancelled: it may ask `stopping`, and has its grace
            run.scope.cancel(reason=invocation.stop_cause)
        self.watchdog.push(run.asked + self.limits.grace, self._grace_over, run.call.ordinal, self.running)

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
        enter_call(run)
        tool, ordinal = run.tool, run.call.ordinal
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
                self._end(run, inputs.Stopped(self._now(), ordinal, run.partial))
        except Exception as error:  # noqa: BLE001  # whatever a tool raises is its output (R9)
            self._raised(run, error)
        except trio.Cancelled:  # the session's own tasks are being cancelled
            self._end(run, inputs.Stopped(self._now(), ordinal, run.partial))
            raise
        except BaseException as error:
            self._raised(run, error)
            raise
        finally:
            self._tasks -= 1
            if not self._tasks and self._idle is not None:
                self._idle.set()
            if run.thread is None:
                self._forget(run)

    async def _in_thread(self, run: Run, arguments: dict[str, Any]) -> Any:  # noqa: ANN401  # the tool's value
        """Run a plain function in a thread; one that is abandoned says by itself when it ends."""
        token = run.thread = current_trio_token()
        function = partial(run.tool.function, **arguments)

        def work() -> Any:  # noqa: ANN401  # the tool's value
            try:
                value = function()
            except BaseException as error:
                _tell(token, self._thread_ended, run, error, None)
                raise
            _tell(token, self._thread_ended, run, None, value)
            return value

        # A limiter of its own: an abandoned thread keeps its token, and must not keep another call's.
        limiter = trio.CapacityLimiter(1)
        try:
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        except trio.Cancelled:
            run.abandoned = run.thread is not None
            raise

    def _thread_ended(self, run: Run, error: BaseException | None, value: object) -> None:
        run.thread = None
        if not run.abandoned:
            return  # its task has the value
        if error is None:
            self._returned(run, value)  # late: recorded, and without effect
        else:
            self._raised(run, error)
        self._forget(run)

    def _returned(self, run: Run, value: object) -> None:
        ordinal = run.call.ordinal
        try:
            text, native = render(value, run.call.call.kind)
        except Unsayable as error:
            self._end(run, inputs.Raised(self._now(), ordinal, f"TypeError: {error}", run.partial))
            return
        if len(text) * 4 > self.limits.output_cap:  # a character takes four bytes at most
            short = cap(text, self.limits.output_cap)
            if short is not None:
                self.keep(ordinal, text)
                text, native = short, None
        self._end(run, inputs.Returned(self._now(), ordinal, text, native))

    def _raised(self, run: Run, error: BaseException) -> None:
        self._end(run, inputs.Raised(self._now(), run.call.ordinal, describe(error), run.partial))

    def _end(self, run: Run, ending: inputs.Returned | inputs.Raised | inputs.Stopped) -> None:
        run.over = True
        if (
            run.asked is None
            and run.deadline is not None
            and ending.at + self.epoch > run.started + run.deadline
        ):
            # Past its deadline and nobody has asked it to stop: it held the loop, and the watchdog with it.
            self._check_stall(run, run.started + run.deadline, ending.at + self.epoch)
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

    def _now(self) -> float:
        return self.clock() - self.epoch

    # ── times that have come ────────────────────────────────────────────────────────────────────────

    def _deadline_over(self, ordinal: int, when: float, now: float) -> None:
        run = self.running[ordinal]
        if not run.over:
            self._check_stall(run, when, now)
            self.post(inputs.StopAsked(now - self.epoch, ordinal, Cause.DEADLINE))

    def _maybe_idle(self, ordinal: int, when: float, now: float) -> None:
        run = self.running[ordinal]
        _, idle = self._bounds(run.tool)
        if run.over or idle is None:
            return
        self._check_stall(run, when, now)
        heard = run.started if run.heard is None else run.heard
        if now - heard >= idle:
            self.post(inputs.StopAsked(now - self.epoch, ordinal, Cause.IDLE))
        else:
            self.watchdog.push(heard + idle, self._maybe_idle, ordinal, self.running)

    def _grace_over(self, ordinal: int, when: float, now: float) -> None:
        run = self.running[ordinal]
        if run.over:
            return
        self._check_stall(run, when, now)
        self.post(inputs.GraceOver(now - self.epoch, ordinal, run.partial))
        self.watchdog.push(now + _LEAK_CHECK, self._leaks, ordinal, self.running)
        if run.thread is not None:
            run.scope.cancel(reason="its grace is over")

    def _leaks(self, ordinal: int, _when: float, now: float) -> None:
        run = self.running[ordinal]
        if not run.over:
            run.leaked = True
            self.told("leaked", run, now - (run.asked or now))

    def _check_stall(self, run: Run, when: float, now: float) -> None:
        """Code that blocks the loop cannot be bounded by anybody in this process; it can be named."""
        if now - when > _STALL:
            self.told("stalled", run, now - when)


def _tell(token: TrioToken, function: Callable[..., object], *args: object) -> None:
    """Call a function in the event loop, from a thread; nothing when the loop is gone."""
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(function, *args)
