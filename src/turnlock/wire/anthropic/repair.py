"""Mends the body of an Anthropic request.

Every block is a piece; a message whose content is text, or no list at all, is one. Blocks of one message that
stay neighbours stay in one. What the server's own calls left behind is set aside, because nothing that a
client sends can resolve it (R16); the thinking of a loop that began without it is switched off, as the
provider advises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve

from turnlock.engine.outcome import NO_OUTPUT
from turnlock.wire.anthropic import rules
from turnlock.wire.anthropic.blocks import (
    NOTHING_SAID,
    TEXT,
    THINKING,
    TOOL_RESULT,
    TOOL_USE,
    block_type,
)
from turnlock.wire.anthropic.servers import MINIMAX_FOLLOW
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.jsontext import arguments_of, as_object
from turnlock.wire.common.request import CONTINUE, NAMELESS
from turnlock.wire.common.rules import Violation
from turnlock.wire.repair.pairing import UNKNOWN_END
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

Body = dict[str, Any]

_EMPTY = {"role": "user", "content": []}
_MADE = -1  # the row of a piece that stood in none
_ANY_LENGTH = 4096  # the provider names no limit: an id that it takes is not changed
_SORTS = {TEXT: Sort.SAID, TOOL_USE: Sort.CALL, **dict.fromkeys(THINKING, Sort.REASONING)}
_LABELS = {TOOL_USE: "id", TOOL_RESULT: "tool_use_id"}


@define(eq=False)
class AnthropicRepairer(Repairer):
    """The means of Anthropic Messages: neighbours of one role are one message."""

    rows_field: ClassVar[str] = "messages"
    calls_last: ClassVar[bool] = True
    id_style: ClassVar[IdStyle] = IdStyle(length=_ANY_LENGTH, charset="_-")

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """Every block of a list is one, and every other message."""
        return [piece for at, row in enumerate(rows) for piece in _pieces(at, row)]

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Blocks of one message that are neighbours are one message again; new results join others."""
        rows: list[Any] = []
        before: Piece | None = None
        for piece in pieces:
            if not piece.shell:  # in place of an empty message stand the results that are made
                held = before is not None and before.row < 0 and piece.raw == _EMPTY
                rows += [] if held else [piece.raw]
            elif before is not None and _one_row(before, piece):
                rows[-1]["content"].append(piece.raw)
            else:
                rows.append({**piece.shell, "content": [piece.raw]})
            before = piece if piece.shell else None
        return rows

    def joins(self, _run: Sequence[Piece], _piece: Piece) -> bool:
        """What the model made without a break is one answer, in however many messages it stands."""
        return True

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        """An error, which says what is known."""
        block = {
            "type": TOOL_RESULT,
            "tool_use_id": call.label,
            "content": UNKNOWN_END,
            "is_error": True,
        }
        if isinstance(call.raw.get("toolset_name"), str):
            block["toolset_name"] = call.raw["toolset_name"]
        row = {"role": "user"}
        return Piece(Sort.OUTPUT, block, "", _MADE, row, call.label, TOOL_RESULT)

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the field of its type that carries the id."""
        return evolve(piece, raw={**piece.raw, _LABELS[piece.kind]: label}, label=label)


def _pieces(at: int, row: object) -> list[Piece]:
    where = f"/messages/{at}"
    role = row.get("role") if isinstance(row, Mapping) else None
    content = row.get("content") if isinstance(row, Mapping) else None
    by_model = role == "assistant"
    if not isinstance(row, Mapping) or not isinstance(content, list) or not content:
        return [Piece(Sort.SAID if by_model else Sort.MESSAGE, row, where, at)]
    shell = {name: value for name, value in row.items() if name != "content"} or {"role": "user"}
    return [
        _piece(Piece(Sort.MESSAGE, block, f"{where}/content/{place}", at, shell), by_model=by_model)
        for place, block in enumerate(content)
    ]


def _piece(piece: Piece, *, by_model: bool) -> Piece:
    kind = block_type(piece.raw) if isinstance(piece.raw, Mapping) else ""
    sort = _SORTS.get(kind, Sort.SERVER) if by_model else Sort.MESSAGE
    if kind == TOOL_RESULT:
        sort = Sort.OUTPUT
        if piece.shell.get("role") == "system":  # where it would be moved from again
            piece.shell = {"role": "user"}
    label = piece.raw.get(_LABELS[kind]) if sort in (Sort.CALL, Sort.OUTPUT) else None
    return evolve(piece, sort=sort, kind=kind, label=label if isinstance(label, str) else "")


def _one_row(before: Piece, piece: Piece) -> bool:
    if before.row == piece.row >= 0:
        return before.shell.get("role") == piece.shell.get("role")
    made = before.row < 0 or piece.row < 0
    return made and before.sort is piece.sort is Sort.OUTPUT and before.shell == piece.shell


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _row(body: Body, violation: Violation) -> tuple[list[Any], int]:
    return body["messages"], int(violation.at.split("/")[2])


def _block(body: Body, violation: Violation) -> tuple[list[Any], int]:
    rows, at = _row(body, violation)
    return rows[at]["content"], int(violation.at.split("/")[4])


def _take_out(body: Body, violation: Violation, what: str) -> Mended:
    """Take a block out. A user's message that is empty without it says so; an answer is no more."""
    rows, at = _row(body, violation)
    row = rows[at]
    if isinstance(row["content"], str):
        aside, rest = row["content"], []
    else:
        blocks, place = _block(body, violation)
        aside, rest = blocks.pop(place), blocks
    if not rest and row.get("role") == "assistant":
        rows.pop(at)
    elif not rest:
        row["content"] = NOTHING_SAID
        what += " The message says that it is empty."
    return Mended(what, aside)


