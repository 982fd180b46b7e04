"""Where a story is played: the agent, its loop in a thread, its provider, its gates, and time.

Owns the threads and what "settled" means. Under trio the agent's time is virtual, and settled means that all
its tasks wait. Under asyncio and in threads time is real, and settled means that the agent has nothing left
to do but what the test holds, or that nothing has happened for a while; no rule depends on that guess.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import trio.testing
from attrs import define, field

from turnlock.hosts.loops import LoopThread, Task, in_thread, wait
from turnlock.testing.gates import Fate, Gates
from turnlock.testing.loopback_server import loopback
from turnlock.testing.provider import Provider
from turnlock.testing.scheduling import Deviations, Run, Schedule, controlled
from turnlock.testing.sequencing.harness import Agent, Factory, Harness, loop_of
from turnlock.testing.sequencing.model import PlayedModel
from turnlock.testing.sequencing.oracle import Rule, Violation
from turnlock.testing.sequencing.times import Passing, Real, Virtual

_STILL = 0.004  # seconds without any event
PAUSE = 0.4
"""Seconds that an agent may be silent before the story goes on without it."""
_LONG = 20.0  # seconds that settling, beginning and ending take at most


@define(eq=False, repr=False)
class Stage:
    """The stage of one story.

    Attributes:
        factory: Makes the agent's adapter.
        schedule: Who chooses the order of the agent's tasks, if it runs under trio.
        model: The model behind the provider.
        rests: Whether no turn is under way.
        agent: The adapter.
        gates: The gated tools.
        asks: The approvals that the user is asked for.
        provider: The strict provider.
        time: How time passes.
    """

    factory: Factory
    schedule: Schedule | None
    model: PlayedModel
    rests: Callable[[], bool]
    agent: Agent = field(init=False)
    provider: Provider = field(init=False)
    gates: Gates = field(init=False)
    asks: Gates = field(init=False)
    time: Passing = field(factory=Real, init=False)
    _lock: threading.Condition = field(factory=threading.Condition, init=False)
    _events: int = field(default=0, init=False)
    _stack: ExitStack = field(factory=ExitStack, init=False)
    _loop: LoopThread | None = field(default=None, init=False)
    _run: Run | None = field(default=None, init=False)  # what became of the schedule
    _fair: bool = field(default=False, init=False)

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """Make the agent, and start its loop."""
        with ExitStack() as stack:
            self.provider = stack.enter_context(loopback(answer=self.model.answer))
            self.model.provider = self.provider
            self.provider.subscribe(lambda _change: self._happened())
            self.gates = Gates(self._happened, self.now)
            self.asks = Gates(self._happened, self.now)
            self.agent = self.factory(Harness(self.provider, self.gates, self.asks))
            library = loop_of(self.agent)
            if library == "trio":
                self.time = Virtual(self._quiet)
                # In real time nobody can tell: a server hears late that its client has left.
                self.model.overlap = math.inf if self.grace is None else self.grace
            if library is not None:
                clock = self.time.clock if isinstance(self.time, Virtual) else None
                self._loop = stack.enter_context(LoopThread(library, clock, self._controlled))
            stack.enter_context(self._live())
            stack.callback(self._free)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Hold nothing any more, and end the agent and its loop."""
        self._fair = True  # this comes from another thread, at any moment: no choice in it can be made again
        self._stack.close()

    @contextmanager
    def _controlled(self) -> Iterator[None]:
        """In the thread of the loop: under trio, the schedule chooses."""
        if isinstance(self.time, Real):
            yield
            return
        # A jump is a choice as far as the deadlines of tools go: what is later is left to the story.
        horizon = 0.0 if self.deadline is None else self.deadline + (self.grace or 0.0)
        with controlled(self, horizon=horizon) as self._run:
            yield

    def choose(self, point: int, tasks: Sequence[Any], options: int) -> int:
        """The schedule's choice; first in, first out without one, and where bounds of time are judged."""
        if self._fair or self.schedule is None:
            return 0
        return self.schedule.choose(point, tasks, options)

    @contextmanager
    def fairly(self) -> Iterator[None]:
        """Nobody is starved meanwhile: a schedule that lets time pass by a waiting task breaks all bounds."""
        self._fair = True
        try:
            yield
        finally:
            self._fair = False

    @contextmanager
    def _live(self) -> Iterator[None]:
        """The adapter is entered and left, if it can be, in one task of its loop."""
        agent: Any = self.agent
        if self._loop is not None and hasattr(agent, "__aenter__"):
            begun: Future[None] = Future()
            over: Future[None] = Future()

            async def live() -> None:
                async with agent:
                    if isinstance(self.time, Virtual):
                        await self._quiet()
                    begun.set_result(None)
                    await wait(over)

            task = self._loop.spawn(live)
            task.future.add_done_callback(partial(_pass_on, begun))
            begun.result(_LONG)
            try:
                yield
            finally:
                over.set_result(None)
                task.future.result(_LONG)
        elif hasattr(agent, "__enter__"):
            with agent:
                yield
        else:
            yield
            if self._loop is not None and hasattr(agent, "aclose") and not self._loop.deaf:
                self._loop.call(agent.aclose)

    def _free(self) -> None:
        self.model.let_go()
        self.let_tools_go()

    # ── what the adapter says of itself ─────────────────────────────────────────────────────────────

    @property
    def deadline(self) -> float | None:
        """Seconds that the agent gives a tool."""
        given: float | None = getattr(self.agent, "deadline", None)
        return given

    @property
    def grace(self) -> float | None:
        """Seconds that it gives a tool that was asked to stop."""
        given: float | None = getattr(self.agent, "grace", None)
        return given

    def optional(self, name: str) -> Any:  # noqa: ANN401  # whatever it gives
        """What a method of the adapter says, if it has it."""
        method = getattr(self.agent, name, None)
        return None if method is None else method()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def deviations(self) -> Deviations:
        """How the schedule has deviated from first in, first out."""
        return Deviations() if self._run is None else self._run.deviations

    @property
    def points(self) -> int:
        """How many choice points of the schedule there were."""
        return 0 if self._run is None else self._run.points

    @property
    def soft(self) -> list[str]:
        """The waiting tools that would stop if they were cancelled."""
        return [v.step for v in self.gates.visits if v.fate is Fate.WAITS and not (v.opened or v.stubborn)]

    def now(self) -> float:
        """The time of the story, in seconds."""
        return self.time.now()

    def let_tools_go(self) -> None:
        """Let every tool return, and every question be answered with yes."""
        self.asks.open_all()
        self.gates.open_all()

    def pass_by(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Let time pass until it becomes so; whether it did."""
        became = self.time.pass_by(seconds, until, self._loop)
        self._raise_of_schedule()
        return became

    # ── acting ───────────────────────────────────────────────────────────────────────────────────────

    def act(self, action: Callable[[], object]) -> None:
        """Do something to the agent, and wait until it has done what it can do.

        In virtual time both happen in the agent's loop, at one moment: another thread would come at any.
        """
        if isinstance(self.time, Virtual):
            assert self._loop is not None, "virtual time is trio's"
            self._loop.call(partial(self._act, action))
            self._raise_of_schedule()
        else:
            action()
            self._settle()

    async def _act(self, action: Callable[[], object]) -> None:
        action()
        await self._quiet()

    async def _quiet(self) -> None:
        """Until all tasks wait. Whoever is told so may find some awake: the schedule may have jumped."""
        patience = time.monotonic() + _LONG
        while True:
            await trio.testing.wait_all_tasks_blocked()
            held = sum(visit.blocking and visit.fate is Fate.WAITS for visit in self.gates.visits)
            if trio.testing.active_thread_count() > held and time.monotonic() < patience:
                # An SDK asks a thread something: virtual time must not pass, so the loop stands still.
                time.sleep(_STILL)  # noqa: ASYNC251
            elif self._run is None or self._run.alone:
                return

    def _settle(self) -> None:
        end = time.monotonic() + _LONG
        silence = time.monotonic() + PAUSE
        while time.monotonic() < end:
            with self._lock:
                seen = self._events
            if self._loop is not None:
                self._let_it_run(self._loop)
            with self._lock:
                if not self._lock.wait_for(lambda: self._events != seen, _STILL) and (  # noqa: B023
                    self._waits_for_us() or time.monotonic() > silence
                ):
                    return
                if self._events != seen:
                    silence = time.monotonic() + PAUSE

    @staticmethod
    def _let_it_run(loop: LoopThread) -> None:
        try:
            loop.settle()
        except TimeoutError:
            what = "something of the agent blocks its event loop: nothing else can run in it"
            raise Violation(Rule.PROGRESS, what) from None

    def _waits_for_us(self) -> bool:
        """Nothing is on its way but what the test holds."""
        if self.rests():
            return True
        moving = len(self.provider.in_flight) - sum(hold.reached for hold in self.model.held)
        return moving == 0 and bool(self.gates.waiting or self.asks.waiting or self.model.held)

    def _raise_of_schedule(self) -> None:
        """What the schedule raised when it was asked: hypothesis ends an example so."""
        if self._run is not None and self._run.error is not None:
            raise self._run.error

    def spawn(self, function: Callable[[], Any]) -> Task:
        """Start something of the agent in its loop, or in a thread where it has none."""
        task = in_thread(function) if self._loop is None else self._loop.spawn(function)
        task.future.add_done_callback(lambda _done: self._happened())
        return task

    def _happened(self) -> None:
        with self._lock:
            self._events += 1
            self._lock.notify_all()


def _pass_on(begun: Future[None], done: Future[Any]) -> None:
    if begun.done():
        return
    error = None if done.cancelled() else done.exception()
    begun.set_exception(error or RuntimeError("the adapter ended before it began"))
