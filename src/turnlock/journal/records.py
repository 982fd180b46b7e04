"""Entries <-> plain data, for journals that write bytes.

A record is ``{"type": <class name>, <field>: <value>, …}``. Values inside an entry that can be of several
classes (the items of a transcript) carry their ``type`` too. Reading ignores fields that it does not know,
so that a later release can add some.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, get_args

import attrs
import msgspec

from turnlock.engine import Limits, StopReason, inputs, items
from turnlock.errors import JournalError
from turnlock.journal.protocol import Entry, RequestSent, SessionOpened

_ITEMS = {cls.__name__: cls for cls in get_args(items.Item)}
_ENTRIES = {cls.__name__: cls for cls in (SessionOpened, RequestSent, *get_args(inputs.Input))}


def to_record(entry: Entry) -> dict[str, Any]:
    """An entry as data that JSON can say."""
    if isinstance(entry, RequestSent):
        return {
            "type": "RequestSent",
            "at": entry.at,
            "request": entry.request,
            "body": msgspec.Raw(entry.body),  # byte for byte as it left
        }
    return _tagged(entry)


def from_record(record: Mapping[str, Any]) -> Entry:
    """The entry that a record was made of.

    Raises:
        JournalError: The record is of an unknown type, or does not fit it.
    """
    cls = _ENTRIES.get(str(record.get("type")))
    if cls is None:
        raise JournalError(f"unknown record type {record.get('type')!r}: a later release may have written it")
    known = attrs.fields_dict(cls)
    data = {name: value for name, value in record.items() if name in known}
    try:
        if cls is RequestSent:
            return RequestSent(data["at"], data["request"], msgspec.json.encode(data["body"]))
        if cls is inputs.ItemCompleted:
            data["item"] = _item(data["item"])
            policy = msgspec.convert(data.get("policy", {}), inputs.Policy)
            return inputs.ItemCompleted(data["at"], data["request"], data["item"], policy)
        if cls is SessionOpened:
            data["history"] = tuple(_item(item) for item in data["history"])
            data["tools"] = tuple(data["tools"])
            data["limits"] = msgspec.convert(data["limits"], Limits)
            data["notes"] = msgspec.convert(data["notes"], dict[StopReason, str])
            return SessionOpened(**data)
        entry: Entry = msgspec.convert(data, cls)
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"a {cls.__name__} record is not readable: {error}") from error
    return entry


def _item(data: Mapping[str, Any]) -> Any:  # noqa: ANN401  # one of the item classes, by its tag
    cls = _ITEMS[data["type"]]
    return msgspec.convert({name: value for name, value in data.items() if name != "type"}, cls)


def _tagged(value: object) -> dict[str, Any]:
    """An attrs value with its class name; the same for values in it that may be of several classes."""
    return {"type": type(value).__name__, **_fields(value)}


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401  # an instance of any attrs class
    return {name: _plain(getattr(value, name)) for name in attrs.fields_dict(type(value))}


def _plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON can say
    if isinstance(value, get_args(items.Item)):
        return _tagged(value)
    if isinstance(value, StrEnum):
        return value.value
    if attrs.has(type(value)):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    return value