def _empty(body: Body, violation: Violation) -> Mended:
    return _take_out(body, violation, "The text is empty: it is left out.")


def _delta(body: Body, violation: Violation) -> Mended:
    return _take_out(body, violation, "A piece of a stream is no content: it is set aside.")


def _unpaired(body: Body, violation: Violation) -> Mended:
    return _take_out(body, violation, "Nothing can resolve the server's call any more: it is set aside.")


def _server_orphan(body: Body, violation: Violation) -> Mended:
    return _take_out(body, violation, "The server's call to this result is not here: it is set aside.")


def _input(body: Body, violation: Violation) -> Mended:
    blocks, place = _block(body, violation)
    arguments, why = arguments_of(blocks[place].get("input"))
    blocks[place]["input"] = as_object(arguments)
    if why:
        return Mended(f"The input is sent as {{}}: {why}.")
    return Mended("The input is sent as the object that its text says.")


def _error_empty(body: Body, violation: Violation) -> Mended:
    blocks, place = _block(body, violation)
    blocks[place]["content"] = ERROR_WITHOUT_TEXT
    return Mended("The error has no text: it gets one that says so.")


ERROR_WITHOUT_TEXT = f"Tool error: {NO_OUTPUT}"


def _result_of_model(body: Body, violation: Violation) -> Mended | None:
    """A result that stands in an answer, as if the model had made it."""
    rows, at = _row(body, violation)
    if rows[at].get("role") != "assistant":
        return None
    _, place = _block(body, violation)
    _split(rows, at, place, place + 1)
    return Mended("The result stands in an answer: it is moved into a user message.")


def _apart(body: Body, violation: Violation) -> Mended | None:
    """A message with results that holds more."""
    rows, at = _row(body, violation)
    if rows[at].get("role") == "assistant" or "/content/" not in violation.at:
        return None
    blocks, place = _block(body, violation)
    _split(rows, at, place, len(blocks))
    return Mended("What stands behind the results is moved into a message of its own.")


def _split(rows: list[Any], at: int, start: int, end: int) -> None:
    """Put some blocks of a message into a user message of their own."""
    row = rows[at]
    blocks = row["content"]
    cut = ((row, blocks[:start]), ({"role": "user"}, blocks[start:end]), (row, blocks[end:]))
    rows[at : at + 1] = [{**shell, "content": part} for shell, part in cut if part]


