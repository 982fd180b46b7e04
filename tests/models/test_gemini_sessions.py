"""Sessions with Gemini from end to end: the SDK's client, real HTTP, and a server that checks every body."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from attrs import define

pytest.importorskip("google.genai", reason="the extra google-genai is not installed")

from support.gemini_server import GeminiServer, answer, called, piece, refusal, said, sdk
from support.live import Gate, only, told
from support.wire_server import OK, Step, sse
from turnlock import (
    Call,
    Cause,
    Fate,
    Limits,
    Message,
    Output,
    RetryScheduled,
    Session,
    StopReason,
    TextDiscarded,
    Tool,
    tool,
)
from turnlock.engine import Item
from turnlock.engine.outcome import returned
from turnlock.models.gemini import Gemini

FAST = Limits(backoff=0.01, backoff_max=0.05)
NOTE = "The user interrupted this turn. Tools that were running may have had effects."


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


@define(eq=False)
class World:
    """A server that plays a script, and sessions with it."""

    server: GeminiServer
    model: Gemini

    def session(self, *tools: Tool, **options: Any) -> Session:
        options.setdefault("limits", FAST)
        return Session(self.model, tools=tools, **options)

    @property
    def asked(self) -> list[str]:
        return self.server.asked


@asynccontextmanager
async def play(*script: list[Step | None]) -> AsyncIterator[World]:
    """A world with this script; at its end no body may have been refused for its history."""
    server = GeminiServer(script)
    async with server.serving() as base_url, httpx2.AsyncClient(verify=False) as http:
        client = sdk(base_url, http)
        try:
            with trio.fail_after(30):
                yield World(server, Gemini("gemini-3-pro", client=client))
        finally:
            client.close()
    assert server.broken == []


@tool
async def ls(path: str = ".") -> str:
    """List a folder."""
    return f"{path}: two files"


@tool
async def fails() -> str:
    """Fail."""
    raise ValueError("no such folder")


async def test_parallel_calls() -> None:
    """C1, C5, GEM-PARITY: one content holds both responses, in call order; signatures are back in place."""
    first = answer(said("Let me look."), called("ls", "a", path="docs"), called("fails", "", ""))
    async with play(first, answer(said("Two "), said("files."))) as world:
        async with world.session(ls, fails, instructions="Be brief.") as session:
            result = await session.run("How many?")
        assert (result.text, result.stop_reason) == ("Two files.", StopReason.END_TURN)
        assert (result.usage.input_tokens, result.usage.output_tokens) == (14, 10)
        assert world.asked[1] == (
            "How many? | Let me look. K(a) K(fails)"
            " | O(a: docs: two files) O(fails: Tool error: ValueError: no such folder)"
        )
        assert b'"thoughtSignature":"c2ln"' in world.server.wire.bodies[1]
        assert world.server.wire.bodies[0].startswith(b'{"tools":[{"functionDeclarations":[{"name":"ls"')


async def test_a_message_typed_while_a_tool_runs() -> None:
    """C2, GEM-MIXED-TURN: it waits for the call, and is a content of its own behind the response."""
    a = Gate("a")
    async with play(answer(called("a", "k")), answer(said("Both."))) as world:
        async with world.session(a.tool) as session:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run, "U1")
                await a.started.wait()
                receipt = await session.send("U2")
                assert receipt.state is Fate.HELD
                a.go.set()
            assert (receipt.state, receipt.request, receipt.index) == (Fate.DELIVERED, 2, 3)
        assert world.asked == ["U1", "U1 | K(k) | O(k: a!) | U2"]


async def test_an_interrupt_while_a_tool_runs() -> None:
    """C3: the call is answered with the truth, then the note, then the message; two requests in all."""
    a = Gate("a")
    async with play(answer(called("a", "k")), answer(said("Ok."))) as world:
        async with world.session(a.tool, limits=Limits(grace=0.1)) as session:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run, "U1")
                await a.started.wait()
                await session.interrupt()
            output = next(item for item in session.transcript if isinstance(item, Output))
            assert output.outcome.cause is Cause.INTERRUPTED
            assert (await session.run("U2")).text == "Ok."
        assert world.asked == ["U1", f"U1 | K(k) | O(k: {output.model_text}) | {NOTE} | U2"]


async def test_an_interrupt_while_the_model_speaks() -> None:
    """R7: what was shown is kept as plain text, its thoughts and signatures are not."""
    hangs = trio.Event()
    steps: list[Step | None] = [OK, sse(piece(said("hm", thought=True)), piece(said("So f"))), hangs]
    async with play(steps, answer(said("Ok."))) as world:
        async with world.session() as session:
            async with session.turn("U1") as turn:
                async for event in turn:
                    if getattr(event, "text", "") == "So f":
                        break
            hangs.set()
            await session.run("U2")
        assert world.asked[1] == f"U1 | So f | {NOTE} | U2"


async def test_a_length_stop() -> None:
    """The turn ends max_tokens; its text is in the history, and so goes on."""
    cut = answer(said("Once upon"), finish="MAX_TOKENS")
    async with play(cut, answer(said(" a time."))) as world, world.session() as session:
        assert (await session.run("A story.")).stop_reason is StopReason.MAX_TOKENS
        assert (await session.run("Go on.")).text == " a time."
        assert world.asked[1] == "A story. | Once upon | Go on."


async def test_a_refusal() -> None:
    """C51, R20: the message comes back with Google's words; the next one is accepted."""
    no: list[Step | None] = [refusal(400, "Unable to process input image.")]
    async with play(no, answer(said("Hi."))) as world, world.session() as session:
        refused = await session.run("See this")
        assert (refused.stop_reason, refused.error) == (StopReason.REFUSED, "Unable to process input image.")
        assert refused.receipt is not None
        assert refused.receipt.state is Fate.RETURNED
        assert (await session.run("Hello")).text == "Hi."
        assert world.asked == ["See this", "Hello"]


