"""A client of nothing but the standard library, as somebody else's agent may be."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from typing import Any, Self

ASK: dict[str, Any] = {"model": "m", "input": "go"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "go"}]}
#: Any history that the provider refuses.
BAD: dict[str, Any] = {
    "model": "m",
    "input": [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"},
    ],
}


def post(base_url: str, body: dict[str, Any], path: str = "/responses") -> tuple[int, Any]:
    """The status and the decoded JSON of an answer; of a stream its lines of data, decoded."""
    request = urllib.request.Request(
        base_url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    if raw.startswith(b"{"):
        return status, json.loads(raw)
    lines = [line[6:] for line in raw.decode().split("\n") if line.startswith("data: {")]
    return status, [json.loads(line) for line in lines]


class Asking:
    """A request in a thread of its own; leaving the block waits for its answer."""

    def __init__(self, base_url: str, body: dict[str, Any], path: str = "/responses") -> None:
        self._answer: tuple[int, Any] | None = None
        self.error: Exception | None = None

        def ask() -> None:
            try:
                self._answer = post(base_url, body, path)
            except Exception as error:  # noqa: BLE001  # the test looks at it
                self.error = error

        self._thread = threading.Thread(target=ask)

    @property
    def waits(self) -> bool:
        return self._answer is None and self.error is None

    @property
    def answer(self) -> tuple[int, Any]:
        assert self._answer is not None
        return self._answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()
