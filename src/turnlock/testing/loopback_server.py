"""The strict provider on loopback HTTP, for tests in any style and agents in any language.

Owns the server: one thread of this process with a trio loop of its own, started when the first base URL is
asked for, stopped when the process ends. Each provider has a path prefix of its own behind it, so any number
of tests use it at a time. Must not know what a provider answers.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import trio
from attrs import define, field

from turnlock.strict import ConnectionCut, Refusal, Reply, Script
from turnlock.strict.app import Dialect, handle
from turnlock.strict.server import serve
from turnlock.testing.provider import GONE, Answer, Provider, refused

_LONGEST_END = 10.0  # seconds that the end of the process waits for the thread; a bound, it ends at once


def loopback(
    *lines: Mapping[str, Any] | Script, dialect: Dialect | None = None, answer: Answer | None = None
) -> Provider:
    """A strict provider for one test, behind the server of this process.

    ``with loopback({"calls": [{"name": "ls"}]}, {"text": "Two files."}) as provider:`` and point the agent at
    ``provider.base_url``, with any key. It works in plain tests, under asyncio and under trio: the server has
    a thread of its own.

    Args:
        lines: Lines of a script as objects, and whole scripts; see docs/provider.md.
        dialect: The only dialect that it speaks; None speaks all.
        answer: Called with what each accepted request asks (``Asked``); says the line that answers, or None
            to leave that to the script. It is called where the request arrives and must not wait.

    Raises:
        ScriptError: A line is not of the format.
    """
    return Provider.of(
        Script(()).followed_by(*lines), dialect, answer, lambda provider: _server().place(provider)
    )


@define(eq=False)
class _Server:
    """A server in a thread, and the providers behind it."""

    _providers: dict[str, Provider] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _placed: int = field(default=0, init=False)
    _ready: threading.Event = field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _root: str = field(default="", init=False)
    _stop: Callable[[], None] = field(default=lambda: None, init=False)
    _ended: bool = field(default=False, init=False)
    _error: BaseException | None = field(default=None, init=False)

    def place(self, provider: Provider) -> str:
        """Give a provider its prefix, and start the thread where there is none; the base URL."""
        with self._lock:
            if self._thread is None:
                # A daemon: the others are joined before anything of atexit is run, which ends this one.
                self._thread = threading.Thread(target=self._run, name="turnlock loopback", daemon=True)
                self._thread.start()
                self._ready.wait()
            if self._ended:
                raise RuntimeError(
                    f"the loopback server of this process has ended ({self._error!r}): "
                    "repair what ended it, and start the process again"
                ) from self._error
            self._placed += 1
            prefix = f"p{self._placed}"
            self._providers[prefix] = provider
            provider.on_close(lambda: self._providers.pop(prefix))
            return f"{self._root}/{prefix}/v1"

    def end(self) -> None:
        """Stop the thread and wait for it; its sockets are closed then."""
        if self._thread is not None:
            self._stop()
            self._thread.join(_LONGEST_END)

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 - whoever needs the thread next is told
            self._error = error
        finally:
            self._ended = True
            self._ready.set()

    async def _serve(self) -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            url: str = await nursery.start(serve, self._app)
            self._root = url.removesuffix("/v1")

            def stop() -> None:
                with suppress(trio.RunFinishedError):
                    token.run_sync_soon(nursery.cancel_scope.cancel)

            self._stop = stop
            self._ready.set()

    async def _app(
        self, scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any], /
    ) -> None:
        prefix = scope.get("path", "").split("/")[1:2]
        provider = self._providers.get(prefix[0]) if prefix else None
        if scope["type"] != "http" or provider is None:
            await handle(self._nobody, scope, receive, send)
            return
        begun = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with provider.carrying():
            async with trio.open_nursery() as nursery:

                async def end() -> None:
                    await provider.until(lambda: provider.closed)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(end)
                with suppress(ConnectionCut):  # one that returns in the middle of a body breaks it as well
                    await handle(provider.respond, scope, receive, sending)
                nursery.cancel_scope.cancel()
            if provider.closed and not begun:
                body = [{"type": "http.request", "body": b"", "more_body": False}]

                async def rest() -> MutableMapping[str, Any]:  # its body was read, or is not needed any more
                    return body.pop() if body else await receive()

                await handle(provider.respond, scope, rest, send)

    def _nobody(self, method: str, path: str, _headers: Iterable[tuple[str, str]], _raw: bytes) -> Reply:
        prefix = path.split("/")[1]
        number = prefix.removeprefix("p")
        if number.isdecimal() and prefix.startswith("p") and 1 <= int(number) <= self._placed:
            return refused(Refusal("GONE", GONE, 410, code="provider_closed"))
        message = (
            f"No provider lives here: {method} {path}. Use the whole base_url of the provider, with its "
            "prefix, such as /p1/v1."
        )
        return refused(Refusal("HTTP-PATH", message, 404, code="unknown_prefix"))


_servers: dict[int, _Server] = {}  # by process: a fork has no thread of its parent
_servers_lock = threading.Lock()


def _server() -> _Server:
    with _servers_lock:
        here = os.getpid()
        if here not in _servers:
            _servers.clear()
            _servers[here] = _Server()
            atexit.register(_end)
        return _servers[here]


def _end() -> None:
    server = _servers.pop(os.getpid(), None)
    if server is not None:
        server.end()
