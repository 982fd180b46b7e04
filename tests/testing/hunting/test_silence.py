"""A hunt prints nothing: what it finds is a value, and `turnlock fuzz --json` prints one object."""

from __future__ import annotations

from itertools import count

import pytest

from turnlock.testing import Harness, SessionAgent
from turnlock.testing.hunting.hunt import hunt

_numbers = count()


class Fickle(SessionAgent):
    """Offers something else each time, so that the same choices lead elsewhere."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness)
        self.approvals = next(_numbers) % 2 == 0


def test_nothing_is_printed_of_an_agent_that_is_not_the_same_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Hypothesis would print the steps that led to choices which cannot be made again."""
    hunted = hunt(Fickle, examples=60, seed=1)
    assert hunted.finding is None
    assert hunted.stories > 1
    assert capsys.readouterr().out == ""
