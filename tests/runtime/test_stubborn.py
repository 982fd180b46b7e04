"""Tools that do not stop when they are told to: the gate opens on time, and what still runs is named.

On the real clock, with wide margins: a tool that swallows its cancellation in a loop never lets a virtual
clock move, and a thread takes the time that it takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    CallEnded,
    CallFreed,
    CallLeaked,
    CallOutput,
    CallStarted,
    Cause,
    Limits,
    Scripted,
    Session,
    Stalled,
    StopReason,
    Tool,
    ToolContext,
    TurnEnded,
    TurnResult,
    tool,
)
from turnlock.models import Say

NewSession = Callable[..., Session]
LIMITS = Limits(deadline=0.5, grace=0.2)
LONG = 2.0  # seconds that the tools take
PROMPT = 1.5  # seconds within which the gate is open on any machine; 0.75 is the promise on an idle one


@tool
async def swallows() -> str:
    """Take no notice of being cancelled."""
    end = trio.current_time() + LONG
    while trio.current_time() < end:
        try:
            await trio.sleep(end - trio.current_time())
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)
    return "late"


@tool
async def shields() -> str:
    """Be shielded from every cancellation."""
    with trio.CancelScope(shield=True):
        await trio.sleep(LONG)
    return "late"


@tool
def blocks() -> str:
    """Block a thread."""
    time.sleep(LONG)
    return "late"


@pytest.mark.parametrize("stubborn", [swallows, shields, blocks], ids=lambda each: each.name)
async def test_a_deadline_is_a_bound(
    stubborn: Tool, caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    """C7, C8, C9 and R8: at deadline + grace the next request leaves; the leak is reported until it ends.

    Its late return is recorded, and never enters the transcript.
    """
    model = Scripted([call(stubborn.name, "a"), Say("A"), Say("B")])
    caplog.set_level(logging.DEBUG, "turnlock")
    async with Session(model, tools=[stubborn], limits=LIMITS) as session:
        events = session.events()
        results: list[TurnResult] = []

        async def run() -> None:
            results.append(await session.run("U1"))

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(events, CallStarted)
                start = trio.current_time()
                ended = await until(events, CallEnded)
                took = trio.current_time() - start
            record_property("gate_opened_after_seconds", round(took, 3))
            assert 0.69 <= took < PROMPT
            assert results[0].text == "A"
            leaked = await until(events, CallLeaked)
            assert leaked.call is ended.call
            assert [(leak.call, leak.age > 0.2) for leak in session.leaks] == [(ended.call, True)]
            assert (await session.run("U2")).text == "B"  # while it still runs
            freed = await until(events, CallFreed)
        assert freed.age > 1.3
        assert session.leaks == ()
        outcome = ended.call.outcome
        assert outcome is not None
        assert (outcome.cause, outcome.effect) == (Cause.DEADLINE, "unknown")
        assert outputs(session) == [f"Tool timed out after {outcome.seconds:.1f} s: it may have had effects."]
    said = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in said if "call.leaked" in line or "call.freed" in line] == [
        "call.leaked",
        "call.freed",
    ]
    assert any(line.startswith("late") and "input=Returned" in line and "ordinal=1" in line for line in said)


async def test_all_three_at_once() -> None:
    """R8: together they hold the turn no longer than one of them."""
    model = Scripted([[call("swallows"), call("shields"), call("blocks")], Say("A")])
    async with Session(model, tools=[swallows, shields, blocks], limits=LIMITS) as session:
        start = trio.current_time()
        result = await session.run("U1")
        assert trio.current_time() - start < PROMPT
        assert [one.outcome and one.outcome.cause for one in result.calls] == [Cause.DEADLINE] * 3
        assert len(session.leaks) == 3


async def test_an_interrupt_waits_the_grace_and_no_longer() -> None:
    """R17 and R8: it returns when the history is sendable, whatever the tool does."""
    model = Scripted([call("shields", "a"), Say("A")])
    async with Session(model, tools=[shields], limits=Limits(grace=0.2)) as session:
        events = session.events()
        await session.send("U1")
        await until(events, CallStarted)
        start = trio.current_time()
        await session.interrupt()
        assert 0.19 <= trio.current_time() - start < PROMPT
        assert (await session.run("U2")).text == "A"
    assert "O(a: Tool cancelled while it was running, after 0" in asked(model)[1]


async def test_a_thread_that_ends_within_its_grace() -> None:
    """C56: a plain function may ask whether it should stop; its value within the grace is the real result."""
    began = threading.Event()

    @tool
    def polite(context: ToolContext) -> str:
        began.set()
        while not context.stopping:
            time.sleep(0.005)
        return "stopped in time"

    model = Scripted([call("polite", "a"), Say("A")])
    async with Session(model, tools=[polite], limits=Limits(deadline=0.1, grace=10)) as session:
        with trio.fail_after(30):
            result = await session.run("U1")
        assert began.is_set()
        assert result.calls[0].outcome is not None
        assert result.calls[0].outcome.cause is Cause.RETURNED
        assert session.leaks == ()
    assert asked(model)[1] == "U1 K(a) O(a: stopped in time)"


async def test_a_thread_is_stopped_before_it_began() -> None:
    """R8: an interrupt in the instant in which a plain function starts leaves no leak that never ends."""
    ran = threading.Event()

    @tool
    def plain() -> str:
        ran.set()
        return "plain!"

    for _ in range(20):
        model = Scripted([call("plain", "a"), Say("A")])
        async with Session(model, tools=[plain]) as session:
            with trio.fail_after(30):
                async with session.turn("U1") as turn:
                    async for event in turn:
                        if isinstance(event, CallStarted):
                            await session.interrupt()
                while session.leaks:
                    await trio.sleep(0.001)
        assert turn.result is not None
        assert turn.result.stop_reason is StopReason.INTERRUPTED
        assert turn.result.calls[0].outcome is not None
        assert turn.result.calls[0].outcome.cause in {Cause.INTERRUPTED, Cause.RETURNED}


async def test_output_from_threads() -> None:
    """R7: a plain function, and a thread that an async tool has started itself, may say what they print."""

    @tool
    def plain(context: ToolContext) -> str:
        context.output("from the tool's thread\n")
        return "plain!"

    @tool
    async def starts_a_thread(context: ToolContext) -> str:
        await trio.to_thread.run_sync(context.output, "from a thread of its own\n")
        return "starts!"

    model = Scripted([[call("plain"), call("starts_a_thread")], Say("A")])
    async with Session(model, tools=[plain, starts_a_thread]) as session:
        async with session.turn("U1") as turn:
            events = [event async for event in turn]
    said = [event.text for event in only(events, CallOutput)]
    assert sorted(said) == ["from a thread of its own\n", "from the tool's thread\n"]


async def test_a_stall_is_reported() -> None:
    """R8: an async tool that blocks the loop cannot be bounded; it is named."""

    @tool(deadline=0.1)
    async def stalls() -> str:
        time.sleep(0.5)  # noqa: ASYNC251  # this is what it is about
        return "stalled!"

    model = Scripted([call("stalls", "a"), Say("A")])
    async with Session(model, tools=[stalls]) as session:
        events = session.events()
        result = await session.run("U1")
        (stalled,) = only(told(events), Stalled)
        assert stalled.call is result.calls[0]
        assert stalled.seconds >= 0.3
    assert asked(model)[1] == "U1 K(a) O(a: stalled!)"


async def test_closing_while_a_shielded_tool_runs(caplog: pytest.LogCaptureFixture) -> None:
    """C44: interrupt, gate at the grace, the warning names it; the block is left when it ends."""
    model = Scripted([call("shields", "a")])
    async with Session(model, tools=[shields], limits=Limits(grace=0.2)) as session:
        events = session.events()
        await session.send("U1")
        started = await until(events, CallStarted)
        start = trio.current_time()
    assert LONG - 0.1 <= trio.current_time() - start < LONG + 2
    outcome = started.call.outcome
    assert outcome is not None
    assert outcome.cause is Cause.CLOSED
    assert outcome.seconds < PROMPT
    assert only(told(events), TurnEnded)[0].stop_reason is StopReason.CLOSED
    (warning,) = (record for record in caplog.records if "session.closed" in record.getMessage())
    assert "shields" in warning.getMessage()
    assert warning.levelno == logging.WARNING


async def test_closing_with_the_hosts_nursery_waits_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """R8: the block is left when the grace is over; the tool runs on in the host's nursery."""
    model = Scripted([call("shields", "a")])
    async with trio.open_nursery() as nursery:
        start = trio.current_time()
        async with Session(model, tools=[shields], limits=Limits(grace=0.2), nursery=nursery) as session:
            events = session.events()
            await session.send("U1")
            await until(events, CallStarted)
        assert trio.current_time() - start < PROMPT
        assert len(session.leaks) == 1
        assert any("is left behind" in record.getMessage() for record in caplog.records)
    assert trio.current_time() - start >= LONG - 0.1
    assert not session.leaks


