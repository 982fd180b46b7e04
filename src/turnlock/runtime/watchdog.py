"""One heap of times and one task per session, for everything that must not wait for ever.

Deadlines of tools, graces, timeouts of requests, backoffs. Most times never come: a call that ends leaves
its entry behind, and entries of what is gone are forgotten when they could outnumber the others. An entry
names what it is about by a number, so that it keeps nothing alive. The task starts with the first entry and
is woken only for an entry that comes before all others.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Container
from itertools import count
from typing import TypeAlias

import trio
from attrs import define, field

ALWAYS = (0,)
"""What a timer that decides by itself is among, with the key 0."""

_COMPACT = 256  # entries that the heap may hold before it is looked through

Due: TypeAlias = Callable[[int, float, float], None]


@define(eq=False)
class Watchdog:
    """The times of one session.

    Attributes:
        spawn: Starts a task of the session.
        clock: The current time, in seconds, on trio's clock.
    """

    spawn: Callable[..., None]
    clock: Callable[[], float]
    _heap: list[tuple[float, int, Due, int, Container[int]]] = field(factory=list, init=False)
    _count: count[int] = field(factory=count, init=False)
    _limit: int = field(default=_COMPACT, init=False)
    _running: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)
    _sleeping: trio.Event | None = field(default=None, init=False)

    def push(self, when: float, due: Due, key: int, among: Container[int]) -> None:
        """Call ``due(key, when, now)`` when the time has come, if ``key`` is still ``among`` these."""
        heap = self._heap
        if len(heap) >= self._limit:
            heap[:] = [entry for entry in heap if entry[3] in entry[4]]
            heapq.heapify(heap)
            self._limit = max(_COMPACT, 2 * len(heap))
        heapq.heappush(heap, (when, next(self._count), due, key, among))
        if heap[0][0] == when:
            if not self._running:
                self._running = True
                self.spawn(self._watch, name="turnlock watchdog")
            elif self._sleeping is not None:
                self._sleeping.set()

    def close(self) -> None:
        """End the task."""
        self._closed = True
        if self._sleeping is not None:
            self._sleeping.set()

    async def _watch(self) -> None:
        while not self._closed:
            # Shielded: the grace of a tool must end even if the session's tasks are being cancelled.
            with trio.CancelScope(shield=True, deadline=self._heap[0][0] if self._heap else math.inf):
                self._sleeping = trio.Event()
                await self._sleeping.wait()
            self._sleeping = None
            now = self.clock()
            while self._heap and self._heap[0][0] <= now:
                when, _, due, key, among = heapq.heappop(self._heap)
                if key in among:
                    due(key, when, now)
