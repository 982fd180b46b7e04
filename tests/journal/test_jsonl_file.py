"""What stands in a JSONL file: one record a line, of several sessions, some of which were killed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from support.storage import owned
from turnlock import JournalError, JsonlJournal
from turnlock.engine import Limits, Message, inputs
from turnlock.journal import Entry, SessionOpened, read_jsonl


def life(session: str) -> list[Entry]:
    """A short one."""
    return [
        SessionOpened(0.0, "m", None, f"of {session}", (), Limits(), {}, (), "0"),
        inputs.Send(1.0, Message("u1", "Größe?\nA second line.")),
        inputs.Interrupt(2.0, shown="cut \ud83d"),
        inputs.GoOn(3.0),
    ]


def write(path: Path, session: str, entries: Sequence[Entry] | None = None, first: int = 1) -> None:
    """Append a session's entries, one by one."""

    async def live() -> None:
        journal = JsonlJournal(path, sync=False)
        async with owned(journal, session) as epoch:
            for number, entry in enumerate(life(session) if entries is None else entries, start=first):
                await journal.append(session, epoch, number, [entry])

    trio.run(live)


def read(path: Path, session: str) -> list[Entry]:
    return list(trio.run(JsonlJournal(path).read, session))


def numbers(path: Path) -> list[tuple[str, int]]:
    return [(record["session"], record["seq"]) for record in read_jsonl(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


# ── what anybody can read ───────────────────────────────────────────────────────────────────────────────


def test_a_line_is_a_json_object(path: Path) -> None:
    """Any reader of JSON lines gets number, session, time, type and fields, people too."""
    write(path, "s")
    lines = path.read_bytes().splitlines(keepends=True)
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [line[-1:] for line in lines] == [b"\n"] * 4
    assert [list(record)[:5] for record in records] == [["seq", "session", "time", "type", "at"]] * 4
    assert [record["seq"] for record in records] == [1, 2, 3, 4]
    assert [record["type"] for record in records] == ["SessionOpened", "Send", "Interrupt", "GoOn"]
    assert records[1]["message"] == {
        "type": "Message",
        "id": "u1",
        "content": "Größe?\nA second line.",
        "role": "user",
    }
    assert records[2]["shown"] == "cut \ud83d"
    assert "Größe".encode() in lines[1]
    assert list(read_jsonl(path)) == records


def test_times_are_utc(path: Path) -> None:
    """Every record says when it was written, in UTC, as ISO 8601; times rise."""
    before = datetime.now(UTC)
    write(path, "s")
    after = datetime.now(UTC)
    times = [datetime.fromisoformat(record["time"]) for record in read_jsonl(path)]
    assert [time.utcoffset() for time in times] == [timedelta(0)] * 4
    assert [before, *times, after] == sorted([before, *times, after])
    assert all(record["time"].endswith("+00:00") for record in read_jsonl(path))


def test_sessions_follow_each_other(path: Path) -> None:
    """A file holds any number of sessions; each is read by itself, and all together in order."""
    for session in ("a", "b", "ä"):
        write(path, session)
    for session in ("a", "b", "ä"):
        assert read(path, session) == life(session)
    assert numbers(path) == [(session, number) for session in ("a", "b", "ä") for number in (1, 2, 3, 4)]
    assert read(path, "c") == []


@pytest.mark.parametrize("session", ["s", "ä", '"quoted"', "line\nline", "half \ud83d", "s" * 300])
def test_whatever_a_session_is_called(path: Path, session: str) -> None:
    """Numbers go on when a session is owned again, also where its name stands in the file in ASCII alone."""
    broken = [inputs.Interrupt(1.0, shown="\ud83d"), inputs.Interrupt(2.0, shown="\ud83d")]
    write(path, session, broken)
    write(path, "other")
    write(path, session, [inputs.GoOn(3.0)], first=3)
    assert read(path, session) == [*broken, inputs.GoOn(3.0)]


def test_a_session_that_only_mentions_another(path: Path) -> None:
    """A name that stands in somebody's text is nobody's record."""
    write(path, "a", [inputs.Withdraw(1.0, "b", "b")])
    write(path, "b")
    assert read(path, "b") == life("b")


# ── what a session that was killed leaves ───────────────────────────────────────────────────────────────


def test_a_torn_last_line(path: Path, tmp_path: Path) -> None:
    """C33: wherever a line was torn, what stands before it is read, and a later session is not harmed."""
    write(path, "killed")
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole) + 1):
        torn = tmp_path / f"torn-{end}.jsonl"
        torn.write_bytes(whole[:end])
        kept = life("killed")[: 4 if end >= len(whole) - 1 else 3]  # all but the line's end: it is whole
        assert read(torn, "killed") == kept
        write(torn, "next")
        assert read(torn, "killed") == kept
        assert read(torn, "next") == life("next")
        assert numbers(torn) == [
            *(("killed", number) for number in range(1, len(kept) + 1)),
            *(("next", number) for number in (1, 2, 3, 4)),
        ]


