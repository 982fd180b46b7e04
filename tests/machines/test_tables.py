"""The stories that the two shipped tables tell.

No second copy of the rows: each test asks one question that a wrong row would answer differently.
"""

from __future__ import annotations

from enum import StrEnum

import pytest

from turnlock.machines import (
    INVOCATION,
    TURN,
    InvocationEvent,
    InvocationState,
    Row,
    Table,
    TurnEvent,
    TurnGuard,
    TurnState,
)


def rows(
    table: Table, *, source: StrEnum | None = None, event: StrEnum | None = None, dest: StrEnum | None = None
) -> list[Row]:
    return [
        row
        for row in table.rows
        if source in (None, row.source) and event in (None, row.event) and dest in (None, row.dest)
    ]


def test_call_ends_once() -> None:
    """Completed, cancelled and timed out are the ends of a call, and nothing leaves them (R1)."""
    ends = {InvocationState.COMPLETED, InvocationState.CANCELLED, InvocationState.TIMED_OUT}
    assert INVOCATION.final == ends
    assert not [row for row in INVOCATION.rows if row.source in ends]


def test_only_a_running_call_completes() -> None:
    """A call that was never started has no result."""
    sources = {row.source for row in rows(INVOCATION, dest=InvocationState.COMPLETED)}
    assert sources == {InvocationState.RUNNING}


def test_call_runs_only_by_itself() -> None:
    """No input starts a call: its guard does, when everything that it waits for is there."""
    [start] = [row for row in rows(INVOCATION, dest=InvocationState.RUNNING) if row.source != row.dest]
    assert start.automatic
    assert start.guards


@pytest.mark.parametrize("state", [InvocationState.REQUESTED, InvocationState.RUNNING])
def test_open_call_can_be_cancelled_and_can_time_out(state: InvocationState) -> None:
    """An approval that nobody answers ends as surely as a tool that hangs (R8)."""
    ends = {row.event: row.dest for row in rows(INVOCATION, source=state)}
    assert ends[InvocationEvent.CANCEL] is InvocationState.CANCELLED
    assert ends[InvocationEvent.EXPIRE] is InvocationState.TIMED_OUT


def test_asking_a_call_to_stop_ends_nothing() -> None:
    """To be asked to stop is not terminal: the call runs on until it has ended (R1)."""
    [stop] = rows(INVOCATION, event=InvocationEvent.STOP)
    assert (stop.source, stop.dest) == (InvocationState.RUNNING, InvocationState.RUNNING)


def test_no_request_leaves_while_a_call_is_open() -> None:
    """Every way to a request in flight asks all_terminal (R3)."""
    requests = [row for row in rows(TURN, dest=TurnState.RESPONDING) if row.source != row.dest]
    assert {row.event for row in requests} == {TurnEvent.BEGIN, TurnEvent.DISPATCH}
    assert all(row.automatic and TurnGuard.ALL_TERMINAL in row.guards for row in requests)


def test_no_turn_ends_while_a_call_is_open() -> None:
    """Every way back to rest asks all_terminal: the calls end before their turn (R13)."""
    endings = [row for row in rows(TURN, dest=TurnState.IDLE) if row.source != row.dest]
    assert {row.event for row in endings} == {TurnEvent.FINISH, TurnEvent.SETTLE}
    assert all(row.automatic and TurnGuard.ALL_TERMINAL in row.guards for row in endings)


def test_idle_is_left_only_by_begin() -> None:
    """Nothing but a wanted turn ends the rest; inputs alone move nothing."""
    [begin] = [row for row in rows(TURN, source=TurnState.IDLE) if row.source != row.dest]
    assert begin.event is TurnEvent.BEGIN
    assert set(begin.guards) == {TurnGuard.ALL_TERMINAL, TurnGuard.WANTS_TURN}


def test_settled_turn_goes_on_or_ends() -> None:
    """Once no call is open, settling is left one way or the other: the guards are a question and its no."""
    dispatch, finish = (row for row in rows(TURN, source=TurnState.SETTLING) if row.automatic)
    assert TurnGuard.MORE_TO_SAY in dispatch.guards
    assert TurnGuard.NOTHING_TO_SAY in finish.guards


@pytest.mark.parametrize("state", list(TurnState))
def test_message_is_held_in_every_state(state: TurnState) -> None:
    """There is no moment at which a message is refused, or moves the turn by itself (R5)."""
    [hold] = rows(TURN, source=state, event=TurnEvent.HOLD)
    assert hold.dest is state


@pytest.mark.parametrize("state", list(TurnState))
def test_interrupt_is_legal_in_every_state(state: TurnState) -> None:
    """It stops a turn that is under way, and otherwise moves nothing (R17, C12)."""
    [interrupt] = rows(TURN, source=state, event=TurnEvent.INTERRUPT)
    under_way = state in {TurnState.RESPONDING, TurnState.SETTLING}
    assert interrupt.dest is (TurnState.INTERRUPTING if under_way else state)


def test_interrupted_turn_only_waits_for_its_calls() -> None:
    """No request leaves after an interrupt, and no backoff delays the rest."""
    [settle] = [row for row in rows(TURN, source=TurnState.INTERRUPTING) if row.source != row.dest]
    assert (settle.dest, settle.guards) == (TurnState.IDLE, (TurnGuard.ALL_TERMINAL,))


def test_response_ends_once_either_way() -> None:
    """Answered or lost, the turn settles; and only while a request is in flight."""
    for event in (TurnEvent.RESPOND, TurnEvent.FAIL):
        [row] = rows(TURN, event=event)
        assert (row.source, row.dest) == (TurnState.RESPONDING, TurnState.SETTLING)


def test_turn_has_no_end_of_its_own() -> None:
    """A session goes on: its turn comes to rest, and is never over."""
    assert not TURN.final
    assert TURN.initial is TurnState.IDLE
