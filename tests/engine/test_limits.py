"""Limits as a host writes them: a wrong one is named where it is given, never in the middle of a turn."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from turnlock.engine import Limits

TIMES = ("deadline", "idle_deadline", "approval_deadline", "request_timeout", "turn_timeout")
PAUSES = ("grace", "backoff", "backoff_max")
COUNTS = {"max_requests": 1, "parallel": 1, "output_cap": 256, "retries": 0}
NO_NUMBERS = ["5", b"5", True, False, [5], 5j, float("nan"), float("inf"), -float("inf"), -1, 10**400]


def refusal(name: str, value: object) -> str:
    wrong: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"^{name} is ") as caught:
        Limits(**wrong)
    return str(caught.value)


def test_every_limit_is_tested_here() -> None:
    """A new one does not go unchecked."""
    assert {each.name for each in attrs.fields(Limits)} == {*TIMES, *PAUSES, *COUNTS}


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0], ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("name", TIMES)
def test_times(name: str, value: object) -> None:
    """The error names the field, what was given, and the unit."""
    expected = f"{name} is {value!r}: give a number of seconds above 0, or None for no limit"
    assert refusal(name, value) == expected


@pytest.mark.parametrize("value", [*NO_NUMBERS, None], ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("name", PAUSES)
def test_pauses(name: str, value: object) -> None:
    """They may be nothing, but are never without an end."""
    assert refusal(name, value) == f"{name} is {value!r}: give a finite number of seconds, 0 or more"


@pytest.mark.parametrize("value", [*NO_NUMBERS[:-1], None, 2.5, 1e-9], ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str, value: object) -> None:
    """True is no number of requests, and nobody runs two tools and a half."""
    said = refusal(name, value)
    assert re.fullmatch(
        rf"{name} is {re.escape(repr(value))}: give a whole number of \w+, at least {COUNTS[name]}", said
    )


@pytest.mark.parametrize("name", [name for name in COUNTS if COUNTS[name]])
def test_counts_that_are_too_low(name: str) -> None:
    """The lowest is in the error, and is itself allowed."""
    lowest = COUNTS[name]
    assert f"at least {lowest}" in refusal(name, lowest - 1)
    allowed: dict[str, Any] = {name: lowest}
    assert getattr(Limits(**allowed), name) == lowest


def test_what_may_be_given() -> None:
    """Whole numbers of seconds, fractions of one, no limit, and counts as JSON may write them (3.0)."""
    whole: Any = 3.0
    limits = Limits(deadline=5, idle_deadline=0.5, turn_timeout=None, grace=0, backoff=1, max_requests=whole)
    assert (limits.deadline, limits.idle_deadline, limits.turn_timeout) == (5, 0.5, None)
    assert (limits.grace, limits.backoff, limits.max_requests) == (0, 1, 3)
