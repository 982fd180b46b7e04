"""Mends the body of a Converse request.

Every block is a piece, and neighbours of one role are one message again: Converse merges nothing, so the
repair does. A message that is no list of blocks is a piece of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve

from turnlock.engine.outcome import NO_OUTPUT
from turnlock.wire.bedrock import rules
from turnlock.wire.bedrock.blocks import EMPTY, IDS, SERVER_TOOL_USE, WORDS, label_of, text
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import CONTINUE, NAMELESS, RECEIVED, SILENT, plain_name
from turnlock.wire.common.rules import UNREADABLE, Violation
from turnlock.wire.repair.pairing import UNKNOWN_END
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

Row = dict[str, Any]


@define(eq=False)
class BedrockRepairer(Repairer):
    """The means of Converse."""

    rows_field: ClassVar[str] = "messages"
    id_style: ClassVar[IdStyle] = IDS

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """Every block is one; in a user's message results come first, as nothing may stand before them."""
        found: list[Piece] = []
        for at, row in enumerate(rows):
            content = row.get("content") if isinstance(row, Mapping) else None
            if not isinstance(content, list) or not content:
                by_model = isinstance(row, Mapping) and row.get("role") == "assistant"
                sort = Sort.SAID if by_model else Sort.MESSAGE
                found.append(Piece(sort, row, f"/messages/{at}", at, kind=_WHOLE))
                continue
            pieces = [_piece(at, row, place, block) for place, block in enumerate(content)]
            found += sorted(pieces, key=lambda piece: piece.sort is not Sort.OUTPUT)
        return found

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Neighbours of one role are one message."""
        groups: list[list[Piece]] = []
        for piece in pieces:
            group = groups[-1] if groups else []
            if group and _WHOLE not in (piece.kind, group[0].kind) and _role(piece) == _role(group[0]):
                group.append(piece)
            else:
                groups.append([piece])
        return [_written(group) for group in groups]

    def joins(self, _run: Sequence[Piece], _piece: Piece) -> bool:
        """What the model made without a break is one message."""
        return True

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        """A result of status error."""
        said = {"toolUseId": call.label, "content": [text(UNKNOWN_END)], "status": "error"}
        return Piece(Sort.OUTPUT, {"toolResult": said}, label=call.label)

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the call or the result."""
        name = "toolUse" if piece.sort is Sort.CALL else "toolResult"
        return evolve(piece, raw={**piece.raw, name: {**piece.raw[name], "toolUseId": label}}, label=label)


_WHOLE = "message"


def _piece(at: int, row: Mapping[str, Any], place: int, block: object) -> Piece:
    shell = {key: value for key, value in row.items() if key != "content"}
    where = f"/messages/{at}/content/{place}"
    by_model = row.get("role") == "assistant"
    sort, label = Sort.SAID if by_model else Sort.MESSAGE, ""
    if isinstance(block, Mapping):
        use, result = block.get("toolUse"), block.get("toolResult")
        if by_model and isinstance(use, Mapping):
            hosted = use.get("type") == SERVER_TOOL_USE and _answered(row, label_of(block, "toolUse"))
            sort, label = Sort.SERVER if hosted else Sort.CALL, label_of(block, "toolUse") or ""
        elif isinstance(result, Mapping):
            sort, label = Sort.SERVER if by_model else Sort.OUTPUT, label_of(block, "toolResult") or ""
        elif by_model and "reasoningContent" in block:
            sort = Sort.REASONING
    return Piece(sort, block, where, at, shell, label=label)


def _answered(row: Mapping[str, Any], label: str | None) -> bool:
    blocks = (block for block in row["content"] if isinstance(block, Mapping))
    return label is not None and any(label_of(block, "toolResult") == label for block in blocks)


def _role(piece: Piece) -> object:
    return piece.shell.get("role", "user")  # what the repair makes are results


def _written(group: Sequence[Piece]) -> Any:  # noqa: ANN401 - any JSON value: a row that was none stays so
    first = group[0]
    if first.kind == _WHOLE:
        return first.raw
    if len({piece.row for piece in group}) == 1:  # in the order in which they stood
        group = sorted(group, key=lambda piece: int(piece.at.rpartition("/")[2] or 0))
    shell = next((piece.shell for piece in group if piece.shell), {"role": "user"})
    return {**shell, "content": [piece.raw for piece in group]}


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _place(body: Row, violation: Violation) -> tuple[list[Any], int, int]:
    """The rows, and the row and the block that it is about."""
    parts = violation.at.split("/")
    return body["messages"], int(parts[2]), int(parts[4]) if len(parts) > 4 else 0


