"""Who chooses: schedules as values, and schedulers that choose by chance.

Every choice point offers the waiting tasks in their order of arrival, and then, if there is a deadline within
reach, the jump to it. Choice 0 is always first in, first out, so that a smaller number is a simpler schedule:
hypothesis shrinks towards it. Must not know hypothesis: a source of chance is anything like
``random.Random``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

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


class _Chance:
    """How a scheduler is shown: without its source of chance, which says nothing."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:  # noqa: ANN401 - hypothesis's own, or IPython's
        printer.text(repr(self))


@define(eq=False)
class Uniform(_Chance):
    """Any of the tasks, each with the same chance, at every point; now and then a jump.

    Best for short stories.

    A jump has a quarter of a task's chance: with the same, deadlines of minutes would be over before any work
    began.

    Attributes:
        random: The source of chance.
        at_most: Choice points that are drawn; after them first in, first out. So a story that only ends when
            somebody is not starved ends, and hypothesis's data is not used up.
    """

    random: Random = field(repr=False)
    at_most: int = 2000

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """One of them by chance."""
        if point >= self.at_most:
            return 0
        count = len(tasks)
        if options == count:
            return self.random.randrange(count)
        return self.random.randrange(4 * count + 1) // 4  # the last number is the jump's


@define(eq=False)
class Bounded(_Chance):
    """First in, first out with a few deviations at random points: few draws, and a short failure at once.

    Attributes:
        random: The source of chance.
        at_most: Deviations in one run.
        points: Choice points that a run is thought to have: how far apart deviations may be.
    """

    random: Random = field(repr=False)
    at_most: int = 4
    points: int = 64
    _left: int = field(default=-1, init=False, repr=False)
    _next: int = field(default=-1, init=False, repr=False)

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:  # noqa: ARG002 - one protocol
        """0, but at the drawn points."""
        random = self.random
        if self._left < 0:
            self._left = random.randrange(self.at_most + 1)
            self._next = point + random.randrange(self.points) if self._left else -1
        if point != self._next:
            return 0
        self._left -= 1
        # To hold a task back takes deviations in a row: every second one stands right behind the one before.
        self._next = point + 1 + max(0, random.randrange(2 * self.points) - self.points) if self._left else -1
        return 1 + random.randrange(options - 1)


@define(eq=False)
class Pct(_Chance):
    """Priorities by chance, changed at a few points: the task with the highest runs until it blocks.

    Finds what needs one task to be held back over many steps, which uniform choices never do (Burckhardt and
    others, ASPLOS 2010, "probabilistic concurrency testing"). At a change the task that would run goes to the
    end, or the clock jumps. Where this asks for another choice than first in, first out, one more draw says
    whether it is followed, nearly always yes: so hypothesis can take back each deviation by itself.

    Attributes:
        random: The source of chance.
        points: Choice points that a run is thought to have. After twice as many it is first in, first out.
        depth: The most changes. How many there are, is drawn.
    """

    random: Random = field(repr=False)
    points: int = 64
    depth: int = 5
    _ranks: _Ranks = field(init=False, repr=False)
    _rank: Callable[[Task], int] = field(init=False, repr=False)
    _changes: dict[int, bool] | None = field(default=None, init=False, repr=False)

    @_ranks.default
    def _new_ranks(self) -> _Ranks:
        return _Ranks(self.random)

    @_rank.default
    def _rank_of(self) -> Callable[[Task], int]:
        return self._ranks.__getitem__

    def choose(self, point: int, tasks: Sequence[Task], options: int) -> int:
        """The task with the highest priority, which is the lowest rank, or a jump."""
        if point >= 2 * self.points:
            return 0
        random, changes = self.random, self._changes
        if changes is None:
            changes = self._changes = {}
            for _ in range(random.randrange(self.depth + 1)):
                changes[point + random.randrange(self.points)] = bool(random.getrandbits(1))
        first = min(tasks, key=self._rank)
        if point in changes:
            if changes[point] and options > len(tasks):
                return len(tasks) if random.getrandbits(4) else 0
            self._ranks[first] = _LAST + point
            first = min(tasks, key=self._rank)
        if first is tasks[0]:
            return 0
        return tasks.index(first) if random.getrandbits(4) else 0


class _Ranks(dict[Task, int]):
    """The rank of each task, drawn when it is first seen. The smallest runs, of equal ones the earlier."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random

    def __missing__(self, task: Task) -> int:
        rank = self[task] = self.random.getrandbits(16)
        return rank


_LAST: Final = 1 << 16
"""The rank of a task that was sent to the end: above all that are drawn."""
