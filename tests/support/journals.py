"""Journals for tests: real implementations of the protocol that take their time, remember, or fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from attrs import define, field

from turnlock import JournalError
from turnlock.journal import Entry


@define(eq=False)
class AwaitedJournal:
    """Keeps the entries, and takes some time for every append, as a disk does.

    Attributes:
        delay: Seconds that an append takes.
        keeps_requests: It wants the bodies of requests.
        fails_at: The number of the append that fails, from 1; None for none.
        appended: Called with every entry when it is durable.
        entries: By session.
        appends: How many there were.
    """

    delay: float = 0.001
    keeps_requests: bool = field(default=False, kw_only=True)
    fails_at: int | None = field(default=None, kw_only=True)
    appended: Callable[[Entry], object] | None = field(default=None, kw_only=True)
    entries: dict[str, list[Entry]] = field(factory=dict, init=False)
    appends: int = field(default=0, init=False)
    _epochs: dict[str, int] = field(factory=dict, init=False)
    _owned: set[str] = field(factory=set, init=False)

    async def acquire(self, session: str) -> int:
        await trio.sleep(self.delay)
        if session in self._owned:
            raise JournalError(f"session {session} is open already")
        self._owned.add(session)
        self._epochs[session] = self._epochs.get(session, 0) + 1
        self.entries.setdefault(session, [])
        return self._epochs[session]

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        self.appends += 1
        await trio.sleep(self.delay)
        if self.appends == self.fails_at:
            raise JournalError("the disk is full")
        log = self.entries[session]
        if session not in self._owned or epoch != self._epochs[session] or sequence != len(log) + 1:
            raise JournalError(f"session {session}: another writer has taken over")
        for entry in entries:
            log.append(entry)
            if self.appended is not None:
                self.appended(entry)

    async def read(self, session: str) -> Sequence[Entry]:
        return tuple(self.entries.get(session, ()))

    async def release(self, session: str, epoch: int) -> None:
        if self._epochs.get(session) == epoch:
            self._owned.discard(session)


@define(eq=False)
class FailingInstantJournal:
    """Appends at once, and fails at one of the entries.

    Attributes:
        fails_at: The number of the entry that cannot be written, from 1.
        entries: What was written.
    """

    fails_at: int
    entries: list[Entry] = field(factory=list, init=False)
    keeps_requests = False

    async def acquire(self, session: str) -> int:
        return 1

    def writer(self, session: str, epoch: int) -> Callable[[Entry], object]:
        def write(entry: Entry) -> None:
            if len(self.entries) + 1 >= self.fails_at:
                raise JournalError("the memory is full")
            self.entries.append(entry)

        return write

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        raise AssertionError("a session writes to an instant journal at once")

    async def read(self, session: str) -> Sequence[Entry]:
        return tuple(self.entries)

    async def release(self, session: str, epoch: int) -> None:
        """Nothing is held."""
