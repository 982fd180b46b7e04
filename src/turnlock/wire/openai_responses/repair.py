"""Mends the body of an OpenAI Responses request, and of DeepSeek's, which wants outputs behind their calls.

Every input item is a piece. Item ids are left out where they break a rule: the item itself stays (R16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve

from turnlock.engine.items import Call, CallKind, Output
from turnlock.engine.outcome import UNRECORDED, Cause, Outcome
from turnlock.wire.common.rules import Violation
from turnlock.wire.openai_responses import rules
from turnlock.wire.openai_responses.decode import decode_responses, message_text
from turnlock.wire.openai_responses.kinds import BY_CALL, BY_OUTPUT, CALL_ID, SHAPES, by_provider, item_type
from turnlock.wire.openai_responses.outputs import output_rows
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

_HOLDS_HISTORY = ("previous_response_id", "conversation")


@define(eq=False)
class ResponsesRepairer(Repairer):
    """The means of OpenAI Responses: an output may stand anywhere behind its call."""

    rows_field: ClassVar[str] = "input"
    adjacent: ClassVar[bool] = False

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """Every row is one. What answers a hosted call is the provider's, unless one of ours has its id."""
        pieces = [_piece(at, row) for at, row in enumerate(rows)]
        ours = {piece.label for piece in pieces if piece.sort is Sort.CALL}
        hosted = {_label(piece.raw, CALL_ID) for piece in pieces if piece.sort is Sort.SERVER} - ours - {""}
        for piece in pieces:
            if piece.sort is Sort.OUTPUT and piece.label in hosted:
                piece.sort = Sort.SERVER
        return pieces

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Every piece is a row; a picture that shows nothing has a note behind it."""
        return [row for piece in pieces for row in (piece.raw, piece.note) if row is not None]

    @property
    def ids_once(self) -> bool:
        """At the gateways that say so."""
        return "unique_ids" in self.profiles

    def held(self, body: Mapping[str, Any]) -> bool:
        """By ``previous_response_id``, by a conversation, or by a reference to an item."""
        rows = body.get("input")
        refers = isinstance(rows, list | tuple) and any(
            isinstance(row, Mapping) and item_type(row) == "item_reference" for row in rows
        )
        return refers or any(body.get(name) is not None for name in _HOLDS_HISTORY)

    def joins(self, _run: Sequence[Piece], _piece: Piece) -> bool:
        """What the model made without a break is one answer."""
        return True

    def accepts(self, call: Piece, output: Piece) -> bool:
        """As the table of kinds says."""
        return output.kind in BY_CALL[call.kind].accepts

    def answer(self, call: Piece, output: Piece | None) -> Piece:
        """With the means of the call's kind."""
        outcome = (
            UNRECORDED if output is None else Outcome(UNRECORDED.state, Cause.RETURNED, _said(output.raw))
        )
        made = decode_responses(call.raw, request=0, model="", next_ordinal=lambda: 0)[0].item
        assert isinstance(made, Call)
        row, *more = output_rows(made, call.label, Output(0, outcome))
        return Piece(
            Sort.OUTPUT, row, label=call.label, kind=str(row["type"]), note=more[0] if more else None
        )

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the field of its kind that carries the id."""
        shape = BY_CALL.get(piece.kind)
        name = shape.id_field if shape is not None else BY_OUTPUT[piece.kind].output_id_field
        return evolve(piece, raw={**piece.raw, name: label}, label=label)


@define(eq=False)
class DeepSeekRepairer(ResponsesRepairer):
    """DeepSeek's Responses: a run of calls, and directly behind it the run of their outputs."""

    adjacent: ClassVar[bool] = True

    def held(self, _body: Mapping[str, Any]) -> bool:
        """Nothing."""
        return False

    def joins(self, run: Sequence[Piece], piece: Piece) -> bool:
        """Nothing but calls may follow a call."""
        return run[-1].sort is not Sort.CALL or piece.sort is Sort.CALL


def _piece(at: int, row: object) -> Piece:
    where = f"/input/{at}"
    if not isinstance(row, Mapping):
        return Piece(Sort.MESSAGE, row, where, at)
    kind = item_type(row)
    call, output = BY_CALL.get(kind), BY_OUTPUT.get(kind)
    if call is not None and not by_provider(call, row):
        return Piece(Sort.CALL, row, where, at, label=_label(row, call.id_field), kind=kind)
    if output is not None and not (kind == "tool_search_output" and row.get("execution") != "client"):
        return Piece(Sort.OUTPUT, row, where, at, label=_label(row, output.output_id_field), kind=kind)
    if kind == "reasoning":
        return Piece(Sort.REASONING, row, where, at)
    if kind == "message":
        return Piece(Sort.SAID if row.get("role") == "assistant" else Sort.MESSAGE, row, where, at)
    return Piece(Sort.SERVER, row, where, at)


