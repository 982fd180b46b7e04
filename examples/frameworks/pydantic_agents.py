"""pydantic-ai: ``Agent.iter`` with the message history that the run itself hands out.

As documented: ``AgentRun.all_messages()`` is the history for the next run, also of a run that was cancelled
or failed; ``AgentRun.cancel()`` stops a run; ``AgentRun.enqueue()`` sends a message into it;
``tool_timeout=`` is the deadline of the tools (docs of ``Agent``, ``AgentRun`` and ``RunCancelled``).
"""

from typing import NoReturn, Self

from openai import AsyncOpenAI
from pydantic_ai import Agent, ToolFailed
from pydantic_ai.capabilities import Hooks
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from turnlock.testing import Harness


class Chat:
    """A run for each user message, over Chat Completions."""

    loop = "asyncio"
    deadline: float | None = None
    model = OpenAIChatModel
    capabilities: tuple[Hooks, ...] = ()

    def __init__(self, harness: Harness) -> None:
        self.client = AsyncOpenAI(base_url=harness.base_url, api_key="any", max_retries=0)
        model = self.model("any", provider=OpenAIProvider(openai_client=self.client))
        self.agent = Agent(
            model, tools=[harness.work], tool_timeout=self.deadline, capabilities=self.capabilities
        )
        self.history: list[ModelMessage] = []

    async def turn(self, text: str) -> None:
        try:
            async with self.agent.iter(text, message_history=self.history) as self.run:
                async for _ in self.run:
                    pass
        finally:
            self.history = self.run.all_messages()

    async def send(self, text: str) -> None:
        self.run.enqueue(text)

    async def interrupt(self) -> None:
        self.run.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.client.close()


class Responses(Chat):
    """The same over Responses."""

    model = OpenAIResponsesModel


async def _tell(*_context: object, error: Exception, **_call: object) -> NoReturn:
    raise ToolFailed(str(error))


class ToolErrors(Chat):
    """``Chat``, and the model is told what a tool raises."""

    capabilities = (Hooks(tool_execute_error=_tell),)


class Deadline(ToolErrors):
    """``ToolErrors``, and a tool gets half a second."""

    deadline = 0.5


class RepeatedIds(ToolErrors):
    """``ToolErrors``, against a server that may give several calls one id."""

    repeated_ids = True
