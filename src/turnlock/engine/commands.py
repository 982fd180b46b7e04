"""What the engine asks of its runtime, and what it has to tell.

Returned by ``Engine.receive`` in the order in which they must be performed, and only after the record of
the input is durable. Commands name live objects (an invocation, a letter): the runtime reads them and
never changes them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from turnlock._value import value
from turnlock.engine.calls import Invocation
from turnlock.engine.inbox import Letter
from turnlock.engine.inputs import ApprovalExpired, Input, TurnExpired, Wake
from turnlock.engine.items import Known, ModelItem
from turnlock.engine.outcome import Cause


class StopReason(StrEnum):
    """Why a turn ended (R13)."""

    END_TURN = "end_turn"
    TOOL_ENDED = "tool_ended"
    INTERRUPTED = "interrupted"
    MAX_REQUESTS = "max_requests"
    TURN_TIMEOUT = "turn_timeout"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    REFUSED = "refused"
    FAILED = "failed"
    CONTEXT_OVERFLOW = "context_overflow"
    CRASHED = "crashed"
    CLOSED = "closed"


@value
class SendRequest:
    """Send the first ``length`` items of the transcript to the model, as request ``number``.

    ``known`` is what the provider knows of them, if it keeps responses: it may go on from there (R22).
    ``paused``: the provider paused, and gets its last response back as it came (R21).
    """

    number: int
    turn: int
    length: int
    known: Known | None = None
    paused: bool = False


@value
class AbortRequest:
    """Stop listening to this request; nothing of it counts any more."""

    number: int


@value
class StartCall:
    """Feed ``Started`` for this call: the record that makes it ``lost`` rather than ``not started``."""

    invocation: Invocation


@value
class RunCall:
    """The record is there: run the tool."""

    invocation: Invocation


@value
class StopCall:
    """Ask a running tool to stop, and feed ``GraceOver`` when its grace is used up."""

    invocation: Invocation
    cause: Cause


@value
class AskApproval:
    """Ask whether this call may run."""

    invocation: Invocation


Timed: TypeAlias = Wake | ApprovalExpired | TurnExpired


@value
class SetTimer:
    """Feed ``input`` when the session's clock shows ``input.at``."""

    input: Timed


@value
class TurnBegan:
    """A turn began."""

    turn: int


@value
class Held:
    """A message waits; ``calls`` are the open calls that hold it."""

    letter: Letter
    calls: tuple[Invocation, ...]


@value
class Duplicate:
    """A message with this id was accepted before; the first one stands."""

    letter: Letter


@value
class Delivered:
    """A request carries this message, for the first time."""

    letter: Letter


@value
class Returned:
    """A message goes back to its sender."""

    letter: Letter


@value
class CallRequested:
    """The model made a call."""

    invocation: Invocation


@value
class CallEnded:
    """A call has its outcome."""

    invocation: Invocation


@value
class Discarded:
    """A response was lost: what hosts showed of it is void (R7).

    ``whole``: nothing of it counts. Otherwise its completed items do, because a call is among them (R12), and
    void is what was shown of the item that was never completed.
    """

    request: int
    whole: bool = True


@value
class SetAside:
    """An item of a response does not enter the transcript (R16)."""

    item: ModelItem
    reason: str


@value
class Late:
    """An input about something that is no longer open: recorded, and without effect (R25)."""

    input: Input


@value
class TurnEnded:
    """A turn is over. ``error`` is the provider's or our own text, when it failed."""

    turn: int
    reason: StopReason
    error: str = ""


Command: TypeAlias = (
    SendRequest
    | AbortRequest
    | StartCall
    | RunCall
    | StopCall
    | AskApproval
    | SetTimer
    | TurnBegan
    | Held
    | Duplicate
    | Delivered
    | Returned
    | CallRequested
    | CallEnded
    | Discarded
    | SetAside
    | Late
    | TurnEnded
)
