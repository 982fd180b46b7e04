"""``sequencing_test``: random stories as a test case, and which stories are tried with which agent."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings, strategies as st

from support.agents import Listening, Plain, Timed
from support.wrong_agents import Complains, TriesAgain
from turnlock.testing import Answer, Harness, SessionAgent, sequencing_test
from turnlock.testing.hunting.machine import _answers, _waits
from turnlock.testing.sequencing.play import Play

T = TypeVar("T")

TestTheSession = sequencing_test(SessionAgent, examples=15, steps=12)
"""As users write it: pytest runs it with all other tests."""


def all_drawn(strategy: st.SearchStrategy[T]) -> list[T]:
    drawn: list[T] = []

    @settings(max_examples=150, database=None)
    @given(strategy)
    def draw(one: T) -> None:
        drawn.append(one)

    draw()
    return drawn


@pytest.mark.parametrize("factory", [Plain, Listening])
def test_a_right_agent_passes(factory: Any) -> None:
    """What keeps every rule by its construction is not accused of anything."""
    sequencing_test(factory, examples=20, steps=12)("runTest").debug()


def test_a_wrong_agent_fails_with_its_story() -> None:
    """Whoever runs test cases has a failure; its text is the smallest story that was found."""
    result = unittest.TestResult()
    sequencing_test(Complains, examples=10, steps=4)("runTest").run(result)
    assert (result.testsRun, len(result.failures), len(result.errors)) == (1, 1, 0)
    text = result.failures[0][1]
    assert "Violation: adapter: the books do not balance\n" in text
    assert "  2. the user says Ulast; the model will answer with a text\n" in text
    assert "  3. " not in text


def test_what_is_ignored_is_not_found() -> None:
    """With the rule that it breaks left out, the wrong agent passes."""
    sequencing_test(TriesAgain, examples=20, steps=8, ignore=["ran-twice"])("runTest").debug()


class Looks:
    """A schedule that is always asked for the first; it says where it was asked."""

    asked = 0

    def choose(self, point: int, tasks: Sequence[object], options: int) -> int:
        self.asked += 1
        return 0


def test_the_schedules_of_the_test() -> None:
    """Whoever gives a strategy has its schedules, and no others."""
    schedule = Looks()
    sequencing_test(Plain, examples=5, steps=8, schedule=st.just(schedule))("runTest").debug()
    assert schedule.asked > 0


def test_what_makes_no_adapter() -> None:
    """An instance in place of a class is told at once, and so is a rule that there is not."""
    agent: Any = object()
    with pytest.raises(TypeError, match="makes no adapter: give a class or a function that takes a Harness"):
        sequencing_test(agent)
    with pytest.raises(ValueError, match="'lots' is not a valid Rule; the rules are refused"):
        sequencing_test(Plain, ignore=["lots"])


def test_an_adapter_that_fails() -> None:
    """Its own error is raised; it is no violation."""

    def fails(harness: Harness) -> Plain:
        raise ValueError("no key")

    with pytest.raises(ValueError, match="no key"):
        sequencing_test(fails, examples=3)("runTest").debug()


# ── which stories are tried ─────────────────────────────────────────────────────────────────────────────


class OnlyTurns(Plain):
    """Promises nothing."""

    retries = False


class RepeatsIds(OnlyTurns):
    repeated_ids = True


class Asks(OnlyTurns):
    approvals = True


CAN: list[tuple[type[Plain], str, Callable[[Answer], bool]]] = [
    (Plain, "errors", lambda answer: answer.status is not None),
    (Plain, "times", lambda answer: answer.retry_after is not None),
    (Plain, "broken connections", lambda answer: answer.breaks is not None),
    (RepeatsIds, "one id for all", lambda answer: answer.one_id),
    (Asks, "risky calls", lambda answer: answer.risky),
]


@pytest.mark.parametrize(
    ("agent", "odd"), [(agent, odd) for agent, _, odd in CAN], ids=[what for _, what, _ in CAN]
)
def test_odd_answers_are_for_agents_that_say_so(agent: type[Plain], odd: Callable[[Answer], bool]) -> None:
    """Each oddity is drawn for an agent that can bear it, and for no other."""
    with Play(agent) as able, Play(OnlyTurns) as plain:
        assert any(odd(one) for answers in all_drawn(_answers(able)) for one in answers)
        assert not any(odd(one) for answers in all_drawn(_answers(plain)) for one in answers)


def test_every_agent_meets_calls_texts_and_answers_that_stand_still() -> None:
    """What every provider does is tried with everybody."""
    with Play(OnlyTurns) as play:
        drawn = [one for answers in all_drawn(_answers(play)) for one in answers]
    assert {one.calls for one in drawn} == {0, 1, 2, 3}
    assert {one.holds for one in drawn} == {None, 0, 1, 2}
    assert {one.text for one in drawn} == {True, False}


def test_times_are_those_around_a_deadline() -> None:
    """Half of it, past it, twice it; without one a second, which costs nothing where time is virtual."""
    with Play(Timed) as timed, Play(Plain) as plain:
        assert _waits(timed) == [1.0, 5.0, 11.0, 20.0]
        assert _waits(plain) == [1.0]
