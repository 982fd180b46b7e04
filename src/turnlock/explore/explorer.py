"""Exploring worlds: what is found in one, and in several.

It owns what an exploration says about itself. How a world is searched is said in ``search``.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from turnlock.explore.coverage import Taken
from turnlock.explore.mutants.guards import SOUND, Machines
from turnlock.explore.search import Progress, Search, Violation
from turnlock.explore.verdicts import Verdicts
from turnlock.explore.worlds import World


@frozen
class Exploration:
    """What became of a world.

    Attributes:
        world: The world.
        states: How many states there are; fewer were seen if something is wrong.
        edges: How many moves lead from one to another.
        rows: The rows of the two tables that were exercised.
        images: Of an exact search of a symmetric world: how many images its states have; otherwise 0.
        violation: What is wrong, with a shortest way to it; None when nothing is.
    """

    world: World
    states: int
    edges: int
    rows: frozenset[Taken]
    images: int
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
    def rows(self) -> frozenset[Taken]:
        """The rows of the two tables that were exercised in one world at least."""
        return frozenset().union(*(exploration.rows for exploration in self.explorations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What is wrong, the shortest way first."""
        found = (exploration.violation for exploration in self.explorations)
        return tuple(sorted((each for each in found if each is not None), key=lambda each: len(each.moves)))


def explore(
    world: World,
    *,
    machines: Machines = SOUND,
    verdicts: Verdicts | None = None,
    depth: int | None = None,
    exact: bool = False,
    progress: Progress | None = None,
) -> Exploration:
    """Explore a world, until everything was seen or something is wrong.

    Args:
        world: The world.
        machines: The machines to run; by default those that sessions run.
        verdicts: Where requests are judged and collected.
        depth: Look no further than this many moves.
        exact: Tell the states of a symmetric world apart by their whole history, and see whether states with
            equal images go on alike. Without it the images alone are explored. In other worlds all is exact.
        progress: Told now and then how far it is.
    """
    search = Search(world, machines, verdicts or Verdicts(), exact, progress)
    violation = search.run(depth)
    rows = frozenset(search.coverage.rows)
    return Exploration(world, len(search.came), search.edges, rows, len(search.links), violation)


def survey(
    worlds: Iterable[World],
    *,
    machines: Machines = SOUND,
    exact: bool = False,
    progress: Progress | None = None,
) -> Survey:
    """Explore worlds. Once something is wrong in one, the others are only searched for a shorter way.

    Args:
        worlds: The worlds, small ones first: they find most, and soon.
        machines: The machines to run; by default those that sessions run.
        exact: As for ``explore``.
        progress: Told now and then how far it is.
    """
    verdicts = Verdicts()
    explorations: list[Exploration] = []
    depth: int | None = None
    for world in worlds:
        explored = explore(
            world, machines=machines, verdicts=verdicts, depth=depth, exact=exact, progress=progress
        )
        explorations.append(explored)
        if explored.violation is not None:
            depth = len(explored.violation.moves) - 1
    return Survey(tuple(explorations), tuple(verdicts.bodies))
