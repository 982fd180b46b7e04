"""The tools of a request as Chat Completions has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.items import CallKind
from turnlock.wire.common.request import ToolSpec

_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""The arguments of a custom tool where only functions are known."""


def tool_row(spec: ToolSpec, *, custom: bool) -> dict[str, Any]:
    """A tool's entry in the request.

    Args:
        spec: The tool.
        custom: The server knows custom tools.
    """
    tool: dict[str, Any] = {"name": spec.name}
    if spec.description:
        tool["description"] = spec.description
    if spec.kind is CallKind.CUSTOM and custom:
        if spec.parameters:
            tool["format"] = _format(spec.parameters)
        return {"type": "custom", "custom": tool}
    if spec.kind in (CallKind.FUNCTION, CallKind.TOOL_SEARCH):
        tool["parameters"] = spec.parameters or {"type": "object", "properties": {}}
    elif spec.kind is CallKind.CUSTOM:
        tool["parameters"] = _INPUT
    else:  # the parameters of these are not a schema, and the provider knows none for them here
        tool["parameters"] = {"type": "object"}
    if spec.strict is not None:
        tool["strict"] = spec.strict
    return {"type": "function", "function": tool}


def _format(written: Mapping[str, Any]) -> Mapping[str, Any]:
    """A format of OpenAI Responses; a grammar is nested here."""
    if written.get("type") != "grammar" or "grammar" in written:
        return written
    return {"type": "grammar", "grammar": {key: written[key] for key in written if key != "type"}}
