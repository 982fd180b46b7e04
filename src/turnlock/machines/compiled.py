"""Rows -> Python functions: what a turn pays for a step is the comparison, the guards and the assignment.

The stock trigger of ``transitions`` resolves and logs callbacks that our rows have not, and a walk over the
rows pays for every guard's name; a call pays for five events, and a turn for as many again. ``LeanEvent`` and
``TableMachine`` call what is made here and have no other way to move, and a product test over states x events
x guard values holds it equal to the stock machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum
from itertools import groupby
from typing import Any, NoReturn

from attrs import evolve, frozen

Trigger = Callable[[Any], bool]
Mover = Callable[[Any], StrEnum | None]


@frozen
class Move:
    """What a row does to a subject in its source state.

    Attributes:
        guards: The names of the attributes that must all be true.
        dest: The state after.
        result: What the function gives back.
    """

    guards: tuple[str, ...]
    dest: object
    result: object


def compile_trigger(moves: Mapping[str | Enum, Sequence[Move]], refuse: Callable[[Any], NoReturn]) -> Trigger:
    """A function that fires one event: true when it moved, false when every row has a false guard.

    Args:
        moves: For each state in which the event is known its rows, in their order.
        refuse: Raises the error for a subject in any other state.
    """
    source = _Source()
    source.add(1, "state = subject.state")
    for state, rows in moves.items():
        source.add(1, f"if state is {source.name(state)}:")
        if not source.add_rows(2, rows):
            source.add(2, "return False")
    source.add(1, f"{source.name(refuse)}(subject)")
    trigger: Trigger = source.function()
    return trigger


def compile_mover(moves: Sequence[Move]) -> Mover:
    """A function that tries the automatic rows of one state, in their order.

    It gives the result of the row that moved the subject; None when each has a false guard.
    """
    source = _Source()
    if not source.add_rows(1, moves):
        source.add(1, "return None")
    mover: Mover = source.function()
    return mover


class _Source:
    """The text of a function of one ``subject``, and the objects that it names."""

    def __init__(self) -> None:
        self._lines = ["def function(subject):"]
        self._names: dict[str, object] = {}

    def add(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def name(self, value: object) -> str:
        name = f"value_{len(self._names)}"
        self._names[name] = value
        return name

    def add_rows(self, depth: int, moves: Sequence[Move]) -> bool:
        """Add what tries these rows. Neighbours that begin with the same guard ask it once.

        Returns:
            True when one of them always moves: what would come behind it is never reached.
        """
        for guard, group in groupby(moves, lambda move: move.guards[0] if move.guards else None):
            rows = list(group)
            if guard is None:
                self.add(depth, f"subject.state = {self.name(rows[0].dest)}")
                self.add(depth, f"return {self.name(rows[0].result)}")
                return True
            self.add(depth, f"if subject.{guard}:")
            self.add_rows(depth + 1, [evolve(row, guards=row.guards[1:]) for row in rows])
        return False

    def function(self) -> Any:  # noqa: ANN401  # its signature is the caller's
        made: dict[str, Any] = dict(self._names)
        exec("\n".join(self._lines), made)  # noqa: S102  # made of the names of states and guards alone
        return made["function"]
