"""Other processes and other threads: who holds the file, who is killed, who is waited for."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from support.storage import owned
from turnlock import JournalError, JsonlJournal, Session
from turnlock.engine import inputs
from turnlock.journal import read_jsonl
from turnlock.models import Say, Scripted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def write(path: Path, session: str = "s") -> None:
    """Append an entry."""

    async def live() -> None:
        journal = JsonlJournal(path)
        async with owned(journal, session) as epoch:
            await journal.append(session, epoch, 1, [inputs.GoOn(1.0)])

    trio.run(live)


def kinds(path: Path) -> list[str]:
    return [record["type"] for record in read_jsonl(path)]


HOLDS = """
import fcntl, sys
stream = open(sys.argv[1], "ab")
fcntl.flock(stream, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first word."""
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_another_process_writes_to_it(path: Path) -> None:
    """C34: it is refused, and the last session in it is named; when that process is gone, it is free."""
    write(path, session="first")
    before = path.read_bytes()
    with another_process(HOLDS, path):
        in_use = (
            f"^{path} is in use by another session .its last record is of session first.: give each its own"
        )
        with pytest.raises(JournalError, match=in_use):
            write(path)
        assert path.read_bytes() == before
        assert kinds(path) == ["GoOn"]  # to read, nobody waits
    write(path)
    assert kinds(path) == ["GoOn", "GoOn"]


def test_another_process_holds_an_empty_file(path: Path) -> None:
    """C34: it is refused before its owner has written a word."""
    with another_process(HOLDS, path):
        with pytest.raises(
            JournalError, match=f"^{path} is in use by another session: give each its own file$"
        ):
            write(path)


LIVES = """
import sys, trio
from turnlock import Session
from turnlock.models import Invoke, Say, Scripted

async def wait():
    print("running", flush=True)
    await trio.sleep_forever()

async def main():
    model = Scripted([[Say("Let me see."), Invoke("wait", id="a")]])
    async with Session(model, tools=[wait], journal=sys.argv[1], id="killed") as session:
        await session.run("U1")

trio.run(main)
"""


def test_a_process_that_is_killed(path: Path) -> None:
    """C29: what it did is in the file up to the last moment; the lock is gone with it, its id is used up."""
    with another_process(LIVES, path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    recorded = kinds(path)
    assert recorded[:5] == ["SessionOpened", "Send", "RequestSent", "ItemCompleted", "ItemCompleted"]
    assert "Started" in recorded
    assert not {"Returned", "Raised", "Stopped", "Interrupt"} & set(recorded)

    async def live(name: str) -> None:
        async with Session(Scripted([Say("A")]), journal=path, id=name) as session:
            assert (await session.run("U2")).text == "A"

    with pytest.raises(
        JournalError, match="session killed has a record already: give the new one another id"
    ):
        trio.run(live, "killed")
    trio.run(live, "next")
    assert {record["session"] for record in read_jsonl(path)} == {"killed", "next"}


def test_children_do_not_hold_it(path: Path) -> None:
    """A process that a tool has started and left behind does not keep the file from the next session."""

    async def live() -> subprocess.Popen[bytes]:
        journal = JsonlJournal(path)
        async with owned(journal):
            assert journal._writer is not None
            assert journal._writer.stream is not None
            return await trio.to_thread.run_sync(start, journal._writer.stream.fileno())

    def start(inherited: int) -> subprocess.Popen[bytes]:
        """What a fork has in its hands, before it becomes another program and afterwards."""
        command = [sys.executable, "-c", "input()"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[inherited])

    with trio.run(live) as child:
        write(path)
        assert child.poll() is None
        child.communicate(b"\n")


async def test_threads_that_are_all_taken(path: Path) -> None:
    """A host whose threads all wait for the session does not keep it from being recorded."""
    limiter = trio.to_thread.current_default_thread_limiter()
    tokens = limiter.total_tokens
    limiter.total_tokens = 1
    accepted: list[str] = []
    try:
        with trio.fail_after(30):
            async with Session(Scripted([Say("A")]), journal=path) as session:

                def ask() -> None:
                    accepted.append(trio.from_thread.run(session.run, "U1").text)

                await trio.to_thread.run_sync(ask)
    finally:
        limiter.total_tokens = tokens
    assert accepted == ["A"]
    assert "ResponseEnded" in kinds(path)
