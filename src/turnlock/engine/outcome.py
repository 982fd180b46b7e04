"""Outcomes and their texts: the truth about what became of a call, in one table.

The model and the front ends read the same text. A text depends on the outcome alone, so that it has the
same bytes at every rebuild and prompt caches survive (R10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from turnlock._value import value
from turnlock.machines import InvocationEvent, InvocationState


class Cause(StrEnum):
    """Why a call ended. The first cause that asks a call to stop is kept (R1)."""

    RETURNED = "returned"
    RAISED = "raised"
    DENIED = "denied"
    NOT_STARTED = "not_started"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    TURN_TIMEOUT = "turn_timeout"
    CLOSED = "closed"
    DEADLINE = "deadline"
    IDLE = "idle"
    NO_ANSWER = "no_answer"
    CUT_OFF = "cut_off"
    BAD_ARGUMENTS = "bad_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    LOST = "lost"
    UNRECORDED = "unrecorded"


class Effect(StrEnum):
    """What is known of a call's side effects."""

    NONE = "none"
    DONE = "done"
    UNKNOWN = "unknown"


@value
class Ending:
    """What a cause means: the event that ends the call, what is known of its effects, what the model reads.

    ``text`` may name ``{t}`` (seconds) and ``{why}``.
    """

    event: InvocationEvent
    effect: Effect
    text: str


_Event = InvocationEvent
_KILLED = Ending(
    _Event.CANCEL,
    Effect.UNKNOWN,
    "Tool cancelled while it was running, after {t} s: it may have had effects.",
)
_EXPIRED = Ending(_Event.EXPIRE, Effect.UNKNOWN, "Tool timed out after {t} s: it may have had effects.")

ENDINGS: Mapping[Cause, Ending] = MappingProxyType(
    {
        Cause.RETURNED: Ending(_Event.COMPLETE, Effect.DONE, ""),
        Cause.RAISED: Ending(_Event.COMPLETE, Effect.UNKNOWN, "Tool error: {why}"),
        Cause.DENIED: Ending(_Event.CANCEL, Effect.NONE, "Tool denied: it was not run. {why}"),
        Cause.NOT_STARTED: Ending(
            _Event.CANCEL, Effect.NONE, "Tool cancelled before it started: it was not run."
        ),
        Cause.INTERRUPTED: _KILLED,
        Cause.SKIPPED: _KILLED,
        Cause.TURN_TIMEOUT: _KILLED,
        Cause.CLOSED: _KILLED,
        Cause.DEADLINE: _EXPIRED,
        Cause.IDLE: _EXPIRED,
        Cause.NO_ANSWER: Ending(_Event.EXPIRE, Effect.NONE, "Tool not run: nobody approved it within {t} s."),
        Cause.CUT_OFF: Ending(_Event.CANCEL, Effect.NONE, "Tool not run: its arguments were cut off."),
        Cause.BAD_ARGUMENTS: Ending(
            _Event.CANCEL, Effect.NONE, "Tool not run: its arguments are not valid: {why}"
        ),
        Cause.UNKNOWN_TOOL: Ending(_Event.CANCEL, Effect.NONE, "Tool not run: there is no tool {why}."),
        Cause.LOST: Ending(
            _Event.CANCEL,
            Effect.UNKNOWN,
            "Tool lost in a crash: it may have run, wholly or in part. Check before repeating it.",
        ),
        # Of histories that others have written: the engine itself never ends a call so.
        Cause.UNRECORDED: Ending(
            _Event.CANCEL,
            Effect.UNKNOWN,
            "No output of this call was recorded: it may have run, wholly or in part. "
            "Check before repeating it.",
        ),
    }
)

STOPS_CALL = frozenset(cause for cause, ending in ENDINGS.items() if ending in {_KILLED, _EXPIRED})
"""The causes for which a running call can be asked to stop."""

STOPS_TURN = frozenset({Cause.INTERRUPTED, Cause.TURN_TIMEOUT, Cause.CLOSED})
"""Those of them that stop a whole turn."""

