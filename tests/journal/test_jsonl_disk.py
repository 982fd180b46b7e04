"""The file underneath: what cannot be written, a disk that is full, and what is on the disk when."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio

from support.storage import owned
from turnlock import JournalError, JsonlJournal
from turnlock.engine import inputs
from turnlock.journal import Entry, read_jsonl

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that everybody can look into: those of pytest are its owner's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions mean nothing to root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def write(path: Path, *entries: Entry, session: str = "s", first: int = 1) -> None:
    """Append entries, all at once."""

    async def live() -> None:
        journal = JsonlJournal(path)
        async with owned(journal, session) as epoch:
            await journal.append(session, epoch, first, entries or [inputs.GoOn(1.0)])

    trio.run(live)


def kinds(path: Path) -> list[str]:
    return [record["type"] for record in read_jsonl(path)]


def open_files(path: Path) -> int:
    """How often this process has a file open."""
    return sum(number.exists() and number.samefile(path) for number in Path("/proc/self/fd").iterdir())


# ── what cannot be written ──────────────────────────────────────────────────────────────────────────────


def test_folders_are_made(tmp_path: Path) -> None:
    """A path may lead through folders that there are not yet, and may be a text."""
    path = tmp_path / "a" / "b" / "run.jsonl"
    journal = JsonlJournal(str(path))
    assert journal.path == path
    write(journal.path)
    assert kinds(path) == ["GoOn"]


@pytest.mark.parametrize("mode", [0o444, 0o222, 0o000], ids=oct)
def test_a_file_without_the_rights(readable: Path, mode: int) -> None:
    """A file that cannot be both read and written is no place for a record; it is named, and left alone."""
    path = readable / "run.jsonl"
    write(path)
    before = path.read_bytes()
    path.chmod(mode)
    with as_nobody(), pytest.raises(JournalError, match=f"^{path} cannot be written: Permission denied$"):
        write(path, first=2)
    path.chmod(0o644)
    assert path.read_bytes() == before
    assert not open_files(path)


def test_a_folder_without_the_rights(readable: Path) -> None:
    """No file and no folder can be made in there."""
    for path in (readable / "run.jsonl", readable / "a" / "run.jsonl"):
        readable.chmod(0o555)
        with as_nobody(), pytest.raises(JournalError, match=f"^{path} cannot be written: Permission denied$"):
            write(path)
    readable.chmod(0o755)
    assert list(readable.iterdir()) == []


def test_reading_without_the_rights(readable: Path) -> None:
    """Not to be allowed to look is an error, and not an empty record."""
    path = readable / "run.jsonl"
    write(path)
    for what in (path, readable):
        mode = what.stat().st_mode
        what.chmod(0)
        with as_nobody(), pytest.raises(JournalError, match=f"^{path} cannot be read: Permission denied$"):
            trio.run(JsonlJournal(path).read, "s")
        what.chmod(mode)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a device, a pipe cannot be cut back or read again: they are refused, and never waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, Path("/dev/full"), Path("/dev/null"), pipe):
        with pytest.raises(
            JournalError, match=f"^{path} cannot be written: it is no regular file; give another"
        ):
            write(path)


def test_no_way_there(tmp_path: Path) -> None:
    """A path through a file, a name too long, a link in a circle: the path and the reason are named."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path in (tmp_path / "file" / "a" / "run.jsonl", tmp_path / ("x" * 300), tmp_path / "circle"):
        with pytest.raises(JournalError, match=f"^{path} cannot be written: [A-Z]"):
            write(path)


def test_a_file_system_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock can be had nothing is written: two writers would not know of each other."""

    def flock(_stream: object, _how: int) -> NoReturn:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(JournalError, match=f"^{path} cannot be written: No locks available$"):
        write(path)
    assert not open_files(path)


# ── a disk that is full ─────────────────────────────────────────────────────────────────────────────────


def in_process(code: str, *arguments: object) -> str:
    """What a process of its own says."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


FILLS_UP = """
import resource, sys, trio
from turnlock import JournalError, JsonlJournal
from turnlock.engine import inputs

async def main(path, room):
    journal = JsonlJournal(path)
    epoch = await journal.acquire("s")
    await journal.append("s", epoch, 1, [inputs.GoOn(1.0)])
    size = journal.path.stat().st_size
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, most))
    try:
        await journal.append("s", epoch, 2, [inputs.Withdraw(2.0, "x" * 50, ""), inputs.GoOn(2.0)])
    except JournalError as error:
        print(error)
    assert journal.path.stat().st_size == size
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await journal.append("s", epoch, 2, [inputs.GoOn(3.0)])
    await journal.release("s", epoch)

for room in map(int, sys.argv[2:]):
    trio.run(main, f"{sys.argv[1]}-{room}", room)
"""


def test_a_disk_that_is_full(path: Path) -> None:
    """All or nothing: half a line, or one line of two, is cut off again; when there is room, it goes on."""
    rooms = (0, 1, 60, 150, 200)
    said = in_process(FILLS_UP, path, *rooms)
    assert said.splitlines() == [f"{path}-{room} cannot be written: File too large" for room in rooms]
    for room in rooms:
        assert kinds(Path(f"{path}-{room}")) == ["GoOn", "GoOn"]


IS_FULL = """
import resource, sys, trio
from turnlock import JournalError, JsonlJournal

async def main(path):
    journal = JsonlJournal(path)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size, most))
    try:
        await journal.acquire("s")
    except JournalError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await journal.release("s", await journal.acquire("s"))

trio.run(main, sys.argv[1])
"""


