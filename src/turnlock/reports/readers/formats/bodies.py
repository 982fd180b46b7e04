"""Request bodies: one, an array or lines of them, bare or wrapped with what became of them.

A wrapper is an object with a ``body``: captures and recordings have ``dialect``, ``status`` and ``error``
beside it. A bare array of messages, items or contents is one body that has nothing else. Network captures
(HAR) hold the bodies of their POSTs as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnlock.reports.readers import source
from turnlock.reports.readers.form import Implied, Unreadable, Verdict
from turnlock.reports.readers.shapes import (
    body_dialect,
    form_of,
    key_of,
    pairs_form,
    rows_dialect,
)
from turnlock.reports.readers.verdicts import message_of


def matches(value: object) -> bool:
    """Whether a value holds a body."""
    if isinstance(value, Mapping):
        return "body" in value or body_dialect(value) is not None or is_capture(value)
    if isinstance(value, list):
        return rows_dialect(value) is not None or any(
            isinstance(each, Mapping) and matches(each) for each in value
        )
    return False


def are_rows(first: Sequence[Mapping[str, Any]]) -> bool:
    """Whether lines are the messages of one body."""
    return rows_dialect(first[:1]) is not None


def read(value: object, dialect: str, first: int, problems: list[Unreadable]) -> Iterator[Implied]:
    """The bodies of one JSON value."""
    if isinstance(value, list) and rows_dialect(value) is None:
        values: Sequence[object] = value
    elif isinstance(value, Mapping) and is_capture(value):
        values = [wrapper for _, wrapper in captured(value)]
    else:
        values = (value,)
    for place, each in enumerate(values):
        request, problem = request_of(each, dialect, first)
        if request is None:
            where = f"[{place}] " if len(values) > 1 else ""
            problems.append(Unreadable(None, f"{where}{problem}"))
        else:
            yield request
            first += 1


def read_lines(path: Path, dialect: str, first: int, problems: list[Unreadable]) -> Iterator[Implied]:
    """The bodies of a file that has one a line, and the one whose messages stand one a line."""
    rows: list[Mapping[str, Any]] = []
    for line, value in source.lines(path, problems):
        if not matches(value) and are_rows([value]):
            rows.append(value)
            continue
        request, problem = request_of(value, dialect, first, line)
        if request is None:
            problems.append(Unreadable(line, problem))
        else:
            yield request
            first += 1
    if rows:
        request, _ = request_of(rows, dialect, first)
        if request is not None:
            yield request


def request_of(
    value: object, dialect: str, index: int, line: int | None = None
) -> tuple[Implied | None, str]:
    """The request that a value is, or what is wrong with it."""
    verdict: Verdict | None = None
    open_calls: tuple[str, ...] = ()
    bare = False
    asked = dialect
    if isinstance(value, Mapping) and "body" in value:
        wrapper, value = value, value["body"]
        named = wrapper.get("dialect") or wrapper.get("provider")
        dialect = dialect or (named if isinstance(named, str) else "")
        verdict = _verdict(wrapper)
        open_calls = _held(wrapper)
    if isinstance(value, str):
        try:
            value = source.decode(value.encode())
        except (source.NotJson, UnicodeError) as error:
            return None, f"its body is not JSON: {error}"
    if isinstance(value, list):
        bare = True
        found = dialect or rows_dialect(value)
        value = {key_of(found): value} if found else value
    elif isinstance(value, Mapping):
        found = dialect or body_dialect(value)
    else:
        found = None
    if not isinstance(value, Mapping):
        return None, "it is no request body"
    if not found:
        return None, "it is no request body: it has no input, messages or contents, and is no message"
    if asked and (shown := _other_form(value, asked)):
        return None, f"it is written as {shown}: it cannot be judged as {asked}"
    key = key_of(found)
    rows = value.get(key)
    envelope = dict(value)
    if isinstance(rows, list):
        del envelope[key]
    else:
        rows, key = [], ""  # text, nothing, or nonsense: the check says so
    request = Implied(
        index,
        envelope,
        rows,
        len(rows),
        0,
        line,
        verdict is None,
        verdict,
        found,
        key,
        open_calls,
        bare,
    )
    return request, ""


def _other_form(body: Mapping[str, Any], asked: str) -> str | None:
    """What a body is surely written in, when that is another form than the one that was asked for."""
    key = key_of(asked)
    rows = body.get(key)
    if key not in body:
        shown = body_dialect(body)
    else:
        shown = pairs_form(rows) if key == "messages" and isinstance(rows, list) else None
    return None if shown == form_of(asked) else shown


def _held(wrapper: Mapping[str, Any]) -> tuple[str, ...]:
    held = wrapper.get("open_calls")
    return tuple(each for each in held if isinstance(each, str)) if isinstance(held, list) else ()


def _verdict(wrapper: Mapping[str, Any]) -> Verdict | None:
    status, error = wrapper.get("status"), wrapper.get("error")
    said = "" if error is None else message_of(error)
    if not isinstance(status, int) or isinstance(status, bool):
        # A capture of a request that was refused before it left, or that nothing answered.
        return Verdict(accepted=False, error=said) if said else None
    accepted = 200 <= status < 300
    return Verdict(accepted, status, "" if accepted else said)


def is_capture(value: Mapping[str, Any]) -> bool:
    """Whether a value is a network capture."""
    log = value.get("log")
    return isinstance(log, Mapping) and isinstance(log.get("entries"), list)


def captured(value: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The bodies of a network capture: what holds each of them as its ``text``, and the same as a wrapper."""
    for entry in value["log"]["entries"]:
        request, response = (
            (part if isinstance(part := entry.get(name), Mapping) else {} for name in ("request", "response"))
            if isinstance(entry, Mapping)
            else ({}, {})
        )
        data = request.get("postData")
        if isinstance(data, dict) and isinstance(data.get("text"), str):
            content = response.get("content")
            text = content.get("text") if isinstance(content, Mapping) else None
            yield data, {"body": data["text"], "status": response.get("status"), "error": text}
