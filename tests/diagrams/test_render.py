"""Pictures of tables: every row is in every format, and nothing in them can break the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from turnlock.diagrams import Form, Format, Picture, Subject, files, render
from turnlock.diagrams.registry import RENDERERS
from turnlock.machines import INVOCATION, TURN, Row, Table, TurnGuard, TurnState, automatic, fired

DRAW = {format_.value: renderer.draw for format_, renderer in RENDERERS.items()}
every_format = pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW.keys())


def mermaid(*tables: Table) -> str:
    return DRAW["mermaid"](Picture.of(*tables))


def plain(text: str) -> str:
    """Rendered text as a reader sees it: entities, quotes and line breaks resolved."""
    text = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text.replace("<br/>", " "))
    return text.replace("\\n", " ").replace('\\"', '"').replace("\\|", "|").replace("`", "")


def members(kind: str, names: Sequence[str]) -> type[StrEnum]:
    return StrEnum(kind, [(f"{kind}{index}", name) for index, name in enumerate(names)])  # type: ignore[return-value]  # the functional form is typed as an instance


names = st.text(alphabet='ab_-;:|"#*<% ', min_size=1, max_size=6).filter(lambda name: name == name.strip())


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Small tables of any shape, also unsound ones: a mutant is drawn as it is."""

    def some(kind: str) -> type[StrEnum]:
        return members(kind, draw(st.lists(names, min_size=1, max_size=4, unique=True)))

    states, events, guards = some("S"), some("E"), some("G")
    state, event = st.sampled_from(list(states)), st.sampled_from(list(events))
    rows = st.one_of(
        st.builds(fired, state, event, state),
        st.builds(
            lambda source, what, dest, needs: automatic(source, what, dest, *needs),
            state,
            event,
            state,
            st.lists(st.sampled_from(list(guards)), max_size=3, unique=True),
        ),
    )
    return Table(
        name=draw(st.sampled_from(["turn", "x-y", "a;b"])),
        states=states,
        events=events,
        guards=guards,
        initial=draw(state),
        final=draw(st.frozensets(state, max_size=2)),
        rows=tuple(draw(st.lists(rows, max_size=8))),
    )


@given(tables())
def test_every_row_is_in_every_format(table: Table) -> None:
    """Whatever a table declares can be read in each of its pictures."""
    for text in (plain(draw(Picture.of(table))) for draw in DRAW.values()):
        for state in table.states:
            assert state.value in text
        for row in table.rows:
            assert {row.source.value in text, row.event.value in text, row.dest.value in text} == {True}
            assert all(guard.value in text for guard in row.guards)


@given(tables())
def test_mermaid_says_every_row_once_and_in_its_place(table: Table) -> None:
    """Each row stands on the arrow between its states, or in the box of the state that it does not leave."""
    text = mermaid(table)
    boxes = dict(re.findall(r'^ +state "(.*)" as (\w+)$', text, re.MULTILINE))
    assert set(map(plain, boxes)) == {state.value for state in table.states}
    ids = {plain(label): name for label, name in boxes.items()}
    arrows = {
        (source, dest): plain(label)
        for source, dest, label in re.findall(r"^ +(\w+) --> (\w+) : (.*)$", text, re.MULTILINE)
    }
    stays = {
        name: plain(label) for name, label in re.findall(r"^ +(\w+) : stays on (.*)$", text, re.MULTILINE)
    }
    for row in table.rows:
        source, dest = ids[row.source.value], ids[row.dest.value]
        label = stays[source] if source == dest else arrows[source, dest]
        mark = "▸ " if row.automatic else ""
        assert f"{mark}{row.event.value}" in label
        if row.guards:
            assert f"[{', '.join(guard.value for guard in row.guards)}]" in label
    assert set(arrows) == {
        (ids[row.source.value], ids[row.dest.value]) for row in table.rows if row.source != row.dest
    }


@given(tables(), tables())
def test_mermaid_avoids_its_traps(left: Table, right: Table) -> None:
    """No loop on a state, no raw semicolon, hash or quote in a label, plain ids, nothing said twice."""
    for text in (mermaid(left), mermaid(evolve(left, name="l"), evolve(right, name="r"))):
        lines = text.splitlines()
        assert lines[0] == "stateDiagram-v2"
        bare = [re.sub(r"#\d+;", "", line) for line in lines]
        assert not [line for line in bare if ";" in line or "#" in line]
        assert not [line for line in bare if line.count('"') not in (0, 2)]
        ids = re.findall(r'^ +state ".*" as (.*?)(?: \{)?$', text, re.MULTILINE)
        assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in ids)
        assert len(ids) == len(set(ids))
        arrows = [line.split(" : ")[0].strip().split(" --> ") for line in lines if " --> " in line]
        assert all(source != dest for source, dest in arrows)
        assert len(arrows) == len({tuple(ends) for ends in arrows})


@every_format
@pytest.mark.parametrize("table", [INVOCATION, TURN], ids=lambda table: table.name)
def test_picture_is_made_of_the_rows(draw: Callable[[Picture], str], table: Table) -> None:
    """Take a row away, drop one guard, or let an input fire what was automatic: each shows in each format."""
    now = draw(Picture.of(table))
    for index, row in enumerate(table.rows):
        changes: list[tuple[Row, ...]] = [(), (evolve(row, automatic=not row.automatic),)]
        changes += [(evolve(row, guards=row.guards[:-1]),)] if row.guards else []
        changes += [(evolve(row, dest=state),) for state in table.states if state != row.dest]
        for change in changes:
            rows = (*table.rows[:index], *change, *table.rows[index + 1 :])
            assert draw(Picture.of(evolve(table, rows=rows))) != now


