"""Writes a transcript as the messages of Bedrock's Converse.

Roles take turns, so an answer is one assistant message and all that stands between two answers is one user
message: results first, in call order, then what was said. Where that leaves two messages of one role side by
side, a short one of ours stands between them: behind an answer that nobody said anything to (it is what the
request that asked for the next answer ended with), and behind a message that nothing sendable answered.

Two profiles forbid words beside results (a short assistant message goes between) or beside calls (the words
have an assistant message of their own, and a short user message stands behind it). The other way out of the
second, leaving the words out, would make the model forget what it said (R16).

What Converse has no words for:

* every call is a toolUse, so calls of other kinds are tools of the kind's name;
* messages of developer and system stand in the history as the user's;
* reasoning, and what the provider executed, goes back to the model that made it and is set aside elsewhere;
  so is reasoning whose partner is not sent, and a server call without its result, for no pause is resumed;
* images that are addresses are named by them; what only another provider can show is named in words;
* text that is blank is left out of an answer that says more, and named where it is all that there is.

The model and the streaming stand in the URL, so they are not in the body. ``toolConfig`` is always there
when the history has calls (BR-TOOLCONFIG): without tools in the settings it names those of the history.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import define, field

from turnlock.engine.items import (
    Call,
    CallKind,
    Item,
    Message,
    ModelItem,
    Note,
    Origin,
    Output,
    Reasoning,
    ServerCall,
    Text,
)
from turnlock.wire.bedrock.blocks import DIALECT, IDS, WORDS, Block, content_blocks, label_of, text
from turnlock.wire.bedrock.rules import UNMIXED_ASSISTANT, UNMIXED_USER
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.jsontext import as_object
from turnlock.wire.common.request import (
    CONTINUE,
    RECEIVED,
    SILENT,
    Encoded,
    Settings,
    ToolSpec,
    plain_name,
    schema_of,
)

_NOT_OPTIONS = ("model", "modelId", "instructions", "stream", "messages")


@define(eq=False)
class BedrockEncoder(Encoder):
    """The encoder of ``bedrock_converse``."""

    transcript: ClassVar[str] = "messages"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION})
    joins: ClassVar[bool] = True
    id_style: ClassVar[IdStyle] = IDS

    _called: tuple[tuple[str, str], ...] = field(init=False, default=())  # in place of tools

    def _encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """As the base class; tools that the session has no more are taken from the history."""
        self._called = () if settings.tools else tuple(dict.fromkeys(map(_named, items[:length])))
        return super()._encode(items, length, settings)

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        options = dict(settings.options)
        for name in _NOT_OPTIONS:
            if name in options:
                raise ValueError(
                    f"{name!r} is not an option: it is a field of Settings, of the URL, or the transcript"
                )
        config = dict(options.pop("toolConfig", ()))
        tools = [_tool(spec) for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL]
        tools += [*config.get("tools", ()), *options.pop("tools", ())]
        body: dict[str, Any] = options
        system = [text(settings.instructions)] if settings.instructions else []
        if system := [*system, *options.pop("system", ())]:
            body["system"] = system
        if not tools:
            tools = [_called(sort, name) for sort, name in self._called if name]
        if tools:
            body["toolConfig"] = config | {"tools": tools}
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.model

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        if isinstance(block[0], ModelItem):
            return self._answer(block, settings)
        return self._gap(block)

    def _closing(self, _settings: Settings) -> Rows:
        return [] if self._ends_with() == "user" else [_user([text(CONTINUE)])]

    def _ends_with(self) -> str:
        """The role of the last row that was written."""
        for item, place in zip(reversed(self._items), reversed(self._places), strict=True):
            if place is not None:
                return "assistant" if isinstance(item, ModelItem) else "user"
        return ""

    def _gap(self, block: Sequence[Item]) -> tuple[Rows, Places]:
        """What stands between two answers: results, then words."""
        results: list[Block] = []
        words: list[Block] = []
        of: list[list[Block] | None] = []  # for each item, where it went
        for item in block:
            match item:
                case Output():
                    result = self._result(item)
                    results += [result] if result else []
                    of.append(results if result else None)  # without its call it is set aside (R16)
                case Message():
                    words += content_blocks(item.content)
                    of.append(words)
                case Note():
                    words += content_blocks(item.text)
                    of.append(words)
        if not results and not words:
            return [], [None] * len(block)
        rows: Rows = [_assistant([text(SILENT)])] if self._ends_with() == "user" else []
        first = len(rows)
        if results and words and UNMIXED_USER in self.profiles:
            rows += [_user(results), _assistant([text(RECEIVED)]), _user(words)]
        else:
            rows.append(_user([*results, *words]))
        return rows, [None if there is None else first if there is results else len(rows) - 1 for there in of]

    def _result(self, output: Output) -> Block | None:
        known = self._ids.of(output.ordinal)
        if known is None:
            return None
        # What stands in place of a refused output is no error of the tool (R20).
        ok = output.outcome.ok or output.refused is not None
        said = {
            "toolUseId": known[1],
            "content": [text(output.model_text)],
            "status": "success" if ok else "error",
        }
        return {"toolResult": said}

    def _answer(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        """One answer: what was said, then its calls. Text behind a call goes before the first one (C42)."""
        head: list[Block] = []
        tail: list[Block] = []
        spots: list[
            tuple[bool, int] | None
        ] = []  # for each item: is it among the calls, or where in the head
        for item, origin in zip(block, _sent(block, settings.model), strict=True):
            spot: tuple[bool, int] | None = bool(tail), len(head)
            match item:
                case Call():
                    tail.append(self._call(item))
                    spot = True, 0
                case Text():
                    spot = False, len(head)
                    head += [text(item.text)] if item.text.strip() else []
                case _ if origin is not None:
                    said = self._sent_back(item, origin)
                    words = not WORDS.isdisjoint(said)
                    spot = spot if not words else (False, len(head))
                    (tail if tail and not words else head).append(said)
                case _:
                    spot = None
            spots.append(spot)
        if not head and not tail:
            head = [text(SILENT)] if any(isinstance(item, Text) for item in block) else []
        return self._answer_rows(head, tail, spots)

    def _answer_rows(
        self, head: list[Block], tail: list[Block], spots: list[tuple[bool, int] | None]
    ) -> tuple[Rows, Places]:
        if not head and not tail:
            return [], [None] * len(spots)
        rows: Rows = [] if self._ends_with() == "user" else [_user([text(CONTINUE)])]
        first = len(rows)
        cut = max((place for place, block in enumerate(head, 1) if not WORDS.isdisjoint(block)), default=0)
        if tail and cut and UNMIXED_ASSISTANT in self.profiles:
            rows += [_assistant(head[:cut]), _user([text(CONTINUE)]), _assistant([*head[cut:], *tail])]
        else:
            rows.append(_assistant([*head, *tail]))
        last = len(rows) - 1
        places: Places = []
        for spot in spots:
            places.append(None if spot is None else last if spot[0] or spot[1] >= cut else first)
        return rows, places

    def _call(self, call: Call) -> Block:
        said = {
            "toolUseId": self._ids.give(call),
            "name": plain_name(call.name),
            "input": as_object(call.arguments),
        }
        return {"toolUse": said}

    def _sent_back(self, item: Item, origin: Origin) -> Block:
        """The provider's own block; only the id of a call that it executed may have to change."""
        if not isinstance(item, ServerCall):
            return origin.item
        for name in ("toolUse", "toolResult"):
            label = label_of(origin.item, name)
            if label is not None:
                if name == "toolUse":
                    wire_id: str | None = self._ids.give_server(CallKind.FUNCTION, label, item.request)
                else:
                    wire_id = self._ids.take_server(CallKind.FUNCTION, label)
                return {**origin.item, name: {**origin.item[name], "toolUseId": wire_id}}
        return origin.item


