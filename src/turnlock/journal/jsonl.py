"""A journal of one readable line per record, with wall-clock times: open it in any editor.

It is the record that the origin story lacked: what came in, what left, when. A file may hold several
sessions, one after the other. Lines are written whole and synced before ``append`` returns, in a thread, so
that a slow disk does not stop the event loop; when they cannot be, the file is cut back to what it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

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
class _Writer:
    """The session that writes to the file."""

    session: str
    epoch: int
    stream: FileIO | None = None  # None while it is being opened
    sequence: int = 1  # of the next entry


@define(eq=False)
class JsonlJournal:
    """Appends to one file.

    Attributes:
        path: The file; it is made when the session opens, with its folders.
        sync: Wait for the disk at every append. Off, a record survives the process but not the machine.
    """

    path: Path = field(converter=Path)
    sync: bool = True
    _epochs: int = field(init=False, default=0)
    _writer: _Writer | None = field(init=False, default=None)

    keeps_requests = True

    async def acquire(self, session: str) -> int:
        """Open and lock the file.

        Raises:
            JournalError: The file cannot be written, or another session writes to it.
        """
        if self._writer is not None:
            raise JournalError(
                f"{self.path} is in use by session {self._writer.session}: give each its own file"
            )
        self._epochs += 1
        self._writer = writer = _Writer(session, self._epochs)
        try:
            writer.stream, writer.sequence = await trio.to_thread.run_sync(self._acquire, session)
        except BaseException:
            self._writer = None
            raise
        return writer.epoch

    def _acquire(self, session: str) -> tuple[FileIO, int]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            stream = self.path.open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    problem = f"{self.path} is in use by another session: give each its own file"
                    raise JournalError(problem) from error
            if not stream.tell():
                return stream, 1
            written = self.path.read_bytes()
            sequence = 1
            if msgspec.json.encode(session) in written:
                sequence += sum(record["session"] == session for record in read_jsonl(self.path))
            if not written.endswith(b"\n"):
                stream.write(b"\n")  # a torn last line of a session that was killed stays a line of its own
        except BaseException:
            stream.close()
            raise
        return stream, sequence

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        """Write one line per entry; see ``Journal``."""
        writer = self._writer
        if writer is None or writer.session != session or writer.epoch != epoch or writer.stream is None:
            raise JournalError(f"{self.path} is not open for session {session}")
        if sequence != writer.sequence:
            raise JournalError(
                f"{self.path}: the next entry of session {session} has the number {writer.sequence}, "
                f"not {sequence}"
            )
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        lines = b"".join(
            _line({"seq": sequence + n, "session": session, "time": now, **to_record(entry)})
            for n, entry in enumerate(entries)
        )
        await trio.to_thread.run_sync(self._write, writer.stream, lines)
        writer.sequence += len(entries)

    def _write(self, stream: FileIO, lines: bytes) -> None:
        size = os.fstat(stream.fileno()).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[stream.write(rest) :]
            if self.sync:
                os.fsync(stream.fileno())
        except OSError as error:
            with suppress(OSError):  # all or nothing
                stream.truncate(size)
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error

    async def read(self, session: str) -> Sequence[Entry]:
        """Every entry of a session, in order."""
        records = await trio.to_thread.run_sync(lambda: list(read_jsonl(self.path)))
        return [from_record(record) for record in records if record["session"] == session]

    async def release(self, session: str, epoch: int) -> None:
        """Close the file."""
        writer = self._writer
        if writer is not None and writer.session == session and writer.epoch == epoch:
            self._writer = None
            if writer.stream is not None:
                writer.stream.close()


def _line(record: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(record) + b"\n"
    except UnicodeEncodeError:  # half an emoji, as a cut answer leaves one: JSON can say it in ASCII alone
        return json.dumps(msgspec.to_builtins(record)).encode() + b"\n"


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
            record = json.loads(line)
        except ValueError as error:
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
