"""What a host gets wrong about a session is said where it is given, and names the repair."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from support.journals import AwaitedJournal
from support.live import call
from turnlock import CallEnded, DeclarationError, MemoryJournal, Scripted, Session, TextDelta, tool
from turnlock.models import Say
from turnlock.models.openai import OpenAIResponses


class HalfAJournal:
    """Has what it takes to be written to, and not what it takes to be read."""

    keeps_requests = False

    async def acquire(self, session: str) -> int:
        return 1

    async def append(self, *entries: object) -> None:
        raise AssertionError

    async def release(self, *owner: object) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("instructions", 3, "instructions=3: give text"),
        ("approve", True, "approve=True: give a function that answers for a call"),
        ("limits", {"grace": 1}, r"limits={'grace': 1}: give Limits\(...\)"),
        ("nursery", 3, "nursery=3: give a trio nursery"),
        ("note", 3, "note=3: give text, or None for no note"),
        ("id", 3, "id=3: give text"),
        ("journal", 3, "journal=3 is no journal .*give a path"),
        ("journal", HalfAJournal(), r"is no journal \(it has no read\)"),
        ("journal", MemoryJournal, r"is no journal \(it is a class: make one\)"),
        ("history", [{"role": "user", "content": "Hi"}], "is no item: give another session's `transcript`"),
    ],
)
def test_options_of_the_wrong_kind(option: str, value: object, error: str) -> None:
    """Refused when the session is made, before anything runs."""
    given: dict[str, Any] = {option: value}
    with pytest.raises(TypeError, match=error):
        Session(Scripted([]), **given)


async def test_a_tool_that_the_dialect_has_no_calls_for() -> None:
    """Chat Completions knows functions and custom tools: a session over it says so when it opens."""

    @tool(name="local_shell")
    async def run(command: list[str]) -> str:
        raise AssertionError(command)

    with pytest.raises(DeclarationError, match="openai_chat has no calls of kind local_shell: give it"):
        async with Session(Scripted([], dialect="openai_chat"), tools=[run]):
            raise AssertionError("it does not open")
    async with Session(Scripted([]), tools=[run]):
        pass


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (
            None,
            r"None is no model adapter \(it has no name, dialect, settings, respond\): give 'openai:",
        ),
        (3, "model=3 is no model adapter"),
        (OpenAIResponses, r"is a class: make one, with the model's name"),
    ],
)
def test_models_that_are_none(model: Any, error: str) -> None:
    """The error says what a model is."""
    with pytest.raises(TypeError, match=error):
        Session(model)


async def test_messages_of_the_wrong_kind(autojump_clock: MockClock) -> None:
    """Bytes and single parts are no message; nothing is sent, and the session goes on."""
    model = Scripted([Say("A")])
    async with Session(model) as session:
        for content in (b"Hi", {"type": "input_text", "text": "Hi"}):
            with pytest.raises(TypeError, match=r"give text, or a list of parts"):
                await session.send(content)  # type: ignore[arg-type]
        assert (await session.run("U1")).text == "A"


async def test_calls_by_their_name(autojump_clock: MockClock) -> None:
    """A call is named by the object that events carry: labels may stand there twice."""
    async with Session(Scripted([])) as session:
        for ask in (session.cancel, session.approve, session.deny):
            with pytest.raises(TypeError, match=r"'call_1' is no call: give the one that an event carries"):
                await ask("call_1")  # type: ignore[arg-type]


def test_under_asyncio() -> None:
    """The error says which loop it wants."""

    async def main() -> None:
        async with Session(Scripted([])):
            raise AssertionError("not under this loop")

    with pytest.raises(RuntimeError, match=r"runs under trio, not asyncio: trio\.run"):
        asyncio.run(main())


async def test_in_another_thread() -> None:
    """A session that is called from the loop of another thread says so, and does not wait for ever."""
    async with Session(Scripted([Say("A")])) as session:

        def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="runs in another thread"):
                trio.run(session.run, "U1")

        await trio.to_thread.run_sync(elsewhere)
        assert (await session.run("U1")).text == "A"


async def test_a_turn_that_is_read_without_its_block(autojump_clock: MockClock) -> None:
    """Nothing was sent yet: an error instead of waiting for ever."""
    async with Session(Scripted([Say("A"), Say("B")])) as session:
        turn = session.turn("U1")
        with pytest.raises(RuntimeError, match="enter the turn first: async with"):
            await anext(turn)
        async with turn:
            assert [event.text async for event in turn if isinstance(event, TextDelta)] == ["A"]
        with pytest.raises(RuntimeError, match=r"entered once: call turn\(\) again"):
            async with turn:
                raise AssertionError("not twice")
        assert (await session.run("U2")).text == "B"


async def test_the_result_of_a_turn_that_has_not_ended(autojump_clock: MockClock) -> None:
    """A result is there when the turn has ended, and is no None that somebody forgets."""
    async with Session(Scripted([Say("A")]), journal=AwaitedJournal()) as session:
        async with session.turn("U1") as turn:
            with pytest.raises(RuntimeError, match="the turn has not ended"):
                _ = turn.result
            async for _ in turn:
                pass
            assert turn.result.text == "A"
        assert turn.result.text == "A"


async def test_the_outcome_of_a_call_that_has_ended(autojump_clock: MockClock) -> None:
    """The event that tells of the end has the outcome, whatever a type checker knows of calls."""

    @tool
    async def ls() -> str:
        return "two files"

    async with Session(Scripted([call("ls"), Say("A")]), tools=[ls]) as session, session.turn("U1") as turn:
        texts = [event.outcome.model_text async for event in turn if isinstance(event, CallEnded)]
    assert texts == ["two files"]
