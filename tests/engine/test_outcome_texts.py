"""Outcomes tell the truth: the specification's table, written down a second time."""

from __future__ import annotations

import pytest
from attrs import evolve

from support.story import A, K, Story
from turnlock.engine import Cause, Effect, Limits, Outcome, Output
from turnlock.engine.outcome import (
    STOPS_CALL,
    STOPS_TURN,
    error_text,
    failed,
    format_seconds,
    returned,
)
from turnlock.machines import InvocationState

COMPLETED, CANCELLED, TIMED_OUT = (
    InvocationState.COMPLETED,
    InvocationState.CANCELLED,
    InvocationState.TIMED_OUT,
)
KILLED = "Tool cancelled while it was running, after 1.5 s: it may have had effects."
EXPIRED = "Tool timed out after 1.5 s: it may have had effects."
TABLE = {
    Cause.RETURNED: (COMPLETED, Effect.DONE, "the tool's own"),
    Cause.RAISED: (COMPLETED, Effect.UNKNOWN, "Tool error: WHY"),
    Cause.DENIED: (CANCELLED, Effect.NONE, "Tool denied: it was not run. WHY"),
    Cause.NOT_STARTED: (CANCELLED, Effect.NONE, "Tool cancelled before it started: it was not run."),
    Cause.INTERRUPTED: (CANCELLED, Effect.UNKNOWN, KILLED),
    Cause.SKIPPED: (CANCELLED, Effect.UNKNOWN, KILLED),
    Cause.TURN_TIMEOUT: (CANCELLED, Effect.UNKNOWN, KILLED),
    Cause.CLOSED: (CANCELLED, Effect.UNKNOWN, KILLED),
    Cause.DEADLINE: (TIMED_OUT, Effect.UNKNOWN, EXPIRED),
    Cause.IDLE: (TIMED_OUT, Effect.UNKNOWN, EXPIRED),
    Cause.NO_ANSWER: (TIMED_OUT, Effect.NONE, "Tool not run: nobody approved it within 1.5 s."),
    Cause.CUT_OFF: (CANCELLED, Effect.NONE, "Tool not run: its arguments were cut off."),
    Cause.BAD_ARGUMENTS: (CANCELLED, Effect.NONE, "Tool not run: its arguments are not valid: WHY"),
    Cause.UNKNOWN_TOOL: (CANCELLED, Effect.NONE, "Tool not run: there is no tool WHY."),
    Cause.LOST: (
        CANCELLED,
        Effect.UNKNOWN,
        "Tool lost in a crash: it may have run, wholly or in part. Check before repeating it.",
    ),
    Cause.UNRECORDED: (
        CANCELLED,
        Effect.UNKNOWN,
        "No output of this call was recorded: it may have run, wholly or in part. Check before repeating it.",
    ),
}


@pytest.mark.parametrize("cause", Cause)
def test_the_table(cause: Cause) -> None:
    """R6: each cause has its state, its effect and its text, and no more causes exist."""
    state, effect, text = TABLE[cause]
    outcome = Outcome(state, cause, output="the tool's own", seconds=1.5, why="WHY")
    assert (outcome.effect, outcome.model_text) == (effect, text)
    assert outcome.ok is (cause is Cause.RETURNED)
    assert outcome.synthetic is (cause not in {Cause.RETURNED, Cause.RAISED})


NOT_LIVE = {Cause.LOST, Cause.UNRECORDED}
"""Those of a crash, and of histories that others have written."""


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.RETURNED])
def test_what_was_printed_follows(cause: Cause) -> None:
    """R7: what was printed is kept, and marked incomplete."""
    outcome = Outcome(TABLE[cause][0], cause, seconds=1.5, why="WHY", partial="line 1\nline 2\n")
    assert outcome.model_text == f"{TABLE[cause][2]}\nOutput so far (incomplete):\nline 1\nline 2\n"


@pytest.mark.parametrize("output", ["", "  ", "\n\t"])
def test_no_output_is_empty(output: str) -> None:
    """R10: an empty result is sent as (no output)."""
    assert Outcome(COMPLETED, Cause.RETURNED, output=output).model_text == "(no output)"


def test_an_output_is_sent_as_it_is() -> None:
    """R10: what is not empty is not touched."""
    assert Outcome(COMPLETED, Cause.RETURNED, output=" x\n").model_text == " x\n"


def test_a_denial_without_a_reason() -> None:
    """R10: the text ends where the reason would begin."""
    assert Outcome(CANCELLED, Cause.DENIED).model_text == "Tool denied: it was not run."


def test_a_reason_is_quoted_as_it_is() -> None:
    """R10: braces in a reason are no fields of the text."""
    assert (
        Outcome(CANCELLED, Cause.DENIED, why="{t} {x}").model_text == "Tool denied: it was not run. {t} {x}"
    )


