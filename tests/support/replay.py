"""A counterexample, fed again: without the explorer, input by input."""

from __future__ import annotations

from collections.abc import Iterable

from turnlock.engine import Engine, Input
from turnlock.explore import SOUND, Machines, World
from turnlock.explore.facts import Facts, Wrong
from turnlock.explore.oracles import observe


def replay(world: World, moves: Iterable[Input], machines: Machines = SOUND) -> str:
    """What is wrong, or nothing."""
    engine = Engine(world.limits, turn_machine=machines.turn, invocation_machine=machines.invocation)
    facts = Facts(world.limits)
    try:
        for move in moves:
            observe(facts, move, engine.receive(move), engine.transcript.items)
    except Wrong as wrong:
        return str(wrong)
    return ""
