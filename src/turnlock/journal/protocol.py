"""What a journal must do, and what is written into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from turnlock.engine import Item, Limits, StopReason
from turnlock.engine.inputs import Input


@frozen
class SessionOpened:
    """The settings that every decision depends on, beside the inputs (R19).

    Attributes:
        at: Seconds on the session's clock.
        model: The model's name.
        dialect: The wire format, or None for a model without one.
        instructions: The instructions.
        tools: The tools as the model is told of them.
        limits: The limits.
        notes: The interruption notes, by stop reason.
        history: The items that the session started from.
        version: The release that wrote the record.
        options: What else goes into every request.
        stream: Whether answers are streamed.
        continues: Whether requests leave out what their provider knows.
    """

    at: float
    model: str
    dialect: str | None
    instructions: str
    tools: tuple[Mapping[str, Any], ...]
    limits: Limits
    notes: Mapping[StopReason, str]
    history: tuple[Item, ...]
    version: str
    options: Mapping[str, Any] = field(factory=dict)
    stream: bool = True
    continues: bool = False


@frozen
class RequestSent:
    """The exact body that left. No header is ever recorded: keys stay where they are."""

    at: float
    request: int
    body: bytes = field(repr=False)


Entry: TypeAlias = SessionOpened | RequestSent | Input


class Journal(Protocol):
    """Where a session's record is kept.

    One session has one writer. Entries are appended in order and all or nothing; ``append`` returns when
    they are as durable as this journal makes them.

    Attributes:
        keeps_requests: The journal wants the body of every request. Off where memory would grow with the
            square of a session's length.
    """

    @property
    def keeps_requests(self) -> bool:
        """Whether ``RequestSent`` entries are wanted."""

    async def acquire(self, session: str) -> int:
        """Become the one writer of this session.

        Returns:
            The epoch of this ownership; a later one through the same journal has a higher one.

        Raises:
            JournalError: Somebody else owns it.
        """

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        """Append entries, the first of which gets the number ``sequence`` (from 1).

        Raises:
            JournalError: Not the owner any more, out of sequence, or not writable. Nothing was appended.
        """

    async def read(self, session: str) -> Sequence[Entry]:
        """Every entry of a session, in order."""

    async def release(self, session: str, epoch: int) -> None:
        """Give up ownership; harmless when it was lost before."""


@runtime_checkable
class InstantJournal(Journal, Protocol):
    """A journal whose appends take no time: a session needs no task to wait for them."""

    def writer(self, session: str, epoch: int) -> Callable[[Entry], object]:
        """What appends one entry, at once; for as long as the session is owned.

        Raises:
            JournalError: The session is not owned in this epoch.
        """
