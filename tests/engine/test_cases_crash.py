"""The specification's cases about a crash, as far as the engine decides them.

A story crashes when the process is killed and the session goes on from its record in another one: the engine
has been fed the same inputs again, nobody performs a command twice, and then it is told that it is resumed.
"""

from __future__ import annotations

import pytest

from support.story import QUEUE, A, K, Receipt, Story, T
from turnlock.engine import Cause, Effect, Engine, Limits, Trouble, commands, inputs

LOST = "Tool lost in a crash: it may have run, wholly or in part. Check before repeating it."


def crash(story: Story) -> list[str]:
    """Kill the process and resume: of what the old one began nothing comes any more."""
    story.timers.clear()
    engine = Engine(story.engine.limits)
    for given in story.fed:
        engine.receive(given)
    story.engine = engine
    return story.feed(inputs.Resumed(story.now))


def test_killed_while_a_tool_runs() -> None:
    """C29 and R24: a is lost, b keeps its real result, nothing is run again, and nothing leaves by itself."""
    story = Story()
    story.send("U")
    story.reply(K("a"), K("b"))
    story.returns("b", "real")
    assert crash(story) == ["ended a: lost", "turn 1 ended: crashed"]
    assert story.history == "U K(a) K(b) O(a, lost) O(b)"
    assert (story.text("a"), story.text("b")) == (LOST, "real")
    assert story.send("U2")[-2:] == ["send 2", "delivered U2"]
    assert story.sent[1:] == ["U K(a) K(b) O(a, lost) O(b) U2"]


def test_a_lost_call_may_have_had_effects() -> None:
    """C29: the outcome says so to front ends too."""
    story = Story()
    story.send("U")
    story.reply(K("a"))
    crash(story)
    (ended,) = (command for command in story.log if isinstance(command, commands.CallEnded))
    outcome = ended.invocation.outcome
    assert outcome is not None
    assert (outcome.ok, outcome.synthetic, outcome.effect) == (False, True, Effect.UNKNOWN)


def test_killed_between_requested_and_running() -> None:
    """C30: b waited for its slot, c's start was not yet recorded: neither was started."""
    story = Story(Limits(parallel=1))
    story.send("U")
    story.reply(K("a"), K("b"))
    assert crash(story) == ["ended a: lost", "ended b: not_started", "turn 1 ended: crashed"]
    story = Story(starts_tools=False)
    story.send("U")
    story.reply(K("c"))
    assert crash(story) == ["ended c: not_started", "turn 1 ended: crashed"]


def test_killed_behind_a_tool_that_was_asked_to_stop() -> None:
    """C29: nobody knows whether it has stopped: lost, whatever it was asked to stop for."""
    story = Story()
    story.send("U")
    story.reply(K("a"))
    story.late_by("a")
    assert crash(story) == ["ended a: lost", "turn 1 ended: crashed"]


def test_killed_while_an_approval_waits() -> None:
    """C30 and C63: somebody is asked again, and with the answer the turn goes on; steers go with it."""
    story = Story(Limits(approval_deadline=60.0))
    story.send("U")
    story.reply(K("a", approval=True), K("b"))
    story.send("U2")
    story.now = 100.0
    assert crash(story) == ["ask a", "timer ApprovalExpired at 160", "ended b: lost"]
    assert story.allow("a") == ["start a", "run a"]
    assert story.returns("a") == ["ended a: returned", "send 2", "delivered U2"]
    assert story.sent[1:] == ["U K(a) K(b) O(a) O(b, lost) U2"]
    assert story.reply(A()) == ["turn 1 ended: end_turn"]


def test_an_approval_that_is_asked_for_again_can_be_denied_or_run_out() -> None:
    """C63: each answer is an outcome like any other."""
    for answer, cause in (("deny", Cause.DENIED), ("wait", Cause.NO_ANSWER)):
        story = Story(Limits(approval_deadline=60.0))
        story.send("U")
        story.reply(K("a", approval=True))
        crash(story)
        said = story.deny("a") if answer == "deny" else story.wait(60.0)
        assert said == [f"ended a: {cause}", "send 2"]


def test_killed_while_a_call_waits_and_the_response_goes_on() -> None:
    """C63: the response has failed, the call that it had completed counts, and somebody is asked."""
    story = Story()
    story.send("U")
    story.model(T(), K("a", approval=True), T("T2"))
    assert crash(story) == [
        "set aside T2",
        "discarded the rest of 1",
        "ask a",
        "timer ApprovalExpired at 900",
    ]
    assert story.deny("a", "no") == ["ended a: denied", "send 2"]
    assert story.sent[1:] == ["U T K(a) O(a, denied)"]


def test_killed_again_while_an_approval_waits() -> None:
    """C63: asked once for each crash; what was closed is closed once (R24)."""
    story = Story(Limits(approval_deadline=None))
    story.send("U")
    story.reply(K("a", approval=True), K("b"))
    assert crash(story) == ["ask a", "ended b: lost"]
    assert crash(story) == ["ask a"]


