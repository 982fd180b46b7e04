"""Nothing happens before its record is there (R5): sessions that look into their journal, and full disks."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from support.live import Gate, call
from support.recorded import entries_of, relive
from support.storage import OpenJournal
from turnlock import (
    CallEnded,
    CallStarted,
    Event,
    Invocation,
    JournalError,
    Limits,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    Session,
    SessionClosed,
    TurnEnded,
    TurnStarted,
)
from turnlock.engine import commands
from turnlock.journal import Journal
from turnlock.models import Fail, Request, Response, Say, Scripted, Sink

# ── looking into the record ─────────────────────────────────────────────────────────────────────────────


@define(eq=False)
class Witness:
    """Whoever does something looks for what must have been recorded before.

    Attributes:
        journal: Where it looks.
        seen: What was done.
        missing: What was done too early.
    """

    journal: Journal
    seen: list[str] = field(factory=list)
    missing: list[str] = field(factory=list)

    async def look(self, who: str, *, needs: str, without: str = "nothing") -> None:
        entries = await self.journal.read("s")
        recorded = Counter(
            f"{type(entry).__name__} {getattr(entry, 'ordinal', '')}".rstrip() for entry in entries
        )
        kind, _, number = needs.partition(" x")
        self.seen.append(who)
        if recorded[kind] < int(number or 1) or recorded[without]:
            self.missing.append(f"{who}: {dict(recorded)}")


@define(eq=False)
class Looking(Scripted):
    """A model that looks into the record before it answers."""

    witness: Witness = field(kw_only=True)

    async def respond(self, request: Request, sink: Sink) -> Response:
        needs = ("Send x1", "Returned 1", "Send x3")[len(self.requests)]
        await self.witness.look(f"request {request.number}", needs=needs)
        return await super().respond(request, sink)


async def test_the_record_stands_first(open_journal: OpenJournal) -> None:
    """R5: a request, a tool, an approval, a stop and a receipt each find the record of what led to them."""
    journal = open_journal()
    witness = Witness(journal)
    runs, stopped = trio.Event(), trio.Event()

    async def a() -> str:
        await witness.look("a runs", needs="Started 1", without="Returned 1")
        return "a!"

    async def b() -> None:
        await witness.look("b runs", needs="Started 2")
        runs.set()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await witness.look("b stops", needs="Interrupt")
                stopped.set()

    async def approve(one: Invocation) -> bool:
        await witness.look(f"may {one.name} run?", needs="ItemCompleted", without=f"Started {one.ordinal}")
        return True

    model = Looking([call("a"), call("b"), Say("A")], witness=witness)
    async with Session(model, tools=[a, b], approve=approve, journal=journal, id="s") as session:
        await session.send("U1")
        await runs.wait()
        await session.send("U2")
        await witness.look("U2 is accepted", needs="Send x2")
        await session.interrupt()
        await stopped.wait()
        await session.run("U3")
    assert witness.missing == []
    assert witness.seen == [
        "request 1",
        "may a run?",
        "a runs",
        "request 2",
        "may b run?",
        "b runs",
        "U2 is accepted",
        "b stops",
        "request 3",
    ]


# ── a disk that is full ─────────────────────────────────────────────────────────────────────────────────


@define(eq=False)
class Disk:
    """A disk that is full at one of its syncs.

    Attributes:
        path: The file.
        full_at: The number of the sync that fails, from 1.
        syncs: How many there were.
        kept: What the file held when the last one had succeeded.
    """

    path: Path
    full_at: int
    syncs: int = 0
    kept: bytes = b""
    _fsync: Callable[[int], None] = os.fsync

    def sync(self, number: int) -> None:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            self._fsync(number)
            return
        self.syncs += 1
        if self.syncs == self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fsync(number)
        self.kept = self.path.read_bytes()


@define(eq=False)
class Life:
    """A session with everything in it, and what it was seen to do."""

    path: Path
    model: Scripted = field(init=False)
    a: Gate = field(factory=lambda: Gate("a"), init=False)
    b: Gate = field(factory=lambda: Gate("b"), init=False)
    told: list[Event] = field(factory=list, init=False)
    session: Session = field(init=False)

    async def live_or_fail(self) -> JournalError | None:
        try:
            await self.live()
        except JournalError as error:
            return error
        return None

    @model.default
    def _script(self) -> Scripted:
        first = (Say("Let me see."), call("a"), call("b", "x"), call("nobody"))
        return Scripted([first, Fail(), Say("A1"), call("b", "y"), Say("A2")])

    async def live(self) -> None:
        limits = Limits(backoff=1, grace=0.5)
        self.session = Session(
            self.model, tools=[self.a.tool, self.b.tool], journal=self.path, id="s", limits=limits
        )
        async with self.session:
            events = self.session.events()

            async def reach(kind: type[Event], times: int = 1) -> None:
                async for event in events:
                    self.told.append(event)
                    times -= isinstance(event, kind)
                    if not times:
                        return
                await trio.sleep_forever()  # the session has failed: what cancels this block is on its way

            await self.session.send("U1")
            await reach(CallStarted, 2)
            await self.session.send("U2")
            await self.session.send("U3", when_busy="queue", on_interrupt="return")
            self.a.go.set()
            self.b.go.set()
            await reach(TurnStarted)  # the turn of U3
            self.b.go = trio.Event()
            await reach(CallStarted)
            await self.session.send("U4", on_interrupt="return")
            await self.session.interrupt("enough")
            await self.session.run("U5")
            await reach(TurnEnded, 2)
            await self.session.send("U6", when_busy="queue")

    def seen(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)


async def test_a_life_without_trouble(path: Path, inline: None, autojump_clock: MockClock) -> None:
    """The life that follows does what it is there for: retries, held messages, an interrupt, a close."""
    life = Life(path)
    with trio.fail_after(1000):
        await life.live()
    allowed = Counter(map(type, relive(entries_of(path)).said))
    assert len(life.model.requests) == allowed[commands.SendRequest] == 6
    assert life.a.calls + life.b.calls == allowed[commands.RunCall] == 3
    assert life.seen(CallEnded) == 4
    assert (life.seen(MessageHeld), life.seen(MessageReturned)) == (3, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


async def test_a_full_disk(
    path: Path, tmp_path: Path, inline: None, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: whichever append fails, nothing of it is done, nothing recorded is lost, and the error is clear."""
    for full_at in count(1):
        path = tmp_path / f"run-{full_at}.jsonl"
        disk, life = Disk(path, full_at), Life(path)
        monkeypatch.setattr(os, "fsync", disk.sync)
        with trio.fail_after(1000):
            failure = await life.live_or_fail()
        if failure is None:
            break
        assert str(failure) == f"{path} cannot be written: No space left on device"
        assert path.read_bytes() == disk.kept
        entries = entries_of(path)
        relived = relive(entries) if entries else None
        allowed = Counter(map(type, relived.said if relived else ()))
        left = {request.number: request.body for request in life.model.requests}
        assert left.items() <= (relived.bodies if relived else {}).items()
        assert life.a.calls + life.b.calls <= allowed[commands.RunCall]
        assert life.seen(CallEnded) <= allowed[commands.CallEnded]
        assert life.seen(MessageDelivered) <= allowed[commands.Delivered]
        assert life.seen(MessageReturned) <= allowed[commands.Returned]
        assert life.seen(TurnEnded) <= allowed[commands.TurnEnded]
        with pytest.raises((JournalError, SessionClosed)):
            await life.session.send("U7")
    assert full_at > 20
    assert disk.syncs < full_at  # what is appended together is drawn: not every life needs as many