def _user(content: Sequence[Block]) -> Mapping[str, Any]:
    return {"role": "user", "content": content}


def _assistant(content: Sequence[Block]) -> Mapping[str, Any]:
    return {"role": "assistant", "content": content}


def _tool(spec: ToolSpec) -> Mapping[str, Any]:
    tool: dict[str, Any] = {"name": spec.name}
    if spec.description:
        tool["description"] = spec.description
    tool["inputSchema"] = {"json": schema_of(spec)}
    if spec.strict is not None:
        tool["strict"] = spec.strict
    return {"toolSpec": tool}


def _named(item: Item) -> tuple[str, str]:
    """The tool that an item is a call of: ours or the provider's, and its name; empty where it is none."""
    if isinstance(item, Call):
        return "toolSpec", plain_name(item.name)
    if isinstance(item, ServerCall) and label_of(item.origin.item, "toolUse") is not None:
        return "systemTool", plain_name(item.name)
    return "", ""


def _called(sort: str, name: str) -> Mapping[str, Any]:
    if sort == "systemTool":
        return {sort: {"name": name}}
    return {sort: {"name": name, "inputSchema": {"json": {"type": "object"}}}}


def _sent(block: Sequence[Item], model: str) -> list[Origin | None]:
    """For each item, the provider's own form of it, if that may be sent back to this model.

    Reasoning goes with the item that it belongs to, and what the provider executed with its result.
    """
    own = [_made_by(item, model) for item in block]
    asked: dict[str, int] = {}
    whole: set[int] = set()
    for at, origin in enumerate(own):
        if origin is None or not isinstance(block[at], ServerCall):
            continue
        use, result = label_of(origin.item, "toolUse"), label_of(origin.item, "toolResult")
        if use is not None:
            asked[use] = at
        elif result is None:
            whole.add(at)
        elif result in asked:
            whole |= {asked.pop(result), at}
    sent: list[Origin | None] = []
    followed = False
    for at in reversed(range(len(block))):
        item, origin = block[at], own[at]
        if isinstance(item, Reasoning):
            origin = origin if followed else None
        elif isinstance(item, ServerCall):
            origin = origin if at in whole else None
            followed = followed or origin is not None
        elif not isinstance(item, Text) or item.text.strip():
            followed = origin is not None
        sent.append(origin)
    return sent[::-1]


def _made_by(item: Item, model: str) -> Origin | None:
    origin = item.origin if isinstance(item, ModelItem) else None
    return origin if origin is not None and (origin.dialect, origin.model) == (DIALECT, model) else None
