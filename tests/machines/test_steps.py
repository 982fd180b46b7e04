"""fire(): the one door through which a state moves."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import pytest
from attrs import define

from turnlock.errors import TransitionRefused
from turnlock.machines import (
    INVOCATION_MACHINE,
    TURN_MACHINE,
    InvocationEvent,
    InvocationState,
    Row,
    Step,
    Stepper,
    TableMachine,
    TurnEvent,
    TurnGuard,
    TurnState,
    Verdict,
)

MACHINES = [INVOCATION_MACHINE, TURN_MACHINE]
REFUSED = [
    pytest.param(machine, state, event, id=f"{machine.table.name}-{state}-{event}")
    for machine in MACHINES
    for state in machine.table.states
    for event in machine.table.events
    if not any(row.source is state and row.event is event for row in machine.table.rows)
]
ROWS = [
    pytest.param(machine, row, id=f"{machine.table.name}-{row.source}-{row.event}")
    for machine in MACHINES
    for row in machine.table.rows
]
GUARDED = [
    pytest.param(machine, row, guard, id=f"{machine.table.name}-{row.event}-{guard}")
    for machine in MACHINES
    for row in machine.table.rows
    for guard in row.guards
]


@define(eq=False)
class Subject:
    """Answers every guard: true but for those that are named."""

    state: StrEnum
    false: Collection[str] = ()
    label: str = "invocation 3"

    def __getattr__(self, guard: str) -> bool:
        return guard not in self.false


@pytest.mark.parametrize(("machine", "state", "event"), REFUSED)
def test_refused_event_changes_nothing_and_says_what_happened(
    machine: TableMachine, state: StrEnum, event: StrEnum
) -> None:
    """Whatever stands in no row raises with its fields, and whoever watches sees the refusal."""
    seen: list[Step] = []
    subject = Subject(state)
    with pytest.raises(TransitionRefused) as caught:
        Stepper([2, 5], seen.append).fire(machine, subject, event)
    refused = caught.value
    assert subject.state is state
    assert (refused.subject, refused.state, refused.event, refused.calls) == (
        "invocation 3",
        state,
        event,
        (2, 5),
    )
    assert str(refused) == f"invocation 3 is {state}: '{event}' is not allowed (open calls: 2, 5)"
    assert {type(refused.state), type(refused.event)} == {str}
    assert refused.__cause__ is None
    assert seen == [Step(Verdict.REFUSED, "invocation 3", state, event, state)]


def test_refusal_needs_no_observer() -> None:
    """Nobody has to watch: the refusal is the same."""
    with pytest.raises(TransitionRefused, match=r"^invocation 3 is idle: 'wake' is not allowed$"):
        Stepper(()).fire(TURN_MACHINE, Subject(TurnState.IDLE), TurnEvent.WAKE)


@pytest.mark.parametrize(("machine", "row"), ROWS)
def test_every_row_can_be_taken(machine: TableMachine, row: Row) -> None:
    """With all guards true every declared row moves its subject, and is seen as accepted."""
    seen: list[Step] = []
    subject = Subject(row.source)
    assert Stepper((), seen.append).fire(machine, subject, row.event)
    assert subject.state is row.dest
    assert seen == [Step(Verdict.ACCEPTED, "invocation 3", row.source, row.event, row.dest)]


@pytest.mark.parametrize(("machine", "row", "guard"), GUARDED)
def test_false_guard_is_not_yet(machine: TableMachine, row: Row, guard: StrEnum) -> None:
    """One false guard is enough: nothing moves, nothing is raised, and the observer learns which guard."""
    seen: list[Step] = []
    subject = Subject(row.source, {guard})
    assert not Stepper((), seen.append).fire(machine, subject, row.event)
    assert subject.state is row.source
    assert seen == [Step(Verdict.WAITING, "invocation 3", row.source, row.event, row.source, guard)]


def test_first_false_guard_is_named() -> None:
    """Of several false guards the observer sees the first in the row's order."""
    seen: list[Step] = []
    subject = Subject(TurnState.SETTLING, {TurnGuard.MAY_SEND, TurnGuard.MORE_TO_SAY})
    Stepper((), seen.append).fire(TURN_MACHINE, subject, TurnEvent.DISPATCH)
    assert [step.guard for step in seen] == [TurnGuard.MORE_TO_SAY]


def test_waiting_needs_no_observer() -> None:
    """A false guard answers false, watched or not."""
    subject = Subject(InvocationState.REQUESTED, {"may_start"})
    assert not Stepper(()).fire(INVOCATION_MACHINE, subject, InvocationEvent.START)
    assert subject.state is InvocationState.REQUESTED
