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

from turnlock.engine.items import CallKind, Item, Known, ModelItem
from turnlock.wire.common.ids import PLAIN_IDS, IdStyle, WireIds
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import Encoded, Settings

Rows = list[Mapping[str, Any]]
"""Entries of the body's list."""

Places = list[int | None]
"""For each item of a block, which of the block's rows it became."""


@define(eq=False)
class Encoder(ABC):
    """Turns the transcript of one session into request bodies; one per session.

    A block is what a dialect writes at once: the items of one answer that stand together, and one other item,
    or all that stand between two answers (``joins``). Blocks are never cut: one that has changed or grown is
    encoded anew, and with it what stands behind it.

    Attributes:
        profiles: What is known of the server beside its dialect.
    """

    transcript: ClassVar[str]
    """The field of the body that carries the transcript."""

    kinds: ClassVar[frozenset[CallKind]] = frozenset(CallKind)
    """The kinds of calls that a model can make in this dialect."""

    joins: ClassVar[bool] = False
    """What stands between two answers is one block: outputs and messages share a row."""

    id_style: ClassVar[IdStyle] = PLAIN_IDS
    """What the provider takes for a call id."""

    profiles: frozenset[str] = frozenset()
    _basis: Hashable = field(init=False, default=None)
    _known: Known | None = field(init=False, default=None)
    _paused: bool = field(init=False, default=False)
    _ids: WireIds = field(init=False)
    _items: list[Item] = field(init=False, factory=list)
    _places: Places = field(init=False, factory=list)
    _bytes: bytearray = field(init=False, factory=bytearray)
    _rows: int = field(init=False, default=0)
    # Items, bytes and rows before each block behind the last answer: what a refusal may replace (R20), and
    # what may still grow, starts here.
    _marks: list[tuple[int, int, int]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._ids = WireIds(self.id_style)

    def encode(
        self,
        items: Sequence[Item],
        length: int,
        settings: Settings,
        known: Known | None = None,
        *,
        paused: bool = False,
    ) -> Encoded:
        """Encode the first ``length`` items: the same items and settings give the same bytes.

        Args:
            items: The transcript; items that were encoded before are recognised by identity.
            length: How many of them the request carries.
            settings: What the request says beside them.
            known: What the provider knows of them, for a dialect whose provider keeps histories.
            paused: The provider paused, and waits for its own response back, with nothing behind it (R21).

        Raises:
            TypeError: Content or options hold something that is not a JSON value.
            ValueError: An option takes the place of a field of ``Settings``.
        """
        self._known, self._paused = known, paused
        return self._encode(items, length, settings)

    def _encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """The same; a dialect may look at the whole first."""
        envelope = dumps(self._envelope(settings))
        basis = self._shapes_items(settings)
        if basis != self._basis:
            self._start(settings)
            self._basis = basis
        try:
            self._keep(items, length, settings)
            for block in self._blocks(items, length):
                self._append(block, settings)
            closing = [] if self._paused else self._closing(settings)
        except BaseException:
            self._basis = None  # half a block may be written: begin anew the next time
            raise
        opening = b"{" if envelope == b"{}" else envelope[:-1] + b","
        head = opening + b'"' + self.transcript.encode() + b'":['
        tail = b",".join(map(dumps, closing))
        if tail and self._rows:
            tail = b"," + tail
        return Encoded(b"".join((head, self._bytes, tail, b"]}")), tuple(self._places))

    def _start(self, settings: Settings) -> None:
        """Forget everything."""
        self._ids = WireIds(self.id_style)
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
        if 0 < same < length and self._one_block(items[same - 1], items[same]):
            same -= 1  # the last block has grown
        if same == len(known):
            return
        while self._marks and self._marks[-1][0] > same:
            self._marks.pop()
        if not self._marks:
            self._start(settings)
            return
        kept, size, self._rows = self._marks.pop()
        del self._bytes[size:], known[kept:], self._places[kept:]

    def _append(self, block: Sequence[Item], settings: Settings) -> None:
        if isinstance(block[0], ModelItem):
            self._marks.clear()
        else:
            self._marks.append((len(self._items), len(self._bytes), self._rows))
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

    def _closing(self, _settings: Settings) -> Rows:
        """Rows behind the last item that only this request carries; they are no part of the history."""
        return []

    def _one_block(self, item: Item, following: Item) -> bool:
        """The two are written at once."""
        if isinstance(item, ModelItem):
            return isinstance(following, ModelItem) and item.request == following.request
        return self.joins and not isinstance(following, ModelItem)

    def _blocks(self, items: Sequence[Item], length: int) -> Iterator[Sequence[Item]]:
        start = len(self._items)
        while start < length:
            end = start + 1
            while end < length and self._one_block(items[end - 1], items[end]):
                end += 1
            yield items[start:end]
            start = end
