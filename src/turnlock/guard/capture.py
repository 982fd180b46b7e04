"""What left and what came back, as a line that ``turnlock lint`` reads; without keys.

Owns what is told of an exchange and how it is redacted. It never breaks a request: when a line cannot be
written, or a function of the application raises, that is logged once and the line is lost. Headers are not
told at all; of the address only the parameters that are known to be harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
import msgspec
from attrs import define, field

from turnlock._secrets import HIDDEN, without_keys
from turnlock.guard.files import Lines

logger = logging.getLogger("turnlock.guard")

Capture: TypeAlias = str | PathLike[str] | Callable[[Mapping[str, Any]], object]
"""A ``.jsonl`` file, a folder, or a function that takes each line as plain data."""

LARGEST = 1_000_000
"""Bytes of a response that are kept, as they came."""
_HARMLESS = frozenset({"alt", "api-version", "beta", "limit", "after", "include"})
_KEYS = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "proxy-authorization")
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-goog-request-id", "apim-request-id")


@define(eq=False)
class Recorder:
    """Tells the exchanges of one client. May be used from any thread."""

    _tell: Callable[[str], object]
    _failed: bool = field(init=False, default=False)

    @classmethod
    def to(cls, capture: Capture) -> Recorder:
        """One that tells it there."""
        if callable(capture):
            return cls(lambda line: capture(msgspec.json.decode(line)))
        lines = Lines(Path(capture))
        return cls(lambda line: lines.append(line.encode()))

    def record(self, line: Mapping[str, Any], request: httpx2.Request) -> None:
        """Tell an exchange.

        Args:
            line: What is known of it.
            request: Where the keys stand that the line must not repeat.
        """
        try:
            text = msgspec.json.encode(line).decode()
            for name in _KEYS:
                text = without_keys(text, _credentials(request.headers.get(name, "")))
            self._tell(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request does not suffer for it
            if not self._failed:
                self._failed = True
                logger.warning(
                    "capture failed, and is not reported again: %s: %s", type(error).__name__, error
                )


def _credentials(header: str) -> str:
    """The part of a header that is secret: behind the scheme, if there is one."""
    return header.rpartition(" ")[2]


def address(url: httpx2.URL) -> str:
    """A URL that may be told: no user, no password, no parameter that may be a key."""
    told = "&".join(
        f"{name}={value if name.lower() in _HARMLESS else HIDDEN}" for name, value in url.params.multi_items()
    )
    bare = url.copy_with(username=None, password=None, query=None, fragment=None)
    return f"{bare}?{told}" if told else str(bare)


def now() -> str:
    """UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def request_id(headers: httpx2.Headers) -> str | None:
    """The provider's name of the exchange."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


def said(headers: httpx2.Headers, content: bytes) -> object:
    """A response's body: JSON as its value, texts and events as text; None for what is neither.

    Args:
        headers: Those of the response.
        content: Its bytes as they came, perhaps cut.
    """
    text = decoded(headers, content)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.endswith("json"):
        try:
            value: object = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
        return value
    return text if kind.startswith("text/") or not kind else None


def decoded(headers: httpx2.Headers, content: bytes) -> str:
    """Bytes of a response as text; as much of it as can be read."""
    kept = {name: headers[name] for name in ("content-type", "content-encoding") if name in headers}
    try:
        return httpx2.Response(200, headers=kept, content=content).text
    except httpx2.DecodingError:  # cut within what was compressed
        return ""
