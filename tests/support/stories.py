"""Ten fixed stories of the real runtime, each an async function that raises when a rule is broken.

What can happen at once, does: sends of all modes, interrupts, a host that is cancelled, approvals, lost
responses, stubborn tools, closing. The stories are short, so that all schedules with two deviations can be
run. Which schedule is played is not their business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import trio

from support.journals import AwaitedJournal
from support.stage import Stage
from turnlock import ApprovalRequested, CallStarted, Limits, ToolContext, TransitionRefused
from turnlock.engine import Invocation
from turnlock.models import Fail, Invoke, Pause, Say

Story: TypeAlias = Callable[[], Awaitable[None]]
LIMITS = Limits(deadline=10.0, grace=1.0, retries=2, backoff=0.5)


async def quick(_context: ToolContext) -> str:
    """Return at once."""
    await trio.lowlevel.checkpoint()
    return "quick!"


async def slow(_context: ToolContext) -> str:
    """Return after a second."""
    await trio.sleep(1.0)
    return "slow!"


async def broken(_context: ToolContext) -> str:
    """Raise after a moment."""
    await trio.lowlevel.checkpoint()
    raise ValueError("broken!")


async def swallows(_context: ToolContext) -> str:
    """Take half a second more when cancelled, and return a value."""
    try:
        await trio.sleep(5.0)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.5)
        return "after all!"
    return "swallows!"


async def shields(_context: ToolContext) -> str:
    """Be cancelled by nobody, and return late."""
    with trio.CancelScope(shield=True):
        await trio.sleep(15.0)
    return "late!"


def call(name: str) -> Invoke:
    return Invoke(name, {}, id=name)


async def steered() -> None:
    """Two calls run, one of them fails, and a message comes meanwhile."""
    stage = Stage([[call("quick"), call("broken")], Say("A1"), Say("A2")], LIMITS)
    stage.tool("quick", quick)
    stage.tool("broken", broken)
    async with stage.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stage.run, "U1")
        nursery.start_soon(stage.send, "U2")
    stage.judge()


async def interrupted() -> None:
    """An interrupt and a message come in the instant in which the slow call ends; then it goes on."""
    stage = Stage([[call("quick"), call("slow")], Say("A1"), Say("A2"), Say("A3")], LIMITS)
    stage.tool("quick", quick)
    stage.tool("slow", slow)
    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run, "U1")
            await trio.sleep(1.0)
            nursery.start_soon(stage.interrupt)
            nursery.start_soon(stage.send, "U2")
        await stage.run("U3")
    stage.judge()


async def swallowed() -> None:
    """A tool swallows its cancellation and returns within its grace; two interrupts, and a queued message."""
    stage = Stage([call("swallows"), Say("A1"), Say("A2"), Say("A3")], LIMITS, "openai_chat")
    stage.tool("swallows", swallows)
    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run, "U1")
            nursery.start_soon(stage.send, "U2", "queue")
            await trio.sleep(1.0)
            nursery.start_soon(stage.interrupt)
            await stage.interrupt()
        await stage.run("U3")
    stage.judge()


async def past_its_deadline() -> None:
    """A tool shields itself beyond its deadline, another ends in the instant of its own."""
    stage = Stage([[call("shields"), call("slow")], Say("A1"), Say("A2"), Say("A3")], LIMITS)
    stage.tool("shields", shields, deadline=2.0)
    stage.tool("slow", slow, deadline=1.0)
    async with stage.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stage.run, "U1")
        await trio.sleep(3.0)
        await stage.send("U2")
        await stage.run("U3")
    stage.judge()


async def all_modes() -> None:
    """Messages of every mode come in the same instant as a turn."""
    stage = Stage([call("slow"), Say("A1"), Say("A2"), Say("A3"), Say("A4")], LIMITS, "openai_chat")
    stage.tool("slow", slow)
    async with stage.open(), trio.open_nursery() as nursery:
        nursery.start_soon(stage.run, "U1")
        nursery.start_soon(stage.send, "U2")
        nursery.start_soon(stage.send, "U3", "queue")
        nursery.start_soon(stage.send, "U4", "interrupt")
        nursery.start_soon(stage.send, "U5", "reject")
    stage.judge()


async def abandoned() -> None:
    """The host's own time is over in the instant in which a tool is done; others send and run meanwhile."""
    stage = Stage([[call("slow"), call("quick")], Say("A1"), Say("A2"), Say("A3"), Say("A4")], LIMITS)
    stage.tool("slow", slow)
    stage.tool("quick", quick)
    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.send, "U2")
            with trio.move_on_after(1.0):
                await stage.run("U1")
            nursery.start_soon(stage.run, "U3")
        await stage.run("U4")
    stage.judge()


