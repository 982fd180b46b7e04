"""The lean machine is a ``transitions`` machine: same results, same states, same errors, and no surprises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import product
from typing import Any

import pytest
from attrs import define, evolve
from transitions import Machine, MachineError

from turnlock.errors import DeclarationError, TransitionRefused
from turnlock.machines import (
    INVOCATION,
    TURN,
    InvocationEvent,
    InvocationGuard,
    InvocationState,
    Stepper,
    Table,
    TableMachine,
    TurnEvent,
    TurnGuard,
    TurnState,
    as_transitions,
    automatic,
    find_problems,
)

TABLES = [INVOCATION, TURN]


@define(eq=False)
class Puppet:
    """A subject whose guards are whatever the test says."""

    state: StrEnum
    answers: Mapping[str, bool]
    label: str = "puppet"

    def __getattr__(self, guard: str) -> bool:
        return self.answers[guard]


def every_answer(table: Table) -> Iterator[dict[str, bool]]:
    """Every assignment of values to the guards of a table."""
    for values in product((False, True), repeat=len(table.guards)):
        yield dict(zip((guard.value for guard in table.guards), values, strict=True))


def outcome(machine: Machine, subject: Puppet, event: StrEnum) -> tuple[bool | str, StrEnum]:
    """What firing an event gives: the result or the error's text, and the state afterwards."""
    try:
        result = machine.events[event.value].trigger(subject)
    except MachineError as error:
        return str(error), subject.state
    return result, subject.state


def assert_alike(table: Table) -> None:
    lean, stock = TableMachine(table, check=False), Machine(**as_transitions(table))
    for state, event, answers in product(table.states, table.events, every_answer(table)):
        if event.value not in stock.events:
            continue  # the stock machine does not know an event without rows
        lean_says = outcome(lean, Puppet(state, answers), event)
        assert lean_says == outcome(stock, Puppet(state, answers), event), (state, event, answers)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_lean_and_stock_agree(table: Table) -> None:
    """For each state, event and value of the guards, result, state and error text are equal."""
    assert_alike(table)


@pytest.mark.parametrize("guard", [*InvocationGuard, *TurnGuard])
def test_lean_and_stock_agree_without_a_guard(guard: StrEnum) -> None:
    """The mutants that prove other tests are judged by the same machine as the real tables."""
    table = TURN if isinstance(guard, TurnGuard) else INVOCATION
    assert_alike(table.without_guard(guard))


ALTERNATIVES = evolve(
    TURN,
    name="alternatives",
    rows=(
        automatic(TurnState.IDLE, TurnEvent.BEGIN, TurnState.SETTLING, TurnGuard.MAY_SEND),
        automatic(TurnState.IDLE, TurnEvent.BEGIN, TurnState.INTERRUPTING, TurnGuard.WANTS_TURN),
        automatic(TurnState.IDLE, TurnEvent.SETTLE, TurnState.IDLE, TurnGuard.MORE_TO_SAY),
        automatic(TurnState.IDLE, TurnEvent.BEGIN, TurnState.RESPONDING, TurnGuard.ALL_TERMINAL),
    ),
)


def test_lean_and_stock_agree_on_alternatives() -> None:
    """Of several rows for one event the first whose guards are all true is taken, in the order declared."""
    assert_alike(ALTERNATIVES)


@pytest.mark.parametrize("table", [*TABLES, ALTERNATIVES], ids=lambda table: table.name)
def test_automatic_rows_are_tried_as_their_events_would_be(table: Table) -> None:
    """In each state and for each value of the guards the mover does what firing event by event does."""
    machine, stock = TableMachine(table, check=False), Machine(**as_transitions(table))
    for state, answers in product(table.states, every_answer(table)):
        fired, moved = Puppet(state, answers), Puppet(state, answers)
        events = table.automatic_events()[state]
        first = next((event for event in events if stock.events[event.value].trigger(fired)), None)
        mover = machine.movers[state]
        assert (mover is None) is (not events)
        assert (mover and mover(moved)) is first, (state, answers)
        assert moved.state is fired.state
        assert Stepper(()).move(machine, Puppet(state, answers)) is first


def test_an_automatic_event_tries_all_its_rows() -> None:
    """An event is tried at the place of its first row, with the rows that are declared further down."""
    events = ALTERNATIVES.automatic_events()
    assert events[TurnState.IDLE] == (TurnEvent.BEGIN, TurnEvent.SETTLE)
    assert events[TurnState.RESPONDING] == ()


