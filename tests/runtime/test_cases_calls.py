"""The specification's cases about tool calls, with real tasks on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    CallEnded,
    CallStarted,
    Cause,
    Deny,
    Invocation,
    Limits,
    Scripted,
    Session,
    StopReason,
    ToolContext,
    TransitionRefused,
    TurnEnded,
    tool,
)
from turnlock.engine import Effect
from turnlock.machines import InvocationState
from turnlock.models import Invoke, Pause, Say, Stop

NewSession = Callable[..., Session]
BOTH = pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat"])


def causes(calls: tuple[Invocation, ...]) -> list[Cause | None]:
    return [None if one.outcome is None else one.outcome.cause for one in calls]


@tool
async def quick(name: str = "a") -> str:
    """Answer at once."""
    return f"{name}!"


@BOTH
async def test_normal(new_session: NewSession, autojump_clock: MockClock, dialect: str) -> None:
    """C1: a call, its output, the answer; nothing is held."""
    model = Scripted([call("quick", "a"), Say("A")], dialect=dialect)
    async with new_session(model, tools=[quick]) as session:
        result = await session.run("U1")
    assert asked(model) == ["U1", "U1 K(a) O(a: a!)"]
    assert (result.stop_reason, result.text, result.requests) == (StopReason.END_TURN, "A", 2)
    assert result.receipt is not None
    assert (result.receipt.state, result.receipt.request, result.receipt.index) == ("delivered", 1, 0)


async def test_one_returns_one_raises_one_hangs(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C5: three outputs in call order: the result, the error, timed out with what it had printed."""

    @tool
    async def returns() -> str:
        await trio.sleep(2)
        return "fine"

    @tool
    async def raises() -> str:
        raise ConnectionError("no route")

    @tool(deadline=5)
    async def hangs(context: ToolContext) -> str:
        context.output("line 1\n")
        await trio.sleep_forever()

    model = Scripted([[call("returns", "a"), call("raises", "b"), call("hangs", "c")], Say("A")])
    async with new_session(model, tools=[returns, raises, hangs]) as session:
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.RETURNED, Cause.RAISED, Cause.DEADLINE]
    assert asked(model)[1] == (
        "U1 K(a) K(b) K(c) O(a: fine) O(b: Tool error: ConnectionError: no route) "
        "O(c: Tool timed out after 5 s: it may have had effects.\nOutput so far (incomplete):\nline 1\n)"
    )


