"""What an observer of a session knows: from the inputs and the commands, never from the engine's inside.

It owns the facts that the oracles ask, what is due (an input must bring it about, and the engine has not
said so yet), and the two questions that the rules answer from facts alone: which call may start,
and why a turn ends. It knows neither the tables nor the guards.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from attrs import define, evolve, field

from turnlock.engine import (
    Cause,
    Fate,
    Item,
    Limits,
    Message,
    Mode,
    ModelItem,
    Policy,
    Reasoning,
    StopReason,
    inputs,
)
from turnlock.explore.truth import text_of


class Wrong(Exception):
    """The engine has broken a rule; the text says which, in words."""


class Phase(IntEnum):
    """Where an open call is, as far as the commands tell."""

    WAITS = 0  # for an approval
    READY = 1
    ASKED = 2  # its start is to be recorded
    RUNS = 3
    STOPS = 4  # asked to stop


class Known(NamedTuple):
    """What is known of an open call."""

    name: str
    policy: Policy
    phase: Phase
    since: float
    cause: Cause | None = None


class Waiting(NamedTuple):
    """A held message."""

    number: int
    message: Message
    mode: Mode
    returns: bool


class Answer(NamedTuple):
    """The output that a call must get."""

    ordinal: int
    text: str


Due = tuple[str, Any]
Entry = Item | Answer
"""An item that the transcript must hold; of outputs, what they must say."""


@define(eq=False)
class Facts:
    """The facts of one session.

    Attributes:
        limits: What the session allows.
        turn: The number of the turn under way; 0 between two.
        turns: How many turns have begun.
        requests: How many requests have left.
        asked: How many of them in the turn under way.
        flight: The request in flight.
        backoff: The request whose backoff runs.
        stopped: Why the turn under way was interrupted.
        decided: Why it ends, if something else has decided that.
        error: The text that goes with that, where something failed.
        rest: Why it ends, if nothing is left to say.
        paused: The provider waits for its own response back.
        lost: The last response was lost, and must be asked again.
        failures: How many responses were lost in a row.
        going_on: The host has asked for a turn.
        opening: A turn has begun, and its first request has not left.
        line: The number of the last message that the last line covers.
        answered: How many items an answered request has carried.
        sent: How many items the last request has carried.
        calls: The open calls, in call order.
        batch: The calls whose outputs the transcript does not hold yet; the texts of those that have ended.
        held: The messages that wait, in acceptance order.
        fates: What became of each message, in acceptance order.
        items: What the transcript holds.
        response: What was completed of the response in flight.
        now: The time of the last input.
        due: What the last input must bring about and has not yet.
        new: What the transcript must hold behind ``items``.
        carried: The receipts (id, request, index) that senders must be given.
    """

    limits: Limits
    turn: int = 0
    turns: int = 0
    requests: int = 0
    asked: int = 0
    flight: int | None = None
    backoff: int | None = None
    stopped: Cause | None = None
    decided: StopReason | None = None
    error: str = ""
    rest: StopReason = StopReason.END_TURN
    paused: bool = False
    lost: bool = False
    failures: int = 0
    going_on: bool = False
    opening: bool = False
    line: int = 0
    answered: int = 0
    sent: int = 0
    calls: dict[int, Known] = field(factory=dict)
    batch: dict[int, str | None] = field(factory=dict)
    held: list[Waiting] = field(factory=list)
    fates: dict[str, Fate] = field(factory=dict)
    items: list[Item] = field(factory=list)
    response: list[ModelItem] = field(factory=list)
    now: float = 0.0
    due: dict[tuple[str, Any], Any] = field(factory=dict)
    new: list[Entry] = field(factory=list)
    carried: list[tuple[str, int, int]] = field(factory=list)

    def copy(self) -> Facts:
        """The same facts, for another future. Made between two inputs, when nothing is due."""
        return Facts(
            self.limits,
            self.turn,
            self.turns,
            self.requests,
            self.asked,
            self.flight,
            self.backoff,
            self.stopped,
            self.decided,
            self.error,
            self.rest,
            self.paused,
            self.lost,
            self.failures,
            self.going_on,
            self.opening,
            self.line,
            self.answered,
            self.sent,
            self.calls.copy(),
            self.batch.copy(),
            self.held.copy(),
            self.fates.copy(),
            self.items.copy(),
            self.response.copy(),
        )

    def key(self) -> tuple[Any, ...]:
        """The facts as a value; times and the transcript's items are not in it."""
        return (
            self.turn,
            self.requests,
            self.asked,
            self.flight,
            self.backoff,
            self.stopped,
            self.decided,
            self.error,
            self.rest,
            self.paused,
            self.lost,
            self.failures,
            self.line,
            self.answered,
            self.sent,
            tuple((ordinal, known.phase, known.cause) for ordinal, known in self.calls.items()),
            tuple(self.batch.items()),
            tuple(waiting.number for waiting in self.held),
            tuple(self.fates.values()),
            tuple(map(id, self.response)),
        )

    # ── questions ───────────────────────────────────────────────────────────────────────────────────

    @property
    def starts_turn(self) -> bool:
        """A message is held that no line covers: it starts a turn (R5)."""
        return bool(self.held) and self.held[-1].number > self.line

    @property
    def unsaid(self) -> bool:
        """The turn is not over: outputs, a pause, a lost response or a steer ask for another request."""
        steers = any(waiting.mode is Mode.STEER for waiting in self.held)
        return bool(self.batch) or self.paused or self.lost or steers

    @property
    def startable(self) -> int | None:
        """The first call that may start: approved, a slot free, no exclusive call in its way (C16, C58)."""
        if sum(known.phase >= Phase.ASKED for known in self.calls.values()) >= self.limits.parallel:
            return None
        earlier = False
        for ordinal, known in self.calls.items():
            if known.phase is Phase.READY and not (known.policy.exclusive and earlier):
                return ordinal
            if known.policy.exclusive:
                return None
            earlier = True
        return None

    @property
    def stop_reason(self) -> StopReason:
        """Why the turn ends, if it ends now (R13).

        Raises:
            Wrong: It must not end now.
        """
        if self.stopped is not None:
            return StopReason(self.stopped)
        if self.decided is not None:
            return self.decided
        if not self.unsaid:
            return self.rest
        if self.asked < self.limits.max_requests:
            raise Wrong(f"turn {self.turn} ended though there is more to say")
        return StopReason.MAX_REQUESTS

    # ── what several inputs bring about ─────────────────────────────────────────────────────────────

    def pay(self, what: str, about: object, otherwise: str) -> Any:  # noqa: ANN401  # what was agreed
        """Something that was due has been said.

        Raises:
            Wrong: It was not due.
        """
        try:
            return self.due.pop((what, about))
        except KeyError:
            raise Wrong(otherwise) from None

    def limit_turn(self) -> None:
        """The time of the turn begins, if it has any."""
        if self.limits.turn_timeout is not None:
            self.due["timer", inputs.TurnExpired(self.now + self.limits.turn_timeout, self.turn)] = None

    def ask(self, ordinal: int) -> None:
        """Somebody must be asked whether this call may run, for as long as there is time to answer."""
        self.due["ask", ordinal] = None
        if self.limits.approval_deadline is not None:
            expires = inputs.ApprovalExpired(self.now + self.limits.approval_deadline, ordinal)
            self.due["timer", expires] = None

    def draw_line(self, reason: str) -> None:
        """What is held starts nothing by itself any more; what asked to be returned must be (R5)."""
        self.line = len(self.fates)
        for waiting in self.held:
            if waiting.returns:
                self.due["returned", waiting.message.id] = reason

    def end_call(
        self, ordinal: int, cause: Cause, *, output: str = "", why: str = "", partial: str = ""
    ) -> None:
        """This call must end now, and its output must say this."""
        seconds = self.now - self.calls[ordinal].since
        text = text_of(cause, seconds, output=output, why=why, partial=partial)
        self.due["ended", ordinal] = (cause, text)

    def stop_call(self, ordinal: int, cause: Cause) -> None:
        """A running call must be asked to stop; one that nobody has run must end (R6)."""
        phase = self.calls[ordinal].phase
        if phase is Phase.RUNS:
            self.due["stop", ordinal] = cause
        elif phase is not Phase.STOPS:
            self.end_call(ordinal, Cause.NOT_STARTED)

    def keep_response(self, *, whole: bool = False, broken: bool = False) -> None:
        """What was completed of the response counts.

        Args:
            whole: The provider goes on with it. Otherwise reasoning that nothing follows is set aside.
            broken: The provider may not have stored it: its ids mean nothing (R22).
        """
        items = [_unknown(item) for item in self.response] if broken else self.response
        end = len(items)
        while not whole and end and isinstance(items[end - 1], Reasoning):
            end -= 1
            self.due["aside", (items[end].request, end)] = items[end]
        self.new += items[:end]
        self.response.clear()

    def add_outputs(self) -> None:
        """The outputs of calls that have all ended enter the transcript, in call order (R4)."""
        self.new += (Answer(ordinal, text) for ordinal, text in self.batch.items() if text is not None)
        self.batch.clear()


def _unknown(item: ModelItem) -> ModelItem:
    """The item, as its provider does not know it."""
    return item if item.origin is None else evolve(item, origin=evolve(item.origin, known=False))
