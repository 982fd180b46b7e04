"""What a declaration must fulfil before a machine is made of it.

The checks look at the rows alone. They find the mistakes that a running machine would show late or never:
a state that nothing reaches, a state that nothing leaves, a row that can never be chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from turnlock.errors import DeclarationError
from turnlock.machines.rows import Row, Table


def validate(table: Table) -> None:
    """Raise unless the declaration is sound.

    Raises:
        DeclarationError: With every problem found, one sentence each.
    """
    problems = find_problems(table)
    if problems:
        raise DeclarationError(table.name, problems)


def find_problems(table: Table) -> list[str]:
    """Everything that is wrong with the declaration, in reading order; empty when it is sound."""
    return [
        *_names(table),
        *_kinds(table),
        *_choices(table),
        *_terminal_exits(table),
        *_reachability(table),
    ]


def _describe(row: Row) -> str:
    guards = f" [{', '.join(row.guards)}]" if row.guards else ""
    return f"{row.source} -{row.event}{guards}-> {row.dest}"


def _names(table: Table) -> Iterator[str]:
    """Rows name members of the table's own enumerations, and each member is used."""
    for row in table.rows:
        for value, names, what in (
            (row.source, table.states, "state"),
            (row.dest, table.states, "state"),
            (row.event, table.events, "event"),
            *((guard, table.guards, "guard") for guard in row.guards),
        ):
            if not isinstance(value, names):
                yield f"{_describe(row)} names an unknown {what}: {value!r}"
    used_events = {row.event for row in table.rows}
    yield from (f"no row uses the event {event}" for event in table.events if event not in used_events)
    used_guards = {guard for row in table.rows for guard in row.guards}
    yield from (f"no row uses the guard {guard}" for guard in table.guards if guard not in used_guards)
    for state in (table.initial, *sorted(table.final)):
        if not isinstance(state, table.states):
            yield f"{state!r} is initial or final, and no state of the table"


def _kinds(table: Table) -> Iterator[str]:
    """An input fires rows without guards; automatic rows have some; no event is of both kinds."""
    kinds: dict[StrEnum, bool] = {}
    for row in table.rows:
        if row.guards and not row.automatic:
            yield f"{_describe(row)} is fired by an input and guarded: a false guard would refuse it silently"
        if row.automatic and not row.guards:
            yield f"{_describe(row)} is automatic and has no guard: it would fire at once"
        if kinds.setdefault(row.event, row.automatic) is not row.automatic:
            yield f"the event {row.event} is automatic in one row and fired by an input in another"


def _choices(table: Table) -> Iterator[str]:
    """No row stands behind one that is always chosen before it."""
    seen: dict[tuple[StrEnum, StrEnum], list[Row]] = {}
    for row in table.rows:
        earlier = seen.setdefault((row.source, row.event), [])
        for other in earlier:
            if set(other.guards) <= set(row.guards):
                yield f"{_describe(row)} can never be chosen: {_describe(other)} stands before it"
        earlier.append(row)


def _terminal_exits(table: Table) -> Iterator[str]:
    """Terminal is final: nothing leaves a final state, not even to itself."""
    for row in table.rows:
        if row.source in table.final:
            yield f"{_describe(row)} leaves a final state"


def _reachability(table: Table) -> Iterator[str]:
    """Every state can be reached from the initial one, and can be left unless it is final."""
    reached = {table.initial}
    frontier = [table.initial]
    while frontier:
        state = frontier.pop()
        for row in table.rows:
            if row.source == state and row.dest not in reached:
                reached.add(row.dest)
                frontier.append(row.dest)
    left = {row.source for row in table.rows if row.dest != row.source}
    for state in table.states:
        if state not in reached:
            yield f"the state {state} is unreachable from {table.initial}"
        if state not in table.final and state not in left:
            yield f"the state {state} is a dead end: it is not final, and no row leaves it"
