"""The specification's cases about messages and interrupts, with real tasks on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    ApprovalRequested,
    CallStarted,
    CallStopping,
    Cause,
    Fate,
    Limits,
    MessageDelivered,
    MessageHeld,
    Note,
    Receipt,
    Scripted,
    Session,
    SessionBusy,
    StopReason,
    TextDelta,
    ToolContext,
    TransitionRefused,
    TurnEnded,
    TurnResult,
    WhenBusy,
    tool,
)
from turnlock.models import Fail, Pause, Say

NewSession = Callable[..., Session]
STOPPED = "Tool cancelled while it was running, after 1 s: it may have had effects."


async def test_a_message_waits_for_the_tool(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C2: U2 typed while a runs goes behind its output, in one request."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            receipt = await session.send("U2")
            assert receipt.state is Fate.HELD
            await trio.sleep(5)
            assert len(model.requests) == 1
            gate.go.set()
        assert asked(model) == ["U1", "U1 K(a) O(a: a!) U2"]
        assert (receipt.state, receipt.request, receipt.index) == (Fate.DELIVERED, 2, 3)


async def test_a_message_held_tells_what_holds_it(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C28: held, it names the calls that hold it; delivered, the request that carried it and the index."""
    a, b = Gate("a"), Gate("b")
    model = Scripted([[call("a"), call("b")], Say("A")])
    async with new_session(model, tools=[a.tool, b.tool], instructions="Be brief.") as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await b.started.wait()
            receipt = await session.send("U2")
            assert [one.name for one in receipt.held_by] == ["a", "b"]
            a.go.set()
            await wait_all_tasks_blocked(0.001)
            await trio.sleep(1)
            assert [one.name for one in receipt.held_by] == ["b"]
            assert repr(receipt) == "<Receipt message-2: held>"
            b.go.set()
        seen = told(events)
        assert [event.receipt for event in only(seen, MessageHeld)] == [receipt]
        assert [event.receipt.index for event in only(seen, MessageDelivered)] == [0, 5]
        assert receipt.held_by == ()
        assert repr(receipt) == "<Receipt message-2: delivered, request 2, index 5>"
        assert model.bodies[1]["input"][5]["content"] == "U2"


async def test_a_message_waits_for_the_approval(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C2: while a waits for its approval U2 is held, and the receipt names it."""
    gate = Gate(options={"approval": True})
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            invocation = (await until(events, ApprovalRequested)).call
            receipt = await session.send("U2")
            assert receipt.held_by == (invocation,)
            assert [waiting.why for waiting in session.open][-1] == "a (call 1) waits for an approval"
            await session.deny(invocation, "no")
        assert asked(model)[1] == "U1 K(a) O(a: Tool denied: it was not run. no) U2"


async def test_an_interrupt_while_a_tool_runs(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C3: what it had printed is kept, the note stands behind it, U2 behind the note; two requests in all."""

    @tool
    async def a(context: ToolContext) -> str:
        context.output("line 1\n")
        context.output("line 2\n")
        await trio.sleep_forever()

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_into, results, session, "U1")
            await until(events, CallStarted)
            await trio.sleep(1)
            await session.interrupt()
            assert session.open == ()
        assert results[0].stop_reason is StopReason.INTERRUPTED
        await session.run("U2")
    assert asked(model) == [
        "U1",
        f"U1 K(a) O(a: {STOPPED}\nOutput so far (incomplete):\nline 1\nline 2\n) M U2",
    ]


async def run_into(
    results: list[TurnResult], session: Session, text: str, when_busy: WhenBusy = "queue"
) -> None:
    results.append(await session.run(text, when_busy=when_busy))


