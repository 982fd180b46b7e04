"""Opening, closing, and what leaves a session's block."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from support.journals import AwaitedJournal, FailingInstantJournal
from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    Call,
    CallEnded,
    CallStarted,
    Cause,
    DeclarationError,
    Fate,
    Item,
    JournalError,
    Limits,
    MemoryJournal,
    Message,
    MessageReturned,
    Outcome,
    Output,
    Scripted,
    Session,
    SessionClosed,
    StopReason,
    Text,
    TurnEnded,
    TurnResult,
    tool,
)
from turnlock.engine import inputs
from turnlock.machines import InvocationState
from turnlock.models import Pause, Request, Response, Say, Sink

NewSession = Callable[..., Session]


@tool
async def a() -> str:
    """Answer at once."""
    return "a!"


# ── closing ─────────────────────────────────────────────────────────────────────────────────────────


async def test_closing_gives_held_messages_back(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R5: a message that no request will carry is returned with the reason; nothing is lost silently."""
    gate = Gate()
    model = Scripted([call("a")])
    results: list[TurnResult] = []
    async with trio.open_nursery() as nursery:
        async with new_session(model, tools=[gate.tool]) as session:
            events = session.events()

            async def run(text: str) -> None:
                results.append(await session.run(text))

            nursery.start_soon(run, "U1")
            await gate.started.wait()
            nursery.start_soon(run, "U2")
            held = await session.send("U3", when_busy="queue")
            await trio.sleep(0.1)
        assert (held.state, held.reason) == (Fate.RETURNED, "the session was closed")
        assert len(only(told(events), MessageReturned)) == 2
    assert [(result.turn, result.stop_reason) for result in results] == [
        (0, StopReason.CLOSED),
        (1, StopReason.CLOSED),
    ]


