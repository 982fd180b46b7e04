"""The specification's cases about messages and interrupts, as stories over the pure engine."""

from __future__ import annotations

import pytest

from support.story import INTERRUPT, QUEUE, REJECT, A, K, Receipt, Story, T
from turnlock.engine import Cause, Finish, Limits, Mode
from turnlock.errors import SessionBusy


def at_work(*calls: K, limits: Limits | None = None) -> Story:
    """A turn whose model has made these calls, or one call a."""
    story = Story(limits or Limits())
    story.send("U1")
    story.reply(*(calls or (K("a"),)))
    return story


def test_a_message_waits_for_the_tool() -> None:
    """C2: U2 typed while a runs goes behind its output, in one request."""
    story = at_work()
    assert story.send("U2") == ["held U2 by a"]
    assert story.receipt("U2") == Receipt("held")
    assert story.returns("a") == ["ended a: returned", "send 2", "delivered U2"]
    assert story.sent == ["U1", "U1 K(a) O(a) U2"]
    assert story.receipt("U2") == Receipt("delivered", request=2, index=3)


def test_a_message_waits_for_the_approval() -> None:
    """C2: while a waits for its approval U2 is held, and the receipt names it."""
    story = at_work(K("a", approval=True), K("b"))
    assert story.send("U2") == ["held U2 by a, b"]
    story.returns("b")
    assert story.send("U3") == ["held U3 by a"]
    story.deny("a")
    assert story.sent[1:] == ["U1 K(a) K(b) O(a, denied) O(b) U2 U3"]


def test_two_messages_at_the_same_instant() -> None:
    """C10: the first starts a turn, the second opens the next; both are delivered once, in order."""
    story = Story()
    assert story.send("U2", QUEUE) == ["held U2", "turn 1 began", "send 1", "delivered U2"]
    assert story.send("U3", QUEUE) == ["held U3"]
    assert story.reply(A()) == [
        "turn 1 ended: end_turn",
        "turn 2 began",
        "send 2",
        "delivered U3",
    ]
    assert story.sent == ["U2", "U2 A U3"]
    assert story.receipt("U2") == Receipt("delivered", request=1, index=0)
    assert story.receipt("U3") == Receipt("delivered", request=2, index=2)


def test_a_steer_in_the_last_instant() -> None:
    """C11: accepted before the turn ends, it gets one more request of the same turn."""
    story = Story()
    story.send("U1")
    story.model(A())
    assert story.send("U2") == ["held U2"]
    assert story.ends() == ["send 2", "delivered U2"]
    assert story.reply(A()) == ["turn 1 ended: end_turn"]
    assert story.sent == ["U1", "U1 A U2"]


def test_three_interrupts_are_one() -> None:
    """C12: one interruption, one note."""
    story = at_work()
    assert story.interrupt() == ["stop a: interrupted"]
    assert story.interrupt() == []
    assert story.interrupt() == []
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]
    assert story.history == "U1 K(a) O(a, interrupted) M"
    assert story.interrupt() == []
    assert story.history == "U1 K(a) O(a, interrupted) M"


def test_an_interrupt_when_idle_is_nothing() -> None:
    """C12: it does not poison the next message."""
    story = Story()
    assert story.interrupt() == []
    assert story.send("U1") == ["held U1", "turn 1 began", "send 1", "delivered U1"]
    story.reply(A())
    assert story.interrupt() == []
    story.send("U2")
    assert story.sent == ["U1", "U1 A U2"]


def test_messages_before_an_interrupt_are_kept_or_returned() -> None:
    """C13: as said at send; nothing starts by itself; what was kept goes first with the next turn."""
    story = at_work()
    story.send("kept")
    story.send("queued", QUEUE)
    story.send("returned", on_interrupt="return")
    assert story.interrupt() == ["returned returned", "stop a: interrupted"]
    assert story.receipt("returned") == Receipt("returned", reason="interrupted")
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]
    assert len(story.sent) == 1
    assert story.receipt("kept") == Receipt("held")
    story.send("U2")
    assert story.sent[1:] == ["U1 K(a) O(a, interrupted) M kept queued U2"]


def test_a_message_after_the_interrupt_starts_the_next_turn() -> None:
    """C13: a message accepted after the interrupt does."""
    story = at_work()
    story.interrupt()
    assert story.send("U2") == ["held U2 by a"]
    assert story.grace_over("a") == [
        "ended a: interrupted",
        "turn 1 ended: interrupted",
        "turn 2 began",
        "send 2",
        "delivered U2",
    ]


