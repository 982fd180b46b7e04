"""What is wrong with a declaration is found before a machine is made of it."""

from __future__ import annotations

from enum import StrEnum

import pytest
from attrs import evolve

from turnlock.errors import DeclarationError
from turnlock.machines import (
    INVOCATION,
    TURN,
    Row,
    Table,
    TableMachine,
    automatic,
    find_problems,
    fired,
    validate,
)


class Door(StrEnum):
    SHUT = "shut"
    OPEN = "open"
    GONE = "gone"


class Push(StrEnum):
    SWING = "swing"
    CLOSE = "close"
    BREAK = "break"


class Air(StrEnum):
    LIGHT = "light"
    WIND = "wind"


class Other(StrEnum):
    STRANGE = "strange"


SWING = automatic(Door.SHUT, Push.SWING, Door.OPEN, Air.LIGHT, Air.WIND)
CLOSE = fired(Door.OPEN, Push.CLOSE, Door.SHUT)
BREAK = fired(Door.OPEN, Push.BREAK, Door.GONE)


def door(*rows: Row, initial: StrEnum = Door.SHUT, final: tuple[StrEnum, ...] = (Door.GONE,)) -> Table:
    return Table("door", Door, Push, Air, initial, frozenset(final), rows)


def test_sound_table_has_no_problems() -> None:
    """The table that every case below breaks in one place is sound itself."""
    assert find_problems(door(SWING, CLOSE, BREAK)) == []


@pytest.mark.parametrize("table", [INVOCATION, TURN], ids=lambda table: table.name)
def test_shipped_tables_are_sound(table: Table) -> None:
    """What runs has passed every check."""
    validate(table)
    assert find_problems(table) == []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        pytest.param(
            door(SWING, CLOSE, fired(Door.OPEN, Push.BREAK, Door.SHUT)),
            "the state gone is unreachable from shut",
            id="unreachable",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, final=()),
            "the state gone is a dead end: it is not final, and no row leaves it",
            id="dead end",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Door.GONE, Push.BREAK, Door.GONE), final=()),
            "the state gone is a dead end: it is not final, and no row leaves it",
            id="a loop is no way out",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, CLOSE),
            "open -close-> shut can never be chosen: open -close-> shut stands before it",
            id="duplicate",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Door.OPEN, Push.CLOSE, Door.OPEN)),
            "open -close-> open can never be chosen: open -close-> shut stands before it",
            id="two destinations of one event",
        ),
        pytest.param(
            door(automatic(Door.SHUT, Push.SWING, Door.GONE, Air.WIND), SWING, CLOSE, BREAK),
            "shut -swing [light, wind]-> open can never be chosen: "
            "shut -swing [wind]-> gone stands before it",
            id="shadowed",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Other.STRANGE, Push.CLOSE, Door.SHUT)),
            f"strange -close-> shut names an unknown state: {Other.STRANGE!r}",
            id="unknown source",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Door.OPEN, Other.STRANGE, Door.SHUT)),
            f"open -strange-> shut names an unknown event: {Other.STRANGE!r}",
            id="unknown event",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, automatic(Door.OPEN, Push.SWING, Door.SHUT, Other.STRANGE)),
            f"open -swing [strange]-> shut names an unknown guard: {Other.STRANGE!r}",
            id="unknown guard",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, final=(Door.GONE, Other.STRANGE)),
            f"{Other.STRANGE!r} is initial or final, and no state of the table",
            id="unknown final state",
        ),
        pytest.param(
            door(SWING, fired(Door.OPEN, Push.CLOSE, Door.GONE)),
            "no row uses the event break",
            id="unused event",
        ),
        pytest.param(
            door(automatic(Door.SHUT, Push.SWING, Door.OPEN, Air.WIND), CLOSE, BREAK),
            "no row uses the guard light",
            id="unused guard",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Door.GONE, Push.CLOSE, Door.SHUT)),
            "gone -close-> shut leaves a final state",
            id="exit from a final state",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, fired(Door.GONE, Push.CLOSE, Door.GONE)),
            "gone -close-> gone leaves a final state",
            id="loop on a final state",
        ),
        pytest.param(
            door(SWING, CLOSE, Row(Door.OPEN, Push.BREAK, Door.GONE, (Air.WIND,))),
            "open -break [wind]-> gone is fired by an input and guarded: "
            "a false guard would refuse it silently",
            id="guard on a fired row",
        ),
        pytest.param(
            door(SWING, CLOSE, automatic(Door.OPEN, Push.BREAK, Door.GONE)),
            "open -break-> gone is automatic and has no guard: it would fire at once",
            id="automatic row without guard",
        ),
        pytest.param(
            door(SWING, CLOSE, BREAK, automatic(Door.SHUT, Push.BREAK, Door.GONE, Air.WIND)),
            "the event break is automatic in one row and fired by an input in another",
            id="event of both kinds",
        ),
    ],
)
def test_one_mistake_is_one_problem(table: Table, problem: str) -> None:
    """Each kind of mistake is found, alone, in a sentence that names the place."""
    assert find_problems(table) == [problem]


def test_unknown_initial_state_is_a_problem() -> None:
    """A table that starts nowhere reaches nothing, and says both."""
    problems = find_problems(door(SWING, CLOSE, BREAK, initial=Other.STRANGE))
    assert problems[0] == f"{Other.STRANGE!r} is initial or final, and no state of the table"
    assert problems[1:] == [f"the state {state} is unreachable from strange" for state in Door]


def test_alternatives_are_no_mistake() -> None:
    """A row with fewer guards behind one with more is the otherwise, not a shadow."""
    otherwise = automatic(Door.SHUT, Push.SWING, Door.GONE, Air.WIND)
    assert find_problems(door(SWING, otherwise, CLOSE, BREAK)) == []


def test_error_lists_every_problem() -> None:
    """Whoever repairs a table sees all that is wrong with it at once."""
    broken = evolve(door(SWING, CLOSE, CLOSE), final=frozenset())
    problems = find_problems(broken)
    assert len(problems) == 4
    with pytest.raises(DeclarationError) as caught:
        TableMachine(broken)
    assert (caught.value.table, caught.value.problems) == ("door", tuple(problems))
    assert str(caught.value) == f"the door table is not valid: {'; '.join(problems)}"