def _without_thinking(body: Body, _violation: Violation) -> Mended:
    aside = body.pop("thinking")
    return Mended("The tool loop began without thinking: it goes on without it.", aside)


def _go_on(body: Body, _violation: Violation) -> Mended:
    body["messages"].append({"role": "user", "content": CONTINUE})
    return Mended("The history ends with an answer: a message that asks to continue follows it.")


def _system(body: Body, violation: Violation) -> Mended:
    """Behind the next user turn; where there is none, the user says it."""
    rows, at = _row(body, violation)
    start = next((place for place in range(at + 1, len(rows)) if _is_user(rows[place])), None)
    if start is None:
        rows[at]["role"] = "user"
        return Mended("The system message stands where none may: the user says it.")
    end = next((place for place in range(start, len(rows)) if not _is_user(rows[place])), len(rows))
    rows.insert(end - 1, rows.pop(at))
    return Mended("The system message is moved behind the next user turn.")


def _out_of_system(body: Body, _violation: Violation) -> Mended | None:
    """Results that stand where they should, but in a system message."""
    rows: list[Any] = []
    for row in body["messages"]:
        content = row.get("content") if isinstance(row, Mapping) and row.get("role") == "system" else None
        blocks = content if isinstance(content, list) else ()
        results = [each for each in blocks if isinstance(each, dict) and block_type(each) == TOOL_RESULT]
        rest = {"content": [each for each in blocks if each not in results]}
        rows += [{"role": "user", "content": results}] if results else [row]
        rows += [{**row, **rest}] if results and rest["content"] else []
    if rows == body["messages"]:
        return None
    body["messages"] = rows
    return Mended("Results stand in a system message: they are moved into a user message.")


def _is_user(row: object) -> bool:
    return isinstance(row, Mapping) and row.get("role") not in ("assistant", "system")


def _define_tool(body: Body, violation: Violation) -> Mended:
    blocks, place = _block(body, violation)
    name = blocks[place].get("name")
    body["tools"] = [
        {"name": name if isinstance(name, str) and name else NAMELESS, "input_schema": {"type": "object"}}
    ]
    body["tool_choice"] = {"type": "none"}
    return Mended("The history has calls and no tools: one is defined that the model may not call.")


AnthropicRepairer.mends = MappingProxyType[str, Mend](
    {
        rules.EMPTY_TEXT.id: _empty,
        rules.RAW_DELTA.id: _delta,
        rules.SERVER_UNPAIRED.id: _unpaired,
        rules.SERVER_RESULT_ORPHAN.id: _server_orphan,
        rules.INPUT_DICT.id: _input,
        rules.RESULT_ERROR_EMPTY.id: _error_empty,
        rules.RESULT_ORPHAN.id: _result_of_model,
        rules.THINKING_FIRST.id: _without_thinking,
        rules.PREFILL.id: _go_on,
        rules.SYSTEM_PLACEMENT.id: _system,
        rules.USE_NO_RESULT.id: _out_of_system,
        rules.TOOLS_DEFINED.id: _define_tool,
        MINIMAX_FOLLOW.id: _apart,
    }
)

AnthropicRepairer.reach = MappingProxyType(
    {
        rules.EMPTY_TEXT.id: Reach.PLACE,
        rules.RAW_DELTA.id: Reach.PLACE,
        rules.SERVER_UNPAIRED.id: Reach.PLACE,
        rules.SERVER_RESULT_ORPHAN.id: Reach.PLACE,
        rules.INPUT_DICT.id: Reach.PLACE,
        rules.RESULT_ERROR_EMPTY.id: Reach.PLACE,
        rules.RESULT_ORPHAN.id: Reach.ROW,
        rules.SYSTEM_PLACEMENT.id: Reach.ROW,
        MINIMAX_FOLLOW.id: Reach.ROW,
    }
)