def _with_config(body: Row, _violation: Violation) -> Mended:
    contents = [row.get("content") for row in body["messages"] if isinstance(row, dict)]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    uses = [block["toolUse"] for block in blocks if isinstance(block, dict) and "toolUse" in block]
    names = [use.get("name") for use in uses if isinstance(use, dict)]
    known = [plain_name(name) for name in names if isinstance(name, str)] or [NAMELESS]
    given = body.get("toolConfig")
    tools = [
        {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}
        for name in dict.fromkeys(known)
    ]
    body["toolConfig"] = (given if isinstance(given, dict) else {}) | {"tools": tools}
    return Mended("The history has calls: toolConfig names their tools.")


def _blocks(row: object) -> list[Any] | None:
    """What a message says, also where it is not said in blocks; None when it is no message."""
    if not isinstance(row, dict):
        return None
    content = row.get("content")
    if isinstance(content, str):
        return [text(content)] if content.strip() else []
    return content if isinstance(content, list) else None if content else []


def _joined(body: Row, violation: Violation) -> Mended | None:
    rows, at, _ = _place(body, violation)
    before, row = rows[at - 1], rows[at]
    first, second = _blocks(before), _blocks(row)
    if first is None or second is None:
        return None
    blocks = [*first, *second]
    if row.get("role") == "user":
        blocks.sort(key=lambda block: not (isinstance(block, dict) and "toolResult" in block))
    rows[at - 1 : at + 1] = [{**row, **before, "content": blocks}]
    return Mended("Two messages of one role stand side by side: they are joined.")


def _apart(body: Row, violation: Violation) -> Mended:
    """Words stand apart from results and from calls."""
    rows, at, _ = _place(body, violation)
    row = rows[at]
    words = [block for block in row["content"] if isinstance(block, dict) and not WORDS.isdisjoint(block)]
    others = [block for block in row["content"] if block not in words]
    if row["role"] == "user":
        between = {"role": "assistant", "content": [text(RECEIVED)]}
        rows[at : at + 1] = [{**row, "content": others}, between, {**row, "content": words}]
    else:
        between = {"role": "user", "content": [text(CONTINUE)]}
        rows[at : at + 1] = [{**row, "content": words}, between, {**row, "content": others}]
    return Mended("Words may not stand here: they have a message of their own.")


def _said_nothing(body: Row, violation: Violation) -> Mended:
    rows, at, place = _place(body, violation)
    rows[at]["content"][place]["toolResult"]["content"] = [text(NO_OUTPUT)]
    return Mended("The error said nothing: it says so.")


def _as_text(body: Row, violation: Violation) -> Mended:
    rows, at, place = _place(body, violation)
    parts = rows[at]["content"][place]["toolResult"]["content"]
    number = int(violation.at.split("/")[7])
    parts[number] = text(dumps(parts[number]["json"]).decode())
    return Mended("JSON that is no object is written as text.")


def _filled(body: Row, violation: Violation) -> Mended:
    rows, at, _ = _place(body, violation)
    rows[at]["content"] = [text(SILENT if rows[at].get("role") == "assistant" else EMPTY)]
    return Mended("The message was empty: it says so.")


def _readable(body: Row, violation: Violation) -> Mended | None:
    parts = violation.at.split("/")
    row = body["messages"][int(parts[2])] if len(parts) == 4 else None
    if row is not None and parts[3] == "role":
        row["role"] = "user"
        return Mended("There is no such role here: it is the user's.")
    if row is not None and isinstance(row.get("content"), str):
        row["content"] = _blocks(row)
        return Mended("The text is a block.")
    return None


BedrockRepairer.mends = MappingProxyType[str, Mend](
    {
        rules.TOOLCONFIG.id: _with_config,
        rules.ALTERNATE.id: _joined,
        rules.MIXED_USER.id: _apart,
        rules.MIXED_ASSISTANT.id: _apart,
        rules.RESULT_ERROR_CONTENT.id: _said_nothing,
        rules.RESULT_JSON_OBJECT.id: _as_text,
        rules.EMPTY_MESSAGE.id: _filled,
        UNREADABLE.id: _readable,
    }
)

BedrockRepairer.reach = MappingProxyType(
    {
        rules.ALTERNATE.id: Reach.ROW,
        rules.MIXED_USER.id: Reach.ROW,
        rules.MIXED_ASSISTANT.id: Reach.ROW,
        rules.RESULT_ERROR_CONTENT.id: Reach.PLACE,
        rules.RESULT_JSON_OBJECT.id: Reach.PLACE,
        rules.EMPTY_MESSAGE.id: Reach.PLACE,
        UNREADABLE.id: Reach.PLACE,
    }
)
