"""Inputs that come too late, twice, or from nowhere: refused or recorded as late, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.snapshot import snapshot
from support.story import A, K, Story
from turnlock.engine import (
    Call,
    Cause,
    Finish,
    Input,
    Limits,
    Message,
    Mode,
    Policy,
    Text,
    Trouble,
    inputs,
)
from turnlock.errors import InputError, NothingToSend, SessionBusy, TransitionRefused

NOW = 7.0


def fresh() -> Story:
    return Story()


def responding() -> Story:
    story = Story(Limits(turn_timeout=60.0))
    story.send("U")
    return story


def running() -> Story:
    """Call 1 runs while the model still answers."""
    story = responding()
    story.model(K("a"))
    return story


def asked_to_start() -> Story:
    """Call 1 has a slot, and nobody has recorded that it starts."""
    story = Story(starts_tools=False)
    story.send("U")
    story.model(K("a"))
    return story


def stopping() -> Story:
    """Call 1 was asked to stop by its deadline."""
    story = running()
    story.ends()
    story.late_by("a")
    return story


def waiting() -> Story:
    """Call 1 waits for its approval."""
    story = responding()
    story.reply(K("a", approval=True))
    return story


def approved() -> Story:
    """Call 1 was approved, and waits for call 2 to leave the slot."""
    story = Story(Limits(parallel=1))
    story.send("U")
    story.reply(K("a", approval=True), K("b"))
    story.allow("a")
    return story


def interrupting() -> Story:
    story = running()
    story.interrupt()
    return story


def backing_off() -> Story:
    story = responding()
    story.fails()
    return story


def ended() -> Story:
    """Call 1 has returned, and the turn is over."""
    story = running()
    story.ends()
    story.returns("a")
    story.reply(A())
    return story


STATES: list[Callable[[], Story]] = [
    fresh,
    responding,
    running,
    asked_to_start,
    stopping,
    waiting,
    approved,
    interrupting,
    backing_off,
    ended,
]

UNKNOWN = 99
LATE_EVERYWHERE: list[Input] = [
    inputs.ItemCompleted(NOW, UNKNOWN, Text("x", UNKNOWN)),
    inputs.ItemCompleted(NOW, 0, Call(50, "x", "x", "{}", 0)),
    inputs.ResponseEnded(NOW, UNKNOWN),
    inputs.ResponseEnded(NOW, 0, Finish.PAUSE),
    *(inputs.ResponseFailed(NOW, UNKNOWN, trouble, "x") for trouble in Trouble),
    inputs.Wake(NOW, UNKNOWN),
    inputs.TurnExpired(NOW, UNKNOWN),
    inputs.Started(NOW, UNKNOWN),
    inputs.Returned(NOW, UNKNOWN, "x"),
    inputs.Raised(NOW, UNKNOWN, "x"),
    inputs.Stopped(NOW, UNKNOWN),
    inputs.StopAsked(NOW, UNKNOWN, Cause.DEADLINE),
    inputs.GraceOver(NOW, UNKNOWN),
    inputs.ApprovalExpired(NOW, UNKNOWN),
    inputs.ApprovalAnswered(NOW, UNKNOWN, allow=True),
    inputs.ApprovalAnswered(NOW, UNKNOWN, allow=False),
    inputs.Withdraw(NOW, "nobody", "x"),
]


@pytest.mark.parametrize("given", LATE_EVERYWHERE, ids=lambda given: type(given).__name__)
@pytest.mark.parametrize("state", STATES)
def test_what_is_about_nothing_open_is_late(state: Callable[[], Story], given: Input) -> None:
    """R25: recorded in one place, and it fires nothing in any state."""
    story = state()
    before = snapshot(story.engine)
    assert story.feed(given) == [f"late {type(given).__name__}"]
    assert snapshot(story.engine) == before


LATE: list[tuple[Callable[[], Story], Input]] = [
    (backing_off, inputs.ItemCompleted(NOW, 1, Text("x", 1))),
    (backing_off, inputs.ResponseEnded(NOW, 1)),
    (backing_off, inputs.ResponseFailed(NOW, 1, Trouble.LOST, "x")),
    (interrupting, inputs.ItemCompleted(NOW, 1, Call(2, "x", "x", "{}", 1))),
    (interrupting, inputs.ResponseEnded(NOW, 1)),
    (interrupting, inputs.ResponseFailed(NOW, 1, Trouble.REFUSED, "x")),
    (interrupting, inputs.TurnExpired(NOW, 1)),
    (stopping, inputs.ResponseEnded(NOW, 1)),
    (running, inputs.Wake(NOW, 1)),
    (running, inputs.ApprovalExpired(NOW, 1)),
    (running, inputs.ApprovalAnswered(NOW, 1, allow=False)),
    (approved, inputs.ApprovalExpired(NOW, 1)),
    (approved, inputs.ApprovalAnswered(NOW, 1, allow=True)),
    (ended, inputs.ItemCompleted(NOW, 1, Call(2, "x", "x", "{}", 1))),
    (ended, inputs.ItemCompleted(NOW, 2, Text("x", 2))),
    (ended, inputs.ResponseEnded(NOW, 2)),
    (ended, inputs.ResponseFailed(NOW, 2, Trouble.FATAL, "x")),
    (ended, inputs.Wake(NOW, 1)),
    (ended, inputs.TurnExpired(NOW, 1)),
    (ended, inputs.Started(NOW, 1)),
    (ended, inputs.Returned(NOW, 1, "again")),
    (ended, inputs.Raised(NOW, 1, "again")),
    (ended, inputs.Stopped(NOW, 1)),
    (ended, inputs.StopAsked(NOW, 1, Cause.IDLE)),
    (ended, inputs.GraceOver(NOW, 1)),
    (ended, inputs.ApprovalExpired(NOW, 1)),
    (ended, inputs.ApprovalAnswered(NOW, 1, allow=True)),
    (ended, inputs.Withdraw(NOW, "U", "x")),
]


@pytest.mark.parametrize(("state", "given"), LATE, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_about_something_that_is_over_is_late(state: Callable[[], Story], given: Input) -> None:
    """R1 and R25: second outputs, late results, items of a response that does not count any more."""
    story = state()
    before = snapshot(story.engine)
    assert story.feed(given) == [f"late {type(given).__name__}"]
    assert snapshot(story.engine) == before


def call(ordinal: int, *, problem: Cause | None = None) -> Input:
    return inputs.ItemCompleted(NOW, 1, Call(ordinal, "", "x", "{}", 1), Policy(problem=problem))


IMPOSSIBLE: list[tuple[Callable[[], Story], Input, str]] = [
    (running, call(1), "ordinal 1 was used before"),
    (running, call(0), "ordinal 0 was used before"),
    (responding, call(-1), "ordinal -1 was used before"),
    (responding, call(1, problem=Cause.RETURNED), "returned is no reason"),
    (responding, call(1, problem=Cause.LOST), "lost is no reason"),
    (running, inputs.Started(NOW, 1), "invocation 1 was not to be started, or was started before"),
    (stopping, inputs.Started(NOW, 1), "started before"),
    (waiting, inputs.Started(NOW, 1), "was not to be started"),
    (approved, inputs.Started(NOW, 1), "was not to be started"),
    (waiting, inputs.Returned(NOW, 1, "x"), "invocation 1 has not been started"),
    (asked_to_start, inputs.Returned(NOW, 1, "x"), "has not been started"),
    (asked_to_start, inputs.Raised(NOW, 1, "x"), "has not been started"),
    (asked_to_start, inputs.Stopped(NOW, 1), "has not been started"),
    (waiting, inputs.Stopped(NOW, 1), "has not been started"),
    (waiting, inputs.Raised(NOW, 1, "x"), "has not been started"),
    (running, inputs.GraceOver(NOW, 1), "was not asked to stop"),
    (waiting, inputs.GraceOver(NOW, 1), "was not asked to stop"),
    (
        running,
        inputs.StopAsked(NOW, 1, Cause.RETURNED),
        "returned stops no call: give one of closed, deadline",
    ),
    (ended, inputs.StopAsked(NOW, 1, Cause.LOST), "lost stops no call"),
    (running, inputs.Interrupt(NOW, Cause.SKIPPED), "skipped stops no turn: give one of closed, interrupted"),
    (fresh, inputs.Interrupt(NOW, Cause.DEADLINE), "deadline stops no turn"),
]


@pytest.mark.parametrize(("state", "given", "text"), IMPOSSIBLE)
def test_what_no_runtime_may_make_is_refused(state: Callable[[], Story], given: Input, text: str) -> None:
    """R2, R6 and R25: an ordinal used twice, a tool that ended before it began: a bug of the caller."""
    story = state()
    before = snapshot(story.engine)
    with pytest.raises(InputError, match=text):
        story.feed(given)
    assert snapshot(story.engine) == before


def send(mode: Mode) -> Input:
    return inputs.Send(NOW, Message("new", "new"), mode)


BUSY = "a turn is under way"
REFUSED: list[tuple[Callable[[], Story], Input, type[TransitionRefused], str]] = [
    *((state, send(Mode.REJECT), SessionBusy, BUSY) for state in STATES if state not in {fresh, ended}),
    *((state, inputs.GoOn(NOW), SessionBusy, BUSY) for state in STATES if state not in {fresh, ended}),
    (fresh, inputs.GoOn(NOW), NothingToSend, "there is nothing to go on from"),
    *((state, inputs.Cancel(NOW, UNKNOWN), TransitionRefused, "not open") for state in STATES),
    (ended, inputs.Cancel(NOW, 1), TransitionRefused, "invocation 1 is not open: 'cancel' is not allowed"),
    *(
        (state, inputs.ApprovalAnswered(NOW, UNKNOWN, allow=True, by_host=True), TransitionRefused, "dead")
        for state in STATES
    ),
    (
        ended,
        inputs.ApprovalAnswered(NOW, 1, allow=False, by_host=True),
        TransitionRefused,
        "the approval of invocation 1 is dead: 'deny' is not allowed",
    ),
    (
        approved,
        inputs.ApprovalAnswered(NOW, 1, allow=True, by_host=True),
        TransitionRefused,
        "the approval of invocation 1 is answered: 'allow' is not allowed",
    ),
    (running, inputs.ApprovalAnswered(NOW, 1, allow=True, by_host=True), TransitionRefused, "answered"),
]


@pytest.mark.parametrize(("state", "given", "error", "text"), REFUSED)
def test_what_no_row_allows_is_refused(
    state: Callable[[], Story], given: Input, error: type[TransitionRefused], text: str
) -> None:
    """R14 and R25: a host's call that no row allows raises, and nothing has changed."""
    story = state()
    before = snapshot(story.engine)
    with pytest.raises(error, match=text):
        story.feed(given)
    assert snapshot(story.engine) == before


