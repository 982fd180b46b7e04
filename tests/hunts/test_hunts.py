"""One hunt for each seeded bug; thirty for each are the environment ``hunts`` of tox.

Here an example that was found is left as it is: to make it simple takes longer than to find it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase

from hunts.bugs import BUGS, Bug
from hunts.driven import drive
from hunts.hunting import FEW, fewest, hunt

SEED = 3


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.name) for bug in BUGS.values()])
def test_the_bug_is_found(bug: Bug) -> None:
    """Hypothesis finds a story and a schedule that show it."""
    with bug.make():
        assert hunt(SEED, phases=(Phase.generate,)) is not None


def test_without_a_bug_nothing_is_found() -> None:
    """The same hunt raises no false alarm."""
    assert hunt(SEED) is None


def test_what_was_found_is_simple_and_replayed(tmp_path: Path) -> None:
    """Few deviations are left, and the kept example breaks at once when it is asked for again."""
    with BUGS["interrupt waits for the end that was"].make():
        found = hunt(kept=tmp_path)
        assert found is not None
        assert len(fewest(found)) <= FEW
        again = hunt(kept=tmp_path, phases=(Phase.reuse,))
    assert again is not None
    assert (again.examples, again.story, again.deviations) == (1, found.story, found.deviations)


def test_the_driver_finds_one_too() -> None:
    """Random stories, played by the driver of sequencing tests, show a turn that ends twice."""
    with BUGS["double turn end"].make():
        assert drive(SEED).rule == "adapter"
