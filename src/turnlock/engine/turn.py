"""The turn: what its guards mean.

The engine's object that moves through the turn table. Each guard is one property here, and stands nowhere
else; the engine changes the facts and never asks the same question in words of its own.
"""

from __future__ import annotations

from attrs import define

from turnlock.engine.calls import Registry
from turnlock.engine.commands import StopReason
from turnlock.engine.inbox import Inbox
from turnlock.machines import TurnState


@define(eq=False)
class Turn:
    """The turn under way, or the rest between two.

    Attributes:
        registry: The calls that it waits for.
        inbox: The messages that wait for it.
        max_requests: How many requests a turn may send.
        state: Where it is.
        number: The turn's number, from 1; of the last one while idle.
        requests: How many requests it has sent.
        request: The number of the request in flight.
        asked_to_go_on: The host asked for a turn without a message.
        stop: The stop reason, once it is decided.
        error: The text that goes with the stop reason.
        rest: The stop reason if nothing more is to say: how the last response ended.
        paused: The provider paused, and waits for its own response back (R21); until a response comes to its
            end without a pause, a call that it executes may be in flight.
        ask_again: The last response was lost, and no part of it counts.
        failures: How many responses were lost in a row.
        waking: The request whose backoff runs.
        ticking: The turn's time runs, and its end would stop it.
    """

    registry: Registry
    inbox: Inbox
    max_requests: int
    state: TurnState = TurnState.IDLE
    number: int = 0
    requests: int = 0
    request: int | None = None
    asked_to_go_on: bool = False
    stop: StopReason | None = None
    error: str = ""
    rest: StopReason = StopReason.END_TURN
    paused: bool = False
    ask_again: bool = False
    failures: int = 0
    waking: int | None = None
    ticking: bool = False

    @property
    def label(self) -> str:
        """What messages call it."""
        return "turn"

    @property
    def all_terminal(self) -> bool:
        """No invocation of the turn is open (R3)."""
        return not self.registry.open

    @property
    def wants_turn(self) -> bool:
        """A held message may start a turn, or the host said go on."""
        return self.asked_to_go_on or self.inbox.may_start

    @property
    def unsaid(self) -> bool:
        """Something is left to say: outputs, a paused or a lost response, or a steer that may be carried."""
        return bool(self.registry.batch) or self.paused or self.ask_again or self.inbox.steers

    @property
    def more_to_say(self) -> bool:
        """Another request of this turn is due."""
        return self.stop is None and self.requests < self.max_requests and self.unsaid

    @property
    def nothing_to_say(self) -> bool:
        """The turn is at rest."""
        return not self.more_to_say

    @property
    def may_send(self) -> bool:
        """No backoff runs."""
        return self.waking is None

    @property
    def stop_reason(self) -> StopReason:
        """Why the turn ends, if it ends now (R13)."""
        if self.stop is not None:
            return self.stop
        return StopReason.MAX_REQUESTS if self.unsaid else self.rest

    def reset(self) -> None:
        """Forget the last turn; called when the next one begins."""
        self.number += 1
        self.requests = self.failures = 0
        self.request = self.stop = self.waking = None
        self.asked_to_go_on = self.paused = self.ask_again = False
        self.ticking = True
        self.error = ""
        self.rest = StopReason.END_TURN

    def fork(self, registry: Registry, inbox: Inbox) -> Turn:
        """A copy over copies of what it reads."""
        return Turn(
            registry,
            inbox,
            self.max_requests,
            self.state,
            self.number,
            self.requests,
            self.request,
            self.asked_to_go_on,
            self.stop,
            self.error,
            self.rest,
            self.paused,
            self.ask_again,
            self.failures,
            self.waking,
            self.ticking,
        )
