"""Reads a whole body of Converse back into a transcript.

A run of assistant messages is one answer, numbered from 1. A user's message of text blocks is one message for
each of them; one that shows something beside text is one message of parts. The short messages that our
encoder puts between two of one role are read like others: nobody knows who said them.

What a body does not say, and so does not come back of an encoding: the model (what it made is read as made by
none); under which id a message came, and from whom (it is the user's, and notes are messages); the kind of a
call beside function; ids and names that had to change; reasoning and server calls that were set aside; blank
text, which is named or left out; which of the causes that share a text ended a call (R6). Of a result, JSON
is read as text and media are named in words. An error in words that are not ours is one that the tool raised:
it reads ``Tool error: …`` when it is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.outcome import failed, returned
from turnlock.wire.bedrock.decode import decode_bedrock
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History, Reading, tools_of
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import ToolSpec

_NOT_OPTIONS = frozenset({"messages", "system", "toolConfig"})


def read_bedrock(body: Mapping[str, Any]) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    reading = Reading()
    before: object = ""
    for row in _mappings(body.get("messages")):
        role = row.get("role")
        if role == "assistant":
            request = reading.begin_answer() if before != role else reading.answer
            for decoded in decode_bedrock(row, request=request, model="", next_ordinal=reading.next_ordinal):
                reading.add(decoded.item)
        else:
            _take_user(reading, _blocks(row))
        before = role
    options = {name: value for name, value in body.items() if name not in _NOT_OPTIONS}
    instructions, more_system = _instructions(_mappings(body.get("system")))
    tools, config = _tools(body.get("toolConfig"))
    return History(tuple(reading.items), instructions, tools, options=options | more_system | config)


def _take_user(reading: Reading, blocks: list[Mapping[str, Any]]) -> None:
    said: list[Mapping[str, Any]] = []
    for block in blocks:
        result = block.get("toolResult")
        if not isinstance(result, Mapping):
            said.append(block)
            continue
        _say(reading, said)
        said = []
        text = "\n".join(map(_words, _mappings(result.get("content"))))
        outcome = failed(text) if result.get("status") == "error" else returned(text)
        label = result.get("toolUseId")
        reading.output(label if isinstance(label, str) else "", outcome)
    if said or not blocks:
        _say(reading, said or [{"text": ""}])


def _say(reading: Reading, blocks: list[Mapping[str, Any]]) -> None:
    if all(block.keys() == {"text"} and isinstance(block["text"], str) for block in blocks):
        for block in blocks:
            reading.say(block["text"])
    else:
        reading.say(tuple(blocks))


def _words(part: Mapping[str, Any]) -> str:
    """A part of a result, in words."""
    return dumps(part["json"]).decode() if "json" in part else plain_text((part,))


def _instructions(system: list[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The text that stands first, and the other blocks as an option."""
    first = system[0].get("text") if system else None
    instructions = first if isinstance(first, str) and system[0].keys() == {"text"} else ""
    more = system[1:] if instructions else system
    return instructions, {"system": more} if more else {}


def _tools(config: object) -> tuple[tuple[ToolSpec, ...], dict[str, Any]]:
    """The tools that a client answers, and everything else as options."""
    if not isinstance(config, Mapping):
        return (), {}
    specs, others = tools_of(config.get("tools"), _spec)
    more = {name: value for name, value in config.items() if name != "tools"}
    options: dict[str, Any] = {"toolConfig": more} if more else {}
    return specs, options | ({"tools": others} if others else {})


def _spec(entry: Mapping[str, Any]) -> ToolSpec | None:
    """A tool, if it has nothing that a ``ToolSpec`` cannot say."""
    tool = entry.get("toolSpec")
    if not isinstance(tool, Mapping) or len(entry) > 1 or not tool.keys() <= _SAID:
        return None
    name, description, strict = tool.get("name"), tool.get("description", ""), tool.get("strict")
    schema = tool.get("inputSchema")
    parameters = schema.get("json") if isinstance(schema, Mapping) else None
    if not isinstance(name, str) or not isinstance(description, str) or not isinstance(parameters, Mapping):
        return None
    return ToolSpec(name, description, parameters, strict=strict) if isinstance(strict, bool | None) else None


_SAID = frozenset({"name", "description", "inputSchema", "strict"})


def _blocks(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = row.get("content")
    return [{"text": content}] if isinstance(content, str) else _mappings(content)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list | tuple):
        return []
    return [each for each in value if isinstance(each, Mapping)]
