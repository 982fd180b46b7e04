"""Sessions from end to end: the real clients, real HTTP on loopback, the strict provider at the other end."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from anthropic import AsyncAnthropic
from attrs import define
from openai import AsyncOpenAI

from support.journals import AwaitedJournal
from support.live import Gate, only, told, until, written
from support.wire_server import END, OK, WireServer, sse, text_item
from turnlock import (
    ApprovalRequested,
    Cause,
    Fate,
    Invocation,
    Limits,
    RetryScheduled,
    Session,
    StopReason,
    TextDelta,
    TextDiscarded,
    Tool,
    TurnResult,
    tool,
)
from turnlock.engine import CallKind
from turnlock.journal import RequestSent
from turnlock.models import Model
from turnlock.models.anthropic import AnthropicMessages
from turnlock.models.openai import OpenAIChat, OpenAIResponses
from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import serve

EACH = pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat", "anthropic"])
BY_ITEM = pytest.mark.parametrize("dialect", ["openai_responses", "anthropic"])  # completed one by one
TOO_LONG = {"anthropic": "prompt is too long: 210000 tokens > 200000 maximum"}
FAST = Limits(backoff=0.01, backoff_max=0.05)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


@define(eq=False)
class World:
    """A provider that plays a script, and sessions with it."""

    provider: StrictProvider
    client: AsyncOpenAI | AsyncAnthropic
    dialect: str

    def session(self, *tools: Tool, **options: Any) -> Session:
        options.setdefault("limits", FAST)
        return Session(self.model(), tools=tools, **options)

    def model(self) -> Model:
        if isinstance(self.client, AsyncAnthropic):
            return AnthropicMessages("m", client=self.client)
        made = OpenAIChat if self.dialect == "openai_chat" else OpenAIResponses
        return made("m", client=self.client)

    @property
    def asked(self) -> list[str]:
        return [written(exchange.raw) for exchange in self.provider.exchanges]

    @property
    def statuses(self) -> list[int]:
        return [exchange.status for exchange in self.provider.exchanges]


Play = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def play() -> Play:
    """A world with this script; at its end no body may have been refused for its history."""

    @asynccontextmanager
    async def opened(dialect: str, *lines: dict[str, Any]) -> AsyncIterator[World]:
        provider = StrictProvider(Script.of(*lines))
        http = httpx2.AsyncClient(verify=False)  # loading certificates takes longer than all the rest
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                base_url = await nursery.start(serve, provider)
                async with client_for(dialect, base_url, http) as client:
                    yield World(provider, client, dialect)
                nursery.cancel_scope.cancel()
        assert [exchange.rule for exchange in provider.exchanges if exchange.rule] == []

    return opened


def client_for(dialect: str, base_url: str, http: httpx2.AsyncClient) -> AsyncOpenAI | AsyncAnthropic:
    if dialect == "anthropic":
        base_url = base_url.removesuffix("/v1")  # which its paths begin with
        return AsyncAnthropic(base_url=base_url, api_key="sk-ant-x", http_client=http)
    return AsyncOpenAI(base_url=base_url, api_key="sk-x", http_client=http)


@tool
async def ls(path: str = ".") -> str:
    """List a folder."""
    return f"{path}: two files"


@EACH
async def test_normal(play: Play, dialect: str) -> None:
    """C1 and R15: the bytes that the provider gets are those that were checked and recorded."""
    journal = AwaitedJournal(keeps_requests=True)
    async with play(
        dialect,
        {"text": "Let me look.", "calls": [{"name": "ls", "arguments": {"path": "docs"}, "id": "a"}]},
        {"text": "Two files."},
    ) as world:
        async with world.session(ls, journal=journal, id="s", instructions="Be brief.") as session:
            result = await session.run("How many?")
        assert (result.text, result.stop_reason) == ("Two files.", StopReason.END_TURN)
        assert world.asked[-1].removeprefix("Be brief. ") == (
            "How many? Let me look. K(a) O(a: docs: two files)"
        )
        recorded = [entry.body for entry in journal.entries["s"] if isinstance(entry, RequestSent)]
        assert recorded == [exchange.raw for exchange in world.provider.exchanges]
        assert [exchange.ended for exchange in world.provider.exchanges] == ["complete"] * 2
        assert result.usage.input_tokens > 0
        assert result.usage.output_tokens > 0
        assert session.usage == result.usage


@BY_ITEM
async def test_cut_behind_a_complete_call(play: Play, dialect: str) -> None:
    """C18: a runs once, b was never a call; the next request goes on from K(a), O(a)."""
    calls = [{"name": "a", "id": "a"}, {"name": "b", "id": "b", "arguments": {"text": "half of this"}}]
    gate, other = Gate("a"), Gate("b")
    gate.go.set()
    async with play(dialect, {"calls": calls, "cut_after": 1}, {"text": "Done."}) as world:
        async with world.session(gate.tool, other.tool) as session:
            events = session.events()
            result = await session.run("Go.")
            assert only(told(events), TextDiscarded) == []
        assert [one.name for one in result.calls] == ["a"]
        assert (gate.calls, other.calls) == (1, 0)
        assert world.asked == ["Go.", "Go. K(a) O(a: a!)"]


async def test_cut_in_a_chat_answer(play: Play) -> None:
    """C18: neither is a call; what was shown is void, and it is asked again."""
    line = {"text": "Let me see.", "calls": [{"name": "ls", "id": "a"}], "cut_after": 1}
    async with play("openai_chat", line, {"text": "Done."}) as world:
        async with world.session(ls) as session:
            events = session.events()
            result = await session.run("Go.")
            seen = told(events)
        assert (result.text, result.calls) == ("Done.", ())
        assert only(seen, TextDiscarded) == [TextDiscarded(1, 1, "Let me see.")]
        assert world.asked == ["Go.", "Go."]


@EACH
async def test_cut_before_anything(play: Play, dialect: str) -> None:
    """C23: a connection that breaks before the first item is asked again."""
    async with play(dialect, {"text": "Never.", "cut_after": 0}, {"text": "Done."}) as world:
        async with world.session() as session:
            assert (await session.run("Go.")).text == "Done."
        assert world.asked == ["Go.", "Go."]


@EACH
async def test_errors_of_the_server(play: Play, dialect: str) -> None:
    """C23: 500 and 429 are asked again after their wait; the SDK asks nothing again by itself."""
    async with play(
        dialect,
        {"status": 500},
        {"status": 429, "retry_after": 0.3, "message": "Slow down."},
        {"status": 503},
        {"text": "Done."},
    ) as world:
        async with world.session() as session:
            events = session.events()
            result = await session.run("Go.")
            pauses = [event.seconds for event in only(told(events), RetryScheduled)]
        assert result.text == "Done."
        assert world.statuses == [500, 429, 503, 200]
        assert [pause > 0.2 for pause in pauses] == [False, True, False]
        assert len({exchange.raw for exchange in world.provider.exchanges}) == 1


@EACH
async def test_retries_exhausted(play: Play, dialect: str) -> None:
    """C50: the turn has failed; the session is usable, and says why."""
    async with play(dialect, *[{"status": 500, "message": "On fire."}] * 3, {"text": "Done."}) as world:
        async with world.session(limits=Limits(retries=2, backoff=0.01)) as session:
            result = await session.run("Go.")
            assert (result.stop_reason, result.error) == (StopReason.FAILED, "On fire.")
            assert (await session.run("Again.")).text == "Done."
        assert world.asked == ["Go."] * 3 + ["Go. Again."]


@EACH
async def test_a_refused_message(play: Play, dialect: str) -> None:
    """C51: it comes back with the literal text; the next one is accepted."""
    async with play(dialect, {"status": 400, "message": "Naughty."}, {"text": "Done."}) as world:
        async with world.session() as session:
            result = await session.run("Go.")
            assert (result.stop_reason, result.error) == (StopReason.REFUSED, "Naughty.")
            assert result.receipt is not None
            assert (result.receipt.state, result.receipt.reason) == (Fate.RETURNED, "Naughty.")
            assert (await session.run("Nicer.")).text == "Done."
        assert world.asked == ["Go.", "Nicer."]


@EACH
async def test_a_refused_output(play: Play, dialect: str) -> None:
    """C52: it is replaced by a text that says so, and accepted."""
    async with play(
        dialect,
        {"calls": [{"name": "ls", "id": "a"}]},
        {"status": 400, "message": "Not that."},
        {"text": "Done."},
    ) as world:
        async with world.session(ls) as session:
            assert (await session.run("Go.")).stop_reason is StopReason.REFUSED
            assert (await session.run()).text == "Done."
        assert world.asked[2] == (
            "Go. K(a) O(a: The output was refused by the provider (Not that.) and is left out.)"
        )


@EACH
async def test_the_context_is_too_long(play: Play, dialect: str) -> None:
    """C53: context_overflow; nothing is returned, nothing is asked again."""
    text = TOO_LONG.get(dialect, "Too long.")
    line = {"status": 400, "code": "context_length_exceeded", "message": text}
    async with play(dialect, line) as world:
        async with world.session() as session:
            result = await session.run("Go.")
        assert (result.stop_reason, result.error) == (StopReason.CONTEXT_OVERFLOW, text)
        assert result.receipt is not None
        assert result.receipt.state is Fate.DELIVERED
        assert world.statuses == [400]


@EACH
async def test_a_wrong_key(play: Play, dialect: str) -> None:
    """C50: what no asking will mend fails at once."""
    async with play(dialect, {"status": 401, "message": "Who are you?"}) as world:
        async with world.session() as session:
            result = await session.run("Go.")
        assert (result.stop_reason, result.error) == (StopReason.FAILED, "Who are you?")
        assert len(world.statuses) == 1


@EACH
async def test_the_length_limit(play: Play, dialect: str) -> None:
    """R12: the call that was cut is not run, and answered; the turn goes on."""
    calls = [{"name": "ls", "id": "a"}, {"name": "ls", "id": "b", "arguments": {"path": "somewhere else"}}]
    async with play(dialect, {"calls": calls, "finish": "length"}, {"text": "Done."}) as world:
        async with world.session(ls) as session:
            result = await session.run("Go.")
        causes = [one.outcome.cause for one in result.calls if one.outcome]
        assert causes == [Cause.RETURNED, Cause.CUT_OFF]
        assert world.asked[1].endswith("O(b: Tool not run: its arguments were cut off.)")


KINDS: dict[CallKind, dict[str, Any]] = {
    CallKind.FUNCTION: {"name": "f", "arguments": {"x": 1}},
    CallKind.CUSTOM: {"name": "f", "arguments": "some input"},
    CallKind.LOCAL_SHELL: {"arguments": {"command": ["ls"], "timeout_ms": 5}},
    CallKind.SHELL: {"arguments": {"commands": ["ls"], "max_output_length": 9}},
    CallKind.APPLY_PATCH: {"arguments": {"type": "update_file", "path": "a", "diff": "+b"}},
    CallKind.COMPUTER: {"arguments": {"type": "screenshot"}},
    CallKind.TOOL_SEARCH: {"arguments": {"goal": "find"}},
    CallKind.MCP_APPROVAL: {"name": "f", "arguments": {"x": 1}},
}


def tool_for(kind: CallKind, *, approval: bool | None = None) -> list[Tool]:
    """A tool that answers this kind of call; the runtime answers MCP approvals itself."""
    if kind is CallKind.MCP_APPROVAL:
        return []

    async def function(x: int = 0) -> str:
        return f"got {x}"

    async def custom(text: str) -> str:
        return f"got {text}"

    async def built_in(**arguments: Any) -> str:
        return f"got {sorted(arguments)}"

    bodies: dict[CallKind, Callable[..., Any]] = {CallKind.FUNCTION: function, CallKind.CUSTOM: custom}
    name = "f" if kind in bodies else None
    return [tool(name=name or kind, kind=kind, approval=approval)(bodies.get(kind, built_in))]


@pytest.mark.parametrize("kind", list(KINDS), ids=str)
async def test_every_kind_of_call(play: Play, kind: CallKind) -> None:
    """C1: each goes to its tool, its output is of a kind that the provider accepts, and the turn goes on."""
    line = {"calls": [{"kind": str(kind), "id": "a", **KINDS[kind]}]}
    async with play("openai_responses", line, {"text": "Done."}) as world:
        async with world.session(*tool_for(kind, approval=False), approve=lambda _call: True) as session:
            result = await session.run("Go.")
        assert result.text == "Done."
        assert result.calls[0].outcome is not None
        assert result.calls[0].outcome.cause is Cause.RETURNED
        assert result.calls[0].call.kind is kind
        assert world.statuses == [200, 200]


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        *(("openai_responses", kind) for kind in KINDS),
        ("openai_chat", CallKind.FUNCTION),
        ("openai_chat", CallKind.CUSTOM),
        ("anthropic", CallKind.FUNCTION),
    ],
    ids=str,
)
async def test_the_origin_story(play: Play, dialect: str, kind: CallKind) -> None:
    """C4: interrupted before its approval, then a question: for every kind the next request is accepted."""
    line = {"calls": [{"kind": str(kind), "id": "a", **KINDS[kind]}]}

    async def approve(_call: Invocation) -> bool:
        await trio.sleep_forever()

    async with play(dialect, line, {"text": "Done."}) as world:
        async with world.session(*tool_for(kind, approval=True), approve=approve) as session:
            events = session.events()
            await session.send("Go.")
            await until(events, ApprovalRequested)
            await session.interrupt()
            assert (await session.run("Which Python is this?")).text == "Done."
        assert world.statuses == [200, 200]
        assert world.asked[1].startswith("Go. K(a) O(a: ")
        assert world.asked[1].endswith(" M Which Python is this?")


async def test_an_interrupt_while_text_streams() -> None:
    """C3 and R7: what was shown is kept, without provider ids; the next request has a new connection."""
    delta = {"type": "response.output_text.delta", "delta": "Half an "}
    begun = {"type": "response.output_item.added", "item": text_item("")}
    done = [{"type": "response.output_item.done", "item": text_item("Done.", "msg_2")}]
    end = {"type": "response.completed", "response": {"id": "resp_2"}}
    server = WireServer([[OK, sse(begun, delta), trio.Event()], [OK, sse(*done, end), END]])
    http = httpx2.AsyncClient(verify=False)
    with trio.fail_after(20):
        async with (
            server.serving() as base_url,
            AsyncOpenAI(base_url=base_url, api_key="sk-x", http_client=http) as client,
            Session(OpenAIResponses("m", client=client)) as session,
        ):
            events = session.events()
            results: list[TurnResult] = []

            async def run() -> None:
                results.append(await session.run("Go."))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(events, TextDelta)
                await session.interrupt()
            assert (results[0].stop_reason, results[0].text) == (StopReason.INTERRUPTED, "Half an ")
            assert (await session.run("And?")).text == "Done."
        assert server.connections == 2
    assert b"msg_1" not in server.bodies[1]
    assert written(server.bodies[1]) == "Go. Half an  M And?"


@EACH
async def test_typed_while_a_tool_runs(play: Play, dialect: str) -> None:
    """C2 and C3 in one conversation: steered, stopped, and gone on; every request is accepted."""
    slow, stuck = Gate("slow"), Gate("stuck")
    async with play(
        dialect,
        {"when": "One.", "calls": [{"name": "ls", "id": "a"}, {"name": "slow", "id": "b"}]},
        {"when": "Two.", "calls": [{"name": "stuck", "id": "c"}]},
        {"when": "Three.", "text": "Done."},
    ) as world:
        async with world.session(ls, slow.tool, stuck.tool) as session:
            await session.send("One.")
            await slow.started.wait()
            steered = await session.send("Two.")
            slow.go.set()
            await stuck.started.wait()
            await session.interrupt()
            result = await session.run("Three.")
        # Chat has both calls in one message; Anthropic has what is between two answers in one, too.
        rows = {"openai_responses": 5, "openai_chat": 4, "anthropic": 2}[dialect]
        assert (steered.request, steered.index) == (2, rows)
        assert result.text == "Done."
        assert world.statuses == [200, 200, 200]


async def test_reasoning_goes_back(play: Play) -> None:
    """C41: reasoning is sent back with the item that it belongs to, by its id."""
    lines = [{"reasoning": "Hm.", "calls": [{"name": "ls", "id": "a"}]}, {"text": "Done."}]
    async with play("openai_responses", *lines) as world:
        async with world.session(ls) as session:
            await session.run("Go.")
        assert written(world.provider.exchanges[1].raw) == "Go. reasoning K(a) O(a: .: two files)"


async def test_the_demo_model() -> None:
    """`Session("demo")` needs no key and no socket; its bodies are judged like all others."""
    async with Session("demo", tools=[count_files]) as session:
        result = await session.run("How many files are in docs?")
    assert result.text == "There are 3 files in docs."
    assert [one.name for one in result.calls] == ["count_files"]


@tool
async def count_files(folder: str) -> str:
    """Count the files of a folder."""
    return f"{folder}: 3 files"
