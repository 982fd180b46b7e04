"""Commands that lie: whatever an engine leaves out, says twice or says wrongly is found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import pytest
from attrs import evolve, fields

from turnlock.engine import (
    Call,
    Cause,
    Engine,
    Fate,
    Input,
    Invocation,
    Item,
    Letter,
    Limits,
    Message,
    Mode,
    OnInterrupt,
    StopReason,
    commands,
    inputs,
)
from turnlock.engine.commands import Command
from turnlock.explore import World, plain, small_worlds
from turnlock.explore.facts import Facts, Wrong
from turnlock.explore.oracles import observe
from turnlock.explore.outside import Outside
from turnlock.explore.worlds.script import Script
from turnlock.machines import InvocationState

WORLDS = [*small_worlds(), plain(2, 1)]


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


def wrong_fields(command: Any) -> Iterator[Command]:
    """The same command with one field that is not right."""
    for attribute in fields(type(command)):
        value = getattr(command, attribute.name)
        match value:
            case int():
                yield evolve(command, **{attribute.name: value + 1})
            case StrEnum():
                other = next(member for member in type(value) if member is not value)
                yield evolve(command, **{attribute.name: other})
            case str() if not isinstance(command, commands.SetAside):  # there it is words for people
                yield evolve(command, **{attribute.name: value + "?"})
            case Letter() if isinstance(command, (commands.Delivered, commands.Returned)):
                yield from (evolve(command, letter=wrong) for wrong in wrong_receipts(value))
            case Invocation() if isinstance(command, commands.CallEnded):
                yield from (evolve(command, invocation=wrong) for wrong in wrong_ends(value))


def wrong_receipts(letter: Letter) -> Iterator[Letter]:
    changes: dict[str, Any] = {"fate": Fate.HELD}
    changes |= {"request": 99, "index": 99} if letter.fate is Fate.DELIVERED else {"reason": "?"}
    for name, value in changes.items():
        twin = letter.twin()
        setattr(twin, name, value)
        yield twin


def wrong_ends(call: Invocation) -> Iterator[Invocation]:
    outcome = call.outcome
    assert outcome is not None
    changes: list[tuple[str, Any]] = [
        ("state", InvocationState.RUNNING),
        ("outcome", None),
        ("outcome", evolve(outcome, cause=Cause.LOST)),
        ("outcome", evolve(outcome, output="?" if outcome.ok else "", partial="?")),
    ]
    for name, value in changes:
        twin = call.twin(call.registry)
        setattr(twin, name, value)
        yield twin


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_nothing_can_be_told_wrongly(world: World) -> None:
    """Every number, reason, fate and outcome in every command of some ways."""
    for choice in range(8):
        for facts, move, said, items in some_way(world, choice):
            for place, command in enumerate(said):
                for lie in wrong_fields(command):
                    with pytest.raises(Wrong):
                        observe(facts.copy(), move, [*said[:place], lie, *said[place + 1 :]], items)


def at_work() -> tuple[Facts, Engine]:
    """Call 1 runs, and the model still answers."""
    engine, facts = Engine(), Facts(Limits())
    for given in (
        inputs.Send(0, Message("U1", "U1")),
        inputs.ItemCompleted(0, 1, Call(1, "a", "a", "{}", 1)),
        inputs.Started(0, 1),
    ):
        observe(facts, given, engine.receive(given), engine.transcript.items)
    return facts, engine


def test_what_an_engine_should_have_refused() -> None:
    """To go on while a turn is under way; to run a tool twice; two requests; an end before the answer's."""
    again = inputs.Started(0, 1)
    send = inputs.Send(0, Message("U2", "U2"))
    facts, engine = at_work()
    items, call = engine.transcript.items, engine.registry.open[1]
    letter = engine.inbox.accept(send.message, Mode.STEER, OnInterrupt.KEEP)
    held = commands.Held(letter, (call,))
    lies: list[tuple[Input, list[Command], str]] = [
        (inputs.GoOn(0), [], "allowed to go on while a turn is under way"),
        (again, [commands.RunCall(call)], "nobody has started the call"),
        (send, [held, commands.SendRequest(2, 1, 2)], "request 2 left while request 1 is in flight"),
        (send, [held, commands.TurnEnded(1, StopReason.END_TURN)], "ended while request 1 is in flight"),
    ]
    for given, said, text in lies:
        with pytest.raises(Wrong, match=text):
            observe(facts.copy(), given, said, items)


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
