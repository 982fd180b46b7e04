"""Breadth first over all interleavings of a world, through the real engine and the real machines.

A state is everything that decides the future and everything that is judged of the past: two ways that lead
to equal states are one from there on. Breadth first, so that the first way to something wrong is a shortest
one. In every state it is asked whether all that was accepted has its fate once everything that comes by
itself has come: since such moves use themselves up, a state in which nothing comes by itself is where every
fair completion ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from attrs import define, field, frozen

from turnlock.engine import Engine, Fate, Input, Item, ModelItem, Output, commands, inputs
from turnlock.explore.facts import Facts, Wrong
from turnlock.explore.mutants import SOUND, Machines
from turnlock.explore.oracles import observe
from turnlock.explore.outside import Outside
from turnlock.explore.script import Script
from turnlock.explore.verdicts import Verdicts
from turnlock.explore.worlds import World

Progress = Callable[[str, int, int], None]
"""Told now and then: the world's name, states and edges so far."""

_TELL = 5_000  # states


@frozen
class Violation:
    """Something wrong, and a shortest way to it.

    Attributes:
        world: The name of the world.
        moves: The inputs, in words.
        inputs: The inputs themselves.
        text: What is wrong.
    """

    world: str
    moves: tuple[str, ...]
    inputs: tuple[Input, ...] = field(repr=False)
    text: str


@frozen
class Exploration:
    """What became of a world.

    Attributes:
        world: The world.
        states: How many states there are; fewer were seen if something is wrong.
        edges: How many moves lead from one to another.
        violation: What is wrong, with a shortest way to it; None when nothing is.
    """

    world: World
    states: int
    edges: int
    violation: Violation | None


@frozen
class Survey:
    """What became of several worlds.

    Attributes:
        explorations: One for each world, in the order in which they were explored.
        bodies: The distinct requests that left, as they would leave, in the order in which they were seen.
    """

    explorations: tuple[Exploration, ...]
    bodies: tuple[bytes, ...]

    @property
    def states(self) -> int:
        """How many states there are in all worlds."""
        return sum(exploration.states for exploration in self.explorations)

    @property
    def edges(self) -> int:
        """How many moves lead from one to another."""
        return sum(exploration.edges for exploration in self.explorations)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What is wrong, the shortest way first."""
        found = (exploration.violation for exploration in self.explorations)
        return tuple(sorted((each for each in found if each is not None), key=lambda each: len(each.moves)))


@define(eq=False)
class _State:
    """One state on the frontier; ``items`` is its transcript, as numbers."""

    number: int
    engine: Engine
    outside: Outside
    facts: Facts
    items: tuple[int, ...] = ()

    def fork(self) -> _State:
        return _State(self.number, self.engine.fork(), self.outside.copy(), self.facts.copy(), self.items)


def explore(
    world: World,
    *,
    machines: Machines = SOUND,
    verdicts: Verdicts | None = None,
    depth: int | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Explore a world, until everything was seen or something is wrong.

    Args:
        world: The world.
        machines: The machines to run; by default those that sessions run.
        verdicts: Where requests are judged and collected.
        depth: Look no further than this many moves.
        progress: Told now and then how far it is.
    """
    return _Search(world, machines, verdicts or Verdicts(), progress).run(depth)


def survey(
    worlds: Iterable[World], *, machines: Machines = SOUND, progress: Progress | None = None
) -> Survey:
    """Explore worlds. Once something is wrong in one, the others are only searched for a shorter way.

    Args:
        worlds: The worlds, small ones first: they find most, and soon.
        machines: The machines to run; by default those that sessions run.
        progress: Told now and then how far it is.
    """
    verdicts = Verdicts()
    explorations: list[Exploration] = []
    depth: int | None = None
    for world in worlds:
        explored = explore(world, machines=machines, verdicts=verdicts, depth=depth, progress=progress)
        explorations.append(explored)
        if explored.violation is not None:
            depth = len(explored.violation.moves) - 1
    return Survey(tuple(explorations), tuple(verdicts.bodies))


