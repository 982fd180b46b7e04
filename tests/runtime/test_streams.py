"""What hosts see: a turn as a block, streams of events, and log events that say the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from support.live import Gate, asked, call, only, told, until
from turnlock import (
    CallEnded,
    CallOutput,
    CallRequested,
    CallStarted,
    Event,
    Fate,
    Limits,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    ReasoningDelta,
    RequestSent,
    Scripted,
    Session,
    SessionBusy,
    StopReason,
    TextDelta,
    ToolContext,
    TurnEnded,
    TurnStarted,
    tool,
)
from turnlock.models import Pause, Request, Response, Say, Sink

NewSession = Callable[..., Session]


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_a_whole_turn(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Everything of the turn, in order, from its message to its end; then the result is there."""

    @tool
    async def a(context: ToolContext) -> str:
        context.output("line\n")
        return "a!"

    model = Scripted([call("a"), Say("An answer", size=4)])
    async with new_session(model, tools=[a]) as session:
        async with session.turn("U1") as turn:
            events = [event async for event in turn]
            assert turn.result.text == "An answer"
            assert turn.receipt is turn.result.receipt
        assert turn.result.stop_reason is StopReason.END_TURN
    seen = names(events)
    assert seen == [
        *["TurnStarted", "MessageDelivered", "RequestSent"],
        *["CallRequested", "CallStarted", "CallOutput", "CallEnded"],
        *["RequestSent", "TextDelta", "TextDelta", "TextDelta", "TurnEnded"],
    ]
    assert "".join(event.text for event in only(events, TextDelta)) == "An answer"
    assert only(events, CallOutput)[0].text == "line\n"


