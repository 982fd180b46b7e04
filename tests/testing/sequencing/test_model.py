"""The played model by itself: what it answers, how it names its calls, and the moments that it judges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.plain_client import ASK, Asking, post
from turnlock.testing import Answer, Rule, loopback
from turnlock.testing.sequencing.model import PlayedModel
from turnlock.testing.sequencing.record import Record


class Clock:
    now = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(clock: Clock) -> Iterator[PlayedModel]:
    made = PlayedModel(Record(), lambda: clock.now)
    with loopback(answer=made.answer) as provider:
        made.provider = provider
        yield made
        made.let_go()
    assert provider.failures == ()


def asked(model: PlayedModel) -> tuple[int, Any]:
    return post(model.provider.base_url, ASK)


def steps(answer: tuple[int, Any]) -> list[str]:
    status, body = answer
    assert status == 200
    return [item.get("arguments", item["type"]) for item in body["output"]]


def test_what_the_story_says_and_then_a_text(model: PlayedModel) -> None:
    """The answers of a turn come in their order, then texts; calls are named through the whole story."""
    model.will_say([Answer(2), Answer(1, text=True)])
    assert steps(asked(model)) == ['{"step":"a"}', '{"step":"b"}']
    assert steps(asked(model)) == ["message", '{"step":"c"}']
    assert steps(asked(model)) == ["message"]
    model.will_say([Answer(1)])
    assert steps(asked(model)) == ['{"step":"d"}']
    assert [(made.step, made.answer, made.at) for made in model.record.made.values()] == [
        ("a", 1, 100.0),
        ("b", 1, 100.0),
        ("c", 2, 100.0),
        ("d", 4, 100.0),
    ]
    assert model.odd == []


def test_calls_of_the_tool_that_is_asked_for(model: PlayedModel) -> None:
    """Risky calls are of the other tool."""
    model.will_say([Answer(1, risky=True), Answer(1)])
    names = [asked(model)[1]["output"][0]["name"] for _ in range(2)]
    assert names == ["risky", "work"]


def test_calls_with_one_id(model: PlayedModel) -> None:
    """Some servers give all calls of an answer one id; otherwise each has its own."""
    model.will_say([Answer(2, one_id=True), Answer(2)])
    ids = [[item["call_id"] for item in asked(model)[1]["output"]] for _ in range(2)]
    assert ids[0] == ["call_1", "call_1"]
    assert len(set(ids[1])) == 2


def test_an_answer_that_stands_still(model: PlayedModel) -> None:
    """It is held until it is released; a further request has its own answer meanwhile."""
    model.will_say([Answer(1, holds=0)])
    with Asking(model.provider.base_url, ASK) as asking:
        while not model.held:
            assert asking.waits
        model.held[0].wait()
        assert steps(asked(model)) == ["message"]
        assert asking.waits
        model.held[0].release()
    assert steps(asking.answer) == ['{"step":"a"}']
    assert model.held == []


def test_everything_is_let_go(model: PlayedModel) -> None:
    """At the end no answer is held, and none that was planned is given."""
    model.will_say([Answer(1, holds=0), Answer(1)])
    with Asking(model.provider.base_url, ASK) as asking:
        while not model.held:
            assert asking.waits
        model.let_go()
    assert steps(asking.answer) == ['{"step":"a"}']
    assert steps(asked(model)) == ["message"]


def test_an_answer_that_breaks_off(model: PlayedModel) -> None:
    """The connection breaks, and the turn was disturbed."""
    model.will_say([Answer(1, breaks=1)])
    assert model.undisturbed
    with Asking(model.provider.base_url, {**ASK, "stream": True}) as asking:
        pass
    assert asking.error is not None or asking.answer[1][-1]["type"] != "response.completed"
    assert model.provider.exchanges[0].ended == "cut"
    assert not model.undisturbed


def test_a_turn_that_the_user_stops_is_disturbed(model: PlayedModel) -> None:
    """Whoever was interrupted need not have answered everything."""
    assert model.undisturbed
    model.stopped()
    assert not model.undisturbed


def test_an_error_of_the_provider(model: PlayedModel, clock: Clock) -> None:
    """An error is an answer; without a time it may be asked again at once."""
    model.will_say([Answer(status=500)])
    assert asked(model)[0] == 500
    assert steps(asked(model)) == ["message"]
    assert model.odd == []
    assert not model.undisturbed


@pytest.mark.parametrize(("later", "wrong"), [(4.0, True), (5.0, False)])
def test_asking_before_the_time_that_was_named(
    model: PlayedModel,
    clock: Clock,
    later: float,
    wrong: bool,  # noqa: FBT001
) -> None:
    """The provider named five seconds: after four it is too soon, after five it is not."""
    model.will_say([Answer(status=429, retry_after=5.0)])
    assert asked(model)[0] == 429
    clock.now += later
    asked(model)
    assert [odd.rule for odd in model.odd] == [Rule.TOO_SOON] * wrong
    asked(model)
    assert len(model.odd) == wrong, "it is said once"


def test_the_user_begins_anew(model: PlayedModel) -> None:
    """What the provider named was for the turn that asked: a new or an interrupted one need not wait."""
    model.step = 1
    model.will_say([Answer(status=429, retry_after=5.0), Answer(status=429, retry_after=5.0)])
    asked(model)
    model.step = 2
    model.stopped()
    asked(model)  # answered with 429 in the step of the interrupt: it was perhaps asked before
    asked(model)
    model.will_say([Answer(status=429, retry_after=5.0)])
    asked(model)
    model.will_say([])
    asked(model)
    assert model.odd == []


def test_a_request_in_the_middle_of_another_ones_answer(model: PlayedModel, clock: Clock) -> None:
    """Two at once is odd, where it can be told, until an aborted one has had its grace."""
    model.overlap = 2.0
    model.will_say([Answer(holds=0)])
    with Asking(model.provider.base_url, ASK) as asking:
        while not model.held:
            assert asking.waits
        asked(model)
        assert [odd.rule for odd in model.odd] == [Rule.TWO_AT_ONCE]
        assert "request 2 left while the answer to request 1" in model.odd[0].what
        model.odd.clear()
        model.stopped()
        clock.now += 1.0
        asked(model)
        assert len(model.odd) == 1, "an aborted one that does not end is waited for, as long as the grace"
        clock.now += 1.0
        asked(model)
        assert len(model.odd) == 1, "and then it is left behind"
        model.let_go()
