"""For each mistake in the engine the shortest story that shows it, told in what a host can see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest
import trio

from hunts.stage import Observed, accepted, opened
from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    ApprovalRequested,
    Limits,
    Scripted,
    StopReason,
    TransitionRefused,
    TurnEnded,
    tool,
)
from turnlock.models import Fail, Pause, Say


@tool
async def quick() -> str:
    """Answer at once."""
    return "quick!"


@tool(deadline=1)
async def deaf() -> str:
    """Work for ten seconds, whoever asks it to stop."""
    with trio.CancelScope(shield=True):
        await trio.sleep(10)
    return "late!"


async def the_newest_ends_first() -> None:
    a, b = Gate("a"), Gate("b")
    model = Scripted([[call("a"), call("b")], Say("A")])
    async with opened(model, tools=[a.tool, b.tool]) as session, trio.open_nursery() as nursery:

        async def open_both() -> None:
            await a.started.wait()
            await b.started.wait()
            b.go.set()
            await trio.sleep(1)
            a.go.set()

        nursery.start_soon(open_both)
        result = await session.run("U1")
    assert (result.stop_reason, result.error) == (StopReason.END_TURN, "")
    assert asked(model)[1] == "U1 K(a) K(b) O(a: a!) O(b: b!)"
    accepted(model)


async def a_tool_returns_long_after_its_deadline() -> None:
    model = Scripted([call("deaf"), Say("A"), Say("B")])
    async with opened(model, tools=[deaf]) as session:
        await session.run("U1")
        await trio.sleep(20)
        result = await session.run("U2")
    assert (result.stop_reason, result.error) == (StopReason.END_TURN, "")
    accepted(model)


async def an_interrupt_while_a_tool_runs() -> None:
    gate = Gate("a")
    model = Scripted([call("a"), Say("B")])
    async with opened(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        await session.interrupt()
        result = await session.run("U2")
        assert len(outputs(session)) == 1
    assert (result.stop_reason, result.error) == (StopReason.END_TURN, "")
    accepted(model)


async def an_interrupt_when_one_of_two_has_returned() -> None:
    gate = Gate("b")
    model = Scripted([[call("quick"), call("b")], Say("B")])
    async with opened(model, tools=[quick, gate.tool]) as session:
        events = session.events()
        await session.send("U1")
        await gate.started.wait()
        await trio.sleep(1)
        await session.interrupt()
        assert outputs(session)[0] == "quick!"
        del events


async def an_interrupt_while_a_message_is_held() -> None:
    gate = Gate("a")
    model = Scripted([call("a"), Say("B")])
    async with opened(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        receipt = await session.send("U2")
        await session.interrupt()
        await session.run("U3")
        assert receipt.state != "held"
    assert asked(model)[1].endswith("M U2 U3")


async def a_message_while_the_model_answers() -> None:
    model = Scripted([[Pause(2), Say("A")], Say("B")])
    async with opened(model) as session:
        await session.send("U1")
        await trio.sleep(1)
        receipt = await session.send("U2")
        await trio.sleep(10)
        assert asked(model) == ["U1", "U1 A U2"]
        assert receipt.request == 2


async def an_old_question_is_answered() -> None:
    a, b = Gate("a", options={"approval": True}), Gate("b", options={"approval": True})
    model = Scripted([call("a"), call("b")])
    async with opened(model, tools=[a.tool, b.tool]) as session:
        events = session.events()
        await session.send("U1")
        old = (await until(events, ApprovalRequested)).call
        await session.interrupt()
        await session.send("U2")
        await until(events, ApprovalRequested)
        with pytest.raises(TransitionRefused):
            await session.approve(old)
        await trio.sleep(1)
        assert b.calls == 0


async def an_interrupt_while_the_model_answers() -> None:
    model = Scripted([[Pause(10), Say("A")]])
    async with opened(model) as session:
        events = session.events()
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        assert len(only(told(events), TurnEnded)) == 1


async def a_message_during_the_backoff() -> None:
    model = Observed([Fail(retry_after=30), Say("B")])
    async with opened(model) as session:
        await session.send("U1")
        await trio.sleep(10)
        await session.send("U2")
        await trio.sleep(60)
    first, second = model.times
    assert second - first >= 30


async def a_message_in_the_last_request_of_a_turn() -> None:
    model = Scripted([[Pause(2), Say("A")], Say("B")])
    async with opened(model, limits=Limits(max_requests=1)) as session:
        events = session.events()
        await session.send("U1")
        await trio.sleep(1)
        await session.send("U2")
        await trio.sleep(10)
        assert [event.stop_reason for event in only(told(events), TurnEnded)] == [
            StopReason.MAX_REQUESTS,
            StopReason.END_TURN,
        ]


async def a_turn_behind_an_interrupted_one() -> None:
    model = Scripted([[Pause(10), Say("A")], call("quick"), Say("B")])
    async with opened(model, tools=[quick]) as session:
        await session.send("U1")
        await trio.sleep(1)
        await session.interrupt()
        result = await session.run("U2")
    assert (result.stop_reason, result.text) == (StopReason.END_TURN, "B")


async def a_response_is_lost() -> None:
    model = Scripted([Fail(), Say("A")])
    async with opened(model) as session:
        await session.run("U1")
    assert asked(model) == ["U1", "U1"]


async def a_response_is_lost_behind_a_call() -> None:
    model = Scripted([[call("quick"), Fail()], Say("A")])
    async with opened(model, tools=[quick]) as session:
        await session.run("U1")
    assert asked(model)[1] == "U1 K(quick) O(quick: quick!)"


async def a_message_kept_and_a_newer_one() -> None:
    gate = Gate("a")
    model = Scripted([call("a"), Say("B")])
    async with opened(model, tools=[gate.tool]) as session:
        await session.send("U1")
        await gate.started.wait()
        await session.send("U2", when_busy="queue")
        await session.interrupt()
        await session.run("U3")
    assert asked(model)[1].endswith("M U2 U3")


OF_ENGINE: Mapping[str, Callable[[], Awaitable[None]]] = {
    "flush before the last output": the_newest_ends_first,
    "late result appended after a timeout": a_tool_returns_long_after_its_deadline,
    "second result after repair": an_interrupt_while_a_tool_runs,
    "finished sibling overwritten": an_interrupt_when_one_of_two_has_returned,
    "held message dropped by an interrupt": an_interrupt_while_a_message_is_held,
    "message recorded but unanswered": a_message_while_the_model_answers,
    "stale approval fires": an_old_question_is_answered,
    "double turn end": an_interrupt_while_the_model_answers,
    "retry before backoff": a_message_during_the_backoff,
    "steer past the request limit": a_message_in_the_last_request_of_a_turn,
    "interrupt outlives its turn": a_turn_behind_an_interrupted_one,
    "message doubled by a retry": a_response_is_lost,
    "call erased when its response breaks off": a_response_is_lost_behind_a_call,
    "kept message behind the newer one": a_message_kept_and_a_newer_one,
}
"""By the name of the bug."""