@define(eq=False)
class _Search:
    """One exploration."""

    world: World
    machines: Machines
    verdicts: Verdicts
    progress: Progress | None
    edges: int = 0
    seen: set[Any] = field(factory=set)
    came: list[tuple[int, Input | None]] = field(factory=list)  # for each state, from which, by what
    numbers: dict[Any, int] = field(factory=dict)  # of items, and of parts of states
    accepted: set[tuple[int, ...]] = field(factory=set)  # histories that the provider accepts
    script: Script = field(init=False)

    def run(self, depth: int | None) -> Exploration:
        """Level by level."""
        world = self.world
        engine = Engine(
            world.limits, turn_machine=self.machines.turn, invocation_machine=self.machines.invocation
        )
        self.script = Script(world)
        first = _State(0, engine, Outside.of(self.script), Facts(world.limits))
        self.seen.add(self._key(first))
        self.came.append((0, None))
        frontier = [first]
        level = 0
        violation = None
        while frontier and violation is None and (depth is None or level < depth):
            level += 1
            frontier, violation = self._level(frontier)
        return Exploration(world, len(self.came), self.edges, violation)

    def _level(self, frontier: Sequence[_State]) -> tuple[list[_State], Violation | None]:
        """Make every move of every state; what is new is the next level."""
        found: list[_State] = []
        coming = [state.outside.coming() for state in frontier]
        for state, comes in zip(frontier, coming, strict=True):
            if not comes and (wrong := _check_end(state)):
                return found, self._violation(state.number, (), wrong)
        for state, comes in zip(frontier, coming, strict=True):
            moves = [*comes, *state.outside.may()]
            last = len(moves) - 1
            source = state.number
            for place, move in enumerate(moves):
                after = state if place == last else state.fork()  # after its last move nobody needs it
                self.edges += 1
                try:
                    self._step(after, move)
                except Wrong as broken:
                    return found, self._violation(source, (move,), str(broken))
                key = self._key(after)
                if key not in self.seen:
                    self.seen.add(key)
                    after.number = len(self.came)
                    self.came.append((source, move))
                    found.append(after)
                    if self.progress is not None and after.number % _TELL == 0:
                        self.progress(self.world.name, after.number, self.edges)
        return found, None

    def _step(self, state: _State, move: Input) -> None:
        """Make one move, and judge it."""
        try:
            said = state.engine.receive(move)
        except Exception as error:  # whatever it is: this move was possible
            raise Wrong(f"the engine fails: {type(error).__name__}: {error}") from error
        items = state.engine.transcript.items
        observe(state.facts, move, said, items)
        state.outside.after(move, said)
        # Items are only added, but for a refusal, which replaces some (R20).
        kept = () if isinstance(move, inputs.ResponseFailed) else state.items
        state.items = (*kept, *(self._number(item) for item in items[len(kept) :]))
        for command in said:
            if isinstance(command, commands.SendRequest):
                self._judge(state.items[: command.length], items[: command.length])

    def _judge(self, history: tuple[int, ...], items: Sequence[Item]) -> None:
        """Have a request judged, once for each history."""
        if history not in self.accepted:
            self.verdicts.judge(items)
            self.accepted.add(history)

    def _number(self, item: Item) -> int:
        """The same number for equal items."""
        same: object = item
        if isinstance(item, Output):
            same = (item.ordinal, item.model_text)
        elif isinstance(item, ModelItem) and item.origin is not None:
            # What the provider said cannot be hashed, but the world has made it once.
            same = (type(item), id(item.origin.item), item.origin.known)
        return self.numbers.setdefault(same, len(self.numbers))

    def _key(self, state: _State) -> tuple[int, ...]:
        """A state as a few numbers: equal parts of states, of which there are few, have equal numbers."""
        numbers = self.numbers
        return tuple([numbers.setdefault(part, len(numbers)) for part in _parts(state)])

    def _violation(self, number: int, last: Sequence[Input], text: str) -> Violation:
        """The way to what is wrong."""
        moves = [*last]
        while number:
            number, move = self.came[number]
            assert move is not None
            moves.insert(0, move)
        return Violation(self.world.name, tuple(map(self.script.describe, moves)), tuple(moves), text)


def _check_end(state: _State) -> str:
    """Nothing comes by itself any more: is everything done?"""
    if state.facts.turn:
        return f"turn {state.facts.turn} waits for something that never comes"
    waits = next((id_ for id_, fate in state.facts.fates.items() if fate is Fate.HELD), None)
    return "" if waits is None else f"{waits} is never delivered nor returned"


_turn = attrgetter(
    "state",
    "number",
    "requests",
    "request",
    "asked_to_go_on",
    "stop",
    "error",
    "rest",
    "paused",
    "ask_again",
    "failures",
    "waking",
    "ticking",
)
_call = attrgetter("call.ordinal", "state", "approved", "started_at", "stop_cause", "outcome")
_letter = attrgetter("fate", "request", "index", "reason")


def _parts(state: _State) -> tuple[Any, ...]:
    """Everything that decides the future, and everything that is judged of the past."""
    engine = state.engine
    registry, inbox, transcript = engine.registry, engine.inbox, engine.transcript
    return (
        state.items,
        state.outside.key(),
        state.facts.key(),
        _turn(engine.turn),
        tuple(map(_call, registry.batch)),
        (*map(_call, registry.open.values()), registry.running, registry.last_ordinal, *registry.ready),
        (*map(_letter, inbox.letters.values()), *(letter.number for letter in inbox.held), inbox.line),
        (*map(id, transcript.response), transcript.accepted, transcript.sent, engine.requests),
    )
