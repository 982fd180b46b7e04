"""Sessions whose provider keeps the history, against a strict provider that does (R22)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from openai import AsyncOpenAI

from support.live import Gate
from turnlock import CallStarted, Limits, Session, StopReason
from turnlock.models.openai import OpenAIResponses
from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import serve

FAST = Limits(backoff=0.01, backoff_max=0.05)


@asynccontextmanager
async def provider_for(*lines: dict[str, Any]) -> AsyncIterator[tuple[StrictProvider, AsyncOpenAI]]:
    """A strict provider with this script, and a client of it."""
    provider = StrictProvider(Script.of(*lines))
    http = httpx2.AsyncClient(verify=False)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            base_url = await nursery.start(serve, provider)
            async with AsyncOpenAI(base_url=base_url, api_key="sk-x", http_client=http) as client:
                yield provider, client
            nursery.cancel_scope.cancel()
    assert {exchange.rule for exchange in provider.exchanges} <= {None, "PREVIOUS-NOT-FOUND"}


def said(provider: StrictProvider) -> list[list[str]]:
    """The input items of each request, in short."""
    inputs = [json.loads(exchange.raw)["input"] for exchange in provider.exchanges]
    return [[item.get("type", item.get("content")) for item in items] for items in inputs]


def named(provider: StrictProvider) -> list[bool]:
    """Whether each request goes on from a response."""
    return ["previous_response_id" in json.loads(each.raw) for each in provider.exchanges]


async def test_a_stream_breaks_while_the_provider_keeps_the_history() -> None:
    """C47: the next request goes on from the last whole response, and carries K(a), O(a)."""
    calls = [{"name": "a", "id": "a"}, {"name": "b", "id": "b", "arguments": {"text": "half of this"}}]
    gate = Gate("a")
    gate.go.set()
    lines = {"text": "Hello."}, {"calls": calls, "cut_after": 1}, {"text": "Done."}
    async with provider_for(*lines) as (provider, client):
        model = OpenAIResponses("m", client=client, continues=True)
        async with Session(model, tools=[gate.tool], limits=FAST) as session:
            await session.run("Hi.")
            result = await session.run("Go.")
    assert (result.text, gate.calls) == ("Done.", 1)
    assert said(provider) == [["Hi."], ["Go."], ["Go.", "function_call", "function_call_output"]]
    assert named(provider) == [False, True, True]


@pytest.mark.parametrize("how", ["previous_response_id", "conversation"])
async def test_an_interrupt_while_the_provider_keeps_the_history(how: str) -> None:
    """C48: O(a, cancelled…) leaves with U2, in one request, and the provider accepts it."""
    gate = Gate("a")
    options = {"conversation": "conv_1"} if how == "conversation" else {}
    lines = {"calls": [{"name": "a", "id": "a"}]}, {"text": "Stopped."}
    async with provider_for(*lines) as (provider, client):
        model = OpenAIResponses("m", options, client=client, continues=not options)
        async with Session(model, tools=[gate.tool], limits=FAST) as session:
            async with session.turn("Go.") as turn:
                async for event in turn:
                    if isinstance(event, CallStarted):
                        while session._requester.flight is not None:  # until its response is whole
                            await trio.sleep(0.01)
                        await session.interrupt()
            result = await session.run("What now?")
    assert result.stop_reason is StopReason.END_TURN
    note = "The user interrupted this turn. Tools that were running may have had effects."
    assert said(provider) == [["Go."], ["function_call_output", note, "What now?"]]
    output = json.loads(provider.exchanges[1].raw)["input"][0]["output"]
    assert output.startswith("Tool cancelled while it was running")


async def test_a_response_that_is_not_kept_any_more() -> None:
    """R22: the provider has forgotten it; the whole history is asked again, and the session goes on."""
    async with provider_for({"text": "Hello."}, {"text": "Still here."}) as (provider, client):
        model = OpenAIResponses("m", client=client, continues=True)
        async with Session(model, limits=FAST) as session:
            await session.run("Hi.")
            provider._held.clear()
            result = await session.run("Are you there?")
    assert result.text == "Still here."
    assert named(provider) == [False, True, False]
    assert said(provider)[-1] == ["Hi.", "message", "Are you there?"]


def test_what_is_not_kept_cannot_be_gone_on_from() -> None:
    """A contradiction is said at once, with the repair."""
    with pytest.raises(ValueError, match="leave out the option store=False"):
        OpenAIResponses("m", {"store": False}, continues=True)


@pytest.mark.parametrize("how", ["previous_response_id", "conversation"])
@pytest.mark.parametrize("held", [True, False])
async def test_an_answer_that_was_cut_is_told_beside_what_is_kept(how: str, *, held: bool) -> None:
    """R22, R20, RESP-DUP-ITEM-ID: it is not gone on from; its items are sent as new ones, without ids."""
    gate = Gate("a")
    gate.go.set()
    options = {"conversation": "conv_1"} if how == "conversation" else {}
    cut: dict[str, Any] = {"text": "Let me look.", "calls": [{"name": "a", "id": "a"}], "finish": "length"}
    lines: list[dict[str, Any]] = [{"text": "Hello."}, cut, {"text": "Done."}, {"text": "Bye."}][not held :]
    async with provider_for(*lines) as (provider, client):
        model = OpenAIResponses("m", options, client=client, continues=not options)
        async with Session(model, tools=[gate.tool], limits=FAST) as session:
            if held:
                await session.run("Hi.")
            result = await session.run("Go.")
            after = await session.run("And?")
    assert ((result.text, result.stop_reason), after.text) == (("Done.", StopReason.END_TURN), "Bye.")
    _, answer, *pair = said(provider)[-2]
    with_ids = how == "previous_response_id" and not held
    assert answer == ("message" if with_ids else "Let me look.")
    assert pair == ["function_call", "function_call_output"]
    assert said(provider)[-1] == ["And?"]
    items = json.loads(provider.exchanges[-2].raw)["input"]
    assert any("id" in item for item in items) is with_ids


async def test_an_approval_of_an_answer_that_broke_off() -> None:
    """R22, C47, RESP-DUP-ITEM-ID: the provider has not kept the request for it: it is sent, with its id."""
    asks = {"calls": [{"name": "pay", "id": "mcpr_1", "kind": "mcp_approval"}], "cut_after": 1}
    async with provider_for({"text": "Hello."}, asks, {"text": "Done."}) as (provider, client):
        model = OpenAIResponses("m", client=client, continues=True)
        async with Session(model, limits=FAST, approve=lambda _: True) as session:
            await session.run("Hi.")
            result = await session.run("Go.")
    assert (result.text, result.stop_reason) == ("Done.", StopReason.END_TURN)
    assert said(provider)[-1] == ["Go.", "mcp_approval_request", "mcp_approval_response"]
