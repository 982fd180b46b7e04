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