async def approved() -> None:
    """Two calls wait for approval; one is allowed, one denied, and an interrupt comes in between."""
    stage = Stage([[call("quick"), call("slow")], Say("A1"), Say("A2"), Say("A3")], LIMITS)
    stage.tool("quick", quick, approval=True)
    stage.tool("slow", slow, approval=True)

    async def answers(nursery: trio.Nursery) -> None:
        asked: list[Invocation] = []
        async for event in stage.session.events():
            if isinstance(event, ApprovalRequested):
                asked.append(event.call)
                nursery.start_soon(partial(stage.answer, event.call, allow=len(asked) == 1))
                if len(asked) == 2:
                    return

    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers, nursery)
            await trio.lowlevel.checkpoint()
            nursery.start_soon(stage.run, "U1")
            await trio.sleep(0.5)
            nursery.start_soon(stage.interrupt)
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        await stage.run("U2")
    stage.judge()


async def closed() -> None:
    """The host leaves the session while tools run, a message is held, and another one is on its way."""
    stage = Stage([[call("swallows"), call("slow")], Say("A1"), Say("A2")], LIMITS)
    stage.tool("swallows", swallows)
    stage.tool("slow", slow)
    async with trio.open_nursery() as nursery:
        async with stage.open():
            nursery.start_soon(stage.run, "U1")
            nursery.start_soon(stage.send, "U2", "queue")
            await trio.sleep(0.5)
            nursery.start_soon(stage.send, "U3")
    stage.judge()


async def lost() -> None:
    """A response is lost behind a call, the next one without any; an interrupt comes in the backoff."""
    script = [[call("slow"), Fail()], Fail(), [Say("A1"), Pause(0.5), Say("A2")], Say("A3"), Say("A4")]
    stage = Stage(script, LIMITS)
    stage.tool("slow", slow)
    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.run, "U1")
            nursery.start_soon(stage.send, "U2")
            await trio.sleep(1.5)
            nursery.start_soon(stage.interrupt)
        await stage.run("U3")
    stage.judge()


async def exclusive() -> None:
    """An exclusive call and one that ends the turn, over a journal that takes its time; a call is skipped."""
    script = [[call("quick"), call("alone"), call("last")], Say("A1"), Say("A2")]
    stage = Stage(script, LIMITS, journal=AwaitedJournal())
    stage.tool("quick", quick)
    stage.tool("alone", slow, exclusive=True)
    stage.tool("last", quick, ends_turn=True)

    async def skips() -> None:
        async for event in stage.session.events():
            if isinstance(event, CallStarted) and event.call.name == "alone":
                try:
                    await stage.session.cancel(event.call)
                except TransitionRefused:
                    stage.refused += 1
                return

    async with stage.open():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(skips)
            await trio.lowlevel.checkpoint()
            nursery.start_soon(stage.run, "U1")
            await stage.send("U2", "queue", on_interrupt="return")
            await trio.sleep(5.0)
            nursery.cancel_scope.cancel()
    stage.judge()


STORIES: tuple[Story, ...] = (
    steered,
    interrupted,
    swallowed,
    past_its_deadline,
    all_modes,
    abandoned,
    approved,
    closed,
    lost,
    exclusive,
)
