"""An agent of forty lines under asyncio, as many begin, and its adapter.

In this folder: `turnlock fuzz small_agent:Adapter`. docs/fuzzing.md tells what is found, and what mends it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from openai import AsyncOpenAI

TOOL = {
    "type": "function",
    "name": "work",
    "description": "Do one step.",
    "parameters": {"type": "object", "properties": {"step": {"type": "string"}}, "required": ["step"]},
}


class Agent:
    """Asks the model, runs the tools that it calls, all at a time, and asks again."""

    def __init__(self, base_url: str, tools: dict[str, Any]) -> None:
        self.client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
        self.tools = tools
        self.history: list[Any] = []

    async def run(self, text: str) -> str:
        """Run one turn."""
        self.history.append({"role": "user", "content": text})
        while True:
            response = await self.client.responses.create(model="any", input=self.history, tools=[TOOL])
            self.history += [item.model_dump(exclude_none=True) for item in response.output]
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return response.output_text
            outputs = await asyncio.gather(*(self.call(call) for call in calls))
            self.history += outputs

    async def call(self, call: Any) -> dict[str, str]:
        """Run one tool."""
        result = await self.tools[call.name](**json.loads(call.arguments))
        return {"type": "function_call_output", "call_id": call.call_id, "output": result}


class Adapter:
    """What turnlock needs to know of the agent."""

    def __init__(self, harness: Any) -> None:
        self.agent = Agent(harness.base_url, {"work": harness.work})

    async def turn(self, text: str) -> None:
        await self.agent.run(text)

    async def aclose(self) -> None:
        await self.agent.client.close()