def _label(row: Mapping[str, Any], name: str) -> str:
    label = row.get(name)
    return label if isinstance(label, str) else ""


def _said(row: Mapping[str, Any]) -> str:
    """What an output says, in words."""
    said = row.get("output")
    if isinstance(said, str):
        return said
    return message_text({"content": said}) if isinstance(said, list) else ""


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _row(body: dict[str, Any], violation: Violation) -> tuple[list[Any], int]:
    return body["input"], int(violation.at.split("/")[2])


def _without_id(body: dict[str, Any], violation: Violation) -> Mended | None:
    rows, at = _row(body, violation)
    if item_type(rows[at]) in ("item_reference", *_LABELLED_BY_ID):
        return None
    rows[at].pop("id", None)
    return Mended("The item's id is left out: the item stands by itself.")


_LABELLED_BY_ID = [shape.call for shape in SHAPES.values() if shape.id_field == "id"]


def _twice(body: dict[str, Any], violation: Violation) -> Mended | None:
    rows, at = _row(body, violation)
    if item_type(rows[at]) == "item_reference":
        return Mended("The item stands here already: its second reference is set aside.", rows.pop(at))
    return _without_id(body, violation)


def _reasoning(body: dict[str, Any], violation: Violation) -> Mended | None:
    rows, at = _row(body, violation)
    if item_type(rows[at]) != "reasoning":
        return None  # what a reference stands for, nobody here knows
    if rows[at].get("encrypted_content"):
        rows[at].pop("id", None)
        return Mended("The reasoning is sent without its id: its item is not here, or not under its own.")
    return Mended("The reasoning belongs to an item that is not sent with it: it is set aside.", rows.pop(at))


def _hosted_twice(body: dict[str, Any], violation: Violation) -> Mended | None:
    """A call that the provider executed, or its output: the pairing has none of those."""
    rows, at = _row(body, violation)
    kind = item_type(rows[at])
    if kind in BY_OUTPUT:
        return Mended("The output is a second one for its call: it is set aside.", rows.pop(at))
    same = (_but_id(row) == _but_id(rows[at]) for row in rows[:at] if isinstance(row, Mapping))
    if not by_provider(BY_CALL[kind], rows[at]) or not any(same):
        return None
    return Mended("The provider's call stands here already: its double is set aside.", rows.pop(at))


def _but_id(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def _to_the_end(body: dict[str, Any], violation: Violation) -> Mended:
    rows, at = _row(body, violation)
    if isinstance(rows[-1], Mapping) and item_type(rows[-1]) == "compaction_trigger":
        return Mended("A compaction_trigger stands at the end already: this one is set aside.", rows.pop(at))
    rows.append(rows.pop(at))
    return Mended("The compaction_trigger is moved to the end.")


def _close_held(body: dict[str, Any], violation: Violation) -> Mended:
    (call_id,) = violation.call_ids
    given = body.get("input")
    rows = given if isinstance(given, list) else [{"role": "user", "content": given}] if given else []
    output = {"type": SHAPES[CallKind.FUNCTION].output, CALL_ID: call_id, "output": UNRECORDED.model_text}
    body["input"] = [output, *rows]
    return Mended("The call that the provider holds has no output: it gets one that says so.")


ResponsesRepairer.mends = MappingProxyType[str, Mend](
    {
        rules.DUP_CALL_ID.id: _hosted_twice,
        rules.DUP_ITEM_ID.id: _twice,
        rules.ITEMID_PREFIX.id: _without_id,
        rules.REASONING_FOLLOW.id: _reasoning,
        rules.CALL_NEEDS_REASONING.id: _without_id,
        rules.STORE_FALSE_REF.id: _reasoning,
        rules.COMPACTION_LAST.id: _to_the_end,
        rules.PREV_PENDING.id: _close_held,
    }
)

ResponsesRepairer.reach = MappingProxyType(
    {
        rules.DUP_CALL_ID.id: Reach.PLACE,
        rules.DUP_ITEM_ID.id: Reach.PLACE,
        rules.ITEMID_PREFIX.id: Reach.PLACE,
        rules.REASONING_FOLLOW.id: Reach.PLACE,
        rules.CALL_NEEDS_REASONING.id: Reach.PLACE,
        rules.STORE_FALSE_REF.id: Reach.PLACE,
    }
)
