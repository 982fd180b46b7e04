"""Sessions and their journals from the host's side: what the file shows, and when a session does not open."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.lowlevel import Task

from support.live import call, written
from support.storage import OpenJournal
from turnlock import JournalError, JsonlJournal, Session, SessionClosed, tool
from turnlock.engine import inputs
from turnlock.journal import Journal, SessionOpened, read_jsonl
from turnlock.models import Say, Scripted
from turnlock.runtime import session as session_module


@tool
async def ls(path: str) -> str:
    """List a folder."""
    return f"{path}: two files"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


# ── what the file shows ─────────────────────────────────────────────────────────────────────────────────


async def test_the_file_tells_the_story(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in and what left stands there in order, with its time: what the origin story lacked."""
    monkeypatch.chdir(path.parent)
    before = datetime.now(UTC)
    model = Scripted([(Say("Let me look."), call("ls", "a", path="docs")), Say("Two.")])
    async with Session(model, tools=[ls], instructions="Be brief.", journal="run.jsonl", id="s") as session:
        await session.run("How many?")
    after = datetime.now(UTC)
    records = list(read_jsonl(path))
    assert [line for record in records if (line := in_short(record))] == [
        "opened scripted, openai_responses, Be brief., ls",
        "in How many?",
        "out 1: How many?",
        "in Let me look.",
        'in ls {"path":"docs"}',
        "in docs: two files",
        "out 2: How many? Let me look. K(a) O(a: docs: two files)",
        "in Two.",
    ]
    times = [datetime.fromisoformat(record["time"]) for record in records]
    assert [before, *times, after] == sorted([before, *times, after])
    assert {time.utcoffset() for time in times} == {timedelta(0)}
    assert {record["session"] for record in records} == {"s"}


def in_short(record: dict[str, Any]) -> str:
    """A record, as somebody reads it who looks for what went wrong."""
    match record:
        case {"type": "SessionOpened", "tools": [{"name": name}]}:
            return f"opened {record['model']}, {record['dialect']}, {record['instructions']}, {name}"
        case {"type": "RequestSent"}:
            return f"out {record['request']}: {written(record['body'])}"
        case {"message": {"content": said}} | {"item": {"text": said}} | {"type": "Returned", "output": said}:
            return f"in {said}"
        case {"item": {"name": name, "arguments": arguments}}:
            return f"in {name} {arguments}"
    return ""


async def test_sessions_without_a_name(path: Path) -> None:
    """Each gets an id of its own; one after the other they share a file."""
    for text in ("A1", "A2"):
        async with Session(Scripted([Say(text)]), journal=path) as session:
            await session.run("U")
        entries = await JsonlJournal(path).read(session.id)
        said = [entry.item for entry in entries if isinstance(entry, inputs.ItemCompleted)]
        assert [getattr(item, "text", "") for item in said] == [text]
    assert len({record["session"] for record in read_jsonl(path)}) == 2


# ── sessions that do not open ───────────────────────────────────────────────────────────────────────────


def tasks(below: Task | None = None) -> int:
    """How many tasks there are."""
    task = below or trio.lowlevel.current_root_task()
    assert task is not None
    return 1 + sum(tasks(child) for nursery in task.child_nurseries for child in nursery.child_tasks)


async def refused(session: Session, why: str) -> None:
    """Opening it is an error, behind which nothing is left."""
    before = tasks()
    with pytest.raises(JournalError, match=why):
        async with session:
            raise AssertionError("never entered")
    assert tasks() == before
    with pytest.raises(SessionClosed, match="is closed"):
        await session.send("U")


