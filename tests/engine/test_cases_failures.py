"""The specification's cases about lost and refused responses, and about calls that the provider executes."""

from __future__ import annotations

import pytest
from attrs import evolve

from support.story import QUEUE, A, K, Receipt, S, Story, T
from turnlock.engine import Call, Engine, Finish, Limits, Message, Origin, Trouble, commands, inputs

NO_OUTPUT = "No tool output found for function call call_1."


def errors(story: Story) -> list[str]:
    """The texts with which turns ended."""
    return [command.error for command in story.log if isinstance(command, commands.TurnEnded)]


def test_a_response_is_lost_behind_a_call() -> None:
    """C18: a runs once; what was not completed never was; the next request goes on from K(a), O(a)."""
    story = Story()
    story.send("U")
    story.model(T("T1"), K("a"), T("T2"))
    assert story.fails(text="reset by peer") == [
        "set aside T2",
        "discarded the rest of 1",
        "timer Wake at 0.5",
    ]
    assert story.returns("a", "once") == ["ended a: returned"]
    assert story.wait(0.5) == ["send 2"]
    assert story.reply(A()) == ["turn 1 ended: end_turn"]
    assert story.sent == ["U", "U T1 K(a) O(a)"]


def test_a_response_is_lost_while_its_call_runs_on() -> None:
    """C18: after the backoff the request still waits for the call, and carries the steer."""
    story = Story()
    story.send("U")
    story.model(K("a"))
    story.fails()
    assert story.wait(0.5) == []
    story.send("U2")
    assert story.returns("a") == ["ended a: returned", "send 2", "delivered U2"]
    assert story.sent[1:] == ["U K(a) O(a) U2"]


def test_a_response_is_lost_before_any_call() -> None:
    """C18 and C23: nothing of it counts; the same history is asked again, with the steers held meanwhile."""
    story = Story()
    story.send("U")
    story.model(T(), A("half"))
    assert story.fails() == ["discarded 1", "timer Wake at 0.5"]
    story.send("U2")
    story.send("Q1", QUEUE)
    assert story.wait(0.5) == ["send 2", "delivered U2"]
    assert story.sent == ["U", "U U2"]
    assert story.receipt("U2") == Receipt("delivered", request=2, index=1)
    assert story.reply(A())[:1] == ["turn 1 ended: end_turn"]


def test_retries_wait_longer_and_longer_and_are_exhausted() -> None:
    """C23: 0.5 s, 1 s, 2 s, 4 s, then failed; the session is usable."""
    story = Story()
    story.send("U")
    for pause in (0.5, 1.0, 2.0, 4.0):
        assert story.fails(text="500") == ["discarded " + str(story.request), story.timer_in(pause)]
        assert story.wait(pause) == [f"send {story.request}"]
    assert story.fails(text="500, again") == ["discarded 5", "turn 1 ended: failed"]
    assert errors(story) == ["500, again"]
    assert story.sent == ["U"] * 5
    story.send("U2")
    assert story.reply(A()) == ["turn 2 ended: end_turn"]
    assert story.sent[5:] == ["U U2"]
    assert errors(story)[1] == ""


def test_an_answer_resets_the_count_of_failures() -> None:
    """C23: retries are counted in a row."""
    story = Story(Limits(retries=1))
    story.send("U")
    story.fails()
    story.wait(0.5)
    story.reply(K("a"))
    story.returns("a")
    assert story.fails() == ["discarded 3", story.timer_in(0.5)]


def test_the_provider_s_own_wait_is_obeyed() -> None:
    """C23: a Retry-After, also one that is longer than our longest."""
    story = Story()
    story.send("U")
    assert story.fails(retry_after=90.0) == ["discarded 1", "timer Wake at 90"]
    assert story.wait(89.0) == []
    assert story.wait(1.0) == ["send 2"]


