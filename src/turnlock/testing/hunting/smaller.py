"""A finding, and the smallest story nearby that breaks the same rule.

Owns what "smaller" means, and the shrinking behind hypothesis's own: steps, deviations and answers are left
out one by one, and the story is played again each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import count

from attrs import evolve, field, frozen

from turnlock.testing.scheduling import Deviations
from turnlock.testing.sequencing.ending import LAST, finish
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Rule, Violation
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import Answer, Send, Step, Together, User

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
                for step in steps:
                    play.do(step)
                finish(play)
            except Violation as violation:
                return finding_of(play, violation)
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
            for place, each in enumerate(step.steps):
                others = step.steps[:place] + step.steps[place + 1 :]
                yield (*steps[:number], each, *steps[number + 1 :]), deviations
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