def test_an_approved_call_that_was_not_started_is_not_asked_for_again() -> None:
    """C30: the answer was recorded, the start was not."""
    story = Story(starts_tools=False)
    story.send("U")
    story.reply(K("a", approval=True))
    story.allow("a")
    assert crash(story) == ["ended a: not_started", "turn 1 ended: crashed"]


def test_killed_behind_a_tools_return() -> None:
    """C31: its result is kept, with its sibling still open; b is lost."""
    story = Story()
    story.send("U")
    story.model(K("a"), K("b"))
    story.returns("a", "done")
    story.ends()
    crash(story)
    assert story.text("a") == "done"
    assert story.history == "U K(a) K(b) O(a) O(b, lost)"


def test_killed_while_a_response_is_in_flight() -> None:
    """R24: it has failed; nothing of it counts, nobody asks again, and the next message goes on."""
    story = Story()
    story.send("U")
    story.model(T(), A("half"))
    assert crash(story) == ["discarded 1", "turn 1 ended: crashed"]
    assert story.receipt("U") == Receipt("delivered", request=1, index=0)
    story.send("U2")
    assert story.sent == ["U", "U U2"]


def test_killed_while_messages_are_held() -> None:
    """C32 and R5: they wait for the host, go first, and each is delivered once; one asked to be returned."""
    story = Story()
    story.send("U")
    story.reply(K("a"))
    story.send("Q", QUEUE)
    story.send("U2")
    story.send("R", on_interrupt="return")
    assert crash(story) == ["ended a: lost", "returned R", "turn 1 ended: crashed"]
    assert story.receipt("R").reason == "the turn ended crashed"
    assert story.receipt("Q").fate == "held"
    story.send("U3")
    assert story.sent[1:] == ["U K(a) O(a, lost) Q U2 U3"]


def test_the_host_goes_on_after_a_crash() -> None:
    """R24: what is held goes with the turn that the host asks for."""
    story = Story()
    story.send("U")
    story.reply(K("a"))
    story.send("U2")
    crash(story)
    assert story.go_on()[:1] == ["turn 2 began"]
    assert story.sent[1:] == ["U K(a) O(a, lost) U2"]


def test_killed_during_a_backoff() -> None:
    """R24: the response is not asked for again by itself, and the old timer means nothing."""
    story = Story()
    story.send("U")
    story.fails()
    assert crash(story) == ["turn 1 ended: crashed"]
    assert story.feed(inputs.Wake(story.now, 1)) == ["late Wake"]
    assert story.wait(60.0) == []


def test_killed_during_a_backoff_while_an_approval_waits() -> None:
    """C63: the pause has passed with the crash; with the answer the turn goes on."""
    story = Story()
    story.send("U")
    story.model(K("a", approval=True))
    story.fails()
    assert crash(story) == ["ask a", "timer ApprovalExpired at 900"]
    assert story.deny("a") == ["ended a: denied", "send 2"]


def test_killed_while_a_turn_is_being_stopped() -> None:
    """R26 and R5: it was interrupted and stays so, with its note; a message behind the interrupt waits."""
    story = Story()
    story.send("U")
    story.reply(K("a"))
    story.interrupt()
    story.send("U2")
    story.send("R", on_interrupt="return")
    assert crash(story) == ["ended a: lost", "returned R", "turn 1 ended: interrupted"]
    assert story.history == "U K(a) O(a, lost) M"
    assert story.receipt("U2").fate == "held"
    story.go_on()
    assert story.sent[1:] == ["U K(a) O(a, lost) M U2"]


def test_killed_behind_a_tool_that_ended_the_turn() -> None:
    """R24: the turn had not ended, its sibling is lost: crashed, so that nothing leaves by itself."""
    story = Story()
    story.send("U")
    story.reply(K("done", ends_turn=True), K("b"))
    story.returns("done")
    story.send("Q", QUEUE)
    assert crash(story) == ["ended b: lost", "turn 1 ended: crashed"]
    assert story.receipt("Q").fate == "held"


def test_an_old_failure_is_not_the_crashs() -> None:
    """R13: one stop reason, and no text of another one."""
    story = Story()
    story.send("U")
    story.model(K("a"))
    story.fails(Trouble.FATAL, "401")
    crash(story)
    (ended,) = (command for command in story.log if isinstance(command, commands.TurnEnded))
    assert (ended.reason, ended.error) == ("crashed", "")


@pytest.mark.parametrize("busy", [False, True])
def test_killed_between_two_turns(*, busy: bool) -> None:
    """R24: nothing was open, nothing is closed, nothing starts."""
    story = Story()
    if busy:
        story.send("U")
        story.reply(A())
    assert crash(story) == []


def test_the_time_of_a_turn_begins_anew() -> None:
    """C63: while the approval waits, in the new process; the turn still ends when its time is over."""
    story = Story(Limits(turn_timeout=300.0, approval_deadline=None))
    story.send("U")
    story.reply(K("a", approval=True))
    story.wait(200.0)
    assert crash(story) == ["ask a", "timer TurnExpired at 500"]
    assert story.wait(300.0) == ["ended a: not_started", "turn 1 ended: turn_timeout"]
