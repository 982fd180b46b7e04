"""Agents of a few lines that keep every rule of sequencing.

They speak Responses over plain HTTP, in process and under trio. ``wrong_agents`` has those that do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self, TypeAlias

import httpx2
import trio

from turnlock.testing import Harness, ToolFailed

Item: TypeAlias = dict[str, Any]
Factory: TypeAlias = Callable[[Harness], Any]


class Plain:
    """Runs all calls of an answer at a time, and asks again; keeps every rule."""

    loop = "trio"
    retries = True

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.history: list[Item] = []

    async def __aenter__(self) -> Self:
        self.client = httpx2.AsyncClient(transport=self.harness.transport(), base_url="http://strict/v1")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def turn(self, text: str) -> None:
        self.say(text)
        while True:
            answer = await self.ask()
            self.history += answer
            calls = [item for item in answer if item["type"] == "function_call"]
            if calls:
                await self.run(calls)
            if not self.more() and not calls:
                return

    def say(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})

    def more(self) -> bool:
        """Whether messages have come in meanwhile."""
        return False

    async def ask(self) -> list[Item]:
        for _ in range(9):
            try:
                response = await self.client.post("/responses", json={"model": "m", "input": self.history})
            except httpx2.TransportError:
                await trio.sleep(1.0)
                continue
            if response.status_code == 400:
                raise RuntimeError(response.text)
            if response.status_code == 200:
                output: list[Item] = response.json()["output"]
                return output
            await self.pause(float(response.headers.get("retry-after", 1.0)))
        raise RuntimeError("the provider is not well")

    async def pause(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def run(self, calls: list[Item]) -> None:
        outputs: dict[str, str] = {}
        try:
            async with trio.open_nursery() as nursery:
                for call in calls:
                    nursery.start_soon(self.work, call, outputs)
        finally:
            self.told(calls, outputs)

    def told(self, calls: list[Item], outputs: dict[str, str]) -> None:
        self.history += [
            {
                "type": "function_call_output",
                "call_id": call["call_id"],
                "output": outputs.get(call["call_id"], "interrupted by the user"),
            }
            for call in calls
        ]

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        try:
            outputs[call["call_id"]] = await self.harness.work(step(call))
        except ToolFailed as error:
            outputs[call["call_id"]] = f"error: {error}"


def step(call: Item) -> str:
    """The step that a call is about."""
    named: str = json.loads(call["arguments"])["step"]
    return named


class Listening(Plain):
    """Takes messages while a turn is under way, and asks again with them; keeps every rule."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness)
        self.queue: list[str] = []
        self.running = False

    async def turn(self, text: str) -> None:
        self.running = True
        self.more()
        try:
            await super().turn(text)
        finally:
            self.running = False

    def more(self) -> bool:
        queue, self.queue = self.queue, []
        for text in queue:
            self.say(text)
        return bool(queue)

    async def send(self, text: str) -> None:
        if not self.running:
            raise RuntimeError("no turn is under way")
        self.queue.append(text)

    def busy(self) -> bool:
        return self.running


class Timed(Plain):
    """Gives each tool ten seconds; keeps every rule while tools can be stopped."""

    deadline = 10.0
    grace = 1.0

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        with trio.move_on_after(self.deadline) as scope:
            await super().work(call, outputs)
        if scope.cancelled_caught:
            outputs[call["call_id"]] = "error: it took longer than 10 s"
