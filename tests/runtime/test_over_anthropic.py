"""Sessions with Anthropic's dialect from end to end: what only it has, or has in a way of its own.

The real client, real HTTP on loopback, the strict provider at the other end, which may be held in the middle
of an answer. The stories that all dialects share stand in ``test_over_http.py``.
"""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from anthropic import AsyncAnthropic
from attrs import define, field

from support.live import Gate, until, written
from turnlock import (
    AnthropicMessages,
    Cause,
    Fate,
    Limits,
    ReasoningDelta,
    Session,
    StopReason,
    TextDelta,
    Tool,
    ToolContext,
    tool,
)
from turnlock.strict import Reply, Script, StrictProvider
from turnlock.strict.server import serve

FAST = Limits(backoff=0.01, backoff_max=0.05)
SEARCH = {"name": "web_search", "kind": "server", "open": True, "arguments": {"query": "x"}}


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


@define(eq=False)
class Held(StrictProvider):
    """A provider that can be held before a part of an answer: which request, and how many events are out.

    Attributes:
        holds: When each may go on.
        held: It waits there.
    """

    holds: dict[tuple[int, int], trio.Event] = field(factory=dict, kw_only=True)
    held: trio.Event = field(factory=trio.Event, init=False)

    def respond(self, method: str, path: str, headers: Iterable[tuple[str, str]], raw: bytes) -> Reply:
        reply = super().respond(method, path, headers, raw)
        number = len(self.exchanges)
        reply.pace = lambda at: self._wait(self.holds[number, at]) if (number, at) in self.holds else None
        return reply

    async def _wait(self, event: trio.Event) -> None:
        self.held.set()
        await event.wait()


@define(eq=False)
class World:
    """A provider that plays a script, and sessions with it."""

    provider: Held
    client: AsyncAnthropic

    def session(self, *tools: Tool, thinks: bool = False, **options: Any) -> Session:
        options.setdefault("limits", FAST)
        asked = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if thinks else {}
        return Session(AnthropicMessages("claude-x-5", asked, client=self.client), tools=tools, **options)

    @property
    def asked(self) -> list[str]:
        return [written(exchange.raw) for exchange in self.provider.exchanges]

    def rows(self, request: int) -> list[dict[str, Any]]:
        return list(json.loads(self.provider.exchanges[request - 1].raw)["messages"])

    def answer(self, request: int) -> list[Any]:
        return list(self.provider.exchanges[request - 1].answer)


@asynccontextmanager
async def play(
    *lines: dict[str, Any], hold: tuple[int, int] | None = None
) -> AsyncIterator[tuple[World, trio.Event]]:
    """A world with this script, and what lets the answer go on; at its end no body may have been refused."""
    go = trio.Event()
    provider = Held(Script.of(*lines), holds={} if hold is None else {hold: go})
    http = httpx2.AsyncClient(verify=False)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            base_url = (await nursery.start(serve, provider)).removesuffix("/v1")
            async with AsyncAnthropic(base_url=base_url, api_key="sk-ant-x", http_client=http) as client:
                yield World(provider, client), go
            nursery.cancel_scope.cancel()
    assert [exchange.rule for exchange in provider.exchanges if exchange.rule] == []
    assert {exchange.status for exchange in provider.exchanges} <= {200, 529}


@tool
async def ls(path: str = ".") -> str:
    """List a folder."""
    return f"{path}: two files"


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────


async def test_three_parallel_calls() -> None:
    """C5: result, error, timed out with what it had said: one user row, in call order, errors marked."""

    @tool
    async def raises() -> str:
        """Fail."""
        raise ValueError("no such folder")

    @tool(deadline=0.2)
    async def hangs(context: ToolContext) -> None:
        """Say something, and no more."""
        context.output("half of it")
        await trio.sleep_forever()

    calls = [{"name": name, "id": name} for name in ("ls", "raises", "hangs")]
    async with play({"text": "Let me look.", "calls": calls}, {"text": "Done."}) as (world, _):
        async with world.session(ls, raises, hangs) as session:
            result = await session.run("Go.")
        assert (result.text, result.stop_reason) == ("Done.", StopReason.END_TURN)
        said, outputs = world.rows(2)[1:]
        assert [block["type"] for block in said["content"]] == ["text", *["tool_use"] * 3]
        assert [block["tool_use_id"] for block in outputs["content"]] == ["ls", "raises", "hangs"]
        assert [block.get("is_error", False) for block in outputs["content"]] == [False, True, True]
        texts = [block["content"] for block in outputs["content"]]
        assert texts[:2] == [".: two files", "Tool error: ValueError: no such folder"]
        assert texts[2].startswith("Tool timed out after 0.2 s: it may have had effects.")
        assert texts[2].endswith("half of it")


