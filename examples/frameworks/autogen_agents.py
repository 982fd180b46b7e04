"""autogen: ``AssistantAgent``, which keeps its own history.

As documented: ``run(task=…)`` is called with new messages only, ``max_tool_iterations`` lets the agent go
on after tools, ``CancellationToken`` stops a run (the user guide of AgentChat). Tools have no deadline, and
there is no way to send a message into a run. autogen speaks Chat Completions only.
"""

from typing import Self

from autogen_agentchat.agents import AssistantAgent
from autogen_core import CancellationToken
from autogen_core.models import ModelFamily
from autogen_ext.models.openai import OpenAIChatCompletionClient

from turnlock.testing import Harness

_MODEL = {
    "family": ModelFamily.UNKNOWN,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "vision": False,
}


class Cancelled:
    """Stopped by cancelling the task of the run."""

    loop = "asyncio"
    deadline: float | None = None

    def __init__(self, harness: Harness) -> None:
        self.client = OpenAIChatCompletionClient(
            model="any", base_url=harness.base_url, api_key="any", max_retries=0, model_info=_MODEL
        )
        self.agent = AssistantAgent("agent", self.client, tools=[harness.work], max_tool_iterations=20)

    async def turn(self, text: str) -> None:
        self.token = CancellationToken()
        await self.agent.run(task=text, cancellation_token=self.token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.client.close()


class Chat(Cancelled):
    """Stopped by its token."""

    async def interrupt(self) -> None:
        self.token.cancel()


class RepeatedIds(Chat):
    """``Chat``, against a server that may give several calls one id."""

    repeated_ids = True
