"""A finding, and the smallest story nearby that breaks the same rule.

Owns what "smaller" means, and the shrinking behind hypothesis's own: steps, deviations and answers are left
out one by one, and the story is played again each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TypeAlias, cast

from attrs import evolve, field, frozen

from turnlock.testing.scheduling import Deviations
from turnlock.testing.sequencing.ending import LAST, play_all
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Rule, Violation
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import (
    Answer,
    Approve,
    Fail,
    Instant,
    Open,
    Send,
    Step,
    Stubborn,
    Together,
    User,
    letters,
    number_of,
)

Story: TypeAlias = tuple[tuple[Step, ...], Deviations]
Ways: TypeAlias = "Callable[[Finding], Iterator[Story]]"

_AGAIN = 3  # how often a finding must show again


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
        calls: How many calls had been made before it.
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
    calls: tuple[int, ...] = field(default=(), repr=False)
    again: tuple[int, int] = (0, 0)

    @property
    def size(self) -> tuple[int, int, int]:
        """Smaller is better told: deviations and steps, then what the model says."""
        said = sum(_size(step) for step in self.steps)
        return len(self.deviations) + len(self.steps), len(self.deviations), said


def finding_of(play: Play, violation: Violation) -> Finding:
    """What was found in a story that has just broken a rule."""
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
        tuple(play.calls),
    )


@frozen
class Shrinker:
    """Plays stories that are like a finding."""

    factory: Factory
    ignore: frozenset[Rule]

    def tried(self, steps: Sequence[Step], deviations: Deviations) -> Finding | None:
        """Play a story; what is wrong in it, if anything is."""
        with Play(self.factory, deviations, self.ignore) as play:
            try:
                play_all(play, steps)
            except Violation as violation:
                return finding_of(play, violation)
        return None

    def made_small(self, finding: Finding, until: float) -> Finding:
        """The smallest story nearby that breaks the same rule, as far as the time allows; tried again."""
        best, before = finding, None
        while best.size != before and time.monotonic() < until:
            before = best.size
            best = self._with_less(best, until, _fewer_steps)
            best = self._with_less(best, until, _fewer_deviations)
            best = self._with_less(best, until, _plainer)
        best = self._renamed(best)
        shown = [self.tried(best.steps, best.deviations) for _ in range(_AGAIN)]
        return evolve(best, again=(sum(one is not None and one.rule == best.rule for one in shown), _AGAIN))

    def _with_less(self, finding: Finding, until: float, ways: Ways) -> Finding:
        """Take the first smaller story that breaks the same rule, and go on from there, until none does."""
        best, again = finding, True
        while again:
            again = False
            for steps, deviations in ways(best):
                if time.monotonic() >= until:
                    return best
                made = self.tried(steps, deviations)
                if made is not None and made.rule == best.rule and made.size < best.size:
                    best, again = made, True
                    break
        return best

    def _renamed(self, finding: Finding) -> Finding:
        """The same with messages U1, U2, …: those that were left out have left gaps."""
        names = (f"U{number}" for number in count(1))
        steps = tuple(_named(step, names) for step in finding.steps)
        made = self.tried(steps, finding.deviations)
        return made if made is not None and made.rule == finding.rule else finding


def _fewer_steps(finding: Finding) -> Iterator[Story]:
    """Halves of the steps left out, then quarters, …, then each one; the last ones first."""
    size = len(finding.steps)
    while size > 1 or (size == 1 and finding.steps):
        size = max(1, size // 2)
        for end in range(len(finding.steps), 0, -size):
            yield _without(finding, max(0, end - size), end)
        if size == 1:
            return


def _fewer_deviations(finding: Finding) -> Iterator[Story]:
    """The schedule without deviations; without halves of them, quarters, …, each one."""
    points = [point for point, _choice in finding.deviations]
    size = len(points)
    while size:
        for start in range(0, len(points), size):
            left_out = points[start : start + size]
            kept = {point: choice for point, choice in finding.deviations if point not in left_out}
            yield finding.steps, Deviations(kept)
        size //= 2


def _plainer(finding: Finding) -> Iterator[Story]:
    """Steps of one instant apart, or some of them left out; answers that say less."""
    steps, deviations = finding.steps, finding.deviations
    for number, step in enumerate(steps):
        before, behind = steps[:number], steps[number + 1 :]
        if isinstance(step, Together):
            for place, each in enumerate(step.steps):
                others = step.steps[:place] + step.steps[place + 1 :]
                yield (*before, each, *behind), deviations
                yield (*before, Together(others), *behind), deviations
            yield (*before, *step.steps, *behind), deviations
        if isinstance(step, User):
            for less in _less(step):
                yield (*before, less, *behind), deviations
            yield from ((each, deviations) for each in _fewer_calls(finding, number, step))


def _fewer_calls(finding: Finding, number: int, step: User) -> Iterator[tuple[Step, ...]]:
    """The story without one of the calls that the model makes in a turn: later ones get other names."""
    made = finding.calls[number]
    for place, answer in enumerate(step.answers):
        if answer.calls:
            fewer = evolve(answer, calls=answer.calls - 1)
            less = evolve(step, answers=(*step.answers[:place], fewer, *step.answers[place + 1 :]))
            for gone in range(made, made + answer.calls):
                behind = tuple(_moved(each, gone, 1) for each in finding.steps[number + 1 :])
                yield (*finding.steps[:number], less, *behind)
        made += answer.calls


def _without(finding: Finding, start: int, end: int) -> Story:
    """The story without these steps: choices and calls behind them move up."""
    points, calls = (*finding.marks, math.inf), (*finding.calls, math.inf)
    first, behind = points[start], points[end]
    deviations = {
        point if point < first else int(point - (behind - first)): choice
        for point, choice in finding.deviations
        if not first <= point < behind
    }
    rest = finding.steps[end:]
    if calls[end] < math.inf:
        fewer = int(calls[end] - calls[start])
        rest = tuple(_moved(step, int(calls[end]), fewer) for step in rest)
    return (*finding.steps[:start], *rest), Deviations(deviations)


def _moved(step: Step, first: int, fewer: int) -> Step:
    """The same with the names of calls that it has when fewer were made before."""
    if isinstance(step, Together):
        return Together(tuple(cast(Instant, _moved(each, first, fewer)) for each in step.steps))
    if isinstance(step, (Open, Fail, Stubborn, Approve)) and number_of(step.step) >= first:
        return evolve(step, step=letters(max(0, number_of(step.step) - fewer)))
    return step


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
