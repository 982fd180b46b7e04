"""Rows -> one ``transitions`` machine per table, shared by all subjects, with a lean trigger.

The machine is unbound: subjects are never added to it (``add_model`` fails on slots, silently skips a
subject that compares equal to an earlier one, keeps references and scans all of them). An event is fired
on an object that has a ``state`` and answers the guards' names as attributes.

The lean trigger. ``transitions`` resolves and logs several callbacks per event; a turn pays for it four to
six times per call (about 5 microseconds an event, against 0.2 here). ``LeanEvent`` keeps beside the stock
rows a dict ``{state: ((guards, dest), ...)}`` and walks that. It is still an event of a ``transitions``
machine: the stock rows are there, the library's own ``MachineError`` is raised, and a product test over
states x events x guard values holds both equal in result, state and error. What the lean trigger would not
honour (callbacks of any sort, ``unless``) is refused when it is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

from transitions import Event, Machine, MachineError, State, Transition

from turnlock.errors import DeclarationError
from turnlock.machines.checks import validate
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


Trigger = Callable[[Any], bool]


class LeanEvent(Event):
    """An event whose trigger walks the rows of the current state and nothing else.

    Beside the stock rows it keeps ``{state: ((guards, dest), ...)}``. The values of the states are what a
    subject holds in ``state``; the guards are names of its attributes.
    """

    def __init__(self, name: str, machine: Machine) -> None:
        super().__init__(name, machine)
        self._lean: dict[Any, tuple[tuple[tuple[str, ...], Any], ...]] = {}

    def add_transition(self, transition: Transition) -> None:
        """Keep the row in both forms; refuse what the lean trigger would not honour."""
        guards = tuple(
            condition.func for condition in transition.conditions if isinstance(condition.func, str)
        )
        if transition.before or transition.after or transition.prepare:
            raise DeclarationError(
                self.machine.name, [f"{self.name} has a callback: the lean trigger runs none"]
            )
        if len(guards) < len(transition.conditions) or not all(c.target for c in transition.conditions):
            raise DeclarationError(
                self.machine.name, [f"a guard of {self.name} is no plain name of an attribute"]
            )
        if transition.dest is None:
            raise DeclarationError(
                self.machine.name, [f"{self.name} has no destination: name the same state"]
            )
        super().add_transition(transition)
        source = self.machine.get_state(transition.source).value
        row = (guards, self.machine.get_state(transition.dest).value)
        self._lean[source] = (*self._lean.get(source, ()), row)

    def trigger(self, model: Any, *_args: Any, **_kwargs: Any) -> bool:
        """Move the subject by the first row whose guards are all true.

        Returns:
            True when it moved (or a row that stays was taken), false when every row has a false guard.

        Raises:
            MachineError: No row of this event starts in the subject's state.
        """
        try:
            rows = self._lean[model.state]
        except KeyError:
            self._refuse(model)
        for guards, dest in rows:
            for guard in guards:
                if not getattr(model, guard):
                    break
            else:
                model.state = dest
                return True
        return False

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
        triggers: For each event the bound function that fires it on a subject.
        automatic: For each state the automatic events that leave it, in the order of the rows, with their
            triggers.
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
        for event in table.events:
            if (
                event.value not in self.events
            ):  # only in a mutant: an event without rows is refused everywhere
                self.events[event.value] = self._create_event(event.value, self)
        self.triggers = {event: self.events[event.value].trigger for event in table.events}
        self.automatic: Mapping[StrEnum, tuple[tuple[StrEnum, Trigger], ...]] = {
            state: tuple((event, self.triggers[event]) for event in events)
            for state, events in table.automatic_events().items()
        }
