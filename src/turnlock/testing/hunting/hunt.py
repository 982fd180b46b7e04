"""Stories within a budget of seconds, or of a number of them.

Owns the search: when it begins again, when it stops, and which of the findings is kept. What a story is and
what must hold are said in ``sequencing``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import hypothesis
from attrs import define, frozen
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.errors import Flaky, FlakyStrategyDefinition
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from turnlock.testing.hunting.machine import STEPS, story_machine
from turnlock.testing.hunting.smaller import Finding, Shrinker, finding_of
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Rule, Violation, rules
from turnlock.testing.sequencing.play import Play

_MANY = 10_000_000
_SMALLER = 0.25  # of the budget goes at most into making a finding smaller than hypothesis made it
_STALE = 4.0  # seconds, and
_STALE_STORIES = 20  # stories after which hypothesis is stopped if it makes a finding no smaller


@frozen
class Hunted:
    """What became of a hunt.

    Attributes:
        finding: The smallest that was found; None when nothing was.
        stories: How many stories were played until the first was found, or in all.
        played: How many were played in all, also to make it smaller.
        seconds: How long it took, with making it smaller.
        calls: How many calls the model made.
        runs: How often a tool ran.
        interrupts: How often the user interrupted.
    """

    finding: Finding | None
    stories: int
    played: int
    seconds: float
    calls: int = 0
    runs: int = 0
    interrupts: int = 0


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
    at: int = 0
    calls: int = 0
    runs: int = 0
    interrupts: int = 0

    def begin(self) -> None:
        """Before every story."""
        now = time.monotonic()
        stale = now > self.improved + _STALE and self.stories > self.at + _STALE_STORIES
        if now >= self.until or (self.found is not None and stale):
            raise _Over
        self.stories += 1
        self.progress(self.stories, self.found)

    def count(self, play: Play) -> None:
        """Behind a story in which nothing was wrong."""
        self.calls += len(play.record.made)
        self.runs += sum(len(made.visits) for made in play.record.made.values())
        self.interrupts += play.interrupts

    def note(self, play: Play, violation: Violation) -> None:
        """A violation, also while hypothesis makes it smaller."""
        self.first = self.first or self.stories
        made = finding_of(play, violation)
        if self.found is None or made.size < self.found.size:
            self.found = made
            self.improved, self.at = time.monotonic(), self.stories


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
    machine = story_machine(factory, found=state.note, began=state.begin, ended=state.count, ignore=ignored)
    chosen = settings(
        max_examples=_MANY if examples is None else examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        verbosity=Verbosity.quiet,  # else it prints what it cannot play again
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    numbers = count(random.SystemRandom().getrandbits(32) if seed is None else seed)
    while state.found is None:
        try:
            with with_reporter(lambda _text: None):  # what is told, whoever asked tells
                run_state_machine_as_test(hypothesis.seed(next(numbers))(machine), settings=chosen)
        except _Over:
            break
        except (Flaky, FlakyStrategyDefinition):
            if examples is None or state.stories < examples:
                continue  # in real time the same choices may lead elsewhere
        except Exception:
            if state.found is None:
                raise
        if examples is not None:
            break
    finding = None
    if state.found is not None:
        more = 60.0 if seconds is None else max(5.0, seconds * _SMALLER)
        finding = Shrinker(factory, ignored).made_small(state.found, time.monotonic() + more)
    return Hunted(
        finding,
        state.first or state.stories,
        state.stories,
        time.monotonic() - began,
        state.calls,
        state.runs,
        state.interrupts,
    )


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
        What was found, as soon as it is small, also if it does not show again. The last one has found
        nothing, or the time is over.

    Raises:
        Exception: The agent's adapter fails in a way that is no violation.
    """
    until, ignored = time.monotonic() + seconds, rules(ignore)
    while True:
        left = max(0.1, until - time.monotonic())
        hunted = hunt(factory, seconds=left, seed=seed, ignore=ignored, progress=progress)
        yield hunted
        if hunted.finding is None or time.monotonic() >= until:
            return
        if hunted.finding.again[0]:
            ignored |= {hunted.finding.rule}
        elif seed is not None:
            seed += 1  # other stories: these would lead to the same
