"""The loop that most agents start with: history is a list, and what is typed goes to its end.

Nothing here is a caricature: each step is what the origin story's agent did, or what its first fix did.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import msgspec
import openai
import trio
from attrs import define, field
from openai.types.responses import ResponseOutputItemDoneEvent

from turnlock.cli.stage import Stage, Unplayable, label, outline
from turnlock.tools import Tool


@define(eq=False)
class NaiveAgent:
    """A list of items, a client, and tools that run in a nursery."""

    client: openai.AsyncOpenAI
    tools: Mapping[str, Tool]
    stage: Stage
    items: list[dict[str, Any]] = field(factory=list)
    calls: list[dict[str, Any]] = field(factory=list)
    requests: int = 0

    async def ask(self, text: str) -> bool:
        """Send what the user typed, at once; True when the provider accepted it."""
        self.stage.say("user", text)
        self.items.append({"role": "user", "content": text})
        return await self.request()

    async def request(self) -> bool:
        """Send the whole list.

        Raises:
            Unplayable: There is no answer, or it is neither a response nor a refusal.
        """
        self.requests += 1
        self.stage.say("request", f"request {self.requests}: {outline(self.items)}")
        try:
            return await self._request()
        except openai.APIStatusError as error:
            raise Unplayable(f"it answers {error.status_code}: {_said(error)}") from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise Unplayable(str(error.__cause__ or error)) from error
        except openai.APIError as error:
            raise Unplayable(str(error)) from error

    async def _request(self) -> bool:
        try:
            stream = await self.client.responses.create(
                model="demo",
                input=cast("Any", self.items),  # a list of dicts, as everybody passes it
                stream=True,
            )
        except openai.BadRequestError as error:
            self.stage.say("refused", _said(error))
            return False
        self.calls = []
        async with stream:
            async for event in stream:
                if isinstance(event, ResponseOutputItemDoneEvent):
                    item = event.item.to_dict(mode="json")
                    self.items.append(item)
                    self._show(item)
        return True

    def _show(self, item: Mapping[str, Any]) -> None:
        if item["type"] == "message":
            self.stage.say("model", item["content"][0]["text"])
        elif item["type"] == "function_call":
            self.calls.append(dict(item))
            self.stage.say("model", f"calls {label(item['name'], msgspec.json.decode(item['arguments']))}")
        elif item["type"] == "local_shell_call":
            self.calls.append(dict(item))
            self.stage.say("model", f"calls {label('local_shell', item['action'])}: it needs your approval")

    def called(self, name: str) -> dict[str, Any]:
        """The first call of this tool in the last response.

        Raises:
            Unplayable: There is none.
        """
        for call in self.calls:
            if call.get("name") == name:
                return call
        raise Unplayable(f"the model was to call {name}, and did not")

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[None]:
        """The tool of a call at work, until the block is left."""
        call = self.called(name)
        async with trio.open_nursery() as nursery:
            arguments = msgspec.json.decode(call["arguments"])
            nursery.start_soon(lambda: self.tools[name].function(**arguments))
            self.stage.say("tool", f"{label(name, arguments)} runs")
            await trio.sleep(0.3)
            yield
            nursery.cancel_scope.cancel()

    async def run_tools(self, name: str, deadline: float | None = None) -> None:
        """Run the calls of this tool, side by side; outputs are added when all are there."""
        self.called(name)
        calls = [call for call in self.calls if call.get("name") == name]
        outputs: dict[str, str] = {}

        async def one(call: Mapping[str, Any]) -> None:
            arguments = msgspec.json.decode(call["arguments"])
            self.stage.say("tool", f"{label(name, arguments)} runs")
            with trio.move_on_after(math.inf if deadline is None else deadline) as scope:
                outputs[call["call_id"]] = str(await self.tools[name].function(**arguments))
            if scope.cancelled_caught:
                outputs[call["call_id"]] = "timed out"

        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(one, call)
        for call in calls:
            self.add_output(call, outputs[call["call_id"]])

    def add_output(self, call: Mapping[str, Any], text: str) -> None:
        """Add the output of a call to the list."""
        self.items.append({"type": "function_call_output", "call_id": call["call_id"], "output": text})


def _said(error: openai.APIStatusError) -> str:
    """The provider's own words."""
    return str((error.body.get("message") if isinstance(error.body, dict) else None) or error)
