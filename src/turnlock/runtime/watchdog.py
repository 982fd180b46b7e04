"""One heap of times and one task per session, for everything that must not wait for ever.

Deadlines of tools, graces, timeouts of requests, backoffs. Most times never come: a call that ends leaves
its entry behind, and entries of what is over are forgotten when they outnumber the others. The task starts
with the first entry and is woken only for an entry that comes before all others.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

import trio
from attrs import define, field

_COMPACT = 256  # entries that the heap may hold before it is looked through


class About(Protocol):
    """What an entry is about; once it is over, the entry means nothing."""

    @property
    def over(self) -> bool:
        """Nothing is to be done any more."""


Due = Callable[[Any, float, float], None]


@define(eq=False)
class Watchdog:
    """The times of one session.

    Attributes:
        spawn: Starts a task of the session.
        clock: The current time, in seconds, on trio's clock.
    """

    spawn: Callable[..., None]
    clock: Callable[[], float]
    _heap: list[tuple[float, int, Due, About]] = field(factory=list, init=False)
    _count: count[int] = field(factory=count, init=False)
    _limit: int = field(default=_COMPACT, init=False)
    _scope: trio.CancelScope | None = field(default=None, init=False)
    _sleeping: trio.Event | None = field(default=None, init=False)

    def push(self, when: float, due: Due, about: About) -> None:
        """Call ``due(about, when, now)`` when the time has come, unless ``about`` is over by then."""
        heap = self._heap
        if len(heap) >= self._limit:
            heap[:] = [entry for entry in heap if not entry[3].over]
            heapq.heapify(heap)
            self._limit = max(_COMPACT, 2 * len(heap))
        heapq.heappush(heap, (when, next(self._count), due, about))
        if heap[0][0] == when:
            if self._scope is None:
                self._scope = trio.CancelScope(shield=True)
                self.spawn(self._watch, self._scope, name="turnlock watchdog")
            elif self._sleeping is not None:
                self._sleeping.set()

    def close(self) -> None:
        """End the task."""
        if self._scope is not None:
            self._scope.cancel()

    async def _watch(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                self._sleeping = trio.Event()
                scope_until = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)
                with scope_until:
                    await self._sleeping.wait()
                self._sleeping = None
                now = self.clock()
                while self._heap and self._heap[0][0] <= now:
                    when, _, due, about = heapq.heappop(self._heap)
                    if not about.over:
                        due(about, when, now)
