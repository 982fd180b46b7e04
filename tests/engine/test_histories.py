"""An engine goes on from a history that another one has made, and from no other."""

from __future__ import annotations

import pytest

from turnlock.engine import Call, Cause, Engine, Item, Message, Note, Outcome, Output, Text, inputs
from turnlock.machines import InvocationState

DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "two files", "", 0.0, "", None)
ASKED = Message("m1", "How many?")
CALL = Call(3, "call_a", "ls", "{}", 5)


def test_ordinals_and_requests_go_on() -> None:
    """R2: what was used in the history is not used again."""
    engine = Engine.with_history([ASKED, CALL, Output(3, DONE), Text("Two.", 6)])
    engine.receive(inputs.Send(0.0, Message("m2", "Sure?")))
    assert engine.turn.request == 7
    assert engine.registry.last_ordinal == 3
    assert engine.transcript.accepted == 4


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        ([ASKED, CALL], "call 3 has no output"),
        (
            [ASKED, CALL, Message("m2", "And?"), Output(3, DONE)],
            "no output before the next message",
        ),
        ([ASKED, Output(3, DONE)], "the output of call 3 stands alone"),
        (
            [ASKED, CALL, Output(3, DONE), Output(3, DONE)],
            "stands alone or is its second",
        ),
    ],
)
def test_histories_that_no_provider_takes(history: list[Item], problem: str) -> None:
    """Each call has its one output, before the next message; the error names the call."""
    with pytest.raises(ValueError, match=problem):
        Engine.with_history(history)


def test_a_note_may_stand_between() -> None:
    """What an interrupted session leaves is a history."""
    Engine.with_history([ASKED, CALL, Output(3, DONE), Note("The user interrupted this turn.")])


def test_what_is_no_item() -> None:
    """A provider's own messages are none: the error says what to give."""
    with pytest.raises(TypeError, match=r"{'role': 'user'} is no item: give another session's `transcript`"):
        Engine.with_history([{"role": "user"}])  # type: ignore[list-item]
