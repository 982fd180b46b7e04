"""State diagrams in graphviz dot, for whoever draws with it.

It owns dot's syntax only: automatic rows are dashed, final states have a double line, what moves nothing
stands inside its state, several tables are clusters, and a dotted line leads from a guard's note to the
table that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from turnlock.diagrams.form import LEGEND, Coupling, Edge, Form, Picture, State

_INDENT = "    "
_HEAD = (
    'graph [fontname="Helvetica", labelloc="b", compound=true, nodesep=0.5]',
    'node [fontname="Helvetica", shape=box, style=rounded]',
    'edge [fontname="Helvetica", fontsize=11]',
)


def render(picture: Picture) -> str:
    """One table as a digraph, or several as clusters with what couples them."""
    lines = [*_HEAD, f"label={_quote(*LEGEND)}"]
    if len(picture.forms) == 1:
        lines += _form(picture.forms[0])
    else:
        for form in picture.forms:
            head = f"label={_quote(form.name)}; labelloc=t"
            body = (head, *_form(form), *map(_note, picture.readings(form)))
            lines += [f"subgraph {_quote(_cluster(form.name))} {{", *(_INDENT + line for line in body), "}"]
        for coupling in picture.couplings:
            read = next(form for form in picture.forms if form.name == coupling.read)
            lines.append(_coupling(coupling, read))
    return "\n".join(["digraph turnlock {", *(_INDENT + line for line in lines), "}"]) + "\n"


def _quote(*lines: str) -> str:
    """A quoted string, one text a line. Backslashes and entities mean something to dot, also in quotes."""
    safe = (
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        for line in lines
    )
    return '"' + "\\n".join(safe) + '"'


def _cluster(name: str) -> str:
    return f"cluster_{name}"  # the prefix that makes dot draw a box


def _node(form: Form, name: str) -> str:
    return _quote(f"{form.name}.{name}")


def _form(form: Form) -> Iterator[str]:
    for state in form.states:
        yield from _state(form, state)
    for edge in form.edges:
        yield from _edge(form, edge)


def _state(form: Form, state: State) -> Iterator[str]:
    shape = ", shape=doublecircle" if state.final else ""
    node = _node(form, state.name)
    lines = [line for line in (state.name, form.staying(state)) if line]
    yield f"{node} [label={_quote(*lines)}{shape}]"
    if state.initial:
        start = _node(form, "")
        yield f'{start} [label="", shape=point, width=0.15]'
        yield f"{start} -> {node}"


def _edge(form: Form, edge: Edge) -> Iterator[str]:
    """One line for what inputs fire, and a dashed one for what is tried automatically."""
    for automatic, style in ((False, ""), (True, ", style=dashed")):
        moves = [move for move in edge.moves if move.automatic is automatic]
        if moves:
            label = _quote(*(text for move in moves for text in (move.title, move.condition) if text))
            yield f"{_node(form, edge.source)} -> {_node(form, edge.dest)} [label={label}{style}]"


def _note(coupling: Coupling) -> str:
    label = _quote(*coupling.sentence.split(": "))
    return f"{_quote(coupling.guard)} [label={label}, shape=note, style=solid, fontsize=11]"


def _coupling(coupling: Coupling, read: Form) -> str:
    initial = next(state for state in read.states if state.initial)
    where = f"lhead={_quote(_cluster(read.name))}"
    return (
        f"{_quote(coupling.guard)} -> {_node(read, initial.name)} [{where}, style=dotted, constraint=false]"
    )
