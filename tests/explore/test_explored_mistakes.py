"""The exploration can fail: dropped guards, missing rows, mistakes in the engine, commands that lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from attrs import evolve

from support.mistakes import MISTAKES, make
from support.replay import replay
from turnlock.engine import Engine, Input, Item, commands
from turnlock.engine.commands import Command
from turnlock.explore import (
    GUARDS,
    Machines,
    Violation,
    World,
    explore,
    plain,
    small_worlds,
    survey,
    without_guard,
)
from turnlock.explore.facts import Facts, Wrong
from turnlock.explore.oracles import observe
from turnlock.explore.outside import Outside
from turnlock.explore.script import Script
from turnlock.machines import INVOCATION, TURN, TableMachine

WORLDS = [*small_worlds(), plain(2, 1)]
SHORTEST = {
    "may_start": ("the host sends U1", "the model completes call a (request 1)"),
    "all_terminal": (
        "the host sends U1",
        "the model completes call a (request 1)",
        "the response to request 1 comes to its end",
    ),
    "wants_turn": ("the host interrupts",),
    "more_to_say": ("the host sends U1", "the response to request 1 does not come to its end: refused"),
    "nothing_to_say": ("the host sends U1", "the response to request 1 does not come to its end: lost"),
    "may_send": ("the host sends U1", "the response to request 1 does not come to its end: lost"),
}


def world_of(violation: Violation) -> World:
    return next(world for world in WORLDS if world.name == violation.world)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_dropped_guard_is_found_by_a_shortest_way(guard: str) -> None:
    """Every guard matters, and its counterexample is the guard's alone: the sound tables do not have it."""
    machines = without_guard(guard)
    found = survey(WORLDS, machines=machines).violations[0]
    assert found.moves == SHORTEST[guard]
    world = world_of(found)
    assert replay(world, found.inputs, machines) == found.text
    assert replay(world, found.inputs) == ""
    assert replay(world, found.inputs[:-1], machines) == ""


def test_guards_are_known_by_name() -> None:
    """All guards of both tables, and no others."""
    assert set(GUARDS) == set(SHORTEST)
    with pytest.raises(ValueError, match="there is no guard 'may_fly'; there are: may_start, all_terminal"):
        without_guard("may_fly")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_engine_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong method is enough, in one world at least; and the right engine has nothing of it."""
    with monkeypatch.context() as patch:
        make(name, patch)
        found = next(found for world in WORLDS if (found := explore(world).violation) is not None)
        assert replay(world_of(found), found.inputs) == found.text
    assert replay(world_of(found), found.inputs) == ""


@pytest.mark.parametrize("number", range(len(TURN.rows)))
def test_every_row_of_the_turn_is_needed(number: int) -> None:
    """Without one row of the table of the turn, what must be possible is refused, or nothing goes on."""
    rows = (*TURN.rows[:number], *TURN.rows[number + 1 :])
    machine = TableMachine(evolve(TURN, rows=rows), check=False)
    assert survey(WORLDS, machines=Machines(turn=machine)).violations, TURN.rows[number]


@pytest.mark.parametrize("number", range(len(INVOCATION.rows)))
def test_every_row_of_a_call_is_needed(number: int) -> None:
    """The same for the table of one call."""
    rows = (*INVOCATION.rows[:number], *INVOCATION.rows[number + 1 :])
    machine = TableMachine(evolve(INVOCATION, rows=rows), check=False)
    assert survey(WORLDS, machines=Machines(invocation=machine)).violations, INVOCATION.rows[number]


# ── engines that do not tell everything ─────────────────────────────────────────────────────────────────


def some_way(world: World, choice: int) -> Iterator[tuple[Facts, Input, Sequence[Command], Sequence[Item]]]:
    """One way through a world: before each step what is known, then the move, and what the engine says."""
    outside, engine, facts = Outside.of(Script(world)), Engine(world.limits), Facts(world.limits)
    for step in range(30):
        moves = [*outside.may(), *outside.coming()]
        if not moves:
            return
        move = moves[(choice + step) % len(moves)]
        said = engine.receive(move)
        items = engine.transcript.items
        yield facts.copy(), move, said, items
        observe(facts, move, said, items)
        outside.after(move, said)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_nothing_can_be_left_out_or_said_twice(world: World) -> None:
    """Every command of every step of some ways: without it, or with it twice, something is wrong."""
    for choice in range(8):
        for facts, move, said, items in some_way(world, choice):
            for place, command in enumerate(said):
                for lie in (
                    [*said[:place], *said[place + 1 :]],
                    [*said[: place + 1], command, *said[place + 1 :]],
                ):
                    with pytest.raises(Wrong):
                        observe(facts.copy(), move, lie, items)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_an_item_cannot_be_lost_added_or_moved(world: World) -> None:
    """Every item of the transcript in every step of some ways."""
    for choice in range(8):
        for facts, move, said, items in some_way(world, choice):
            for place in range(len(items)):
                lost = [*items[:place], *items[place + 1 :]]
                added = [*items[:place], items[0], *items[place:]]
                moved = [items[place], *lost]
                for lie in (lost, added, *([moved] if place else [])):
                    with pytest.raises(Wrong):
                        observe(facts.copy(), move, said, lie)


def test_a_turn_ends_behind_its_calls() -> None:
    """R13: every CallEnded stands before its TurnEnded."""
    for facts, move, said, items in some_way(WORLDS[-1], 4):
        ends = [command for command in said if isinstance(command, commands.TurnEnded)]
        if ends and any(isinstance(command, commands.CallEnded) for command in said):
            with pytest.raises(Wrong, match="ended while calls are open"):
                observe(facts, move, [*ends, *(command for command in said if command not in ends)], items)
            return
    pytest.fail("this way ends no turn together with a call: choose another")
