"""Mends a transcript that somebody else has built, and says where one may be cut.

The same pairing as for bodies, on items: afterwards every dialect's encoder gives a valid body of it. Lists
in, lists out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from attrs import define, evolve, frozen

from turnlock.engine.items import Call, Item, Message, ModelItem, Output, Reasoning, ServerCall, Text
from turnlock.engine.outcome import UNRECORDED
from turnlock.wire.repair.pairing import Pairing
from turnlock.wire.repair.pieces import Change, Piece, Sort


@frozen
class MendedTranscript:
    """A mended transcript.

    Attributes:
        items: The items, in the canonical order (R4).
        changes: What was done; ``Change.at`` is the item's index in the list that was given, as ``/3``.
    """

    items: tuple[Item, ...]
    changes: tuple[Change, ...]


def mend_transcript(items: Sequence[Item]) -> MendedTranscript:
    """Close what is open and put every pair together; nothing but orphans is taken out (C36 to C41).

    A call without an output gets the one of a lost call; an output that stands elsewhere is moved behind its
    call; one without a call, and a second one, are set aside; so is reasoning at the end of an answer, whose
    item was never completed. Mending twice changes nothing more.
    """
    pairing = Pairing(_Items())
    pieces = [_piece(at, item) for at, item in enumerate(items)]
    thoughts = _alone(pieces)
    mended = pairing.mend(piece for piece in pieces if piece not in thoughts)
    aside = [
        Change(
            "The item that the reasoning belongs to is not here: it is set aside.",
            piece.at,
            set_aside=piece.raw,
        )
        for piece in thoughts
    ]
    return MendedTranscript(tuple(piece.raw for piece in mended), (*pairing.changes, *aside))


def cut_to_last(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """The end of a transcript, cut where no pair is split and a message comes first (R18, C43).

    Args:
        items: A transcript in the canonical order.
        count: How many items to keep at most. Where the last turn alone is longer than that, all of it is
            kept: a shorter history would begin with an answer to nothing.

    Returns:
        At most ``count`` items, or the last turn.

    Raises:
        ValueError: ``count`` is not positive.
    """
    if count < 1:
        raise ValueError(f"count={count}: keep at least one item")
    starts = [at for at, item in enumerate(items) if isinstance(item, Message) and _opens(items, at)]
    if len(items) <= count or not starts:
        return tuple(items)
    start = next((at for at in starts if at >= len(items) - count), starts[-1])
    return tuple(items[start:])


def _opens(items: Sequence[Item], at: int) -> bool:
    """A message with which a history may begin: the first of those that stand together."""
    return at == 0 or not isinstance(items[at - 1], Message)


def _piece(at: int, item: Item) -> Piece:
    where = f"/{at}"
    match item:
        case Call():
            return Piece(Sort.CALL, item, where, at, label=str(item.ordinal))
        case Output():
            return Piece(Sort.OUTPUT, item, where, at, label=str(item.ordinal))
        case Reasoning():
            return Piece(Sort.REASONING, item, where, at)
        case Text():
            return Piece(Sort.SAID, item, where, at)
        case ServerCall():
            return Piece(Sort.SERVER, item, where, at)
        case _:
            return Piece(Sort.MESSAGE, item, where, at)


def _alone(pieces: Sequence[Piece]) -> set[Piece]:
    """Reasoning behind which nothing of its answer stands (C41)."""
    alone: set[Piece] = set()
    followed = False
    for at in reversed(range(len(pieces))):
        item = pieces[at].raw
        following = pieces[at + 1].raw if at + 1 < len(pieces) else None
        if not isinstance(item, ModelItem):
            continue
        same = isinstance(following, ModelItem) and following.request == item.request
        followed = not isinstance(item, Reasoning) or (followed and same)
        if not followed:
            alone.add(pieces[at])
    return alone


@define(eq=False)
class _Items:
    """The means of the transcript itself: outputs directly behind the calls of an answer."""

    adjacent: ClassVar[bool] = True
    calls_last: ClassVar[bool] = False
    ids_once: ClassVar[bool] = False

    def joins(self, run: Sequence[Piece], piece: Piece) -> bool:
        same: bool = run[-1].raw.request == piece.raw.request
        return same

    def accepts(self, _call: Piece, _output: Piece) -> bool:
        return True

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        return Piece(Sort.OUTPUT, Output(call.raw.ordinal, UNRECORDED), label=call.label)

    def fits(self, _label: str) -> bool:
        return True

    def relabelled(self, piece: Piece, label: str) -> Piece:
        return evolve(piece, raw=evolve(piece.raw, ordinal=int(label)), label=label)

    def new_label(self, label: str, number: int) -> str:
        return str(int(label) + number)
