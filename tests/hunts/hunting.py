"""A hunt: hypothesis draws stories and schedules until one breaks, and then the simplest that does.

It knows nothing of bugs: whoever hunts one makes it around the hunt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import define, field, frozen
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from trio.lowlevel import Task

from hunts.stories import STORIES
from turnlock.testing import (
    JUMP,
    Deviations,
    Schedule,
    every_schedule,
    run_scheduled,
    schedules,
    shortest,
)

EXAMPLES = 1_000
"""How many examples a hunt has: as many as CI runs of these stories."""

FEW = 4
"""As many deviations from first in, first out may be left when an example was made simple."""

_SURE = 2  # deviations up to which every schedule of a story can be tried


@define(eq=False)
class Noted:
    """A schedule, and how it deviated from first in, first out."""

    schedule: Schedule
    taken: dict[int, int | str] = field(factory=dict)

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """What the schedule chooses."""
        chosen = self.schedule.choose(point, tasks, options)
        if chosen:
            self.taken[point] = chosen if chosen < len(tasks) else JUMP
        return chosen


@frozen
class Found:
    """What a hunt has found.

    Attributes:
        story: Which story breaks.
        deviations: Under which deviations, when hypothesis has made the example simple.
        examples: How many examples it took until the first one broke, that one counted in.
        error: What is wrong.
        seconds: How long the hunt took, with all that made the example simple.
    """

    story: str
    deviations: Deviations
    examples: int
    error: str
    seconds: float


def fewest(found: Found) -> Deviations:
    """The fewest deviations under which the story that was found breaks.

    Hypothesis makes simple what it draws, and may come to rest where no single draw can be left out. So where
    it has left more than a few, every schedule with fewer is tried, and then what can be left out.
    """
    story = STORIES[found.story]
    if len(found.deviations) <= _SURE:
        return found.deviations
    for deviations, error in every_schedule(story.play, at_most=_SURE, horizon=story.horizon):
        if error is not None:
            return deviations
    return shortest(story.play, found.deviations, horizon=story.horizon)


@define(eq=False)
class _Book:
    """What happens in a hunt."""

    examples: int = 0
    first: int = 0
    last: tuple[str, Deviations, str] | None = None

    def broke(self, story: str, deviations: Deviations, error: BaseException) -> None:
        self.first = self.first or self.examples
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        self.last = story, deviations, f"{type(error).__name__}: {error}"


class _Broken(AssertionError):
    """A story broke: one error for all, so that hypothesis looks for the simplest example of any."""


def hunt(
    number: int | None = None,
    *,
    examples: int = EXAMPLES,
    kept: Path | None = None,
    phases: Collection[Phase] = (Phase.generate, Phase.shrink),
    stories: Sequence[str] = tuple(STORIES),
) -> Found | None:
    """Look for a story that breaks.

    Args:
        number: The seed; None for one of hypothesis's own, which is needed where examples are kept.
        examples: How many examples to try.
        kept: A folder for examples; the one that was found is kept there.
        phases: Of hypothesis; ``(Phase.reuse,)`` replays what is kept.
        stories: Which stories.

    Returns:
        What was found; None when every example holds.
    """
    book, begin = _Book(), time.perf_counter()
    decorate: Callable[[Callable[[], None]], Callable[[], None]] = (
        seed(number) if number is not None else lambda test: test
    )

    @decorate
    @settings(
        max_examples=examples,
        database=None if kept is None else DirectoryBasedExampleDatabase(kept),
        phases=phases,
        derandomize=False,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(stories), schedules())
    def every_story_holds(name: str, schedule: Schedule) -> None:
        book.examples += 1
        noted = Noted(schedule)
        story = STORIES[name]
        try:
            run_scheduled(story.play, noted, horizon=story.horizon)
        except Exception as error:
            book.broke(name, Deviations(noted.taken), error)
            raise _Broken from error

    with suppress(_Broken):
        every_story_holds()
    if book.last is None:
        return None
    story, deviations, error = book.last
    return Found(story, deviations, book.first, error, time.perf_counter() - begin)
