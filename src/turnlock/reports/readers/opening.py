"""Which format a file is of, and the reader that it gets.

By what stands in the file, never by its name. Formats that are known and cannot be turned into requests
faithfully are named, too: whoever asks learns that it was no mistake of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import frozen

from turnlock.reports.readers import source
from turnlock.reports.readers.form import Implied, Reader, Recording, Unreadable
from turnlock.reports.readers.formats import bodies, chats, claude_code, codex, trae
from turnlock.reports.readers.shapes import ANTHROPIC, RESPONSES, form_of

CODEX, TRAE, BODIES = "codex_rollout", "trae_trajectory", "bodies"
FORMATS = (CODEX, claude_code.FORMAT, TRAE, *chats.FORMATS, BODIES)
"""The formats that are read."""

_KNOWN = f"known are {', '.join(FORMATS)}"
UNREAD: Mapping[str, str] = MappingProxyType(
    {
        "codex_exec_json": "it holds events for front ends, not the items that were sent",
        "opencode_events": "it holds events for front ends, not the messages that were sent",
        "openhands_events": "it holds the agent's events, not the messages that were sent",
        "inspect_ai": "it holds events of an evaluation, in that program's own messages",
    }
)
"""Formats that are known, and why they are not read."""

Lines: TypeAlias = Sequence[Mapping[str, Any]]


@frozen
class Found:
    """What a look into a file has shown.

    Attributes:
        format: Its format; None when it is none that is known.
        value: What stands in it, when it is one JSON value.
        lines: It is read line by line.
        problem: Why there is no format.
    """

    format: str | None
    value: Any = None
    lines: bool = False
    problem: str = ""


def detect(path: Path | str) -> str | None:
    """The format of a file, one of ``FORMATS`` or of the known ones that are not read; None for any other.

    Raises:
        OSError: The file cannot be read.
    """
    return look(Path(path)).format


def open_recording(path: Path | str, dialect: str | None = None) -> list[Recording]:
    """The recordings of a file: one, or the main conversation and its sidechains.

    A file that cannot be read is a recording without requests, whose problem says why.

    Args:
        path: The file.
        dialect: What its requests are to be judged as; by default what the format speaks, and for bodies
            what their shape says.

    Raises:
        OSError: The file cannot be read.
    """
    path = Path(path)
    found = look(path)
    name, given = found.format, dialect or ""
    if name is None:
        return [Recording("unknown", given, read=_says(found.problem))]
    if name in UNREAD:
        return [Recording(name, given, read=_says(f"{name} is known, and not read: {UNREAD[name]}"))]
    if name == BODIES:
        return [Recording(name, given, read=_bodies(path, found, given))]
    spoken = _spoken(found)
    if given and form_of(given) != form_of(spoken):
        return [
            Recording(name, given, read=_says(f"it holds {spoken} requests: none can be read as {given}"))
        ]
    if name == claude_code.FORMAT:
        return claude_code.recordings(path, given or spoken)
    return [Recording(name, given or spoken, read=_session(path, found, given or spoken))]


def _spoken(found: Found) -> str:
    """What a session of this format is written in."""
    match found.format:
        case "codex_rollout":
            return RESPONSES
        case "claude_code":
            return ANTHROPIC
        case "trae_trajectory":
            return trae.dialect_of(found.value)
        case name:
            return chats.dialect_of(str(name))


def _session(path: Path, found: Found, dialect: str) -> Reader:
    match found.format:
        case "codex_rollout":
            return partial(codex.read, path, dialect)
        case "trae_trajectory":
            return partial(trae.read, found.value, dialect)
        case name if found.lines:
            return partial(chats.read_lines, str(name), path, dialect)
        case name:
            return partial(chats.read, str(name), found.value, dialect)


def _bodies(path: Path, found: Found, dialect: str) -> Reader:
    if found.lines:
        return partial(bodies.read_lines, path, dialect)
    return partial(bodies.read, found.value, dialect)


def _says(problem: str) -> Reader:
    def read(_first: int, problems: list[Unreadable]) -> Iterator[Implied]:
        problems.append(Unreadable(None, problem))
        return iter(())

    return read


def look(path: Path) -> Found:
    """Look into a file.

    Raises:
        OSError: It cannot be read.
    """
    first, several = source.head(path)
    if several and (name := _first_of(_LINES, first)) is not None:
        return Found(name, lines=True)
    try:
        value = source.whole(path)
    except source.NotJson as error:
        if (name := _first_of(_LINES, first)) is not None:
            return Found(name, lines=True)
        return Found(None, problem=_why(error, several=several))
    if (name := _first_of(_VALUES, value)) is not None:
        return Found(name, value)
    if isinstance(value, Mapping) and (name := _first_of(_LINES, [value])) is not None:
        return Found(name, lines=True)
    return Found(None, problem=f"its format is unknown: {_KNOWN}" if value else "it holds nothing")


def _why(error: source.NotJson, *, several: bool) -> str:
    if several:
        return f"its lines are of no known format: {_KNOWN}"
    return str(error) if isinstance(error, source.Empty) else f"it is neither JSON nor JSON lines: {error}"


def _first_of(table: Sequence[tuple[str, Callable[[Any], bool]]], what: object) -> str | None:
    return next((name for name, matches in table if what and matches(what)), None)


def _codex_exec(first: Lines) -> bool:
    return str(first[0].get("type")).startswith(("thread.", "item.", "turn."))


def _opencode(first: Lines) -> bool:
    return isinstance(first[0].get("event"), Mapping) and "type" in first[0]["event"]


def _openhands(value: object) -> bool:
    return isinstance(value, list) and any(
        isinstance(each, Mapping) and "source" in each and ("action" in each or "observation" in each)
        for each in value
    )


def _inspect(value: object) -> bool:
    events = value.get("events") if isinstance(value, Mapping) else None
    return isinstance(events, list) and any(isinstance(each, Mapping) and "event" in each for each in events)


_LINES: Sequence[tuple[str, Callable[[Lines], bool]]] = (
    ("codex_exec_json", _codex_exec),
    ("opencode_events", _opencode),
    ("gemini_cli_session", lambda first: chats.is_gemini_cli(first[0])),
    (claude_code.FORMAT, claude_code.matches),
    (BODIES, lambda first: any(bodies.matches(each) for each in first)),
    (CODEX, codex.matches),
    (BODIES, bodies.are_rows),
)
"""How lines show their format; the first that matches is it."""

_VALUES: Sequence[tuple[str, Callable[[Any], bool]]] = (
    (TRAE, trae.matches),
    *((name, partial(chats.matches, name)) for name in chats.FORMATS),
    ("inspect_ai", _inspect),
    ("openhands_events", _openhands),
    (BODIES, bodies.matches),
)
"""The same for a file that is one value."""
