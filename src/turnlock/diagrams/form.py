"""The neutral form that every renderer draws: plain names, and one merge rule.

It owns what a picture shows of a table. It knows no format, and holds no second copy of a row: everything
here is extracted from a ``Table`` each time that it is drawn.
"""

from __future__ import annotations

from attrs import frozen

from turnlock.machines import InvocationGuard, Table, TurnGuard

AUTOMATIC = "▸"
"""What stands before an automatic event, in every format."""

LEGEND = (
    f"{AUTOMATIC} is tried after every input, and taken once its guards are true.",
    "The other events are fired by an input.",
    "What is not shown is refused.",
)
"""How to read a picture, in every format."""


@frozen
class State:
    """A state as pictures show it."""

    name: str
    initial: bool
    final: bool


@frozen
class Move:
    """One row: a source, an event, a destination, what must be true, and who tries it."""

    source: str
    event: str
    dest: str
    guards: tuple[str, ...]
    automatic: bool

    @property
    def stays(self) -> bool:
        """It is legal, and moves nothing."""
        return self.source == self.dest

    @property
    def title(self) -> str:
        """The event, marked when it is automatic."""
        return f"{AUTOMATIC} {self.event}" if self.automatic else self.event

    @property
    def condition(self) -> str:
        """The guards in brackets; empty when there is none."""
        return f"[{', '.join(self.guards)}]" if self.guards else ""

    @property
    def text(self) -> str:
        """The whole of it on one line."""
        return f"{self.title} {self.condition}".rstrip()


@frozen
class Edge:
    """Everything that leads from one state to another."""

    source: str
    dest: str
    moves: tuple[Move, ...]


@frozen
class Form:
    """What a picture of one table shows.

    Attributes:
        name: The table's name.
        states: In the order in which the table declares them.
        events: In the order in which the table declares them.
        moves: One per row, in the order of the rows.
    """

    name: str
    states: tuple[State, ...]
    events: tuple[str, ...]
    moves: tuple[Move, ...]

    @classmethod
    def of(cls, table: Table) -> Form:
        """Extract the form of a table."""
        return cls(
            name=table.name,
            states=tuple(
                State(state.value, state == table.initial, state in table.final) for state in table.states
            ),
            events=tuple(event.value for event in table.events),
            moves=tuple(
                Move(
                    row.source.value,
                    row.event.value,
                    row.dest.value,
                    tuple(guard.value for guard in row.guards),
                    row.automatic,
                )
                for row in table.rows
            ),
        )

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The moves that lead somewhere, merged: one edge for all that join two states in one direction."""
        merged: dict[tuple[str, str], list[Move]] = {}
        for move in self.moves:
            if not move.stays:
                merged.setdefault((move.source, move.dest), []).append(move)
        return tuple(Edge(source, dest, tuple(moves)) for (source, dest), moves in merged.items())

    def staying(self, state: State) -> str:
        """What is legal in a state and moves nothing, as one line to stand in its box; or nothing.

        No loops: renderers lay them over other labels, and mermaid shows only the last one of a state.
        """
        texts = [move.text for move in self.moves if move.stays and move.source == state.name]
        return f"stays on {', '.join(texts)}" if texts else ""


@frozen
class Coupling:
    """A guard of one table that asks about the subjects of the other.

    Attributes:
        reader: The name of the table whose guard it is.
        guard: The guard.
        read: The name of the table that it asks about.
        says: What it asks: the rest of a sentence that begins with the guard.
    """

    reader: str
    guard: str
    read: str
    says: str

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.guard} {self.says}."


# Guards are names in the tables: what they read is said by the engine's objects, and in a few words here.
_COUPLINGS = (
    Coupling("turn", TurnGuard.ALL_TERMINAL, "invocation", "reads the invocations: none is open"),
    Coupling(
        "invocation",
        InvocationGuard.MAY_START,
        "turn",
        "reads the other calls: approved, a slot is free, no exclusive call is in the way",
    ),
)


@frozen
class Picture:
    """One table, or several with what couples them."""

    forms: tuple[Form, ...]
    couplings: tuple[Coupling, ...]

    @classmethod
    def of(cls, *tables: Table) -> Picture:
        """The picture of these tables, side by side."""
        forms = tuple(map(Form.of, tables))
        used = {(form.name, guard) for form in forms for move in form.moves for guard in move.guards}
        names = {form.name for form in forms}
        couplings = tuple(
            coupling
            for coupling in _COUPLINGS
            if (coupling.reader, coupling.guard) in used and coupling.read in names
        )
        return cls(forms, couplings)

    def readings(self, form: Form) -> tuple[Coupling, ...]:
        """The couplings by which this table reads another."""
        return tuple(coupling for coupling in self.couplings if coupling.reader == form.name)
