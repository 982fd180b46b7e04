"""Reads the items of an OpenAI Responses answer.

An item is read when the provider has completed it (``response.output_item.done``, R12). Whatever is not a
message, reasoning or a call that a client answers is kept as it came, also types that nobody here knows.
It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, Origin, Reasoning, ServerCall, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.common.request import Decoded
from turnlock.wire.openai_responses.kinds import BY_CALL, DIALECT, NAMED, Shape, by_provider, item_type


def decode_responses(
    raw: Mapping[str, Any],
    *,
    request: int,
    model: str,
    next_ordinal: Callable[[], int],
    cut: bool = False,
    dialect: str = DIALECT,
) -> list[Decoded]:
    """Read one completed output item; see ``turnlock.wire.decode``."""
    origin = Origin(dialect, model, raw)
    kind = item_type(raw)
    shape = BY_CALL.get(kind)
    if shape is not None and not by_provider(shape, raw):
        return [_call(raw, shape, origin, request, next_ordinal(), cut=cut)]
    if kind == "message":
        text = message_text(raw)
        return [Decoded(Text(text, request, origin))] if text else []
    if kind == "reasoning":
        thought = _texts(raw.get("summary"), "\n\n") or _texts(raw.get("content"), "\n\n")
        return [Decoded(Reasoning(thought, request, origin))]
    return [Decoded(ServerCall(kind, request, origin))]


def _call(
    raw: Mapping[str, Any], shape: Shape, origin: Origin, request: int, ordinal: int, *, cut: bool
) -> Decoded:
    arguments, why = shape.arguments(raw)
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut or raw.get("status") == "incomplete":
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    named = shape.kind in NAMED
    name = _text_of(raw.get("name")) if named else str(shape.kind)
    call_id = _text_of(raw.get(shape.id_field))
    return Decoded(Call(ordinal, call_id, name, arguments, request, shape.kind, origin), problem, why)


def message_text(item: Mapping[str, Any]) -> str:
    """What a message says; of a refusal, the refusal."""
    return _texts(item.get("content"), "")


def _texts(parts: object, separator: str) -> str:
    if isinstance(parts, str):
        return parts
    if not isinstance(parts, list | tuple):
        return ""
    found = (part.get("text") or part.get("refusal") for part in parts if isinstance(part, Mapping))
    return separator.join(text for text in found if isinstance(text, str))


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""
