"""A story, step by step."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from support.agents import Item, Plain
from support.wrong_agents import LeavesCallsOpen, NeverStops
from turnlock.testing import (
    Advance,
    Answer,
    Approve,
    Deviations,
    Fail,
    Interrupt,
    Open,
    Release,
    Rule,
    Schedule,
    Send,
    SessionAgent,
    Stubborn,
    Together,
    Uniform,
    User,
    Violation,
)
from turnlock.testing.gates import Fate
from turnlock.testing.sequencing.ending import finish
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import Step

ONE = User("U1", (Answer(1),))


def test_steps_that_find_nothing_to_do() -> None:
    """A story that was shortened can be played: what is not there is not opened, and nothing is told."""
    with Play(Plain) as play:
        for each in (Open("a"), Fail("a"), Approve("a"), Release(), Interrupt(), Send("U2")):
            play.do(each)
        assert play.story.lines == []
        play.do(ONE)
        play.do(User("U2"))
        assert [said.text for said in play.record.said] == ["U1"]
        finish(play)


def test_several_things_in_one_instant() -> None:
    """The agent hears of all before it can do anything: the tool has returned, and that counts."""
    with Play(Plain) as play:
        play.do(ONE)
        play.do(Together((Open("a"), Interrupt())))
        finish(play)
        assert [visit.fate for visit in play.stage.gates.visits] == [Fate.RETURNED]


def test_an_answer_that_stands_still() -> None:
    """It goes on when the story says so."""
    with Play(Plain) as play:
        play.do(User("U1", (Answer(1, holds=0),)))
        assert len(play.model.held) == 1
        assert not play.stage.gates.waiting
        play.do(Release())
        assert play.stage.gates.waiting == ("a",)
        finish(play)


# ── the same again ──────────────────────────────────────────────────────────────────────────────────────


LONG: list[Step] = [
    User("U1", (Answer(3), Answer(status=429, retry_after=5.0), Answer(1, text=True))),
    Send("U2", "queue"),
    Open("b"),
    Together((Open("a"), Send("U3", "steer"))),
    Fail("c"),
    Advance(9.0),
    Stubborn("d"),
    Interrupt(cancel=False),
    Advance(40.0),
    User("U4", (Answer(2, risky=True),)),
    Approve("f"),
    Approve("e", allow=False),
    Open("f"),
]


def trace(schedule: Schedule | None) -> tuple[object, ...]:
    with Play(SessionAgent, schedule) as play:
        for each in LONG:
            play.do(each)
        finish(play)
    return play.story.lines, play.story.arrows, play.deviations, play.marks


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_story_again_is_the_same(seed: int) -> None:
    """With the same choices of the same schedule, every line and every choice point is the same."""
    first, second = (trace(Uniform(random.Random(seed))) for _ in range(2))
    assert first == second
    assert len(first[2]) > 10  # type: ignore[arg-type]  # Deviations


def test_its_deviations_are_the_schedule() -> None:
    """What is kept of a schedule plays the story again; without any it is another run of it."""
    deviations = trace(Uniform(random.Random(1)))[2]
    assert isinstance(deviations, Deviations)
    assert trace(deviations) == trace(Uniform(random.Random(1)))
    fifo = trace(None)
    assert fifo[2] == Deviations()
    assert fifo == trace(Deviations())


def test_each_step_knows_its_choice_points() -> None:
    """The marks grow with the steps, one for each."""
    marks = trace(Uniform(random.Random(1)))[3]
    assert isinstance(marks, list)
    assert len(marks) == len(LONG) + 1, "and the last message"
    assert marks == sorted(marks)
    assert marks[-1] > marks[0]


class Counts:
    """First in, first out; counts how often it is asked."""

    asked = 0

    def choose(self, point: int, tasks: Sequence[object], options: int) -> int:
        self.asked += 1
        return 0


def test_no_schedule_is_asked_when_a_story_is_over() -> None:
    """Closing comes from another thread at any moment: choices in it would not be the same again."""
    schedule = Counts()
    with Play(Plain, schedule) as play:
        play.do(User("U1", (Answer(3),)))
        asked = schedule.asked
    assert asked > 0
    assert schedule.asked == asked
    assert [visit.fate for visit in play.stage.gates.visits] == [Fate.RETURNED] * 3


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_end_lets_everything_go() -> None:
    """Tools return, answers go on, questions are answered with yes; then one more message is said."""
    with Play(SessionAgent) as play:
        play.do(User("U1", (Answer(2, risky=True), Answer(1, holds=0), Answer(1))))
        play.do(Approve("a"))
        finish(play)
        assert [visit.fate for visit in play.stage.gates.visits] == [Fate.RETURNED] * 2
        assert [made.step for made in play.record.made.values()] == ["a", "b"], "no plan of before is left"
    assert play.record.said[-1].text == "Ulast"
    assert play.record.said[-1].seen


def test_the_name_of_the_last_message_is_no_part_of_a_story() -> None:
    """It is said once, when all that was before has been judged."""
    with Play(Plain) as play:
        finish(play)
    assert play.played == [User("Ulast")]
    assert play.story.lines == [
        "the user says Ulast; the model will answer with a text",
        "  → request 1 carries Ulast",
    ]


def test_a_rule_that_is_ignored_does_not_end_the_story() -> None:
    """The turn that hangs is given up, and the story goes on with the session as it is then."""
    with Play(NeverStops, ignore=frozenset({Rule.PROGRESS, Rule.REFUSED})) as play:
        play.do(ONE)
        play.do(Interrupt(cancel=False))
        assert play.at_rest()
        play.do(User("U2"))
        assert len(play.stage.provider.refusals) == 1, "the history has no output of the call"


def test_a_violation_tells_the_story() -> None:
    """Its text is the rule, what is wrong, and what led to it; the diagram ends with what is wrong."""
    with Play(LeavesCallsOpen) as play:
        play.do(ONE)
        play.do(Interrupt())
        with pytest.raises(Violation) as caught:
            finish(play)
    refusal = "400 No tool output found for function call call_901_00001."
    lines = str(caught.value).splitlines()
    assert lines[:-1] == [
        f"refused: request 2: {refusal}",
        "  1. the user says U1; the model will answer with 1 call",
        "       → request 1 carries U1",
        "  2. the task of the turn is cancelled",
        "  3. the user says Ulast; the model will answer with a text",
        "       → request 2 carries … K(a) Ulast",
        f"       → request 2 is refused: {refusal}",
    ]
    assert lines[-1].startswith("       → turn('Ulast') raises RuntimeError("), "what the agent made of it"
    assert play.story.mermaid().splitlines()[-1] == f"    Agent->>Agent: WRONG: request 2: {refusal}"


class Deaf(Plain):
    """Gives the tools to the model, and takes no call that comes back."""

    async def ask(self) -> list[Item]:
        return [item for item in await super().ask() if item["type"] != "function_call"]


def test_an_agent_that_takes_no_call_erases_it() -> None:
    """Its turn has ended well, so it has read the answer, although no tool ever ran."""
    with Play(Deaf) as play, pytest.raises(Violation) as found:
        play.do(User("U1", (Answer(1),)))
        finish(play)
    assert found.value.rule is Rule.ERASED
