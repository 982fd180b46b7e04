"""openai-agents: ``Runner`` with a session, or with a conversation that the provider holds.

As documented: ``SQLiteSession`` keeps the history between runs (docs/sessions),
``function_tool(timeout=…)`` is the deadline of a tool (docs/tools), ``RunResultStreaming.cancel()`` stops a
streamed run (docs/streaming), and ``conversation_id=`` leaves the history with the provider
(docs/running_agents). A run that is not streamed has no method that stops it: its task is cancelled. There
is no way to send a message into a run.
"""

from typing import Self

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    SQLiteSession,
    function_tool,
)
from openai import AsyncOpenAI

from turnlock.testing import Harness


class Responses:
    """``Runner.run`` with a session in memory."""

    loop = "asyncio"
    deadline: float | None = None
    model = OpenAIResponsesModel

    def __init__(self, harness: Harness) -> None:
        self.client = AsyncOpenAI(base_url=harness.base_url, api_key="any", max_retries=0)
        tool = function_tool(harness.work, timeout=self.deadline)
        self.agent = Agent(name="agent", model=self.model("any", self.client), tools=[tool])
        self.session = SQLiteSession("one")

    async def turn(self, text: str) -> None:
        await Runner.run(self.agent, text, session=self.session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.client.close()


class Chat(Responses):
    """The same over Chat Completions."""

    model = OpenAIChatCompletionsModel


class Streamed(Responses):
    """``Runner.run_streamed``, stopped by its own ``cancel()``."""

    async def turn(self, text: str) -> None:
        self.run = Runner.run_streamed(self.agent, text, session=self.session)
        async for _ in self.run.stream_events():
            pass

    async def interrupt(self) -> None:
        self.run.cancel()


class Conversation(Responses):
    """The provider holds the history: ``conversation_id`` instead of a session."""

    async def turn(self, text: str) -> None:
        await Runner.run(self.agent, text, conversation_id="conv_one")


class Deadline(Responses):
    """``Responses``, and a tool gets half a second."""

    deadline = 0.5


class RepeatedIds(Responses):
    """``Responses``, against a server that may give several calls one id."""

    repeated_ids = True
