"""A dialect's means of repair, and the order in which a body is mended: pairs first, then rule by rule.

It owns the order and the promise that a repair ends and changes nothing that is right. What a body of a
dialect is made of, and how one of its rules is mended, stands in the dialect's ``repair.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias

from attrs import define, frozen

from turnlock.wire.common.ids import PLAIN_IDS, IdStyle
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.rules import Severity, Violation
from turnlock.wire.repair.pairing import Pairing
from turnlock.wire.repair.pieces import Change, Piece, Repaired, copied

Mend: TypeAlias = Callable[[dict[str, Any], Violation], "Mended | None"]
"""Changes a body in place so that one violation goes; says what it did, or None when it cannot."""

_ROUNDS = 1_000  # of checks: each takes at least one violation away, and no mend of ours makes another


class Reach(IntEnum):
    """How far from where a violation stands its mend changes a body."""

    PLACE = 0  # the block or the row itself, which may go, and rows behind it that no other mend looks at
    ROW = 1  # the row, and those directly beside it
    BODY = 2  # anything


@frozen
class Mended:
    """What a mend did.

    Attributes:
        what: In a sentence.
        set_aside: What no longer stands in the body.
    """

    what: str
    set_aside: Any = None


@define(eq=False)
class Repairer(ABC):
    """The means of one dialect, for one body.

    Attributes:
        profiles: What is known of the server beside its dialect.
        open_calls: Ids of calls that the provider holds open.
    """

    rows_field: ClassVar[str]
    """The field of the body that carries its list."""

    adjacent: ClassVar[bool] = True
    calls_last: ClassVar[bool] = False
    id_style: ClassVar[IdStyle] = PLAIN_IDS
    mends: ClassVar[Mapping[str, Mend]] = {}
    """By rule: how a violation is mended. Rules about pairs and ids need none."""

    reach: ClassVar[Mapping[str, Reach]] = {}
    """By rule: how far its mend reaches, so that many can be mended after one check; ``BODY`` if not here."""

    profiles: frozenset[str] = frozenset()
    open_calls: frozenset[str] = frozenset()

    @abstractmethod
    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """Take the rows of a body apart."""

    @abstractmethod
    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Put them together again: pieces that were one row and still are neighbours are one row."""

    @property
    def ids_once(self) -> bool:
        """No id may come again, also when its call has been answered."""
        return False

    def held(self, _body: Mapping[str, Any]) -> bool:
        """Does the provider hold history, so that an output may answer what the body does not show?"""
        return False

    # ── what the pairing asks ───────────────────────────────────────────────────────────────────────

    def joins(self, run: Sequence[Piece], piece: Piece) -> bool:
        """Does a piece that the model made belong to the same answer as those before it?"""
        return piece.row == run[-1].row

    def accepts(self, _call: Piece, _output: Piece) -> bool:
        """Is this kind of output taken for this kind of call?"""
        return True

    @abstractmethod
    def answer(self, call: Piece, output: Piece | None) -> Piece:
        """An output of the right kind for a call: with what another one says, else with ``UNKNOWN_END``."""

    def fits(self, label: str) -> bool:
        """Is this taken for a call id?"""
        return self.id_style.fits(label)

    @abstractmethod
    def relabelled(self, piece: Piece, label: str) -> Piece:
        """The same call or output under another id."""

    def new_label(self, label: str, number: int) -> str:
        """An id that is taken, near to one that is not."""
        return self.id_style.told_apart(self.id_style.written(label, str(number)), str(number))


def repair_body(
    body: Mapping[str, Any],
    given: bytes | None,
    means: Repairer,
    check: Callable[[Mapping[str, Any]], Collection[Violation]],
) -> Repaired:
    """Mend a body: pairs first, then rule by rule, until nothing is wrong that can be mended.

    Args:
        body: The body.
        given: Its bytes, as they were given.
        means: The dialect's.
        check: Every violation of a body.
    """
    rows = body.get(means.rows_field)
    value: dict[str, Any] = copied(body)
    pairing = Pairing(means, held=means.held(body))
    changes = pairing.changes
    if isinstance(rows, list | tuple):
        pieces = pairing.mend(means.pieces(copied(rows)))
        if changes:
            value[means.rows_field] = means.rows(pieces)
    stuck: set[tuple[str, str]] = set()
    for _ in range(_ROUNDS):
        wrong = _next(_errors(check(value)), means, stuck)
        if not wrong:
            break
        mend, done = means.mends.get(wrong[0].rule), []
        for each in wrong:  # the last first: so the places of the others stay right
            mended = mend(value, each) if mend is not None else None
            if mended is None:
                stuck.add((each.rule, each.at))
            else:
                done.append(Change(mended.what, each.at, each.rule, each.call_ids, mended.set_aside))
        changes.extend(reversed(done))
    left = tuple(_errors(check(value)))
    if not changes:
        return Repaired(body, dumps(body) if given is None else given, (), left)
    return Repaired(value, dumps(value), tuple(changes), left)


def _next(
    errors: Sequence[Violation], means: Repairer, stuck: Collection[tuple[str, str]]
) -> list[Violation]:
    """What can be mended without another check: violations of one rule that are far enough apart."""
    left = [each for each in errors if (each.rule, each.at) not in stuck]
    if not left:
        return []
    reach = means.reach.get(left[0].rule, Reach.BODY)
    if reach is Reach.BODY:
        return left[:1]
    places = {_place(each.at): each for each in left if each.rule == left[0].rule}
    chosen: list[Violation] = []
    row: int | None = None  # of the last one that was chosen
    for place in sorted(places, reverse=True):
        if row is None or reach is Reach.PLACE or place[0] < row - 1:
            chosen.append(places[place])
            row = place[0]
    return chosen


def _place(at: str) -> tuple[int, ...]:
    """The numbers of a JSON pointer: the row, and the block in it."""
    return tuple(int(part) for part in at.split("/") if part.isdecimal()) or (-1,)


def _errors(found: Collection[Violation]) -> list[Violation]:
    return [violation for violation in found if violation.severity is Severity.ERROR]
