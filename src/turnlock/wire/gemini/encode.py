"""Writes a transcript as the contents of Gemini's generateContent.

One answer is one content of the model. All outputs between two answers are one content, in the order of their
calls, and every message is a content of its own behind them (GEM-MIXED-TURN). Model and streaming stand in
the URL, so not in the body. What this dialect has no words for:

* every kind of call is a function: built-in kinds have the kind's name, a custom tool's input is an argument;
* developers and systems speak as users: there is no such role among the contents;
* a call without an id has none here either, and what answers it is told by its place.

What only its maker understands (signatures, thoughts, what it executed itself) goes back to the same model
and is set aside for any other. Gemini 3 refuses calls without a signature: those that another model made
carry the documented stand-in. A call of the provider's own whose result never came is set aside (R21), and
so are thoughts when nothing else of their answer is sent as it came (C41).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, assert_never

from attrs import define

from turnlock.engine.items import (
    Call,
    CallKind,
    Item,
    Message,
    ModelItem,
    Note,
    Output,
    Reasoning,
    ServerCall,
    Text,
)
from turnlock.wire.common import content
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.jsontext import as_object
from turnlock.wire.common.request import CONTINUE, NAMELESS, Settings, ToolSpec
from turnlock.wire.gemini.parts import (
    CALL,
    DIALECT,
    MEDIA,
    MODEL,
    RESPONSE,
    SERVER_CALLS,
    SIGNATURE,
    USER,
    inner,
    kind_of,
    look,
    text_of,
    without,
)

Row = dict[str, Any]

STAND_IN = "skip_thought_signature_validator"
"""The signature of a call that this model did not sign, as Google documents it (GEM-SIG-MISSING)."""

SAID_NOTHING = "(empty message)"
"""A message without content: a part may not be empty."""

_NOT_OPTIONS = ("model", "instructions", "stream", "contents", "systemInstruction", "system_instruction")
_SIGNS = re.compile(r"(?:.*/)?gemini-(?:[3-9]|\d\d)")


@define(eq=False)
class GeminiEncoder(Encoder):
    """The encoder of ``gemini``."""

    transcript: ClassVar[str] = "contents"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION})
    joins: ClassVar[bool] = True
    id_style: ClassVar[IdStyle] = IdStyle(length=256)  # no source names a limit: ids stay as they came

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        body = dict(settings.options)
        more_tools = body.pop("tools", ())
        for name in _NOT_OPTIONS:
            if name in body:
                raise ValueError(f"{name!r} is not an option: it is a field of Settings, or the transcript")
        declared = [_declared(spec) for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL]
        if declared or more_tools:
            body["tools"] = [*([{"functionDeclarations": declared}] if declared else ()), *more_tools]
        if settings.instructions:
            body["systemInstruction"] = {"parts": [{"text": settings.instructions}]}
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.model

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        if isinstance(block[0], ModelItem):
            return self._answer(block, settings)
        return self._between(block)

    # ── an answer ───────────────────────────────────────────────────────────────────────────────────

    def _answer(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        own = [_made_by(item, settings.model) for item in block]
        unfinished = _unfinished(block)
        kept = (made and at not in unfinished for at, made in enumerate(own))
        whole = any(sent and not isinstance(item, Reasoning) for item, sent in zip(block, kept, strict=True))
        parts: Rows = []
        places: Places = []
        for at, (item, made) in enumerate(zip(block, own, strict=True)):
            sendable = whole if isinstance(item, Reasoning) else at not in unfinished
            part = self._made(item, own=made) if sendable else None
            places.append(None if part is None else 0)
            if part is not None:
                parts.append(part)
        if "3" in self.profiles or signs_calls(settings.model):
            _sign(parts)
        if not parts:
            return [], places
        rows: Rows = [{"role": MODEL, "parts": parts}]
        if self._rows:
            return rows, places
        opening = {"role": USER, "parts": [{"text": CONTINUE}]}  # GEM-FC-AFTER: the model may not begin
        return [opening, *rows], [None if place is None else 1 for place in places]

    def _made(self, item: Item, *, own: bool) -> Mapping[str, Any] | None:
        """What the model made, as a part; None where it is set aside."""
        if isinstance(item, Call):
            return self._call(item, own=own)
        if own and isinstance(item, ModelItem) and item.origin is not None:
            return item.origin.item
        return {"text": item.text} if isinstance(item, Text) and item.text else None

    def _call(self, call: Call, *, own: bool) -> Row:
        wire_id = self._ids.give(call)
        said = {"name": call.name or NAMELESS, "args": as_object(call.arguments)}
        part: Row = {CALL: {"id": wire_id, **said} if call.call_id else said}
        if own and call.origin is not None:
            part |= without(call.origin.item, CALL, SIGNATURE)
            if signature := look(call.origin.item, SIGNATURE):
                part[SIGNATURE] = signature
        return part

    # ── what stands between two answers ─────────────────────────────────────────────────────────────

    def _between(self, block: Sequence[Item]) -> tuple[Rows, Places]:
        known = {item.ordinal for item in block if isinstance(item, Output) and self._ids.of(item.ordinal)}
        outputs = sorted(
            (item for item in block if isinstance(item, Output) and item.ordinal in known),
            key=lambda output: output.ordinal,
        )
        rows: Rows = []
        places: Places = []
        if outputs:
            rows.append({"role": USER, "parts": [self._output(output) for output in outputs]})
        for item in block:
            match item:
                case Output():
                    # Without its call an output would be refused: it is set aside (R16).
                    places.append(0 if item.ordinal in known else None)
                    continue
                case Message():
                    parts = [_part(part) for part in content.parts(item.content)]
                case Note():
                    parts = [{"text": item.text}]
                case Text() | Reasoning() | Call() | ServerCall():
                    raise AssertionError(f"{item!r} is the model's")
                case _:
                    assert_never(item)
            places.append(len(rows))
            rows.append({"role": USER, "parts": parts or [{"text": SAID_NOTHING}]})
        return rows, places

    def _output(self, output: Output) -> Row:
        known = self._ids.of(output.ordinal)
        assert known is not None
        call, wire_id = known
        # Where the output itself was refused, the text is about the refusal, and reads back as it is.
        field = "output" if output.outcome.ok or output.refused is not None else "error"
        said = {"name": call.name or NAMELESS, "response": {field: output.model_text}}
        return {RESPONSE: {"id": wire_id, **said} if call.call_id else said}

    def _closing(self, _settings: Settings) -> Rows:
        """GEM-TRAILING-MODEL: the user speaks last."""
        standing = zip(reversed(self._items), reversed(self._places), strict=True)
        last = next((item for item, place in standing if place is not None), None)
        return [{"role": USER, "parts": [{"text": CONTINUE}]}] if isinstance(last, ModelItem) else []


def signs_calls(model: str) -> bool:
    """Is this a model of Gemini 3 or newer, which wants its calls signed?"""
    return _SIGNS.match(model) is not None


def _made_by(item: Item, model: str) -> bool:
    """The model that is asked made it, and it still says the same."""
    origin = item.origin if isinstance(item, ModelItem) else None
    if origin is None or (origin.dialect, origin.model) != (DIALECT, model):
        return False
    return not isinstance(item, Text) or text_of(origin.item.get("text")) == item.text


def _unfinished(block: Sequence[Item]) -> set[int]:
    """The server calls of an answer whose result is not in it."""
    waiting: dict[tuple[str, str], list[int]] = {}
    for at, item in enumerate(block):
        if not isinstance(item, ServerCall):
            continue
        kind = kind_of(item.origin.item)
        label = text_of((inner(item.origin.item, kind) or {}).get("id"))
        if kind in SERVER_CALLS:
            waiting.setdefault((SERVER_CALLS[kind], label), []).append(at)
        elif waiting.get((kind, label)):
            waiting[kind, label].pop()
    return {at for places in waiting.values() for at in places}


def _sign(parts: Rows) -> None:
    """The first call of an answer carries a signature; the others need none."""
    first = next((at for at, part in enumerate(parts) if CALL in part), None)
    if first is not None and not parts[first].get(SIGNATURE):
        parts[first] = {**parts[first], SIGNATURE: STAND_IN}


def _part(part: content.Part) -> Row:
    match part:
        case content.TextPart():
            return {"text": part.text}
        case content.ImagePart():
            if part.data:
                return {"inlineData": {"mimeType": part.media_type or "image/png", "data": part.data}}
            suffix = part.url.partition("?")[0].rpartition(".")[2].lower()
            media_type = f"image/{suffix}" if suffix in ("gif", "png", "webp") else "image/jpeg"
            return {"fileData": {"mimeType": media_type, "fileUri": part.url}}
        case content.OtherPart():
            return dict(part.raw) if kind_of(part.raw) in MEDIA else {"text": part.text}


def _declared(spec: ToolSpec) -> Row:
    tool: Row = {"name": spec.name}
    if spec.description:
        tool["description"] = spec.description
    match spec.kind:
        case CallKind.FUNCTION | CallKind.TOOL_SEARCH:
            if spec.parameters:
                tool["parametersJsonSchema"] = spec.parameters
        case CallKind.CUSTOM:  # its parameters are a format that only OpenAI's APIs know
            text = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
            tool["parametersJsonSchema"] = text
        case _:
            tool["parametersJsonSchema"] = {"type": "object"}
    return tool