async def test_a_context_that_is_too_long() -> None:
    """C53: nothing is returned; the host compacts."""
    text = "The input token count (9) exceeds the maximum number of tokens allowed (8)."
    async with play([refusal(400, text)]) as world, world.session() as session:
        result = await session.run("U1")
        assert (result.stop_reason, result.error) == (StopReason.CONTEXT_OVERFLOW, text)
        assert [type(item) for item in session.transcript] == [Message]


async def test_a_cut_stream_and_a_busy_server() -> None:
    """C18, C23: a call that was whole runs once; the rest is asked again, when Google says."""
    a = Gate("a")
    a.go.set()
    cut: list[Step | None] = [
        OK,
        sse(piece(said("I look.")), piece(called("a", "k")), piece(said("and"))),
        None,
    ]
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.3s"}
    busy: list[Step | None] = [refusal(429, "slow down", "RESOURCE_EXHAUSTED", info)]
    async with play(cut, busy, answer(said("Done."))) as world:
        async with world.session(a.tool) as session:
            events = session.events()
            result = await session.run("U1")
            told_ = told(events)
        assert (result.text, result.requests, a.calls) == ("Done.", 3, 1)
        assert world.asked == ["U1", *["U1 | I look. K(k) | O(k: a!)"] * 2]
        assert 0.1 < only(told_, RetryScheduled)[-1].seconds <= 0.3
        assert only(told_, TextDiscarded)


async def test_an_answer_that_the_model_got_wrong_is_asked_again() -> None:
    """R12: MALFORMED_FUNCTION_CALL is no call; nothing of that answer is in the history."""
    wrong = answer(said("I will call"), finish="MALFORMED_FUNCTION_CALL")
    async with play(wrong, answer(said("Hi."))) as world, world.session() as session:
        assert (await session.run("U1")).text == "Hi."
        assert world.asked == ["U1", "U1"]


async def test_a_history_of_another_model_goes_on() -> None:
    """C41, GEM-SIG-MISSING: calls that nobody here signed carry the documented stand-in, and are accepted."""
    history: list[Item] = [
        Message("m", "U1"),
        Call(1, "call_1", "ls", "{}", 1),
        Output(1, returned("two files")),
    ]
    async with play(answer(said("Two."))) as world:
        async with world.session(ls, history=history) as session:
            await session.run()
        assert world.asked == ["U1 | K(call_1) | O(call_1: two files)"]
        assert b"skip_thought_signature_validator" in world.server.wire.bodies[0]