def test_a_guard_that_rows_share_is_asked_once() -> None:
    """What a turn waits for most is asked first, and by no row again."""
    asked: list[str] = []

    class Asked(Puppet):
        def __getattr__(self, guard: str) -> bool:
            asked.append(guard)
            return self.answers[guard]

    mover = TableMachine(TURN).movers[TurnState.SETTLING]
    assert mover is not None
    assert mover(Asked(TurnState.SETTLING, {"all_terminal": False})) is None
    assert asked == ["all_terminal"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_machine_shares_nothing_with_the_declaration(table: Table) -> None:
    """Building a machine changes the dicts that it is given: they are made anew, and the table is intact."""
    before = table.rows
    assert [len(TableMachine(table).events) for _ in range(2)] == [len(table.events)] * 2
    assert table.rows is before


def looks(subject: object) -> bool:
    """A guard that is a function: the lean trigger resolves names only."""
    return bool(subject)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"before": "log"}, "start has a callback: the lean trigger runs none"),
        ({"after": "log"}, "start has a callback: the lean trigger runs none"),
        ({"prepare": "log"}, "start has a callback: the lean trigger runs none"),
        ({"unless": "may_start"}, "a guard of start is no plain name of an attribute"),
        ({"conditions": looks}, "a guard of start is no plain name of an attribute"),
        ({"conditions": "not a name"}, "a guard of start is no plain name of an attribute"),
        ({"conditions": ["may_start", looks]}, "a guard of start is no plain name of an attribute"),
        ({"dest": None}, "start has no destination: name the same state"),
    ],
)
def test_lean_event_refuses_what_it_would_not_honour(options: dict[str, Any], problem: str) -> None:
    """Callbacks, negated or callable guards and internal rows are an error when declared, never ignored."""
    machine = TableMachine(INVOCATION)
    arguments = {"source": InvocationState.RUNNING, "dest": InvocationState.RUNNING, **options}
    with pytest.raises(DeclarationError) as caught:
        machine.add_transition("start", **arguments)
    assert caught.value.problems == (problem,)
    with pytest.raises(MachineError):
        machine.triggers[InvocationEvent.START](Puppet(InvocationState.RUNNING, {"may_start": True}))


def test_machine_is_not_made_of_an_unsound_table() -> None:
    """A table with a problem is refused when its machine is built, unless it is wrong on purpose."""
    broken = evolve(TURN, final=frozenset({TurnState.IDLE}))
    with pytest.raises(DeclarationError):
        TableMachine(broken)
    assert TableMachine(broken, check=False).table is broken


@pytest.mark.parametrize("guard", list(TurnGuard))
def test_dropped_guard_leaves_an_automatic_row(guard: TurnGuard) -> None:
    """A row without its guard is still tried by itself: the mutant differs in nothing but the guard."""
    mutant = TURN.without_guard(guard)
    assert all(guard not in row.guards for row in mutant.rows)
    assert [evolve(row, guards=()) for row in mutant.rows] == [evolve(row, guards=()) for row in TURN.rows]
    assert mutant.automatic_events() == TURN.automatic_events()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_dropping_an_unknown_guard_fails(table: Table) -> None:
    """A misspelt guard would give a mutant that is none."""
    with pytest.raises(KeyError, match="nonsense"):
        table.without_guard("nonsense")


def test_guard_is_dropped_by_its_name() -> None:
    """The command line has a string, not a member."""
    assert TURN.without_guard("may_send") == TURN.without_guard(TurnGuard.MAY_SEND)


@pytest.mark.parametrize("event", list(TurnEvent))
def test_event_without_rows_is_refused_everywhere(event: TurnEvent) -> None:
    """A mutant that lost all rows of an event refuses it in every state, and does not break."""
    mutant = evolve(TURN, rows=tuple(row for row in TURN.rows if row.event is not event))
    assert f"no row uses the event {event}" in find_problems(mutant)
    machine = TableMachine(mutant, check=False)
    for state in TurnState:
        subject = Puppet(state, {guard.value: True for guard in TurnGuard})
        with pytest.raises(TransitionRefused):
            Stepper(()).fire(machine, subject, event)
        assert subject.state is state
