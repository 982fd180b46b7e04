"""For each mistake in the runtime the shortest story that shows it, told in what a host can see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from hunts.stage import Observed, accepted, opened
from support.journals import AwaitedJournal
from support.live import Gate, asked, call, outputs, until
from turnlock import Limits, Scripted, StopReason, TurnEnded, tool
from turnlock.models import Pause, Say


@tool
async def slow_to_stop() -> str:
    """Work until somebody asks to stop, and take a second for that."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)


@tool
async def two_steps() -> str:
    """Take one step, and one more."""
    await trio.lowlevel.checkpoint()
    return "two!"


@tool
async def finishes() -> str:
    """Finish the work of a second, also when asked to stop."""
    with trio.CancelScope(shield=True):
        await trio.sleep(1)
    return "real!"


@tool
async def fails_to_stop() -> str:
    """Raise when asked to stop."""
    try:
        await trio.sleep_forever()
    finally:
        raise ValueError("the lock is gone")


@tool
async def raises() -> str:
    """Raise at once."""
    raise ValueError("no route")


@tool(deadline=5)
async def three_or_more(step: str) -> str:
    """Work for three seconds, or for ever."""
    await trio.sleep(3 if step == "a" else 1000)
    return step


@tool(deadline=1)
async def deaf() -> str:
    """Work for a hundred seconds, whoever asks it to stop."""
    with trio.CancelScope(shield=True):
        await trio.sleep(100)
    return "late!"


async def one_id_for_two_calls() -> None:
    a, b = Gate("a"), Gate("b")
    model = Scripted([[call("a", "x"), call("b", "x")], Say("A")])
    async with opened(model, tools=[a.tool, b.tool]) as session, trio.open_nursery() as nursery:

        async def open_both() -> None:
            await a.started.wait()
            await b.started.wait()
            b.go.set()
            await trio.sleep(1)
            a.go.set()

        nursery.start_soon(open_both)
        await session.run("U1")
        assert outputs(session) == ["a!", "b!"]


async def a_cancel_in_the_instant_of_the_end() -> None:
    gate = Gate("done", options={"ends_turn": True})
    model = Scripted([call("done"), [Pause(5), Say("B")]])
    scope = trio.CancelScope()
    async with opened(model, tools=[gate.tool]) as session, trio.open_nursery() as nursery:
        events = session.events()

        async def run() -> None:
            with scope:
                await session.run("U1")

        nursery.start_soon(run)
        await gate.started.wait()
        await session.send("U2", when_busy="queue")
        scope.cancel()
        gate.go.set()
        # Cancelled before its end, the turn was interrupted, and what was held starts nothing by itself.
        if (await until(events, TurnEnded)).stop_reason is StopReason.TOOL_ENDED:
            assert (await until(events, TurnEnded)).stop_reason is StopReason.END_TURN


async def a_message_queued_during_a_turn() -> None:
    model = Scripted([[Pause(2), Say("A")], Say("B")])
    async with opened(model) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run, "U1")
        await trio.sleep(1)
        await session.send("U2", when_busy="queue")
        await trio.sleep(60)
        assert asked(model) == ["U1", "U1 A U2"]


async def an_adapter_takes_its_time_to_leave() -> None:
    model = Observed([[Pause(10), Say("A")], Say("B")], unwinding=1.0)
    async with opened(model) as session:
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        await session.run("U2")
    assert model.most == 1


async def somebody_reads_the_events() -> None:
    model = Scripted([[Pause(1), Say("A"), Pause(1)]])
    async with opened(model) as session, trio.open_nursery() as nursery:

        async def read() -> None:
            async for event in session.events():
                if isinstance(event, TurnEnded):
                    return
            raise AssertionError("the events ended before the turn")

        nursery.start_soon(read)
        await trio.sleep(1)
        await session.send("U1")


async def an_interrupt_returns() -> None:
    model = Scripted([call("slow_to_stop")])
    async with opened(model, tools=[slow_to_stop]) as session:
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        assert session.open == ()


