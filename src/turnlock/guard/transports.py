"""The two transports: between an HTTP client and the one that it would send through.

Own the waiting and nothing else: they read a request of ours, ask ``judge.py``, send, and let the response
past. Run under trio, asyncio or a thread without naming any of them.
"""

from __future__ import annotations

from typing import cast

import httpx2
from attrs import define

from turnlock.guard.judge import Guard
from turnlock.guard.watching import AsyncWatched, Watched


@define(eq=False)
class GuardedTransport(httpx2.AsyncBaseTransport):
    """Any async transport, guarded.

    ``AsyncClient(transport=GuardedTransport(AsyncHTTPTransport(), Guard()))``. Such a client reads no proxies
    from the environment; ``guarded()`` leaves them alone.

    Attributes:
        inner: What sends.
        guard: What is checked; one may serve several transports of a client.
    """

    inner: httpx2.AsyncBaseTransport
    guard: Guard

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request that may leave.

        Raises:
            RequestRefused: It may not, and the guard was told to raise.
        """
        if self.guard.reads(request):
            await request.aread()
        exchange = self.guard.look(request)
        if exchange is None:
            return await self.inner.handle_async_request(request)
        if exchange.answer is not None:
            return exchange.answer
        try:
            response = await self.inner.handle_async_request(exchange.request)
        except BaseException as error:
            exchange.failed(error)
            raise
        if (copy := exchange.copy_of(response)) is not None:
            response.stream = AsyncWatched(cast(httpx2.AsyncByteStream, response.stream), copy)
        return response

    async def aclose(self) -> None:
        """Close what sends."""
        await self.inner.aclose()


@define(eq=False)
class GuardedSyncTransport(httpx2.BaseTransport):
    """The same for ``httpx2.Client``; may be used from any thread.

    Attributes:
        inner: What sends.
        guard: What is checked.
    """

    inner: httpx2.BaseTransport
    guard: Guard

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request that may leave.

        Raises:
            RequestRefused: It may not, and the guard was told to raise.
        """
        if self.guard.reads(request):
            request.read()
        exchange = self.guard.look(request)
        if exchange is None:
            return self.inner.handle_request(request)
        if exchange.answer is not None:
            return exchange.answer
        try:
            response = self.inner.handle_request(exchange.request)
        except BaseException as error:
            exchange.failed(error)
            raise
        if (copy := exchange.copy_of(response)) is not None:
            response.stream = Watched(cast(httpx2.SyncByteStream, response.stream), copy)
        return response

    def close(self) -> None:
        """Close what sends."""
        self.inner.close()