async def test_a_tool_starts_before_the_response_ends() -> None:
    """C17: at its content_block_stop; the provider holds back the rest until the tool runs."""
    a, b = Gate("a"), Gate("b")
    calls = [{"name": "a", "id": "a"}, {"name": "b", "id": "b"}]
    async with play({"calls": calls}, {"text": "Done."}, hold=(1, 8)) as (world, go):
        async with world.session(a.tool, b.tool) as session, trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "Go.")
            await a.started.wait()
            assert not b.started.is_set()
            assert world.provider.exchanges[0].ended is None
            go.set()
            await b.started.wait()
            a.go.set()
            b.go.set()
        assert world.asked[1] == "Go. K(a) K(b) O(a: a!) O(b: b!)"


async def test_arguments_that_are_wrong() -> None:
    """C19: not JSON, no object, against the schema: not run, and the model gets the reason."""
    wrong = ['{"path": ', "[1]", '{"path": [1]}']
    calls: list[dict[str, Any]] = [
        {"name": "ls", "id": f"c{at}", "arguments": each} for at, each in enumerate(wrong)
    ]
    calls.append({"name": "ls", "id": "right", "arguments": {"path": "docs"}})
    async with play({"calls": calls}, {"text": "Done."}) as (world, _):
        async with world.session(ls) as session:
            result = await session.run("Go.")
        causes = [each.outcome.cause for each in result.calls if each.outcome]
        assert causes == [*[Cause.BAD_ARGUMENTS] * 3, Cause.RETURNED]
        said, outputs = world.rows(2)[1:]
        assert [block["input"] for block in said["content"]] == [{}, {}, {"path": [1]}, {"path": "docs"}]
        texts = [block["content"] for block in outputs["content"]]
        assert all(text.startswith("Tool not run: its arguments are not valid: ") for text in texts[:3])


async def test_a_call_that_the_length_limit_cut() -> None:
    """C19, R12: it is kept with {}, not run, and answered; the call before it runs."""
    calls = [{"name": "ls", "id": "a"}, {"name": "ls", "id": "b", "arguments": {"path": "somewhere"}}]
    async with play({"calls": calls, "finish": "length"}, {"text": "Done."}) as (world, _):
        async with world.session(ls) as session:
            await session.run("Go.")
        said = world.rows(2)[1]["content"]
        assert [(block["id"], block["input"]) for block in said] == [("a", {}), ("b", {})]
        assert world.asked[1].endswith("O(a: .: two files) O(b: Tool not run: its arguments were cut off.)")


async def test_odd_ids() -> None:
    """C22, C20: empty, too long, with a colon, and one twice: within the provider's limits, on both sides."""
    ids = ["", "x" * 70, "terminal:0", "a", "a"]
    calls = [{"name": "ls", "id": each, "arguments": {"path": str(at)}} for at, each in enumerate(ids)]
    async with play({"calls": calls}, {"text": "Done."}) as (world, _):
        async with world.session(ls) as session:
            await session.run("Go.")
        said, outputs = world.rows(2)[1:]
        wire_ids = [block["id"] for block in said["content"]]
        assert [block["tool_use_id"] for block in outputs["content"]] == wire_ids
        assert len(set(wire_ids)) == 5
        assert [block["content"][0] for block in outputs["content"]] == list("01234")


