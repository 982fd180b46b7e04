"""Reads a whole body of Chat Completions back into a transcript.

Every assistant message is one answer, numbered from 1. What a body does not say, and so does not come back of
an encoding: under which id a message came, and that one was a note; which of several texts of an answer said
what; kinds of call beside function and custom; how a call ended (its output returned the text that stands
there); what was set aside. What a system says first are the instructions, if it is text. For a server whose
template wants turns, the short messages that were put between them are read like others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from turnlock.engine.items import CallKind, Role
from turnlock.engine.outcome import returned
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History, Reading, tools_of
from turnlock.wire.common.request import ToolSpec
from turnlock.wire.openai_chat import content
from turnlock.wire.openai_chat.decode import decode_chat
from turnlock.wire.openai_chat.servers import OPENAI

_NOT_OPTIONS = frozenset({"messages", "model", "tools", "stream"})


def read_chat(body: Mapping[str, Any], *, dialect: str = OPENAI.name) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""

    def take(rows: Sequence[Mapping[str, Any]], model: str) -> Reading:
        reading = Reading()
        for row in rows:
            _take(reading, row, model, dialect)
        return reading

    return read_messages(body, take, frozenset({CallKind.FUNCTION, CallKind.CUSTOM}))


def read_messages(
    body: Mapping[str, Any],
    take: Callable[[Sequence[Mapping[str, Any]], str], Reading],
    kinds: Collection[CallKind],
) -> History:
    """Read a body in this format, or in one that differs in its messages alone.

    Args:
        body: The body.
        take: Reads the messages behind the instructions, for a model.
        kinds: The kinds of tool that the format has; other tools are options.
    """
    given = body.get("messages")
    rows = [row for row in given if isinstance(row, Mapping)] if isinstance(given, list | tuple) else []
    model = _text(body.get("model"))
    instructions = ""
    if rows and rows[0].get("role") == Role.SYSTEM and isinstance(rows[0].get("content"), str):
        instructions = rows.pop(0)["content"]
    reading = take(rows, model)
    tools, more_tools = tools_of(body.get("tools"), partial(_spec, kinds=kinds))
    options = {name: value for name, value in body.items() if name not in _NOT_OPTIONS}
    if more_tools:
        options["tools"] = more_tools
    return History(tuple(reading.items), instructions, tools, model, options)


def _take(reading: Reading, row: Mapping[str, Any], model: str, dialect: str) -> None:
    role = row.get("role")
    if role == "assistant":
        request = reading.begin_answer()
        for decoded in decode_chat(
            row, request=request, model=model, next_ordinal=reading.next_ordinal, dialect=dialect
        ):
            reading.add(decoded.item)
    elif role in ("tool", "function"):  # the second is the first's old form, without ids
        text = plain_text(content.read(row.get("content")))
        reading.output(_text(row.get("tool_call_id")), returned(text))
    else:
        sender = Role(role) if role in (Role.SYSTEM, Role.DEVELOPER) else Role.USER
        reading.say(content.read(row.get("content")), sender)


def _spec(entry: Mapping[str, Any], kinds: Collection[CallKind]) -> ToolSpec | None:
    """A tool, if it has nothing that a ``ToolSpec`` cannot say."""
    kind = entry.get("type")
    if not isinstance(kind, str) or kind not in kinds or entry.keys() != {"type", kind}:
        return None
    tool, said = entry[kind], "parameters" if kind == CallKind.FUNCTION else "format"
    if not isinstance(tool, Mapping) or not tool.keys() <= {"name", "description", "strict", said}:
        return None
    parameters, strict = tool.get(said) or {}, tool.get("strict")
    if not isinstance(parameters, Mapping) or not isinstance(strict, bool | None):
        return None
    name, description = tool.get("name"), tool.get("description") or ""
    if not (isinstance(name, str) and isinstance(description, str)):
        return None
    if kind == CallKind.CUSTOM and isinstance(grammar := parameters.get("grammar"), Mapping):
        parameters = {"type": "grammar", **grammar}  # as OpenAI Responses writes it
    return ToolSpec(name, description, parameters, CallKind(kind), strict)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
