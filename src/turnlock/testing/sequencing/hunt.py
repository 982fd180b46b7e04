"""Stories within a budget of seconds; what was found, made small, told, and kept as a test.

Owns the search and the shrinking behind hypothesis's own: a finding is kept only if its steps alone bring it
about again. What a story is and what must hold are said elsewhere.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

import hypothesis
from attrs import define, evolve, field, frozen
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky, FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from turnlock.testing.scheduling import Deviations
from turnlock.testing.sequencing.ending import LAST, finish
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.machine import STEPS, story_machine
from turnlock.testing.sequencing.oracle import Rule, Violation, rules
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import Answer, Send, Step, Together, User

_MANY = 10_000_000
_SMALLER = 0.25  # of the budget goes at most into making a finding smaller than hypothesis made it
_AGAIN = 3  # how often a finding must show again
_STALE = 4.0  # seconds after which hypothesis is stopped if it makes a finding no smaller


@frozen
class Finding:
    """A story in which an agent breaks a rule.

    Attributes:
        rule: Which, in a word or two.
        what: What is wrong.
        literal: What the provider answered, if it refused.
        steps: The steps, to be played again.
        deviations: The schedule, where the agent runs under trio.
        story: What happened, a line each.
        mermaid: The same as a sequence diagram.
        marks: How many choice points of the schedule came before each step.
        again: How often it showed again, of how many times it was tried.
    """

    rule: Rule
    what: str
    literal: str
    steps: tuple[Step, ...]
    deviations: Deviations
    story: tuple[str, ...] = field(repr=False)
    mermaid: str = field(repr=False)
    marks: tuple[int, ...] = field(default=(), repr=False)
    again: tuple[int, int] = (0, 0)

    @property
    def size(self) -> tuple[int, int, int]:
        """Smaller is better told: deviations and steps, then what the model says."""
        said = sum(_size(step) for step in self.steps)
        return len(self.deviations) + len(self.steps), len(self.deviations), said


@frozen
class Hunted:
    """What became of a hunt.

    Attributes:
        finding: The smallest that was found; None when nothing was.
        stories: How many stories were played until the first was found, or in all.
        played: How many were played in all, also to make it smaller.
        seconds: How long it took, with making it smaller.
    """

    finding: Finding | None
    stories: int
    played: int
    seconds: float


class _Over(BaseException):
    """The budget is used up: hypothesis lets it pass, as it does a Ctrl-C."""


@define(eq=False)
class _Hunt:
    """A hunt under way."""

    factory: Factory
    until: float
    progress: Callable[[int, Finding | None], object]
    found: Finding | None = None
    stories: int = 0
    first: int = 0
    improved: float = 0.0

    def begin(self) -> None:
        """Before every story."""
        now = time.monotonic()
        if now >= self.until or (self.found is not None and now > self.improved + _STALE):
            raise _Over
        self.stories += 1
        self.progress(self.stories, self.found)

    def note(self, play: Play, violation: Violation) -> None:
        """A violation, also while hypothesis makes it smaller."""
        self.first = self.first or self.stories
        made = _finding(play, violation)
        if self.found is None or made.size < self.found.size:
            self.found = made
            self.improved = time.monotonic()


def hunt(
    factory: Factory,
    *,
    seconds: float | None = None,
    examples: int | None = None,
    seed: int | None = None,
    steps: int = STEPS,
    ignore: Iterable[Rule | str] = (),
    progress: Callable[[int, Finding | None], object] = lambda _stories, _found: None,
) -> Hunted:
    """Play random stories until one breaks a rule, and make it small.

    Args:
        factory: Makes the agent's adapter.
        seconds: How long to look, in all; None for as long as it takes.
        examples: How many stories; None for as many as the time allows.
        seed: For the same stories again; None for others each time.
        steps: Steps of a story, at most.
        ignore: Names of rules that are not asked.
        progress: Told before every story: how many were played, and the finding so far.

    Raises:
        Exception: The agent's adapter fails in a way that is no violation.
    """
    began = time.monotonic()
    until = began + seconds if seconds is not None else float("inf")
    ignored = rules(ignore)
    state = _Hunt(factory, until, progress)
    machine = story_machine(factory, found=state.note, began=state.begin, ignore=ignored)
    chosen = settings(
        max_examples=_MANY if examples is None else examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    numbers = count(random.SystemRandom().getrandbits(32) if seed is None else seed)
    while state.found is None:
        try:
            run_state_machine_as_test(hypothesis.seed(next(numbers))(machine), settings=chosen)
        except _Over:
            break
        except (Flaky, FlakyStrategyDefinition):
            continue  # in real time the same choices may lead elsewhere
        except Exception:
            if state.found is None:
                raise
        if examples is not None:
            break
    finding = None
    if state.found is not None:
        more = 60.0 if seconds is None else max(5.0, seconds * _SMALLER)
        finding = _Trying(factory, ignored).made_small(state.found, time.monotonic() + more)
    return Hunted(finding, state.first or state.stories, state.stories, time.monotonic() - began)


def hunt_all(
    factory: Factory,
    *,
    seconds: float,
    seed: int | None = None,
    ignore: Iterable[Rule | str] = (),
    progress: Callable[[int, Finding | None], object] = lambda _stories, _found: None,
) -> Iterator[Hunted]:
    """Hunt for one rule after the other: what was found is not asked again.

    Args:
        factory: Makes the agent's adapter.
        seconds: How long to look, in all.
        seed: For the same stories again.
        ignore: Names of rules that are not asked.
        progress: Told before every story: how many of this hunt were played, and the finding so far.

    Yields:
        What was found, as soon as it is small; the last one has found nothing.

    Raises:
        Exception: The agent's adapter fails in a way that is no violation.
    """
    until, ignored = time.monotonic() + seconds, rules(ignore)
    while True:
        left = max(0.1, until - time.monotonic())
        hunted = hunt(factory, seconds=left, seed=seed, ignore=ignored, progress=progress)
        yield hunted
        if hunted.finding is None:
            return
        ignored |= {hunted.finding.rule}


def replay(
    factory: Factory,
    steps: Sequence[Step],
    deviations: Deviations | None = None,
    *,
    ignore: Iterable[Rule | str] = (),
) -> None:
    """Play a story again: what ``turnlock fuzz`` writes into the tests that it keeps.

    Args:
        factory: Makes the agent's adapter.
        steps: The steps.
        deviations: The schedule, where the agent runs under trio.
        ignore: Names of rules that are not asked.

    Raises:
        Violation: A rule is still broken.
    """
    with Play(factory, deviations, rules(ignore)) as play:
        for step in steps:
            play.do(step)
        finish(play)


def _finding(play: Play, violation: Violation) -> Finding:
    steps = tuple(step for step in play.played if step != User(LAST))
    return Finding(
        violation.rule,
        violation.what,
        violation.literal,
        steps,
        play.deviations,
        violation.story,
        play.story.mermaid(),
        tuple(play.marks),
    )


@frozen
class _Trying:
    """Plays stories that are like a finding."""

    factory: Factory
    ignore: frozenset[Rule]

    def tried(self, steps: Sequence[Step], deviations: Deviations) -> Finding | None:
        """Play a story; what is wrong in it, if anything is."""
        with Play(self.factory, deviations, self.ignore) as play:
            try:
                for step in steps:
                    play.do(step)
                finish(play)
            except Violation as violation:
                return _finding(play, violation)
        return None

    def made_small(self, finding: Finding, until: float) -> Finding:
        """The smallest story nearby that breaks the same rule, as far as the time allows; tried again."""
        best, again = finding, True
        while again and time.monotonic() < until:
            again = False
            for steps, deviations in _nearby(best):
                made = self.tried(steps, deviations)
                if made is not None and made.rule == best.rule and made.size < best.size:
                    best, again = made, True
                    break
                if time.monotonic() >= until:
                    break
        best = self._renamed(best)
        shown = [self.tried(best.steps, best.deviations) for _ in range(_AGAIN)]
        return evolve(best, again=(sum(one is not None and one.rule == best.rule for one in shown), _AGAIN))

    def _renamed(self, finding: Finding) -> Finding:
        """The same with messages U1, U2, …: those that were left out have left gaps."""
        names = (f"U{number}" for number in count(1))
        steps = tuple(_named(step, names) for step in finding.steps)
        made = self.tried(steps, finding.deviations)
        return made if made is not None and made.rule == finding.rule else finding


def _nearby(finding: Finding) -> Iterator[tuple[tuple[Step, ...], Deviations]]:
    """Stories that have a little less: no schedule; a deviation, a step, an answer less."""
    steps, deviations = finding.steps, finding.deviations
    if len(deviations):
        yield steps, Deviations()
        for point, _choice in deviations:
            yield steps, Deviations({other: choice for other, choice in deviations if other != point})
    for number in reversed(range(len(steps))):
        fewer = steps[:number] + steps[number + 1 :]
        yield fewer, _without(finding, number)
        if len(deviations):
            yield fewer, Deviations()
    for number, step in enumerate(steps):
        if isinstance(step, Together):
            for each in step.steps:
                others = tuple(other for other in step.steps if other is not each)
                yield (*steps[:number], Together(others), *steps[number + 1 :]), deviations
            yield (*steps[:number], *step.steps, *steps[number + 1 :]), deviations
        if isinstance(step, User):
            for less in _less(step):
                yield (*steps[:number], less, *steps[number + 1 :]), deviations


def _without(finding: Finding, number: int) -> Deviations:
    """The schedule when a step is left out: the choices of later steps move up."""
    marks = (*finding.marks, math.inf)
    first, behind = marks[number], marks[number + 1]
    return Deviations(
        {
            point if point < first else int(point - (behind - first)): choice
            for point, choice in finding.deviations
            if not first <= point < behind
        }
    )


def _named(step: Step, names: Iterator[str]) -> Step:
    if isinstance(step, (User, Send)):
        return evolve(step, text=next(names))
    if isinstance(step, Together):
        return Together(
            tuple(evolve(each, text=next(names)) if isinstance(each, Send) else each for each in step.steps)
        )
    return step


def _less(step: User) -> Iterator[User]:
    for number, answer in enumerate(step.answers):
        yield evolve(step, answers=step.answers[:number] + step.answers[number + 1 :])
        plain = Answer(answer.calls, risky=answer.risky, one_id=answer.one_id)
        for simple in (plain, evolve(answer, text=False), evolve(answer, calls=max(0, answer.calls - 1))):
            if simple != answer:
                yield evolve(step, answers=(*step.answers[:number], simple, *step.answers[number + 1 :]))


def _size(step: Step) -> int:
    """How much there is to a step."""
    if isinstance(step, Together):
        return len(step.steps) * 2
    answers = step.answers if isinstance(step, User) else ()
    odd = sum(
        answer.text + answer.risky + answer.one_id + (answer.holds is not None) + (answer.breaks is not None)
        for answer in answers
    )
    return len(answers) + sum(answer.calls for answer in answers) + odd
