"""Who chooses: values that can be pasted, and schedulers whose draws shrink towards first in, first out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest

from support.races import RACES, lost_update, starved_consumer, timeout_after_effect
from turnlock.testing import JUMP, Bounded, Deviations, Pct, Schedule, Uniform
from turnlock.testing.scheduling.running import outcome

Make = Callable[[Random], Schedule]
SCHEDULERS: dict[str, Make] = {
    "uniform": Uniform,
    "bounded": lambda random: Bounded(random, points=20),
    "priorities": lambda random: Pct(random, points=20),
}


class Zero(Random):
    """Draws nothing but zeros: what hypothesis shrinks to."""

    def random(self) -> float:
        return 0.0

    def getrandbits(self, k: int, /) -> int:
        return 0


def test_deviations_are_a_value() -> None:
    """Equal, hashable, ordered by choice point, and written as they are pasted."""
    value = Deviations({30: JUMP, 12: 1})
    assert repr(value) == 'Deviations({12: 1, 30: "jump"})'
    assert eval(repr(value)) == value == Deviations({12: 1, 30: "jump"})
    assert (len(value), list(value), hash(value)) == (2, [(12, 1), (30, JUMP)], hash(eval(repr(value))))
    assert repr(Deviations()) == "Deviations()"
    assert value != Deviations({12: 1}) != "something else"


@pytest.mark.parametrize("wrong", [{-1: 1}, {1: -1}, {1: "leap"}, {1: 1.5}])
def test_what_is_no_deviation(wrong: dict[int, int | str]) -> None:
    """A typo is told, and not taken as first in, first out."""
    with pytest.raises(ValueError, match=r"is no deviation: write a choice point from 0, a place or 'jump'"):
        Deviations(wrong)


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_zeros_are_first_in_first_out(make: Make) -> None:
    """Choice 0 is the simplest one, for every scheduler."""
    for race in RACES:
        _result, run, error = outcome(race, make(Zero()), ())
        assert (error, run.deviations) == (None, Deviations())


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_the_same_draws_are_the_same_run(make: Make) -> None:
    """Nothing but the source of chance decides; and not all of its runs are the same."""
    runs = [[outcome(starved_consumer, make(Random(n)), ())[1].deviations for n in range(20)] for _ in "ab"]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 5


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_what_was_taken_replays(make: Make) -> None:
    """The deviations of any run make the same run again, step by step."""
    for n in range(30):
        race = RACES[n % len(RACES)]
        _result, run, error = outcome(race, make(Random(n)), ())
        _result, again, same = outcome(race, run.deviations, ())
        assert (type(same), again.deviations) == (type(error), run.deviations)
        assert [step[:2] for step in again.trace] == [step[:2] for step in run.trace]


def test_a_few_deviations_are_few() -> None:
    """The bounded scheduler never makes more than it may, and now and then as many."""
    counts = {
        len(outcome(starved_consumer, Bounded(Random(n), at_most=3, points=6), ())[1].taken)
        for n in range(200)
    }
    assert counts == {0, 1, 2, 3}


def test_uniform_and_priorities_come_to_an_end() -> None:
    """After their points they are first in, first out: a spinning task cannot starve the others for ever."""
    for schedule in (Uniform(Random(1), at_most=5), Pct(Random(1), points=3)):
        _result, run, _error = outcome(starved_consumer, schedule, ())
        assert all(point < 6 for point in run.taken)


@pytest.mark.parametrize(
    ("race", "make"),
    [
        (lost_update, SCHEDULERS["uniform"]),
        (lost_update, SCHEDULERS["priorities"]),
        (timeout_after_effect, SCHEDULERS["uniform"]),
        (timeout_after_effect, SCHEDULERS["bounded"]),
        (starved_consumer, SCHEDULERS["uniform"]),
        (starved_consumer, SCHEDULERS["priorities"]),
    ],
)
def test_seeded_races_are_found(race: Callable[[], Awaitable[None]], make: Make) -> None:
    """Ten of ten hunts of at most 300 runs; which runs they are is fixed."""
    for hunt in range(10):
        random = Random(hunt)
        assert any(outcome(race, make(random), ())[2] is not None for _ in range(300))
