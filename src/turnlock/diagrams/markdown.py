"""Tables in Markdown: the rows, and the matrix of events and states.

The matrix is the picture that shows what is refused: every blank cell is an event that raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from turnlock.diagrams.form import AUTOMATIC, LEGEND, Form, Move, Picture, State


def render(picture: Picture) -> str:
    """The rows and the matrix of each table, and how the tables are coupled."""
    lines = [" ".join(LEGEND[:-1]), "A blank cell: the event is refused in this state."]
    lines += (f"`{coupling.guard}` {coupling.says}." for coupling in picture.couplings)
    for form in picture.forms:
        lines += ["", f"**{form.name}: rows**", "", *_rows(form)]
        lines += ["", f"**{form.name}: events and states**", "", *_matrix(form)]
    return "\n".join(lines) + "\n"


def _rows(form: Form) -> Iterator[str]:
    yield from _table(
        ("from", "event", "to", "guards"),
        (
            (_code(move.source), _title(move), _code(move.dest), ", ".join(map(_code, move.guards)))
            for move in form.moves
        ),
    )


def _matrix(form: Form) -> Iterator[str]:
    """Events down, states across: there are more events than states."""
    moves: dict[tuple[str, str], list[str]] = {}
    titles = {event: _code(event) for event in form.events}
    for move in form.moves:
        moves.setdefault((move.event, move.source), []).append(_cell(move))
        titles[move.event] = _title(move)
    yield from _table(
        ("", *map(_heading, form.states)),
        (
            (titles[event], *("<br>".join(moves.get((event, state.name), ())) for state in form.states))
            for event in form.events
        ),
    )


def _cell(move: Move) -> str:
    where = "stays" if move.stays else _code(move.dest)
    return " ".join([where, *(f"[{_code(guard)}]" for guard in move.guards)])


def _heading(state: State) -> str:
    marks = [mark for mark, holds in (("initial", state.initial), ("final", state.final)) if holds]
    return _code(state.name) + (f" ({', '.join(marks)})" if marks else "")


def _title(move: Move) -> str:
    return f"{AUTOMATIC} {_code(move.event)}" if move.automatic else _code(move.event)


def _code(name: str) -> str:
    """A name as code. A pipe would end the cell."""
    return f"`{name}`".replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