async def a_tool_returns_while_the_model_stops() -> None:
    model = Scripted([call("two_steps"), Say("A")])
    # Without limits that would ask again, minutes later, what was never asked.
    async with opened(model, tools=[two_steps], limits=Limits(request_timeout=None)) as session:
        result = await session.run("U1")
    assert result.text == "A"


async def two_messages_while_the_disk_writes() -> None:
    model = Scripted([Say("A"), Say("B")])
    async with opened(model, journal=AwaitedJournal(delay=1.0)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            nursery.start_soon(session.run, "U2")
        said = set(" ".join(asked(model)).split())
        assert {"U1", "U2"} <= said


async def a_tool_finishes_within_the_grace() -> None:
    model = Scripted([call("finishes")])
    async with opened(model, tools=[finishes]) as session:
        await session.send("U1")
        await trio.sleep(0.5)
        await session.interrupt()
        assert outputs(session) == ["real!"]


async def a_tool_raises_while_it_is_stopped() -> None:
    model = Scripted([call("fails_to_stop")])
    async with opened(model, tools=[fails_to_stop]) as session:
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        assert session.open == ()


async def one_of_two_raises() -> None:
    gate = Gate("b")
    model = Scripted([[call("b"), call("raises")], Say("A")])
    async with opened(model, tools=[raises, gate.tool]) as session, trio.open_nursery() as nursery:

        async def open_it() -> None:
            await gate.started.wait()
            await trio.sleep(1)
            gate.go.set()

        nursery.start_soon(open_it)
        await session.run("U1")
        assert outputs(session) == ["b!", "Tool error: ValueError: no route"]


async def two_tools_with_one_deadline() -> None:
    calls = [call("three_or_more", "a", step="a"), call("three_or_more", "b", step="b")]
    model = Scripted([calls, Say("A")])
    async with opened(model, tools=[three_or_more], limits=Limits(parallel=1)) as session:
        result = await session.run("U1")
    outcome = result.calls[1].outcome
    assert outcome is not None
    assert outcome.seconds == 5


async def a_tool_hears_nothing() -> None:
    model = Scripted([call("deaf"), Say("A")])
    async with opened(model, tools=[deaf], limits=Limits(grace=2)) as session:
        start = trio.current_time()
        await session.run("U1")
        assert trio.current_time() - start <= 1 + 2
    accepted(model)


async def a_tool_has_a_deadline() -> None:
    model = Scripted([[Pause(1), call("three_or_more", step="b")], Say("A")])
    async with opened(model, tools=[three_or_more]) as session:
        start = trio.current_time()
        await session.run("U1")
        assert trio.current_time() - start <= 1 + 5 + 2


async def the_session_is_closed_while_a_message_is_held() -> None:
    gate = Gate("a")
    model = Scripted([call("a")])
    async with opened(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        receipt = await session.send("U2", when_busy="queue")
    assert receipt.state == "returned"


OF_RUNTIME: Mapping[str, Callable[[], Awaitable[None]]] = {
    "duplicate id crosses results": one_id_for_two_calls,
    "cancel races completion and stops the next turn": a_cancel_in_the_instant_of_the_end,
    "queued message is never asked": a_message_queued_during_a_turn,
    "two requests in flight": an_adapter_takes_its_time_to_leave,
    "event stream misses its wake-up": somebody_reads_the_events,
    "interrupt waits for the end that was": an_interrupt_returns,
    "request given to a task that falls asleep": a_tool_returns_while_the_model_stops,
    "input lost while the journal writes": two_messages_while_the_disk_writes,
    "result within the grace counts as cancelled": a_tool_finishes_within_the_grace,
    "exception while stopping is swallowed": a_tool_raises_while_it_is_stopped,
    "exception stops the siblings": one_of_two_raises,
    "second deadline counts from the first": two_tools_with_one_deadline,
    "grace without an end": a_tool_hears_nothing,
    "watchdog sleeps through an earlier time": a_tool_has_a_deadline,
    "held message has no fate at the close": the_session_is_closed_while_a_message_is_held,
}
"""By the name of the bug."""