@every_format
@pytest.mark.parametrize("change", ["initial", "final"])
def test_first_and_last_states_are_marked(draw: Callable[[Picture], str], change: str) -> None:
    """Where a subject starts, and which states nothing leaves, can be seen."""
    other = {
        "initial": evolve(TURN, initial=TurnState.SETTLING),
        "final": evolve(TURN, final=frozenset({TurnState.SETTLING})),
    }
    assert draw(Picture.of(other[change])) != draw(Picture.of(TURN))


@every_format
def test_rows_keep_out_of_each_other(draw: Callable[[Picture], str]) -> None:
    """Both tables in one picture are the two of them: no state of one is taken for a state of the other."""
    twin = evolve(TURN, name="twin")
    both = draw(Picture.of(TURN, twin))
    assert draw(Picture.of(TURN, evolve(twin, rows=twin.rows[1:]))) != both
    assert both.count("interrupting") >= 2 * draw(Picture.of(TURN)).count("interrupting")


def test_events_between_the_same_states_share_one_arrow() -> None:
    """The merge rule: what joins two states in one direction is one edge, in the order of the rows."""
    edges = {(edge.source, edge.dest): [move.event for move in edge.moves] for edge in Form.of(TURN).edges}
    assert edges["responding", "settling"] == ["respond", "fail"]
    assert edges["settling", "responding"] == ["dispatch"]
    assert ("idle", "idle") not in edges


def test_mermaid_draws_short_arrows_first() -> None:
    """The order decides the layout: in the order of the rows the labels of the turn lie on each other."""
    order = [state.value for state in TURN.states]
    arrows = re.findall(r"^ +turn_(\w+) --> turn_(\w+) : ", mermaid(TURN), re.MULTILINE)
    lengths = [abs(order.index(source) - order.index(dest)) for source, dest in arrows]
    assert lengths == sorted(lengths)


def test_dot_tells_automatic_rows_apart() -> None:
    """Automatic rows are dashed, also where an input leads to the same state; final states have two lines."""
    mixed = evolve(TURN, rows=(*TURN.rows, fired(TurnState.IDLE, TURN.events("wake"), TurnState.RESPONDING)))
    lines = DRAW["dot"](Picture.of(mixed)).splitlines()
    [begin] = [line for line in lines if "begin" in line]
    [wake] = [line for line in lines if 'label="wake' in line]
    assert "style=dashed" in begin
    assert "dashed" not in wake
    final = [line for line in DRAW["dot"](Picture.of(INVOCATION)).splitlines() if "doublecircle" in line]
    assert len(final) == len(INVOCATION.final)


def test_matrix_has_a_cell_for_every_event_in_every_state() -> None:
    """A blank cell is a refusal, ``stays`` moves nothing, and anything else names where it leads."""
    text = DRAW["markdown"](Picture.of(TURN))
    matrix = text[text.index("events and states") :].splitlines()[2:]
    head, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in matrix)
    assert [plain(cell).split()[0] for cell in head[1:]] == [state.value for state in TURN.states]
    for event, line in zip(TURN.events, lines, strict=True):
        for state, cell in zip(TURN.states, line[1:], strict=True):
            found = [row for row in TURN.rows if (row.source, row.event) == (state, event)]
            if not found:
                assert cell == ""
            else:
                [row] = found
                where = "stays" if row.dest is state else row.dest.value
                assert plain(cell) == " ".join([where, *(f"[{guard}]" for guard in row.guards)])


@every_format
def test_coupling_of_the_two_tables_is_shown(draw: Callable[[Picture], str]) -> None:
    """The picture of both says which guard reads the other table, as long as a row has that guard."""
    both = plain(draw(Picture.of(TURN, INVOCATION)))
    assert "all_terminal reads the invocations" in both
    assert "may_start reads the other calls" in both
    assert "reads the" not in draw(Picture.of(TURN))
    uncoupled = plain(draw(Picture.of(TURN.without_guard(TurnGuard.ALL_TERMINAL), INVOCATION)))
    assert "all_terminal" not in uncoupled
    assert "may_start reads the other calls" in uncoupled


@pytest.mark.parametrize("subject", list(Subject))
@pytest.mark.parametrize("format_", list(Format))
def test_one_function_draws_everything(subject: Subject, format_: Format) -> None:
    """A subject and a format give a text that ends with one line feed, the same every time."""
    text = render(subject, format_)
    assert text == render(subject.value, format_.value)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize(("subject", "format_"), [("session", "mermaid"), ("turn", "svg")])
def test_unknown_subject_or_format_fails(subject: str, format_: str) -> None:
    """A misspelt name is an error, never another picture."""
    with pytest.raises(ValueError, match=r"session|svg"):
        render(subject, format_)


def test_folder_has_every_picture() -> None:
    """Each subject in each format, and one recorded turn."""
    suffixes = {Format.MERMAID: "mmd", Format.DOT: "dot", Format.MARKDOWN: "md"}
    wanted = {
        f"{subject}.{suffixes[format_]}": render(subject, format_)
        for subject in Subject
        for format_ in Format
    }
    found = dict(files())
    assert found.pop("turn-recorded.mmd").startswith("sequenceDiagram\n")
    assert found == wanted
