"""Which dialect a request speaks, if it is one of ours.

Owns the decision; what it decides by is data (``endpoints.py``). In doubt a request is not ours, and passes
untouched: the guard stands in the way of whatever an SDK sends, files and token counts too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnlock.guard.endpoints import (
    ANTHROPIC,
    CHAT,
    CLUES,
    CONVERSE,
    FORMATS,
    GEMINI,
    HOSTS,
    OTHERS,
    PATHS,
    RESPONSES,
    TRANSCRIPTS,
    Clue,
)


def plain(dialect: str) -> str:
    """A dialect without its profiles."""
    return dialect.partition("+")[0]


def told_by_path(path: str) -> bool | None:
    """Whether an address is one of ours; None where only the body can tell."""
    path = path.rstrip("/")
    if OTHERS.search(path):
        return False
    return True if any(row.pattern.search(path) for row in PATHS) else None


def dialect_of(host: str, path: str, body: Mapping[str, Any], given: str = "") -> str:
    """The dialect of a request, with its profiles; empty when it is not one of ours.

    Args:
        host: Where it goes.
        path: The address there, decoded.
        body: What it says.
        given: The dialect that the application named: it is believed wherever the body has its format.
    """
    path = path.rstrip("/")
    shape = _format(path, body, given)
    if shape is None:
        return ""
    if given and shape in FORMATS[plain(given)]:
        return given
    dialect = _at(host, shape)
    thinking = body.get("thinking")
    told = {
        "host": host,
        "model": str(body.get("model") or path),
        "thinking": str(thinking.get("type", "")) if isinstance(thinking, Mapping) else "",
    }
    found = [clue.profile for clue in CLUES if clue.dialect == dialect and _tells(clue, told[clue.where])]
    return "+".join([dialect, *dict.fromkeys(found)])


def _format(path: str, body: Mapping[str, Any], given: str) -> str | None:
    if OTHERS.search(path):
        return None
    for row in PATHS:
        if row.pattern.search(path):
            fits = row.needs in ("", *body) and _has_transcript(row.format, body, text=True)
            return row.format if fits else None
    shape = told_by_shape(body)
    if shape is None and given and any(_has_transcript(known, body) for known in FORMATS[plain(given)]):
        return FORMATS[plain(given)][0]
    return shape


def told_by_shape(body: Mapping[str, Any]) -> str | None:
    """The format of a body that carries calls or their results; None for all others.

    A transcript without calls has nothing in it that we could refuse, and some look alike in two formats.
    """
    entries = [entry for name in ("input", "messages", "contents") for entry in _entries(body.get(name))]
    if "input" in body:
        kinds = [str(entry.get("type", "")) for entry in entries]
        return RESPONSES if any(kind.endswith(("_call", "_call_output")) for kind in kinds) else None
    if "contents" in body:
        parts = [part for entry in entries for part in _entries(entry.get("parts"))]
        names = {"functionCall", "functionResponse", "function_call", "function_response"}
        return GEMINI if any(names & part.keys() for part in parts) else None
    if any("tool_calls" in entry or entry.get("role") == "tool" for entry in entries):
        return CHAT
    blocks = [block for entry in entries for block in _entries(entry.get("content"))]
    if any(block.get("type") in {"tool_use", "tool_result"} for block in blocks):
        return ANTHROPIC
    return CONVERSE if any({"toolUse", "toolResult"} & block.keys() for block in blocks) else None


def _entries(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (entry for entry in value if isinstance(entry, Mapping))


def _has_transcript(shape: str, body: Mapping[str, Any], *, text: bool = False) -> bool:
    """Its transcript is there: entries, or for Responses a text, where the address says that it is one."""
    value = body.get(TRANSCRIPTS[shape])
    if shape == RESPONSES and text and isinstance(value, str):
        return True
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _at(host: str, shape: str) -> str:
    for name, spoken, dialect in HOSTS:
        if spoken == shape and (host == name or host.endswith(f".{name}")):
            return dialect
    return shape


def _tells(clue: Clue, text: str) -> bool:
    found = clue.pattern.search(text)
    if found is None or clue.since is None:
        return found is not None
    return (int(found[1]), int(found[2] or 0)) >= clue.since
