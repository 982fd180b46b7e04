"""The doors of the strict provider: over loopback for any client, and inside the process for an SDK.

Owns the server (hypercorn's trio worker) and the transport (httpx2). Everything else of the room does without
the two, so this file is imported by name and needs the extra ``demo``. Prints nothing and logs nothing.
"""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

import httpx2
import hypercorn.trio
import trio
from attrs import define
from hypercorn.config import Config

from turnlock.strict.app import ConnectionCut, Reply

_HOST = "127.0.0.1"
_PATIENCE = 5_000  # milliseconds that a full connection may stand still before it is given up


class Started(Protocol):
    """What ``nursery.start`` hands in, to be told that the server has started and where."""

    def started(self, value: str, /) -> None:
        """Say so."""


class App(Protocol):
    """An ASGI application, such as a ``StrictProvider``."""

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any], /
    ) -> None:
        """Answer one connection or request."""


class Responds(Protocol):
    """What decides on answers, such as a ``StrictProvider``."""

    def respond(self, method: str, path: str, headers: Iterable[tuple[str, str]], raw: bytes, /) -> Reply:
        """Decide on the answer to a request."""


async def serve(provider: App, *, port: int = 0, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
    """Serve a provider on loopback until cancelled.

    Args:
        provider: The provider, or another ASGI application that raises ``ConnectionCut`` to break one.
        port: The port; 0 takes a free one.
        task_status: ``await nursery.start(serve, provider)`` returns the base URL, once connections are
            taken.

    Raises:
        OSError: The port cannot be bound.

    When cancelled it ends the answers on their way, as aborted, and closes every connection. A client whose
    answer had not begun gets a 500.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # The server shields its sends from cancellation: a client that never reads would hold it forever.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PATIENCE)
        listener.bind((_HOST, port))
        port = listener.getsockname()[1]
    except BaseException:
        listener.close()
        raise
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # bound here, so that a taken port is a plain OSError
    config.errorlog = None
    config.graceful_timeout = 1.0  # seconds; a bound, the answers end at once
    config.keep_alive_timeout = math.inf
    closing = trio.Event()

    async with trio.open_nursery() as nursery:

        async def run(*, task_status: Any) -> None:  # noqa: ANN401 - it only passes through
            # The server closes its connections only when it is told to stop; a cancelled one drops them.
            with trio.CancelScope(shield=True):
                await hypercorn.trio.serve(
                    _ending(provider, closing),
                    config,
                    shutdown_trigger=closing.wait,
                    task_status=task_status,
                    mode="asgi",
                )
            nursery.cancel_scope.cancel()  # it takes a Ctrl-C that strikes inside it as an order to stop

        with trio.CancelScope(shield=True):  # takes an instant; interrupted, nobody would end what was begun
            await nursery.start(run)
        task_status.started(f"http://{_HOST}:{port}/v1")
        try:
            await trio.sleep_forever()
        finally:
            closing.set()


def _ending(provider: App, closing: trio.Event) -> Callable[..., Awaitable[None]]:
    """The application, ended where it stands when ``closing`` is set."""

    async def app(
        scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] == "lifespan":
            await provider(scope, receive, send)
            return
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await closing.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            # An application that returns in the middle of a body makes the server close the connection as it
            # is.
            with suppress(ConnectionCut):
                await provider(scope, receive, send)
            nursery.cancel_scope.cancel()

    return app


class InProcess(httpx2.AsyncBaseTransport):
    """A provider as the transport of an HTTP client, without sockets: streams, delays and cuts are real.

    ``AsyncOpenAI(http_client=httpx2.AsyncClient(transport=InProcess(provider)), base_url="http://strict/v1",
    …)``

    Works with trio's virtual clocks, where sockets do not: with them, time would pass while bytes are under
    way. (``httpx2.ASGITransport(provider)`` works as well, but it hands over a body only when it is whole.)
    """

    def __init__(self, provider: Responds) -> None:
        self._provider = provider

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request.

        Raises:
            httpx2.ReadTimeout: The answer does not begin for longer than the client waits.
            httpx2.RemoteProtocolError: The connection is cut before it.
        """
        raw = await request.aread()
        reply = self._provider.respond(request.method, request.url.path, request.headers.multi_items(), raw)
        await _turn_of(0, reply, request)
        return httpx2.Response(reply.status, headers=reply.headers, stream=_Body(reply, request))


async def _turn_of(at: int, reply: Reply, request: httpx2.Request) -> None:
    """Wait until the head (0) or a chunk may be sent, for no longer than the client waits."""
    patience = request.extensions.get("timeout", {}).get("read")
    begun = late = False
    try:
        waits = reply.waits(at)
        if waits is None:  # no deadline then: a schedule that jumps to the next one would find it
            await trio.lowlevel.checkpoint()
        else:
            with trio.move_on_after(math.inf if patience is None else patience) as scope:
                await waits
            late = scope.cancelled_caught
        begun = not late
    except ConnectionCut as cut:
        raise httpx2.RemoteProtocolError(str(cut), request=request) from cut
    finally:
        if not begun:
            reply.finish("aborted")
    if late:
        raise httpx2.ReadTimeout("the provider did not answer in time", request=request)


@define(eq=False)
class _Body(httpx2.AsyncByteStream):
    """The body of a reply, chunk by chunk."""

    reply: Reply
    request: httpx2.Request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at, chunk in enumerate(self.reply.chunks, start=1):
            await _turn_of(at, self.reply, self.request)
            if at == len(self.reply.chunks) and not self.reply.cut:
                self.reply.finish("complete")
            yield chunk
        if self.reply.cut:
            self.reply.finish("cut")
            raise httpx2.RemoteProtocolError("peer closed connection without sending complete message body")

    async def aclose(self) -> None:
        self.reply.finish("aborted")