@pytest.mark.parametrize(
    ("kind", "message", "text"),
    [
        ("KeyError", "'x'", "KeyError: 'x'"),
        ("ValueError", "", "ValueError"),
        ("ValueError", " ", "ValueError"),
    ],
)
def test_errors_have_a_text(kind: str, message: str, text: str) -> None:
    """C61: the type stands for a text that is not there."""
    assert error_text(kind, message) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0"), (0.04, "0"), (0.05, "0.1"), (0.5, "0.5"), (12.0, "12"), (12.04, "12"), (300.0, "300")],
)
def test_seconds(seconds: float, text: str) -> None:
    """R10: times have the same bytes at every rebuild: one digit at most."""
    assert format_seconds(seconds) == text


def test_a_refused_output_says_so() -> None:
    """R20: the provider's text stands in its place; the outcome is what it was."""
    output = Output(1, Outcome(COMPLETED, Cause.RETURNED, output="x"))
    refused = evolve(output, refused="No.")
    assert refused.model_text == "The output was refused by the provider (No.) and is left out."
    assert refused.outcome == output.outcome


def test_the_causes_that_stop() -> None:
    """R1: what a running call can be asked to stop for, and which of it stops a whole turn."""
    stops_turn = {Cause.INTERRUPTED, Cause.TURN_TIMEOUT, Cause.CLOSED}
    assert stops_turn == STOPS_TURN
    assert stops_turn | {Cause.SKIPPED, Cause.DEADLINE, Cause.IDLE} == STOPS_CALL


def _each_way(cause: Cause) -> Story:
    """A story in which call a ends for this cause, 1.5 s after it was requested or started."""
    story = Story(Limits(approval_deadline=1.5))
    story.send("U")
    problem = cause if cause in {Cause.CUT_OFF, Cause.BAD_ARGUMENTS, Cause.UNKNOWN_TOOL} else None
    approval = cause in {Cause.DENIED, Cause.NOT_STARTED, Cause.NO_ANSWER}
    story.model(K("a", approval=approval, problem=problem, why="WHY"))
    if cause is Cause.NO_ANSWER:
        story.wait(1.5)
    story.now = 1.5
    if cause is Cause.RETURNED:
        story.returns("a", "the tool's own")
    elif cause is Cause.RAISED:
        story.raises("a", "WHY")
    elif cause is Cause.DENIED:
        story.deny("a", "WHY")
    elif cause is Cause.NOT_STARTED:
        story.cancel("a")
    elif cause in STOPS_CALL:
        story.late_by("a", cause)
        story.stopped("a")
    story.reply(A())
    return story


NOT_LIVE = {Cause.LOST, Cause.UNRECORDED}
"""Those of a crash, and of histories that others have written."""


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in NOT_LIVE])
def test_the_engine_brings_about_each(cause: Cause) -> None:
    """R6: by the way that the cause names, with the exact text, state and times, and a request behind it."""
    story = _each_way(cause)
    state, effect, text = TABLE[cause]
    outcome = story.call("a").outcome
    assert outcome is not None
    assert (outcome.state, outcome.cause, outcome.effect, outcome.model_text) == (state, cause, effect, text)
    assert story.call("a").state is state
    assert story.text("a") == text
    assert len(story.sent) == 2


NOT_LIVE = {Cause.LOST, Cause.UNRECORDED}
"""Those of a crash, and of histories that others have written."""


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.RETURNED])
@pytest.mark.parametrize("printed", ["", "\nOutput so far (incomplete):\nhalf\n"])
def test_a_text_is_known_again(cause: Cause, printed: str) -> None:
    """R6: a history that another process wrote says what became of a call."""
    state, effect, text = TABLE[cause]
    outcome = failed(text + printed)
    assert (outcome.state, outcome.effect, outcome.model_text) == (state, effect, text + printed)
    assert TABLE[outcome.cause] == TABLE[cause]


@pytest.mark.parametrize("text", ["boom", "", "Tool timed out after 2.0 s: it may have had effects."])
def test_any_other_text_is_what_a_tool_raised(text: str) -> None:
    """R6: it is not taken for one of ours, which would be written otherwise."""
    outcome = failed(text)
    assert (outcome.state, outcome.cause, outcome.why) == (COMPLETED, Cause.RAISED, text)
    assert outcome.model_text == f"Tool error: {text}".rstrip()


def test_what_a_tool_returned_is_read_as_it_is() -> None:
    """R10: also when it was empty."""
    assert returned("ok") == Outcome(COMPLETED, Cause.RETURNED, "ok")
    assert returned("").model_text == "(no output)"
