"""Answers that come as server-sent events, read from the bytes of an HTTP response to its end.

Not through the SDK's ``AsyncStream``: that one leaves its generators half-read at ``[DONE]``, for the garbage
collector to find. It owns what a broken stream means, and knows nothing of what the events say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Protocol

import httpx2
import trio
from attrs import define, field

from turnlock.engine import Trouble
from turnlock.errors import ModelError

_DRAIN = 1.0  # seconds to wait for the end of a stream whose end marker has come


class Answer(Protocol):
    """What is made of the events of one answer."""

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take one event; True when the answer is whole, and only what is left of it can follow."""


async def read_answer(response: httpx2.Response, answer: Answer) -> None:
    """Hand on the events of a stream, and read it to its end, so that the connection is free again.

    Behind the end marker nothing can break any more, and a server that keeps the stream open is not waited
    for.

    Raises:
        ModelError: The stream broke off before the answer was whole.
    """
    events, whole = Events(), False
    with trio.CancelScope() as scope:
        async with aclosing(response.aiter_bytes()) as chunks:
            while True:
                try:
                    chunk = await anext(chunks, None)
                except Exception as error:
                    if whole:
                        return
                    raise lost(error) from error
                if chunk is None:
                    return
                for event in events.feed(chunk):
                    if answer.take(event) and not whole:
                        whole = True
                        scope.deadline = trio.current_time() + _DRAIN


def lost(error: BaseException) -> ModelError:
    """The connection broke: nobody knows what became of the request."""
    return ModelError(Trouble.LOST, f"the connection was lost ({type(error).__name__}: {error})")


@define
class Events:
    """Server-sent events from bytes as they come: the data of each, decoded."""

    _rest: list[bytes] = field(factory=list, init=False)  # of a line that has not ended
    _data: list[bytes] = field(factory=list, init=False)

    def feed(self, chunk: bytes) -> Iterator[Mapping[str, Any]]:
        """The events that are whole by now. One that is not JSON is itself an ``error`` event."""
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return
        *lines, rest = b"".join((*self._rest, chunk)).split(b"\n")
        self._rest = [rest]
        for ended in lines:
            line = ended.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif not line and self._data:
                data, self._data = b"\n".join(self._data).strip(), []
                event = _decoded(data)
                if isinstance(event, dict):
                    yield event


def _decoded(data: bytes) -> object:
    if data == b"[DONE]":
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        text = f"the provider sent an event that is not JSON ({error})"
        return {"type": "error", "error": {"message": text}}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait: in milliseconds, in seconds, or as a date (RFC 9110)."""
    given = headers.get("retry-after", "")
    forms: tuple[Callable[[], float], ...] = (
        lambda: float(headers.get("retry-after-ms", "")) / 1000,
        lambda: float(given),
        lambda: parsedate_to_datetime(given).timestamp() - time(),
    )
    for read in forms:
        with suppress(ValueError):
            seconds = read()
            if math.isfinite(seconds):
                return max(0.0, seconds)
    return None
