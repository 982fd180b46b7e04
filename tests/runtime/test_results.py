"""What tools leave: values of every sort, huge ones, contexts, and many tools at once."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from support.live import Gate, asked, call, only, outputs, told, until
from turnlock import (
    CallEnded,
    CallStarted,
    Cause,
    Limits,
    Scripted,
    Session,
    ToolContext,
    TurnResult,
    current_call,
    tool,
)
from turnlock.models import Say

NewSession = Callable[..., Session]


@attrs.frozen
class Point:
    x: int
    y: int


class Odd:
    """A value whose own code raises."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # odd on purpose
        raise LookupError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", "(no output)"),
        (" \n", "(no output)"),
        (None, "(no output)"),
        (7, "7"),
        (False, "false"),
        ([1, "two"], '[1,"two"]'),
        ({"a": {"b": None}}, '{"a":{"b":null}}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (b"\x00\xff", '"AP8="'),
        ("half an emoji: \ud83d", "half an emoji: �"),
        (
            object(),
            (
                "Tool error: TypeError: the tool returned a value of type object, which is neither text "
                "nor JSON (Encoding objects of type object is unsupported)"
            ),
        ),
        (2**70, "1180591620717411303424"),
    ],
)
async def test_values(new_session: NewSession, autojump_clock: MockClock, value: object, text: str) -> None:
    """R10: text as it is, all else as JSON, and what is neither as an error that says so; never empty."""

    @tool
    async def a() -> Any:
        return value

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        await session.run("U1")
    assert asked(model)[1] == f"U1 K(a) O(a: {text})"


