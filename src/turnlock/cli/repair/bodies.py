"""A file of request bodies → the same file, each body mended.

One body gives one, an array an array, lines give lines; a wrapper keeps its other fields. What needs no
repair comes back as the bytes that it was, and what cannot be read stays as it is and is told. Lines are
read, mended and written one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from attrs import define, field

from turnlock.cli.repair.mending import Mended, mend
from turnlock.reports import Implied, Unreadable
from turnlock.reports.readers import source
from turnlock.reports.readers.formats import bodies
from turnlock.reports.readers.opening import Found
from turnlock.reports.readers.shapes import rows_dialect
from turnlock.wire.common.jsontext import dumps

Tell: TypeAlias = Callable[[Implied, Mended], None]
"""Is told of each body what was done."""


@define(eq=False)
class Bodies:
    """The bodies of one file.

    Attributes:
        path: The file.
        dialect: What they are written in; None for what they show.
        tell: Is told of each.
        problems: What could not be read, so far.
    """

    path: Path
    dialect: str | None
    tell: Tell
    problems: list[Unreadable] = field(init=False, factory=list)
    _index: int = field(init=False, default=0)

    def mended(self, found: Found) -> Iterator[bytes]:
        """The file, in pieces; ``found`` is what a look into it has shown."""
        if found.lines:
            yield from self._lines()
            return
        raw = self.path.read_bytes()
        yield _like(raw, self._value(raw, found.value, None))

    def _lines(self) -> Iterator[bytes]:
        rows: list[tuple[bytes, Mapping[str, Any]]] = []  # a body whose messages stand one a line
        with self.path.open("rb") as stream:
            for line, raw in enumerate(stream, 1):
                problems: list[Unreadable] = []
                value = source.line_of(line, raw, problems)
                self.problems += problems
                if isinstance(value, dict) and not bodies.matches(value) and bodies.are_rows([value]):
                    rows.append((raw, value))
                elif value is source.NOTHING:
                    yield raw
                else:
                    yield _like(raw, self._value(raw, value, line))
        if rows:
            yield from self._rows(rows)

    def _rows(self, rows: list[tuple[bytes, Mapping[str, Any]]]) -> Iterator[bytes]:
        given = [row for _, row in rows]
        mended = self._mended(given, None)
        if mended is None:
            yield from (raw for raw, _ in rows)
        else:
            yield from (dumps(row) + b"\n" for row in mended)

    def _value(self, raw: bytes, value: object, line: int | None) -> bytes:
        """What stands for a value in the mended file: its own bytes, when nothing had to be done."""
        if isinstance(value, list) and rows_dialect(value) is None:
            return self._array(raw, value, line)
        if isinstance(value, Mapping) and bodies.is_capture(value) and "body" not in value:
            return self._capture(raw, value)
        new = self._mended(value, line)
        if new is None:
            return raw
        if not (isinstance(value, Mapping) and "body" in value):
            return dumps(new)
        if isinstance(value["body"], str):
            new = dumps(new).decode()
        return dumps({**_apart(raw, value), "body": new})

    def _array(self, raw: bytes, values: list[Any], line: int | None) -> bytes:
        each = _elements(raw, values)
        new = [self._value(before, value, line) for before, value in zip(each, values, strict=True)]
        return raw if new == each else b"[%b]" % b",".join(new)

    def _capture(self, raw: bytes, capture: Mapping[str, Any]) -> bytes:
        changed = False
        for data, wrapper in bodies.captured(capture):
            new = self._mended(wrapper, None)
            if new is not None:
                data["text"] = dumps(new).decode()
                changed = True
        return dumps(capture) if changed else raw

    def _mended(self, value: object, line: int | None) -> Any:  # noqa: ANN401  # a body, or the rows of one
        """What stands for a body now; None when it stays as it is."""
        request, problem = bodies.request_of(value, self.dialect or "", self._index, line)
        if request is not None:
            try:
                done = mend(request, part=request.partial)
            except ValueError as error:  # a wrapper names a dialect that there is not
                problem = str(error)
            else:
                self._index += 1
                self.tell(request, done)
                if not done.changes:
                    return None
                return done.body[request.key] if request.partial else _in_order(value, done.body)
        self.problems.append(Unreadable(line, problem))
        return None


def _in_order(given: object, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a body in the order in which it was given."""
    before = given.get("body", given) if isinstance(given, Mapping) else given
    if isinstance(before, str):
        before = source.decode(before.encode())
    assert isinstance(before, Mapping)
    return {**{name: body[name] for name in before if name in body}, **body}


def _apart(raw: bytes, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a wrapper, as the bytes that they were."""
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:  # a looser writer's JSON
        return value


def _elements(raw: bytes, values: list[Any]) -> list[bytes]:
    try:
        return [bytes(each) for each in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    except msgspec.DecodeError:
        return [dumps(value) for value in values]


def _like(raw: bytes, new: bytes) -> bytes:
    """The line with the line end that it had."""
    return new if new is raw else new + raw[len(raw.rstrip(b"\r\n")) :]
