"""Streams of events for hosts: of a session, or of one turn.

Nobody has to read: a session never waits for a reader, and an interrupt works with nobody reading (R17).
What is not read is kept for as long as somebody holds the stream.
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trio

from turnlock.runtime.events import (
    Event,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    TurnEnded,
)
from turnlock.runtime.results import Receipt, Ticket, TurnResult

if TYPE_CHECKING:
    from turnlock.runtime.session import Session


class EventStream:
    """What a session tells, from the moment at which the stream was made until the session is closed."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._wake = trio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Add an event."""
        self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """No more events come; what came can still be read."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            if self._wake.is_set():
                self._wake = trio.Event()
            await self._wake.wait()
        return self._events.popleft()


class TurnStream:
    """One turn, from its message to its end: ``async with session.turn(…) as turn: async for event in turn``.

    Leaving the block before the turn has ended interrupts it.

    Attributes:
        receipt: What became of the message.
        result: How the turn went, when it has ended.
    """

    def __init__(self, session: Session, ticket: Ticket) -> None:
        self._session = session
        self._ticket = ticket
        self._events = session.events()
        self._entered = False
        self._done = False

    @property
    def receipt(self) -> Receipt | None:
        """What became of the message; None for a turn that was asked for without one."""
        return self._ticket.receipt

    @property
    def result(self) -> TurnResult:
        """How the turn went.

        Raises:
            RuntimeError: It has not ended; whoever leaves the block, or reads the events to the end, has the
                result.
        """
        if self._ticket.result is None:
            raise self._ticket.error or RuntimeError(
                "the turn has not ended: read its events to the end, or leave its block, and ask then"
            )
        return self._ticket.result

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a turn is entered once: call turn() again for the next")
        self._entered = True
        try:
            await self._session._ask(self._ticket)  # noqa: SLF001  # the session's own handle
        except BaseException:
            self._events.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        if self._ticket.result is None:
            await self._session._abandon(self._ticket)  # noqa: SLF001  # the session's own handle

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._entered:
            raise RuntimeError("enter the turn first: async with session.turn(...) as turn: async for ...")
        while not self._done:
            try:
                event = await self._events.__anext__()
            except StopAsyncIteration:
                if self._ticket.error is not None:
                    raise self._ticket.error from None
                raise
            if isinstance(event, (MessageHeld, MessageDelivered, MessageReturned)):
                mine = event.receipt is self.receipt
                if mine or event.turn == self._ticket.turn:
                    self._done = mine and isinstance(event, MessageReturned) and self._ticket.turn is None
                    return event
            elif event.turn == self._ticket.turn:
                self._done = isinstance(event, TurnEnded)
                return event
        raise StopAsyncIteration