async def test_a_value_that_contains_itself(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R10: the same for values that cannot even be walked."""
    endless: list[Any] = []
    endless.append(endless)

    @tool
    async def a(which: int) -> Any:
        return endless if which else Odd()

    model = Scripted([[call("a", "x", which=0), call("a", "y", which=1)], Say("A")])
    async with new_session(model, tools=[a]) as session:
        result = await session.run("U1")
        assert [one.outcome and one.outcome.cause for one in result.calls] == [Cause.RAISED] * 2
        assert all(text.startswith("Tool error: ") for text in outputs(session))


async def test_an_output_of_ten_megabytes(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C27: the model gets head and tail with a marker; the whole is in a file that the event names."""
    whole = "".join(f"line {n}\n" for n in range(1_000_000))

    @tool
    async def a() -> str:
        return whole

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        await session.run("U1")
        (ended,) = only(told(events), CallEnded)
        (text,) = outputs(session)
    assert len(text.encode()) <= 64_000
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 999999\n")
    assert f"[… {len(whole.encode()):,} bytes in all; the middle is left out …]" in text
    assert isinstance(ended.spooled, Path)
    assert ended.spooled.read_text() == whole
    assert ended.spooled.stat().st_mode & 0o077 == 0
    ended.spooled.unlink()
    assert len(model.requests[1].body) < 80_000


@pytest.mark.parametrize("how", ["printed and stopped", "raised"])
async def test_other_long_texts(new_session: NewSession, autojump_clock: MockClock, how: str) -> None:
    """C27: what a stopped tool had printed, and the text of an error, are bounded the same way."""
    whole = "x" * 1_000_000 + "END"

    @tool(deadline=1)
    async def a(context: ToolContext) -> str:
        if how == "raised":
            raise ValueError(whole)
        context.output(whole)
        await trio.sleep_forever()

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        await session.run("U1")
        (ended,) = only(told(events), CallEnded)
        (text,) = outputs(session)
    assert len(text.encode()) < 65_000
    assert text.endswith("END")
    assert isinstance(ended.spooled, Path)
    assert ended.spooled.read_text().endswith(whole)
    ended.spooled.unlink()


async def test_a_disk_that_is_full(
    new_session: NewSession,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C27: an output that cannot be kept whole is still cut for the model; a warning says what is missing."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))

    @tool
    async def a() -> str:
        return "x" * 100_000

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        await session.run("U1")
        assert only(told(events), CallEnded)[0].spooled is None
    assert "output.not_kept" in caplog.text


async def test_the_context_of_a_call(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R2: a tool knows its call, its session and a key of its own; `current_call` gives the same."""
    seen: list[ToolContext] = []

    @tool(deadline=7)
    async def a(context: ToolContext, word: str = "x") -> str:
        assert current_call() is context
        seen.append(context)
        return word

    model = Scripted([[call("a", "same"), call("a", "same")], Say("A")])
    async with new_session(model, tools=[a], id="s") as session:
        result = await session.run("U1")
    seen.sort(key=lambda context: context.call.ordinal)
    assert [context.key for context in seen] == ["s/1", "s/2"]
    assert [context.call for context in seen] == list(result.calls)
    assert (seen[0].session, seen[0].deadline, seen[0].stopping) == ("s", 7, True)
    with pytest.raises(LookupError, match="outside of a tool"):
        current_call()


async def test_stopping_is_seen(new_session: NewSession, autojump_clock: MockClock) -> None:
    """A tool that cannot be cancelled may look whether it should stop."""
    seen: list[bool] = []

    @tool(deadline=1)
    async def a(context: ToolContext) -> str:
        seen.append(context.stopping)
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        seen.append(context.stopping)
        return "in time"

    model = Scripted([call("a"), Say("A")])
    async with new_session(model, tools=[a]) as session:
        await session.run("U1")
    assert seen == [False, True]


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_context_variables(new_session: NewSession, autojump_clock: MockClock) -> None:
    """Tools see what the session was opened with, and nothing of each other or of whoever runs a turn."""
    seen: list[str] = []

    @tool
    async def a(value: str) -> str:
        seen.append(VARIABLE.get())
        VARIABLE.set(value)
        await trio.sleep(1)
        return VARIABLE.get()

    model = Scripted(
        [[call("a", "x", value="1"), call("a", "y", value="2")], call("a", "z", value="3"), Say("A")]
    )
    VARIABLE.set("opened")
    async with new_session(model, tools=[a]) as session:
        VARIABLE.set("running")
        result = await session.run("U1")
    assert seen == ["opened"] * 3
    assert [one.outcome and one.outcome.output for one in result.calls] == ["1", "2", "3"]
    assert VARIABLE.get() == "running"


async def test_two_hundred_calls_at_once(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C16: two hundred side by side, each with its own result, in call order."""
    running = most = 0

    @tool
    async def a(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(200 - n)
        running -= 1
        return n

    model = Scripted([[call("a", f"c{n}", n=n) for n in range(200)], Say("A")])
    async with new_session(model, tools=[a], limits=Limits(parallel=200)) as session:
        start = trio.current_time()
        result = await session.run("U1")
        assert trio.current_time() - start == pytest.approx(200, abs=1)
    assert most == 200
    assert len(result.calls) == 200
    assert asked(model)[1].endswith(" ".join(f"O(c{n}: {n})" for n in range(200)))


async def test_two_hundred_calls_that_are_interrupted(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C3: eight run, the others were never started; every one of them has its output."""

    @tool
    async def a(n: int) -> int:
        await trio.sleep_forever()

    model = Scripted([[call("a", f"c{n}", n=n) for n in range(200)], Say("A")])
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        await session.send("U1")
        for _ in range(8):
            await until(events, CallStarted)
        await session.interrupt()
        texts = outputs(session)
        await session.run("U2")
    assert len(texts) == 200
    assert sum("cancelled while it was running" in text for text in texts) == 8
    assert sum("before it started" in text for text in texts) == 192


async def test_two_sessions_at_once(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R2: they share tools, ordinals and call ids, and nothing else."""
    gate = Gate()
    first, second = Scripted([call("a"), Say("A")]), Scripted([call("a"), Say("B")])
    results: dict[str, TurnResult] = {}
    async with (
        new_session(first, tools=[gate.tool]) as one,
        new_session(second, tools=[gate.tool]) as two,
        trio.open_nursery() as nursery,
    ):

        async def run(name: str, session: Session) -> None:
            results[name] = await session.run("U1")

        nursery.start_soon(run, "one", one)
        nursery.start_soon(run, "two", two)
        await gate.started.wait()
        await trio.sleep(1)
        assert gate.calls == 2
        await one.interrupt()
        assert [waiting.what for waiting in two.open] == ["call"]
        gate.go.set()
    assert {name: str(result.stop_reason) for name, result in results.items()} == {
        "one": "interrupted",
        "two": "end_turn",
    }
    assert asked(second) == ["U1", "U1 K(a) O(a: a!)"]


async def test_a_session_inside_a_tool(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C26: a sub-agent is a tool; its tools know where they are, and cannot run a turn of either session."""
    refused: list[str] = []

    @tool
    async def inner_tool(context: ToolContext) -> str:
        assert context.parent is not None
        refused.append(context.parent.session)
        for session in (sessions["outer"], sessions["inner"]):
            with pytest.raises(RuntimeError, match="its own session"):
                await session.run("U")
        return "inner!"

    @tool
    async def agent(task: str) -> str:
        async with Session(inner_model, tools=[inner_tool], id="inner") as inner:
            sessions["inner"] = inner
            return (await inner.run(task)).text

    sessions: dict[str, Session] = {}
    inner_model = Scripted([call("inner_tool", "i"), Say("inner answer")])
    model = Scripted([call("agent", "a", task="T"), Say("A")])
    async with new_session(model, tools=[agent], id="outer") as session:
        sessions["outer"] = session
        await session.run("U1")
    assert refused == ["outer"]
    assert asked(inner_model) == ["T", "T K(i) O(i: inner!)"]
    assert asked(model)[1] == "U1 K(a) O(a: inner answer)"


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_sub_agent_has_no_more_grace_than_its_call(
    new_session: NewSession, autojump_clock: MockClock, depth: int
) -> None:
    """C26: at the end of the outer call's grace all calls are over, the innermost first."""
    order: list[tuple[str, float]] = []
    freed = trio.Event()

    @tool
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await freed.wait()
        return "late"

    def agent(level: int) -> Callable[[], Any]:
        inside = stubborn if level == depth else tool(name="agent")(agent(level + 1))

        async def run() -> str:
            model = Scripted([call(inside.name, "i")])
            limits = Limits(grace=100)
            async with Session(model, tools=[inside], limits=limits, nursery=nursery) as inner:
                follow(inner, f"level {level}")
                return (await inner.run("T")).text

        return run

    @attrs.define(eq=False, slots=False)
    class Witness:
        name: str

        def put(self, event: object) -> None:
            if isinstance(event, CallEnded):
                order.append((self.name, trio.current_time()))

        def close(self) -> None:
            """Nothing is kept."""

    def follow(session: Session, name: str) -> None:
        witness: Any = Witness(name)
        streams.append((session.events(), witness))
        assert session._conductor.streams is not None
        session._conductor.streams.add(witness)

    streams: list[object] = []
    model = Scripted([call("agent", "a"), Say("A")])
    outermost = tool(name="agent")(agent(1))
    async with trio.open_nursery() as nursery:
        async with new_session(model, tools=[outermost], limits=Limits(grace=2)) as session:
            follow(session, "level 0")
            events = session.events()
            await session.send("U1")
            await until(events, CallStarted)
            await trio.sleep(1)
            start = trio.current_time()
            await session.interrupt()
            assert trio.current_time() - start == pytest.approx(2, abs=0.02)
            await trio.sleep(1)
            freed.set()
    assert [name for name, _ in order] == [f"level {level}" for level in range(depth, -1, -1)]
    assert all(when - start <= 2.02 for _, when in order)


async def test_a_sub_agent_that_was_already_stopping(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """C26: an inner interrupt with a long grace is cut short by the outer one."""
    freed = trio.Event()

    @tool
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await freed.wait()
        return "late"

    ended: list[float] = []

    @tool
    async def agent() -> str:
        model = Scripted([call("stubborn", "i")])
        async with Session(model, tools=[stubborn], limits=Limits(grace=100), nursery=nursery) as inner:
            events = inner.events()
            nursery.start_soon(watch, inner)
            await inner.send("T")
            await until(events, CallStarted)
            await inner.interrupt()  # with a grace of 100 s
        return "never"

    async def watch(inner: Session) -> None:
        await until(inner.events(), CallEnded)
        ended.append(trio.current_time())

    model = Scripted([call("agent", "a"), Say("A")])
    async with trio.open_nursery() as nursery:
        async with new_session(model, tools=[agent], limits=Limits(grace=2)) as session:
            await session.send("U1")
            await trio.sleep(10)
            start = trio.current_time()
            await session.interrupt()
            assert trio.current_time() - start == pytest.approx(2, abs=0.02)
            freed.set()
    assert ended[0] - start == pytest.approx(2, abs=0.02)
