"""The specification's cases about calls, as stories over the pure engine."""

from __future__ import annotations

import pytest

from support.story import A, K, Receipt, Story, T
from turnlock.engine import CallKind, Cause, Finish, Limits
from turnlock.errors import TransitionRefused


def begun(*calls: K, limits: Limits | None = None, starts_tools: bool = True) -> Story:
    """A turn whose model has made these calls."""
    story = Story(limits or Limits(), starts_tools=starts_tools)
    story.send("U")
    story.reply(*calls)
    return story


def test_a_call_runs_and_its_output_goes_back() -> None:
    """C1: a runs, and the next request carries U, K(a), O(a); nothing is held."""
    story = Story()
    assert story.send("U") == ["held U", "turn 1 began", "send 1", "delivered U"]
    assert story.model(K("a")) == ["call a", "start a", "run a"]
    assert story.ends() == []
    assert story.returns("a", "42") == ["ended a: returned", "send 2"]
    assert story.reply(A("done")) == ["turn 1 ended: end_turn"]
    assert story.sent == ["U", "U K(a) O(a)"]
    assert story.text("a") == "42"
    assert story.receipt("U") == Receipt("delivered", request=1, index=0)


def test_an_interrupt_while_a_tool_runs_keeps_what_it_printed() -> None:
    """C3: the next request carries U1, K(a), O(a, cancelled + partial), M, U2; two requests in all."""
    story = begun(K("a"))
    story.now = 1.25
    assert story.interrupt() == ["stop a: interrupted"]
    assert story.send("U2") == ["held U2 by a"]
    assert story.stopped("a", "line 1") == [
        "ended a: interrupted",
        "turn 1 ended: interrupted",
        "turn 2 began",
        "send 2",
        "delivered U2",
    ]
    assert story.sent == ["U", "U K(a) O(a, interrupted) M U2"]
    assert story.text("a") == (
        "Tool cancelled while it was running, after 1.2 s: it may have had effects.\n"
        "Output so far (incomplete):\nline 1"
    )


@pytest.mark.parametrize("kind", CallKind)
def test_an_interrupt_before_the_approval_closes_the_call(kind: CallKind) -> None:
    """C4, the origin story: the call of any kind gets "not started", and its approval is dead."""
    story = begun(K("a", kind=kind, approval=True))
    assert story.interrupt() == ["ended a: not_started", "turn 1 ended: interrupted"]
    story.send("U2")
    assert story.sent == ["U", "U K(a) O(a, not_started) M U2"]
    assert story.text("a") == "Tool cancelled before it started: it was not run."
    with pytest.raises(TransitionRefused, match="the approval of invocation 1 is dead"):
        story.allow("a")
    assert story.sent == ["U", "U K(a) O(a, not_started) M U2"]


def test_three_calls_end_in_three_ways() -> None:
    """C5: result, error, timed out with what it printed: three outputs in call order."""
    story = begun(K("a"), K("b"), K("c"))
    story.now = 300.0
    assert story.late_by("c") == ["stop c: deadline"]
    story.raises("b", "KeyError: 'x'")
    story.now = 302.0
    assert story.grace_over("c", "half") == ["ended c: deadline"]
    assert story.returns("a", "fine") == ["ended a: returned", "send 2"]
    assert story.sent[1:] == ["U K(a) K(b) K(c) O(a) O(b, raised) O(c, deadline)"]
    assert story.text("a") == "fine"
    assert story.text("b") == "Tool error: KeyError: 'x'"
    assert story.text("c") == (
        "Tool timed out after 302 s: it may have had effects.\nOutput so far (incomplete):\nhalf"
    )


def test_a_denied_call_leaves_the_others_alone() -> None:
    """C6: one of three is denied; the other two run, and the outputs stand in call order."""
    story = begun(K("a"), K("b", approval=True), K("c"))
    assert story.deny("b", "not on a Friday") == ["ended b: denied"]
    story.returns("c")
    story.returns("a")
    assert story.sent[1:] == ["U K(a) K(b) K(c) O(a) O(b, denied) O(c)"]
    assert story.text("b") == "Tool denied: it was not run. not on a Friday"


def test_one_call_is_skipped() -> None:
    """C14: cancelling one call of three cancels that one, and the others go on."""
    story = begun(K("a"), K("b"), K("c"))
    assert story.cancel("b") == ["stop b: skipped"]
    story.now = 0.5
    assert story.stopped("b") == ["ended b: skipped"]
    story.returns("a")
    story.returns("c")
    assert story.sent[1:] == ["U K(a) K(b) K(c) O(a) O(b, skipped) O(c)"]
    assert story.text("b") == "Tool cancelled while it was running, after 0.5 s: it may have had effects."


