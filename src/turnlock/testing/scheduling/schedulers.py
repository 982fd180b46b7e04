"""Who chooses: schedules as values, and schedulers that choose by chance.

Every choice point offers the waiting tasks in their order of arrival, and then, if there is a deadline within
reach, the jump to it. Choice 0 is always first in, first out, so that a smaller number is a simpler schedule:
hypothesis shrinks towards it. Must not know hypothesis: a source of chance is anything like
``random.Random``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from attrs import define, field, frozen
from trio.lowlevel import Task

JUMP: Final = "jump"
"""The choice "jump to the next deadline", as people write it."""

Choice: TypeAlias = int | str


class Schedule(Protocol):
    """Chooses at each choice point."""

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """The choice at one point.

        Args:
            point: The number of the choice point, from 0.
            tasks: The runnable tasks, the one that has waited longest first. Do not keep or change the list.
            options: How many choices there are: one more than tasks if a jump to the next deadline is one.

        Returns:
            The place of a task, or ``options - 1`` for the jump if it is one. 0 is first in, first out.
        """
        ...


def _as_choices(taken: Mapping[int, Choice]) -> Mapping[int, Choice]:
    return MappingProxyType(dict(sorted(taken.items())))


@frozen(repr=False, hash=False, eq=False)
class Deviations:
    """First in, first out, but for a few choice points: ``Deviations({12: 1, 30: "jump"})``.

    At choice point 12 the task at place 1 runs instead of the one at place 0, at point 30 the clock jumps to
    the next deadline. A choice that does not exist there is taken as first in, first out. Without any it is
    first in, first out all through.

    Attributes:
        taken: Choice point → place from 1, or ``"jump"``.
    """

    taken: Mapping[int, Choice] = field(factory=dict, converter=_as_choices)

    @taken.validator
    def _check(self, _attribute: object, taken: Mapping[int, Choice]) -> None:
        for point, choice in taken.items():
            if point < 0 or not (choice == JUMP or (isinstance(choice, int) and choice >= 0)):
                raise ValueError(
                    f"{point!r}: {choice!r} is no deviation: write a choice point from 0, a place or {JUMP!r}"
                )

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """What stands for this point, or first in, first out."""
        choice = self.taken.get(point, 0)
        if choice == 0:
            return 0
        count = len(tasks)
        if isinstance(choice, int):
            return choice if choice < count else 0
        return count if options > count else 0

    def __len__(self) -> int:
        return len(self.taken)

    def __iter__(self) -> Iterator[tuple[int, Choice]]:
        return iter(self.taken.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deviations) and self.taken == other.taken

    def __hash__(self) -> int:
        return hash(tuple(self.taken.items()))

    def __repr__(self) -> str:
        inside = ", ".join(
            f'{point}: "{JUMP}"' if choice == JUMP else f"{point}: {choice}" for point, choice in self
        )
        return f"Deviations({{{inside}}})" if inside else "Deviations()"


@define(eq=False)
class Uniform:
    """Any of the choices, each with the same chance, at every point. Best for short stories.

    Attributes:
        random: The source of chance.
        at_most: Choice points that are drawn; after them first in, first out. So a story that only ends when
            somebody is not starved ends, and hypothesis's data is not used up.
    """

    random: Random = field(repr=False)
    at_most: int = 2000

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:  # noqa: ARG002 - one protocol
        """One of them by chance."""
        return self.random.randrange(options) if point < self.at_most else 0


@define(eq=False)
class Bounded:
    """First in, first out with a few deviations at random points: few draws, and a short failure at once.

    Attributes:
        random: The source of chance.
        at_most: Deviations in one run.
        points: Choice points that a run is thought to have: how far apart deviations may be.
    """

    random: Random = field(repr=False)
    at_most: int = 4
    points: int = 64
    _left: int = field(default=-1, repr=False)
    _next: int = field(default=-1, repr=False)

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:  # noqa: ARG002 - one protocol
        """0, but at the drawn points."""
        if self._left < 0:
            self._left = self.random.randrange(self.at_most + 1)
            self._plan(point)
        if point != self._next:
            return 0
        self._left -= 1
        self._plan(point + 1)
        return 1 + self.random.randrange(options - 1)

    def _plan(self, start: int) -> None:
        self._next = start + self.random.randrange(self.points) if self._left > 0 else -1


@define(eq=False)
class Pct:
    """Priorities by chance, changed at a few points: the task with the highest runs until it blocks.

    Finds what needs one task to be held back over many steps, which uniform choices never do (Burckhardt and
    others, ASPLOS 2010, "probabilistic concurrency testing"). The clock counts as one more task. Where the
    priorities ask for another choice than first in, first out, one more draw says whether it is followed,
    nearly always yes: so hypothesis can take back each deviation by itself.

    Attributes:
        random: The source of chance.
        points: Choice points that a run is thought to have: ``measure`` in ``schedules()`` finds out. After
            twice as many it is first in, first out.
        depth: The most changes of priorities, plus one. How many it is, is drawn.
    """

    random: Random = field(repr=False)
    points: int = 64
    depth: int = 5
    _order: list[Task | None] | None = field(default=None, repr=False)
    _changes: set[int] = field(factory=set, repr=False)

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """The choice with the highest priority."""
        if point >= 2 * self.points:
            return 0
        order = self._order
        if order is None:
            order = self._order = [None]
            for _ in range(self.random.randrange(self.depth)):
                self._changes.add(point + self.random.randrange(self.points))
        for task in tasks:
            if task not in order:
                order.insert(self.random.randrange(len(order) + 1), task)
        chosen = self._highest(order, tasks, options)
        if point in self._changes:
            order.append(order.pop(order.index(tasks[chosen] if chosen < len(tasks) else None)))
            chosen = self._highest(order, tasks, options)
        return chosen if chosen and self.random.randrange(16) else 0

    @staticmethod
    def _highest(order: list[Task | None], tasks: Sequence[Task], options: int) -> int:
        for task in order:
            if task is None:
                if options > len(tasks):
                    return len(tasks)
            elif task in tasks:
                return tasks.index(task)
        return 0  # not reached: every task was put into the order
