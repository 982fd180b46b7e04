"""Tables with one row wrong, made from the rows themselves: no list of mutants is written down anywhere.

Four ways to get a row wrong: it is missing, it lacks a guard, it leads to another state, or it starts in one
state more. The machines of such tables pass by the checks of a declaration, so that nothing but what an
engine does with them can give them away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from attrs import evolve, frozen

from turnlock.explore.mutants.guards import SOUND, Machines
from turnlock.machines import Row, Table, TableMachine


class Change(StrEnum):
    """How a row is wrong."""

    DELETE = "delete"
    UNGUARD = "unguard"
    RETARGET = "retarget"
    ADD_SOURCE = "add a source"


@frozen
class Mutant:
    """A table with one row wrong.

    Attributes:
        change: How it is wrong.
        row: The row as it should be.
        what: What was dropped or put in its place: a guard, a state; empty for a row that is missing.
        table: The table with the wrong row.
    """

    change: Change
    row: Row
    what: StrEnum | None
    table: Table

    @property
    def name(self) -> str:
        """What it is called, in one line."""
        row = f"{self.table.name}: {self.row.source} -{self.row.event}-> {self.row.dest}"
        return f"{row}: {self.change}" + (f" {self.what}" if self.what else "")

    def machines(self) -> Machines:
        """Machines of which one is made from the wrong table."""
        machine = TableMachine(self.table, check=False)
        if self.table.name == SOUND.turn.table.name:
            return Machines(turn=machine)
        return Machines(invocation=machine)


def row_mutants() -> tuple[Mutant, ...]:
    """All of them, in the order of the rows; of those whose rows are the same, the first."""
    made: dict[frozenset[Row], Mutant] = {}
    for machine in (SOUND.invocation, SOUND.turn):
        for place in range(len(machine.table.rows)):
            for mutant in _of_row(machine.table, place):
                made.setdefault(frozenset(mutant.table.rows), mutant)
    return tuple(made.values())


def _of_row(table: Table, place: int) -> Iterator[Mutant]:
    row = table.rows[place]
    yield Mutant(Change.DELETE, row, None, _with(table, place, ()))
    for guard in row.guards:
        kept = tuple(other for other in row.guards if other is not guard)
        yield Mutant(Change.UNGUARD, row, guard, _with(table, place, (evolve(row, guards=kept),)))
    for state in table.states:
        if state is not row.dest:
            yield Mutant(Change.RETARGET, row, state, _with(table, place, (evolve(row, dest=state),)))
    known = {other.source for other in table.rows if other.event is row.event}
    for state in table.states:
        if state not in known:  # where the event is known already the new row could never be chosen
            added = (row, evolve(row, source=state))
            yield Mutant(Change.ADD_SOURCE, row, state, _with(table, place, added))


def _with(table: Table, place: int, rows: Sequence[Row]) -> Table:
    """The table with these rows in place of one; automatic rows keep their order."""
    return evolve(table, rows=(*table.rows[:place], *rows, *table.rows[place + 1 :]))
