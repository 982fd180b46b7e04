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

from collections.abc import Mapping, Sequence
from typing import Any

from turnlock.engine.items import CallKind, Content, Role
from turnlock.engine.outcome import returned
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History, Reading
from turnlock.wire.mistral.decode import decode_mistral
from turnlock.wire.openai_chat.read import read_messages


def read_mistral(body: Mapping[str, Any]) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    return read_messages(body, _answers, frozenset({CallKind.FUNCTION}))


def _answers(rows: Sequence[Mapping[str, Any]], model: str) -> Reading:
    reading = Reading()
    before: object = ""
    for row in rows:
        role = row.get("role")
        if role == "assistant" != before:
            reading.begin_answer()
        _take(reading, row, model)
        before = role
    return reading


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


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
