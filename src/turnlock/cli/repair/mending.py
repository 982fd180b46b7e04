"""A request → a valid one, in its own dialect, or of a session in another one.

In its own dialect the body is mended as it stands, and no field of it is lost. For another dialect the
session is read into a transcript, that is mended, and then encoded; what cannot be said there is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import attrs
import msgspec
from attrs import frozen

from turnlock.engine.items import Item
from turnlock.reports import Implied
from turnlock.wire import Settings, Violation, encoder, read, repair
from turnlock.wire.common.history import History
from turnlock.wire.repair import Change, mend_transcript

_NAMELESS = "unknown"
"""The model of a session that names none."""


@frozen
class Mended:
    """What became of a request.

    Attributes:
        dialect: What it is written in now.
        body: It.
        changes: What was done.
        left: The errors that no repair can mend.
    """

    dialect: str
    body: Mapping[str, Any]
    changes: tuple[Change, ...]
    left: tuple[Violation, ...]


def mend(request: Implied, dialect: str | None = None, *, part: bool = False) -> Mended:
    """Mend a request.

    Args:
        request: It.
        dialect: What it is to be written in; None for its own.
        part: Only its rows come back: what its envelope lacks is sent beside them, and is no error.

    Raises:
        ValueError: There is no such dialect, or nothing reads, writes or repairs it.
    """
    target = dialect or request.dialect
    if target.partition("+")[0] != request.dialect.partition("+")[0]:
        return _in_another(request, target)
    body = {**request.judged, **request.body()} if part else request.body()
    done = repair(body, target, request.open_calls)
    return Mended(target, done.value, done.changes, done.left)


def _in_another(request: Implied, target: str) -> Mended:
    history = read(request.body(), request.dialect)
    mended = mend_transcript(history.items)
    stream = bool(history.options.get("stream"))
    model = history.model or _NAMELESS
    settings = Settings(model, history.instructions, history.tools, stream=stream)
    encoded = encoder(target).encode(mended.items, len(mended.items), settings)
    changes = [
        *map(_of_transcript, mended.changes),
        *_unsaid(mended.items, encoded.positions, target),
        *_left_out(history, request.dialect),
    ]
    done = repair(encoded.body, target, encoded.open_calls)
    return Mended(target, done.value, (*changes, *done.changes), done.left)


def _of_transcript(change: Change) -> Change:
    """A change of an item: the transcript that was read has no pointers, its items are counted."""
    at = f"item {change.at.removeprefix('/')}" if change.at else ""
    return attrs.evolve(change, at=at, set_aside=_plain(change.set_aside))


def _unsaid(items: Sequence[Item], positions: Sequence[int | None], target: str) -> Iterator[Change]:
    for at, (item, position) in enumerate(zip(items, positions, strict=True)):
        if position is None:
            what = f"{type(item).__name__} of another model cannot be said in {target}: it is set aside."
            yield Change(what, f"item {at}", set_aside=_plain(item))


def _left_out(history: History, dialect: str) -> Iterator[Change]:
    options = {name: value for name, value in history.options.items() if name != "stream"}
    if options:
        what = f"Options of {dialect} are no options of another dialect: {', '.join(options)} are set aside."
        yield Change(what, set_aside=options)


def _plain(item: object) -> Any:  # noqa: ANN401  # whatever JSON can say
    """An item as plain data, for a report."""
    if not attrs.has(type(item)):
        return item

    def simple(_item: object, _field: object, value: object) -> object:
        return value.value if isinstance(value, Enum) else value

    plain = attrs.asdict(item, value_serializer=simple)  # type: ignore[arg-type]  # it is one, see above
    return {"type": type(item).__name__, **msgspec.to_builtins(plain, enc_hook=repr)}
