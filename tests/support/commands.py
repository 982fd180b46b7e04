"""The command line as its users have it: a process with its pipes or its terminal, and who it talks to.

Commands have event loops of their own, so everything here blocks; servers for them run in threads.
"""

from __future__ import annotations

import fcntl
import os
import queue
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import IO, Any, TypeVar

import msgspec
import trio
from attrs import define, field, frozen
from click.testing import Result

from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import serve

_T = TypeVar("_T")

COMMAND = (sys.executable, "-W", "error", "-m", "turnlock")
PATIENCE = 60.0  # seconds; nothing here takes fifteen, unless the machine is very busy
_STRANGE = (
    "OPENAI_",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)


@frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str = ""


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours without what would change a screen or a way, and with what is given."""
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith(_STRANGE)}
    return {**kept, "PYTHONIOENCODING": "utf-8", "TERM": "xterm-256color", **more}


def turnlock(*arguments: str, command: Sequence[str] = COMMAND, **more: str) -> Ended:
    """Run a command to its end, with pipes."""
    ran = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=environment(more),
        timeout=PATIENCE,
        check=False,
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def on_terminal(*arguments: str, columns: int, **more: str) -> Ended:
    """Run a command to its end on a terminal; ``out`` is what the terminal got."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(more)
    ) as process:
        os.close(theirs)
        try:
            shown = b"".join(iter(lambda: _read(ours), b""))
            code = process.wait(PATIENCE)
        finally:
            process.kill()
            os.close(ours)
    return Ended(code, shown.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # nobody has the other side any more: so says Linux that this is the end
        return b""


@define(eq=False)
class Running:
    """A command under way, in a process group of its own."""

    process: subprocess.Popen[str]
    _shown: list[str] = field(factory=list)

    def until(self, *texts: str) -> str:
        """Read what it prints until each of these has come, in this order; return the last line."""
        line = ""
        for text in texts:
            while text not in line:
                line = self._out.readline()
                self._shown.append(line)
                assert line, f"it ended before {text!r}: {self.end()}"
        return line

    def read_error(self) -> str:
        """Read a line of its stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def leave(self) -> None:
        """Read no more of what it prints."""
        self._out.close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Wait for its end, and see that nothing of it is left."""
        out, err = self.process.communicate(timeout=PATIENCE)
        assert not _lives(self.process.pid)
        return Ended(self.process.returncode, "".join(self._shown) + (out or ""), err)

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def started(
    *arguments: str, command: Sequence[str] = COMMAND, out: IO[str] | int = subprocess.PIPE, **more: str
) -> Iterator[Running]:
    """Start a command; what is still there at the end of the block is killed."""
    with subprocess.Popen(
        [*command, *arguments],
        stdout=out,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(more),
        start_new_session=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


# ── who it talks to ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def aside(opened: Callable[[], AbstractAsyncContextManager[_T]]) -> Iterator[_T]:
    """Keep an async context manager open in an event loop of its own, in another thread."""
    there: queue.Queue[tuple[_T, trio.lowlevel.TrioToken, trio.Event]] = queue.Queue()

    async def keep() -> None:
        over = trio.Event()
        async with opened() as value:
            there.put((value, trio.lowlevel.current_trio_token(), over))
            await over.wait()

    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(trio.run, keep)
        value, token, over = there.get(timeout=PATIENCE)
        try:
            yield value
        finally:
            token.run_sync_soon(over.set)
            ended.result(PATIENCE)


@asynccontextmanager
async def playing(*lines: dict[str, Any]) -> AsyncIterator[str]:
    """A strict provider with a script of its own; its base URL."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(serve, StrictProvider(Script.of(*lines)))
        nursery.cancel_scope.cancel()


@frozen
class Posted:
    """A request as it went over the wire; names of headers are in lower case."""

    line: str
    headers: Mapping[str, str]
    body: Any


@define(eq=False)
class Relay:
    """A recording proxy in front of a port: every byte is handed on, what clients sent is remembered."""

    port: int
    _sent: list[bytearray] = field(factory=list, init=False)

    @property
    def requests(self) -> list[Posted]:
        """What came in, connection by connection."""
        return [request for sent in self._sent for request in _requests(bytes(sent))]

    @property
    def raw(self) -> bytes:
        """Every byte that a client sent."""
        return b"".join(self._sent)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; the base URL is given."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._hand_on, [listener])
            yield f"http://127.0.0.1:{port}/v1"
            nursery.cancel_scope.cancel()

    async def _hand_on(self, client: trio.SocketStream) -> None:
        record = bytearray()
        self._sent.append(record)
        upstream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with upstream, client, trio.open_nursery() as nursery:

            async def pump(source: trio.SocketStream, target: trio.SocketStream, seen: bytearray) -> None:
                with suppress(trio.BrokenResourceError):  # either side may leave when it likes
                    async for data in source:
                        seen += data
                        await target.send_all(data)
                nursery.cancel_scope.cancel()

            nursery.start_soon(pump, upstream, client, bytearray())
            nursery.start_soon(pump, client, upstream, record)


def _requests(sent: bytes) -> Iterator[Posted]:
    while sent:
        head, sent = sent.split(b"\r\n\r\n", 1)
        line, *fields = head.decode().split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (each.partition(":") for each in fields)}
        length = int(headers.get("content-length", "0"))
        body, sent = sent[:length], sent[length:]
        yield Posted(line, headers, msgspec.json.decode(body) if body else None)


# ── the demo ────────────────────────────────────────────────────────────────────────────────────────

SECRETS = {
    "OPENAI_API_KEY": "sk-secret-key",
    "OPENAI_ADMIN_KEY": "sk-secret-admin",
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_CUSTOM_HEADERS": "X-Secret: very-secret",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/secret",
}
NO_WAY_OUT = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")


@frozen
class Demos:
    """Every way in which the tests look at the demo.

    Attributes:
        figures: ``--json``, as the installed script, with secrets and a dead proxy in the environment.
        elsewhere: ``--json --base-url``, through a recording proxy to ``turnlock provider --script demo``.
        relay: What that proxy saw.
        provider: How that provider ended, on SIGTERM.
        narrow: The screen on a terminal of 80 columns.
        colourless: On one of 120 columns, with ``NO_COLOR``.
        piped: The screen when it is no terminal; it ran in this process.
    """

    figures: Ended
    elsewhere: Ended
    relay: Relay
    provider: Ended
    narrow: Ended
    colourless: Ended
    piped: Result