def test_a_torn_first_line(path: Path) -> None:
    """C33: a session that was killed in its very first record has none."""
    write(path, "killed")
    path.write_bytes(path.read_bytes()[:20])
    assert read(path, "killed") == []
    assert list(read_jsonl(path)) == []
    write(path, "killed")
    assert read(path, "killed") == life("killed")


def test_one_session_killed_after_another(path: Path) -> None:
    """C33: torn lines behind each other are left out, each of them."""
    for session in ("a", "b", "c"):
        write(path, session)
        path.write_bytes(path.read_bytes()[:-10])
    write(path, "d")
    path.write_bytes(path.read_bytes() + b'{"seq":1,"session":"e","ti')
    write(path, "f", life("f")[:1])
    path.write_bytes(path.read_bytes()[:-10])
    write(path, "g")
    for session, count in {"a": 3, "b": 3, "c": 3, "d": 4, "e": 0, "f": 0, "g": 4}.items():
        assert read(path, session) == life(session)[:count]


def test_taking_over_behind_a_torn_line(path: Path) -> None:
    """C33: the session that was killed is owned again: its numbers go on, and the record is whole."""
    write(path, "s", life("s")[:3])
    path.write_bytes(path.read_bytes()[:-10])
    write(path, "s", life("s")[2:], first=3)
    assert read(path, "s") == life("s")
    assert numbers(path) == [("s", number) for number in (1, 2, 3, 4)]


def test_zeros_at_the_end(path: Path) -> None:
    """C33: some file systems end a file with zeros when the machine dies; they are no record."""
    write(path, "a")
    path.write_bytes(path.read_bytes() + bytes(50))
    assert read(path, "a") == life("a")
    write(path, "b")
    assert read(path, "b") == life("b")
    path.write_bytes(bytes(50))
    write(path, "c")
    assert read(path, "c") == life("c")


# ── what nobody wrote ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", [1, 2, 3])
@pytest.mark.parametrize("damage", ["torn", "garbage", "bytes", "gone"])
def test_a_damaged_line_in_the_middle(path: Path, line: int, damage: str) -> None:
    """A record is missing, and what follows cannot be trusted: the error says where."""
    write(path, "s")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = {
        "torn": lines[line - 1][:-9] + b"\n",
        "garbage": b"Hello!\n",
        "bytes": b"\xff\xfe" + lines[line - 1],
        "gone": b"",
    }[damage]
    path.write_bytes(b"".join(lines))
    if damage == "gone":
        where = f"line {line}: record {line + 1} of session s stands where {line} should"
    elif damage == "torn":
        where = f"line {line + 1}: record .*line {line} is no record: "
    else:
        where = f"line {line} is no record: "
    expected = f"^{path}, {where}"
    with pytest.raises(JournalError, match=expected):
        read(path, "s")
    with pytest.raises(JournalError, match=expected):
        list(read_jsonl(path))
    with pytest.raises(JournalError, match=f"^{path}"):
        write(path, "s", [inputs.GoOn(4.0)], first=5)


