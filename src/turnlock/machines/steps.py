"""fire(): the one door through which a state moves, with a typed refusal and an optional witness.

``transitions`` answers an unknown event with an error that holds a string, and a false guard with False.
Here the first becomes ``TransitionRefused`` with its fields, and both can be seen by whoever logs or
measures coverage. Nothing is logged here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Protocol

from attrs import define, frozen
from transitions import MachineError

from turnlock.errors import TransitionRefused
from turnlock.machines.machine import TableMachine


class Verdict(StrEnum):
    """What became of an event that was tried on a subject."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    REFUSED = "refused"


class Subject(Protocol):
    """What an event is fired on. It also answers every guard of its table by name."""

    @property
    def state(self) -> StrEnum:
        """Where it is."""

    @property
    def label(self) -> str:
        """What messages call it: ``turn``, ``invocation 3``."""


@frozen
class Step:
    """One event tried on one subject.

    Attributes:
        verdict: What became of it.
        subject: The label of the turn or the invocation.
        source: The state before.
        event: The event.
        dest: The state after.
        guard: The first guard that was false, when the verdict is ``waiting``.
    """

    verdict: Verdict
    subject: str
    source: StrEnum
    event: StrEnum
    dest: StrEnum
    guard: str = ""


Observer = Callable[[Step], None]


@define(eq=False)
class Stepper:
    """Fires events for one engine.

    Attributes:
        open_calls: The ordinals of the open invocations, for the refusal to name.
        observe: Called with every step, when somebody wants to know.
    """

    open_calls: Collection[int]
    observe: Observer | None = None

    def fire(self, machine: TableMachine, subject: Subject, event: StrEnum) -> bool:
        """Move the subject.

        Returns:
            False when a guard says "not yet"; nothing has changed then.

        Raises:
            TransitionRefused: No row allows the event in this state; nothing has changed.
        """
        source = subject.state
        try:
            moved = machine.triggers[event](subject)
        except MachineError:
            self._witness(Verdict.REFUSED, machine, subject, source, event)
            raise TransitionRefused(
                subject.label, source.value, event.value, tuple(self.open_calls)
            ) from None
        if self.observe is not None:
            self._witness(Verdict.ACCEPTED if moved else Verdict.WAITING, machine, subject, source, event)
        return moved

    def move(self, machine: TableMachine, subject: Subject) -> StrEnum | None:
        """Try the automatic rows of the subject's state, one event after the other, and let each be seen.

        Returns:
            The event that moved it; None when a guard of each says "not yet".
        """
        for event in machine.table.automatic_events()[subject.state]:
            if self.fire(machine, subject, event):
                return event
        return None

    def _witness(
        self, verdict: Verdict, machine: TableMachine, subject: Subject, source: StrEnum, event: StrEnum
    ) -> None:
        if self.observe is None:
            return
        guard = ""
        if verdict is Verdict.WAITING:
            guard = next(
                guard
                for row in machine.table.rows
                if row.source is source and row.event is event
                for guard in row.guards
                if not getattr(subject, guard)
            )
        self.observe(Step(verdict, subject.label, source, event, subject.state, guard))
