"""Writes a transcript as the input of OpenAI Responses.

One item of the transcript is one input item, but for reasoning that may not be sent, for a computer's output
without a picture (``outputs.py``), and for an output that the provider sent without a call of its own. What
this model itself made goes back as it came. An answer keeps the provider's item ids wholly or not at all,
because ids of one answer refer to each other (C41, RESP-REASONING-FOLLOW, RESP-CALL-NEEDS-REASONING): it
loses them when another model made it, when nothing is stored, when its response never came to its end, and
when they repeat or are none that the provider would take.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat, takewhile
from typing import Any, ClassVar, assert_never

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
    Role,
    ServerCall,
    Text,
)
from turnlock.wire.common.content import ImagePart, OtherPart, Part, written
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import ID_MAX
from turnlock.wire.common.request import NAMELESS, Encoded, Settings, envelope
from turnlock.wire.openai_responses.decode import message_text
from turnlock.wire.openai_responses.kinds import (
    BY_CALL,
    BY_OUTPUT,
    CALL_ID,
    DIALECT,
    ID_PREFIXES,
    NAMED,
    SHAPES,
    item_type,
    tool_row,
)
from turnlock.wire.openai_responses.outputs import output_rows

_NOT_SENT_BACK = frozenset({"created_by", "parsed_arguments", "status"})  # added by the API or by its SDK
_COMPLETED = "completed"


@define(eq=False)
class ResponsesEncoder(Encoder):
    """The encoder of ``openai_responses``."""

    transcript: ClassVar[str] = "input"
    dialect: ClassVar[str] = DIALECT
    """Whose own items go back as they came."""

    _item_ids: set[str] = field(init=False, factory=set)  # an id stands once in a request (RESP-DUP-ITEM-ID)
    _held: Sequence[Item] = field(init=False, default=())

    def _encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """As every encoder; where the provider keeps the history, only what it does not know (R22, C47).

        What it knows ends with its last whole response: so the calls of that one may be open.
        """
        goes_on = settings.continues or settings.options.get("conversation") is not None
        if not goes_on or self._known is None:
            self._known, self._held = None, ()
            return super()._encode(items, length, settings)
        start = self._known.length
        self._held = items[:start]
        encoded = super()._encode(items[start:length], length - start, settings)
        last = takewhile(lambda item: isinstance(item, ModelItem), reversed(self._held))
        open_calls = [item.call_id for item in last if isinstance(item, Call)]
        positions = (*repeat(None, start), *encoded.positions)
        return Encoded(encoded.body, positions, tuple(reversed(open_calls)))

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        tools = [tool for spec in settings.tools if (tool := tool_row(spec)) is not None]
        body = envelope(settings, tools, transcript=self.transcript)
        if settings.instructions:
            body["instructions"] = settings.instructions
        if self._known is not None and body.get("conversation") is None:
            body["previous_response_id"] = self._known.response
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.model, _stored(settings), self._known

    def _start(self, settings: Settings) -> None:
        self._item_ids.clear()
        super()._start(settings)
        for item in self._held:
            if isinstance(item, Call):
                self._ids.hold(item)

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        own = [self._made_by(item, settings.model) for item in block]
        sendable = _sendable(block, own)
        # What is sent beside a history that the provider keeps is not what it knows by these ids; it would
        # take them for items that it has (RESP-DUP-ITEM-ID).
        kept = self._known is not None or settings.options.get("conversation") is not None
        with_ids = _stored(settings) and not kept and self._take_ids(block, own, sendable)
        rows: Rows = []
        places: Places = []
        for item, origin, may_be_sent in zip(block, own, sendable, strict=True):
            written = self._write_item(item, with_id=with_ids and origin is not None) if may_be_sent else ()
            places.append(len(rows) if written else None)
            rows.extend(written)
        return rows, places

    def _made_by(self, item: Item, model: str) -> Origin | None:
        """The provider's own form of an item, if the model that is asked made it and it says the same."""
        origin = item.origin if isinstance(item, ModelItem) else None
        if origin is None or (origin.dialect, origin.model) != (self.dialect, model):
            return None
        match item:
            case Text():
                same = message_text(origin.item) == item.text
            case Call():
                same = origin.item.get("type") == SHAPES[item.kind].call
            case _:
                same = True
        return origin if same else None

    def _take_ids(
        self, block: Sequence[Item], own: Sequence[Origin | None], sendable: Sequence[bool]
    ) -> bool:
        """May this answer keep the provider's item ids? If so they are taken."""
        ids: set[str] = set()
        first = next((item for item, origin in zip(block, own, strict=True) if origin is not None), None)
        if "stored" in self.profiles and not isinstance(first, Reasoning):
            return False  # the provider may look for reasoning before it (RESP-CALL-NEEDS-REASONING)
        for item, origin, may_be_sent in zip(block, own, sendable, strict=True):
            if origin is None or (isinstance(item, Call) and item.kind is CallKind.MCP_APPROVAL):
                continue
            if not origin.known:
                return False
            item_id = origin.item.get("id")
            prefix = ID_PREFIXES.get(item_type(origin.item), "")
            if not (may_be_sent and isinstance(item_id, str) and 0 < len(item_id) <= ID_MAX):
                return False
            if not item_id.startswith(prefix) or item_id in ids or item_id in self._item_ids:
                return False
            ids.add(item_id)
        self._item_ids |= ids
        return True

    def _write_item(self, item: Item, *, with_id: bool) -> Sequence[Mapping[str, Any]]:
        row: Mapping[str, Any] | None
        match item:
            case Message():
                row = {"role": item.role, "content": written(item.content, _PARTS, _part)}
            case Note():
                row = {"role": Role.USER, "content": item.text}
            case Text():
                row = self._text(item, with_id=with_id)
            case Reasoning():
                row = _reasoning(item, with_id=with_id)
            case Call():
                row = self._call(item, with_id=with_id)
            case ServerCall():
                row = self._server_call(item, with_id=with_id)
            case Output():
                known = self._ids.of(item.ordinal)
                # Without its call an output has no id, and would be refused: it is set aside (R16).
                return () if known is None else output_rows(*known, item, dialect=self.dialect)
            case _:
                assert_never(item)
        return () if row is None else (row,)

    def _text(self, item: Text, *, with_id: bool) -> Mapping[str, Any]:
        origin = item.origin
        said = origin.item if origin is not None and origin.dialect == self.dialect else {}
        if with_id:
            status = said.get("status") or _COMPLETED
            return {**sent_back(said, with_id=True), "role": "assistant", "status": status}
        row: dict[str, Any] = {"role": "assistant", "content": item.text}
        if said.get("phase") is not None:
            row["phase"] = said["phase"]  # newer models answer worse without it
        return row

    def _call(self, call: Call, *, with_id: bool) -> Mapping[str, Any]:
        shape = SHAPES[call.kind]
        origin = call.origin
        row: dict[str, Any] = {"type": shape.call}
        if origin is not None and origin.dialect == self.dialect and origin.item.get("type") == shape.call:
            row |= sent_back(origin.item, with_id=with_id)
        if call.kind is CallKind.MCP_APPROVAL:
            row[shape.id_field] = self._ids.give(call, also_taken=self._item_ids)
            self._item_ids.add(row[shape.id_field])
        else:
            row[shape.id_field] = self._ids.give(call)
        if call.kind in NAMED:
            row["name"] = call.name or NAMELESS
        for part in shape.parts:
            row.pop(part, None)
        row |= shape.fields(call)
        if shape.status:
            row["status"] = _COMPLETED
        for key, value in _REQUIRED.get(call.kind, {}).items():
            row.setdefault(key, value)
        return row

    def _server_call(self, call: ServerCall, *, with_id: bool) -> Mapping[str, Any] | None:
        if call.origin.dialect != self.dialect:
            return None  # only its provider understands it
        row = {key: value for key, value in call.origin.item.items() if key != "created_by"}
        kind, label = item_type(row), row.get(CALL_ID)
        if not (with_id or kind == "item_reference"):
            row.pop("id", None)
        if isinstance(label, str) and kind in BY_CALL:
            row[CALL_ID] = self._ids.give_server(BY_CALL[kind].kind, label, call.request)
        elif isinstance(label, str) and kind in BY_OUTPUT:
            row[CALL_ID] = self._ids.take_server(BY_OUTPUT[kind].kind, label)
            if row[CALL_ID] is None:
                return (
                    None  # the provider answered nothing of its own: sent back, it would be refused for ever
                )
        return row