async def test_closing_leaves_a_thread_behind(caplog: pytest.LogCaptureFixture) -> None:
    """R8: a thread is not waited for: nobody can, and the process may end."""
    began, freed = trio.Event(), threading.Event()

    @tool
    def stuck() -> str:
        trio.from_thread.run_sync(began.set)
        freed.wait(20)
        return "late"

    model = Scripted([call("stuck", "a")])
    async with Session(model, tools=[stuck], limits=Limits(grace=0.1)) as session:
        await session.send("U1")
        await began.wait()
        start = trio.current_time()
    assert trio.current_time() - start < PROMPT
    assert any("is left behind" in record.getMessage() for record in caplog.records)
    freed.set()
    with trio.fail_after(20):
        while session.leaks:
            await trio.sleep(0.005)


async def test_abandoned_threads_take_no_place() -> None:
    """R8: leaks count against no limit: the next plain functions run, however many threads are stuck."""
    freed = threading.Event()

    @tool(deadline=0.05)
    def stuck() -> str:
        freed.wait(20)
        return "late"

    @tool
    def quick() -> str:
        return "quick!"

    model = Scripted([[call("stuck", f"s{n}") for n in range(50)], [call("quick", "q")], Say("A")])
    limits = Limits(grace=0.05, parallel=50)
    async with Session(model, tools=[stuck, quick], limits=limits) as session:
        with trio.fail_after(20):
            result = await session.run("U1")
        freed.set()
        assert result.calls[-1].outcome is not None
        assert result.calls[-1].outcome.output == "quick!"


