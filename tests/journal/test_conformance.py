"""What every journal must do, whatever it writes to; a new sort joins in ``support.storage``."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from support.storage import OpenJournal, owned
from turnlock import JournalError
from turnlock.engine import Call, Limits, Message, Mode, Origin, StopReason, Text, inputs
from turnlock.journal import Entry, InstantJournal, RequestSent, SessionOpened

OPENED = SessionOpened(
    at=0.0,
    model="m",
    dialect="openai_responses",
    instructions="Be brief.",
    tools=({"name": "ls", "parameters": {"type": "object"}},),
    limits=Limits(deadline=None, parallel=2),
    notes={StopReason.INTERRUPTED: "Stopped."},
    history=(Message("m", "Before."), Text("Yes.", 3)),
    version="0",
    options={"store": False},
)
ENTRIES: Sequence[Entry] = (
    OPENED,
    inputs.Send(0.5, Message("u1", ({"type": "input_text", "text": "ünï"},)), Mode.QUEUE),
    RequestSent(0.5, 1, b'{"model":"m","input":["\xc3\xbc",1.5,null]}'),
    inputs.ItemCompleted(0.75, 1, Call(4, "a", "ls", "{}", 1, origin=Origin("d", "m", {"id": "fc_1"}))),
    inputs.ResponseFailed(1.25, 1, inputs.Trouble.LOST, "gone: \ud83d", 0.5),
    inputs.Returned(2.0, 4, "two files", native={"files": [2, None]}),
)


async def test_what_was_appended_is_read(open_journal: OpenJournal) -> None:
    """Entries come back equal and in order, however they were batched, through any journal of the storage."""
    journal = open_journal()
    async with owned(journal) as epoch:
        await journal.append("s", epoch, 1, ENTRIES[:1])
        await journal.append("s", epoch, 2, [])
        await journal.append("s", epoch, 2, ENTRIES[1:4])
        await journal.append("s", epoch, 5, ENTRIES[4:])
        assert list(await journal.read("s")) == list(ENTRIES)
        assert list(await open_journal().read("s")) == list(ENTRIES)
    assert list(await journal.read("s")) == list(ENTRIES)


async def test_an_unknown_session(open_journal: OpenJournal) -> None:
    """It has no entries, before anything was written and after; it cannot be written, nor given up."""
    journal = open_journal()
    assert list(await journal.read("s")) == []
    async with owned(journal, "other") as epoch:
        await journal.append("other", epoch, 1, ENTRIES[:2])
        assert list(await journal.read("s")) == []
        await journal.release("s", epoch)
        with pytest.raises(JournalError):
            await journal.append("s", epoch, 1, ENTRIES[:1])
        await journal.append("other", epoch, 3, ENTRIES[2:])
    assert list(await journal.read("s")) == []
    assert list(await journal.read("other")) == list(ENTRIES)


async def test_a_second_owner_is_refused(open_journal: OpenJournal) -> None:
    """C34: one session has one writer, and goes on undisturbed; the refusal names it."""
    journal = open_journal()
    async with owned(journal) as epoch:
        await journal.append("s", epoch, 1, ENTRIES[:1])
        for other in (journal, open_journal()):
            with pytest.raises(JournalError, match=r"session s\b"):
                await other.acquire("s")
        await journal.append("s", epoch, 2, ENTRIES[1:2])
    assert list(await journal.read("s")) == list(ENTRIES[:2])


async def test_owners_at_the_same_instant(open_journal: OpenJournal) -> None:
    """C34: of any number of tasks that reach for a session, one gets it."""
    won: list[int] = []
    lost: list[JournalError] = []
    over = trio.Event()

    async def reach() -> None:
        try:
            async with owned(open_journal()) as epoch:
                won.append(epoch)
                await over.wait()
        except JournalError as error:
            lost.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(reach)
        while len(won) + len(lost) < 4:
            await trio.sleep(0.001)
        over.set()
    assert (len(won), len(lost)) == (1, 3)


async def test_taking_over(open_journal: OpenJournal) -> None:
    """C34: once it was given up, anybody may own it; numbers go on, and a later epoch is higher."""
    journal = open_journal()
    async with owned(journal) as first:
        await journal.append("s", first, 1, ENTRIES[:3])
    async with owned(journal) as second:
        assert second > first
        await journal.append("s", second, 4, ENTRIES[3:4])
    other = open_journal()
    async with owned(other) as third:
        await other.append("s", third, 5, ENTRIES[4:])
    assert list(await journal.read("s")) == list(ENTRIES)


async def test_the_owner_of_before_is_refused(open_journal: OpenJournal) -> None:
    """C34: its late entries are not in the record, and its late release takes nothing from the new owner."""
    journal = open_journal()
    async with owned(journal) as first:
        await journal.append("s", first, 1, ENTRIES[:1])
    with pytest.raises(JournalError):
        await journal.append("s", first, 2, ENTRIES[1:2])
    async with owned(journal) as second:
        with pytest.raises(JournalError):
            await journal.append("s", first, 2, ENTRIES[1:2])
        await journal.release("s", first)
        await journal.append("s", second, 2, ENTRIES[2:3])
    assert list(await journal.read("s")) == [ENTRIES[0], ENTRIES[2]]


@pytest.mark.parametrize("sequence", [-1, 0, 1, 2, 4, 5])
async def test_a_wrong_number(open_journal: OpenJournal, sequence: int) -> None:
    """All or nothing: what does not follow the last entry is refused whole, then the right number taken."""
    journal = open_journal()
    async with owned(journal) as epoch:
        await journal.append("s", epoch, 1, ENTRIES[:2])
        with pytest.raises(JournalError, match=f"has the number 3, not {sequence}$"):
            await journal.append("s", epoch, sequence, ENTRIES[2:5])
        assert list(await journal.read("s")) == list(ENTRIES[:2])
        await journal.append("s", epoch, 3, ENTRIES[2:])
    assert list(await journal.read("s")) == list(ENTRIES)


async def test_the_same_number_twice_at_once(open_journal: OpenJournal) -> None:
    """Of two appends with one number, one is refused, also when the other is still on its way to the disk."""
    journal = open_journal()
    refused: list[JournalError] = []

    async def append(epoch: int) -> None:
        try:
            await journal.append("s", epoch, 1, ENTRIES[:2])
        except JournalError as error:
            refused.append(error)

    async with owned(journal) as epoch:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(append, epoch)
        assert list(await journal.read("s")) == list(ENTRIES[:2])
    assert len(refused) == 2


@pytest.mark.parametrize("by", [-1, 1, 100])
async def test_a_wrong_epoch(open_journal: OpenJournal, by: int) -> None:
    """An epoch that was never given writes nothing, and gives nothing up."""
    journal = open_journal()
    async with owned(journal) as epoch:
        with pytest.raises(JournalError):
            await journal.append("s", epoch + by, 1, ENTRIES[:1])
        await journal.release("s", epoch + by)
        await journal.append("s", epoch, 1, ENTRIES[:1])
    assert list(await journal.read("s")) == [OPENED]


async def test_cancelled_while_it_acquires(open_journal: OpenJournal) -> None:
    """Whoever is cancelled owns nothing that others would wait for."""
    journal = open_journal()
    with trio.CancelScope() as scope:
        scope.cancel()
        async with owned(journal):
            pass
    async with owned(open_journal()):
        assert list(await journal.read("s")) == []


async def test_what_was_read_does_not_change(open_journal: OpenJournal) -> None:
    """What somebody has read is theirs: nothing that is appended later comes into it."""
    journal = open_journal()
    async with owned(journal) as epoch:
        await journal.append("s", epoch, 1, ENTRIES[:2])
        read = await journal.read("s")
        await journal.append("s", epoch, 3, ENTRIES[2:])
    assert list(read) == list(ENTRIES[:2])


async def test_writing_at_once(open_journal: OpenJournal) -> None:
    """An instant journal's writer is its owner's alone, and writes to no record that is another's by now."""
    journal = open_journal()
    if not isinstance(journal, InstantJournal):
        assert not hasattr(journal, "writer")
        return
    async with owned(journal) as first:
        write = journal.writer("s", first)
        write(ENTRIES[0])
        for session, epoch in (("s", first + 1), ("other", first)):
            with pytest.raises(JournalError):
                journal.writer(session, epoch)
    with pytest.raises(JournalError):
        journal.writer("s", first)
    async with owned(journal) as second:
        write(ENTRIES[1])
        await journal.append("s", second, 2, ENTRIES[2:3])
        journal.writer("s", second)(ENTRIES[3])
    assert list(await journal.read("s")) == [ENTRIES[0], ENTRIES[2], ENTRIES[3]]
