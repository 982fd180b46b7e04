"""Bodies, damaged as agents damage them: an output is lost, sent twice, or stands behind the next message.

Works on raw bodies of every dialect, and knows of them only where outputs, calls and texts stand: nothing of
the library, which is judged by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from attrs import frozen

ANYWHERE = frozenset({"openai_responses"})
"""Dialects in which an output may stand anywhere behind its call."""

_BLOCKS = {"anthropic": "content", "bedrock_converse": "content", "gemini": "parts"}
_KEYS = {"openai_responses": "input", "deepseek_responses": "input", "gemini": "contents"}
_RESPONSES_OUTPUTS = {
    "function_call_output",
    "custom_tool_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "computer_call_output",
    "tool_search_output",
    "mcp_approval_response",
}
_LABELS = frozenset({"id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "approval_request_id"})
_FORM = frozenset({"role", "type", "status", "is_error", "cache_control", "signature", "thoughtSignature"})


@frozen
class Place:
    """Where an output stands: a row, or a block of one."""

    row: int
    block: int | None
    label: str


@frozen
class Damage:
    """A damaged body.

    Attributes:
        name: What was done to it.
        body: It.
        label: The call id of the output.
    """

    name: str
    body: dict[str, Any]
    label: str

    def __str__(self) -> str:
        return f"{self.name} {self.label}"


def key_of(dialect: str) -> str:
    """The field that holds the rows."""
    return _KEYS.get(_family(dialect), "messages")


def _family(dialect: str) -> str:
    return dialect.partition("+")[0]


def outputs(body: Mapping[str, Any], dialect: str) -> list[Place]:
    """Every output of a client."""
    rows = body.get(key_of(dialect))
    return list(_outputs(rows, _family(dialect))) if isinstance(rows, list) else []


def _outputs(rows: list[Any], family: str) -> Iterator[Place]:
    field = _BLOCKS.get(family)
    for at, row in enumerate(rows):
        if field is None:
            if (label := _row_label(row, family)) is not None:
                yield Place(at, None, label)
            continue
        blocks = row.get(field)
        for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if (label := _block_label(block)) is not None:
                yield Place(at, index, label)


def _row_label(row: Mapping[str, Any], family: str) -> str | None:
    if "responses" in family:
        if row.get("type") not in _RESPONSES_OUTPUTS or row.get("execution") == "server":
            return None
        return str(row.get("call_id", row.get("approval_request_id")))
    return str(row.get("tool_call_id")) if row.get("role") == "tool" else None


def _block_label(block: Any) -> str | None:
    if not isinstance(block, Mapping):
        return None
    if block.get("type") == "tool_result":
        return str(block["tool_use_id"])
    for name, label in (("toolResult", "toolUseId"), ("functionResponse", "id")):
        if name in block:
            return str(block[name].get(label, block[name].get("name")))
    return None


def damages(body: Mapping[str, Any], dialect: str) -> Iterator[Damage]:
    """Every damage of every output that must be noticed.

    An output whose call the provider holds may be missing, and where outputs may stand anywhere they may be
    moved.
    """
    asked = _calls(body, dialect)
    for place in outputs(body, dialect):
        if place.label in asked or _family(dialect) == "gemini":
            yield Damage("removed", _without(body, dialect, place)[0], place.label)
        yield Damage("doubled", _doubled(body, dialect, place), place.label)
        if _family(dialect) not in ANYWHERE and (moved := _moved(body, dialect, place)) is not None:
            yield Damage("moved", moved, place.label)


def _calls(body: Mapping[str, Any], dialect: str) -> set[str]:
    """The labels that stand in the body outside of outputs."""
    labels: set[str] = set()
    rows = body[key_of(dialect)]
    places = {(place.row, place.block) for place in outputs(body, dialect)}
    field = _BLOCKS.get(_family(dialect), "")
    for at, row in enumerate(rows):
        if (at, None) in places:
            continue
        blocks = row.get(field) if field else None
        if isinstance(blocks, list):
            for index, block in enumerate(blocks):
                if (at, index) not in places:
                    labels |= _labels(block)
        else:
            labels |= _labels(row)
    return labels


def _labels(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        own = {str(value[name]) for name in _LABELS if name in value}
        return own.union(*(_labels(inner) for inner in value.values()))
    return set().union(*(_labels(inner) for inner in value)) if isinstance(value, list) else set()


def _without(body: Mapping[str, Any], dialect: str, place: Place) -> tuple[dict[str, Any], Any]:
    """The body without an output, and a row that holds nothing else."""
    damaged = deepcopy(dict(body))
    rows = damaged[key_of(dialect)]
    if place.block is None:
        return damaged, rows.pop(place.row)
    field = _BLOCKS[_family(dialect)]
    row = rows[place.row]
    block = row[field].pop(place.block)
    if not row[field]:
        del rows[place.row]
    return damaged, {**row, field: [block]}


def _doubled(body: Mapping[str, Any], dialect: str, place: Place) -> dict[str, Any]:
    damaged = deepcopy(dict(body))
    rows = damaged[key_of(dialect)]
    if place.block is None:
        rows.insert(place.row, deepcopy(rows[place.row]))
    else:
        blocks = rows[place.row][_BLOCKS[_family(dialect)]]
        blocks.insert(place.block, deepcopy(blocks[place.block]))
    return damaged


def _moved(body: Mapping[str, Any], dialect: str, place: Place) -> dict[str, Any] | None:
    damaged, row = _without(body, dialect, place)
    rows = damaged[key_of(dialect)]
    later = range(place.row, len(rows)) if place.block is None else range(place.row + 1, len(rows))
    following = next((at for at in later if _is_said(rows, at, dialect)), None)
    if following is None:
        return None
    rows.insert(following + 1, row)
    return damaged


def _is_said(rows: list[Any], at: int, dialect: str) -> bool:
    """A row of the user that is no output."""
    row = rows[at]
    if row.get("role") != "user":
        return False
    field = _BLOCKS.get(_family(dialect))
    blocks = row.get(field) if field else None
    return not isinstance(blocks, list) or any(_block_label(block) is None for block in blocks)


def hurt(body: Mapping[str, Any], dialect: str, choose: Callable[[int], int]) -> dict[str, Any]:
    """Rows and blocks deleted, doubled and moved, as chance has it: ``choose(n)`` is a number below n.

    Rows that end up empty go; what the provider executed itself is not doubled, because it alone writes it.
    """
    damaged = deepcopy(dict(body))
    rows, field = damaged[key_of(dialect)], _BLOCKS.get(_family(dialect), "")
    for _ in range(1 + choose(3)):
        lists = [row[field] for row in rows if isinstance(row.get(field), list) and row[field]]
        entries = lists[choose(len(lists))] if lists and choose(2) else rows
        if entries:
            _hit(entries, choose)
    rows[:] = [row for row in rows if not field or row.get(field) != []]
    return damaged


def _hit(entries: list[Any], choose: Callable[[int], int]) -> None:
    at, way = choose(len(entries)), choose(3)
    entry = entries[at]
    if way == 0 or (way == 1 and entry.get("execution") == "server"):
        del entries[at]
    elif way == 1:
        entries.insert(choose(len(entries) + 1), deepcopy(entry))
    else:
        entries.insert(choose(len(entries)), entries.pop(at))


def said(value: Any, *, below: str = "") -> Counter[str]:
    """Every text in a body, a row or a block, however often: names, arguments, outputs, messages.

    Not counted are ids, which a repair may change, and what only says of what kind something is.
    """
    if isinstance(value, Mapping):
        found: Counter[str] = Counter()
        for name, inner in value.items():
            if name not in _LABELS and name not in _FORM:
                found += said(inner, below=name)
        return found
    if isinstance(value, list | tuple):
        return sum((said(inner, below=below) for inner in value), Counter())
    return Counter([value] if isinstance(value, str) and value else [])
