"""Tables with one row wrong: behaviour alone gives them away. ``tox -e mutants`` hunts all of them."""

from __future__ import annotations

from collections import Counter

import pytest

from support.replay import replay
from turnlock.errors import DeclarationError
from turnlock.explore import Change, Mutant, hunt, row_mutants
from turnlock.explore.mutants.hunt import SURVIVORS, hunting_grounds
from turnlock.machines import INVOCATION, TURN, Row, validate

MUTANTS = row_mutants()
SAMPLE = [mutant for mutant in MUTANTS if mutant.name not in SURVIVORS][::2]
WORLDS = {world.name: world for world in hunting_grounds()[1:]}


@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: mutant.name)
def test_a_wrong_row_is_found(mutant: Mutant) -> None:
    """A fixed sample: something is wrong in one of the worlds, by a way on which the sound tables go well."""
    found = hunt(mutant)
    assert found.violation is not None
    assert found.as_told
    assert replay(WORLDS[found.violation.world], found.violation.inputs[:-1]) == ""


def test_every_row_is_got_wrong_in_every_way() -> None:
    """Made from the rows: each is deleted, loses each guard, and leads to each other state."""
    rows = (*INVOCATION.rows, *TURN.rows)
    count = Counter(mutant.change for mutant in MUTANTS)
    assert count[Change.DELETE] == len(rows)
    assert count[Change.UNGUARD] == sum(len(row.guards) for row in rows)
    others = len(INVOCATION.rows) * (len(INVOCATION.states) - 1) + len(TURN.rows) * (len(TURN.states) - 1)
    assert count[Change.RETARGET] == others
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) == sum(count.values())


def test_a_row_gets_every_source_in_which_its_event_is_unknown() -> None:
    """Where it is known, the new row would never be chosen, or it is another row that leads elsewhere."""
    made = {
        (str(mutant.row.event), str(mutant.what)) for mutant in MUTANTS if mutant.change is Change.ADD_SOURCE
    }
    known = {(row.event, row.source) for table in (INVOCATION, TURN) for row in table.rows}
    every = {
        (event, state) for table in (INVOCATION, TURN) for event in table.events for state in table.states
    }
    assert made == {(str(event), str(state)) for event, state in every - known}


def test_a_mutant_differs_in_one_row() -> None:
    """All others stand as they are, in their order."""
    for mutant in MUTANTS:
        sound = INVOCATION if mutant.table.name == INVOCATION.name else TURN
        wrong: list[Row] = [row for row in mutant.table.rows if row not in sound.rows]
        assert [row for row in mutant.table.rows if row in sound.rows] == [
            row for row in sound.rows if row in mutant.table.rows
        ]
        assert len(wrong) == (mutant.change is not Change.DELETE)


def test_survivors_are_mutants_that_pass_for_a_reason() -> None:
    """Each is one that is made today, and at most 15 of 100 survive."""
    assert set(SURVIVORS) <= {mutant.name for mutant in MUTANTS}
    assert len(SURVIVORS) <= 0.15 * len(MUTANTS)
    assert all(len(reason) > 40 for reason in SURVIVORS.values())


def test_a_survivor_survives() -> None:
    """One of them, in some of the worlds; as told, because the reason is known."""
    name = "turn: settling -wake-> settling: add a source idle"
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    found = hunt(mutant, [WORLDS["failures"], WORLDS["crashes"]])
    assert found.violation is None
    assert found.as_told
    assert "a backoff runs in settling alone" in found.reason


def test_what_dies_against_its_reason_or_survives_without_one_is_told() -> None:
    """A reason must be true, and a survivor must have one."""
    unexplained = hunt(SAMPLE[-1], [WORLDS["ids"]])
    assert unexplained.violation is None
    assert unexplained.reason == ""
    assert not unexplained.as_told


def test_the_checks_of_a_declaration_are_passed_by() -> None:
    """Some of these tables would never become a machine: nothing but behaviour is to judge them."""
    refused = 0
    for mutant in MUTANTS:
        mutant.machines()
        try:
            validate(mutant.table)
        except DeclarationError:
            refused += 1
    assert refused > 20
