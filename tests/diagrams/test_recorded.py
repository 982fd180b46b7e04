"""A recorded list of inputs becomes the picture of what happened."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from turnlock.diagrams import MODEL, SESSION, USER, Arrow, Kind, record
from turnlock.diagrams.recorded import STORY
from turnlock.engine import (
    Call,
    Cause,
    Engine,
    Input,
    Limits,
    Message,
    Mode,
    OnInterrupt,
    Origin,
    Outcome,
    Policy,
    Reasoning,
    ServerCall,
    Text,
    Trouble,
    inputs,
)
from turnlock.machines import InvocationState

HELLO = inputs.Send(0, Message("one", "Hello"))
ASKED = inputs.ItemCompleted(1, 1, Call(1, "a", "grep", "{}", 1))
ANSWERED = inputs.ResponseEnded(1, 1)
STARTED = inputs.Started(1, 1)


def told(said: Iterable[Input], engine: Engine | None = None) -> list[str]:
    """The picture as lines: who, to whom, what."""
    return [f"{arrow.source.id} {arrow.kind} {arrow.dest.id}: {arrow.text}" for arrow in record(said, engine)]


def after(arrows: list[str], begin: str) -> list[str]:
    """What follows the line that begins like this."""
    [at] = [index for index, line in enumerate(arrows) if line.startswith(begin)]
    return arrows[at + 1 :]


def test_message_waits_for_the_output_of_a_call() -> None:
    """C2, the story of the shipped picture: held, then carried behind the output, in one request."""
    assert told(STORY) == [
        "user said session: message 1: How many files are in docs?",
        "user note model: turn 1",
        "session begun model: request 1: message 1",
        'model told session: call 1: count_files {"path": "docs"}',
        "session begun call_1: run",
        "model ended session: response 1 ended: stop",
        "user said session: message 2: Only the .md ones.",
        "user note session: message 2 is held by call 1",
        "call_1 ended session: completed: 12 files, 7 of them .md",
        "session begun model: request 2: message 1, call 1, output 1, message 2",
        "session told user: message 2 delivered with request 2",
        "model told session: text: There are 7 .md files in docs.",
        "model ended session: response 2 ended: stop",
        "session told user: turn 1 ended: end_turn",
    ]


def test_picture_is_the_same_every_time() -> None:
    """The same record gives the same picture, and times come from the record alone."""
    assert record(STORY) == record(STORY)
    assert [arrow.at for arrow in record(STORY)] == sorted(arrow.at for arrow in record(STORY))


def test_interrupt_while_a_call_runs() -> None:
    """C3: the call is asked to stop, ends with what it had printed, and only then the turn ends."""
    arrows = told([HELLO, ASKED, STARTED, inputs.Interrupt(2), inputs.Stopped(3, 1, "12 of 40")])
    killed = Outcome(InvocationState.CANCELLED, Cause.INTERRUPTED, partial="12 of 40", seconds=2).model_text
    assert after(arrows, "session begun call_1") == [
        "user said session: stop the turn: interrupted",
        "session aborted model: abort request 1",
        "session said call_1: stop: interrupted",
        f"call_1 ended session: cancelled: {killed}",
        "session told user: turn 1 ended: interrupted",
    ]


def test_reason_of_an_interrupt_is_shown() -> None:
    """The host's own reason says more than the cause."""
    assert "user said session: stop the turn: lunch" in told([inputs.Interrupt(0, reason="lunch")])


def test_approval_is_asked_of_the_user() -> None:
    """A denied call has no line of its own: nobody ran it."""
    asked = inputs.ItemCompleted(1, 1, Call(1, "a", "rm", "{}", 1), Policy(approval=True))
    arrows = told([HELLO, asked, ANSWERED, inputs.ApprovalAnswered(2, 1, allow=False, reason="No.")])
    assert after(arrows, "model told session: call 1") == [
        "session told user: may call 1 run?",
        "model ended session: response 1 ended: stop",
        "user said session: deny call 1",
        "session note session: call 1 cancelled: Tool denied: it was not run. No.",
        "session begun model: request 2: message 1, call 1, output 1",
    ]
    allowed = told([HELLO, asked, ANSWERED, inputs.ApprovalAnswered(2, 1, allow=True), inputs.Started(2, 1)])
    assert after(allowed, "user said session: allow call 1") == ["session begun call_1: run"]


def test_lost_response_is_asked_again() -> None:
    """Nothing of a lost response counts; the wait is not drawn, the next request is."""
    lost = inputs.ResponseFailed(1, 1, Trouble.LOST, "connection reset")
    arrows = told([HELLO, lost, inputs.Wake(2, 1)])
    assert after(arrows, "session begun model: request 1") == [
        "model lost session: response 1 lost: connection reset",
        "session note model: nothing of response 1 counts",
        "session begun model: request 2: message 1",
    ]


def test_refused_request_gives_its_message_back() -> None:
    """R20: the message goes back with the provider's words, which also stand at the end of the turn."""
    arrows = told([HELLO, inputs.ResponseFailed(1, 1, Trouble.REFUSED, "no such model")])
    assert arrows[-2:] == [
        "session told user: message 1 returned: no such model",
        "session told user: turn 1 ended: refused: no such model",
    ]


def test_late_input_is_a_note_and_ends_nothing() -> None:
    """R25: the end of an aborted response does not end the bar of the next one."""
    said: list[Input] = [
        HELLO,
        inputs.Interrupt(1),
        inputs.Send(2, Message("two", "Again")),
        inputs.ResponseEnded(3, 1),
    ]
    assert told(said)[-2:] == [
        "session begun model: request 2: message 1, note, message 2",
        "session note session: too late: response ended",
    ]


