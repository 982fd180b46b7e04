"""The table of one tool call: requested -> running -> completed, cancelled or timed out.

Denied, not started, cut off and lost are causes of an outcome, not states; waiting for an approval or a
slot is a part of the guard, not a state.
"""

from __future__ import annotations

from enum import StrEnum

from turnlock.machines.machine import TableMachine
from turnlock.machines.rows import Table, automatic, fired


class InvocationState(StrEnum):
    """Where a call is in its life."""

    REQUESTED = "requested"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class InvocationEvent(StrEnum):
    """What can happen to a call."""

    START = "start"
    COMPLETE = "complete"
    CANCEL = "cancel"
    EXPIRE = "expire"
    STOP = "stop"


class InvocationGuard(StrEnum):
    """What a call waits for before it starts."""

    MAY_START = "may_start"


_State = InvocationState
_Event = InvocationEvent

INVOCATION = Table(
    name="invocation",
    states=InvocationState,
    events=InvocationEvent,
    guards=InvocationGuard,
    initial=_State.REQUESTED,
    final=frozenset({_State.COMPLETED, _State.CANCELLED, _State.TIMED_OUT}),
    rows=(
        automatic(_State.REQUESTED, _Event.START, _State.RUNNING, InvocationGuard.MAY_START),
        fired(_State.REQUESTED, _Event.CANCEL, _State.CANCELLED),
        fired(_State.REQUESTED, _Event.EXPIRE, _State.TIMED_OUT),
        fired(_State.RUNNING, _Event.COMPLETE, _State.COMPLETED),
        fired(_State.RUNNING, _Event.CANCEL, _State.CANCELLED),
        fired(_State.RUNNING, _Event.EXPIRE, _State.TIMED_OUT),
        # Asked to stop: the first cause is kept, and what ends the call comes later.
        fired(_State.RUNNING, _Event.STOP, _State.RUNNING),
    ),
)

INVOCATION_MACHINE = TableMachine(INVOCATION)
