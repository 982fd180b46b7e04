"""Steps as values: what can be pasted into a test, and what people read."""

from __future__ import annotations

import pytest

from turnlock import testing
from turnlock.testing import (
    Advance,
    Answer,
    Approve,
    Fail,
    Interrupt,
    Open,
    Release,
    Send,
    Stubborn,
    Together,
    User,
)
from turnlock.testing.sequencing.steps import Step, letters, number_of

STEPS: list[tuple[Step, str, str]] = [
    (User("U1"), "User(text='U1')", "the user says U1; the model will answer with a text"),
    (
        User("U1", (Answer(2), Answer(1, text=True))),
        "User(text='U1', answers=(Answer(calls=2), Answer(calls=1, text=True)))",
        "the user says U1; the model will answer with 2 calls; then a text and 1 call",
    ),
    (Send("U2"), "Send(text='U2')", "the user says U2 while the turn is under way"),
    (
        Send("U2", "steer"),
        "Send(text='U2', mode='steer')",
        "the user says U2 while the turn is under way (steer)",
    ),
    (Open("a"), "Open(step='a')", "the tool of call a returns"),
    (Fail("a"), "Fail(step='a')", "the tool of call a raises"),
    (Stubborn("a"), "Stubborn(step='a')", "the tool of call a will not stop when it is cancelled"),
    (Approve("a"), "Approve(step='a')", "the user allows call a"),
    (Approve("a", allow=False), "Approve(step='a', allow=False)", "the user denies call a"),
    (Interrupt(), "Interrupt()", "the task of the turn is cancelled"),
    (Interrupt(cancel=False), "Interrupt(cancel=False)", "the user interrupts"),
    (Release(), "Release()", "the answer goes on"),
    (Advance(2.5), "Advance(seconds=2.5)", "2.5 s pass"),
    (
        Together((Open("a"), Interrupt())),
        "Together(steps=(Open(step='a'), Interrupt()))",
        "at once: the tool of call a returns; the task of the turn is cancelled",
    ),
]


@pytest.mark.parametrize(("step", "shown", "told"), STEPS, ids=[shown for _, shown, _ in STEPS])
def test_a_step_in_both_writings(step: Step, shown: str, told: str) -> None:
    """The repr leaves out what is as always, and gives the same step when it is pasted."""
    assert repr(step) == shown
    assert eval(shown, {name: getattr(testing, name) for name in testing._WHERE}) == step
    assert step.say() == told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(), "a text"),
        (Answer(1), "1 call"),
        (Answer(2, risky=True), "2 risky calls"),
        (Answer(2, one_id=True), "2 calls, all with one id"),
        (Answer(1, one_id=True), "1 call"),
        (Answer(1, holds=0), "1 call, standing still behind item 0"),
        (Answer(1, text=True, breaks=1), "a text and 1 call, breaking off behind item 1"),
        (Answer(3, status=500), "an error 500"),
        (Answer(status=429, retry_after=5.0), "an error 429 (not again before 5 s)"),
    ],
)
def test_an_answer_in_words(answer: Answer, told: str) -> None:
    """Every way in which the model can answer has its words."""
    assert answer.say() == told


def test_names_of_calls() -> None:
    """They go on behind z, never meet again, and say which number they have."""
    names = [letters(number) for number in range(800)]
    assert (names[0], names[25], names[26], names[701], names[702]) == ("a", "z", "aa", "zz", "aaa")
    assert [number_of(name) for name in names] == list(range(800))
