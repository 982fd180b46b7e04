"""Doors of the test's own, beside those of the provider: plain HTTP, answered by a function.

Owns what such a function is given and gives. Must not know who asks, or on which way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from attrs import frozen

from turnlock.strict import Reply


@frozen
class Request:
    """A request to a door of the test's own.

    Attributes:
        method: The HTTP method.
        path: What stands behind the path of the door, without the slash between.
        headers: Names in lower case.
        body: As it came, bytes.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@frozen
class Response:
    """What a door answers; a text is sent as UTF-8."""

    body: bytes | str = b""
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


#: Answers a request under trio, in whichever thread it arrived; cancelled when the client leaves.
Door: TypeAlias = Callable[[Request], Awaitable[Response | str]]


def stem_of(path: str) -> str:
    """A path as doors are kept: one slash before it, none behind."""
    return "/" + path.strip("/")


def find(doors: Mapping[str, Door], path: str) -> tuple[Door, str] | None:
    """The door that a path leads to, and what stands below it; the longest wins."""
    _, found, rest = path.partition("/v1")
    rest = stem_of(rest if found else path)
    for stem in sorted(doors, key=len, reverse=True):
        if rest == stem or rest.startswith(f"{stem}/"):
            return doors[stem], rest[len(stem) :].strip("/")
    return None


def through(door: Door, request: Request, failed: Callable[[BaseException], None]) -> Reply:
    """The answer of a door, which is asked when the answer is carried."""
    reply = Reply(200, (), (b"",))

    async def ask() -> None:
        try:
            given = await door(request)
        except Exception as error:  # noqa: BLE001 - kept, and raised where the test can see it
            failed(error)
            given = Response(f"the test's own door raised {error!r}", 500)
        response = Response(given) if isinstance(given, str) else given
        body = response.body.encode() if isinstance(response.body, str) else response.body
        reply.status, reply.headers = response.status, (("content-type", response.content_type),)
        reply.chunks = (body,)

    reply.pace = lambda at: ask() if at == 0 else None
    return reply
