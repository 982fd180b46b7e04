"""Interrupts: with nobody reading, from anywhere, as often as one likes (R17); what was shown stays (R7)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from support.journals import AwaitedJournal
from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    CallStarted,
    Fate,
    Journal,
    Limits,
    MemoryJournal,
    Message,
    Note,
    NothingToSend,
    ReasoningDelta,
    Receipt,
    Scripted,
    Session,
    SessionBusy,
    StopReason,
    Text,
    TextDelta,
    TurnEnded,
    TurnResult,
    tool,
)
from turnlock.models import Fail, Pause, Request, Response, Say, Sink

NewSession = Callable[..., Session]


async def test_an_interrupt_with_nobody_reading(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R17: streams that nobody reads, or that were thrown away, hold nothing up."""
    gate = Gate()
    model = Scripted([[Say("word " * 1000, size=1), call("a")], Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        unread = session.events()
        session.events()
        await session.send("U1")
        await gate.started.wait()
        await session.interrupt()
        assert session.open == ()
        assert len(only(told(unread), TextDelta)) == 5000


async def test_the_text_that_was_shown_is_kept(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R7: on an interrupt the text stays, without provider ids; the result has it as well."""
    model = Scripted([[Say("Half an answer", size=5), Pause(100)], Say("B")], dialect="openai_chat")
    async with new_session(model) as session:
        results: list[TurnResult] = []

        async def run() -> None:
            results.append(await session.run("U1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await trio.sleep(1)
            await session.interrupt()
        assert results[0].text == "Half an answer"
        assert session.transcript[1] == Text("Half an answer", 1)
        await session.run("U2")
    assert asked(model)[1] == "U1 Half an answer M U2"


async def test_an_emoji_that_was_shown_in_halves(new_session: NewSession, autojump_clock: MockClock) -> None:
    """What is kept of it is one character, as its record will say."""
    model = Scripted([[Say("\ud83d\ude00", size=1), Pause(100)]], dialect="openai_chat")
    async with new_session(model) as session:
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        assert session.transcript[1] == Text("😀", 1)


async def test_what_is_shown_is_what_is_kept(autojump_clock: MockClock) -> None:
    """R7: until the engine has decided on an interrupt nothing more is shown, however slow the journal."""
    sinks: list[Sink] = []

    class Slow(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            sinks.append(sink)
            for n in range(1000):
                sink.text(f"{n} ")
                sink.reasoning(f"{n} ")
                await trio.sleep(0.1)
            return Response()

    async with Session(Slow([]), journal=AwaitedJournal(delay=5)) as session:
        events = session.events()
        await session.send("U1")
        await until(events, TextDelta)
        await trio.sleep(1.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.interrupt)
            await trio.sleep(1)
            shown = told(events)
        text = session.transcript[1]
        assert isinstance(text, Text)
        assert text.text == "0 " + "".join(event.text for event in only(shown, TextDelta))
        assert [event.text for event in only(shown, ReasoningDelta)][1:] == [
            event.text for event in only(shown, TextDelta)
        ]
        assert only(told(events), TextDelta) == []


async def test_from_inside_a_tool(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R17 and C60: `run` raises at once, `send` is held, `interrupt` works."""
    errors: list[str] = []
    receipts: list[Receipt] = []

    @tool
    async def a() -> str:
        session = sessions[0]
        for attempt in (session.run, session.turn):
            with pytest.raises(RuntimeError, match="its own session") as error:
                if attempt is session.run:
                    await session.run("U2")
                else:
                    session.turn("U2")
            errors.append(str(error.value))
        with pytest.raises(RuntimeError):
            await session.run()
        receipts.append(await session.send("U3"))
        assert receipts[0].state is Fate.HELD
        await session.interrupt("the tool says so")
        raise AssertionError("an interrupted tool does not go on")

    sessions: list[Session] = []
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        sessions.append(session)
        result = await session.run("U1")
        assert result.stop_reason is StopReason.INTERRUPTED
        assert len(errors) == 2
        assert receipts[0].state is Fate.HELD
        await session.run()
    assert asked(model)[1].endswith("M U3")
    assert "O(a: Tool cancelled while it was running" in asked(model)[1]


async def test_from_a_thread_of_a_plain_tool() -> None:
    """R17: a plain function may send and interrupt through trio's own door, and does not wait for itself."""

    @tool
    def a() -> str:
        trio.from_thread.run(sessions[0].send, "U2")
        trio.from_thread.run(sessions[0].interrupt)
        return "returned in time"

    sessions: list[Session] = []
    model = Scripted([call("a"), Say("A")])
    async with Session(model, tools=[a], limits=Limits(grace=60)) as session:
        sessions.append(session)
        with trio.fail_after(30):
            await session.run("U1")
            await session.run()
    assert asked(model)[1] == "U1 K(a) O(a: returned in time) M U2"


async def test_the_hosts_cancel_is_not_delayed(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R17: `run` is left at once; the interrupt goes on in the session's own task."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        start = trio.current_time()
        with trio.move_on_after(5):
            await session.run("U1")
        assert trio.current_time() - start == pytest.approx(5, abs=0.01)
        assert [waiting.why.split(" (")[0] for waiting in session.open] == ["a"]
        await until(events, TurnEnded)
        assert trio.current_time() - start == pytest.approx(6, abs=0.02)
        assert (await session.run("U2")).text == "A"


async def test_an_interrupt_that_is_cancelled(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R17: who waits for it may go away; the interrupt goes on."""

    @tool
    async def a() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return "late enough"

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], limits=Limits(grace=5)) as session:
        events = session.events()
        await session.send("U1")
        await until(events, CallStarted)
        with trio.move_on_after(0.1):
            await session.interrupt()
        assert session.open
        assert (await until(events, TurnEnded)).stop_reason is StopReason.INTERRUPTED
        assert outputs(session) == ["late enough"]


async def test_run_while_the_interrupt_is_under_way(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C13: it waits for the old turn's end and then has its own."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        await session.send("U1")
        await until(events, CallStarted)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.interrupt)
            await trio.sleep(0.1)
            with pytest.raises(SessionBusy):
                await session.run()
            result = await session.run("U2")
    assert (result.turn, result.text) == (2, "A")
    assert asked(model)[1].endswith("M U2")


async def test_going_on_with_nothing_new(new_session: NewSession, autojump_clock: MockClock) -> None:
    """`run()` without content asks the model again, from what the interrupt left."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        await session.interrupt()
        result = await session.run()
    assert (result.text, result.receipt) == ("A", None)
    assert asked(model)[1].endswith("M")


async def test_two_go_on_at_once(new_session: NewSession, autojump_clock: MockClock) -> None:
    """`run()` twice at the same instant: one has the turn, the other is told that the session is busy."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        await session.run("U1")
        ends: list[object] = []

        async def go_on() -> None:
            try:
                ends.append((await session.run()).text)
            except SessionBusy:
                ends.append("busy")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on)
            nursery.start_soon(go_on)
        assert sorted(map(str, ends)) == ["B", "busy"]


async def test_going_on_while_a_message_is_being_accepted(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """`run()` behind a message of the same instant is refused, and takes nobody else's turn for its own."""
    model = Scripted([Say("A"), Say("B"), Say("C")])
    async with new_session(model) as session:
        await session.run("U1")
        ends: list[object] = []

        async def go_on() -> None:
            try:
                ends.append((await session.run()).turn)
            except SessionBusy:
                ends.append("busy")

        async def message() -> None:
            ends.append((await session.run("U2")).turn)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(message)
            nursery.start_soon(go_on)
    assert ends in (["busy", 2], [2, 3], [2, "busy"])


async def test_going_on_before_anything_was_said(new_session: NewSession, autojump_clock: MockClock) -> None:
    """`run()` of a session that holds nothing is an error: no provider takes an empty history."""
    model = Scripted([Fail("refused", "No."), Say("A")])
    async with new_session(model) as session:
        with pytest.raises(NothingToSend, match=r"nothing to go on from; give run\(\) or turn\(\) a message"):
            await session.run()
        with pytest.raises(NothingToSend):
            async with session.turn():
                raise AssertionError("it does not begin")
        assert (await session.run("U1")).stop_reason is StopReason.REFUSED
        with pytest.raises(NothingToSend):  # the message came back
            await session.run()
        assert (await session.run("U2")).text == "A"
    assert asked(model) == ["U1", "U2"]


async def test_going_on_from_a_history(new_session: NewSession, autojump_clock: MockClock) -> None:
    """A history is something to go on from."""
    model = Scripted([Say("A")])
    async with new_session(model, history=[Message("m", "U1")]) as session:
        assert (await session.run()).text == "A"
    assert asked(model) == ["U1"]


async def test_go_on_that_is_cancelled_at_once(
    new_session: NewSession, journal: Journal, autojump_clock: MockClock
) -> None:
    """C25: the turn that it asked for does not go on behind the host's back; another's does."""
    gate = Gate()
    model = Scripted([call("a"), Say("A"), Say("B")])
    async with new_session(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        with trio.CancelScope() as scope, suppress(SessionBusy):
            scope.cancel()
            await session.run()
        await trio.sleep(1)
        gate.go.set()
        await trio.sleep(1)
        assert len(model.requests) == 2  # nobody has stopped this turn
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.run()
        await trio.sleep(1)
        assert session.open == ()
        # With a disk it may have been taken back before anything was recorded of it.
        notes = [type(item) for item in session.transcript].count(Note)
        assert notes == 1 or (notes == 0 and not isinstance(journal, MemoryJournal))


@pytest.mark.parametrize("first", ["U1", None])
@pytest.mark.parametrize("after", [0.0, 0.0005, 0.0015])
async def test_a_message_behind_a_turn_that_was_given_up(
    autojump_clock: MockClock, first: str | None, after: float
) -> None:
    """C25, C55: a cancelled `run()` interrupts nothing that is sent behind it, however slow the disk."""
    model = Scripted([Say("A"), [Pause(1), Say("B")], Say("C"), Say("D")])
    async with Session(model, journal=AwaitedJournal(0.001)) as session:
        await session.run("U0")
        with trio.move_on_after(after):
            await session.run(first)
        receipt = await session.send("U2")
        await trio.sleep(5)
        assert receipt.state is Fate.DELIVERED
        assert session.open == ()
        assert (await session.run("U3")).stop_reason is StopReason.END_TURN


async def test_a_keyboard_interrupt_in_the_waiting_task(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C62: Ctrl-C in whoever waits for a turn stops that turn; a host that catches it goes on."""

    class Strikes(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            if request.number == 1:
                sink.text("half")
                raise KeyboardInterrupt
            return await super().respond(request, sink)

    model = Strikes([Say("A")])
    async with Session(model) as session:
        with pytest.raises(KeyboardInterrupt):
            await session.run("U1")
        await trio.lowlevel.checkpoint()
        assert session.open == ()
        start = trio.current_time()
        assert (await session.run("U2")).text == "A"
        assert trio.current_time() - start < 0.1
    assert asked(model) == ["U1 half M U2"]
