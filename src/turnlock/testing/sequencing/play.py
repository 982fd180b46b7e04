"""One story, played to one agent: steps in, violations out.

Owns what is done when. Under trio the agent's time is virtual, and settled means that all its tasks wait.
Under asyncio and in threads time is real, and settled means that the agent has nothing left to do but what
the test holds, or that nothing has happened for a while; no rule depends on that guess. What must hold of a
request is ``oracle``'s, how a story ends is ``ending``'s.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import trio.testing
from attrs import define, field

from turnlock.hosts.loops import LoopThread, Task, in_thread, wait
from turnlock.strict import Asked, Exchange
from turnlock.testing.gates import Fate, Gates
from turnlock.testing.loopback_server import loopback
from turnlock.testing.provider import Hold, Provider
from turnlock.testing.scheduling import Deviations, Run, Schedule, controlled
from turnlock.testing.sequencing import steps
from turnlock.testing.sequencing.harness import Agent, Factory, Harness, loop_of
from turnlock.testing.sequencing.oracle import Rule, Violation, judge
from turnlock.testing.sequencing.record import Made, Record, Said, Taken
from turnlock.testing.sequencing.steps import Answer, Step
from turnlock.testing.sequencing.story import Story, numbered
from turnlock.testing.sequencing.times import Passing, Real, Virtual
from turnlock.testing.sequencing.watching import watch
from turnlock.testing.transcript import items

_STILL = 0.004  # seconds without any event
_PAUSE = 0.4  # seconds that an agent may be silent before the story goes on without it
_PATIENCE = 5.0  # seconds that a turn may stand still in which nothing is left to do
_LONG = 20.0  # seconds that settling takes at most
_REST = Answer()


@define(eq=False, repr=False)
class Play:
    """A story, step by step: ``with Play(factory) as play: play.do(User("U1"))``.

    Args:
        factory: Makes the agent's adapter.
        schedule: Who chooses the order of the agent's tasks, if it runs under trio.
        ignore: Rules that are not asked.

    Attributes:
        agent: The adapter.
        gates: The gated tools.
        asks: The approvals that the user is asked for.
        provider: The strict provider.
        time: How time passes.
        record: What an observer knows.
        story: What happened, in words.
        played: What was done.
        marks: How many choice points of the schedule came before each step.
        turn: The task of the turn under way, or of the last one.
        interrupted: When the turn under way was interrupted.
        odd: What was seen to be wrong while it happened.
    """

    factory: Factory
    schedule: Schedule | None = None
    ignore: frozenset[Rule] = frozenset()
    agent: Agent = field(init=False)
    provider: Provider = field(init=False)
    gates: Gates = field(init=False)
    asks: Gates = field(init=False)
    time: Passing = field(factory=Real, init=False)
    record: Record = field(factory=Record, init=False)
    story: Story = field(init=False)
    played: list[Step] = field(factory=list, init=False)
    marks: list[int] = field(factory=list, init=False)
    turn: Task | None = field(default=None, init=False)
    interrupted: float | None = field(default=None, init=False)
    odd: list[Violation] = field(factory=list, init=False)
    _lock: threading.Condition = field(factory=threading.Condition, init=False)
    _events: int = field(default=0, init=False)
    _stack: ExitStack = field(factory=ExitStack, init=False)
    _loop: LoopThread | None = field(default=None, init=False)
    _run: Run | None = field(default=None, init=False)  # what became of the schedule
    _answers: deque[Answer] = field(factory=deque, init=False)
    _holds: list[Hold] = field(factory=list, init=False)
    _saying: list[tuple[Said, Task]] = field(factory=list, init=False)
    _asking: list[Task] = field(factory=list, init=False)  # interrupts
    _not_before: float | None = field(default=None, init=False)  # what the provider named
    _freed: int = field(default=0, init=False)  # the step in which that lost its force
    _pressed: float = field(default=math.inf, init=False)  # when the user stopped something last
    _fair: bool = field(default=False, init=False)
    _judged: int = field(default=0, init=False)

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.provider = stack.enter_context(loopback(answer=self._answer))
            self.provider.subscribe(lambda _change: self._happened())
            self.gates = Gates(self._happened, self._now)
            self.asks = Gates(self._happened, self._now)
            self.story = Story(self.record)
            self.agent = self.factory(Harness(self.provider, self.gates, self.asks))
            self.record.kept = self.grace if getattr(self.agent, "keeps", False) else None
            library = loop_of(self.agent)
            if library == "trio":
                self.time = Virtual(self._quiet)
            if library is not None:
                clock = self.time.clock if isinstance(self.time, Virtual) else None
                self._loop = stack.enter_context(LoopThread(library, clock, self._controlled))
            stack.enter_context(self._live())
            stack.callback(self._free)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
        except BaseException as other:
            if error is None:
                raise
            if other is not error:
                error.add_note(f"and when the agent was closed: {other!r}")

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
            if self._loop is not None and hasattr(agent, "aclose"):
                self._loop.call(agent.aclose)

    def _free(self) -> None:
        """Hold nothing any more: what runs on must not keep a thread."""
        self.let_answers_go()
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

    def problems(self) -> list[str]:
        """What the adapter itself finds wrong."""
        return list(self._optional("problems") or ())

    def _optional(self, name: str) -> Any:  # noqa: ANN401  # whatever the adapter's method gives
        method = getattr(self.agent, name, None)
        return None if method is None else method()

    # ── the steps ───────────────────────────────────────────────────────────────────────────────────

    @property
    def deviations(self) -> Deviations:
        """How the schedule has deviated from first in, first out."""
        return Deviations() if self._run is None else self._run.deviations

    def do(self, step: Step) -> None:
        """Do a step, wait until the agent has settled, and judge what it did.

        Raises:
            Violation: A rule is broken.
        """
        self.played.append(step)
        self.marks.append(0 if self._run is None else self._run.points)
        with self.telling():
            if isinstance(step, steps.Advance):
                self.story.step(step)
                self.pass_by(step.seconds, lambda: False)
            else:
                self.act(partial(self._step, step))
            self.look()
            if self.interrupted is not None and self._stands() and not self.come_to_rest():
                what = "the user interrupted the turn, and it never ends, although nothing holds it"
                self.raise_first([Violation(Rule.PROGRESS, what)])
                self.give_up()

    def _step(self, step: Step) -> None:
        _DO[type(step)](self, step)

    def _together(self, step: steps.Together) -> None:
        for each in step.steps:
            self._step(each)

    def raise_first(self, found: Iterable[Violation]) -> None:
        """Raise the first violation of a rule that is asked.

        Raises:
            Violation: There is one.
        """
        for violation in found:
            if violation.rule not in self.ignore:
                raise violation

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Put the story into a violation that is found within."""
        try:
            yield
        except Violation as violation:
            if not violation.story:
                self.story.wrong(violation.what)
                violation.story = tuple(numbered(self.story.lines))
            raise

    def at_rest(self) -> bool:
        """No turn is under way, and nothing that was said is still being handed over."""
        tasks = [task for _said, task in self._saying] + self._asking
        if not (self.turn is None or self.turn.done) or not all(task.done for task in tasks):
            return False
        return not self._optional("busy")

    def turn_error(self) -> BaseException | None:
        """What the last turn raised."""
        return None if self.turn is None else self.turn.error

    def _user(self, step: steps.User) -> None:
        if not self.at_rest():
            return
        self.story.step(step)
        self.interrupted = None
        with self._lock:
            self._answers = deque(step.answers)
        self._not_before, self._freed = None, len(self.played)
        said = Said(step.text, instant=len(self.played))
        self.record.said.append(said)
        self.turn = self._spawn(partial(self.agent.turn, step.text))
        self._saying.append((said, self.turn))

    def _send(self, step: steps.Send) -> None:
        send = getattr(self.agent, "send", None)
        if send is None or self.turn is None or self.turn.done:
            return
        self.story.step(step)
        said = Said(step.text, step.mode or "send", len(self.played))
        self.record.said.append(said)
        if step.mode == "interrupt":
            self._press()
        self._saying.append((said, self._spawn(partial(send, step.text, *([step.mode] * bool(step.mode))))))

    def _interrupt(self, step: steps.Interrupt) -> None:
        if self.turn is None or self.turn.done:
            return
        self.story.step(step)
        self.interrupted = self._now() if self.interrupted is None else self.interrupted
        self._press()
        interrupt = getattr(self.agent, "interrupt", None)
        if interrupt is None or step.cancel:
            self.turn.cancel()
        else:
            self._asking.append(self._spawn(interrupt))

    def _open(self, step: steps.Open) -> None:
        if step.step in self.gates.waiting:
            self.story.step(step, source="Tools")
            self.gates.open(step.step)

    def _fail(self, step: steps.Fail) -> None:
        if step.step in self.gates.waiting:
            self.story.step(step, source="Tools")
            self.gates.fail(step.step, f"failure of {step.step}")

    def _stubborn(self, step: steps.Stubborn) -> None:
        if step.step in self.soft:
            self.story.step(step, source="Tools")
            self.gates.make_stubborn(step.step)

    def _approve(self, step: steps.Approve) -> None:
        if step.step not in self.asks.waiting:
            return
        self.story.step(step)
        if step.allow:
            self.asks.open(step.step)
        else:
            self.asks.fail(step.step)

    def _release(self, step: steps.Release) -> None:
        if self.held_answers:
            self.story.step(step, source="Model")
            self.held_answers[0].release()

    # ── looking, and letting go ─────────────────────────────────────────────────────────────────────

    @property
    def soft(self) -> list[str]:
        """The waiting tools that would stop if they were cancelled."""
        return [v.step for v in self.gates.visits if v.fate is Fate.WAITS and not (v.opened or v.stubborn)]

    @property
    def held_answers(self) -> list[Hold]:
        """The answers that stand still."""
        open_ = {exchange.number for exchange in self.provider.in_flight}
        with self._lock:
            return [hold for hold in self._holds if not hold.released and hold.number in open_]

    def let_answers_go(self) -> None:
        """Let every answer go on that stands still or will."""
        with self._lock:
            holds, self._holds = self._holds, []
            self._answers.clear()
        for hold in holds:
            hold.release()

    def let_tools_go(self) -> None:
        """Let every tool return, and every question be answered with yes."""
        self.asks.open_all()
        self.gates.open_all()

    def pass_by(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Let time pass until it becomes so; whether it did."""
        became = self.time.pass_by(seconds, until, self._loop)
        self._raise_of_schedule()
        return became

    def come_to_rest(self) -> bool:
        """Let time pass until no turn is under way; whether it came to that.

        In real time an agent at which nothing moves is given up earlier than a slow one.
        """
        with self.fairly():
            if isinstance(self.time, Virtual):
                return self.pass_by(self.time.ages, self.at_rest)
            patience = getattr(self.agent, "patience", _PATIENCE)
            end, since = self._now() + self.time.ages, self._now()
            while not self.pass_by(_PAUSE, self.at_rest):
                since = since if self._stands() else self._now()
                if self._now() > min(end, since + patience):
                    return False
            return True

    def _stands(self) -> bool:
        """A turn is under way, and nothing moves or waits for the test."""
        waits = self.gates.waiting or self.asks.waiting or self.provider.in_flight
        return not self.at_rest() and not waits

    def give_up(self) -> None:
        """The turn hangs: cancel its task, and go on without it."""
        for task in (self.turn, *self._asking, *(task for _said, task in self._saying)):
            if task is not None:
                task.cancel()
        self.act(lambda: None)
        self.turn, self._asking, self._saying = None, [], []

    def look(self) -> None:
        """Note what became of messages, and judge every request that has come in since.

        Raises:
            Violation: A rule is broken.
        """
        told = self._note_messages()
        self._note_calls()
        try:
            for exchange in self.provider.exchanges[self._judged :]:
                self._judged += 1
                self._judge(exchange)
        finally:
            for what in told:
                self.story.agent(what)
        self.raise_first(watch(self))

    def _judge(self, exchange: Exchange) -> None:
        entries = items(exchange.whole)
        literal = "" if exchange.refusal is None else exchange.refusal.message
        said = [made.step for made in self.record.made.values() if made.answer == exchange.number]
        self.story.request(exchange.number, entries, said, f"{exchange.status} {literal}" if literal else "")
        if literal:
            what = f"request {exchange.number}: {exchange.status} {literal}"
            self.raise_first([Violation(Rule.REFUSED, what, literal)])
        else:
            self.raise_first(judge(self.record, exchange.number, entries))

    def _note_messages(self) -> list[str]:
        """Note what became of messages; what the user is told of it."""
        told = []
        for said, task in tuple(self._saying):
            if not task.done:
                continue
            self._saying.remove((said, task))
            if task.error is not None:
                said.taken = Taken.STOPPED if not said.mode else Taken.REJECTED
                told.append(f"{said.text}: {task.error!r}")
            else:
                said.taken = Taken.STOPPED if task.future.cancelled() else Taken.ACCEPTED
        returned = set(self._optional("returned") or ())
        for said in self.record.said:
            if said.text in returned:
                said.taken = Taken.RETURNED
        return told

    def _note_answers(self) -> None:
        """All tasks wait: an answer that was sent whole, and begun to be read, was read to its end."""
        self._note_calls()
        whole = {one.number for one in self.provider.exchanges if one.ended == "complete"}
        self.record.read |= {made.answer for made in self.record.made.values() if made.begun} & whole

    def _note_calls(self) -> None:
        for visit in self.gates.visits[sum(len(made.visits) for made in self.record.made.values()) :]:
            if visit.step in self.record.made:  # else the model of somebody else has called it
                self.record.made[visit.step].visits.append(visit)
        for ask in self.asks.visits:
            self.record.made[ask.step].asked = True
        if self.deadline is None:
            return
        # Real clocks are coarse: half of a deadline may have been the whole of it.
        limit = self.deadline * (0.5 if isinstance(self.time, Real) else 1.0)
        for made in self.record.made.values():
            if made.pressed is None and self._now() >= made.at + limit:
                made.pressed = made.at + limit

    def _press(self) -> None:
        """Whatever runs now may be stopped."""
        self._note_calls()
        self._not_before, self._freed = None, len(self.played)
        self._pressed = self._now()
        for made in self.record.made.values():
            if not made.visits or any(visit.fate is Fate.WAITS for visit in made.visits):
                made.pressed = self._now() if made.pressed is None else made.pressed

    # ── settling ────────────────────────────────────────────────────────────────────────────────────

    def act(self, action: Callable[[], object]) -> None:
        """Do something to the agent, and wait until it has done what it can do.

        In virtual time both happen in the agent's loop, at one moment: another thread would come at any.
        """
        if isinstance(self.time, Virtual):
            assert self._loop is not None, "virtual time is trio's"
            self._loop.call(partial(self._act, action))
            self._raise_of_schedule()
            self._note_answers()
        else:
            action()
            self._settle()

    async def _act(self, action: Callable[[], object]) -> None:
        action()
        await self._quiet()

    async def _quiet(self) -> None:
        """Until all tasks wait. Whoever is told so may find some awake: the schedule may have jumped."""
        while True:
            await trio.testing.wait_all_tasks_blocked()
            if self._run is None or self._run.alone:
                return

    def _settle(self) -> None:
        end = time.monotonic() + _LONG
        silence = time.monotonic() + _PAUSE
        while time.monotonic() < end:
            with self._lock:
                seen = self._events
            if self._loop is not None:
                self._loop.settle()
            with self._lock:
                if not self._lock.wait_for(lambda: self._events != seen, _STILL) and (  # noqa: B023
                    self._waits_for_us() or time.monotonic() > silence
                ):
                    return
                if self._events != seen:
                    silence = time.monotonic() + _PAUSE

    def _waits_for_us(self) -> bool:
        """Nothing is on its way but what the test holds."""
        if self.at_rest():
            return True
        moving = len(self.provider.in_flight) - sum(hold.reached for hold in self.held_answers)
        return moving == 0 and bool(self.gates.waiting or self.asks.waiting or self.held_answers)

    def _raise_of_schedule(self) -> None:
        """What the schedule raised when it was asked: hypothesis ends an example so."""
        if self._run is not None and self._run.error is not None:
            raise self._run.error

    def _spawn(self, function: Callable[[], Any]) -> Task:
        task = in_thread(function) if self._loop is None else self._loop.spawn(function)
        task.future.add_done_callback(lambda _done: self._happened())
        return task

    def _now(self) -> float:
        return self.time.now()

    def _happened(self) -> None:
        with self._lock:
            self._events += 1
            self._lock.notify_all()

    # ── the model ───────────────────────────────────────────────────────────────────────────────────

    def _answer(self, _asked: Asked) -> Mapping[str, Any]:
        """What the model says to the request that has just come in; in whichever thread that is."""
        with self._lock:
            number = len(self.provider.exchanges) + 1
            self._see(number)
            answer = self._answers.popleft() if self._answers else _REST
            if answer.status is not None:
                if answer.retry_after is not None:
                    self._not_before = self._now() + answer.retry_after
                later = {} if answer.retry_after is None else {"retry_after": answer.retry_after}
                return {"status": answer.status, "message": "the model is not well", **later}
            said: dict[str, Any] = {"text": "Well."} if answer.text or not answer.calls else {}
            if answer.calls:
                said["calls"] = [self._call(answer, number) for _ in range(answer.calls)]
            length = len(said.get("calls", ())) + ("text" in said)
            if answer.breaks is not None:
                said["cut_after"] = min(answer.breaks, length)
            if answer.holds is not None:
                hold = self.provider.hold(items=min(answer.holds, length) or None)
                self._holds.append(hold)
        return said

    def _see(self, number: int) -> None:
        """Judge the moment at which a request comes in."""
        # What the user does in this very step may have come behind the provider's answer, and begin anew.
        fresh = self._freed == len(self.played)
        if self._not_before is not None and self._now() < self._not_before and not fresh:
            early = self._not_before - self._now()
            what = f"request {number} came {early:g} s before the time that the provider had named"
            self.odd.append(Violation(Rule.TOO_SOON, what))
        self._not_before = None
        others = [one.number for one in self.provider.in_flight]
        # An aborted request that does not unwind within the grace, because it is starved, is left behind.
        left = self.grace is not None and self._now() >= self._pressed + self.grace
        if others and not left and isinstance(self.time, Virtual):  # a server hears late that a client left
            what = f"request {number} left while the answer to request {others[0]} was under way"
            self.odd.append(Violation(Rule.TWO_AT_ONCE, what))

    def _call(self, answer: Answer, number: int) -> Mapping[str, Any]:
        made = Made(_letters(len(self.record.made)), number, self._now())
        self.record.made[made.step] = made
        call: dict[str, Any] = {
            "name": "risky" if answer.risky else "work",
            "arguments": {"step": made.step},
        }
        return call | {"id": f"call_{number}"} if answer.one_id else call


def _pass_on(begun: Future[None], done: Future[Any]) -> None:
    if begun.done():
        return
    error = None if done.cancelled() else done.exception()
    begun.set_exception(error or RuntimeError("the adapter ended before it began"))


def _letters(number: int) -> str:
    """How calls are named: a, b, … z, aa, ab, …."""
    before, last = divmod(number, 26)
    return (_letters(before - 1) if before else "") + chr(ord("a") + last)


_DO: Mapping[type, Callable[[Play, Any], None]] = {
    steps.Together: Play._together,  # noqa: SLF001
    steps.User: Play._user,  # noqa: SLF001  # the table of the class stands behind it
    steps.Send: Play._send,  # noqa: SLF001
    steps.Open: Play._open,  # noqa: SLF001
    steps.Fail: Play._fail,  # noqa: SLF001
    steps.Stubborn: Play._stubborn,  # noqa: SLF001
    steps.Approve: Play._approve,  # noqa: SLF001
    steps.Interrupt: Play._interrupt,  # noqa: SLF001
    steps.Release: Play._release,  # noqa: SLF001
}
