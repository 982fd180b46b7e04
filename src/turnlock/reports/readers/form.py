"""What a reader gives: the requests of a file, what could not be read of it, and where both come from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import define, field, frozen

from turnlock._value import value

Row: TypeAlias = Mapping[str, Any]
"""A message, an item or a content, as it stands in a body."""


@frozen
class Unreadable:
    """Something that could not be read; the rest of the file was.

    Attributes:
        line: Where, 1-based; None when it is about the whole file.
        problem: What is wrong, in words.
    """

    line: int | None
    problem: str


@frozen
class Verdict:
    """What a file says became of a request.

    Attributes:
        accepted: The model answered it.
        status: The HTTP status, where the file names it.
        error: The provider's own text of a refusal, or why nothing came back.
    """

    accepted: bool
    status: int | None = None
    error: str = ""


ANSWERED = Verdict(accepted=True)

_SENT: Mapping[str, Any] = MappingProxyType({"tools": ("…",), "toolConfig": {"tools": ("…",)}})
"""What a session does not write down and every agent sends: that it lacks is no violation."""


@value
class Implied:
    """One request that a file holds or implies.

    Attributes:
        index: Its number in the file, 0-based.
        envelope: All of the body but its list, as far as the file tells.
        rows: The list; a session's is one list that grows, shared by its requests: the request is
            ``rows[:length]``.
        length: How many rows are of this request.
        fresh: ``rows[:fresh]`` are the very same objects, in the same places, as in the request before it;
            0 when the history was replaced, or it is another body.
        line: The line (1-based) where the request stands, or the answer that it was sent for.
        next: Nothing in the file has answered it: it would be sent next.
        verdict: What the file says became of it; None when it does not say.
        dialect: The format of the rows. Bodies of one file may differ.
        key: The field of the body that holds the rows; ``""`` when the body has no list.
        open_calls: Calls that the provider holds open.
        partial: More was sent than the envelope tells, tools for example: what it lacks proves nothing.
    """

    index: int
    envelope: Mapping[str, Any]
    rows: Sequence[Row] = field(repr=False)
    length: int
    fresh: int
    line: int | None
    next: bool
    verdict: Verdict | None
    dialect: str
    key: str
    open_calls: Collection[str] = ()
    partial: bool = False

    @property
    def judged(self) -> Mapping[str, Any]:
        """The envelope, and where it is partial what was surely sent beside it."""
        return {**_SENT, **self.envelope} if self.partial else self.envelope

    def body(self) -> dict[str, Any]:
        """The whole body, with a list of its own."""
        body = dict(self.envelope)
        if self.key:
            body[self.key] = list(self.rows[: self.length])
        return body


Reader: TypeAlias = Callable[[int, list[Unreadable]], Iterator[Implied]]
"""Reads a session: the number of its first request, and where to put what cannot be read."""


@define(eq=False)
class Recording:
    """One session of a file, or all its bodies.

    Attributes:
        format: The format, as ``detect`` names it.
        dialect: What its requests are written in; ``""`` when its bodies say so one by one.
        session: Which session of the file it is, when there are several: a sidechain's id.
        problems: What could not be read, so far: filled while the requests are read.
    """

    format: str
    dialect: str
    session: str = ""
    problems: list[Unreadable] = field(factory=list, init=False)
    _read: Reader = field(alias="read", repr=False, kw_only=True)
    _before: Recording | None = field(default=None, alias="before", repr=False, kw_only=True)
    _count: int | None = field(default=None, init=False)

    def requests(self) -> Iterator[Implied]:
        """The requests, read as they are asked for; the file is read again at each call."""
        first = 0 if self._before is None else self._before.end()
        self.problems.clear()
        count = 0
        for request in self._read(first, self.problems):
            count += 1
            yield request
        self._count = count

    def end(self) -> int:
        """The number behind the last request: where the next session of the file goes on."""
        if self._count is None:
            deque(self.requests(), maxlen=0)
        first = 0 if self._before is None else self._before.end()
        return first + (self._count or 0)
