"""Mends the body of a Mistral request.

An assistant message and each of its calls are pieces, and every other message is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve

from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.request import CONTINUE, RECEIVED, SILENT, plain_name
from turnlock.wire.common.rules import Violation
from turnlock.wire.mistral import rules
from turnlock.wire.mistral.check import IDS
from turnlock.wire.repair.pairing import UNKNOWN_END
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

Row = dict[str, Any]


@define(eq=False)
class MistralRepairer(Repairer):
    """The means of Mistral."""

    rows_field: ClassVar[str] = "messages"
    id_style: ClassVar[IdStyle] = IDS

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """An assistant message stands before its calls."""
        return [piece for at, row in enumerate(rows) for piece in _pieces(at, row)]

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Calls stand in the message before them again."""
        rows: list[Any] = []
        for piece in pieces:
            if piece.sort is not Sort.CALL:
                emptied = piece.kind == _ASKS
                rows.append({**piece.raw, "tool_calls": []} if emptied else piece.raw)
            else:
                rows[-1]["tool_calls"].append(piece.raw)
        return rows

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        """A tool message that names its tool."""
        function = call.raw.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        named = {"name": plain_name(name)} if isinstance(name, str) else {}
        row = {"role": "tool", "tool_call_id": call.label, **named, "content": UNKNOWN_END}
        return Piece(Sort.OUTPUT, row, label=call.label)

    def fits(self, label: str) -> bool:
        """Newer tokenizers take nearly any."""
        return label not in ("", "null") if rules.V13 in self.profiles else IDS.fits(label)

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the call or the tool message."""
        name = "id" if piece.sort is Sort.CALL else "tool_call_id"
        return evolve(piece, raw={**piece.raw, name: label}, label=label)


_ASKS = "asks"


def _pieces(at: int, row: object) -> list[Piece]:
    where = f"/messages/{at}"
    if not isinstance(row, Mapping):
        return [Piece(Sort.MESSAGE, row, where, at)]
    role, calls = row.get("role"), row.get("tool_calls")
    if role == "tool":
        return [Piece(Sort.OUTPUT, row, where, at, label=_label(row, "tool_call_id"))]
    if role != "assistant":
        return [Piece(Sort.MESSAGE, row, where, at)]
    if not isinstance(calls, list) or not calls or not all(isinstance(call, Mapping) for call in calls):
        return [Piece(Sort.SAID, row, where, at)]
    asked = [
        Piece(Sort.CALL, call, f"{where}/tool_calls/{place}", at, label=_label(call, "id"))
        for place, call in enumerate(calls)
    ]
    return [Piece(Sort.SAID, row, where, at, kind=_ASKS), *asked]


def _label(row: Mapping[str, Any], name: str) -> str:
    label = row.get(name)
    return label if isinstance(label, str) else ""


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _place(body: Row, violation: Violation) -> tuple[list[Any], int]:
    return body["messages"], int(violation.at.split("/")[2])


def _opened(rows: list[Any]) -> Mended:
    rows.insert(0, {"role": "user", "content": CONTINUE})
    return Mended("The history begins with an answer: a user's message stands before it.")


def _in_order(body: Row, violation: Violation) -> Mended | None:
    rows, at = _place(body, violation)
    if at == 0:
        return _opened(rows)
    before, role = rows[at - 1], rows[at]["role"]
    if isinstance(before, dict) and (before.get("role"), role) == ("tool", "user"):
        rows.insert(at, {"role": "assistant", "content": RECEIVED})
        return Mended("A user may not speak directly behind results: a short answer stands between.")
    if role == "system":
        rows[at]["role"] = "user"
        return Mended("The system may not speak here: the message is a user's.")
    return None


def _at_the_end(body: Row, violation: Violation) -> Mended | None:
    rows = body.get("messages")
    if not isinstance(rows, list):
        return None
    if violation.at.endswith("/prefix"):
        _, at = _place(body, violation)
        rows[at].pop("prefix")
        return Mended("Only the last message may be a prefix: this one is none.")
    if not rows:
        rows.append({"role": "user", "content": CONTINUE})
        return Mended("The history is empty: a user's message stands in it.")
    rows.append({"role": "user", "content": CONTINUE})
    return Mended("An answer may not be the last word: a user's message stands behind it.")


def _one_of_both(body: Row, violation: Violation) -> Mended:
    rows, at = _place(body, violation)
    row = rows[at]
    if not row.get("content"):
        row["content"] = SILENT
        return Mended("The answer was empty: it says so.")
    said = {key: value for key, value in row.items() if key not in ("tool_calls", "prefix")}
    rows[at : at + 1] = [said, {**row, "content": ""}]
    return Mended("An answer is words or calls here: the words have a message of their own.")


def _paired_at_the_start(body: Row, _violation: Violation) -> Mended | None:
    """mistral-common does not pair what stands first."""
    rows = body["messages"]
    first = rows[0].get("role") if isinstance(rows[0], dict) else None
    return _opened(rows) if first == "assistant" else None


MistralRepairer.mends = MappingProxyType[str, Mend](
    {
        rules.ORDER.id: _in_order,
        rules.LAST.id: _at_the_end,
        rules.CONTENT_XOR.id: _one_of_both,
        rules.ID_SET.id: _paired_at_the_start,
        rules.COUNT.id: _paired_at_the_start,
    }
)

MistralRepairer.reach = MappingProxyType(
    {
        rules.ORDER.id: Reach.ROW,
        rules.LAST.id: Reach.ROW,
        rules.CONTENT_XOR.id: Reach.ROW,
    }
)