async def test_an_interrupt_while_an_approval_waits(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C4: nothing was started; the approval is dead, and answering it is an error."""
    gate = Gate(options={"approval": True})
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            invocation = (await until(events, ApprovalRequested)).call
            await session.interrupt()
        with pytest.raises(TransitionRefused, match="dead"):
            await session.approve(invocation)
        await session.run("U2")
    assert gate.calls == 0
    assert asked(model)[1] == "U1 K(a) O(a: Tool cancelled before it started: it was not run.) M U2"


async def test_two_messages_at_the_same_instant(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C10: one turn starts with the first, the second opens the next; both delivered once, in order."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_into, results, session, "U2")
            nursery.start_soon(run_into, results, session, "U3")
        requests = {result.receipt.id: result.receipt.request for result in results if result.receipt}
        assert requests == {"message-1": 1, "message-2": 2}
        one, two = (body.split() for body in asked(model))
        assert two == [*one, "A", "U2" if one == ["U3"] else "U3"]
        assert sorted(result.text for result in results) == ["A", "B"]


async def test_two_queued_sends_at_the_same_instant(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C10: the same with send."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: session.send("U2", when_busy="queue", id="x"))
            nursery.start_soon(lambda: session.send("U3", when_busy="queue", id="y"))
        await until(events, TurnEnded)
        await until(events, TurnEnded)
        first, second = asked(model)
        assert second.startswith(f"{first} A ")
        assert second.count("U2") == second.count("U3") == 1


async def test_a_steer_in_the_last_instant(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C11: accepted before the turn ends, it gets one more request of the same turn."""
    nearly = trio.Event()
    model = Scripted([[Say("A"), Pause(1), Pause(nearly)], Say("B")])
    async with new_session(model) as session:
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_into, results, session, "U1")
            await trio.sleep(2)
            nearly.set()  # the response ends in the next step of the loop
            receipt = await session.send("U2")
        (result,) = results
    assert (result.requests, result.text) == (2, "B")
    assert asked(model) == ["U1", "U1 A U2"]
    assert receipt.request == 2


