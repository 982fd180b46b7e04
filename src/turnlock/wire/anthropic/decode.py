"""Reads the content blocks of an Anthropic answer.

A block is read when the provider has completed it (``content_block_stop``, R12), with the input of a call as
the object, or as the text that its deltas add up to. What is neither text, thinking nor a client's call is
kept as it came, also types that nobody here knows. It must never fail on what a provider sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, Origin, Reasoning, ServerCall, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.anthropic.blocks import (
    DIALECT,
    SERVER_USES,
    TEXT,
    THINKING,
    TOOL_USE,
    block_type,
    is_server_result,
)
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded


def decode_anthropic(
    raw: Mapping[str, Any], *, request: int, model: str, next_ordinal: Callable[[], int], cut: bool = False
) -> list[Decoded]:
    """Read one completed content block; see ``turnlock.wire.decode``."""
    origin = Origin(DIALECT, model, raw)
    kind = block_type(raw)
    if kind == TOOL_USE:
        return [_call(raw, origin, request, next_ordinal(), cut=cut)]
    if kind == TEXT:
        text = _said(raw.get(TEXT))
        return [Decoded(Text(text, request, origin))] if text else []
    if kind in THINKING:
        return [Decoded(Reasoning(_said(raw.get("thinking")), request, origin))]
    if kind.endswith("_delta"):
        return []  # no content, and refused as such (ANT-RAW-DELTA)
    if is_server_result(kind):
        return [Decoded(ServerCall(kind, request, origin, _said(raw.get("tool_use_id")), result=True))]
    name, label = (_said(raw.get("name")), _said(raw.get("id"))) if kind in SERVER_USES else ("", "")
    return [Decoded(ServerCall(name or kind, request, origin, label))]


def _call(raw: Mapping[str, Any], origin: Origin, request: int, ordinal: int, *, cut: bool) -> Decoded:
    arguments, why = arguments_of(raw.get("input"))
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut:
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    name, call_id = _said(raw.get("name")), _said(raw.get("id"))
    return Decoded(Call(ordinal, call_id, name, arguments, request, origin=origin), problem, why)


def _said(value: object) -> str:
    return value if isinstance(value, str) else ""
