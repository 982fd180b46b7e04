"""Reads the answer of Chat Completions.

The whole assistant message at once, when its finish_reason has arrived: before that no call is complete
(R12). Reasoning has no place in the format; what servers send of it, under three names, is kept as it came.
It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turnlock.engine.items import Call, CallKind, Origin, Reasoning, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded
from turnlock.wire.openai_chat.content import text_of
from turnlock.wire.openai_chat.servers import OPENAI

REASONING = ("reasoning_content", "reasoning", "reasoning_details")
"""What servers call the model's reasoning; the first two are text."""


def decode_chat(
    raw: Mapping[str, Any],
    *,
    request: int,
    model: str,
    next_ordinal: Callable[[], int],
    cut: bool = False,
    dialect: str = OPENAI.name,
) -> list[Decoded]:
    """Read one assistant message; see ``turnlock.wire.decode``.

    Where the message was cut, it was cut in the last call: the others are complete.
    """
    found: list[Decoded] = []
    thought = {name: raw[name] for name in REASONING if raw.get(name)}
    if thought:
        found.append(Decoded(Reasoning(_thought(thought), request, Origin(dialect, model, thought))))
    text = text_of(raw.get("content")) + text_of(raw.get("refusal"))
    calls = raw.get("tool_calls") or _old_form(raw)
    if text:
        message = {key: value for key, value in raw.items() if key not in _SAID_APART}
        found.append(Decoded(Text(text, request, Origin(dialect, model, message))))
    if isinstance(calls, list | tuple):
        last = len(calls) - 1
        found.extend(
            _call(call, Origin(dialect, model, call), request, next_ordinal(), cut=cut and place == last)
            for place, call in enumerate(calls)
            if isinstance(call, Mapping)
        )
    return found


_SAID_APART = frozenset({"tool_calls", "function_call", *REASONING})


def _old_form(raw: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The one call, without an id, of messages from before there were tools."""
    call = raw.get("function_call")
    return ({"type": "function", "function": call},) if isinstance(call, Mapping) else ()


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


def _thought(fields: Mapping[str, Any]) -> str:
    """What the model reasoned, in words, as far as there are any."""
    for name in REASONING:
        if text := text_of(fields.get(name)):
            return text
    return ""


def _said(value: object) -> str:
    return value if isinstance(value, str) else ""