async def test_an_overloaded_provider() -> None:
    """C23: 529, in the words of Anthropic, is asked again."""
    async with play({"status": 529, "message": "Overloaded"}, {"text": "Done."}) as (world, _):
        async with world.session() as session:
            assert (await session.run("Go.")).text == "Done."
        assert [exchange.status for exchange in world.provider.exchanges] == [529, 200]
        assert len({exchange.raw for exchange in world.provider.exchanges}) == 1


async def test_an_interrupt_while_a_tool_runs() -> None:
    """C3: two requests in all; the result, the note and U2 are one user row, in this order."""
    a = Gate()
    async with play({"calls": [{"name": "a", "id": "a"}]}, {"text": "Done."}) as (world, _):
        async with world.session(a.tool) as session:
            await session.send("U1")
            await a.started.wait()
            await session.interrupt()
            await session.run("U2")
        assert len(world.rows(2)) == 3
        assert world.asked[1].startswith("U1 K(a) O(a: Tool cancelled while it was running, after ")
        assert world.asked[1].endswith(" M U2")


async def test_the_context_is_full() -> None:
    """R20, C53: in the middle of an answer: the turn ends context_overflow, and nothing is returned."""
    async with play({"text": "Once upon a time", "finish": "context"}) as (world, _):
        async with world.session() as session:
            result = await session.run("Go.")
        assert result.stop_reason is StopReason.CONTEXT_OVERFLOW
        assert result.receipt is not None
        assert result.receipt.state is Fate.DELIVERED


# ── thinking ────────────────────────────────────────────────────────────────────────────────────────


async def test_thinking_goes_back_unchanged() -> None:
    """C41, ANT-THINKING-FIRST: with its signature, first in its message, in two rounds of tools."""
    lines = [
        {"reasoning": "Hm.", "text": "Let me look.", "calls": [{"name": "ls", "id": str(n)}]} for n in (1, 2)
    ]
    async with play(*lines, {"reasoning": "So.", "text": "Done."}, {"text": "Bye."}) as (world, _):
        async with world.session(ls, thinks=True) as session:
            assert (await session.run("Go.")).text == "Done."
            await session.run("And?")
        rows = world.rows(4)
        for request, row in ((1, 1), (2, 3), (3, 5)):
            assert rows[row] == {"role": "assistant", "content": world.answer(request)}
        assert world.answer(1)[0]["signature"]
        thinking = [json.loads(exchange.raw)["thinking"]["type"] for exchange in world.provider.exchanges]
        assert thinking == ["enabled"] * 4


async def test_an_interrupt_while_the_model_thinks() -> None:
    """R7, C41: what was not signed is dropped, and so is thinking whose text was never completed."""
    done = {"text": "Done."}
    async with play({"reasoning": "Hm, so.", "text": "A."}, done, hold=(1, 6)) as (world, _):
        async with world.session(thinks=True) as session:
            await _interrupted(session, ReasoningDelta, "Hm, ")
            await session.run("U2")
        assert world.asked[1] == "Go. M U2"
    async with play({"reasoning": "So", "text": "Half a word."}, done, hold=(1, 11)) as (world, _):
        async with world.session(thinks=True) as session:
            await _interrupted(session, TextDelta, "Half a")
            await session.run("U2")
        assert world.asked[1] == "Go. Half a M U2"


# ── interrupts in the middle of an answer ───────────────────────────────────────────────────────────


async def _interrupted(session: Session, kind: type[TextDelta | ReasoningDelta], shown: str) -> None:
    """Say "Go.", and interrupt when the host has seen this much."""
    events = session.events()
    await session.send("Go.")
    seen = ""
    while seen != shown:
        seen += (await until(events, kind)).text
    await session.interrupt()


async def test_an_interrupt_in_the_middle_of_text() -> None:
    """R7, C3: what was shown is kept, as text without anything of the provider's."""
    async with play({"text": "Half an answer"}, {"text": "Done."}, hold=(1, 6)) as (world, _):
        async with world.session() as session:
            await _interrupted(session, TextDelta, "Half an ")
            assert (await session.run("U2")).text == "Done."
        assert world.asked[1] == "Go. Half an  M U2"
        assert world.rows(2)[1]["content"] == [{"type": "text", "text": "Half an "}]


