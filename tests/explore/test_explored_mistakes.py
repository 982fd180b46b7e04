"""The exploration can fail: dropped guards, mistakes, a world that stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.mistakes import MISTAKES, make
from support.replay import replay
from turnlock.engine import Engine, StopReason, commands, engine as engine_module, inputs
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
from turnlock.machines import TurnState

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


def _asks_nobody(engine: Engine, said: inputs.Resumed) -> None:
    _resume(engine, said)
    engine._out[:] = [command for command in engine._out if not isinstance(command, commands.AskApproval)]


def _draws_no_line(engine: Engine, said: inputs.Resumed) -> None:
    line = engine.inbox.line
    _resume(engine, said)
    engine.inbox.line = line


def _backs_off_for_ever(engine: Engine, said: inputs.Resumed) -> None:
    waking = engine.turn.waking
    _resume(engine, said)
    engine.turn.waking = waking


def _calls_all_lost(engine: Engine, said: inputs.Resumed) -> None:
    for call in engine.registry.open.values():
        if call.approved:
            call.started_at = said.at
    _resume(engine, said)


def _goes_on_by_itself(engine: Engine, said: inputs.Resumed) -> None:
    _resume(engine, said)
    engine.turn.stop = None


def _forgets_the_interrupt(engine: Engine, said: inputs.Resumed) -> None:
    _resume(engine, said)
    if engine.turn.state is TurnState.INTERRUPTING:
        engine.turn.stop = StopReason.CRASHED


def _keeps_the_response(engine: Engine, said: inputs.Resumed) -> None:
    if engine.turn.request is None:
        _resume(engine, said)


_resume = Engine._on_resumed


@pytest.mark.parametrize(
    "wrong",
    [
        _asks_nobody,
        _draws_no_line,
        _backs_off_for_ever,
        _calls_all_lost,
        _goes_on_by_itself,
        _forgets_the_interrupt,
        _keeps_the_response,
    ],
)
def test_a_mistake_behind_a_crash_is_found(
    wrong: Callable[[Engine, inputs.Resumed], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24: whatever an engine leaves open, or begins by itself, shows in one of the two worlds of crashes."""
    monkeypatch.setitem(engine_module._HANDLERS, inputs.Resumed, wrong)
    worlds = [world for world in WORLDS if world.crashes]
    assert [world.name for world in worlds] == ["crash", "crashes"]
    assert any(explore(world).violation for world in worlds)


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