def test_a_call_that_waits_is_skipped_at_once() -> None:
    """C14: a skipped call that nobody has run says so."""
    story = begun(K("a"), K("b"), limits=Limits(parallel=1))
    assert story.cancel("b") == ["ended b: not_started"]
    assert story.text_of_ended("b") == "Tool cancelled before it started: it was not run."
    assert story.returns("a") == ["ended a: returned", "send 2"]


def test_a_cancel_that_comes_second_changes_nothing() -> None:
    """C15: the tool had returned before the cancel was seen: the real result stays."""
    story = begun(K("a"))
    assert story.cancel("a") == ["stop a: skipped"]
    assert story.returns("a", "real") == ["ended a: returned", "send 2"]
    assert story.text("a") == "real"
    with pytest.raises(TransitionRefused, match="invocation 1 is not open"):
        story.cancel("a")


def test_exclusive_calls_run_alone() -> None:
    """C16: it waits for all earlier calls, and holds back all later ones; the others overlap."""
    story = Story()
    story.send("U")
    assert story.model(K("a"), K("b")) == ["call a", "start a", "run a", "call b", "start b", "run b"]
    assert story.model(K("x", exclusive=True), K("c"), K("d")) == ["call x", "call c", "call d"]
    story.ends()
    assert story.returns("b") == ["ended b: returned"]
    assert story.returns("a") == ["ended a: returned", "start x", "run x"]
    assert story.returns("x") == ["ended x: returned", "start c", "start d", "run c", "run d"]
    story.returns("d")
    story.returns("c")
    assert story.sent[1:] == ["U K(a) K(b) K(x) K(c) K(d) O(a) O(b) O(x) O(c) O(d)"]


def test_the_limit_holds() -> None:
    """C16: no more calls run than the limit allows, and they start in call order."""
    story = begun(K("a"), K("b"), K("c"), K("d"), limits=Limits(parallel=2))
    assert story.returns("b") == ["ended b: returned", "start c", "run c"]
    assert story.returns("c") == ["ended c: returned", "start d", "run d"]
    story.returns("d")
    assert story.returns("a") == ["ended a: returned", "send 2"]


def test_a_tool_starts_before_the_response_ends() -> None:
    """C17: a tool runs, and may even return, while the model is still answering; no request leaves."""
    story = Story()
    story.send("U")
    assert story.model(K("a")) == ["call a", "start a", "run a"]
    assert story.returns("a") == ["ended a: returned"]
    assert story.model(K("b")) == ["call b", "start b", "run b"]
    assert story.ends() == []
    assert story.returns("b") == ["ended b: returned", "send 2"]
    assert story.sent[1:] == ["U K(a) K(b) O(a) O(b)"]


@pytest.mark.parametrize(
    ("problem", "why", "text"),
    [
        (Cause.CUT_OFF, "", "Tool not run: its arguments were cut off."),
        (Cause.BAD_ARGUMENTS, "not JSON", "Tool not run: its arguments are not valid: not JSON"),
        (Cause.UNKNOWN_TOOL, "rm", "Tool not run: there is no tool rm."),
    ],
)
def test_a_call_that_cannot_run_is_answered(problem: Cause, why: str, text: str) -> None:
    """C19 and R12: what cannot run is never run, and the model gets the reason; the others run."""
    story = Story()
    story.send("U")
    call = K("a", approval=True, exclusive=True, problem=problem, why=why)
    assert story.model(call) == ["call a", f"ended a: {problem}"]
    assert story.model(K("b")) == ["call b", "start b", "run b"]
    story.ends(Finish.LENGTH)
    assert story.returns("b") == ["ended b: returned", "send 2"]
    assert story.sent[1:] == [f"U K(a) K(b) O(a, {problem}) O(b)"]
    assert story.text("a") == text


def test_a_call_id_repeats_inside_a_response() -> None:
    """C20: both calls run, and each result reaches its own call."""
    story = begun(K("a", call_id="call"), K("b", call_id="call"))
    story.returns("b", "of b")
    story.returns("a", "of a")
    assert story.sent[1:] == ["U K(a) K(b) O(a) O(b)"]
    assert (story.text("a"), story.text("b")) == ("of a", "of b")


def test_a_call_id_repeats_in_a_later_turn() -> None:
    """C21: both pairs are right, and the late return of the first call does not touch the second."""
    story = begun(K("a", call_id="call"))
    story.interrupt()
    story.grace_over("a")
    story.send("U2")
    story.reply(K("b", call_id="call"))
    assert story.returns("a", "of a, too late") == ["late Returned"]
    assert story.returns("b", "of b") == ["ended b: returned", "send 3"]
    assert story.sent[-1] == "U K(a) O(a, interrupted) M U2 K(b) O(b)"
    assert story.text("b") == "of b"


def test_a_control_tool_ends_the_turn() -> None:
    """C49: its sibling ends, no further request leaves; the next turn carries both outputs, then U2."""
    story = begun(K("done", ends_turn=True), K("b"))
    assert story.returns("done") == ["ended done: returned"]
    assert story.returns("b") == ["ended b: returned", "turn 1 ended: tool_ended"]
    story.send("U2")
    assert story.sent == ["U", "U K(done) K(b) O(done) O(b) U2"]


