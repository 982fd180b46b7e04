"""State diagrams in mermaid, as GitHub shows them.

It owns mermaid's traps, all of them seen: a second loop on a state replaces the first, and a loop lies over
other labels (so there is none); ``;`` and ``#`` end a label; a hyphen ends an id; ids are global, so each
carries the name of its table; a title block is refused; a note on one line takes no colon; wide labels lie
over their neighbours. What is written here is drawn alike by mermaid 10 and 11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

from turnlock.diagrams.form import LEGEND, Edge, Form, Move, Picture, State

_INDENT = "    "
_BREAK = "<br/>"
_NOTE_WIDTH = 26  # characters: mermaid 11 breaks the lines of a note at about 200 pixels
_SPECIAL = re.compile(r"""[#;:&<%$"*\\]|\b_+|_+\b""")


def escape(text: str) -> str:
    """The text as mermaid shows it literally: one line, what it could take for its own is an entity."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return _SPECIAL.sub(lambda found: "".join(f"#{ord(char)};" for char in found[0]), line)


def identifier(*names: str) -> str:
    """An id of letters, digits and underscores; any other character keeps its code in it."""
    return re.sub(r"[^A-Za-z0-9_]", lambda found: f"_{ord(found[0]):x}_", "_".join(names))


def render(picture: Picture) -> str:
    """One table as a state diagram, or several as composite states with what couples them."""
    lines = ["stateDiagram-v2"]
    if len(picture.forms) == 1:
        form = picture.forms[0]
        lines += _indented(_form(form))
        initial = next(state for state in form.states if state.initial)
        lines += _indented(_note(identifier(form.name, initial.name), LEGEND))
        return _text(lines)
    for form in picture.forms:
        lines += _indented([f'state "{escape(form.name)}" as {identifier(form.name)} {{'])
        lines += _indented(_form(form), 2)
        lines += _indented(["}"])
    for form in picture.forms:
        readings = [coupling.sentence for coupling in picture.readings(form)]
        if readings:
            lines += _indented(_note(identifier(form.name), readings))
    lines += _indented(_note(identifier(picture.forms[-1].name), LEGEND))
    return _text(lines)


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _indented(lines: Iterable[str], depth: int = 1) -> Iterator[str]:
    return (_INDENT * depth + line for line in lines)


def _form(form: Form) -> Iterator[str]:
    for state in form.states:
        yield from _state(form, state)
    for state in form.states:
        if state.initial:
            yield f"[*] --> {identifier(form.name, state.name)}"
    place = {state.name: index for index, state in enumerate(form.states)}
    # Short arrows first: mermaid then keeps neighbours together, and labels off each other.
    for edge in sorted(form.edges, key=lambda edge: abs(place[edge.dest] - place[edge.source])):
        yield _arrow(form, edge)
    for state in form.states:
        if state.final:
            yield f"{identifier(form.name, state.name)} --> [*]"


def _state(form: Form, state: State) -> Iterator[str]:
    name = identifier(form.name, state.name)
    yield f'state "{escape(state.name)}" as {name}'
    stays = form.staying(state)
    if stays:
        yield f"{name} : {escape(stays)}"


def _arrow(form: Form, edge: Edge) -> str:
    plain = ", ".join(escape(move.title) for move in edge.moves if not move.guards)
    guarded = [_guarded(move) for move in edge.moves if move.guards]
    label = _BREAK.join([plain, *guarded] if plain else guarded)
    return f"{identifier(form.name, edge.source)} --> {identifier(form.name, edge.dest)} : {label}"


def _guarded(move: Move) -> str:
    """One guard a line, to keep the label narrow."""
    return f"{escape(move.title)}{_BREAK}[{f',{_BREAK}'.join(map(escape, move.guards))}]"


def _note(about: str, sentences: Iterable[str]) -> Iterator[str]:
    lines = [line for says in sentences for line in wrap(says, _NOTE_WIDTH, break_long_words=False)]
    yield f"note right of {about}"
    yield from _indented([_BREAK.join(map(escape, lines))])
    yield "end note"