# ── the same, where a virtual clock will do ─────────────────────────────────────────────────────────


async def test_the_gate_opens_at_the_very_instant(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R8: at deadline + grace, to the millisecond."""
    freed = trio.Event()

    @tool
    async def a() -> str:
        with trio.CancelScope(shield=True):
            await freed.wait()
        return "late"

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], limits=LIMITS) as session:
        start = trio.current_time()
        result = await session.run("U1")
        assert trio.current_time() - start == pytest.approx(0.7, abs=0.02)
        assert result.text == "A"
        await trio.sleep(10)
        (leak,) = session.leaks
        assert leak.call is result.calls[0]
        assert leak.age == pytest.approx(10.2, abs=0.02)
        freed.set()


@pytest.mark.parametrize("grace", [0.0, 0.2])
async def test_a_tool_that_ends_at_once_is_no_leak(
    new_session: NewSession, autojump_clock: MockClock, grace: float
) -> None:
    """R8: also with no grace at all, a tool that ends when it is told to is reported by nobody."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool], limits=Limits(deadline=1, grace=grace)) as session:
        events = session.events()
        await session.run("U1")
        await trio.sleep(1)
        assert only(told(events), CallLeaked) == []
        assert session.leaks == ()


async def test_the_idle_deadline(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R8: progress keeps a tool alive, silence ends it; what it had printed is kept."""

    @tool(idle_deadline=2)
    async def a(context: ToolContext) -> str:
        for n in range(5):
            await trio.sleep(1.5)
            context.output(f"{n}\n" if n < 3 else "")
        await trio.sleep_forever()

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        start = trio.current_time()
        result = await session.run("U1")
        assert trio.current_time() - start == pytest.approx(9.5, abs=0.02)
    assert result.calls[0].outcome is not None
    assert result.calls[0].outcome.cause is Cause.IDLE
    assert "Tool timed out after 9.5 s" in asked(model)[1]
    assert asked(model)[1].endswith("Output so far (incomplete):\n0\n1\n2\n)")


async def test_no_deadline_at_all(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R8: a tool may have none, if it says so."""
    gate = Gate(options={"deadline": None})
    model = Scripted([call("a"), Say("A")])
    limits = Limits(deadline=1, request_timeout=None)
    async with new_session(model, tools=[gate.tool], limits=limits) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(80_000)
            gate.go.set()
    assert asked(model)[1] == "U1 K(a) O(a: a!)"