NO_OUTPUT = "(no output)"
INCOMPLETE = "Output so far (incomplete):"


@value
class Outcome:
    """The one terminal outcome of a call (R1).

    Attributes:
        state: The invocation's terminal state.
        cause: Why it ended.
        output: What the tool returned, as text; empty unless it returned.
        partial: What the tool had printed when it ended otherwise (R7).
        seconds: How long it ran; how long it waited, if it never did.
        why: The reason, error or name that the text quotes.
        native: The returned value itself, where the call's kind has outputs that are not text.
    """

    state: InvocationState
    cause: Cause
    output: str = ""
    partial: str = ""
    seconds: float = 0.0
    why: str = ""
    native: Any = None

    @property
    def ok(self) -> bool:
        """True when the tool returned a value."""
        return self.cause is Cause.RETURNED

    @property
    def synthetic(self) -> bool:
        """True when the text is ours and not the tool's."""
        return self.cause is not Cause.RETURNED and self.cause is not Cause.RAISED

    @property
    def effect(self) -> Effect:
        """What is known of its side effects."""
        return ENDINGS[self.cause].effect

    @property
    def model_text(self) -> str:
        """What the model reads: the same bytes every time, and never empty (R10)."""
        if self.cause is Cause.RETURNED:
            return self.output if self.output.strip() else NO_OUTPUT
        text = ENDINGS[self.cause].text.format(t=format_seconds(self.seconds), why=self.why).rstrip()
        return f"{text}\n{INCOMPLETE}\n{self.partial}" if self.partial else text


UNRECORDED = Outcome(InvocationState.CANCELLED, Cause.UNRECORDED)
"""The outcome of a call of which nobody knows what became of it: it may have run (R6)."""


def format_seconds(seconds: float) -> str:
    """Seconds with at most one digit behind the point: ``0.5``, ``12``, ``300``."""
    return f"{seconds:.1f}".removesuffix(".0")


def error_text(kind: str, message: str) -> str:
    """``Type: message``, or the type alone: an error is never without text (C61)."""
    return f"{kind}: {message}" if message.strip() else kind


def refused_text(reason: str) -> str:
    """What stands in place of an output that the provider refused (R20)."""
    return f"The output was refused by the provider ({reason}) and is left out."


def returned(text: str) -> Outcome:
    """The outcome of a call of which only the text is known that it returned."""
    return Outcome(InvocationState.COMPLETED, Cause.RETURNED, text)


def failed(text: str) -> Outcome:
    """The outcome of a call of which only the text is known that said how it failed.

    A text of the table is known again, also with what was printed behind it: the outcome then reads the same.
    Of causes that share a text it is the first. Any other text is what the tool raised.
    """
    head, _, partial = text.partition(f"\n{INCOMPLETE}\n")
    for cause, ending in ENDINGS.items():
        found = _PATTERNS[cause].fullmatch(head) if ending.text else None
        if found is not None:
            blanks = found.groupdict()
            seconds, why = float(blanks.get("t") or 0), blanks.get("why") or ""
            outcome = Outcome(_STATES[ending.event], cause, partial=partial, seconds=seconds, why=why)
            if outcome.model_text == text:
                return outcome
    return Outcome(InvocationState.COMPLETED, Cause.RAISED, why=text)


def _pattern(text: str) -> re.Pattern[str]:
    """A text of the table, with its blanks to be filled in."""
    written = re.escape(text.removesuffix(" {why}")) + (
        "(?: (?P<why>.*))?" if text.endswith(" {why}") else ""
    )
    for blank, filled in (("t", r"\d+(?:\.\d)?"), ("why", ".*")):
        written = written.replace(re.escape(f"{{{blank}}}"), f"(?P<{blank}>{filled})")
    return re.compile(written, re.DOTALL)


_PATTERNS = {cause: _pattern(ending.text) for cause, ending in ENDINGS.items()}
_STATES = {
    _Event.COMPLETE: InvocationState.COMPLETED,
    _Event.CANCEL: InvocationState.CANCELLED,
    _Event.EXPIRE: InvocationState.TIMED_OUT,
}
