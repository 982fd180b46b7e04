"""Reads a whole body of Mistral back into a transcript.

A run of assistant messages is one answer, numbered from 1. What the system says first are the instructions.
The short messages that our encoder puts between two others are read like others: nobody knows who said them.

What a body does not say, and so does not come back of an encoding: under which id a message came, and from
whom (it is the user's, and notes are messages); which of several texts of an answer said what; the kind of a
call beside function; how a call ended (its output returned the text that stands there); ids and names that
had to change; what was set aside; blank text, which is named or left out. Tool messages are read as text, and
media in them are named in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.items import Content, Role
from turnlock.engine.outcome import returned
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History, Reading
from turnlock.wire.common.request import ToolSpec
from turnlock.wire.mistral.decode import decode_mistral

_NOT_OPTIONS = frozenset({"messages", "model", "tools", "stream"})
_SAID = frozenset({"name", "description", "parameters", "strict"})


def read_mistral(body: Mapping[str, Any]) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    given = body.get("messages")
    rows = [row for row in given if isinstance(row, Mapping)] if isinstance(given, list | tuple) else []
    model = _text(body.get("model"))
    instructions = ""
    if rows and rows[0].get("role") == Role.SYSTEM and isinstance(rows[0].get("content"), str):
        instructions = rows.pop(0)["content"]
    reading = Reading()
    before: object = ""
    for row in rows:
        role = row.get("role")
        if role == "assistant" != before:
            reading.begin_answer()
        _take(reading, row, model)
        before = role
    tools, more_tools = _tools(body.get("tools"))
    options = {name: value for name, value in body.items() if name not in _NOT_OPTIONS}
    if more_tools:
        options["tools"] = more_tools
    return History(tuple(reading.items), instructions, tools, model, options)


def _take(reading: Reading, row: Mapping[str, Any], model: str) -> None:
    role = row.get("role")
    if role == "assistant":
        found = decode_mistral(row, request=reading.answer, model=model, next_ordinal=reading.next_ordinal)
        for decoded in found:
            reading.add(decoded.item)
    elif role == "tool":
        reading.output(_text(row.get("tool_call_id")), returned(plain_text(_content(row))))
    else:
        reading.say(_content(row), Role.SYSTEM if role == Role.SYSTEM else Role.USER)


def _content(row: Mapping[str, Any]) -> Content:
    content = row.get("content")
    if isinstance(content, list | tuple):
        return tuple(part for part in content if isinstance(part, Mapping))
    return _text(content)


def _tools(given: object) -> tuple[tuple[ToolSpec, ...], list[Any]]:
    """The tools that a client answers, and everything else as it came."""
    specs: list[ToolSpec] = []
    others: list[Any] = []
    for entry in given if isinstance(given, list | tuple) else ():
        spec = _spec(entry) if isinstance(entry, Mapping) else None
        if spec is None:
            others.append(entry)
        else:
            specs.append(spec)
    return tuple(specs), others


def _spec(entry: Mapping[str, Any]) -> ToolSpec | None:
    """A tool, if it has nothing that a ``ToolSpec`` cannot say."""
    tool = entry.get("function")
    if entry.keys() != {"type", "function"} or not isinstance(tool, Mapping) or not tool.keys() <= _SAID:
        return None
    name, description, strict = tool.get("name"), tool.get("description", ""), tool.get("strict")
    parameters = tool.get("parameters", {})
    if not isinstance(name, str) or not isinstance(description, str) or not isinstance(parameters, Mapping):
        return None
    return ToolSpec(name, description, parameters, strict=strict) if isinstance(strict, bool | None) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
