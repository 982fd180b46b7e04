"""A server that says exactly the bytes that its test wrote, when it says so: for what no script can play."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import msgspec
import trio
from attrs import define, field

Step: TypeAlias = bytes | trio.Event | Callable[[], Awaitable[object]]
"""Bytes to send, an event to wait for, or a function to await."""

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def sse(*events: object) -> bytes:
    """Server-sent events as one chunk; bytes are sent as they are."""
    parts = (event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events)
    return chunk(b"".join(b"data: %b\n\n" % part for part in parts))


def status(code: int, body: object, *headers: str) -> bytes:
    """A whole answer that is no stream."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    head = [f"HTTP/1.1 {code} Said", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + content


@define(eq=False)
class WireServer:
    """Answers the n-th request with the n-th list of steps; after the last step the connection is kept.

    Attributes:
        answers: What to say to each request; ``None`` among the steps closes the connection.
        bodies: The bodies that came in, byte for byte.
        connections: How many connections were made.
        lost: How many answers the client did not wait for.
    """

    answers: Sequence[Sequence[Step | None]]
    bodies: list[bytes] = field(factory=list, init=False)
    heads: list[bytes] = field(factory=list, init=False)
    connections: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)

    async def handle(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        buffer = b""
        try:
            while True:
                while b"\r\n\r\n" not in buffer:
                    more = await stream.receive_some()
                    if not more:
                        return
                    buffer += more
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                length = _length(head)
                while len(buffer) < length:
                    buffer += await stream.receive_some()
                self.heads.append(head)
                self.bodies.append(buffer[:length])
                buffer = buffer[length:]
                for step in self.answers[len(self.bodies) - 1]:
                    if step is None:
                        return
                    await _take(step, stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.lost += 1
        finally:
            await stream.aclose()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on loopback; the base URL is given."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self.handle, [listener])
            yield f"http://127.0.0.1:{port}/v1"
            nursery.cancel_scope.cancel()


async def _take(step: Step, stream: trio.SocketStream) -> None:
    if isinstance(step, bytes):
        await stream.send_all(step)
    elif isinstance(step, trio.Event):
        await step.wait()
    else:
        await step()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def text_item(text: str, item_id: str = "msg_1") -> dict[str, Any]:
    """A message as the Responses API completes it."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {
        "type": "message",
        "id": item_id,
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