def test_a_kept_message_is_taken_along_by_going_on() -> None:
    """C13: the host may say go on, without a message of its own."""
    story = at_work()
    story.send("U2")
    story.interrupt()
    story.stopped("a")
    assert story.go_on() == ["turn 2 began", "send 2", "delivered U2"]


def test_an_interrupt_behind_the_message_holds_it_back() -> None:
    """C55: interrupt, U2, interrupt while a still stops: nothing starts, and U2 is kept."""
    story = at_work()
    story.interrupt()
    story.send("U2")
    assert story.interrupt() == []
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]
    assert story.receipt("U2") == Receipt("held")
    story.send("U3")
    assert story.sent[1:] == ["U1 K(a) O(a, interrupted) M U2 U3"]


def test_mode_steer() -> None:
    """C24: the next request of this turn carries it; while idle it starts a turn."""
    story = at_work(K("a"))
    story.send("U2")
    story.returns("a")
    assert story.sent == ["U1", "U1 K(a) O(a) U2"]


def test_mode_queue() -> None:
    """C24: no request of this turn carries it; all that are queued open the next turn together."""
    story = at_work(K("a"))
    story.send("Q1", QUEUE)
    story.send("Q2", QUEUE)
    story.send("U2")
    story.returns("a")
    assert story.sent[1:] == ["U1 K(a) O(a) U2"]
    story.reply(K("b"))
    story.returns("b")
    assert story.sent[2:] == ["U1 K(a) O(a) U2 K(b) O(b)"]
    story.reply(A())
    assert story.sent[3:] == ["U1 K(a) O(a) U2 K(b) O(b) A Q1 Q2"]
    assert story.receipt("Q2") == Receipt("delivered", request=4, index=8)


def test_mode_interrupt() -> None:
    """C24: it stops the turn, and opens the next one."""
    story = at_work(K("a"))
    story.send("kept")
    story.send("returned", on_interrupt="return")
    assert story.send("U2", INTERRUPT) == ["returned returned", "stop a: interrupted", "held U2 by a"]
    assert story.stopped("a")[-3:] == ["send 2", "delivered kept", "delivered U2"]
    assert story.sent[1:] == ["U1 K(a) O(a, interrupted) M kept U2"]


def test_mode_interrupt_stops_an_answer() -> None:
    """C24 and R7: the text that the model had shown is kept, and the reasoning before it set aside."""
    story = Story()
    story.send("U1")
    story.model(T())
    assert story.send("U2", INTERRUPT, shown="Half an ans") == [
        "abort 1",
        "set aside T",
        "held U2",
        "turn 1 ended: interrupted",
        "turn 2 began",
        "send 2",
        "delivered U2",
    ]
    assert story.sent[1:] == ["U1 Half an ans M U2"]


def test_mode_reject() -> None:
    """C24: SessionBusy unless idle, and nothing has changed."""
    story = Story()
    assert story.send("U1", REJECT) == ["held U1", "turn 1 began", "send 1", "delivered U1"]
    with pytest.raises(SessionBusy, match="queue"):
        story.send("U2", REJECT)
    story.reply(K("a"))
    with pytest.raises(SessionBusy):
        story.send("U2", REJECT)
    story.interrupt()
    with pytest.raises(SessionBusy):
        story.send("U2", REJECT)
    story.stopped("a")
    story.send("U2", REJECT)
    assert story.sent[1:] == ["U1 K(a) O(a, interrupted) M U2"]


def test_going_on_while_a_turn_is_under_way() -> None:
    """C24: to go on without a message is refused like a message that asks for an idle session."""
    story = at_work()
    with pytest.raises(SessionBusy) as refused:
        story.go_on()
    assert refused.value.calls == (1,)


def test_a_held_message_knows_its_calls() -> None:
    """C28: what holds it at acceptance is said; delivered says which request carried it, at which index."""
    story = Story()
    story.send("U1")
    assert story.send("U2") == ["held U2"]
    story.model(K("a"), K("b"))
    assert story.send("U3") == ["held U3 by a, b"]
    story.ends()
    story.returns("b")
    story.returns("a")
    assert story.receipt("U2") == Receipt("delivered", request=2, index=5)
    assert story.receipt("U3") == Receipt("delivered", request=2, index=6)


def test_max_requests_with_a_steer_held() -> None:
    """C64: the turn ends, and the next turn carries it."""
    story = at_work(K("a"), limits=Limits(max_requests=1))
    story.send("U2")
    assert story.returns("a") == [
        "ended a: returned",
        "turn 1 ended: max_requests",
        "turn 2 began",
        "send 2",
        "delivered U2",
    ]
    assert story.reply(A()) == ["turn 2 ended: end_turn"]
    assert story.sent == ["U1", "U1 K(a) O(a) U2"]