async def test_three_interrupts_are_one(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C12: one interruption, one note; each of them returns when the history is sendable."""

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
        ended: list[float] = []

        async def interrupt() -> None:
            await session.interrupt()
            ended.append(trio.current_time())
            assert session.open == ()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await until(events, CallStarted)
            start = trio.current_time()
            for _ in range(3):
                nursery.start_soon(interrupt)
        assert [1 <= end - start < 1.2 for end in ended] == [True] * 3
        assert [type(item) for item in session.transcript].count(Note) == 1
        assert len(only(told(events), CallStopping)) == 1


async def test_an_interrupt_when_idle_is_nothing(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C12: it does not poison the next message, and leaves no note."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        await session.interrupt()
        await session.run("U1")
        await session.interrupt()
        await session.interrupt()
        result = await session.run("U2")
    assert result.stop_reason is StopReason.END_TURN
    assert asked(model) == ["U1", "U1 A U2"]


async def test_messages_before_an_interrupt_are_kept_or_returned(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C13: as said at send; nothing starts by itself; what was kept goes first with the next turn."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            kept = await session.send("kept")
            queued = await session.send("queued", when_busy="queue")
            back = await session.send("back", on_interrupt="return")
            await trio.sleep(1)
            await session.interrupt()
        await trio.sleep(10)
        assert len(model.requests) == 1
        assert [one.state for one in (kept, queued, back)] == ["held", "held", "returned"]
        assert back.reason == "interrupted"
        await session.run("U2")
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M kept queued U2"


async def test_a_message_after_an_interrupt_starts_the_next_turn(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C13: accepted while the tool still stops, it opens the next turn by itself."""

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
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await until(events, CallStarted)
            nursery.start_soon(session.interrupt)
            await until(events, CallStopping)
            receipt = await session.send("U2")
            assert receipt.state is Fate.HELD
        await until(events, TurnEnded)
        await until(events, TurnEnded)
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M U2"


async def test_an_interrupt_behind_the_message_holds_it_back(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C55: interrupt, U2, interrupt while a still stops: nothing starts; U2 is kept."""

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
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await until(events, CallStarted)
            nursery.start_soon(session.interrupt)
            await until(events, CallStopping)
            receipt = await session.send("U2")
            await session.interrupt()
        await trio.sleep(10)
        assert len(model.requests) == 1
        assert receipt.state is Fate.HELD
        await session.run()
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M U2"


async def test_mode_queue(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C24: no request of this turn carries it; all that are queued open the next turn together."""
    gate = Gate()
    model = Scripted([call("a"), Say("A"), Say("B")])
    async with new_session(model, tools=[gate.tool]) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            await session.send("Q1", when_busy="queue")
            await session.send("Q2", when_busy="queue")
            await session.send("S")
            gate.go.set()
        await until(events, TurnEnded)
        await until(events, TurnEnded)
    assert asked(model)[1:] == ["U1 K(a) O(a: a!) S", "U1 K(a) O(a: a!) S A Q1 Q2"]


async def test_mode_interrupt(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C24: it stops the turn, and opens the next one."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_into, results, session, "U1")
            await gate.started.wait()
            await trio.sleep(1)
            second = await session.run("U2", when_busy="interrupt")
        assert (results[0].stop_reason, second.stop_reason) == (StopReason.INTERRUPTED, StopReason.END_TURN)
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M U2"


async def test_mode_reject(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C24: SessionBusy unless idle; nothing has changed, and the session goes on."""
    gate = Gate()
    model = Scripted([call("a"), Say("A"), Say("B")])
    async with new_session(model, tools=[gate.tool]) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: session.run("U1", when_busy="reject"))
            await gate.started.wait()
            for attempt in (session.send, session.run):
                with pytest.raises(SessionBusy, match="queue") as busy:
                    await attempt("U2", when_busy="reject")
                assert busy.value.calls == (1,)
            with pytest.raises(SessionBusy):
                await session.run()
            gate.go.set()
        assert (await session.run("U3", when_busy="reject")).text == "B"
    assert asked(model)[1:] == ["U1 K(a) O(a: a!)", "U1 K(a) O(a: a!) A U3"]


async def test_the_hosts_cancel_is_an_interrupt(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C25: while a tool runs; the session stays usable and sendable, and the next request is not delayed."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        with trio.move_on_after(1) as scope:
            await session.run("U1")
        assert scope.cancelled_caught
        start = trio.current_time()
        assert (await session.run("U2")).text == "A"
        assert trio.current_time() - start < 1
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M U2"


async def test_the_hosts_cancel_while_the_model_answers(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C25: the text that was shown is kept, and the next request leaves at once."""
    model = Scripted([[Say("Half an answer", size=4), Pause(50)], Say("B")])
    async with new_session(model) as session:
        with trio.move_on_after(1) as scope:
            await session.run("U1")
        assert scope.cancelled_caught
        start = trio.current_time()
        await session.run("U2")
        assert trio.current_time() - start < 1
    assert asked(model)[1] == "U1 Half an answer M U2"


async def test_a_cancel_in_the_instant_of_the_call(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C25: a scope that was cancelled before `run` was called: no turn goes on behind the host's back."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.run("U1")
        await trio.sleep(10)
        assert session.open == ()
        result = await session.run("U2")
        assert result.text in {"A", "B"}
        assert session.transcript[-1].text == result.text  # type: ignore[union-attr]  # an answer
        assert len(model.requests) <= 2
        assert "U1 A" not in asked(model)[-1]


async def test_a_queued_run_that_is_cancelled(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R5: its message comes back and starts nothing; the turn before it is not touched."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            with trio.move_on_after(1):
                await session.run("U2")
            await trio.sleep(1)
            (held,) = only(told(events), MessageHeld)
            assert (held.receipt.state, held.receipt.reason) == (Fate.RETURNED, "its sender went away")
            gate.go.set()
    assert asked(model) == ["U1", "U1 K(a) O(a: a!)"]


async def test_an_interrupt_returns_a_queued_run(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R5: whoever waits with `run` behind a turn that is interrupted is told so, and waits no longer."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            nursery.start_soon(run_into, results, session, "U2")
            await trio.sleep(1)
            await session.interrupt()
        (result,) = results
    assert (result.turn, result.stop_reason, result.error) == (0, StopReason.INTERRUPTED, "interrupted")
    assert result.receipt is not None
    assert result.receipt.state is Fate.RETURNED


async def test_an_interrupt_during_the_backoff(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C54: no request leaves any more, and the session is idle."""
    model = Scripted([Fail(), Say("A")])
    async with new_session(model, limits=Limits(backoff=10)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(1)
            assert [waiting.what for waiting in session.open] == ["backoff"]
            await session.interrupt()
            assert session.open == ()
        await trio.sleep(60)
        assert len(model.requests) == 1


async def test_max_requests_with_a_steer_held(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C64: the turn ends, and the next one carries the message."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool], limits=Limits(max_requests=1)) as session:
        events = session.events()
        results: list[TurnResult] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_into, results, session, "U1")
            await gate.started.wait()
            await session.send("U2")
            gate.go.set()
        assert results[0].stop_reason is StopReason.MAX_REQUESTS
        await until(events, TurnEnded)
        await until(events, TurnEnded)
    assert asked(model) == ["U1", "U1 K(a) O(a: a!) U2"]


async def test_a_second_send_with_the_senders_id(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R5: it changes nothing, and gives the first receipt; also at the same instant, also when delivered."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        receipts: list[Receipt] = []

        async def send(text: str) -> None:
            receipts.append(await session.send(text, id="mine"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await gate.started.wait()
            async with trio.open_nursery() as senders:
                senders.start_soon(send, "U2")
                senders.start_soon(send, "U2")
            gate.go.set()
        again = await session.send("U2", id="mine")
        assert receipts == [again, again]
        assert again.state is Fate.DELIVERED
    assert asked(model) == ["U1", "U1 K(a) O(a: a!) U2"]


async def test_ids_of_senders_and_of_the_session_never_meet(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R5: whatever a sender calls its message, one without an id is a new one."""
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        mine = await session.send("U1", id="message-1")
        result = await session.run("U2")
        assert result.receipt is not None
        assert result.receipt is not mine
    assert asked(model)[-1].split()[-1] == "U2"


async def test_a_duplicate_that_would_interrupt_does_not(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R5: the text of the answer goes on being shown, also if the duplicate said when_busy="interrupt"."""
    go = trio.Event()
    model = Scripted([Say("A"), [Say("first "), Pause(go), Say("second")]])
    async with new_session(model) as session:
        await session.send("U1", id="mine")
        await trio.sleep(1)
        events = session.events()
        async with trio.open_nursery() as nursery:
            results: list[TurnResult] = []
            nursery.start_soon(run_into, results, session, "U2")
            await until(events, TextDelta)
            await session.send("U1", id="mine", when_busy="interrupt")
            go.set()
        assert results[0].text == "first second"
        assert "".join(event.text for event in only(told(events), TextDelta)) == "second"


async def test_a_send_that_is_refused_leaves_the_answer_alone(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """A wrong option is an error of its own: the answer under way goes on being shown."""
    go = trio.Event()
    model = Scripted([[Say("first "), Pause(go), Say("second")]])
    async with new_session(model) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await until(events, TextDelta)
            with pytest.raises(ValueError, match="role='boss' is not known"):
                await session.send("U2", role="boss", when_busy="interrupt")  # type: ignore[arg-type]
            go.set()
        assert "".join(event.text for event in only(told(events), TextDelta)) == "second"


@pytest.mark.parametrize(
    ("content", "options", "error"),
    [
        ("", {}, "empty"),
        (" \n", {}, "empty"),
        ((), {}, "empty"),
        ("x", {"when_busy": "later"}, "when_busy='later' is not known: give one of 'steer'"),
        ("x", {"on_interrupt": "drop"}, "on_interrupt='drop' is not known"),
        (({"type": "input_text", "text": object()},), {}, "JSON"),
    ],
)
async def test_what_cannot_be_sent(
    new_session: NewSession,
    autojump_clock: MockClock,
    content: object,
    options: dict[str, str],
    error: str,
) -> None:
    """It is refused at once, with a text that names the repair, and nothing has changed."""
    model = Scripted([Say("A")])
    async with new_session(model) as session:
        with pytest.raises(ValueError, match=error):
            await session.send(content, **options)  # type: ignore[arg-type]  # wrong on purpose
        assert (await session.run("U1")).text == "A"


async def test_content_parts_are_kept_as_they_were_sent(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R19: what the sender does to its parts afterwards changes no request."""
    part = {"type": "input_text", "text": "U1"}
    model = Scripted([Say("A"), Say("B")])
    async with new_session(model) as session:
        await session.run([part])
        part["text"] = "changed"
        await session.run("U2")
    assert asked(model) == ["U1", "U1 A U2"]


async def test_the_turns_time(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: at turn_timeout the turn is stopped like by an interrupt, and says what is true."""
    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool], limits=Limits(turn_timeout=1)) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.TURN_TIMEOUT
        assert result.calls[0].outcome is not None
        assert result.calls[0].outcome.cause is Cause.TURN_TIMEOUT
        await session.run("U2")
    assert asked(model)[1] == f"U1 K(a) O(a: {STOPPED}) M U2"


async def test_a_turns_time_that_comes_too_late(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R25: the timer of a turn that has ended stops no other, and its text goes on being shown."""
    model = Scripted([Say("A"), [Pause(0.8), Say("first "), Pause(0.5), Say("second")]])
    async with new_session(model, limits=Limits(turn_timeout=1)) as session:
        await session.run("U1")
        await trio.sleep(0.1)
        events = session.events()
        result = await session.run("U2")
        assert result.stop_reason is StopReason.TURN_TIMEOUT
        assert "".join(event.text for event in only(told(events), TextDelta)) == "first "


async def test_the_note_is_the_sessions(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R26: a session can word the note, or leave it out."""
    for note, expected in (("Stopped!", ["Stopped!"]), (None, [])):
        gate = Gate()
        async with new_session(Scripted([call("a")]), tools=[gate.tool], note=note) as session:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run, "U1")
                await gate.started.wait()
                await session.interrupt()
            assert [item.text for item in session.transcript if isinstance(item, Note)] == expected
            assert len(outputs(session)) == 1
