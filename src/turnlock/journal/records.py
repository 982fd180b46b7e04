"""Entries <-> plain data, for journals that write bytes.

A record is ``{"type": <class name>, <field>: <value>, …}``. Values inside an entry that can be of several
classes (the items of a transcript) carry their ``type`` too. Reading ignores fields that it does not know,
so that a later release can add some.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, get_args, get_type_hints

import attrs
import msgspec

from turnlock.engine import Limits, items
from turnlock.errors import JournalError
from turnlock.journal.protocol import Entry, RequestSent

_Read: TypeAlias = Callable[[Any], Any]
_ITEMS = get_args(items.Item)


def to_record(entry: Entry) -> dict[str, Any]:
    """An entry as data that JSON can say.

    Raises:
        TypeError: There is something in it that JSON cannot say.
        RecursionError: It is nested too deeply.
    """
    if isinstance(entry, RequestSent):
        return {
            "type": "RequestSent",
            "at": entry.at,
            "request": entry.request,
            "body": msgspec.Raw(entry.body),  # byte for byte as it left
        }
    return _tagged(entry)


def dumps(data: object) -> bytes:
    """A record, and what a journal writes beside it, as JSON on one line."""
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError:  # half an emoji, as a cut answer leaves one: JSON can say it in ASCII alone
        text = json.dumps(data, default=_parsed)
        return json.dumps(json.loads(text, parse_constant=_null)).encode()


def from_record(record: Mapping[str, Any]) -> Entry:
    """The entry that a record was made of.

    Raises:
        JournalError: The record is of an unknown type, or does not fit it.
    """
    name = str(record.get("type"))
    if name not in _ENTRIES:
        raise JournalError(f"unknown record type {record.get('type')!r}: a later release may have written it")
    cls, readers = _ENTRIES[name]
    values: dict[str, Any] = {}
    for known in attrs.fields(cls):
        if known.name in record:
            try:
                values[known.name] = readers[known.name](record[known.name])
            except (TypeError, ValueError, RecursionError) as error:
                raise JournalError(f"a {name} record is not readable: {known.name}: {error}") from error
        elif known.default is attrs.NOTHING:
            raise JournalError(f"a {name} record is not readable: it has no {known.name}")
    made: Entry = cls(**values)
    return made


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────


def _tagged(value: object) -> dict[str, Any]:
    """An attrs value with its class name; the same for values in it that may be of several classes."""
    return {"type": type(value).__name__, **_fields(value)}


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401  # an instance of any attrs class
    return {known.name: _plain(getattr(value, known.name)) for known in attrs.fields(type(value))}


def _plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON can say
    """Our own values field by field; what is a host's or a provider's in one go, however deep it is."""
    if isinstance(value, _ITEMS):
        return _tagged(value)
    if attrs.has(type(value)):
        return _fields(value)
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return msgspec.to_builtins(value, enc_hook=_as_dict)


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _parsed(body: msgspec.Raw) -> Any:  # noqa: ANN401  # whatever JSON can say
    return json.loads(bytes(body))


def _null(_constant: str) -> None:
    """What is not a number in JSON, as ``msgspec`` writes it."""


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _item(data: object, *, of: Mapping[str, type]) -> Any:  # noqa: ANN401  # one of these classes, by its tag
    tag = data.get("type") if isinstance(data, Mapping) else None
    if not isinstance(tag, str) or tag not in of:
        raise ValueError(f"{tag!r} is no item that may stand here")
    return msgspec.convert(data, of[tag])


def _tuple(data: object, *, read: _Read) -> tuple[Any, ...]:
    return tuple(map(read, msgspec.convert(data, list[Any])))


def _named(classes: tuple[type, ...]) -> dict[str, type]:
    return {cls.__name__: cls for cls in classes}


_READERS: tuple[tuple[object, _Read], ...] = (
    (bytes, msgspec.json.encode),  # of a body: its bytes again, for whatever our encoders write
    (items.ModelItem, partial(_item, of=_named(get_args(items.ModelItem)))),
    (tuple[items.Item, ...], partial(_tuple, read=partial(_item, of=_named(_ITEMS)))),
    (Limits, partial(msgspec.convert, type=Limits, strict=False)),  # 3.0 requests are 3
)
"""How the fields are read whose type says too little, or too much."""


def _reader(hint: object) -> _Read:
    return next((read for known, read in _READERS if hint == known), partial(msgspec.convert, type=hint))


_ENTRIES: Mapping[str, tuple[type, Mapping[str, _Read]]] = {
    cls.__name__: (cls, {name: _reader(hint) for name, hint in get_type_hints(cls).items()})
    for cls in get_args(Entry)
}