def test_max_requests_with_only_outputs_left() -> None:
    """C64 and R13: the outputs wait for the next turn; what the turn would have said is its stop reason."""
    story = at_work(K("a"), limits=Limits(max_requests=1))
    assert story.returns("a") == ["ended a: returned", "turn 1 ended: max_requests"]
    assert story.go_on() == ["turn 2 began", "send 2"]
    assert story.sent[1:] == ["U1 K(a) O(a)"]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [(Finish.STOP, "end_turn"), (Finish.LENGTH, "max_tokens"), (Finish.FILTER, "content_filter")],
)
def test_a_turn_that_comes_to_rest_says_how(finish: Finish, reason: str) -> None:
    """R13: how the last response ended is the stop reason of a turn with nothing left to say."""
    story = Story()
    story.send("U1")
    assert story.reply(A(), finish=finish) == [f"turn 1 ended: {reason}"]


def test_a_withdrawn_message_is_returned() -> None:
    """R5: while it is held; once delivered, or never heard of, it is too late."""
    story = at_work()
    story.send("U2")
    assert story.withdraw("U2", "typo") == ["returned U2"]
    assert story.receipt("U2") == Receipt("returned", reason="typo")
    assert story.withdraw("U2") == ["late Withdraw"]
    assert story.withdraw("U1") == ["late Withdraw"]
    assert story.withdraw("U9") == ["late Withdraw"]
    assert story.returns("a") == ["ended a: returned", "send 2"]
    assert story.sent[1:] == ["U1 K(a) O(a)"]


@pytest.mark.parametrize("mode", [Mode.STEER, QUEUE])
def test_a_withdrawn_message_asks_for_no_request(mode: Mode) -> None:
    """R5: what was taken back before the answer ended is not waited for."""
    story = Story()
    story.send("U1")
    story.send("U2", mode)
    story.withdraw("U2")
    assert story.reply(A()) == ["turn 1 ended: end_turn"]


def test_a_withdrawn_message_starts_nothing() -> None:
    """R5: an older message behind the line does not start a turn because a newer one was there once."""
    story = at_work()
    story.send("old")
    story.interrupt()
    story.send("new", QUEUE)
    story.withdraw("new")
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]


def test_the_first_receipt_stands() -> None:
    """R5: a second send with an id changes nothing, whatever became of the first."""
    story = at_work()
    story.send("U2", QUEUE)
    assert story.send("U2", INTERRUPT) == ["duplicate U2"]
    assert story.send("U1", REJECT) == ["duplicate U1"]
    assert story.returns("a") == ["ended a: returned", "send 2"]
    assert story.receipt("U2") == Receipt("held")


@pytest.mark.parametrize(
    ("cause", "note"),
    [
        (Cause.INTERRUPTED, "The user interrupted this turn. Tools that were running may have had effects."),
        (
            Cause.CLOSED,
            "The session was closed during this turn. Tools that were running may have had effects.",
        ),
    ],
)
def test_the_note(cause: Cause, note: str) -> None:
    """R26: once per interruption that stopped a turn, and it says what is true."""
    story = at_work()
    assert story.interrupt(cause=cause) == [f"stop a: {cause}"]
    assert story.stopped("a") == [f"ended a: {cause}", f"turn 1 ended: {cause}"]
    last = story.engine.transcript.items[-1]
    assert (story.write([last]), getattr(last, "text", "")) == ("M", note)


def test_a_turn_that_runs_out_of_time() -> None:
    """R13 and R26: stopped like an interrupt; its time does not stop the turn that follows."""
    story = at_work(limits=Limits(turn_timeout=10.0))
    story.send("U2")
    assert story.wait(10.0) == ["stop a: turn_timeout"]
    assert story.stopped("a") == ["ended a: turn_timeout", "turn 1 ended: turn_timeout"]
    assert story.text("a") == "Tool cancelled while it was running, after 10 s: it may have had effects."
    assert story.receipt("U2") == Receipt("held")
    story.go_on()
    assert story.reply(A()) == ["turn 2 ended: end_turn"]
    assert story.wait(10.0) == ["late TurnExpired"]


def test_time_that_runs_out_while_the_turn_stops() -> None:
    """R13: a turn that is being stopped already keeps its one stop reason."""
    story = at_work(limits=Limits(turn_timeout=10.0))
    story.interrupt()
    assert story.wait(10.0) == ["late TurnExpired"]
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]
