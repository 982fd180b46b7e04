"""langgraph: ``create_agent`` of langchain with a checkpointer.

As documented: ``InMemorySaver`` and a ``thread_id`` keep the history (docs/short-term-memory),
``step_timeout`` is the longest time of a step (reference of ``Pregel``; tools have no timeout of their
own), ``ToolErrorMiddleware`` turns exceptions of tools into results (reference of langchain's middleware).
The library has no method that stops a run: its task is cancelled. Nor has it a way to send a message into a
run; that is left to the platform.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolErrorMiddleware
from langchain.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from turnlock.testing import Harness


class Chat:
    """A thread in memory, over Chat Completions."""

    loop = "asyncio"
    deadline: float | None = None
    responses = False
    middleware: tuple[AgentMiddleware, ...] = ()

    def __init__(self, harness: Harness) -> None:
        model = ChatOpenAI(
            model="any",
            base_url=harness.base_url,
            api_key="any",
            max_retries=0,
            use_responses_api=self.responses,
        )
        self.agent = create_agent(
            model, tools=[tool(harness.work)], checkpointer=InMemorySaver(), middleware=self.middleware
        )
        self.agent.step_timeout = self.deadline

    async def turn(self, text: str) -> None:
        messages = [{"role": "user", "content": text}]
        await self.agent.ainvoke({"messages": messages}, {"configurable": {"thread_id": "one"}})


class Responses(Chat):
    """The same over Responses."""

    responses = True


class ToolErrors(Chat):
    """``Chat``, and what a tool raises becomes its result."""

    middleware = (ToolErrorMiddleware(lambda error, _: f"failed: {error}"),)


class Deadline(ToolErrors):
    """``ToolErrors``, and a step gets half a second."""

    deadline = 0.5


class RepeatedIds(ToolErrors):
    """``ToolErrors``, against a server that may give several calls one id."""

    repeated_ids = True
