"""The bytes of a file as JSON values, each with the line where it stands.

JSON lines are read one by one, whole values at once. A line that is no JSON is said and passed over: the
last one may be torn, because its writer was killed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from turnlock.reports.readers.form import Unreadable

_BLANK = b" \t\r\n\0"  # a file that was being written when the machine died may end with zeros
_MARK = b"\xef\xbb\xbf"
_LOOK = 1 << 16
_HEAD = 40
NOTHING = object()
"""What a line says that is blank, or that cannot be read."""
_strict = msgspec.json.Decoder().decode

Problems = list[Unreadable]


class NotJson(ValueError):
    """Bytes that are no JSON value; the text says why."""


class Empty(NotJson):
    """Nothing but blanks."""


def decode(raw: bytes) -> Any:  # noqa: ANN401  # JSON can be anything
    """The value that the bytes say.

    Raises:
        NotJson: They are not JSON.
    """
    try:
        return _strict(raw)
    except (ValueError, RecursionError) as strict:
        # Other writers are looser: NaN, half of a surrogate pair. Python's own reader takes them.
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise NotJson(str(strict)) from None


def lines(
    path: Path, problems: Problems, skip: Collection[int] = (), only: Collection[int] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with their line numbers.

    Args:
        path: The file.
        problems: Where lines that cannot be read are said.
        skip: Numbers of lines that are not looked at.
        only: Numbers of the lines that are looked at; None for all.
    """
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if number in skip or (only is not None and number not in only):
                continue
            try:
                value = _strict(raw)
            except (ValueError, RecursionError):
                value = line_of(number, raw, problems)
            if value.__class__ is dict:
                yield number, value
            elif value is not NOTHING:
                problems.append(Unreadable(number, "it is not a JSON object"))


def line_of(number: int, raw: bytes, problems: Problems) -> Any:  # noqa: ANN401  # JSON can be anything
    """The value of a line, also of one that is blank, padded, or broken."""
    line = raw.strip(_BLANK)
    if number == 1:
        line = line.removeprefix(_MARK)
    if not line:
        return NOTHING
    try:
        return decode(line)
    except NotJson as error:
        torn = "" if raw.endswith(b"\n") else "the last line is torn: "
        problems.append(Unreadable(number, f"{torn}it is not JSON: {error}"))
        return NOTHING


def whole(path: Path) -> Any:  # noqa: ANN401  # JSON can be anything
    """The one value of a file.

    Raises:
        NotJson: It is not JSON.
    """
    raw = path.read_bytes().removeprefix(_MARK).strip(_BLANK)
    if not raw:
        raise Empty("it is empty")
    return decode(raw)


def head(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The objects of the first lines, and whether the file has several, each a value by itself.

    Reads little: a few lines, and of a file whose first line is long, that line. A value over many lines may
    have an object on one of them; its first line is none.
    """
    found: list[dict[str, Any]] = []
    several = False
    apart = False  # the first line is a value by itself
    with path.open("rb") as stream:
        seen = 0
        for number, raw in enumerate(stream):
            line = raw.strip(_BLANK).removeprefix(_MARK)
            if not line:
                continue
            several = several or seen > 0
            if (found and seen > _LOOK) or number > _HEAD:
                break
            seen += len(raw)
            if not line.startswith(b"{"):
                continue
            try:
                value = decode(line)
            except NotJson:
                continue
            if isinstance(value, dict):
                found.append(value)
                apart = apart or seen == len(raw)
    return found, several and apart