async def test_a_turn_sees_only_itself(new_session: NewSession, autojump_clock: MockClock) -> None:
    """A turn that waits in the queue shows that its message is held, then its own events alone."""
    gate = Gate()
    model = Scripted([call("a"), Say("A"), Say("B")])
    async with new_session(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        async with session.turn("U2") as turn, trio.open_nursery() as nursery:
            nursery.start_soon(_later, gate)
            events = [event async for event in turn]
    assert names(events)[0] == "MessageHeld"
    assert {event.turn for event in events[1:]} == {2}
    assert turn.result.text == "B"


async def _later(gate: Gate) -> None:
    await trio.sleep(1)
    gate.go.set()


async def test_a_turn_that_steers(new_session: NewSession, autojump_clock: MockClock) -> None:
    """With when_busy="steer" it is the turn under way, from the instant in which that carries the message."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        async with session.turn("U2", when_busy="steer") as turn, trio.open_nursery() as nursery:
            nursery.start_soon(_later, gate)
            events = [event async for event in turn]
    assert names(events) == [
        *["MessageHeld", "CallEnded", "MessageDelivered", "RequestSent", "TextDelta", "TurnEnded"],
    ]
    assert turn.result.turn == 1


async def test_leaving_a_turn_early(new_session: NewSession, autojump_clock: MockClock) -> None:
    """It is interrupted, and the block is left when the history can be sent."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        async with session.turn("U1") as turn:
            async for event in turn:
                if isinstance(event, CallStarted):
                    break
        assert session.open == ()
        assert turn.result.stop_reason is StopReason.INTERRUPTED
        assert (await session.run("U2")).text == "A"
    assert asked(model)[1].endswith("M U2")


async def test_leaving_a_turn_by_an_error(new_session: NewSession, autojump_clock: MockClock) -> None:
    """The host's own error leaves the block, and the turn is interrupted all the same."""
    gate = Gate()
    async with new_session(Scripted([call("a")]), tools=[gate.tool]) as session:
        with pytest.raises(ZeroDivisionError):
            async with session.turn("U1") as turn:
                async for event in turn:
                    if isinstance(event, CallStarted):
                        raise ZeroDivisionError
        assert session.open == ()


async def test_leaving_a_turn_by_a_cancel(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C25: the host is not delayed; the interrupt goes on behind it."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async with new_session(Scripted([call("a")]), tools=[a]) as session:
        events = session.events()
        start = trio.current_time()
        with trio.move_on_after(5):
            async with session.turn("U1") as turn:
                async for _event in turn:
                    pass
        assert trio.current_time() - start == pytest.approx(5, abs=0.01)
        assert (await until(events, TurnEnded)).stop_reason is StopReason.INTERRUPTED
        assert trio.current_time() - start == pytest.approx(6, abs=0.02)


async def test_leaving_a_turn_that_has_not_begun(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Its message comes back; the turn under way is not touched."""
    gate = Gate()
    async with new_session(Scripted([call("a"), Say("A")]), tools=[gate.tool]) as session:
        events = session.events()
        await session.send("U1")
        await gate.started.wait()
        async with session.turn("U2") as turn:
            pass
        assert turn.receipt is not None
        assert turn.receipt.state is Fate.RETURNED
        gate.go.set()
        assert (await until(events, TurnEnded)).stop_reason is StopReason.END_TURN


async def test_a_turn_that_is_cancelled_as_it_is_entered(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C25: no turn goes on behind the host's back."""
    async with new_session(Scripted([Say("A"), Say("B")])) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            async with session.turn("U1"):
                raise AssertionError("entered")
        await trio.sleep(1)
        assert session.open == ()
        kept = [type(item).__name__ for item in session.transcript]
        assert kept in ([], ["Message", "Note"], ["Message", "Text", "Note"])  # as far as it came by then


async def test_a_turn_whose_message_is_returned(new_session: NewSession, autojump_clock: MockClock) -> None:
    """The stream ends with the message's return, and the result says why."""
    gate = Gate()
    async with new_session(Scripted([call("a")]), tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        async with session.turn("U2") as turn, trio.open_nursery() as nursery:
            nursery.start_soon(session.interrupt)
            events = [event async for event in turn]
    assert names(events) == ["MessageHeld", "MessageReturned"]
    assert (turn.result.turn, turn.result.error) == (0, "interrupted")


async def test_a_turn_without_a_message(new_session: NewSession, autojump_clock: MockClock) -> None:
    """`turn()` goes on like `run()`; busy, it is refused as it is entered."""
    gate = Gate()
    async with new_session(Scripted([call("a"), Say("A"), Say("B")]), tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        with pytest.raises(SessionBusy):
            async with session.turn():
                raise AssertionError("entered")
        events = session.events()
        gate.go.set()
        await until(events, TurnEnded)
        async with session.turn() as turn:
            seen = [event async for event in turn]
    assert names(seen) == ["TurnStarted", "RequestSent", "TextDelta", "TurnEnded"]
    assert turn.receipt is None
    assert turn.result.text == "B"


async def test_a_turn_that_nobody_reads(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R17: a block without a loop interrupts its turn on leaving, and does not hang."""
    async with new_session(Scripted([[Say("half"), Pause(100)]])) as session:
        async with session.turn("U1") as turn:
            await trio.sleep(1)
        assert (turn.result.stop_reason, turn.result.text) == (StopReason.INTERRUPTED, "half")


async def test_a_turn_that_was_never_entered(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Nothing is sent before the block is entered."""
    async with new_session(Scripted([Say("A")])) as session:
        session.turn("U1")
        assert (await session.run("U2")).turn == 1


async def test_reasoning_is_shown(new_session: NewSession, autojump_clock: MockClock) -> None:
    """What an adapter tells of the model's reasoning is an event of its own."""

    class Thinks(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            sink.reasoning("")
            sink.reasoning("Hm.")
            return Response()

    async with new_session(Thinks([])) as session:
        events = session.events()
        await session.run("U1")
        assert only(told(events), ReasoningDelta) == [ReasoningDelta(1, 1, "Hm.")]


async def test_an_adapter_without_deltas(new_session: NewSession, autojump_clock: MockClock) -> None:
    """The text of a whole item is shown when the item is there."""

    class Blunt(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            sink.item({"type": "message", "content": [{"text": "at once"}]})
            return Response()

    async with new_session(Blunt([])) as session:
        events = session.events()
        await session.run("U1")
        assert only(told(events), TextDelta) == [TextDelta(1, 1, "at once")]


async def test_events_of_messages(new_session: NewSession, autojump_clock: MockClock) -> None:
    """A message that goes at once was never held; of one that waits, that and what became of it are told."""
    gate = Gate()
    async with new_session(Scripted([call("a"), Say("A")]), tools=[gate.tool]) as session:
        events = session.events()
        await session.send("U1", id="one")
        await gate.started.wait()
        await session.send("U2", id="two")
        await session.send("U3", id="three", on_interrupt="return")
        await session.interrupt()
        kinds = (MessageHeld, MessageDelivered, MessageReturned)
        seen = [
            (type(event).__name__, event.receipt.id) for event in told(events) if isinstance(event, kinds)
        ]
    assert seen == [
        ("MessageDelivered", "one"),
        ("MessageHeld", "two"),
        ("MessageHeld", "three"),
        ("MessageReturned", "three"),
    ]


async def test_a_stream_is_told_from_its_beginning_on(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """Of what came before nothing, of what comes after everything, each stream for itself."""
    async with new_session(Scripted([Say("A"), Say("B")])) as session:
        first = session.events()
        await session.run("U1")
        second = session.events()
        await session.run("U2")
        assert [event.turn for event in only(told(first), TurnStarted)] == [1, 2]
        assert [event.turn for event in only(told(second), TurnStarted)] == [2]


async def test_what_the_turn_waits_for(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: `session.open` names it in words, at every moment of a turn."""
    running = Gate("running")
    model = Scripted(
        [
            [Pause(1), call("running"), call("alone"), call("slot"), call("guarded"), Pause(1)],
            Say("A"),
        ]
    )
    alone = Gate("alone", options={"exclusive": True})
    slot, guarded = Gate("slot"), Gate("guarded", options={"approval": True})
    tools = [each.tool for each in (running, alone, slot, guarded)]
    async with new_session(model, tools=tools, limits=Limits(parallel=1)) as session:
        events = session.events()
        await session.send("U1")
        await until(events, RequestSent)
        assert [str(waiting) for waiting in session.open] == ["the model answers request 1"]
        await running.started.wait()
        await until(events, CallRequested, lambda event: event.call.name == "guarded")
        assert [waiting.why for waiting in session.open] == [
            "the model answers request 1",
            "running (call 1) runs, since 0 s",
            "alone (call 2) waits for a slot: as many tools run as the session allows",
            "slot (call 3) waits for a slot: as many tools run as the session allows",
            "guarded (call 4) waits for an approval",
        ]
        await trio.sleep(10)
        assert [waiting.what for waiting in session.open] == ["call"] * 4
        running.go.set()
        await alone.started.wait()
        alone.go.set()
        await slot.started.wait()
        slot.go.set()
        await until(events, CallEnded, lambda event: event.call.name == "slot")
        assert [waiting.why for waiting in session.open] == ["guarded (call 4) waits for an approval"]


async def test_exclusive_calls_in_words(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: the same of calls that wait for each other."""
    first, alone, last = Gate("first"), Gate("alone", options={"exclusive": True}), Gate("last")
    model = Scripted([[call("first"), call("alone"), call("last")], Say("A")])
    async with new_session(model, tools=[first.tool, alone.tool, last.tool]) as session:
        await session.send("U1")
        await first.started.wait()
        await trio.sleep(1)
        assert [waiting.why for waiting in session.open][1:] == [
            "alone (call 2) is exclusive, and waits for the calls before it",
            "last (call 3) waits for an exclusive call before it",
        ]
