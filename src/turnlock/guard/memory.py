"""What was refused is not asked again: bodies as hashes, and the provider's own answers (R20).

Owns that memory of one client: bounded, and only within the process. It must not hold bodies or keys: a
request is remembered by a digest of everything that could change the answer.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

import httpx2
from attrs import define, field, frozen

REFUSED = frozenset({400, 413, 422})
"""Statuses that are about the body; all others are about keys, rights, addresses, load."""
LARGEST = 16_384  # bytes of an answer: one that is longer is not remembered
_MOST = 256  # requests
_MATTERS = (
    *("authorization", "x-api-key", "x-goog-api-key", "api-key", "x-goog-user-project"),
    *("anthropic-version", "anthropic-beta", "openai-beta", "openai-organization", "openai-project"),
)
_PASSING = (
    *("credit balance", "billing", "quota", "api key", "api_key", "rate limit", "location is not"),
    *("fetch", "download", "timeout", "timed out", "retry", "not ready", "not found", "overloaded"),
    *("tool_use_failed", "failed_generation"),  # Groq: what its model said did not fit; recorded
)
"""Words of an answer that another try may change: money, keys, places; what the provider had to get from
elsewhere; and what the model did. Better one request too many than a body that can never leave."""


@frozen
class Answer:
    """What the provider said, as it said it.

    Attributes:
        status: The HTTP status.
        headers: Those that say how to read the body.
        content: The body's bytes, encoded as they came.
        text: The same, decoded.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes
    text: str


@define(eq=False)
class Memory:
    """The latest refusals of one client. May be used from any thread."""

    _answers: OrderedDict[bytes, Answer] = field(init=False, factory=OrderedDict)
    _lock: Lock = field(init=False, factory=Lock)

    def recall(self, request: httpx2.Request) -> Answer | None:
        """What the provider answered when these bytes went to this address."""
        if not self._answers:
            return None
        key = _digest(request)
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def keep(self, request: httpx2.Request, answer: Answer) -> None:
        """Remember an answer with a status of ``REFUSED``, if its words are about the body, too."""
        if len(answer.content) > LARGEST or any(words in answer.text.lower() for words in _PASSING):
            return
        with self._lock:
            self._answers[_digest(request)] = answer
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)


def _digest(request: httpx2.Request) -> bytes:
    digest = blake2b(digest_size=16)
    parts = [request.method, str(request.url), *(request.headers.get(name, "") for name in _MATTERS)]
    for part in parts:
        digest.update(part.encode() + b"\0")
    digest.update(request.content)
    return digest.digest()
