"""Responses on their way to the caller: looked at as they pass, never delayed or changed.

Owns the two streams that hand every chunk on at once and keep a copy of the first ones. What is kept is told
once: at the end of the stream, or when it breaks, or when the caller closes it early.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Literal, TypeAlias

import httpx2
from attrs import define, field

End: TypeAlias = Literal["complete", "closed", "broken"]
"""The stream ended; the caller closed it before; it broke."""


@define(eq=False)
class Copy:
    """The first bytes of a stream.

    Attributes:
        limit: So many bytes are kept.
        tell: What is told them, once.
        size: So many bytes went past.
    """

    limit: int
    tell: Callable[[Copy, End], None]
    size: int = field(init=False, default=0)
    _chunks: list[bytes] = field(init=False, factory=list)
    _told: bool = field(init=False, default=False)

    @property
    def content(self) -> bytes:
        """What was kept."""
        return b"".join(self._chunks)

    @property
    def whole(self) -> bool:
        """Everything that went past was kept."""
        return self.size <= self.limit

    def add(self, chunk: bytes) -> None:
        """A chunk goes past."""
        if self.size < self.limit:
            self._chunks.append(chunk[: self.limit - self.size])
        self.size += len(chunk)

    def ended(self, how: End) -> None:
        """The stream is over."""
        if not self._told:
            self._told = True
            self.tell(self, how)
            self._chunks.clear()


@define(eq=False)
class AsyncWatched(httpx2.AsyncByteStream):
    """A response's stream under any event loop."""

    _inner: httpx2.AsyncByteStream
    _copy: Copy
    _chunks: AsyncIterator[bytes] = field(init=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Every chunk, at once. No generator: one that is left early would warn under trio."""
        self._chunks = aiter(self._inner)
        return self

    async def __anext__(self) -> bytes:
        """The next chunk."""
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._copy.ended("complete")
            raise
        except Exception:
            self._copy.ended("broken")
            raise
        self._copy.add(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the response; what was seen of it is told, also when closing fails or is cancelled."""
        try:
            await self._inner.aclose()
        finally:
            self._copy.ended("closed")


@define(eq=False)
class Watched(httpx2.SyncByteStream):
    """A response's stream in a thread."""

    _inner: httpx2.SyncByteStream
    _copy: Copy

    def __iter__(self) -> Iterator[bytes]:
        """Every chunk, at once."""
        try:
            for chunk in self._inner:
                self._copy.add(chunk)
                yield chunk
        except Exception:
            self._copy.ended("broken")
            raise
        self._copy.ended("complete")

    def close(self) -> None:
        """Close the response; what was seen of it is told."""
        try:
            self._inner.close()
        finally:
            self._copy.ended("closed")
