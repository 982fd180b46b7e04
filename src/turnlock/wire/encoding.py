"""Encoding that grows with a transcript: what was encoded once is copied, not encoded again.

It owns the bytes of the items that a session has sent, and decides by identity how many of them still
stand. How one item is written is the dialect's. The result depends on the
items and the settings alone, never on what was encoded before (R10, R19).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import islice
from operator import is_
from typing import Any, ClassVar

from attrs import define, field

from turnlock.engine.items import CallKind, Item, ModelItem
from turnlock.wire.ids import WireIds
from turnlock.wire.jsontext import dumps
from turnlock.wire.request import Encoded, Settings

Rows = list[Mapping[str, Any]]
"""Entries of the body's list."""

Places = list[int | None]
"""For each item of a block, which of the block's rows it became."""


@define(eq=False)
class Encoder(ABC):
    """Turns the transcript of one session into request bodies; one per session.

    A block is what a dialect writes at once: the items of one answer that stand together, or one other
    item. Blocks are never cut; a history that changes within one is encoded anew.
    """

    transcript: ClassVar[str]
    """The field of the body that carries the transcript."""

    kinds: ClassVar[frozenset[CallKind]] = frozenset(CallKind)
    """The kinds of calls that a model can make in this dialect."""

    _basis: Hashable = field(init=False, default=None)
    _ids: WireIds = field(init=False, factory=WireIds)
    _items: list[Item] = field(init=False, factory=list)
    _places: Places = field(init=False, factory=list)
    _bytes: bytearray = field(init=False, factory=bytearray)
    _rows: int = field(init=False, default=0)
    # Bytes and rows before each item behind the last answer: what a refusal may replace (R20) starts here.
    _marks: list[tuple[int, int]] = field(init=False, factory=list)

    def encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """Encode the first ``length`` items: the same items and settings give the same bytes.

        Args:
            items: The transcript; items that were encoded before are recognised by identity.
            length: How many of them the request carries.
            settings: What the request says beside them.

        Raises:
            TypeError: Content or options hold something that is not a JSON value.
            ValueError: An option takes the place of a field of ``Settings``.
        """
        envelope = dumps(self._envelope(settings))
        basis = self._shapes_items(settings)
        if basis != self._basis:
            self._start(settings)
            self._basis = basis
        try:
            self._keep(items, length, settings)
            for block in _blocks(items, len(self._items), length):
                self._append(block, settings)
        except BaseException:
            self._basis = None  # half a block may be written: begin anew the next time
            raise
        head = envelope[:-1] + b',"' + self.transcript.encode() + b'":['
        return Encoded(b"".join((head, self._bytes, b"]}")), tuple(self._places))

    def _start(self, settings: Settings) -> None:
        """Forget everything."""
        self._ids = WireIds()
        self._items.clear()
        self._places.clear()
        self._marks.clear()
        self._bytes.clear()
        self._rows = 0
        self._write(self._opening(settings))

    def _keep(self, items: Sequence[Item], length: int, settings: Settings) -> None:
        """Drop what does not stand at the same place any more."""
        known = self._items
        same = len(known)
        if same > length or not all(map(is_, known, items)):
            pairs = enumerate(zip(known, islice(items, length), strict=False))
            same = next((at for at, (old, new) in pairs if old is not new), min(same, length))
        surplus = len(known) - same
        joins = 0 < same < length and _one_answer(items[same - 1], items[same])
        if joins or surplus > len(self._marks):
            self._start(settings)
        elif surplus:
            size, self._rows = self._marks[-surplus]
            del self._bytes[size:], known[same:], self._places[same:], self._marks[-surplus:]

    def _append(self, block: Sequence[Item], settings: Settings) -> None:
        if isinstance(block[0], ModelItem):
            self._marks.clear()
        else:
            self._marks.append((len(self._bytes), self._rows))
        rows, places = self._block(block, settings)
        first = self._rows
        self._write(rows)
        self._items.extend(block)
        self._places.extend(None if place is None else first + place for place in places)

    def _write(self, rows: Rows) -> None:
        for row in rows:
            if self._rows:
                self._bytes += b","
            self._bytes += dumps(row)
            self._rows += 1

    @abstractmethod
    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        """Everything in the body but the transcript."""

    @abstractmethod
    def _shapes_items(self, settings: Settings) -> Hashable:
        """What of the settings changes how items are written."""

    def _opening(self, _settings: Settings) -> Rows:
        """Rows that stand before the transcript's."""
        return []

    @abstractmethod
    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        """Write one block."""


def _one_answer(item: Item, following: Item) -> bool:
    """Both were made by the model in answer to one request."""
    return (
        isinstance(item, ModelItem) and isinstance(following, ModelItem) and item.request == following.request
    )


def _blocks(items: Sequence[Item], start: int, length: int) -> Iterator[Sequence[Item]]:
    while start < length:
        end = start + 1
        while end < length and _one_answer(items[end - 1], items[end]):
            end += 1
        yield items[start:end]
        start = end
