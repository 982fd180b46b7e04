"""What a tool left, as the text that the model gets: a value, an exception, or what is too long for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from turnlock.engine import CallKind
from turnlock.engine.outcome import error_text
from turnlock.tools.declare import BUILT_IN
from turnlock.wire.common.jsontext import mended


def render(value: Any, kind: CallKind) -> tuple[str, Any]:  # noqa: ANN401  # a tool may return anything
    """The text of a value and, for kinds whose outputs are not text, the value as plain data.

    Raises:
        TypeError: It is neither text nor anything that JSON can say.
    """
    if isinstance(value, str):
        return mended(value), None
    if value is None:
        return "", None
    try:
        text = msgspec.json.encode(value).decode()
        return text, msgspec.to_builtins(value) if kind in BUILT_IN else None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(
            f"the tool returned a value of type {type(value).__name__}, "
            f"which is neither text nor JSON ({error})"
        ) from error


def describe(error: BaseException) -> str:
    """An exception as ``Type: message``; of a group, its members. Never empty (C61)."""
    if isinstance(error, BaseExceptionGroup):
        members = "; ".join(describe(member) for member in error.exceptions)
        return error_text(type(error).__name__, f"{error.message} ({members})")
    try:
        message = str(error)
    except Exception as inner:  # noqa: BLE001  # an exception that cannot even be printed
        message = f"its text cannot be read: {type(inner).__name__}"
    return mended(error_text(type(error).__name__, message))


def cap(text: str, limit: int) -> str | None:
    """Head and tail of a text that is longer than ``limit`` bytes, with a marker between; else None.

    The result is at most ``limit`` bytes of UTF-8. Three quarters are head: what comes first explains.
    """
    whole = text.encode()
    if len(whole) <= limit:
        return None
    marker = f"\n[… {len(whole):,} bytes in all; the middle is left out …]\n"
    room = limit - len(marker.encode())
    head = whole[: room * 3 // 4].decode(errors="ignore")
    tail = whole[len(whole) - room // 4 :].decode(errors="ignore")
    return head + marker + tail


def spool(text: str, ordinal: int) -> Path:
    """Keep the whole of an output in a file of its own in the system's temporary folder; it is left there."""
    with tempfile.NamedTemporaryFile(
        prefix=f"turnlock-call-{ordinal}-", suffix=".txt", delete=False
    ) as stream:
        stream.write(text.encode())
    return Path(stream.name)
