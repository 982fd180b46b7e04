"""A journal of one readable line per record, with wall-clock times: open it in any editor.

It is the record that the origin story lacked: what came in, what left, when. A file may hold several
sessions, one after the other. Lines are written whole and synced before ``append`` returns, in a thread, so
that a slow disk does not stop the event loop; when they cannot be, the file is cut back to what it was.

A session that was killed may leave its last line torn. Such a line is ended by whoever writes next, and left
out by whoever reads: the numbers of a session's records say whether one is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import trio
from attrs import define, field

from turnlock.errors import JournalError
from turnlock.journal.protocol import Entry
from turnlock.journal.records import dumps, from_record, to_record

try:
    import fcntl
except ImportError:  # pragma: no cover  # not a POSIX system: the file is then not locked
    fcntl = None  # type: ignore[assignment]  # asked for at the one place that locks

_BEGINNING = b'{"seq":'  # of every line
_BLANK = b" \t\r\n\0"  # a file that was being written when the machine died may end with zeros

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


@define(eq=False)
class _Writer:
    """The session that writes to the file."""

    session: str
    epoch: int
    stream: FileIO | None = None  # None while it is being opened, and when the file cannot be mended
    sequence: int = 1  # of the next entry
    appending: trio.Lock = field(factory=trio.Lock)

    def close(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            _close(stream)


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
            JournalError: The file cannot be written or is no journal, or another session writes to it.
        """
        if self._writer is not None:
            raise JournalError(
                f"{self.path} is in use by session {self._writer.session}: give each its own file"
            )
        self._epochs += 1
        self._writer = writer = _Writer(session, self._epochs)
        try:
            writer.stream, writer.sequence = await _in_thread(self._acquire, session)
        except BaseException:
            self._writer = None
            raise
        return writer.epoch

    def _acquire(self, session: str) -> tuple[FileIO, int]:
        try:
            if not self.path.parent.exists():  # of one that is no folder opening says so
                self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise JournalError(f"{self.path} cannot be written: it is no regular file; give another path")
            stream = self.path.open("a+b", buffering=0)
            try:
                self._lock(stream)
                return stream, self._begin(stream, session)
            except BaseException:
                _close(stream)
                raise
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error

    def _lock(self, stream: FileIO) -> None:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise JournalError(
                    f"{self.path} is in use by another session{self._last_session()}: give each its own file"
                ) from error

    def _last_session(self) -> str:
        with suppress(JournalError):
            for record in reversed(list(read_jsonl(self.path))):
                return f" (its last record is of session {record['session']})"
        return ""

    def _begin(self, stream: FileIO, session: str) -> int:
        """Make the file ready for the next line; the number of the session's next record."""
        stream.seek(0)
        written = stream.readall()
        if not written:
            if self.sync:
                _sync_folder(self.path.parent)
            return 1
        if not _is_beginning(written.lstrip(_BLANK)):
            raise JournalError(f"{self.path} is no journal: it begins with no record; give another path")
        known = 0
        if dumps(session) in written or json.dumps(session).encode() in written:
            known = sum(1 for _ in _records(self.path, written, session))
        if not written.endswith(b"\n"):
            stream.write(b"\n")  # a torn last line of a session that was killed stays a line of its own
        return known + 1

    async def append(self, session: str, epoch: int, sequence: int, entries: Sequence[Entry]) -> None:
        """Write one line per entry; see ``Journal``."""
        writer = self._writer
        if writer is None or writer.session != session or writer.epoch != epoch:
            raise JournalError(f"{self.path} is not open for session {session}")
        async with writer.appending:
            if writer.stream is None:
                raise JournalError(f"{self.path} is not open for session {session}")
            if sequence != writer.sequence:
                raise JournalError(
                    f"{self.path}: the next entry of session {session} has the number {writer.sequence}, "
                    f"not {sequence}"
                )
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            lines = b"".join(
                self._line({"seq": sequence + n, "session": session, "time": now}, entry)
                for n, entry in enumerate(entries)
            )
            await _in_thread(self._write, writer, writer.stream, lines)
            writer.sequence += len(entries)

    def _line(self, head: dict[str, Any], entry: Entry) -> bytes:
        try:
            return dumps({**head, **to_record(entry)}) + b"\n"
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            what = type(entry).__name__
            raise JournalError(f"{self.path}: a {what} record cannot be written as JSON: {error}") from error

    def _write(self, writer: _Writer, stream: FileIO, lines: bytes) -> None:
        size = os.fstat(stream.fileno()).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[stream.write(rest) :]
            if self.sync:
                os.fsync(stream.fileno())
        except OSError as error:
            try:
                stream.truncate(size)  # all or nothing
            except OSError:  # the last line may be torn: nothing may be written behind it
                writer.close()
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from error

    async def read(self, session: str) -> Sequence[Entry]:
        """Every entry of a session, in order."""
        return await _in_thread(self._read, session)

    def _read(self, session: str) -> Sequence[Entry]:
        try:
            written = _bytes_of(self.path)
        except JournalError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ()
            raise
        entries: list[Entry] = []
        for number, record in _records(self.path, written, session):
            try:
                entries.append(from_record(record))
            except JournalError as error:
                raise JournalError(f"{self.path}, line {number}: {error}") from error
        return entries

    async def release(self, session: str, epoch: int) -> None:
        """Close the file."""
        writer = self._writer
        if writer is not None and writer.session == session and writer.epoch == epoch:
            self._writer = None
            writer.close()


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file as plain data, in order.

    A torn line, which a session that was killed may have left as its last one, is left out.

    Raises:
        JournalError: The file cannot be read, a line is no record, or a record is missing.
    """
    for _, record in _records(path, _bytes_of(path)):
        yield record


def _records(path: Path, written: bytes, session: str | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file, or of one session in it, each with the number of its line."""
    following: dict[str, int] = {}  # by session, the number of its next record
    torn = ""
    for number, line in enumerate(written.split(b"\n"), start=1):
        if not line.strip(_BLANK):
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = f"line {number} is no record: {error}"
            if isinstance(error, RecursionError) or not _is_beginning(line):
                raise JournalError(f"{path}, {problem}") from error
            torn = f"; {problem}"
            continue
        if not isinstance(record, dict) or not {"type", "session", "seq"} <= record.keys():
            raise JournalError(f"{path}, line {number} is no record of a session")
        owner = str(record["session"])
        if session is not None and owner != session:
            continue
        due = following.get(owner, 1)
        if record["seq"] != due:
            problem = f"line {number}: record {record['seq']} of session {owner} stands where {due} should"
            raise JournalError(f"{path}, {problem}{torn}")
        following[owner] = due + 1
        yield number, record


def _is_beginning(line: bytes) -> bool:
    """A line that begins as records do, wherever it was torn."""
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)


def _close(stream: FileIO) -> None:
    if fcntl is not None:  # a child that was just forked may have the file open too, and with it the lock
        with suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_UN)
    stream.close()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Have the disk know of a new file. Where a folder cannot be synced, the file's own sync must do."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


async def _in_thread(function: Callable[[*_Arguments], _Result], *args: *_Arguments) -> _Result:
    """Run a function in a thread.

    With a limiter of its own: the threads of trio's default one may all be the host's, and wait for what this
    session does next.
    """
    return await trio.to_thread.run_sync(function, *args, limiter=trio.CapacityLimiter(1))