def test_a_control_tool_ends_the_turn_though_a_message_steers() -> None:
    """C49 and R23: no further request leaves in this turn; the held message opens the next one."""
    story = begun(K("done", ends_turn=True))
    story.send("U2")
    assert story.returns("done") == [
        "ended done: returned",
        "turn 1 ended: tool_ended",
        "turn 2 began",
        "send 2",
        "delivered U2",
    ]
    assert story.sent == ["U", "U K(done) O(done) U2"]


def test_a_control_tool_that_raises_does_not_end_the_turn() -> None:
    """R23 and R9: an exception is an output and not the end of the turn; the model reads it."""
    story = begun(K("done", ends_turn=True))
    assert story.raises("done") == ["ended done: raised", "send 2"]


def test_a_control_tool_that_was_interrupted_and_still_returned() -> None:
    """R23 and R13: the interrupt came first, and is the turn's one stop reason."""
    story = begun(K("done", ends_turn=True))
    story.interrupt()
    assert story.returns("done") == ["ended done: returned", "turn 1 ended: interrupted"]
    assert story.history == "U K(done) O(done) M"


def test_a_tool_returns_within_its_grace() -> None:
    """C56: it has completed, with its real result."""
    story = begun(K("a"))
    story.late_by("a")
    assert story.returns("a", "just in time") == ["ended a: returned", "send 2"]
    assert story.text("a") == "just in time"
    assert story.call("a").outcome is not None
    assert story.call("a").stop_cause is Cause.DEADLINE


def test_the_deadline_comes_before_the_interrupt() -> None:
    """C57: the first cause of the stop decides: timed out."""
    story = begun(K("a"))
    story.now = 300.0
    story.late_by("a")
    assert story.interrupt() == []
    story.now = 301.0
    assert story.stopped("a") == ["ended a: deadline", "turn 1 ended: interrupted"]
    assert story.history == "U K(a) O(a, deadline) M"
    assert story.text("a") == "Tool timed out after 301 s: it may have had effects."


def test_a_pending_approval_takes_no_slot() -> None:
    """C58: with a limit of one, the sibling of a call that waits for its approval runs."""
    story = Story(Limits(parallel=1))
    story.send("U")
    said = story.reply(K("a", approval=True), K("b"))
    assert said == ["call a", "ask a", "timer ApprovalExpired at 900", "call b", "start b", "run b"]
    assert story.allow("a") == []
    assert story.call("a").waits_for == "slot"
    assert story.returns("b") == ["ended b: returned", "start a", "run a"]


def test_an_approval_that_comes_while_no_slot_is_free() -> None:
    """C58: a call that was approved while it stood behind others starts once, in its turn."""
    story = begun(K("a"), K("b", approval=True), K("c"), limits=Limits(parallel=1))
    assert story.allow("b") == []
    assert story.returns("a") == ["ended a: returned", "start b", "run b"]
    assert story.returns("b") == ["ended b: returned", "start c", "run c"]
    assert story.returns("c") == ["ended c: returned", "send 2"]


def test_an_exclusive_call_waits_for_its_approval() -> None:
    """C59: later calls wait at most until nobody has answered in time."""
    story = Story(Limits(approval_deadline=60.0))
    story.send("U")
    story.reply(K("x", exclusive=True, approval=True), K("b"))
    assert story.call("b").waits_for == "exclusive"
    assert story.wait(59.0) == []
    assert story.wait(1.0) == ["ended x: no_answer", "start b", "run b"]
    assert story.returns("b") == ["ended b: returned", "send 2"]
    assert story.text("x") == "Tool not run: nobody approved it within 60 s."


def test_an_exclusive_call_waits_for_an_earlier_approval() -> None:
    """C16: an earlier call that waits for its approval is an earlier call."""
    story = begun(K("a", approval=True), K("x", exclusive=True))
    assert story.call("x").waits_for == "earlier"
    assert story.allow("a") == ["start a", "run a"]
    assert story.returns("a") == ["ended a: returned", "start x", "run x"]


def test_an_exception_without_text() -> None:
    """C61: the type stands for the text; an output is never empty."""
    story = begun(K("a"))
    story.raises("a", "ValueError")
    assert story.text("a") == "Tool error: ValueError"


def test_reasoning_text_and_calls_stay_in_the_model_s_order() -> None:
    """R4: a response is kept as it came, and all its outputs stand behind it in call order."""
    story = Story()
    story.send("U")
    story.reply(T("T1"), A("A1"), T("T2"), K("a"), A("A2"), K("b"))
    story.returns("b")
    story.returns("a")
    assert story.sent[1:] == ["U T1 A1 T2 K(a) A2 K(b) O(a) O(b)"]
