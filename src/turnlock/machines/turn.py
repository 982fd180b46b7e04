"""The table of the turn: when a request may leave, and when the turn is over.

Why a turn ends early (refused, a limit, a control tool, a crash) is its stop reason, which ``more_to_say``
reads; it is not a state.
"""

from __future__ import annotations

from enum import StrEnum

from turnlock.machines.machine import TableMachine
from turnlock.machines.rows import Table, automatic, fired


class TurnState(StrEnum):
    """Where the turn is.

    ``idle``: no turn. ``responding``: a request is in flight. ``settling``: the model has answered, calls
    may still run. ``interrupting``: the turn was stopped, and waits for its calls to end.
    """

    IDLE = "idle"
    RESPONDING = "responding"
    SETTLING = "settling"
    INTERRUPTING = "interrupting"


class TurnEvent(StrEnum):
    """What can happen to a turn."""

    BEGIN = "begin"
    RESPOND = "respond"
    FAIL = "fail"
    DISPATCH = "dispatch"
    FINISH = "finish"
    INTERRUPT = "interrupt"
    SETTLE = "settle"
    HOLD = "hold"
    GO_ON = "go_on"
    WAKE = "wake"


class TurnGuard(StrEnum):
    """What the turn waits for. The engine's turn answers each by name; the meaning stands there."""

    ALL_TERMINAL = "all_terminal"
    WANTS_TURN = "wants_turn"
    MORE_TO_SAY = "more_to_say"
    NOTHING_TO_SAY = "nothing_to_say"
    MAY_SEND = "may_send"


_State = TurnState
_Event = TurnEvent
_Guard = TurnGuard

TURN = Table(
    name="turn",
    states=TurnState,
    events=TurnEvent,
    guards=TurnGuard,
    initial=_State.IDLE,
    final=frozenset(),
    rows=(
        automatic(_State.IDLE, _Event.BEGIN, _State.RESPONDING, _Guard.ALL_TERMINAL, _Guard.WANTS_TURN),
        fired(_State.RESPONDING, _Event.RESPOND, _State.SETTLING),
        fired(_State.RESPONDING, _Event.FAIL, _State.SETTLING),
        automatic(
            _State.SETTLING,
            _Event.DISPATCH,
            _State.RESPONDING,
            _Guard.ALL_TERMINAL,
            _Guard.MORE_TO_SAY,
            _Guard.MAY_SEND,
        ),
        automatic(_State.SETTLING, _Event.FINISH, _State.IDLE, _Guard.ALL_TERMINAL, _Guard.NOTHING_TO_SAY),
        fired(_State.RESPONDING, _Event.INTERRUPT, _State.INTERRUPTING),
        fired(_State.SETTLING, _Event.INTERRUPT, _State.INTERRUPTING),
        automatic(_State.INTERRUPTING, _Event.SETTLE, _State.IDLE, _Guard.ALL_TERMINAL),
        # What is legal and moves nothing: a message is held in every state, and idle and interrupting
        # take an interrupt only to draw its line.
        *(fired(state, _Event.HOLD, state) for state in TurnState),
        fired(_State.IDLE, _Event.GO_ON, _State.IDLE),
        fired(_State.SETTLING, _Event.WAKE, _State.SETTLING),
        fired(_State.IDLE, _Event.INTERRUPT, _State.IDLE),
        fired(_State.INTERRUPTING, _Event.INTERRUPT, _State.INTERRUPTING),
    ),
)

TURN_MACHINE = TableMachine(TURN)