ENDS: dict[str, Callable[[Story], list[str]]] = {
    "cancelled": lambda story: story.cancel("a"),
    "denied": lambda story: story.deny("a"),
    "interrupted": lambda story: story.interrupt(),
    "expired": lambda story: story.wait(900.0),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_approval_dies_with_its_call(end: Callable[[Story], list[str]]) -> None:
    """R14: every way in which a waiting call can end kills its approval."""
    story = Story()
    story.send("U")
    story.reply(K("a", approval=True))
    end(story)
    assert story.call("a").outcome is not None
    before = snapshot(story.engine)
    with pytest.raises(TransitionRefused, match="is dead"):
        story.allow("a")
    assert story.allow("a", by_host=False) == ["late ApprovalAnswered"]
    assert snapshot(story.engine) == before


def test_an_approval_without_a_deadline() -> None:
    """R8: None is no limit: nobody is told to feed a time."""
    story = Story(Limits(approval_deadline=None))
    story.send("U")
    assert story.model(K("a", approval=True)) == ["call a", "ask a"]
    assert story.timers == []


def test_a_start_that_comes_after_the_end_is_late() -> None:
    """R6 and R25: the call was cancelled before its tool was run: it says so, and the tool is not run."""
    story = asked_to_start()
    assert story.interrupt() == ["abort 1", "ended a: not_started", "turn 1 ended: interrupted"]
    assert story.starts("a") == ["late Started"]
    assert story.text("a") == "Tool cancelled before it started: it was not run."


def test_a_stop_that_comes_before_the_start() -> None:
    """R6: whoever asks, a call whose tool was not run was not started."""
    story = asked_to_start()
    assert story.late_by("a") == ["ended a: not_started"]
    assert story.starts("a") == ["late Started"]
    story.ends()
    assert story.sent[1:] == ["U K(a) O(a, not_started)"]


def test_a_tool_that_was_stopped_from_outside() -> None:
    """R6 and R9: without a cause of ours, the session's own tasks were cancelled."""
    story = running()
    story.ends()
    assert story.stopped("a", "half")[0] == "ended a: closed"


def test_the_first_cause_is_kept() -> None:
    """R1: later reasons to stop change nothing, and nobody is asked twice."""
    story = stopping()
    assert story.late_by("a", Cause.IDLE) == []
    assert story.cancel("a") == []
    assert story.interrupt() == []
    assert story.stopped("a")[0] == "ended a: deadline"


def test_an_exception_while_it_is_being_stopped() -> None:
    """R1: it is part of the stopping, and what was printed is kept."""
    story = stopping()
    assert story.raises("a", "CancelledError: ", "half")[0] == "ended a: deadline"
    assert story.text("a").endswith("it may have had effects.\nOutput so far (incomplete):\nhalf")
