"""Which call a response answers, where ids are optional.

Told by the id where both have one; else by the name, in the order of the calls. The check asks within one
turn of the model, reading and repair within a whole body.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import define, field, frozen

NAMELESS = ""  # a call that the provider holds, or one that is broken


@frozen
class Label:
    """What both sides of a pair have."""

    call_id: str
    name: str


@define(eq=False)
class Turn:
    """The calls that may be answered now, by numbers that rise."""

    open: dict[int, Label] = field(init=False, factory=dict)
    _by_id: dict[str, deque[int]] = field(init=False, factory=dict)
    _by_name: dict[str, deque[int]] = field(init=False, factory=dict)

    def call(self, number: int, label: Label) -> None:
        """A call."""
        self.open[number] = label
        self._by_id.setdefault(label.call_id, deque()).append(number)
        self._by_name.setdefault(label.name, deque()).append(number)

    def by_id(self, response: Label) -> int | None:
        """The first open call of this id. It is answered now."""
        return next(self._take(self._by_id.get(response.call_id)), None) if response.call_id else None

    def by_name(self, response: Label) -> int | None:
        """The first open call of this name, whatever its id; without a name, the first of all."""
        if not response.name and self.open:
            first = next(iter(self.open))
            del self.open[first]
            return first
        for name in (response.name, NAMELESS):
            number = next(self._take(self._by_name.get(name)), None)
            if number is not None:
                return number
        return None

    def _take(self, queue: deque[int] | None) -> Iterator[int]:
        while queue:
            number = queue.popleft()
            if self.open.pop(number, None) is not None:
                yield number


@define(eq=False)
class Matching:
    """The calls of a body, and the responses so far: the last turn's calls are answered first."""

    _turn: Turn = field(init=False, factory=Turn)
    _older: Turn = field(init=False, factory=Turn)
    _answered: dict[str, int] = field(init=False, factory=dict)  # the last call of each id
    _early: dict[str, int] = field(init=False, factory=dict)  # responses that no call has yet

    def begin_turn(self) -> None:
        """The model speaks again."""
        for number, label in self._turn.open.items():
            self._older.call(number, label)
        self._turn = Turn()

    def call(self, number: int, label: Label) -> int:
        """A call; the number of the response that came before it, if one did, else the call's own."""
        early = self._early.pop(label.call_id, None) if label.call_id else None
        if early is not None:
            return early
        self._turn.call(number, label)
        return number

    def response(self, number: int, label: Label) -> int:
        """The number of the call that this answers, or answers again; its own where there is none."""
        found = self._turn.by_id(label)
        if found is None:
            found = self._older.by_id(label)
        if found is None and label.call_id in self._answered:
            return self._answered[label.call_id]
        if found is None:
            found = self._turn.by_name(label)
        if found is None and not label.call_id:
            found = self._older.by_name(label)
        if found is None:
            found = number
            if label.call_id:
                self._early[label.call_id] = number
        if label.call_id:
            self._answered[label.call_id] = found
        return found
