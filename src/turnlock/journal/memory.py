"""A journal that lasts as long as its process: the default, and the cheapest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field

from turnlock.errors import JournalError
from turnlock.journal.protocol import Entry


@define(eq=False)
class _Log:
    entries: list[Entry] = field(factory=list)
    epoch: int = 0
    owned: bool = False


@define(eq=False)
class MemoryJournal:
    """Keeps the entries as they are. It may be shared by any number of sessions of one process."""

    _logs: dict[str, _Log] = field(factory=dict, init=False)

    keeps_requests = False

    async def acquire(self, session: str) -> int:
        """Become the one writer of this session; see ``Journal``."""
        log = self._logs.setdefault(session, _Log())
        if log.owned:
            raise JournalError(f"session {session} is open already: one session has one writer")
        log.owned = True
        log.epoch += 1
        return log.epoch

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        """Append entries; see ``Journal``."""
        log = self._owned(session, epoch)
        if sequence != len(log.entries) + 1:
            raise JournalError(
                f"session {session}: the next entry has the number {len(log.entries) + 1}, not {sequence}"
            )
        log.entries.extend(entries)

    def writer(self, session: str, epoch: int) -> Callable[[Entry], object]:
        """What appends one entry, at once; see ``InstantJournal``."""
        return self._owned(session, epoch).entries.append

    def _owned(self, session: str, epoch: int) -> _Log:
        log = self._logs.get(session)
        if log is None or epoch != log.epoch or not log.owned:
            raise JournalError(f"session {session}: not its owner, or not any more")
        return log

    async def read(self, session: str) -> Sequence[Entry]:
        """Every entry of a session, in order."""
        return tuple(self._logs[session].entries) if session in self._logs else ()

    async def release(self, session: str, epoch: int) -> None:
        """Give up ownership."""
        log = self._logs.get(session)
        if log is not None and log.epoch == epoch and log.owned:
            log.owned = False
            log.entries = log.entries.copy()  # what the writer of before still appends is in no record
