"""The real runtime under schedules: a part of what ``tox -e schedules`` runs, and that its judge can fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from support.stage import Stage
from support.stories import STORIES, Story, abandoned, interrupted, steered, swallowed
from turnlock.engine import Fate, inputs
from turnlock.runtime.conductor import Conductor
from turnlock.runtime.results import Receipt
from turnlock.runtime.supervisor import Supervisor
from turnlock.testing import Bounded, Deviations, Pct, Uniform, every_schedule
from turnlock.testing.scheduling.running import outcome


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What schedules make late is told as warnings; nobody reads thousands of them."""
    log = logging.getLogger("turnlock")
    before = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(before)


@pytest.mark.parametrize("story", STORIES)
def test_every_schedule_with_one_deviation(story: Story) -> None:
    """Whichever task overtakes another once, or whichever deadline comes early: all rules hold."""
    failed = [(each, error) for each, error in every_schedule(story, at_most=1) if error is not None]
    assert failed == []


@pytest.mark.parametrize("story", STORIES)
def test_random_schedules(story: Story) -> None:
    """Thirty of each story, of all kinds, always the same ones."""
    for n in range(10):
        for make in (Uniform, Bounded, Pct):
            schedule = make(Random(f"{story.__name__}/{n}"))
            _result, run, error = outcome(story, schedule, ())
            assert error is None, (run.deviations, error)


def found(story: Story) -> bool:
    """Some schedule with at most one deviation makes the story fail with what its judge says."""
    return any(isinstance(error, AssertionError) for _, error in every_schedule(story, at_most=1))


def test_a_lost_result_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that drops what a tool returned after it was asked to stop."""
    end = Supervisor._end

    def drops(self: Supervisor, run: Any, ending: Any) -> None:
        if run.asked is not None and isinstance(ending, inputs.Returned):
            ending = inputs.Stopped(ending.at, ending.ordinal, "")
        end(self, run, ending)

    monkeypatch.setattr(Supervisor, "_end", drops)
    assert found(swallowed)


def test_a_lie_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that says a tool returned what it did not."""
    end = Supervisor._end

    def lies(self: Supervisor, run: Any, ending: Any) -> None:
        if isinstance(ending, inputs.Stopped):
            ending = inputs.Returned(ending.at, ending.ordinal, "slow!", None)
        end(self, run, ending)

    monkeypatch.setattr(Supervisor, "_end", lies)
    assert found(interrupted)


def test_a_message_without_its_fate_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime whose receipts never leave ``held``."""
    monkeypatch.setattr(Receipt, "state", property(lambda _self: Fate.HELD))
    assert found(steered)


def test_a_turn_that_is_told_twice_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that tells everything twice."""
    tell = Conductor.tell

    def twice(self: Conductor, event: Any) -> None:
        tell(self, event)
        tell(self, event)

    monkeypatch.setattr(Conductor, "tell", twice)
    assert found(abandoned)


def test_a_refused_request_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that the strict provider refuses fails the story, whoever let it leave."""
    seen = Stage._bodies

    def mangled(self: Stage) -> Iterator[str]:
        for request in self.model.requests:
            object.__setattr__(request, "body", request.body.replace(b"function_call_output", b"nonsense"))
        return seen(self)

    monkeypatch.setattr(Stage, "_bodies", mangled)
    assert outcome(steered, Deviations(), ())[2] is not None
