"""A journal of one readable line per record, with wall-clock times: open it in any editor.

It is the record that the origin story lacked: what came in, what left, when. A file may hold several
sessions, one after the other. Lines are written whole and synced before ``append`` returns, in a thread, so
that a slow disk does not stop the event loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import trio
from attrs import define, field

from turnlock.errors import JournalError
from turnlock.journal.protocol import Entry
from turnlock.journal.records import from_record, to_record

try:
    import fcntl
except ImportError:  # pragma: no cover  # not a POSIX system: the file is then not locked
    fcntl = None  # type: ignore[assignment]  # asked for at the one place that locks


@define(eq=False)
class _File:
    stream: BinaryIO
    session: str
    epoch: int


@define(eq=False)
class JsonlJournal:
    """Appends to one file.

    Attributes:
        path: The file; it is made when the session opens, with its folders.
        sync: Wait for the disk at every append. Off, a record survives the process but not the machine.
    """

    path: Path = field(converter=Path)
    sync: bool = True
    _open: _File | None = field(init=False, default=None)

    keeps_requests = True

    async def acquire(self, session: str) -> int:
        """Open and lock the file.

        Raises:
            JournalError: The file cannot be written, or another session writes to it.
        """
        if self._open is not None:
            raise JournalError(
                f"{self.path} is in use by session {self._open.session}: give each its own file"
            )
        self._open = await trio.to_thread.run_sync(self._acquire, session)
        return self._open.epoch

    def _acquire(self, session: str) -> _File:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            stream = self.path.open("ab")
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                stream.close()
                raise JournalError(
                    f"{self.path} is in use by another session: give each its own file"
                ) from error
        if stream.tell() and not _ends_with_newline(self.path):
            stream.write(b"\n")  # a torn last line of a session that was killed stays a line of its own
        return _File(stream, session, epoch=1)

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        """Write one line per entry; see ``Journal``."""
        file = self._open
        if file is None or file.session != session or file.epoch != epoch:
            raise JournalError(f"{self.path} is not open for session {session}")
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        lines = b"".join(
            msgspec.json.encode({"seq": sequence + n, "session": session, "time": now, **to_record(entry)})
            + b"\n"
            for n, entry in enumerate(entries)
        )
        await trio.to_thread.run_sync(self._write, file.stream, lines)

    def _write(self, stream: BinaryIO, lines: bytes) -> None:
        try:
            stream.write(lines)
            stream.flush()
            if self.sync:
                os.fsync(stream.fileno())
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error

    async def read(self, session: str) -> Sequence[Entry]:
        """Every entry of a session, in order."""
        records = await trio.to_thread.run_sync(lambda: list(read_jsonl(self.path)))
        return [from_record(record) for record in records if record["session"] == session]

    async def release(self, session: str, epoch: int) -> None:
        """Close the file."""
        file = self._open
        if file is not None and file.session == session and file.epoch == epoch:
            self._open = None
            file.stream.close()


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file as plain data, in order.

    A torn line, which a session that was killed may have left as its last one, is left out.

    Raises:
        JournalError: The file cannot be read, or a line is no record.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error
    torn: str | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            if torn is not None:
                raise JournalError(f"{path}, {torn}") from error
            torn = f"line {number} is no record: {error}"
            continue
        if not isinstance(record, dict) or not {"type", "session", "seq"} <= record.keys():
            raise JournalError(f"{path}, line {number} is no record of a session")
        if torn is not None and record["seq"] != 1:  # records follow it: it was not the end of its session
            raise JournalError(f"{path}, {torn}")
        torn = None
        yield record


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
