"""What a session tells its host, as values to match on.

Every event of a call stands before the ``TurnEnded`` of its turn, but for those of a tool that was left
behind (``CallLeaked``, ``CallFreed``): they come when they happen, with the number of the turn that is then
under way. Names that the engine uses for inputs and commands stay inside; these are the public ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from attrs import frozen

from turnlock.engine import Invocation, Outcome, StopReason
from turnlock.runtime.results import Receipt


@frozen
class TurnStarted:
    """A turn began."""

    turn: int


@frozen
class RequestSent:
    """A request left, with this many items of the transcript."""

    turn: int
    request: int
    items: int


@frozen
class TextDelta:
    """The model said something; the deltas of a request make its text."""

    turn: int
    request: int
    text: str


@frozen
class ReasoningDelta:
    """The model let its reasoning be seen."""

    turn: int
    request: int
    text: str


@frozen
class TextDiscarded:
    """The response was lost: ``text``, which its deltas said last, is void (R7).

    It is all that they said, unless a call was completed in this response: what was completed then counts.
    """

    turn: int
    request: int
    text: str


@frozen
class RetryScheduled:
    """A response was lost; the next attempt leaves after ``seconds``."""

    turn: int
    request: int
    seconds: float


@frozen
class CallRequested:
    """The model made a call."""

    turn: int
    call: Invocation


@frozen
class ApprovalRequested:
    """A call waits for an answer: from ``approve=``, or from ``session.approve`` and ``session.deny``."""

    turn: int
    call: Invocation


@frozen
class CallStarted:
    """A tool runs."""

    turn: int
    call: Invocation


@frozen
class CallOutput:
    """A running tool printed something."""

    turn: int
    call: Invocation
    text: str


@frozen
class CallStopping:
    """A running tool was asked to stop; it has its grace."""

    turn: int
    call: Invocation


@frozen
class CallEnded:
    """A call has its outcome. ``spooled`` is the file with the whole output, when it was too long (C27)."""

    turn: int
    call: Invocation
    spooled: Path | None = None

    @property
    def outcome(self) -> Outcome:
        """What became of the call."""
        assert self.call.outcome is not None
        return self.call.outcome


@frozen
class CallLeaked:
    """A tool runs on though its call is over (R8). ``age``: seconds since it was asked to stop."""

    turn: int
    call: Invocation
    age: float


@frozen
class CallFreed:
    """A leaked tool has ended; what it returned counts for nothing."""

    turn: int
    call: Invocation
    age: float


@frozen
class Stalled:
    """Code blocked the event loop, ``seconds`` beyond the time of this call: nobody could stop it (R8)."""

    turn: int
    call: Invocation
    seconds: float


@frozen
class MessageHeld:
    """A message waits; the receipt says for what."""

    turn: int
    receipt: Receipt


@frozen
class MessageDelivered:
    """A request carries this message, for the first time."""

    turn: int
    receipt: Receipt


@frozen
class MessageReturned:
    """A message goes back to its sender; the receipt says why."""

    turn: int
    receipt: Receipt


@frozen
class TurnEnded:
    """A turn is over. ``error`` is the text that goes with a turn that failed."""

    turn: int
    stop_reason: StopReason
    error: str = ""


Event: TypeAlias = (
    TurnStarted
    | RequestSent
    | TextDelta
    | ReasoningDelta
    | TextDiscarded
    | RetryScheduled
    | CallRequested
    | ApprovalRequested
    | CallStarted
    | CallOutput
    | CallStopping
    | CallEnded
    | CallLeaked
    | CallFreed
    | Stalled
    | MessageHeld
    | MessageDelivered
    | MessageReturned
    | TurnEnded
)
