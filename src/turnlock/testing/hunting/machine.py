"""The hypothesis state machine that plays random stories to an agent.

Owns which stories are tried, and how they are told apart from each other: rules for every step, offered only
where they can do something. ``sequencing_test(factory)`` is the front door; nobody needs to subclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import ClassVar, TypeAlias
from unittest import TestCase

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from turnlock.testing.scheduling import Schedule, schedules
from turnlock.testing.sequencing.ending import finish
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Rule, Violation, rules
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import (
    Advance,
    Answer,
    Approve,
    Fail,
    Instant,
    Interrupt,
    Open,
    Release,
    Send,
    Step,
    Stubborn,
    Together,
    User,
)
from turnlock.testing.sequencing.times import Real

Found: TypeAlias = Callable[[Play, Violation], object]
"""Told of every violation that was found, also while it is made smaller."""

EXAMPLES = 100
"""Stories of one test."""
STEPS = 25
"""Steps of one story, at most."""

_INDEX = st.integers(0, 5)
_THINGS = ("interrupts", "returns", "raises", "adds", "goes on", "allows", "denies")
_REAL_STEPS = 10  # of a story in real time: each waits until the agent has settled
_CALLS_MAX = 40  # in one story: enough for every rule, and bodies stay small


class StoryMachine(RuleBasedStateMachine):
    """Plays one story. ``sequencing_test`` makes the subclass that knows the agent."""

    factory: ClassVar[Factory]
    schedules: ClassVar[st.SearchStrategy[Schedule]]
    found: ClassVar[Found | None] = None
    began: ClassVar[Callable[[], object] | None] = None
    ended: ClassVar[Callable[[Play], object] | None] = None
    ignore: ClassVar[frozenset[Rule]] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.play: Play | None = None
        self.failed = False
        self.said = 0

    # ── beginning and end ───────────────────────────────────────────────────────────────────────────

    @initialize(schedule=st.runner().flatmap(lambda machine: type(machine).schedules))
    def begin(self, schedule: Schedule) -> None:
        """Open the agent."""
        began = type(self).began
        if began is not None:
            began()
        play = Play(type(self).factory, schedule, type(self).ignore)
        self.play = play.__enter__()  # left in teardown

    def teardown(self) -> None:
        """End the story, unless it has come to a bad end before."""
        play, self.play = self.play, None
        if play is None:
            return
        with ExitStack() as stack:
            stack.push(play)  # entered in begin
            if self.failed:
                return
            self._watch(play, lambda: finish(play))
            ended = type(self).ended
            if ended is not None:
                ended(play)

    def _watch(self, play: Play, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            self.failed = True
            found = type(self).found
            if isinstance(error, Violation) and found is not None:
                found(play, error)
            raise

    @property
    def playing(self) -> Play:
        """The story under way."""
        assert self.play is not None, "begin runs first"
        return self.play

    # ── what may be done ────────────────────────────────────────────────────────────────────────────

    def may(self, sensible: object) -> bool:
        """Whether a rule is offered. In real time all are: what may be drawn must not depend on timing."""
        return bool(sensible) or isinstance(self.playing.stage.time, Real)

    def _do(self, step: Step | None) -> None:
        """Do a step, if there is one: a rule that has nothing to do its thing to does nothing."""
        play = self.playing
        if step is None or (isinstance(play.stage.time, Real) and len(play.played) >= _REAL_STEPS):
            return
        self._watch(play, lambda: play.do(step))

    def _new_text(self) -> str:
        self.said += 1
        return f"U{self.said}"

    def _made(self, kind: str, index: int) -> Instant | None:
        """The thing of this kind that can happen now; which of several says the index."""
        play = self.playing
        waiting, asked, modes = (
            play.stage.gates.waiting,
            play.stage.asks.waiting,
            getattr(play.stage.agent, "modes", ("",)),
        )
        made: Instant | None = None
        if kind in {"returns", "raises"} and waiting:
            step = waiting[index % len(waiting)]
            made = Open(step) if kind == "returns" else Fail(step)
        elif kind in {"allows", "denies"} and asked:
            made = Approve(asked[index % len(asked)], kind == "allows")
        elif kind == "goes on" and play.model.held:
            made = Release()
        elif kind == "adds" and hasattr(play.stage.agent, "send") and not play.at_rest():
            made = Send(self._new_text(), modes[index % len(modes)])
        elif kind == "interrupts" and not play.at_rest():
            made = Interrupt(cancel=index % 2 == 0 or not hasattr(play.stage.agent, "interrupt"))
        return made

    # ── what the user does ──────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.may(self.playing.at_rest()))
    @rule(answers=st.runner().flatmap(lambda machine: _answers(machine.playing)))
    def user_says(self, answers: tuple[Answer, ...]) -> None:
        """The user says something, and a turn begins."""
        if self.playing.at_rest():
            self._do(User(self._new_text(), answers))

    @precondition(
        lambda self: self.may(not self.playing.at_rest()) and hasattr(self.playing.stage.agent, "send")
    )
    @rule(index=_INDEX)
    def user_adds(self, index: int) -> None:
        """The user says something while a turn is under way."""
        self._do(self._made("adds", index))

    @precondition(lambda self: self.may(not self.playing.at_rest()))
    @rule(index=_INDEX)
    def user_interrupts(self, index: int) -> None:
        """The user interrupts the turn."""
        self._do(self._made("interrupts", index))

    @precondition(lambda self: self.may(self.playing.stage.asks.waiting) and _asks(self.playing))
    @rule(index=_INDEX, allows=st.booleans())
    def user_answers(self, index: int, allows: bool) -> None:  # noqa: FBT001  # drawn by name
        """The user allows a call, or denies it."""
        self._do(self._made("allows" if allows else "denies", index))

    # ── what tools, model and clock do ──────────────────────────────────────────────────────────────

    @precondition(lambda self: self.may(self.playing.stage.gates.waiting))
    @rule(index=_INDEX)
    def tool_returns(self, index: int) -> None:
        """A tool returns."""
        self._do(self._made("returns", index))

    @precondition(lambda self: self.may(self.playing.stage.gates.waiting))
    @rule(index=_INDEX)
    def tool_raises(self, index: int) -> None:
        """A tool raises."""
        self._do(self._made("raises", index))

    @precondition(lambda self: self.may(self.playing.stage.soft) and _has_bounds(self.playing))
    @rule(index=_INDEX)
    def tool_will_not_stop(self, index: int) -> None:
        """A tool will swallow its cancellation."""
        soft = self.playing.stage.soft
        self._do(Stubborn(soft[index % len(soft)]) if soft else None)

    @precondition(lambda self: self.may(self.playing.model.held))
    @rule()
    def answer_goes_on(self) -> None:
        """An answer that stands still goes on."""
        self._do(self._made("goes on", 0))

    @precondition(lambda self: self.may(not self.playing.at_rest()) and bool(_waits(self.playing)))
    @rule(seconds=st.runner().flatmap(lambda machine: st.sampled_from(_waits(machine.playing))))
    def time_passes(self, seconds: float) -> None:
        """Time passes."""
        self._do(None if self.playing.at_rest() else Advance(seconds))

    @precondition(lambda self: self.may(not self.playing.at_rest()))
    @rule(things=st.lists(st.tuples(st.sampled_from(_THINGS), _INDEX), min_size=2, max_size=3))
    def at_once(self, things: list[tuple[str, int]]) -> None:
        """Several things happen in one instant."""
        made = [self._made(kind, index) for kind, index in things]
        steps = tuple(step for step in made if step is not None)
        if len(steps) > 1:
            self._do(Together(steps))


# ── what an agent can do ────────────────────────────────────────────────────────────────────────────────


def _answers(play: Play) -> st.SearchStrategy[tuple[Answer, ...]]:
    """What the model says in one turn, from the plain to the odd."""
    if len(play.record.made) > _CALLS_MAX:
        return st.just(())
    agent = play.stage.agent
    risky = st.booleans() if _asks(play) else st.just(value=False)
    kinds = [
        st.builds(Answer, calls=st.integers(1, 3), text=st.booleans(), risky=risky),
        st.builds(Answer, calls=st.integers(0, 2), text=st.booleans(), holds=st.integers(0, 2)),
    ]
    if getattr(agent, "retries", False):
        kinds += [
            st.builds(Answer, calls=st.integers(0, 2), text=st.booleans(), breaks=st.integers(0, 3)),
            st.builds(Answer, status=st.just(500)),
            st.builds(Answer, status=st.just(429), retry_after=st.sampled_from(_later(play))),
        ]
    if getattr(agent, "repeated_ids", False):
        kinds.append(st.builds(Answer, calls=st.integers(2, 3), one_id=st.just(value=True)))
    return st.lists(st.one_of(kinds), max_size=3).map(tuple)


def _later(play: Play) -> list[float | None]:
    """When the provider wants to be asked again; in real time that would be waited for."""
    return [None] if isinstance(play.stage.time, Real) else [None, 5.0]


def _asks(play: Play) -> bool:
    return bool(getattr(play.stage.agent, "approvals", False))


def _has_bounds(play: Play) -> bool:
    return play.stage.deadline is not None or play.stage.grace is not None


def _waits(play: Play) -> list[float]:
    """How long time may pass: around the deadline of tools, if they have one; shortly, where that is free."""
    free = [] if isinstance(play.stage.time, Real) else [1.0]
    if play.stage.deadline is None:
        return free
    return [
        *free,
        play.stage.deadline / 2,
        play.stage.deadline + (play.stage.grace or 0.0),
        2 * play.stage.deadline,
    ]


# ── the front door ──────────────────────────────────────────────────────────────────────────────────────


def story_machine(
    factory: Factory,
    *,
    found: Found | None = None,
    began: Callable[[], object] | None = None,
    ended: Callable[[Play], object] | None = None,
    drawn: st.SearchStrategy[Schedule] | None = None,
    ignore: Iterable[Rule | str] = (),
) -> type[StoryMachine]:
    """The state machine of one agent.

    Args:
        factory: Makes the adapter.
        found: Told of every violation, also while hypothesis makes it smaller.
        began: Called before every story.
        ended: Called behind every story in which nothing was wrong.
        drawn: Which schedules are tried; default: ``schedules()``.
        ignore: Rules that are not asked.
    """
    named = getattr(factory, "__name__", type(factory).__name__)
    body = {
        "factory": staticmethod(factory),
        "schedules": schedules() if drawn is None else drawn,
        "found": None if found is None else staticmethod(found),
        "began": None if began is None else staticmethod(began),
        "ended": None if ended is None else staticmethod(ended),
        "ignore": rules(ignore),
        "__module__": __name__,
    }
    return type(f"StoriesOf{named}", (StoryMachine,), body)


def sequencing_test(
    factory: Factory,
    *,
    examples: int = EXAMPLES,
    steps: int = STEPS,
    schedule: st.SearchStrategy[Schedule] | None = None,
    ignore: Iterable[Rule | str] = (),
) -> type[TestCase]:
    """A test case that plays random stories to an agent and judges every request that leaves it.

    ``TestMyAgent = sequencing_test(MyAdapter)`` in a test module is all that pytest or unittest needs. A
    failure tells the shortest story that was found, and the provider's own words if it refused.

    Args:
        factory: Makes the agent's adapter, given a ``Harness``; see ``Agent`` for what it may offer.
        examples: Stories of one run.
        steps: Steps of a story, at most.
        schedule: Which schedules are tried where the agent runs under trio; default: ``schedules()``.
        ignore: Names of rules that are not asked; see ``Rule`` for all of them.

    Raises:
        TypeError: The factory cannot be called.
        ValueError: There is no such rule.
    """
    if not callable(factory):
        raise TypeError(f"{factory!r} makes no adapter: give a class or a function that takes a Harness")
    made: type[TestCase] = story_machine(factory, drawn=schedule, ignore=ignore).TestCase
    made.settings = settings(  # type: ignore[attr-defined]  # hypothesis reads it there
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,  # an agent may be slow: that is no failure
        suppress_health_check=list(HealthCheck),
    )
    return made
