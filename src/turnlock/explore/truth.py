"""What the rules say of outcomes (docs/rules.md), written a second time.

The oracles compare with this, and not with the engine's own table. It owns the texts and the states that go
with each cause, and imports nothing but names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnlock.engine import Cause, StopReason, Trouble
from turnlock.machines import InvocationState

_KILLED = "Tool cancelled while it was running, after {t} s: it may have had effects."
_EXPIRED = "Tool timed out after {t} s: it may have had effects."
_NOT_RUN = "Tool not run: "

TEXTS: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.RETURNED: "{output}",
        Cause.RAISED: "Tool error: {why}",
        Cause.DENIED: "Tool denied: it was not run. {why}",
        Cause.NOT_STARTED: "Tool cancelled before it started: it was not run.",
        Cause.INTERRUPTED: _KILLED,
        Cause.SKIPPED: _KILLED,
        Cause.TURN_TIMEOUT: _KILLED,
        Cause.CLOSED: _KILLED,
        Cause.DEADLINE: _EXPIRED,
        Cause.IDLE: _EXPIRED,
        Cause.NO_ANSWER: _NOT_RUN + "nobody approved it within {t} s.",
        Cause.CUT_OFF: _NOT_RUN + "its arguments were cut off.",
        Cause.BAD_ARGUMENTS: _NOT_RUN + "its arguments are not valid: {why}",
        Cause.UNKNOWN_TOOL: _NOT_RUN + "there is no tool {why}.",
        Cause.LOST: "Tool lost in a crash: it may have run, wholly or in part. Check before repeating it.",
        Cause.UNRECORDED: "No output of this call was recorded: it may have run, wholly or in part. "
        "Check before repeating it.",
    }
)

_COMPLETED = frozenset({Cause.RETURNED, Cause.RAISED})
_TIMED_OUT = frozenset({Cause.DEADLINE, Cause.IDLE, Cause.NO_ANSWER})

FAILURES: Mapping[Trouble, StopReason] = MappingProxyType(
    {
        Trouble.LOST: StopReason.FAILED,
        Trouble.FORGOTTEN: StopReason.FAILED,
        Trouble.FATAL: StopReason.FAILED,
        Trouble.REFUSED: StopReason.REFUSED,
        Trouble.OVERFLOW: StopReason.CONTEXT_OVERFLOW,
    }
)
"""The stop reason of a turn whose response failed and is not asked again."""


def state_of(cause: Cause) -> InvocationState:
    """The terminal state that goes with a cause."""
    if cause in _COMPLETED:
        return InvocationState.COMPLETED
    return InvocationState.TIMED_OUT if cause in _TIMED_OUT else InvocationState.CANCELLED


def text_of(cause: Cause, seconds: float, *, output: str = "", why: str = "", partial: str = "") -> str:
    """What the model must read of a call that ended so."""
    if cause is Cause.RETURNED:
        return output if output.strip() else "(no output)"
    rounded = f"{seconds:.1f}"
    text = TEXTS[cause].format(t=rounded.removesuffix(".0"), why=why).rstrip()
    return f"{text}\nOutput so far (incomplete):\n{partial}" if partial else text


def refused_text(reason: str) -> str:
    """What must stand in place of an output that the provider refused."""
    return f"The output was refused by the provider ({reason}) and is left out."
