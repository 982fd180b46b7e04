"""Calls that wait for an output while a history is paired, by the answers that made them.

It owns which of several calls with one id an output belongs to, at a cost that does not depend on how many
calls with that id have had theirs: servers exist that give every call the same id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field

from turnlock.wire.repair.pieces import Piece


@define(eq=False)
class AskedCall:
    """A call, the run of pieces that it stands in, and the output that it got."""

    piece: Piece
    run: int
    output: Piece | None = None


@define(eq=False)
class Waiting:
    """Open calls of one id, by the answers that made them. One id for every call is no rare thing."""

    _runs: list[deque[AskedCall]] = field(init=False, factory=list)

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, call: AskedCall) -> None:
        """A call, in the order of the history."""
        if not self._runs or self._runs[-1][0].run != call.run:
            self._runs.append(deque())
        self._runs[-1].append(call)

    def first_of_last_run(
        self, taken: Callable[[Piece], bool] = lambda _call: True, before: int | None = None
    ) -> AskedCall | None:
        """Take the first call of the last answer, before a place, that has one of this kind."""
        for at in range(len(self._runs) - 1, -1, -1):
            run = self._runs[at]
            if before is not None and run[0].run >= before:
                continue
            for call in run:
                if taken(call.piece):
                    self._take(at, call)
                    return call
        return None

    def first(self) -> AskedCall | None:
        """Take the first call of all."""
        if not self._runs:
            return None
        call = self._runs[0][0]
        self._take(0, call)
        return call

    def _take(self, at: int, call: AskedCall) -> None:
        self._runs[at].remove(call)
        if not self._runs[at]:
            del self._runs[at]
