"""Machines with a guard dropped: an exploration that can find nothing proves nothing."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

from turnlock.machines import (
    INVOCATION,
    INVOCATION_MACHINE,
    TURN,
    TURN_MACHINE,
    InvocationGuard,
    TableMachine,
    TurnGuard,
)

GUARDS: tuple[StrEnum, ...] = (*InvocationGuard, *TurnGuard)
"""Every guard of both tables."""


@frozen
class Machines:
    """The machines of an engine; others than the shared ones only to prove that a mistake is found."""

    turn: TableMachine = TURN_MACHINE
    invocation: TableMachine = INVOCATION_MACHINE


SOUND = Machines()


def without_guard(guard: str) -> Machines:
    """Machines made of the same rows, without this guard.

    Raises:
        ValueError: No table has a guard of this name; the text lists those that there are.
    """
    if guard in tuple(TurnGuard):
        return Machines(turn=TableMachine(TURN.without_guard(guard), check=False))
    if guard in tuple(InvocationGuard):
        return Machines(invocation=TableMachine(INVOCATION.without_guard(guard), check=False))
    raise ValueError(f"there is no guard {guard!r}; there are: {', '.join(GUARDS)}")
