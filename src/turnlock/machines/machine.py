"""Rows -> one ``transitions`` machine per table, shared by all subjects, with a lean trigger.

The machine is unbound: subjects are never added to it (``add_model`` fails on slots, silently skips a
subject that compares equal to an earlier one, keeps references and scans all of them). An event is fired
on an object that has a ``state`` and answers the guards' names as attributes.

The lean trigger. ``transitions`` resolves and logs several callbacks per event; a turn pays for it four to
six times per call. ``LeanEvent`` is still an event of a ``transitions``
machine: the stock rows are there, the library's own ``MachineError`` is raised, and a product test over
states x events x guard values holds both equal in result, state and error; but what fires is a function that
was compiled from the rows. What that would not honour (callbacks of any sort, ``unless``) is refused when it
is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, NoReturn

from transitions import Event, Machine, MachineError, State, Transition

from turnlock.errors import DeclarationError
from turnlock.machines.checks import validate
from turnlock.machines.compiled import Move, Mover, Trigger, compile_mover, compile_trigger
from turnlock.machines.rows import Table


def as_transitions(table: Table) -> dict[str, Any]:
    """The keyword arguments with which ``transitions.Machine`` makes the same machine from its own parts.

    Made anew at each call: building a machine changes the dicts that it is given.
    """
    return {
        "model": None,
        "states": [State(state, final=state in table.final) for state in table.states],
        "initial": table.initial,
        "transitions": [
            {
                "trigger": row.event.value,
                "source": row.source,
                "dest": row.dest,
                "conditions": [guard.value for guard in row.guards],
            }
            for row in table.rows
        ],
        "auto_transitions": False,
        "send_event": True,
        "name": table.name,
    }


class LeanEvent(Event):
    """An event that is fired by a function made of its rows, and by nothing else.

    The values of the states are what a subject holds in ``state``; the guards are names of its attributes.
    """

    def __init__(self, name: str, machine: Machine) -> None:
        super().__init__(name, machine)
        self.moves: dict[str | Enum, tuple[Move, ...]] = {}
        self.fire: Trigger | None = None

    def add_transition(self, transition: Transition) -> None:
        """Keep the row in both forms; refuse what the lean trigger would not honour."""
        guards = tuple(
            condition.func for condition in transition.conditions if isinstance(condition.func, str)
        )
        if transition.before or transition.after or transition.prepare:
            raise DeclarationError(
                self.machine.name, [f"{self.name} has a callback: the lean trigger runs none"]
            )
        plain = all(condition.target for condition in transition.conditions) and all(
            guard.isidentifier() for guard in guards
        )
        if len(guards) < len(transition.conditions) or not plain:
            raise DeclarationError(
                self.machine.name, [f"a guard of {self.name} is no plain name of an attribute"]
            )
        if transition.dest is None:
            raise DeclarationError(
                self.machine.name, [f"{self.name} has no destination: name the same state"]
            )
        super().add_transition(transition)
        source = self.machine.get_state(transition.source).value
        move = Move(guards, self.machine.get_state(transition.dest).value, result=True)
        self.moves[source] = (*self.moves.get(source, ()), move)
        self.fire = None

    def compiled(self) -> Trigger:
        """The function that fires it."""
        if self.fire is None:
            self.fire = compile_trigger(self.moves, self._refuse)
        return self.fire

    def trigger(self, model: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Move the subject by the first row whose guards are all true.

        Returns:
            True when it moved (or a row that stays was taken), false when every row has a false guard.

        Raises:
            MachineError: No row of this event starts in the subject's state.
        """
        return self.compiled()(model)

    def _refuse(self, model: Any) -> NoReturn:
        """The same error with the same words as the stock event."""
        state = self.machine.get_model_state(model)
        raise MachineError(
            f"{self.machine.name}Can't trigger event {self.name} from state {state.name}!"
        ) from None


class TableMachine(Machine):
    """The machine of one table: made once, shared by all subjects, never changed afterwards.

    Attributes:
        table: The declaration that it was made from.
        triggers: For each event the function that fires it on a subject.
        movers: For each state the function that tries the automatic rows that leave it, in their order, and
            gives the event that moved the subject, or None; None for a state without automatic rows.
    """

    event_cls = LeanEvent

    def __init__(self, table: Table, *, check: bool = True) -> None:
        """Make the machine.

        Args:
            table: The declaration.
            check: False only for tables that are wrong on purpose (a dropped guard, a mutant).

        Raises:
            DeclarationError: The declaration is not sound.
        """
        if check:
            validate(table)
        super().__init__(**as_transitions(table))
        self.table = table
        events = {event: self._lean(event) for event in table.events}
        self.triggers = {event: lean.compiled() for event, lean in events.items()}
        self.movers: Mapping[StrEnum, Mover | None] = {
            state: compile_mover(
                [
                    Move(move.guards, move.dest, event)
                    for event in tried
                    for move in events[event].moves[state]
                ]
            )
            if tried
            else None
            for state, tried in table.automatic_events().items()
        }

    def _lean(self, event: StrEnum) -> LeanEvent:
        found = self.events.get(event.value)
        if found is None:  # only in a mutant: an event without rows is refused everywhere
            found = self.events[event.value] = self._create_event(event.value, self)
        assert isinstance(found, LeanEvent)
        return found
