"""Approvals: they belong to their call and die with it (R14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import trio
from trio.testing import MockClock

from support.live import Gate, asked, call, only, told, until
from turnlock import (
    Allow,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    Cause,
    Deny,
    Effect,
    Invocation,
    Limits,
    Scripted,
    Session,
    TransitionRefused,
    TurnEnded,
    tool,
)
from turnlock.models import Say

NewSession = Callable[..., Session]


@tool
async def a() -> str:
    """Answer at once."""
    return "a!"


def ends(events: Iterable[object]) -> list[Cause]:
    return [event.call.outcome.cause for event in only(events, CallEnded) if event.call.outcome]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (True, "a!"),
        (Allow(), "a!"),
        (False, "Tool denied: it was not run."),
        (Deny(), "Tool denied: it was not run."),
        (Deny("not on a Friday"), "Tool denied: it was not run. not on a Friday"),
        (None, "Tool denied: it was not run. the approval was neither allowed nor denied"),
        ("yes", "Tool denied: it was not run. the approval was neither allowed nor denied"),
        (1, "Tool denied: it was not run. the approval was neither allowed nor denied"),
    ],
)
@pytest.mark.parametrize("how", ["async", "plain"])
async def test_answers(
    new_session: NewSession, autojump_clock: MockClock, answer: object, text: str, how: str
) -> None:
    """R14: allow, deny with a reason, and what is neither: nothing is run that was not allowed."""

    async def later(_call: Invocation) -> object:
        await trio.sleep(1)
        return answer

    model = Scripted([call("a"), Say("A")])
    approve = later if how == "async" else lambda _call: answer
    async with new_session(model, tools=[a], approve=approve) as session:
        await session.run("U1")
    assert asked(model)[1] == f"U1 K(a) O(a: {text})"


async def test_an_approval_that_raises(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R14: who cannot be asked has allowed nothing; the model learns why, and the turn goes on."""

    async def approve(_call: Invocation) -> bool:
        raise ConnectionError("the editor is gone")

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], approve=approve) as session:
        result = await session.run("U1")
    assert result.text == "A"
    assert asked(model)[1] == (
        "U1 K(a) O(a: Tool denied: it was not run. "
        "the approval could not be asked for (ConnectionError: the editor is gone))"
    )


async def test_nobody_answers(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R14: at its deadline the call has timed out, nothing was run, and the question is taken back."""
    cancelled: list[float] = []

    async def approve(_call: Invocation) -> bool:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(trio.current_time())

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], approve=approve, limits=Limits(approval_deadline=60)) as session:
        start = trio.current_time()
        result = await session.run("U1")
    assert result.calls[0].outcome is not None
    assert (result.calls[0].outcome.cause, result.calls[0].outcome.effect) == (Cause.NO_ANSWER, Effect.NONE)
    assert cancelled[0] - start == pytest.approx(60, abs=0.02)
    assert asked(model)[1] == "U1 K(a) O(a: Tool not run: nobody approved it within 60 s.)"


async def test_nobody_is_there_to_answer(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R14: without `approve=` the host answers, or the deadline does."""
    guarded = tool(name="a", approval=True)(a.function)
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[guarded]) as session:
        start = trio.current_time()
        result = await session.run("U1")
        assert 900 <= trio.current_time() - start < 901
    assert result.calls[0].outcome is not None
    assert result.calls[0].outcome.cause is Cause.NO_ANSWER