def test_retries_exhausted_with_a_queue() -> None:
    """C50: Q1 is held, no turn starts by itself, and the next send carries Q1 first."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.send("Q1", QUEUE)
    story.send("Q2", QUEUE, on_interrupt="return")
    assert story.fails() == ["discarded 1", "returned Q2", "turn 1 ended: failed"]
    assert story.receipt("Q1") == Receipt("held")
    assert story.receipt("Q2") == Receipt("returned", reason="the turn ended failed")
    story.send("U2")
    assert story.sent == ["U1", "U1 Q1 U2"]


def test_a_fatal_failure_is_not_asked_again() -> None:
    """R13: failed at once, with the text."""
    story = Story()
    story.send("U1")
    assert story.fails(Trouble.FATAL, "401: no such key") == ["discarded 1", "turn 1 ended: failed"]
    assert errors(story) == ["401: no such key"]


def test_open_calls_end_before_a_failed_turn_does() -> None:
    """R13: the turn waits for its calls, also for one that nobody has approved yet."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.model(K("a"), K("b", approval=True))
    assert story.fails() == ["discarded the rest of 1"]
    story.returns("a")
    assert story.allow("b") == ["start b", "run b"]
    assert story.returns("b") == ["ended b: returned", "turn 1 ended: failed"]
    assert story.history == "U1 K(a) K(b) O(a) O(b)"


def test_a_refused_message_goes_back() -> None:
    """C51, R15: with the provider's text or our own; the next message is accepted without it."""
    story = Story()
    story.send("bad")
    assert story.fails(Trouble.REFUSED, NO_OUTPUT) == [
        "discarded 1",
        "returned bad",
        "turn 1 ended: refused",
    ]
    assert story.receipt("bad") == Receipt("returned", request=1, index=0, reason=NO_OUTPUT)
    assert errors(story) == [NO_OUTPUT]
    story.send("good")
    assert story.reply(A()) == ["turn 2 ended: end_turn"]
    assert story.sent == ["bad", "good"]


def test_only_what_is_new_goes_back() -> None:
    """C51: what an answered request has carried stays."""
    story = Story()
    story.send("U1")
    story.reply(A())
    story.send("U2")
    story.send("held", QUEUE)
    assert story.fails(Trouble.REFUSED, "no") == ["discarded 2", "returned U2", "turn 2 ended: refused"]
    assert story.receipt("held") == Receipt("held")
    story.go_on()
    assert story.sent == ["U1", "U1 A U2", "U1 A held"]


def test_what_a_lost_request_has_carried_goes_back_with_a_refusal() -> None:
    """R20: a refusal does not repeat: nobody has answered the first request that carried it."""
    story = Story()
    story.send("U1")
    story.fails()
    story.send("U2")
    story.wait(0.5)
    assert story.fails(Trouble.REFUSED, "no") == [
        "discarded 2",
        "returned U1",
        "returned U2",
        "turn 1 ended: refused",
    ]
    assert story.history == ""


def test_a_refused_output_is_replaced() -> None:
    """C52: by a text that says so; its call stays, and the next request is accepted."""
    story = Story()
    story.send("U1")
    story.reply(K("a"), K("b"))
    story.send("U2")
    story.returns("a", "\ud800")
    story.returns("b", "too big")
    assert story.fails(Trouble.REFUSED, "bad image") == [
        "discarded 2",
        "returned U2",
        "turn 1 ended: refused",
    ]
    assert story.text("a") == "The output was refused by the provider (bad image) and is left out."
    story.send("U3")
    assert story.sent[2:] == ["U1 K(a) K(b) O(a, refused) O(b, refused) U3"]
    story.fails(Trouble.REFUSED, "still bad")
    assert story.text("a") == "The output was refused by the provider (bad image) and is left out."


def test_an_accepted_output_is_not_replaced() -> None:
    """C52: only outputs that the refused request carried first."""
    story = Story()
    story.send("U1")
    story.reply(K("a"))
    story.returns("a")
    story.reply(K("b"))
    story.returns("b")
    story.fails(Trouble.REFUSED, "no")
    assert story.history == "U1 K(a) O(a) K(b) O(b, refused)"


