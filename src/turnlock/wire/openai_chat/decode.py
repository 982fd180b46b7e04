"""Reads the answer of Chat Completions.

The whole assistant message at once, when its finish_reason has arrived: before that no call is complete
(R12). It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, CallKind, Origin, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded

DIALECT = "openai_chat"


def decode_chat(
    raw: Mapping[str, Any], *, request: int, model: str, next_ordinal: Callable[[], int], cut: bool = False
) -> list[Decoded]:
    """Read one assistant message; see ``turnlock.wire.decode``.

    Where the message was cut, it was cut in the last call: the others are complete.
    """
    found: list[Decoded] = []
    text = _said(raw.get("content")) + _said(raw.get("refusal"))
    calls = raw.get("tool_calls")
    if text:
        message = {key: value for key, value in raw.items() if key != "tool_calls"}
        found.append(Decoded(Text(text, request, Origin(DIALECT, model, message))))
    if isinstance(calls, list | tuple):
        last = len(calls) - 1
        found.extend(
            _call(call, Origin(DIALECT, model, call), request, next_ordinal(), cut=cut and place == last)
            for place, call in enumerate(calls)
            if isinstance(call, Mapping)
        )
    return found


def _call(call: Mapping[str, Any], origin: Origin, request: int, ordinal: int, *, cut: bool) -> Decoded:
    kind = CallKind.CUSTOM if isinstance(call.get("custom"), Mapping) else CallKind.FUNCTION
    body = call.get(kind)
    if not isinstance(body, Mapping):
        body = {}
    if kind is CallKind.CUSTOM:
        arguments, why = arguments_of({"input": _said(body.get("input"))})
    else:
        arguments, why = arguments_of(body.get("arguments"))
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut:
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    made = Call(ordinal, _said(call.get("id")), _said(body.get("name")), arguments, request, kind, origin)
    return Decoded(made, problem, why)


def _said(content: object) -> str:
    """Text, or the text of content parts."""
    if isinstance(content, list | tuple):
        return "".join(_said(part.get("text")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""
