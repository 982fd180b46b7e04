"""Looking for what is wrong with a machine that is wrong on purpose, and for the reason when nothing is.

It owns the order of the worlds, and the mutants that behave as the sound tables do. What is wrong is judged
by the same search as everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import frozen

from turnlock.explore.explorer import Exploration, explore
from turnlock.explore.mutants.rows import Mutant
from turnlock.explore.search import Violation
from turnlock.explore.worlds import World, plain, small_worlds

_DEPTHS = (3, 6, None)
"""Most mistakes show within a few moves, in one world or another: first a short look into all of them."""

_ONE_FLIGHT = (
    "what is about another request than the one in flight is late (R25), and a request is in flight in "
    "responding alone: the event is never fired elsewhere"
)
_ONE_BACKOFF = (
    "the end of another backoff than the one that runs is late (R25), and a backoff runs in settling alone: "
    "an interrupt, a crash and the end of a turn end it"
)
_NOT_BEGUN = (
    "only a tool that runs can return a value, and an engine that is told so of one that it has not run "
    "raises InputError before it asks the table"
)
SURVIVORS: Mapping[str, str] = MappingProxyType(
    {
        "invocation: running -complete-> completed: add a source requested": _NOT_BEGUN,
        "invocation: running -stop-> running: add a source requested": (
            "a call that nobody has run is not asked to stop: the engine ends it (R6), and fires nothing else"
        ),
        "turn: idle -begin-> responding: unguard all_terminal": (
            "idle is entered by finish and settle alone, both of which have this guard, and calls are made "
            "in responding alone: in idle it is always true"
        ),
        "turn: responding -respond-> settling: add a source idle": _ONE_FLIGHT,
        "turn: responding -respond-> settling: add a source settling": _ONE_FLIGHT,
        "turn: responding -respond-> settling: add a source interrupting": _ONE_FLIGHT,
        "turn: responding -fail-> settling: add a source idle": _ONE_FLIGHT,
        "turn: responding -fail-> settling: add a source settling": _ONE_FLIGHT,
        "turn: responding -fail-> settling: add a source interrupting": _ONE_FLIGHT,
        "turn: settling -dispatch-> responding: add a source idle": (
            "in idle there is never more to say: the last turn has a stop reason, or its limit, or had "
            "nothing to say when it ended; and a message that comes later begins a turn, which is tried first"
        ),
        "turn: settling -dispatch-> responding: add a source interrupting": (
            "a turn that is interrupted has its stop reason, so that more_to_say is false"
        ),
        "turn: settling -wake-> settling: add a source idle": _ONE_BACKOFF,
        "turn: settling -wake-> settling: add a source responding": _ONE_BACKOFF,
        "turn: settling -wake-> settling: add a source interrupting": _ONE_BACKOFF,
    }
)
"""Mutants that behave as the sound tables do, by name, with the reason."""


@frozen
class Hunt:
    """What became of a mutant.

    Attributes:
        mutant: The mutant.
        violation: What was found to be wrong; None when it survives.
        states: How many states were seen.
    """

    mutant: Mutant
    violation: Violation | None
    states: int

    @property
    def reason(self) -> str:
        """Why it survives, as far as anybody knows."""
        return SURVIVORS.get(self.mutant.name, "")

    @property
    def as_told(self) -> bool:
        """It dies and nobody said otherwise, or it survives and it is known why."""
        return (self.violation is None) is bool(self.reason)


def hunting_grounds() -> Sequence[World]:
    """The worlds in which mutants are looked for."""
    return [plain(1, 1), *small_worlds(), plain(2, 2)]


def hunt(mutant: Mutant, worlds: Sequence[World] | None = None) -> Hunt:
    """Explore worlds with a mutant's machines until something is wrong.

    Args:
        mutant: The mutant.
        worlds: The worlds; by default the small ones and the plain one of two calls and two messages.
    """
    machines = mutant.machines()
    states = 0
    for depth in _DEPTHS:
        for world in worlds or hunting_grounds():
            found: Exploration = explore(world, machines=machines, depth=depth)
            states += found.states
            if found.violation is not None:
                return Hunt(mutant, found.violation, states)
    return Hunt(mutant, None, states)