def test_the_context_is_too_long() -> None:
    """C53: context_overflow, and nothing is returned: the host compacts."""
    story = Story()
    story.send("U1")
    story.reply(K("a"))
    story.send("held", QUEUE)
    story.send("U2")
    story.returns("a")
    assert story.fails(Trouble.OVERFLOW, "too long") == ["discarded 2", "turn 1 ended: context_overflow"]
    assert story.history == "U1 K(a) O(a) U2"
    assert story.receipt("U2") == Receipt("delivered", request=2, index=3)
    assert story.receipt("held") == Receipt("held")


def test_an_interrupt_during_backoff() -> None:
    """C54: no request, idle; the timer that comes later is late."""
    story = Story()
    story.send("U1")
    story.fails()
    assert story.interrupt() == ["turn 1 ended: interrupted"]
    assert story.wait(0.5) == ["late Wake"]
    assert story.sent == ["U1"]
    assert story.history == "U1 M"


def test_a_backoff_is_over_while_the_turn_is_being_stopped() -> None:
    """C54: with a call behind the lost response that still runs, the timer is late all the same."""
    story = Story()
    story.send("U1")
    story.model(K("a"))
    story.fails()
    assert story.interrupt() == ["stop a: interrupted"]
    assert story.wait(0.5) == ["late Wake"]
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]


def test_an_answer_of_nothing_is_an_answer() -> None:
    """C51: what it answers was accepted, and is not given back when a later request is refused."""
    story = Story()
    story.send("U1")
    assert story.ends() == ["turn 1 ended: end_turn"]
    story.send("U2")
    story.fails(Trouble.REFUSED, "no")
    assert story.history == "U1"
    assert story.receipt("U1") == Receipt("delivered", request=1, index=0)


def test_an_interrupted_answer_is_an_answer() -> None:
    """C51: also one of which only some text was shown; one that had not begun is none."""
    for shown, kept in (("half", "U1 half M"), ("", "M")):
        story = Story()
        story.send("U1")
        story.interrupt(shown=shown)
        story.send("U2")
        story.fails(Trouble.REFUSED, "no")
        assert story.history == kept


def test_a_wake_of_an_older_backoff_is_late() -> None:
    """C54 and R25: only the timer of the backoff that runs lets the next request leave."""
    story = Story()
    story.send("U1")
    story.fails()
    story.interrupt()
    story.send("U2")
    story.fails()
    first, second = story.timers
    assert story.feed(first) == ["late Wake"]
    assert story.feed(second) == ["send 3"]


def test_a_control_tool_ended_the_turn_before_its_response_was_lost() -> None:
    """R23 and R13: the first stop reason stands; nobody asks again, whatever becomes of the response."""
    for trouble in (Trouble.LOST, Trouble.FATAL):
        story = Story(Limits(retries=0 if trouble is Trouble.FATAL else 4))
        story.send("U1")
        story.model(K("done", ends_turn=True))
        story.returns("done")
        assert story.fails(trouble) == ["discarded the rest of 1", "turn 1 ended: tool_ended"]
        assert errors(story) == [""]


def test_a_control_tool_ends_the_turn_during_backoff() -> None:
    """R23: nobody waits for a retry that is not needed any more; its timer is late."""
    story = Story()
    story.send("U1")
    story.model(K("done", ends_turn=True))
    story.fails()
    assert story.returns("done") == ["ended done: returned", "turn 1 ended: tool_ended"]
    assert story.wait(0.5) == ["late Wake"]
    assert story.history == "U1 K(done) O(done)"