async def test_one_of_three_is_denied(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C6: the other two run; outputs stand in call order."""

    async def approve(invocation: Invocation) -> bool | Deny:
        return Deny("not today") if "no" in invocation.arguments else True

    calls = [call("quick", "a", name="a"), call("quick", "b", name="no"), call("quick", "c", name="c")]
    model = Scripted([calls, Say("A")])
    async with new_session(model, tools=[quick], approve=approve) as session:
        await session.run("U1")
    assert asked(model)[1] == (
        "U1 K(a) K(b) K(c) O(a: a!) O(b: Tool denied: it was not run. not today) O(c: c!)"
    )


async def test_one_of_three_is_skipped(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C14: the others go on; the skipped one is asked to stop, and no other."""
    gates = {name: Gate(name) for name in "abc"}
    model = Scripted([[call("a"), call("b"), call("c")], Say("A")])
    async with (
        new_session(model, tools=[gate.tool for gate in gates.values()]) as session,
        trio.open_nursery() as nursery,
    ):
        events = session.events()
        nursery.start_soon(session.run, "U1")
        await gates["c"].started.wait()
        b = next(event.call for event in only(told(events), CallStarted) if event.call.name == "b")
        await session.cancel(b)
        await until(events, CallEnded)
        assert b.outcome is not None
        assert b.outcome.cause is Cause.SKIPPED
        with pytest.raises(TransitionRefused, match="not open"):
            await session.cancel(b)
        gates["a"].go.set()
        gates["c"].go.set()
    assert asked(model)[1] == (
        "U1 K(a) K(b) K(c) O(a: a!) "
        "O(b: Tool cancelled while it was running, after 0 s: it may have had effects.) O(c: c!)"
    )


async def test_a_result_before_its_cancel_stays(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C15: the tool has returned, its record is not yet there, cancel comes: the real result stays."""
    returned: list[Session] = []
    cancelled = trio.Event()

    @tool
    async def a(context: ToolContext) -> str:
        # Posted by a task that runs right behind this one: the result stands in the inbox by then.
        async def cancel() -> None:
            with pytest.raises(TransitionRefused):
                await returned[0].cancel(context.call)
            cancelled.set()

        system.start_soon(cancel)
        return "real"

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session, trio.open_nursery() as system:
        returned.append(session)
        result = await session.run("U1")
        await cancelled.wait()
    assert causes(result.calls) == [Cause.RETURNED]
    assert asked(model)[1] == "U1 K(a) O(a: real)"


async def test_parallel_calls_overlap_up_to_the_limit(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C16: calls overlap in time, and never more of them than the limit."""
    now = most = 0

    @tool
    async def work() -> float:
        nonlocal now, most
        now += 1
        most = max(most, now)
        started = trio.current_time()
        await trio.sleep(10)
        now -= 1
        return started

    model = Scripted([[call("work", str(n)) for n in range(6)], Say("A")])
    async with new_session(model, tools=[work], limits=Limits(parallel=3)) as session:
        start = trio.current_time()
        await session.run("U1")
        took = trio.current_time() - start
    assert most == 3
    assert 20 <= took < 21


async def test_exclusive_calls_run_alone(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C16: an exclusive call waits for all earlier ones and holds back later ones."""
    spans: dict[str, tuple[float, float]] = {}

    async def work(name: str) -> str:
        """Work for ten seconds."""
        start = trio.current_time()
        await trio.sleep(10)
        spans[name] = (start, trio.current_time())
        return name

    safe = tool(name="safe")(work)
    alone = tool(name="alone", exclusive=True)(work)
    model = Scripted(
        [
            [
                call("safe", "a", name="a"),
                call("safe", "b", name="b"),
                call("alone", "c", name="c"),
                call("safe", "d", name="d"),
                call("safe", "e", name="e"),
            ],
            Say("A"),
        ]
    )
    async with new_session(model, tools=[safe, alone]) as session:
        await session.run("U1")
    assert spans["b"][0] < spans["a"][1]
    assert spans["c"][0] >= max(spans["a"][1], spans["b"][1])
    assert min(spans["d"][0], spans["e"][0]) >= spans["c"][1]
    assert spans["e"][0] < spans["d"][1]


async def test_tools_start_before_the_response_ends(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C17: the tool runs as soon as its item is complete; the response goes on for ten seconds more."""
    gate = Gate()
    model = Scripted([[call("a"), Pause(10)], Say("A")])
    async with new_session(model, tools=[gate.tool]) as session, trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(session.run, "U1")
        await gate.started.wait()
        assert trio.current_time() - start < 1
        assert [waiting.what for waiting in session.open] == ["request", "call"]
        gate.go.set()
    assert asked(model)[1] == "U1 K(a) O(a: a!)"


async def test_tools_wait_for_the_end_of_a_chat_answer(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C17 and R12: on Chat Completions nothing is complete before the finish_reason."""
    gate = Gate()
    model = Scripted([[call("a"), Pause(10)], Say("A")], dialect="openai_chat")
    async with new_session(model, tools=[gate.tool]) as session, trio.open_nursery() as nursery:
        start = trio.current_time()
        nursery.start_soon(session.run, "U1")
        await gate.started.wait()
        assert trio.current_time() - start >= 10
        gate.go.set()


@BOTH
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"name": ', "not JSON"),
        ("[1]", "must be a JSON object, not an array"),
        ('{"name": 7}', r"Expected `str`, got `int` - at `$.name`"),
        ('{"nome": "x"}', "unknown field `nome`"),
    ],
)
async def test_arguments_that_do_not_fit(
    new_session: NewSession, autojump_clock: MockClock, dialect: str, arguments: str, why: str
) -> None:
    """C19: the tool is not run, the model gets the reason, and the history can still be sent."""
    ran: list[str] = []

    @tool
    async def strict(name: str) -> str:
        ran.append(name)
        return name

    model = Scripted(
        [
            [call("strict", "good", name="x"), Invoke("strict", arguments, id="bad")],
            Say("A"),
            Say("B"),
        ],
        dialect=dialect,
    )
    async with new_session(model, tools=[strict]) as session:
        result = await session.run("U1")
        await session.run("U2")
    assert ran == ["x"]
    assert causes(result.calls) == [Cause.RETURNED, Cause.BAD_ARGUMENTS]
    outcome = result.calls[1].outcome
    assert outcome is not None
    assert outcome.effect is Effect.NONE
    assert why in outcome.model_text
    assert outcome.model_text.startswith("Tool not run: its arguments are not valid: ")


async def test_an_unknown_tool(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R6: a call of a tool that there is not gets an output of its own, and the turn goes on."""
    model = Scripted([call("nothing", "a"), Say("A")])
    async with new_session(model, tools=[quick]) as session:
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.UNKNOWN_TOOL]
    assert asked(model)[1] == "U1 K(a) O(a: Tool not run: there is no tool nothing.)"


@BOTH
async def test_two_calls_with_one_id(
    new_session: NewSession, autojump_clock: MockClock, dialect: str
) -> None:
    """C20: both run, each result reaches its own call, and ids are unique on the wire."""
    model = Scripted(
        [[call("quick", "same", name="first"), call("quick", "same", name="second")], Say("A")],
        dialect=dialect,
    )
    async with new_session(model, tools=[quick]) as session:
        result = await session.run("U1")
    assert [one.outcome and one.outcome.output for one in result.calls] == ["first!", "second!"]
    (_, body) = asked(model)
    k1, k2, o1, o2 = body.removeprefix("U1 ").split(" ", 3)[:2] + body.split(" O(")[1:]
    assert k1 != k2
    assert (o1.split(":")[0], o2.split(":")[0]) == (k1[2:-1], k2[2:-1])
    assert "first!" in o1
    assert "second!" in o2


@BOTH
async def test_an_id_that_comes_again_in_a_later_turn(
    new_session: NewSession, autojump_clock: MockClock, dialect: str
) -> None:
    """C21 and R2: both pairs are right; ordinals tell the calls apart."""
    model = Scripted(
        [call("quick", "x", name="one"), Say("A"), call("quick", "x", name="two"), Say("B"), Say("C")],
        dialect=dialect,
    )
    async with new_session(model, tools=[quick]) as session:
        first = await session.run("U1")
        second = await session.run("U2")
        await session.run("U3")
    assert [first.calls[0].ordinal, second.calls[0].ordinal] == [1, 2]
    assert asked(model)[3].count("one!") == asked(model)[3].count("two!") == 1


async def test_a_tool_that_ends_within_its_grace_has_completed(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C56: it was asked to stop, and returned its value in time: the real result."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            return "saved"

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], limits=Limits(deadline=5, grace=2)) as session:
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.RETURNED]
    assert asked(model)[1] == "U1 K(a) O(a: saved)"


async def test_a_deadline_and_then_an_interrupt(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C57: the first cause is kept: timed out."""

    @tool
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], limits=Limits(deadline=5, grace=2)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(5.5)
            assert [waiting.why for waiting in session.open] == [
                "a (call 1) was asked to stop (deadline), after 5.5 s"
            ]
            await session.interrupt()
        assert outputs(session) == ["Tool timed out after 6 s: it may have had effects."]


async def test_an_interrupt_and_then_a_deadline(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R1: the other way round the call was interrupted."""

    @tool(deadline=5.5)
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], limits=Limits(grace=2)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(5)
            await session.interrupt()
        (text,) = outputs(session)
        assert text.startswith("Tool cancelled while it was running, after 6 s")


async def test_an_exception_while_stopping_is_part_of_the_stopping(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R1: it does not become the outcome."""

    @tool(deadline=1)
    async def a() -> str:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cleanup failed")

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.DEADLINE]


async def test_a_waiting_approval_takes_no_slot(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C58: limit 1, an approval pending: the sibling runs."""
    asked_for = trio.Event()

    async def approve(invocation: Invocation) -> bool:
        asked_for.set()
        await trio.sleep(100)
        return True

    free = Gate("b", options={"approval": False})
    model = Scripted([[call("quick", "a"), call("b")], Say("A")])
    async with (
        new_session(model, tools=[quick, free.tool], approve=approve, limits=Limits(parallel=1)) as session,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(session.run, "U1")
        await asked_for.wait()
        start = trio.current_time()
        await free.started.wait()
        assert trio.current_time() - start < 1
        free.go.set()
    assert asked(model)[1] == "U1 K(a) K(b) O(a: a!) O(b: b!)"


async def test_an_exclusive_call_that_waits_for_its_approval(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C59: later calls wait for it, and at most for as long as its approval may take."""
    alone = tool(name="alone", exclusive=True, approval=True)(quick.function)
    started: list[float] = []

    @tool
    async def later() -> str:
        started.append(trio.current_time())
        return "later!"

    model = Scripted([[call("alone", "a"), call("later", "b")], Say("A")])
    async with new_session(model, tools=[alone, later], limits=Limits(approval_deadline=30)) as session:
        start = trio.current_time()
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.NO_ANSWER, Cause.RETURNED]
    assert 30 <= started[0] - start < 31
    assert "O(a: Tool not run: nobody approved it within 30 s.)" in asked(model)[1]


async def test_an_error_without_text(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C61: its type is the text; an output is never empty."""

    @tool
    async def a() -> str:
        raise ValueError

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        await session.run("U1")
    assert asked(model)[1] == "U1 K(a) O(a: Tool error: ValueError)"


async def test_a_group_of_errors_is_an_output(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R9: a group of exceptions is an output with its members, and cancels no sibling."""

    @tool
    async def a() -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, KeyError("k"))
            nursery.start_soon(fail, OSError("o"))
        return "never"

    async def fail(error: Exception) -> None:
        raise error

    sibling = Gate("b")
    model = Scripted([[call("a"), call("b")], Say("A")])
    async with new_session(model, tools=[a, sibling.tool]) as session, trio.open_nursery() as nursery:
        events = session.events()
        nursery.start_soon(session.run, "U1")
        await until(events, CallEnded)
        await sibling.started.wait()
        sibling.go.set()
    text = asked(model)[1]
    assert "O(a: Tool error: ExceptionGroup: " in text
    assert "KeyError: 'k'" in text
    assert "OSError: o" in text
    assert text.endswith("O(b: b!)")


async def test_a_tool_that_ends_the_turn(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C49 and R23: its sibling ends first, no further request leaves, and both outputs open the next turn."""
    done = tool(name="done", ends_turn=True)(quick.function)
    sibling = Gate("b")
    model = Scripted([[call("done", "a"), call("b")], Say("A")])
    async with new_session(model, tools=[done, sibling.tool]) as session:
        async with trio.open_nursery() as nursery:
            events = session.events()
            nursery.start_soon(session.run, "U1")
            await until(events, CallEnded)
            assert len(model.requests) == 1
            assert session.open
            sibling.go.set()
        assert only(told(events), TurnEnded)[0].stop_reason is StopReason.TOOL_ENDED
        assert len(model.requests) == 1
        await session.run("U2")
    assert asked(model) == ["U1", "U1 K(a) K(b) O(a: a!) O(b: b!) U2"]


async def test_a_tool_that_ends_the_turn_and_raises(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R23: one that raises lets the turn go on, so that the model can mend its call."""

    @tool(ends_turn=True)
    async def done() -> str:
        raise ValueError("say when")

    model = Scripted([call("done", "a"), Say("A")])
    async with new_session(model, tools=[done]) as session:
        result = await session.run("U1")
    assert result.stop_reason is StopReason.END_TURN
    assert asked(model)[1] == "U1 K(a) O(a: Tool error: ValueError: say when)"


async def test_what_the_length_limit_cut_is_not_run(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R12: it is kept with arguments {}, answered "cut off", and the turn goes on."""
    model = Scripted(
        [
            [call("quick", "a"), Invoke("quick", '{"na', id="b", complete=False), Stop("length")],
            Say("A"),
        ]
    )
    async with new_session(model, tools=[quick]) as session:
        result = await session.run("U1")
    assert causes(result.calls) == [Cause.RETURNED, Cause.CUT_OFF]
    assert asked(model)[1] == "U1 K(a) K(b) O(a: a!) O(b: Tool not run: its arguments were cut off.)"
    assert model.bodies[1]["input"][2]["arguments"] == "{}"


async def test_every_call_ended_stands_before_its_turn_ended(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R13: one TurnEnded a turn, and every CallEnded before it."""
    model = Scripted([[call("quick", "a"), call("quick", "b")], Say("A"), call("quick", "c"), Say("B")])
    async with new_session(model, tools=[quick]) as session:
        events = session.events()
        await session.run("U1")
        await session.run("U2")
        seen = [type(event) for event in told(events) if isinstance(event, (CallEnded, TurnEnded))]
    assert seen == [CallEnded, CallEnded, TurnEnded, CallEnded, TurnEnded]


async def test_the_states_that_a_call_goes_through(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R1: requested, running, completed; the events show one live object."""
    model = Scripted([call("quick", "a"), Say("A")])
    async with new_session(model, tools=[quick]) as session, session.turn("U1") as turn:
        seen = [(type(event).__name__, event.call.state) async for event in turn if hasattr(event, "call")]
    assert [name for name, _ in seen] == ["CallRequested", "CallStarted", "CallEnded"]
    assert seen[-1][1] is InvocationState.COMPLETED