async def test_closing_while_the_model_answers(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: the request is aborted, the turn ends `closed`, whoever waits has a result; the text is kept."""
    results: list[TurnResult] = []
    model = Scripted([[Say("half"), Pause(1000)]])
    async with trio.open_nursery() as nursery:
        async with new_session(model) as session:

            async def run() -> None:
                results.append(await session.run("U1"))

            nursery.start_soon(run)
            await trio.sleep(1)
            start = trio.current_time()
        assert trio.current_time() - start < 0.1
    assert [(result.stop_reason, result.text) for result in results] == [(StopReason.CLOSED, "half")]
    assert session.open == ()


async def test_closing_while_an_interrupt_is_under_way(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R1: the first cause is kept; closing waits no longer than the grace that is left."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    model = Scripted([call("a")])
    async with trio.open_nursery() as nursery:
        async with new_session(model, tools=[a]) as session:
            events = session.events()
            await session.send("U1")
            await until(events, CallStarted)
            nursery.start_soon(session.interrupt)
            await trio.sleep(0.5)
    (ended,) = only(told(events), CallEnded)
    assert ended.call.outcome is not None
    assert ended.call.outcome.cause is Cause.INTERRUPTED
    assert ended.call.outcome.seconds == pytest.approx(1, abs=0.05)


async def test_a_closed_session_takes_nothing(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Every method says so; what it knows can still be read."""
    session = new_session(Scripted([Say("A"), Say("B")]))
    for attempt in ("send", "run", "interrupt", "events"):
        with pytest.raises(SessionClosed, match="not open yet"):
            await _use(session, attempt)
    assert (session.open, session.leaks, session.transcript) == ((), (), ())
    async with session:
        turn = session.turn("U2")
        await session.run("U1")
    for attempt in ("send", "run", "interrupt", "events"):
        with pytest.raises(SessionClosed, match="is closed"):
            await _use(session, attempt)
    with pytest.raises(SessionClosed):
        async with turn:
            pass
    with pytest.raises(SessionClosed, match="opened before"):
        async with session:
            pass
    assert len(session.transcript) == 2
    assert (session.open, session.leaks, session.usage.input_tokens) == ((), (), 10)


async def _use(session: Session, method: str) -> None:
    match method:
        case "send" | "run":
            await getattr(session, method)("U1")
        case "interrupt":
            await session.interrupt()
        case _:
            session.events()


async def test_events_end_with_the_session(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Whoever reads is told of everything, and then that there is nothing more."""
    seen: list[object] = []

    async with trio.open_nursery() as nursery:
        async with new_session(Scripted([Say("A")])) as session:
            stream = session.events()

            async def read() -> None:
                async for event in stream:
                    seen.append(event)  # noqa: PERF401  # read as a host does

            nursery.start_soon(read)
            await session.run("U1")
    assert isinstance(seen[-1], TurnEnded)


async def test_two_readers_of_one_stream(new_session: NewSession, autojump_clock: MockClock) -> None:
    """They share the events, and neither waits for ever."""
    seen: list[object] = []
    async with trio.open_nursery() as nursery:
        async with new_session(Scripted([Say("A")])) as session:
            stream = session.events()

            async def read() -> None:
                async for event in stream:
                    seen.append(event)  # noqa: PERF401  # read as a host does

            nursery.start_soon(read)
            nursery.start_soon(read)
            await trio.sleep(1)
            await session.run("U1")
    assert len(only(seen, TurnEnded)) == 1


async def test_nothing_is_recorded_after_the_end(autojump_clock: MockClock) -> None:
    """One session has one writer: what a leaked tool returns after the end is not written any more."""
    freed = trio.Event()

    @tool
    async def a() -> str:
        with trio.CancelScope(shield=True):
            await freed.wait()
        return "late"

    journal = MemoryJournal()
    async with trio.open_nursery() as nursery:
        async with Session(
            Scripted([call("a")]),
            tools=[a],
            journal=journal,
            nursery=nursery,
            id="s",
            limits=Limits(grace=0.1),
        ) as session:
            events = session.events()
            await session.send("U1")
            await until(events, CallStarted)
        written = await journal.read("s")
        freed.set()
    assert await journal.read("s") == written
    assert not any(isinstance(entry, inputs.Returned) for entry in written)


# ── what leaves the block ───────────────────────────────────────────────────────────────────────────


async def test_a_keyboard_interrupt_in_a_tool(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C62 and R9: the call is closed, effects unknown; it leaves through the session's block, as itself."""

    @tool
    async def strikes() -> str:
        raise KeyboardInterrupt

    sibling = Gate("b")
    model = Scripted([[call("strikes", "a"), call("b")], Say("A")])
    with pytest.raises(KeyboardInterrupt):
        async with new_session(model, tools=[strikes, sibling.tool]) as session:
            events = session.events()
            await session.run("U1")
    seen = told(events)
    ends = [event.call.outcome for event in only(seen, CallEnded)]
    assert [(end.cause, end.effect) for end in ends if end] == [(Cause.CLOSED, "unknown")] * 2
    assert [event.stop_reason for event in only(seen, TurnEnded)] == [StopReason.CLOSED]
    assert len(outputs(session)) == 2
    assert len(model.requests) == 1


async def test_tools_with_nurseries_of_their_own(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R9: what their tasks raise while the whole session is cancelled is part of the stopping."""

    async def fails_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cleanup failed")

    @tool
    async def clean() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
        return "never"

    @tool
    async def messy() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(fails_when_cancelled)
        return "never"

    @tool
    async def strikes() -> str:
        await trio.sleep(1)
        raise KeyboardInterrupt

    model = Scripted([[call("clean"), call("messy"), call("strikes")]])
    with pytest.raises(KeyboardInterrupt):
        async with new_session(model, tools=[clean, messy, strikes]) as session:
            events = session.events()
            await session.run("U1")
    ends = [event.call.outcome for event in only(told(events), CallEnded)]
    assert [end.cause for end in ends if end] == [Cause.CLOSED] * 3


async def test_a_system_exit_in_a_thread() -> None:
    """R9: the same from a plain function."""

    @tool
    def leaves() -> str:
        raise SystemExit(3)

    with pytest.raises(SystemExit) as left, trio.fail_after(20):
        async with Session(Scripted([call("leaves", "a")]), tools=[leaves]) as session:
            await session.run("U1")
    assert left.value.code == 3
    assert outputs(session) == ["Tool cancelled while it was running, after 0 s: it may have had effects."]


@pytest.mark.parametrize(
    "error", [ValueError("mine"), ExceptionGroup("my own", [ValueError("inside")])], ids=["one", "a group"]
)
async def test_the_hosts_error_leaves_as_it_is(
    new_session: NewSession, autojump_clock: MockClock, error: Exception
) -> None:
    """What is raised in the block leaves it unchanged, also if it is a group of its own."""
    with pytest.raises(type(error)) as left:
        async with new_session(Scripted([Say("A")])):
            raise error
    assert left.value is error


async def test_the_hosts_cancel_closes(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C25: a scope around the whole block: the turn is closed with its outputs, and the block is left."""
    gate = Gate()
    with trio.move_on_after(1) as scope:
        async with new_session(Scripted([call("a")]), tools=[gate.tool]) as session:
            await session.run("U1")
    assert scope.cancelled_caught
    assert session.open == ()
    assert len(outputs(session)) == 1


async def test_the_hosts_nursery_is_cancelled(autojump_clock: MockClock) -> None:
    """C25: with tasks in the host's nursery: the turn ends although its request's task is gone."""
    ends: list[StopReason] = []

    async def host(nursery: trio.Nursery) -> None:
        model = Scripted([[Say("half"), Pause(1000)]])
        with trio.CancelScope(shield=True):
            async with Session(model, nursery=nursery) as session:
                events = session.events()
                await session.send("U1")
                ends.append((await until(events, TurnEnded)).stop_reason)

    async with trio.open_nursery() as outside:
        async with trio.open_nursery() as nursery:
            outside.start_soon(host, nursery)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        with trio.fail_after(1):
            while not ends:
                await trio.sleep(0.01)
    assert ends == [StopReason.CLOSED]


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_that_cannot_be_opened(autojump_clock: MockClock) -> None:
    """Its own nursery is left, what it acquired is given back, and it says that it is closed."""
    journal = AwaitedJournal(fails_at=1)
    session = Session(Scripted([]), journal=journal, id="s")
    with pytest.raises(JournalError, match="disk is full"):
        async with session:
            raise AssertionError("never entered")
    with pytest.raises(SessionClosed, match="is closed"):
        await session.send("U1")
    assert await journal.acquire("s") == 2  # nobody owns it

    model = Scripted([], dialect="telepathy")
    with pytest.raises(ValueError, match="telepathy"):
        async with Session(model):
            raise AssertionError("never entered")


async def test_a_session_that_is_cancelled_as_it_opens(autojump_clock: MockClock) -> None:
    """What it acquired is given back although its task is cancelled."""
    journal = AwaitedJournal(delay=1)
    with trio.move_on_after(1.5):
        async with Session(Scripted([]), journal=journal, id="s"):
            raise AssertionError("never entered")
    assert await journal.acquire("s") == 2


async def test_one_session_has_one_writer(autojump_clock: MockClock) -> None:
    """A second session with the same id over the same journal is refused, and the first goes on."""
    journal = MemoryJournal()
    async with Session(Scripted([Say("A")]), journal=journal, id="s") as session:
        with pytest.raises(JournalError, match="open already"):
            async with Session(Scripted([]), journal=journal, id="s"):
                raise AssertionError("never entered")
        assert (await session.run("U1")).text == "A"


def test_what_cannot_be_a_session() -> None:
    """Wrong tools, models and histories are refused when the session is made."""
    with pytest.raises(DeclarationError, match="two tools have this name"):
        Session(Scripted([]), tools=[a, a])
    with pytest.raises(ValueError, match="give 'openai:MODEL'"):
        Session("gpt-5")
    made = Call(1, "x", "a", "{}", 1)
    output = Output(1, Outcome(InvocationState.COMPLETED, Cause.RETURNED, "a!"))
    histories: list[list[Item]] = [
        [made],
        [made, Message("m", "U"), output],
        [output],
        [made, output, output],
    ]
    for history in histories:
        with pytest.raises(ValueError, match="history"):
            Session(Scripted([]), history=history)
    Session(Scripted([]), history=[Message("m", "U"), made, output, Text("A", 2)])


async def test_a_history_of_an_earlier_session(new_session: NewSession, autojump_clock: MockClock) -> None:
    """The items that one session ended with are what the next one begins with; ordinals go on."""
    async with new_session(Scripted([call("a", "x"), Say("A")]), tools=[a]) as session:
        await session.run("U1")
    model = Scripted([call("a", "x"), Say("B")])
    async with Session(model, tools=[a], history=session.transcript) as later:
        result = await later.run("U2")
    assert result.calls[0].ordinal == 2
    assert asked(model)[0] == "U1 K(x) O(x: a!) A U2"
    assert asked(model)[1].count("a!") == 2


# ── a journal that fails ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sort", ["instant", "awaited"])
@pytest.mark.parametrize("fails_at", range(2, 9))
async def test_a_failing_append_stops_the_session(
    autojump_clock: MockClock, sort: str, fails_at: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is performed without its record; whoever waits is told, and the error leaves the block."""
    gate = Gate()
    gate.go.set()
    model = Scripted([[Say("Let me see."), call("a")], Say("A")])
    journal = FailingInstantJournal(fails_at) if sort == "instant" else AwaitedJournal(fails_at=fails_at)
    waited: list[BaseException] = []
    seen: list[object] = []

    async def run(session: Session) -> None:
        try:
            await session.run("U1")
        except BaseException as error:
            waited.append(error)
            raise

    with pytest.raises(JournalError, match="full") as left:
        async with Session(model, tools=[gate.tool], journal=journal, id="s") as session:
            events = session.events()
            try:
                await run(session)
                await session.send("U2")
                await trio.sleep(10)
            finally:
                seen = [type(event).__name__ for event in told(events)]
    assert {type(error) for error in waited} <= {JournalError, trio.Cancelled}
    entries = journal.entries if isinstance(journal, FailingInstantJournal) else journal.entries["s"]
    recorded = [type(entry).__name__ for entry in entries]
    assert len(model.requests) <= recorded.count("Send") + recorded.count("ResponseEnded")
    assert gate.calls <= recorded.count("Started")
    assert seen.count("CallEnded") <= recorded.count("Returned")
    with pytest.raises((JournalError, SessionClosed)):
        await session.send("U3")
    assert left.value.args


async def test_readers_of_a_session_that_fails(autojump_clock: MockClock) -> None:
    """Whoever reads a turn is told the error; whoever reads the session is told the end."""
    gate = Gate()
    read: list[object] = []
    with pytest.raises(JournalError):
        async with Session(
            Scripted([call("a")]), tools=[gate.tool], journal=AwaitedJournal(fails_at=5)
        ) as session:
            with trio.CancelScope(shield=True):  # the failure cancels the block: look at the streams alone
                events = session.events()
                with pytest.raises(JournalError):
                    async with session.turn("U1") as turn:
                        async for event in turn:
                            read.append(event)  # noqa: PERF401  # read as a host does
                async for event in events:
                    read.append(event)  # noqa: PERF401  # read as a host does
    assert read


async def test_a_journal_that_cannot_be_released(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong while closing leaves the block; the session's nursery is left all the same."""

    class Sticky(AwaitedJournal):
        async def release(self, session: str, epoch: int) -> None:
            raise JournalError("it is stuck")

    with pytest.raises(JournalError, match="stuck"):
        async with Session(Scripted([Say("A")]), journal=Sticky()) as session:
            await session.run("U1")


async def test_closing_names_an_adapter_that_does_not_end(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R8: trio cannot abandon a task: the request's adapter is waited for, and named."""

    class Stuck(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            with trio.CancelScope(shield=True):
                await trio.sleep(30)
            return Response()

    caplog.set_level(logging.WARNING, "turnlock")
    async with Session(Stuck([])) as session:
        await session.send("U1")
        await trio.sleep(1)
    (record,) = (record for record in caplog.records if "request.stuck" in record.getMessage())
    assert "request=1" in record.getMessage()
