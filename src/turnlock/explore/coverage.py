"""Which rows of the two tables an exploration exercised.

It owns the watched machines: the same rows, and every step that is taken is noted. What a row means is no
matter of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from attrs import define, field, frozen

from turnlock.explore.mutants.guards import SOUND, Machines
from turnlock.machines import Mover, Row, TableMachine


@frozen
class Taken:
    """A row that was taken: by which table, from where, by which event, to where."""

    table: str
    source: StrEnum
    event: StrEnum
    dest: StrEnum

    def __str__(self) -> str:
        return f"{self.table}: {self.source} -{self.event}-> {self.dest}"

    @classmethod
    def of(cls, table: str, row: Row) -> Taken:
        """The row of a table, once it is taken."""
        return cls(table, row.source, row.event, row.dest)


def all_rows(machines: Machines = SOUND) -> Iterator[Taken]:
    """Every row of both tables, in their order."""
    for machine in (machines.invocation, machines.turn):
        yield from (Taken.of(machine.table.name, row) for row in machine.table.rows)


@define(eq=False)
class Coverage:
    """Notes the rows that are taken.

    Attributes:
        rows: Those that were.
    """

    rows: set[Taken] = field(factory=set, init=False)

    def watch(self, machines: Machines) -> Machines:
        """Machines of the same rows that note every step."""
        return Machines(self._watched(machines.turn), self._watched(machines.invocation))

    def _watched(self, machine: TableMachine) -> TableMachine:
        watched = TableMachine(machine.table, check=False)
        watched.triggers = {event: self._trigger(watched, event) for event in machine.table.events}
        watched.movers = {
            state: mover and self._mover(watched, state, mover) for state, mover in watched.movers.items()
        }
        return watched

    def _trigger(self, machine: TableMachine, event: StrEnum) -> Callable[[Any], bool]:
        trigger, table = machine.triggers[event], machine.table.name

        def fire(subject: Any) -> bool:  # noqa: ANN401  # whatever has a state
            source = subject.state
            moved = trigger(subject)
            if moved:
                self.rows.add(Taken(table, source, event, subject.state))
            return moved

        return fire

    def _mover(self, machine: TableMachine, state: StrEnum, mover: Mover) -> Mover:
        table = machine.table.name

        def move(subject: Any) -> StrEnum | None:  # noqa: ANN401  # the same
            event = mover(subject)
            if event is not None:
                self.rows.add(Taken(table, state, event, subject.state))
            return event

        return move
