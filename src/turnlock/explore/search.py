"""Breadth first over all interleavings of a world, through the real engine and the real machines.

A state is everything that decides the future and everything that is judged of the past: two ways that lead
to equal states are one from there on. In a symmetric world the image of a state stands for it (``images``).
Breadth first, so that the first way to something wrong is a shortest one. In every state it is asked whether
all that was accepted has its fate once everything that comes by itself has come: since such moves use
themselves up, a state in which nothing comes by itself is where every fair completion ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import define, field, frozen
from transitions import MachineError

from turnlock.engine import (
    Cause,
    Engine,
    Fate,
    Input,
    Invocation,
    Item,
    ModelItem,
    Outcome,
    Output,
    commands,
    inputs,
)
from turnlock.errors import TransitionRefused
from turnlock.explore import images
from turnlock.explore.coverage import Coverage
from turnlock.explore.facts import Facts, Wrong
from turnlock.explore.mutants.guards import Machines
from turnlock.explore.oracles import observe
from turnlock.explore.outside import Outside
from turnlock.explore.verdicts import Verdicts
from turnlock.explore.worlds import World
from turnlock.explore.worlds.script import Script
from turnlock.machines import InvocationState

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


class _Found(Exception):
    """The search is over: this is wrong."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.text)
        self.violation = violation


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


