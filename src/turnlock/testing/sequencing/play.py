"""One story, played to one agent: steps in, violations out.

Owns what is done when, and the books. Where it is played, and what "settled" means, is ``stage``'s; what must
hold of a request is ``oracle``'s; how a story ends is ``ending``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from attrs import define, evolve, field

from turnlock.hosts.loops import Task
from turnlock.strict import Exchange
from turnlock.testing.gates import Fate
from turnlock.testing.scheduling import Deviations, Schedule
from turnlock.testing.sequencing import steps
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.model import PlayedModel
from turnlock.testing.sequencing.oracle import Rule, Violation, judge, overdue, watch
from turnlock.testing.sequencing.record import Record, Said, Taken
from turnlock.testing.sequencing.stage import PAUSE, Stage
from turnlock.testing.sequencing.steps import Step
from turnlock.testing.sequencing.story import Story, numbered
from turnlock.testing.sequencing.times import Real, Virtual
from turnlock.testing.transcript import items

_SILENCE = 120.0  # seconds of virtual time that an agent may wait for nothing but time: retries
_PATIENCE = 5.0  # seconds that a turn may stand still in which nothing is left to do


@define(eq=False, repr=False)
class Play:
    """A story, step by step: ``with Play(factory) as play: play.do(User("U1"))``.

    Args:
        factory: Makes the agent's adapter.
        schedule: Who chooses the order of the agent's tasks, if it runs under trio.
        ignore: Rules that are not asked.

    Attributes:
        stage: Where it is played.
        model: The model behind the provider.
        record: What an observer knows.
        story: What happened, in words.
        played: What was done.
        marks: How many choice points of the schedule came before each step.
        calls: How many calls had been made before it.
        turn: The task of the turn under way, or of the last one.
        interrupted: When the turn under way was interrupted.
        hit: The calls whose tools ran then.
        interrupts: How often the user interrupted in this story.
    """

    factory: Factory
    schedule: Schedule | None = None
    ignore: frozenset[Rule] = frozenset()
    record: Record = field(factory=Record, init=False)
    story: Story = field(init=False)
    model: PlayedModel = field(init=False)
    stage: Stage = field(init=False)
    played: list[Step] = field(factory=list, init=False)
    marks: list[int] = field(factory=list, init=False)
    calls: list[int] = field(factory=list, init=False)
    turn: Task | None = field(default=None, init=False)
    interrupted: float | None = field(default=None, init=False)
    hit: set[str] = field(factory=set, init=False)
    interrupts: int = field(default=0, init=False)
    _saying: list[tuple[Said, Task]] = field(factory=list, init=False)
    _asking: list[Task] = field(factory=list, init=False)  # interrupts
    _stopping: list[tuple[int, Task]] = field(factory=list, init=False)  # and how many calls there were
    _judged: int = field(default=0, init=False)
    _noted: int = field(default=0, init=False)  # runs of tools

    def __attrs_post_init__(self) -> None:
        self.story = Story(self.record)
        self.model = PlayedModel(self.record, self._now)
        self.stage = Stage(self.factory, self.schedule, self.model, self.at_rest)

    def __enter__(self) -> Self:
        self.stage.open()
        self.record.kept = self.stage.grace if getattr(self.stage.agent, "keeps", False) else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stage.close()
        except BaseException as other:
            if error is None:
                raise
            if other is not error:
                error.add_note(f"and when the agent was closed: {other!r}")

    @property
    def deviations(self) -> Deviations:
        """How the schedule has deviated from first in, first out."""
        return self.stage.deviations

    def _now(self) -> float:
        return self.stage.now()

    # ── the steps ───────────────────────────────────────────────────────────────────────────────────

    def do(self, step: Step) -> None:
        """Do a step, wait until the agent has settled, and judge what it did.

        Raises:
            Violation: A rule is broken.
        """
        self.played.append(step)
        self.model.step = len(self.played)
        self.marks.append(self.stage.points)
        self.calls.append(len(self.record.made))
        with self.telling():
            if isinstance(step, steps.Advance):
                self.story.step(step)
                self.stage.pass_by(step.seconds, lambda: False)
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
        for number, each in enumerate(step.steps):
            self.story.joined = number > 0
            self._step(each)
        self.story.joined = False

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
        return not self.stage.optional("busy")

    def turn_error(self) -> BaseException | None:
        """What the last turn raised."""
        return None if self.turn is None else self.turn.error

    def _user(self, step: steps.User) -> None:
        if not self.at_rest():
            return
        self.story.step(step)
        self.interrupted, self.hit = None, set()
        self.model.will_say(step.answers)
        mode = getattr(self.stage.agent, "turn_mode", "turn")
        said = Said(step.text, mode, opens=True, instant=len(self.played))
        self.record.said.append(said)
        self.turn = self.stage.spawn(partial(self.stage.agent.turn, step.text))
        self._saying.append((said, self.turn))

    def _send(self, step: steps.Send) -> None:
        send = getattr(self.stage.agent, "send", None)
        if send is None or not self._goes_on():
            return
        self.story.step(step)
        said = Said(step.text, step.mode or "send", instant=len(self.played))
        self.record.said.append(said)
        stops = step.mode == "interrupt"
        if stops:
            self._press()
        task = self.stage.spawn(partial(send, step.text, *([step.mode] * bool(step.mode))))
        self._saying.append((said, task))
        if stops:
            self._stops_until(task)

    def _interrupt(self, step: steps.Interrupt) -> None:
        interrupt = getattr(self.stage.agent, "interrupt", None)
        own = self.turn if self.turn is not None and not self.turn.done else None
        if not self._goes_on() or (own is None and interrupt is None):
            return
        until = own if interrupt is None or step.cancel else None
        self.story.step(evolve(step, cancel=until is not None))
        self.interrupts += 1
        self.interrupted = self._now() if self.interrupted is None else self.interrupted
        self.hit |= {visit.step for visit in self.stage.gates.visits if visit.fate is Fate.WAITS}
        self._press()
        if until is None:
            assert interrupt is not None, "asked above"
            until = self.stage.spawn(interrupt)
            self._asking.append(until)
        else:
            until.cancel()
        self._stops_until(until)

    def _goes_on(self) -> bool:
        """A turn is under way, also one that a message has opened: only some agents can tell."""
        return (self.turn is not None and not self.turn.done) or bool(self.stage.optional("busy"))

    def _open(self, step: steps.Open) -> None:
        if step.step in self.stage.gates.waiting:
            self.story.step(step, source="Tools")
            self.stage.gates.open(step.step)

    def _fail(self, step: steps.Fail) -> None:
        if step.step in self.stage.gates.waiting:
            self.story.step(step, source="Tools")
            self.stage.gates.fail(step.step, f"failure of {step.step}")

    def _stubborn(self, step: steps.Stubborn) -> None:
        if step.step in self.stage.soft:
            self.story.step(step, source="Tools")
            self.stage.gates.make_stubborn(step.step)

    def _approve(self, step: steps.Approve) -> None:
        if step.step not in self.stage.asks.waiting:
            return
        self.story.step(step)
        if step.allow:
            self.stage.asks.open(step.step)
        else:
            self.stage.asks.fail(step.step)

    def _release(self, step: steps.Release) -> None:
        if self.model.held:
            self.story.step(step, source="Model")
            self.model.held[0].release()

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    def act(self, action: Callable[[], object]) -> None:
        """Do something to the agent, and wait until it has settled."""
        self.stage.act(action)
        if isinstance(self.stage.time, Virtual):
            self._note_answers()

    def come_to_rest(self) -> bool:
        """Let time pass until no turn is under way; whether it came to that.

        In real time an agent at which nothing moves is given up earlier than a slow one.
        """
        with self.stage.fairly():
            if isinstance(self.stage.time, Virtual):
                # A timeout of ten minutes may rescue a turn that was forgotten: that is no progress.
                if self.stage.pass_by(_SILENCE, self.at_rest):
                    return True
                return not self._stands() and self.stage.pass_by(self.stage.time.ages, self.at_rest)
            patience = getattr(self.stage.agent, "patience", _PATIENCE)
            end, since = self._now() + self.stage.time.ages, self._now()
            while not self.stage.pass_by(PAUSE, self.at_rest):
                since = since if self._stands() else self._now()
                if self._now() > min(end, since + patience):
                    return False
            return True

    def _stands(self) -> bool:
        """A turn is under way, and nothing moves or waits for the test."""
        waits = self.stage.gates.waiting or self.stage.asks.waiting or self.stage.provider.in_flight
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
        self._note_turn()
        self._note_calls()
        try:
            for exchange in self.stage.provider.exchanges[self._judged :]:
                self._judged += 1
                self._judge(exchange)
        finally:
            for what in told:
                self.story.agent(what)
        stage = self.stage
        self.raise_first(self.model.odd)
        # A message that is sent may open a turn; only an agent that says so knows whether one is under way.
        knows = hasattr(stage.agent, "busy") or not hasattr(stage.agent, "send")
        self.raise_first(watch(self.record, over=self.at_rest() and knows))
        if isinstance(stage.time, Virtual) and stage.deadline is not None:
            self.raise_first(overdue(self.record, stage.deadline, self._now()))

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
                said.taken = Taken.STOPPED if said.opens else Taken.REJECTED
                what = "turn" if said.opens else "send"
                told.append(f"{what}({said.text!r}) raises {task.error!r}")
            else:
                said.taken = Taken.STOPPED if task.future.cancelled() else Taken.ACCEPTED
        returned = set(self.stage.optional("returned") or ())
        for said in self.record.said:
            if said.text in returned:
                said.taken = Taken.RETURNED
        return told

    def _note_turn(self) -> None:
        """A turn that has ended by itself, and well, has read the answers to its requests."""
        turn = self.turn
        if turn is not None and turn.done and turn.error is None and not turn.future.cancelled():
            self.record.read |= self.model.whole_answers() if self.model.undisturbed else set()

    def _note_answers(self) -> None:
        """All tasks wait: an answer that was sent whole, and begun to be read, was read to its end."""
        self._note_calls()
        whole = {one.number for one in self.stage.provider.exchanges if one.ended == "complete"}
        self.record.read |= {made.answer for made in self.record.made.values() if made.begun} & whole

    def _note_calls(self) -> None:
        visits = self.stage.gates.visits[self._noted :]
        self._noted += len(visits)
        for visit in visits:
            if visit.step in self.record.made:  # else nobody's model has called it
                self.record.made[visit.step].visits.append(visit)
        for ask in self.stage.asks.visits:
            if ask.step in self.record.made:
                self.record.made[ask.step].asked = True
        for known, task in self._stopping:
            if not task.done:
                self._press_since(known)
        if self.stage.deadline is None:
            return
        # Real clocks are coarse: half of a deadline may have been the whole of it.
        limit = self.stage.deadline * (0.5 if isinstance(self.stage.time, Real) else 1.0)
        for made in self.record.made.values():
            if made.pressed is None and self._now() >= made.at + limit:
                made.pressed = made.at + limit

    def _press(self) -> None:
        """Whatever runs now may be stopped."""
        self._note_calls()
        self.model.stopped()
        for made in self.record.made.values():
            if not made.visits or any(visit.fate is Fate.WAITS for visit in made.visits):
                made.pressed = self._now() if made.pressed is None else made.pressed

    def _stops_until(self, task: Task) -> None:
        """An agent may hear of an interrupt later; calls that it has made by then may be stopped, too."""
        known = len(self.record.made)
        self._stopping = [each for each in self._stopping if not each[1].done]
        self._stopping.append((known, task))
        task.future.add_done_callback(lambda _done: self._press_since(known))

    def _press_since(self, known: int) -> None:
        for made in list(self.record.made.values())[known:]:
            made.pressed = made.at if made.pressed is None else made.pressed


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
