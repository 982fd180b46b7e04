"""JSON text: written the same way everywhere, and arguments read without ever failing.

Compact, keys in the order in which they were put in. It owns what happens to text that JSON cannot carry
(a lone surrogate, as a cut emoji leaves one) and to arguments that are not JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

QUOTE_MAX = 120  # characters around the break; with the reason beside it, one line that a model can use


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_WRITER = msgspec.json.Encoder(enc_hook=_plain)


def dumps(value: object) -> bytes:
    """A value as compact JSON; lone surrogates become U+FFFD.

    Raises:
        TypeError: It holds something that is not a JSON value.
    """
    try:
        return _WRITER.encode(value)
    except UnicodeEncodeError:
        return _WRITER.encode(_mended(msgspec.to_builtins(value, enc_hook=_plain)))


def mended(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _mended(value: object) -> object:
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(inner) for inner in value]
    return value


def as_json(value: object) -> msgspec.Raw | None:
    """A tool's value as JSON, or None when it cannot be."""
    try:
        return msgspec.Raw(dumps(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def as_object(text: str) -> dict[str, Any]:
    """The JSON object that a text is; an empty one when it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def arguments_of(raw: object) -> tuple[str, str]:
    """Arguments as a provider sent them: text that should be a JSON object, or the object itself.

    Returns:
        The text of a JSON object, ``"{}"`` when there is none; and what is wrong, or ``""``. No text at
        all is no arguments, and nothing is wrong with it.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return "{}", ""
    if isinstance(raw, Mapping):
        written = as_json(raw)
        return ("{}", "they cannot be written as JSON") if written is None else (bytes(written).decode(), "")
    value, why = _parsed(raw) if isinstance(raw, str) else (raw, "")
    if not why and not isinstance(value, dict):
        why = f"they must be a JSON object, not {_sort(value)}: {_quote(str(raw), 0)}"
    return ("{}", why) if why else (str(raw), "")


def _parsed(text: str) -> tuple[object, str]:
    """The value that a text says, or why it says none."""
    try:
        return json.loads(text, parse_constant=_no_constant), ""
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg} at character {error.pos}: {_quote(text, error.pos)}"
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}: {_quote(text, 0)}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _quote(text: str, at: int) -> str:
    """What stands around the break, cut: broken arguments can be as long as a file."""
    start = max(0, min(at, len(text)) - QUOTE_MAX // 2)
    part = text[start : start + QUOTE_MAX]
    before, after = "…" if start else "", "…" if start + QUOTE_MAX < len(text) else ""
    return f"{before}{part}{after}"


_SORTS: Mapping[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}


def _sort(value: object) -> str:
    return "null" if value is None else _SORTS.get(type(value), "an array")