async def test_a_second_life(open_journal: OpenJournal) -> None:
    """R2: an id with a record is used up; the record is left as it was, and another id is welcome."""
    journal = open_journal()
    async with Session(Scripted([Say("A")]), journal=journal, id="s") as session:
        await session.run("U1")
    record = list(await journal.read("s"))
    assert isinstance(record[0], SessionOpened)
    for again in (journal, open_journal()):
        await refused(
            Session(Scripted([]), journal=again, id="s"),
            "^session s has a record already: give the new one another id$",
        )
    assert list(await journal.read("s")) == record
    async with Session(Scripted([Say("B")]), journal=journal, id="t") as session:
        assert (await session.run("U2")).text == "B"


async def test_a_session_that_is_alive(open_journal: OpenJournal) -> None:
    """C34: while a session is open there is no second one of its id, and the first does not notice."""
    journal = open_journal()
    async with Session(Scripted([Say("A")]), journal=journal, id="s") as session:
        for again in (journal, open_journal()):
            await refused(Session(Scripted([]), journal=again, id="s"), r"session s\b")
        assert (await session.run("U1")).text == "A"
    assert [type(entry).__name__ for entry in await journal.read("s")].count("SessionOpened") == 1


async def test_two_sessions_in_one_file(path: Path) -> None:
    """A file has one writer at a time, whatever the sessions are called; the error says what to do."""
    async with Session(Scripted([Say("A")]), journal=path, id="first") as session:
        why = f"^{path} is in use by another session .*of session first.: give each its own file$"
        await refused(Session(Scripted([]), journal=path), why)
        assert (await session.run("U1")).text == "A"
    async with Session(Scripted([Say("B")]), journal=path) as session:
        assert (await session.run("U1")).text == "B"


@pytest.mark.parametrize("sort", ["folder", "pipe", "below a file", "notes"])
async def test_a_path_that_cannot_be_written(
    tmp_path: Path, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the path; no task is left, and the adapter that the session made is closed."""
    (tmp_path / "notes.md").write_text("# Notes\n")
    os.mkfifo(tmp_path / "pipe")
    no_file = "cannot be written: it is no regular file; give another path"
    path, why = {
        "folder": (tmp_path, no_file),
        "pipe": (tmp_path / "pipe", no_file),
        "below a file": (tmp_path / "notes.md" / "run.jsonl", "cannot be written: Not a directory"),
        "notes": (tmp_path / "notes.md", "is no journal: it begins with no record; give another path"),
    }[sort]
    closed: list[bool] = []

    class Closing(Scripted):
        async def aclose(self) -> None:
            closed.append(True)

    monkeypatch.setattr(session_module, "as_model", lambda _name: Closing([]))
    await refused(Session("some:model", journal=path, tools=[ls]), f"^{path} {why}$")
    assert closed == [True]
    async with trio.open_nursery() as nursery:
        await refused(Session(Scripted([]), journal=str(path), nursery=nursery, id="s"), f"^{path} {why}$")
        assert not nursery.child_tasks


def damage(path: Path) -> None:
    """Half of the second line is lost."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:40] + b"\n", *lines[2:]]))


async def test_a_damaged_file(path: Path) -> None:
    """A session whose own record is damaged is refused with the place; one of another id is recorded."""
    async with Session(Scripted([Say("A")]), journal=path, id="s") as session:
        await session.run("U1")
    damage(path)
    await refused(Session(Scripted([]), journal=path, id="s"), f"^{path}, line 3: .*; line 2 is no record: ")
    async with Session(Scripted([Say("B")]), journal=path, id="t") as session:
        await session.run("U2")
    journal: Journal = JsonlJournal(path)
    assert len(await journal.read("t")) > 3


async def test_options_that_json_cannot_say(path: Path) -> None:
    """What cannot be recorded cannot be replayed: the session does not open, and says what is wrong."""

    class Odd(Scripted):
        def settings(self, instructions: str, tools: Any) -> Any:
            settings = super().settings(instructions, tools)
            return type(settings)(settings.model, options={"callback": print})

    why = f"^{path}: a SessionOpened record cannot be written as JSON: .*builtin_function_or_method"
    await refused(Session(Odd([]), journal=path), why)
    assert list(read_jsonl(path)) == []
