"""The scripted model: what it plays is played in both dialects, and it never runs dry silently."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from support.live import asked, call, written
from turnlock import Cause, ModelError, Scripted, Session, StopReason, Text, Usage, tool
from turnlock.models import Fail, Invoke, Pause, Request, Response, Say, Stop
from turnlock.strict import judge_chat, judge_responses

BOTH = pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat"])


@tool
async def a(n: int = 0) -> str:
    """Answer at once."""
    return f"a{n}"


@BOTH
async def test_a_whole_script(autojump_clock: MockClock, dialect: str) -> None:
    """Text, calls, pauses and ends, request after request; every body is one that the provider takes."""
    model = Scripted(
        [
            [Say("Let me see."), call("a", "x", n=1), Pause(1), Invoke("a", '{"n": 2}')],
            Say("Done."),
            [Say("Half"), Stop("length")],
        ],
        dialect=dialect,
    )
    assert model.name == "scripted"
    async with Session(model, tools=[a], instructions="Be brief.") as session:
        first = await session.run("U1")
        second = await session.run("U2")
    assert [one.outcome and one.outcome.output for one in first.calls] == ["a1", "a2"]
    assert (first.text, first.usage) == ("Done.", Usage(20, 10))
    assert (second.text, second.stop_reason) == ("Half", StopReason.MAX_TOKENS)
    assert asked(model)[1].replace("Be brief. ", "") == (
        "U1 Let me see. K(x) K(call_1_2) O(x: a1) O(call_1_2: a2)"
    )
    judge = judge_chat if dialect == "openai_chat" else judge_responses
    assert [judge(body) for body in model.bodies] == [None] * 3


async def test_text_comes_in_pieces(autojump_clock: MockClock) -> None:
    """As many as its size says."""
    said: list[str] = []

    async with Session(Scripted([Say("123456789", size=4)])) as session, session.turn("U1") as turn:
        said = [event.text async for event in turn if hasattr(event, "text")]
    assert said == ["1234", "5678", "9"]


async def test_a_script_that_is_over(autojump_clock: MockClock) -> None:
    """It says so, and the turn fails."""
    async with Session(Scripted([Say("A")])) as session:
        await session.run("U1")
        result = await session.run("U2")
    assert result.stop_reason is StopReason.FAILED
    assert result.error == "the script is over: it has 1 answers"


@BOTH
async def test_what_is_cut(autojump_clock: MockClock, dialect: str) -> None:
    """A call that is not complete is answered "cut off", in both dialects."""
    model = Scripted([[Invoke("a", '{"n', complete=False), Stop("length")], Say("A")], dialect=dialect)
    async with Session(model, tools=[a]) as session:
        result = await session.run("U1")
    assert result.calls[0].outcome is not None
    assert result.calls[0].outcome.cause is Cause.CUT_OFF


async def test_a_pause_may_wait_for_an_event(autojump_clock: MockClock) -> None:
    """So that a test decides when the model goes on."""
    go = trio.Event()
    async with Session(Scripted([[Pause(go), Say("A")]])) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.run, "U1")
        await trio.sleep(10)
        assert session.open
        go.set()


async def test_how_it_fails(autojump_clock: MockClock) -> None:
    """A failure is the error that an adapter would raise, with its wait."""
    model = Scripted([Fail("overflow", "too long", retry_after=3.0)])

    class Deaf:
        def __getattr__(self, name: str) -> object:
            return lambda *args, **kwargs: None

    with pytest.raises(ModelError) as caught:
        await model.respond(Request(1, b"{}", [], 0), Deaf())  # type: ignore[arg-type]  # nothing is told
    assert (caught.value.trouble, caught.value.text, caught.value.retry_after) == (
        "overflow",
        "too long",
        3.0,
    )
    assert str(caught.value) == "overflow: too long"


def test_values() -> None:
    """What adapters hand over are plain values."""
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
    assert Response().usage is None
    request = Request(1, b"x", [Text("one", 1), Text("two", 1)], 1)
    assert request.items == [Text("one", 1)]
    assert written({"messages": [{"role": "user", "content": "U"}]}) == "U"
