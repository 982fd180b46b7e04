"""What the engine is fed: everything that happened, as values with the time at which it happened.

The engine is a function of these (R19): a journal of them is the whole record of a session. ``at`` is in
seconds on the session's clock. Inputs of the runtime name the request or the ordinal that they are about;
what is about something no longer open is late, and fires nothing (R25). Texts and types only: an exception
object would keep its frames alive.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

from turnlock._value import value
from turnlock.engine import items
from turnlock.engine.outcome import Cause


class Mode(StrEnum):
    """What a message does when a turn is under way (R5)."""

    STEER = "steer"
    QUEUE = "queue"
    INTERRUPT = "interrupt"
    REJECT = "reject"


class OnInterrupt(StrEnum):
    """What becomes of a held message when an interrupt draws its line."""

    KEEP = "keep"
    RETURN = "return"


class Finish(StrEnum):
    """How a response ended that came to its end."""

    STOP = "stop"
    LENGTH = "length"
    FILTER = "filter"
    PAUSE = "pause"


class Trouble(StrEnum):
    """How a response ended that did not come to its end.

    ``lost``: nobody knows what became of it; ask again. ``forgotten``: the provider no longer holds the
    history that the request went on from; ask again, with all of it. ``refused``: the provider, or our own
    check, does not accept the body. ``overflow``: the context is too long. ``fatal``: asking again will not
    help.
    """

    LOST = "lost"
    FORGOTTEN = "forgotten"
    REFUSED = "refused"
    OVERFLOW = "overflow"
    FATAL = "fatal"


@value
class Policy:
    """What the session's tools say of a call. Part of the input, so that a replay needs no tools.

    Attributes:
        approval: The call waits for an answer before it may start.
        exclusive: The call runs alone: after all earlier ones, before all later ones (C16).
        ends_turn: When the tool has returned, no further request leaves in this turn (R23).
        problem: Why the call cannot run at all.
        why: The text that goes with the problem.
    """

    approval: bool = False
    exclusive: bool = False
    ends_turn: bool = False
    problem: Cause | None = None
    why: str = ""


PLAIN = Policy()


@value
class Send:
    """A message was accepted. ``shown`` as in ``Interrupt``, for a message that interrupts."""

    at: float
    message: items.Message
    mode: Mode = Mode.STEER
    on_interrupt: OnInterrupt = OnInterrupt.KEEP
    shown: str = ""


@value
class Withdraw:
    """A held message is taken back; too late once it was delivered."""

    at: float
    id: str
    reason: str


@value
class Interrupt:
    """The host stops the turn.

    ``shown`` is the text that the model had shown of an unfinished item (R7); ``reason`` is the host's own,
    for the record.
    """

    at: float
    cause: Cause = Cause.INTERRUPTED
    shown: str = ""
    reason: str = ""


@value
class TurnExpired:
    """The time of a turn is over."""

    at: float
    turn: int
    shown: str = ""


@value
class GoOn:
    """The host asks for a turn without a message of its own."""

    at: float


@value
class ItemCompleted:
    """The provider completed an item of the response that it is sending (R12)."""

    at: float
    request: int
    item: items.ModelItem
    policy: Policy = PLAIN


@value
class ResponseEnded:
    """The response came to its end. ``response`` is the provider's id of it, if it has one."""

    at: float
    request: int
    finish: Finish = Finish.STOP
    response: str = ""


@value
class ResponseFailed:
    """The response did not come to its end.

    ``retry_after`` is in seconds, where the provider asked for it.
    """

    at: float
    request: int
    trouble: Trouble
    text: str
    retry_after: float | None = None


@value
class Wake:
    """The backoff after this request is over."""

    at: float
    request: int


@value
class Started:
    """The record that a tool is about to run; once the engine has it, the tool is run."""

    at: float
    ordinal: int


@value
class Returned:
    """A tool returned a value."""

    at: float
    ordinal: int
    output: str
    native: Any = None


@value
class Raised:
    """A tool raised. ``error`` is ``Type: message``."""

    at: float
    ordinal: int
    error: str
    partial: str = ""


@value
class Stopped:
    """A tool ended because it was asked to stop."""

    at: float
    ordinal: int
    partial: str = ""


@value
class StopAsked:
    """The watchdog found a tool past its deadline, or idle for too long."""

    at: float
    ordinal: int
    cause: Cause


@value
class GraceOver:
    """A tool that was asked to stop has used up its grace, and is left behind (R8)."""

    at: float
    ordinal: int
    partial: str = ""


@value
class Cancel:
    """The host skips one call (C14)."""

    at: float
    ordinal: int


@value
class ApprovalAnswered:
    """Somebody allowed or denied a call. ``by_host``: a dead approval is then an error (R14)."""

    at: float
    ordinal: int
    allow: bool
    reason: str = ""
    by_host: bool = False


@value
class ApprovalExpired:
    """Nobody answered in time."""

    at: float
    ordinal: int


@value
class Resumed:
    """After a crash a session goes on from its record, in another process (R24).

    Fed behind the recorded inputs, whose commands nobody performed a second time. Of the old process nothing
    will come any more: no response, no tool, no timer, no answer to a question.
    """

    at: float


Input: TypeAlias = (
    Send
    | Withdraw
    | Interrupt
    | TurnExpired
    | GoOn
    | ItemCompleted
    | ResponseEnded
    | ResponseFailed
    | Wake
    | Started
    | Returned
    | Raised
    | Stopped
    | StopAsked
    | GraceOver
    | Cancel
    | ApprovalAnswered
    | ApprovalExpired
    | Resumed
)