def test_a_disk_that_was_full_before(path: Path) -> None:
    """C33: a torn line cannot even be ended: it is the same error, nothing is held, and later it is."""
    path.write_bytes(b'{"seq":1,"ses')
    assert in_process(IS_FULL, path) == f"{path} cannot be written: File too large\n"
    assert path.read_bytes() == b'{"seq":1,"ses\n'


def test_a_disk_that_does_not_keep_its_word(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be synced is not in the file, so that nobody takes it for recorded."""

    async def live() -> None:
        journal = JsonlJournal(path)
        async with owned(journal) as epoch:
            await journal.append("s", epoch, 1, [inputs.GoOn(1.0)])
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", fails)
                with pytest.raises(JournalError, match=f"^{path} cannot be written: Input/output error$"):
                    await journal.append("s", epoch, 2, [inputs.GoOn(2.0)])
            await journal.append("s", epoch, 2, [inputs.GoOn(3.0)])

    def fails(_number: int) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    trio.run(live)
    assert [record["at"] for record in read_jsonl(path)] == [1.0, 3.0]


def test_a_file_that_cannot_be_cut_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written behind what may be torn; the next session ends that line."""

    async def live() -> None:
        journal = JsonlJournal(path)
        async with owned(journal) as epoch:
            await journal.append("s", epoch, 1, [inputs.GoOn(1.0)])
            writer = journal._writer
            assert writer is not None
            monkeypatch.setattr(writer, "stream", Broken(writer.stream))
            with pytest.raises(JournalError, match="Input/output error"):
                await journal.append("s", epoch, 2, [inputs.GoOn(2.0)])
            with pytest.raises(JournalError, match="is not open for session s"):
                await journal.append("s", epoch, 2, [inputs.GoOn(3.0)])

    trio.run(live)
    assert not open_files(path)
    assert not path.read_bytes().endswith(b"\n")
    write(path, inputs.GoOn(4.0), first=2)
    assert [record["at"] for record in read_jsonl(path)] == [1.0, 4.0]


class Broken:
    """A file on a disk that dies in the middle of a line."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, data: memoryview) -> int:
        self.stream.write(data[:30])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def truncate(self, _size: int) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_what_json_cannot_say(path: Path) -> None:
    """All or nothing: one entry that cannot be written keeps its whole batch out, and is named."""

    async def live() -> None:
        journal = JsonlJournal(path)
        async with owned(journal) as epoch:
            wrong = inputs.Returned(2.0, 1, "", native=object())
            problem = f"^{path}: a Returned record cannot be written as JSON: .*object"
            with pytest.raises(JournalError, match=problem):
                await journal.append("s", epoch, 1, [inputs.GoOn(1.0), wrong])
            deep: list[object] = []
            for _ in range(5_000):
                deep = [deep]
            with pytest.raises(JournalError, match="recursion"):
                await journal.append("s", epoch, 1, [inputs.Returned(2.0, 1, "", native=deep)])
            assert list(await journal.read("s")) == []
            await journal.append("s", epoch, 1, [inputs.GoOn(1.0)])

    trio.run(live)
    assert kinds(path) == ["GoOn"]


# ── what is on the disk when ────────────────────────────────────────────────────────────────────────────


async def test_a_record_is_on_the_disk_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``append`` returns when the disk has its lines and not before, and the loop goes on meanwhile."""
    reached, go = threading.Event(), threading.Event()
    synced: list[bytes] = []

    def slow(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            synced.append(path.read_bytes())
            reached.set()
            assert go.wait(30)

    journal = JsonlJournal(path)
    returned: list[bool] = []

    async def append(epoch: int) -> None:
        await journal.append("s", epoch, 1, [inputs.GoOn(1.0), inputs.GoOn(2.0)])
        returned.append(True)

    async with owned(journal) as epoch:
        monkeypatch.setattr(os, "fsync", slow)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, epoch)
            await trio.to_thread.run_sync(reached.wait, 30)
            for _ in range(10):
                await trio.sleep(0.001)
            assert not returned
            go.set()
    assert returned
    assert [lines.count(b"\n") for lines in synced] == [2]


@pytest.mark.parametrize("sync", [True, False])
async def test_how_often_the_disk_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, sync: bool
) -> None:
    """Once for every append, and once for the folder of a new file; never, where nobody asked for it."""
    synced: list[str] = []
    fsync: Callable[[int], None] = os.fsync

    def noted(number: int) -> None:
        synced.append("file" if stat.S_ISREG(os.fstat(number).st_mode) else "folder")
        fsync(number)

    monkeypatch.setattr(os, "fsync", noted)
    for session in ("a", "b"):
        journal = JsonlJournal(path, sync=sync)
        async with owned(journal, session) as epoch:
            await journal.append(session, epoch, 1, [inputs.GoOn(1.0), inputs.GoOn(2.0)])
            await journal.append(session, epoch, 3, [inputs.GoOn(3.0)])
    assert synced == (["folder", *["file"] * 4] if sync else [])
    assert kinds(path) == ["GoOn"] * 6


async def test_cancelled_while_it_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that has begun is finished: no line is half there, and numbers go on."""
    reached, go = threading.Event(), threading.Event()
    fsync: Callable[[int], None] = os.fsync

    def slow(number: int) -> None:
        reached.set()
        assert go.wait(30)
        fsync(number)

    journal = JsonlJournal(path)
    async with owned(journal) as epoch:
        monkeypatch.setattr(os, "fsync", slow)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, "s", epoch, 1, [inputs.GoOn(1.0), inputs.GoOn(2.0)])
            await trio.to_thread.run_sync(reached.wait, 30)
            nursery.cancel_scope.cancel()
            go.set()
        await journal.append("s", epoch, 3, [inputs.GoOn(3.0)])
    assert kinds(path) == ["GoOn"] * 3