def test_damage_is_the_damaged_session_s(path: Path) -> None:
    """A session that lost a record keeps nobody from reading another one."""
    write(path, "a")
    write(path, "b")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:30] + b"\n", *lines[2:]]))
    with pytest.raises(JournalError, match=r"line 3: record 3 of session a .* line 2 is no record"):
        read(path, "a")
    assert read(path, "b") == life("b")
    write(path, "c")
    assert read(path, "c") == life("c")


@pytest.mark.parametrize("number", [3, 5, "4", None, 4.5])
def test_a_wrong_number_in_the_file(path: Path, number: object) -> None:
    """Numbers follow each other: a line twice, or one that somebody moved, is found."""
    write(path, "s", life("s")[:3])
    stray = json.dumps({"seq": number, "session": "s", "type": "GoOn", "at": 1.0}, separators=(",", ":"))
    path.write_bytes(path.read_bytes() + stray.encode() + b"\n")
    with pytest.raises(JournalError, match=rf"line 4: record {number} of session s stands where 4 should$"):
        read(path, "s")


@pytest.mark.parametrize("line", ["{}", "[]", "5", "null", '"s"', '{"seq":1}', '{"seq":1,"session":"s"}'])
def test_json_that_is_no_record(path: Path, line: str) -> None:
    """JSON of somebody else's is an error that says where, as the last line too."""
    write(path, "s")
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    with pytest.raises(JournalError, match=f"^{path}, line 5 is no record of a session$"):
        read(path, "s")


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ('"type":"Unheard"', "unknown record type 'Unheard': a later release may have written it"),
        ('"type":"GoOn"', "a GoOn record is not readable: it has no at"),
        ('"type":"GoOn","at":"noon"', "a GoOn record is not readable: at: Expected `float`, got `str`"),
    ],
)
def test_a_record_that_cannot_be_read(path: Path, record: str, problem: str) -> None:
    """The file and the line are named; whoever wants plain data gets them all the same."""
    write(path, "s")
    path.write_bytes(path.read_bytes() + b'{"seq":5,"session":"s",' + record.encode() + b"}\n")
    with pytest.raises(JournalError) as found:
        read(path, "s")
    assert str(found.value) == f"{path}, line 5: {problem}"
    assert len(list(read_jsonl(path))) == 5


def test_a_line_that_is_too_deep(path: Path) -> None:
    """A line that no reader can follow is an error that says where, and not a torn one."""
    write(path, "s")
    deep = b'{"seq":5,"session":"s","type":"GoOn","at":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
    path.write_bytes(path.read_bytes() + deep)
    with pytest.raises(JournalError, match=f"^{path}, line 5 is no record: .*recursion"):
        read(path, "s")


@pytest.mark.parametrize("content", ["# Read me\n", "{}\n", "[1, 2]", "\n\nHello", '{"messages": []}\n'])
def test_a_file_of_somebody_else_s(path: Path, content: str) -> None:
    """A wrong path must not cost anybody a file: what is no journal is not written to."""
    path.write_text(content)
    with pytest.raises(JournalError, match=f"^{path} is no journal: it begins with no record; give another"):
        write(path, "s")
    assert path.read_text() == content


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_file(path: Path, content: str) -> None:
    """A file that somebody has made for the purpose is as good as none."""
    path.write_text(content)
    assert read(path, "s") == []
    write(path, "s")
    assert read(path, "s") == life("s")


def test_a_file_that_is_not_there(path: Path) -> None:
    """Whoever asks for a file is told that there is none, and under which name."""
    with pytest.raises(JournalError, match=f"^{path} cannot be read: No such file or directory$"):
        list(read_jsonl(path))
    with pytest.raises(JournalError, match=f"^{path.parent} cannot be read: Is a directory$"):
        list(read_jsonl(path.parent))
