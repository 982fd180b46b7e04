"""Each seeded bug breaks the specification: a story that holds without it, and fails with it.

The stories are the shortest ones that show the bug, and no hunt uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hunts.bugs import BUGS, Bug, Room, Shows
from hunts.listing import corpus, stories
from hunts.proofs.of_engine import OF_ENGINE
from hunts.proofs.of_runtime import OF_RUNTIME
from turnlock.errors import Deadlock
from turnlock.testing import Deviations, every_schedule, run_scheduled

PROOFS = {**OF_ENGINE, **OF_RUNTIME}
ALL = [pytest.param(bug, id=bug.name) for bug in BUGS.values()]


def test_the_corpus_is_whole() -> None:
    """At least twenty bugs, each with a proof and an issue of its own; about half of them in the runtime."""
    assert set(PROOFS) == set(BUGS)
    assert len(BUGS) >= 20
    assert len({bug.inspired_by for bug in BUGS.values()}) == len(BUGS)
    assert sum(bug.room is Room.RUNTIME for bug in BUGS.values()) * 2 >= len(BUGS) - 1
    assert sum(bug.shows is not Shows.ALWAYS for bug in BUGS.values()) >= 8


@pytest.mark.parametrize("table", [corpus, stories])
def test_the_page_lists_the_corpus(table: Callable[[], Iterator[str]]) -> None:
    """docs/hunts.md has the tables of all bugs and stories, as they would be written today."""
    page = (Path(__file__).parents[2] / "docs" / "hunts.md").read_text().splitlines()
    lines = list(table())
    start = page.index(lines[0])
    assert page[start : start + len(lines)] == lines


def _first_failure(bug: Bug, at_most: int) -> BaseException | None:
    """The first error of the bug's story, without the groups around it."""
    failed = (error for _, error in every_schedule(PROOFS[bug.name], at_most=at_most) if error is not None)
    found = next(failed, None)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@pytest.mark.parametrize("bug", ALL)
def test_the_story_holds_without_the_bug(bug: Bug) -> None:
    """First in, first out; a story of order under every schedule with at most two deviations."""
    assert _first_failure(bug, at_most=2 if bug.shows is Shows.ORDER else 0) is None


@pytest.mark.parametrize("bug", ALL)
def test_the_story_fails_with_the_bug(bug: Bug) -> None:
    """First in, first out; a bug of order does not show there, and shows under at most two deviations."""
    with bug.make():
        if bug.shows is Shows.ORDER:
            assert _first_failure(bug, at_most=0) is None
        found = _first_failure(bug, at_most=2 if bug.shows is Shows.ORDER else 0)
    assert isinstance(found, (AssertionError, pytest.fail.Exception, Deadlock))
    run_scheduled(PROOFS[bug.name], Deviations())  # the bug is gone with its block
