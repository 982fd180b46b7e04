"""Reads the parts of an answer of Gemini.

A part is whole as it comes, and is read at once (R12). Thoughts are reasoning, and so is a part that carries
nothing but a signature; both are for their maker only. What is neither text nor a call that a client answers
is kept as it came: what the provider executed and what came of it, pictures, and parts that nobody here
knows. It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, Origin, Reasoning, ServerCall, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded
from turnlock.wire.gemini.parts import CALL, DIALECT, SIGNATURE, inner, kind_of, look, text_of


def decode_gemini(
    raw: Mapping[str, Any], *, request: int, model: str, next_ordinal: Callable[[], int], cut: bool = False
) -> list[Decoded]:
    """Read one part; see ``turnlock.wire.decode``."""
    origin = Origin(DIALECT, model, raw)
    call = inner(raw, CALL)
    if call is not None:
        return [_call(call, origin, request, next_ordinal(), cut=cut)]
    kind = kind_of(raw)
    if kind and kind != "text":
        return [Decoded(ServerCall(kind, request, origin))]
    text = text_of(raw.get("text"))
    if raw.get("thought"):
        return [Decoded(Reasoning(text, request, origin))]
    if text:
        return [Decoded(Text(text, request, origin))]
    return [Decoded(Reasoning("", request, origin))] if look(raw, SIGNATURE) else []


def _call(call: Mapping[str, Any], origin: Origin, request: int, ordinal: int, *, cut: bool) -> Decoded:
    arguments, why = arguments_of(call.get("args"))
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut:
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    call_id, name = text_of(call.get("id")), text_of(call.get("name"))
    return Decoded(Call(ordinal, call_id, name, arguments, request, origin=origin), problem, why)
