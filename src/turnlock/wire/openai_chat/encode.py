"""Writes a transcript as the messages of Chat Completions.

One answer is one assistant message, whatever items it had: its texts are the content, its calls stand
beside it. Everything is written from the neutral fields, so a history of another dialect reads the same.
What Chat Completions has no words for:

* kinds of call beside function and custom are functions of the kind's name, so that no call is lost;
* reasoning is set aside;
* a call that a provider executed itself is set aside: it has no tool message, and an assistant message
  that named it would be refused. What it found stands in the answer's text.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, assert_never

from attrs import define

from turnlock.engine.items import (
    Call,
    CallKind,
    Item,
    Message,
    Note,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.jsontext import as_object, dumps
from turnlock.wire.common.request import NAMELESS, Settings, ToolSpec, envelope

Row = dict[str, Any]


@define(eq=False)
class ChatEncoder(Encoder):
    """The encoder of ``openai_chat``."""

    transcript: ClassVar[str] = "messages"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION, CallKind.CUSTOM})

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        tools = [_tool(spec) for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL]
        body = envelope(settings, tools, transcript=self.transcript)
        if settings.stream:
            body.setdefault("stream_options", {"include_usage": True})
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.instructions

    def _opening(self, settings: Settings) -> Rows:
        return [{"role": Role.SYSTEM, "content": settings.instructions}] if settings.instructions else []

    def _block(self, block: Sequence[Item], _settings: Settings) -> tuple[Rows, Places]:
        said: list[str] = []
        calls: Rows = []
        rows: Rows = []
        places: Places = []
        for item in block:
            places.append(0)
            match item:
                case Text():
                    said.append(item.text)
                case Call():
                    calls.append(self._call(item))
                case Reasoning() | ServerCall():
                    places[-1] = None
                case Message():
                    rows.append({"role": item.role, "content": item.content or ""})
                case Note():
                    rows.append({"role": Role.USER, "content": item.text})
                case Output():
                    rows.extend(self._output(item))
                    places[-1] = 0 if rows else None
                case _:
                    assert_never(item)
        if said or calls:
            message: Row = {"role": "assistant", "content": "\n".join(said) if said else None}
            if calls:
                message["tool_calls"] = calls
            rows.append(message)
        return rows, places

    def _call(self, call: Call) -> Row:
        row: Row = {"id": self._ids.give(call)}
        name = call.name or NAMELESS
        if call.kind is CallKind.CUSTOM:
            return row | {"type": "custom", "custom": {"name": name, "input": _input(call)}}
        return row | {"type": "function", "function": {"name": name, "arguments": call.arguments}}

    def _output(self, output: Output) -> Rows:
        known = self._ids.of(output.ordinal)
        if known is None:
            return []  # without its call an output would be refused: it is set aside (R16)
        return [{"role": "tool", "tool_call_id": known[1], "content": output.model_text}]


def _input(call: Call) -> str:
    """The input of a custom call: text, also if somebody stored another value."""
    said = as_object(call.arguments).get("input", "")
    return said if isinstance(said, str) else dumps(said).decode()


def _tool(spec: ToolSpec) -> Row:
    tool: Row = {"name": spec.name}
    if spec.description:
        tool["description"] = spec.description
    if spec.kind is CallKind.CUSTOM:
        if spec.parameters:
            tool["format"] = _format(spec.parameters)
        return {"type": "custom", "custom": tool}
    if spec.kind in (CallKind.FUNCTION, CallKind.TOOL_SEARCH):
        tool["parameters"] = spec.parameters or {"type": "object", "properties": {}}
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