@define(eq=False)
class Search:
    """One exploration.

    Attributes:
        world: The world.
        machines: The machines to run.
        verdicts: Where requests are judged and collected.
        exact: Tell states apart by everything, also in a symmetric world; then see whether the images hold.
        progress: Told now and then how far it is.
        edges: How many moves lead from one state to another.
        came: For each state from which one it was first reached, by which move.
        links: For each image of a state what the states that have it lead to.
        coverage: The rows that were taken.
    """

    world: World
    machines: Machines
    verdicts: Verdicts
    exact: bool = False
    progress: Progress | None = None
    edges: int = 0
    came: list[tuple[int, Input | None]] = field(factory=list)
    links: dict[Any, frozenset[Any]] = field(factory=dict)
    coverage: Coverage = field(factory=Coverage)
    _seen: set[Any] = field(factory=set, init=False)
    _numbers: dict[Any, int] = field(factory=dict, init=False)  # of items, and of parts of states
    _accepted: set[tuple[int, ...]] = field(factory=set, init=False)  # histories that left, and are accepted
    _possible: set[tuple[int, ...]] = field(factory=set, init=False)  # the same of those that might have left
    _ended: set[InvocationState] = field(factory=set, init=False)  # in which calls have ended
    _script: Script = field(init=False)

    def run(self, depth: int | None = None) -> Violation | None:
        """Level by level; what is wrong is the result.

        Args:
            depth: Look no further than this many moves.
        """
        world = self.world
        watched = self.coverage.watch(self.machines)
        engine = Engine(world.limits, turn_machine=watched.turn, invocation_machine=watched.invocation)
        self._script = Script(world)
        first = _State(0, engine, Outside.of(self._script), Facts(world.limits))
        self._seen.add(self._key(first))
        self.came.append((0, None))
        frontier = [first]
        level = 0
        try:
            while frontier and (depth is None or level < depth):
                level += 1
                frontier = self._level(frontier)
        except _Found as found:
            return found.violation
        return None

    def _level(self, frontier: Sequence[_State]) -> list[_State]:
        """Make every move of every state; what is new is the next level."""
        coming = [state.outside.coming() for state in frontier]
        for state, comes in zip(frontier, coming, strict=True):
            if not comes and (wrong := _check_end(state)):
                raise self._found(state.number, (), wrong)
        return [
            after
            for state, comes in zip(frontier, coming, strict=True)
            for after in self._next(state, [*comes, *state.outside.may()])
        ]

    def _next(self, state: _State, moves: Sequence[Input]) -> Iterator[_State]:
        """Make every move of a state."""
        source = state.number
        self._refuses(state)
        image = self._image(state)
        leads_to: set[Any] = set()
        last = len(moves) - 1
        for place, move in enumerate(moves):
            after = state if place == last else state.fork()  # after its last move nobody needs it
            self.edges += 1
            try:
                self._step(after, move)
            except Wrong as broken:
                raise self._found(source, (move,), str(broken)) from None
            leads_to.add((type(move), self._image(after)))
            key = self._key(after)
            if key not in self._seen:
                self._seen.add(key)
                after.number = len(self.came)
                self.came.append((source, move))
                if self.progress is not None and after.number % _TELL == 0:
                    self.progress(self.world.name, after.number, self.edges)
                yield after
        if image is not None and self.links.setdefault(image, frozenset(leads_to)) != leads_to:
            raise self._found(source, (), "another state with the same image goes on differently")

    def _refuses(self, state: _State) -> None:
        """Calls of the host that no row allows (R25).

        They are made before all moves that are possible here: if they changed anything, it would be seen.
        """
        for move in state.outside.refused():
            try:
                state.engine.receive(move)
            except TransitionRefused:
                continue
            except Exception as error:  # whatever it is: this is no answer to a host
                raise self._found(state.number, (move,), _failure(error)) from error
            raise self._found(state.number, (move,), "the host is not refused")

    def _step(self, state: _State, move: Input) -> None:
        """Make one move, and judge it."""
        try:
            said = state.engine.receive(move)
        except Exception as error:  # whatever it is: this move was possible
            raise Wrong(_failure(error)) from error
        items = state.engine.transcript.items
        observe(state.facts, move, said, items)
        state.outside.after(move, said)
        # Items are only added, but for a refusal, which replaces some (R20).
        kept = () if isinstance(move, inputs.ResponseFailed) else state.items
        state.items = (*kept, *(self._number(item) for item in items[len(kept) :]))
        for command in said:
            if isinstance(command, commands.SendRequest):
                self._judge(state.items[: command.length], items[: command.length])
            elif isinstance(command, commands.CallEnded):
                self._stays_ended(command.invocation)
        if not self.exact and self.world.symmetric:
            self.judge_prefix(state)

    def _stays_ended(self, call: Invocation) -> None:
        """A call that has ended takes no event any more (R1); tried once for each state to end in."""
        if call.state in self._ended:
            return
        self._ended.add(call.state)
        for event, fire in self.machines.invocation.triggers.items():
            try:
                fire(call.twin(call.registry))
            except MachineError:
                continue
            raise Wrong(f"call {call.name} has ended, and still takes {event}")

    def judge_prefix(self, state: _State) -> None:
        """Have the history judged as it would be if all calls had ended here.

        Raises:
            Wrong: The provider would refuse what comes behind it, whatever that is.
        """
        engine = state.engine
        ended: list[Item] = [*engine.transcript.response]
        ended += [_closed(call.ordinal, call.outcome) for call in engine.registry.batch]
        history = (*state.items, *map(self._number, ended))
        if history not in self._possible:
            self.verdicts.judge([*engine.transcript.items, *ended], leaves=False)
            self._possible.add(history)

    def _judge(self, history: tuple[int, ...], items: Sequence[Item]) -> None:
        """Have a request judged, once for each history."""
        if history not in self._accepted:
            self.verdicts.judge(items)
            self._accepted.add(history)

    def _number(self, item: Item) -> int:
        """The same number for equal items."""
        same: object = item
        if isinstance(item, Output):
            same = (item.ordinal, item.model_text)
        elif isinstance(item, ModelItem) and item.origin is not None:
            # What the provider said cannot be hashed, but the world has made it once.
            same = (type(item), id(item.origin.item), item.origin.known)
        return self._numbers.setdefault(same, len(self._numbers))

    def _image(self, state: _State) -> Any:  # noqa: ANN401  # something that can be hashed
        """What an exact search compares in a symmetric world; elsewhere None."""
        if not (self.exact and self.world.symmetric):
            return None
        return images.image(state.engine, state.outside, state.facts)

    def _key(self, state: _State) -> Any:  # noqa: ANN401  # something that can be hashed
        """A state as a few numbers: equal parts of states, of which there are few, have equal numbers."""
        engine, outside, facts, numbers = state.engine, state.outside, state.facts, self._numbers
        if self.world.symmetric and not self.exact:
            parts = images.image(engine, outside, facts)
        else:
            parts = images.exact(state.items, engine, outside, facts)
        return tuple([numbers.setdefault(part, len(numbers)) for part in parts])

    def _found(self, number: int, last: Sequence[Input], text: str) -> _Found:
        """The way to what is wrong."""
        moves = [*last]
        while number:
            number, move = self.came[number]
            assert move is not None
            moves.insert(0, move)
        words = tuple(map(self._script.describe, moves))
        return _Found(Violation(self.world.name, words, tuple(moves), text))


def _check_end(state: _State) -> str:
    """Nothing comes by itself any more: is everything done?"""
    if state.facts.turn:
        return f"turn {state.facts.turn} waits for something that never comes"
    waits = next((id_ for id_, fate in state.facts.fates.items() if fate is Fate.HELD), None)
    return "" if waits is None else f"{waits} is never delivered nor returned"


def _failure(error: Exception) -> str:
    return f"the engine fails: {type(error).__name__}: {error}"


_NOT_STARTED = Outcome(InvocationState.CANCELLED, Cause.NOT_STARTED)


def _closed(ordinal: int, outcome: Outcome | None) -> Output:
    """The output of a call, and for an open one the output of a call that has ended."""
    return Output(ordinal, outcome or _NOT_STARTED)