def test_busy_session_refuses() -> None:
    """What no row allows is drawn as a refusal, and the picture goes on."""
    arrows = told([HELLO, inputs.Send(1, Message("two", "Now"), Mode.REJECT), inputs.GoOn(2), ANSWERED])
    assert after(arrows, "session begun model")[0] == "user said session: message (reject): Now"
    assert after(arrows, "user said session: message (reject)")[0].startswith(
        "session lost user: refused: a turn is under way"
    )
    assert after(arrows, "user said session: go on")[0].startswith(
        "session lost user: refused: a turn is under way"
    )
    assert arrows[-1] == "session told user: turn 1 ended: end_turn"


def test_messages_that_wait_come_back_or_are_known() -> None:
    """Queued, withdrawn, returned at an interrupt, sent twice: each fate has its line."""
    arrows = told(
        [
            HELLO,
            inputs.Send(1, Message("two", ({"type": "image"},)), Mode.QUEUE),
            inputs.Send(2, Message("two", "again")),
            inputs.Withdraw(3, "two", "changed my mind"),
            inputs.Send(4, Message("three", "Later"), on_interrupt=OnInterrupt.RETURN),
            inputs.Interrupt(5),
        ]
    )
    assert after(arrows, "session begun model") == [
        "user said session: message 2 (queue): 1 parts",
        "user note session: message 2 is held",
        "user said session: message 2: again",
        "user note session: message 2 was sent before",
        "user said session: withdraw: changed my mind",
        "session told user: message 2 returned: changed my mind",
        "user said session: message 3: Later",
        "user note session: message 3 is held",
        "user said session: stop the turn: interrupted",
        "session told user: message 3 returned: interrupted",
        "session aborted model: abort request 1",
        "session told user: turn 1 ended: interrupted",
    ]


def test_items_of_all_kinds_have_a_name() -> None:
    """Reasoning and calls of the provider's own are named too; long histories are counted, not listed."""
    origin = Origin("anthropic", "m", {})
    said: list[Input] = [
        HELLO,
        inputs.ItemCompleted(1, 1, Reasoning("Hm.", 1)),
        inputs.ItemCompleted(1, 1, ServerCall("web_search", 1, origin)),
        inputs.ItemCompleted(1, 1, Reasoning("Alone.", 1)),
        inputs.ItemCompleted(1, 1, Text("Done.", 1)),
        ANSWERED,
        inputs.GoOn(2),
        inputs.ResponseEnded(3, 2),
        inputs.Send(4, Message("two", "More")),
        inputs.ItemCompleted(5, 3, Reasoning("Cut.", 3)),
        inputs.Interrupt(6),
        inputs.Send(7, Message("three", "And?")),
    ]
    arrows = told(said)
    assert "model told session: reasoning: Hm." in arrows
    assert "model told session: server call" in arrows
    assert "session begun model: request 2: message 1, reasoning, server call, reasoning, text" in arrows
    assert (
        "session note model: reasoning set aside: the item that it belongs to was never completed" in arrows
    )
    assert arrows[-1] == (
        "session begun model: request 4: 2 earlier, server call, reasoning, text, message 2, note, message 3"
    )


def test_skipped_call_is_asked_to_stop() -> None:
    """C14: the user cancels one call, and the others are none of its business."""
    arrows = told([HELLO, ASKED, STARTED, ANSWERED, inputs.Cancel(2, 1), inputs.GraceOver(4, 1)])
    assert after(arrows, "model ended")[:2] == [
        "user said session: cancel call 1",
        "session said call_1: stop: skipped",
    ]
    assert "session begun model: request 2: message 1, call 1, output 1" in arrows


LOST = "Tool lost in a crash: it may have run, wholly or in part. Check before repeating it."


def test_crash_is_a_line_of_its_own() -> None:
    """C29: the call is lost, the turn has ended."""
    arrows = told([HELLO, ASKED, STARTED, ANSWERED, inputs.Resumed(9)])
    assert after(arrows, "model ended") == [
        "user said session: resume after a crash",
        f"call_1 ended session: cancelled: {LOST}",
        "session told user: turn 1 ended: crashed",
    ]


def test_record_may_begin_in_the_middle() -> None:
    """An engine with a history is drawn from where it stands; messages of before have no number."""
    engine = Engine.with_history([Message("old", "Before"), Text("Yes.", 1)])
    assert told([inputs.Send(0, Message("new", "Now"))], engine)[-1] == (
        "session begun model: request 2: message, text, message 1"
    )


@pytest.mark.parametrize("cause", [Cause.DEADLINE, Cause.IDLE])
def test_call_that_is_left_behind_has_ended(cause: Cause) -> None:
    """R8: after its grace a call counts as timed out, whatever it does later."""
    said: list[Input] = [
        HELLO,
        ASKED,
        STARTED,
        inputs.StopAsked(3, 1, cause),
        inputs.GraceOver(5, 1),
        inputs.Returned(9, 1, "x"),
    ]
    assert told(said, Engine(Limits(grace=2)))[-3:] == [
        f"session said call_1: stop: {cause}",
        "call_1 ended session: timed_out: Tool timed out after 4 s: it may have had effects.",
        "session note session: too late: returned",
    ]


def test_arrows_are_values() -> None:
    """Whoever has another kind of record makes the same arrows by hand."""
    assert record([HELLO])[0] == Arrow(0, USER, SESSION, "message 1: Hello")
    assert record([HELLO])[2] == Arrow(0, SESSION, MODEL, "request 1: message 1", Kind.BEGUN)
