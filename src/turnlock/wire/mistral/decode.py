"""Reads the answer of Mistral.

The whole assistant message at once, as that of Chat Completions is (R12), but for its content: a list of
chunks may hold the reasoning beside the text. It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, Origin, Reasoning, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded

DIALECT = "mistral"


def decode_mistral(
    raw: Mapping[str, Any], *, request: int, model: str, next_ordinal: Callable[[], int], cut: bool = False
) -> list[Decoded]:
    """Read one assistant message; see ``turnlock.wire.decode``.

    Where the message was cut, it was cut in the last call: the others are complete.
    """
    found = [
        Decoded(Reasoning(_said(chunk.get("thinking")), request, Origin(DIALECT, model, chunk)))
        for chunk in _chunks(raw.get("content"))
        if chunk.get("type") == "thinking"
    ]
    said = text_of(raw.get("content"))
    if said:
        message = {key: value for key, value in raw.items() if key != "tool_calls"}
        found.append(Decoded(Text(said, request, Origin(DIALECT, model, message))))
    calls = list(_chunks(raw.get("tool_calls")))
    for place, call in enumerate(calls):
        last = place == len(calls) - 1
        found.append(_call(call, Origin(DIALECT, model, call), request, next_ordinal(), cut=cut and last))
    return found


def text_of(content: object) -> str:
    """What a message says: text, or the text of its chunks."""
    if isinstance(content, str):
        return content
    return "".join(_said(chunk.get("text")) for chunk in _chunks(content) if chunk.get("type") != "thinking")


def _call(call: Mapping[str, Any], origin: Origin, request: int, ordinal: int, *, cut: bool) -> Decoded:
    function = call.get("function")
    body = function if isinstance(function, Mapping) else {}
    arguments, why = arguments_of(body.get("arguments"))
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut:
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    made = Call(ordinal, _said(call.get("id")), _said(body.get("name")), arguments, request, origin=origin)
    return Decoded(made, problem, why)


def _chunks(content: object) -> list[Mapping[str, Any]]:
    if not isinstance(content, list | tuple):
        return []
    return [chunk for chunk in content if isinstance(chunk, Mapping)]


def _said(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(_said(chunk.get("text")) for chunk in _chunks(content))