def test_a_failure_that_comes_before_the_control_tool_s_return() -> None:
    """R13: the first stop reason stands here too."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.model(K("done", ends_turn=True))
    story.fails()
    assert story.returns("done") == ["ended done: returned", "turn 1 ended: failed"]


def test_a_lost_response_is_the_last_one_that_is_allowed() -> None:
    """R13: it cannot be asked again, so nobody waits for that, and the turn says why."""
    story = Story(Limits(max_requests=1))
    story.send("U1")
    assert story.fails() == ["discarded 1", "turn 1 ended: max_requests"]
    assert story.timers == []


def test_a_message_while_the_provider_s_call_is_in_flight() -> None:
    """C45: the response goes back unchanged, and U2 one request later, also after two pauses in a row."""
    story = Story()
    story.send("U1")
    story.send("U2")
    assert story.reply(A(), S("one"), finish=Finish.PAUSE) == ["send 2"]
    assert story.reply(A(), S("two"), finish=Finish.PAUSE) == ["send 3"]
    assert story.reply(A("A3")) == ["send 4", "delivered U2"]
    assert story.reply(A()) == ["turn 1 ended: end_turn"]
    assert story.sent == [
        "U1",
        "U1 A S(one)",
        "U1 A S(one) A S(two)",
        "U1 A S(one) A S(two) A3 U2",
    ]


def test_a_paused_response_goes_back_unchanged() -> None:
    """C45 and R21: also its last reasoning, which would be set aside at the end of a response."""
    story = Story()
    story.send("U1")
    assert story.reply(S(), T(), finish=Finish.PAUSE) == ["send 2"]
    assert story.sent[1:] == ["U1 S(search) T"]


def test_a_paused_response_with_a_client_call() -> None:
    """R21: outputs of client calls may follow the paused response; messages wait one more round trip."""
    story = Story()
    story.send("U1")
    story.send("U2")
    story.reply(S(), K("a"), finish=Finish.PAUSE)
    assert story.returns("a") == ["ended a: returned", "send 2"]
    assert story.reply(A()) == ["send 3", "delivered U2"]
    assert story.sent[1:] == ["U1 S(search) K(a) O(a)", "U1 S(search) K(a) O(a) A U2"]


@pytest.mark.parametrize("said", [(), (K("b"),)], ids=["nothing completed", "a call completed"])
def test_a_lost_response_between_two_halves_of_a_paused_one(said: tuple[K, ...]) -> None:
    """C45 and R21: the provider's call may still be in flight; U2 waits until a response has ended."""
    story = Story()
    story.send("U1")
    story.send("U2")
    story.reply(S(), finish=Finish.PAUSE)
    story.model(*said)
    story.fails()
    for call in said:
        story.returns(call.label)
    assert story.wait(0.5) == ["send 3"]
    assert story.reply(A()) == ["send 4", "delivered U2"]
    assert story.sent[1] == "U1 S(search)"


def test_a_message_may_start_the_turn_after_a_pause_that_failed() -> None:
    """R21: a turn that ended meanwhile leaves nothing behind that would hold a message."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.reply(S(), finish=Finish.PAUSE)
    assert story.fails() == ["discarded 2", "turn 1 ended: failed"]
    story.send("U2")
    story.send("U3")
    assert story.reply(A()) == ["send 4", "delivered U3"]


@pytest.mark.parametrize("ending", ["lost", "interrupted"])
def test_items_of_a_response_that_broke_off_are_not_known_to_the_provider(ending: str) -> None:
    """R22: what the provider may never have stored is kept, and marked so that no dialect sends its id."""
    engine = Engine()
    engine.receive(inputs.Send(0, Message("U", "U")))
    item = Call(1, "call_1", "f", "{}", 1, origin=Origin("openai_responses", "m", {"id": "fc_1"}))
    engine.receive(inputs.ItemCompleted(0, 1, item))
    broken: inputs.Input = inputs.ResponseFailed(1, 1, Trouble.LOST, "reset")
    engine.receive(inputs.Interrupt(1) if ending == "interrupted" else broken)
    (_, kept) = engine.transcript.items[:2]
    assert isinstance(kept, Call)
    assert kept.origin == Origin("openai_responses", "m", {"id": "fc_1"}, known=False)
    assert evolve(kept, origin=item.origin) == item


def test_items_of_a_response_that_ended_are_known_to_the_provider() -> None:
    """R22: the counterpart; nothing is taken from a response that came to its end."""
    engine = Engine()
    engine.receive(inputs.Send(0, Message("U", "U")))
    item = Call(1, "call_1", "f", "{}", 1, origin=Origin("openai_responses", "m", {"id": "fc_1"}))
    engine.receive(inputs.ItemCompleted(0, 1, item))
    engine.receive(inputs.ResponseEnded(1, 1))
    assert engine.transcript.items[1] is item
