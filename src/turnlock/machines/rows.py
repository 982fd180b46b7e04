"""What a declaration is made of: a row, and a table of rows.

Frozen values and nothing else. The running machine, the diagrams, the state x event matrix and the
explorer's dropped guards are all made from these same values.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import evolve, frozen


@frozen
class Row:
    """One way to move: from a state, by an event, to a state.

    Attributes:
        source: The state before.
        event: What happens.
        dest: The state after; the same as ``source`` for an event that is legal and moves nothing.
        guards: What must all be true. Only automatic rows have guards.
        automatic: True when the engine tries the row by itself after every input; false when an input
            fires it. A table as declared has guards exactly on its automatic rows; the field is of its own
            so that a row whose guards were dropped on purpose is still tried automatically.
    """

    source: StrEnum
    event: StrEnum
    dest: StrEnum
    guards: tuple[StrEnum, ...] = ()
    automatic: bool = False


def fired(source: StrEnum, event: StrEnum, dest: StrEnum) -> Row:
    """A row that an input fires: legal in its source state, refused in every other."""
    return Row(source, event, dest)


def automatic(source: StrEnum, event: StrEnum, dest: StrEnum, *guards: StrEnum) -> Row:
    """A row that is tried after every input, and moves as soon as all its guards are true."""
    return Row(source, event, dest, guards, automatic=True)


@frozen
class Table:
    """A whole declaration.

    Attributes:
        name: What the table is about, as messages and diagrams call it.
        states: Every state, in the order in which pictures show them.
        events: Every event.
        guards: Every guard that a row may name.
        initial: Where a new subject starts.
        final: States that nothing leaves.
        rows: The rows; automatic rows are tried in this order.
    """

    name: str
    states: type[StrEnum]
    events: type[StrEnum]
    guards: type[StrEnum]
    initial: StrEnum
    final: frozenset[StrEnum]
    rows: tuple[Row, ...]

    def without_guard(self, guard: str) -> Table:
        """The same table with one guard dropped from every row: for proving that a test can fail.

        Raises:
            KeyError: The table has no guard of this name.
        """
        if guard not in tuple(self.guards):
            raise KeyError(guard)
        rows = tuple(evolve(row, guards=tuple(g for g in row.guards if g != guard)) for row in self.rows)
        return evolve(self, rows=rows)

    def automatic_events(self) -> dict[StrEnum, tuple[StrEnum, ...]]:
        """For each state the automatic events that leave it, in the order of the rows."""
        events: dict[StrEnum, tuple[StrEnum, ...]] = dict.fromkeys(self.states, ())
        for row in self.rows:
            if row.automatic and row.event not in events[row.source]:
                events[row.source] += (row.event,)
        return events
