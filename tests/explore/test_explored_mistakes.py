"""The exploration can fail: dropped guards, missing rows, mistakes, a world that stands still."""

from __future__ import annotations

import pytest

from support.mistakes import MISTAKES, make
from support.replay import replay
from turnlock.engine import (
    inputs,
)
from turnlock.explore import (
    GUARDS,
    Violation,
    World,
    explore,
    plain,
    small_worlds,
    survey,
    without_guard,
)
from turnlock.explore.outside import Outside

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
        found = next(
            found
            for depth in (4, 7, 10, None)  # most mistakes show soon, in one world or another
            for world in WORLDS
            if (found := explore(world, depth=depth).violation) is not None
        )
        assert replay(world_of(found), found.inputs) == found.text
    assert replay(world_of(found), found.inputs) == ""


def test_what_never_comes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress: where nothing comes by itself any more, no turn is under way and no message waits."""
    coming = Outside.coming

    def without(kind: type) -> None:
        monkeypatch.setattr(
            Outside, "coming", lambda outside: [m for m in coming(outside) if not isinstance(m, kind)]
        )

    without(inputs.Started)
    found = explore(plain(1, 1)).violation
    assert found is not None
    assert found.text == "turn 1 waits for something that never comes"
    assert found.moves[-1] == "the response to request 1 comes to its end"
    without(inputs.GoOn)
    found = explore(plain(1, 2)).violation
    assert found is not None
    assert found.text == "U2 is never delivered nor returned"