_REQUIRED: Mapping[CallKind, Mapping[str, Any]] = {
    CallKind.COMPUTER: {"pending_safety_checks": []},
    CallKind.TOOL_SEARCH: {"execution": "client"},
}
"""Fields that a call without the provider's own item must have."""


def _stored(settings: Settings) -> bool:
    """The provider keeps items, so that their ids mean something to it."""
    return settings.options.get("store") is not False


def _sendable(block: Sequence[Item], own: Sequence[Origin | None]) -> list[bool]:
    """Reasoning is sent to the model that made it, with the item that it belongs to; the rest always is."""
    sendable: list[bool] = []
    followed = False
    for item, origin in zip(reversed(block), reversed(own), strict=True):
        if isinstance(item, Reasoning):
            sendable.append(followed and origin is not None)
        else:
            followed = origin is not None and item_type(origin.item) not in BY_OUTPUT
            sendable.append(True)
    return sendable[::-1]


def sent_back(item: Mapping[str, Any], *, with_id: bool) -> dict[str, Any]:
    """The provider's own item without what it does not take back."""
    return {
        key: value
        for key, value in item.items()
        if value is not None and key not in _NOT_SENT_BACK and (with_id or key != "id")
    }


def _reasoning(item: Reasoning, *, with_id: bool) -> Mapping[str, Any] | None:
    said = item.origin.item if item.origin is not None else {}
    if not with_id and not said.get("encrypted_content"):
        return None  # without an id its content is all that the provider could know it by
    row = sent_back(said, with_id=with_id)
    if not isinstance(row.get("summary"), list):
        row["summary"] = []  # required, also where the provider left it out
    return row


_PARTS = frozenset({"input_text", "output_text", "input_image", "input_file", "input_audio", "refusal"})
"""The types of parts of this format."""


def _part(part: Part) -> Mapping[str, Any]:
    """A part that came in another format."""
    match part:
        case ImagePart():
            return {"type": "input_image", "image_url": part.as_url}
        case OtherPart(raw={"type": "file", "file": Mapping() as file}):
            return {"type": "input_file", **file}
        case _:
            return {"type": "input_text", "text": part.text}