@pytest.mark.parametrize("note", [True, False])
async def test_an_interrupt_in_the_middle_of_a_call(*, note: bool) -> None:
    """R7, R12: it was never a call; the text before it does not end the request, also without a note."""
    line = {"text": "I look.", "calls": [{"name": "ls", "id": "a", "arguments": {"path": "docs"}}]}
    async with play(line, {"text": "Done."}, hold=(1, 12)) as (world, _):
        options: dict[str, Any] = {} if note else {"note": None}
        async with world.session(ls, **options) as session:
            await _interrupted(session, TextDelta, "I look.")
            result = await session.run()
        assert (result.text, result.calls) == ("Done.", ())
        assert world.asked[1] == ("Go. I look. M" if note else "Go. I look. Continue.")


# ── calls that the provider executes ────────────────────────────────────────────────────────────────


async def test_two_pauses_in_a_row() -> None:
    """C45: each paused answer goes back unchanged; U2 waits until no server call is in flight."""
    lines = (
        {"text": "I search.", "calls": [{**SEARCH, "id": "s1"}], "finish": "pause"},
        {"calls": [{**SEARCH, "id": "s2"}], "finish": "pause"},
        {"text": "Found."},
        {"text": "Done."},
    )
    async with play(*lines, hold=(1, 1)) as (world, go):
        async with world.session() as session, trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "Go.")
            await world.provider.held.wait()
            receipt = await session.send("U2")
            go.set()
        assert world.asked == [
            "Go.",
            "Go. I search. S(s1)",
            "Go. I search. S(s1) R(s1) S(s2)",
            "Go. I search. S(s1) R(s1) S(s2) R(s2) Found. U2",
        ]
        assert (receipt.state, receipt.request) == (Fate.DELIVERED, 4)
        for request in (2, 3, 4):
            said = [
                block for row in world.rows(request) if row["role"] == "assistant" for block in row["content"]
            ]
            assert said == [block for before in range(1, request) for block in world.answer(before)]


async def test_a_tool_of_the_client_beside_a_server_call() -> None:
    """R21, ANT-SERVER-UNPAIRED: the output may follow while the search goes on; U2 waits one round trip."""
    a = Gate()
    calls = [{**SEARCH, "id": "s1"}, {"name": "a", "id": "a"}]
    async with play({"calls": calls}, {"text": "Found."}, {"text": "Done."}) as (world, _):
        async with world.session(a.tool) as session, trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "Go.")
            await a.started.wait()
            await session.send("U2")
            a.go.set()
        assert world.asked[1:] == [
            "Go. S(s1) K(a) O(a: a!)",
            "Go. S(s1) K(a) O(a: a!) R(s1) Found. U2",
        ]


async def test_an_interrupt_while_paused() -> None:
    """C46: the server call is set aside, the note says so, U2 follows; what was found before stays."""
    lines = (
        {"text": "I search.", "calls": [{**SEARCH, "id": "s1"}], "finish": "pause"},
        {"calls": [{**SEARCH, "id": "s2"}], "finish": "pause"},
        {"text": "Never."},
        {"text": "Done."},
    )
    async with play(*lines, hold=(3, 1)) as (world, _):
        async with world.session() as session:
            await session.send("Go.")
            await world.provider.held.wait()
            await session.interrupt()
            assert (await session.run("U2")).text == "Done."
        assert world.asked[3] == (
            "Go. I search. S(s1) R(s1) The user interrupted this turn. Tools that were running may have had "
            "effects. The provider was executing web_search when it ended; that has no result, and is left "
            "out. U2"
        )


async def test_a_search_and_its_result() -> None:
    """R21: a server call that has its result is a part of the history like any other."""
    search = {"name": "web_search", "kind": "server", "id": "s1"}
    async with play({"calls": [search, {"name": "ls", "id": "a"}]}, {"text": "Done."}) as (world, _):
        async with world.session(ls) as session:
            await session.run("Go.")
        assert world.asked[1] == "Go. S(s1) R(s1) K(a) O(a: .: two files)"
        assert world.rows(2)[1]["content"][:2] == world.answer(1)[:2]