async def test_the_host_answers(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R14: instead of `approve=`, which is then asked no longer; answering twice is an error."""
    cancelled = trio.Event()

    async def approve(_call: Invocation) -> bool:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    gate = Gate()
    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[gate.tool], approve=approve) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            invocation = (await until(events, ApprovalRequested)).call
            await session.approve(invocation)
            await gate.started.wait()
            with trio.fail_after(1):
                await cancelled.wait()
            for again in (session.approve, session.deny):
                with pytest.raises(TransitionRefused, match="answered"):
                    await again(invocation)
            gate.go.set()
        for again in (session.approve, session.deny):
            with pytest.raises(TransitionRefused, match="dead"):
                await again(invocation)
        assert ends(told(events)) == [Cause.RETURNED]


async def test_the_host_denies_while_it_is_asked(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R14: the first answer counts; the answer of the question that was taken back is late."""

    async def approve(_call: Invocation) -> bool:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return True  # it does not let itself be told

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], approve=approve) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            invocation = (await until(events, ApprovalRequested)).call
            await session.deny(invocation, "no")
        assert ends(told(events)) == [Cause.DENIED]
    assert asked(model)[1] == "U1 K(a) O(a: Tool denied: it was not run. no)"


async def test_an_interrupt_takes_the_question_back(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R14: the approval dies with its call, and whoever is asked is told so at once."""
    cancelled = trio.Event()

    async def approve(_call: Invocation) -> bool:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a], approve=approve) as session:
        events = session.events()
        await session.send("U1")
        await until(events, ApprovalRequested)
        await session.interrupt()
        with trio.fail_after(0.1):
            await cancelled.wait()
        assert ends(told(events)) == [Cause.NOT_STARTED]


async def test_which_calls_need_an_approval(new_session: NewSession, autojump_clock: MockClock) -> None:
    """With `approve=` every call does, but those of tools that say otherwise."""
    asked_for: list[str] = []

    async def approve(invocation: Invocation) -> bool:
        asked_for.append(invocation.name)
        return True

    tools = [
        tool(name="plain")(a.function),
        tool(name="free", approval=False)(a.function),
        tool(name="guarded", approval=True)(a.function),
    ]
    model = Scripted([[call("plain"), call("free"), call("guarded")], Say("A")])
    async with new_session(model, tools=tools, approve=approve) as session:
        await session.run("U1")
    assert sorted(asked_for) == ["guarded", "plain"]


async def test_closing_while_an_approval_waits(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: the block is left at once; the call was never started, the turn has ended."""

    async def approve(_call: Invocation) -> bool:
        await trio.sleep_forever()

    model = Scripted([call("a")])
    async with new_session(model, tools=[a], approve=approve) as session:
        events = session.events()
        await session.send("U1")
        await until(events, ApprovalRequested)
        start = trio.current_time()
    assert trio.current_time() - start < 0.1
    seen = told(events)
    assert ends(seen) == [Cause.NOT_STARTED]
    assert [event.stop_reason for event in only(seen, TurnEnded)] == ["closed"]


async def test_a_skipped_call_that_waits_for_its_approval(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C14: skipping it is an outcome of its own; the other calls go on."""
    gate = Gate("b", options={"approval": False})

    async def approve(_call: Invocation) -> bool:
        await trio.sleep_forever()

    model = Scripted([[call("a"), call("b")], Say("A")])
    async with new_session(model, tools=[a, gate.tool], approve=approve) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            invocation = (await until(events, ApprovalRequested)).call
            await until(events, CallStarted)
            await session.cancel(invocation)
            gate.go.set()
    assert asked(model)[1] == (
        "U1 K(a) K(b) O(a: Tool cancelled before it started: it was not run.) O(b: b!)"
    )


async def test_a_call_of_another_session(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R2: ordinals are a session's own: its call is not another's with the same number."""
    gate, other = Gate(), Gate()
    async with (
        Session(Scripted([call("a")]), tools=[gate.tool]) as here,
        Session(Scripted([call("a")]), tools=[other.tool]) as there,
    ):
        events = here.events()
        await here.send("U1")
        await there.send("U1")
        invocation = (await until(events, CallStarted)).call
        await other.started.wait()
        for method in (there.cancel, there.approve, there.deny):
            with pytest.raises(ValueError, match="another session"):
                await method(invocation)
        assert [waiting.what for waiting in there.open] == ["call"]
        assert invocation.outcome is None
