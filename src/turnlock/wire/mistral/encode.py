"""Writes a transcript as the messages of Mistral.

As for Chat Completions, one answer is one assistant message, and each output a tool message. What is
Mistral's own: ids of nine letters and digits, tool messages that name their tool, and an order of roles.
Between results and what a user says stands a short assistant message of ours, but for servers of the profile
``common``. An answer that nobody said anything to is followed by a short user message: the request that asked
for the next answer ended with it (MIS-LAST). Models of the profile ``v3`` take words or calls, so there an
answer with both is two assistant messages.

What Mistral has no words for:

* every call is a function, so calls of other kinds are functions of the kind's name;
* messages of developer and system stand in the history as the user's: the role system may not stand behind an
  answer (MIS-ORDER), and instructions have a place of their own;
* reasoning goes back to the model that made it, if it is of this format, and is set aside elsewhere;
* what a provider executed itself is set aside: it has no tool message;
* text that is blank is left out of an answer that says more, and named where it is all that there is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import define

from turnlock.engine.items import (
    Call,
    CallKind,
    Content,
    Item,
    Message,
    ModelItem,
    Note,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.wire.common.content import ImagePart, TextPart, part_of
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.request import (
    CONTINUE,
    RECEIVED,
    SILENT,
    Settings,
    ToolSpec,
    envelope,
    plain_name,
    schema_of,
)
from turnlock.wire.mistral.check import IDS
from turnlock.wire.mistral.decode import DIALECT
from turnlock.wire.mistral.rules import COMMON, HOSTED, V3

Row = dict[str, Any]

_TAKEN = ("text", "image_url", "document_url", "input_audio", "audio_url", "file", "reference")


@define(eq=False)
class MistralEncoder(Encoder):
    """The encoder of ``mistral``."""

    transcript: ClassVar[str] = "messages"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION})
    id_style: ClassVar[IdStyle] = IDS

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        tools = [_tool(spec) for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL]
        return envelope(settings, tools, transcript=self.transcript)

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.instructions, settings.model

    def _opening(self, settings: Settings) -> Rows:
        return [{"role": Role.SYSTEM, "content": settings.instructions}] if settings.instructions else []

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        item = block[0]
        if isinstance(item, Message):
            return self._said(item.content)
        if isinstance(item, Note):
            return self._said(item.text)
        if isinstance(item, Output):
            return self._output(item)
        return self._answer(block, settings)

    def _closing(self, _settings: Settings) -> Rows:
        return [_user(CONTINUE)] if isinstance(self._before(), ModelItem | None) else []

    def _before(self) -> Item | None:
        """The item of which the last row was written."""
        for item, place in zip(reversed(self._items), reversed(self._places), strict=True):
            if place is not None:
                return item
        return None

    def _said(self, content: Content) -> tuple[Rows, Places]:
        lenient = COMMON in self.profiles and HOSTED not in self.profiles
        bridged = not lenient and isinstance(self._before(), Output)
        rows: Rows = [_assistant(RECEIVED)] if bridged else []
        return [*rows, _user(_written(content))], [len(rows)]

    def _output(self, output: Output) -> tuple[Rows, Places]:
        known = self._ids.of(output.ordinal)
        if known is None:
            return [], [None]  # without its call an output would be refused: it is set aside (R16)
        call, wire_id = known
        row = {
            "role": "tool",
            "tool_call_id": wire_id,
            "name": plain_name(call.name),
            "content": output.model_text,
        }
        return [row], [0]

    def _answer(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        said = [item.text for item in block if isinstance(item, Text)]
        spoken = "\n".join(text for text in said if text.strip())
        calls = [self._call(item) for item in block if isinstance(item, Call)]
        if not said and not calls:
            return [], [None] * len(block)  # nobody else understands what it was (R16)
        if not spoken and not calls:
            spoken = SILENT
        own = [None if V3 in self.profiles else _own(item, settings.model) for item in block]
        thoughts = [thought for thought in own if thought is not None]
        content: object = spoken
        if thoughts:
            content = [*thoughts, {"type": "text", "text": spoken}] if spoken else thoughts
        rows: Rows = [_user(CONTINUE)] if isinstance(self._before(), ModelItem | None) else []
        first = len(rows)
        if content and calls and V3 in self.profiles:
            rows.append(_assistant(content))
            content = ""
        rows.append(_assistant(content) | ({"tool_calls": calls} if calls else {}))
        last = len(rows) - 1
        places: Places = []
        for item, thought in zip(block, own, strict=True):
            aside = isinstance(item, ServerCall) or (isinstance(item, Reasoning) and thought is None)
            places.append(None if aside else last if isinstance(item, Call) else first)
        return rows, places

    def _call(self, call: Call) -> Row:
        function = {"name": plain_name(call.name), "arguments": call.arguments}
        return {"id": self._ids.give(call), "type": "function", "function": function}


def _user(content: object) -> Row:
    return {"role": Role.USER, "content": content}


def _assistant(content: object) -> Row:
    return {"role": "assistant", "content": content}


def _own(item: Item, model: str) -> Mapping[str, Any] | None:
    """Reasoning as it came, if it may go back to this model."""
    origin = item.origin if isinstance(item, Reasoning) else None
    return origin.item if origin is not None and (origin.dialect, origin.model) == (DIALECT, model) else None


def _written(content: Content) -> object:
    """What a message says, in Mistral's chunks where it is more than text."""
    if isinstance(content, str):
        return content
    chunks: list[Mapping[str, Any]] = []
    for raw in content:
        part = part_of(raw)
        if part is None:
            continue
        if isinstance(part, TextPart):
            chunks.append({"type": "text", "text": part.text})
        elif raw.get("type") in _TAKEN:
            chunks.append(raw)  # its own format
        elif isinstance(part, ImagePart):
            chunks.append({"type": "image_url", "image_url": {"url": part.as_url}})
        else:
            chunks.append({"type": "text", "text": part.text})
    return chunks or ""


def _tool(spec: ToolSpec) -> Row:
    function: Row = {"name": spec.name}
    if spec.description:
        function["description"] = spec.description
    function["parameters"] = schema_of(spec)
    if spec.strict is not None:
        function["strict"] = spec.strict
    return {"type": "function", "function": function}
