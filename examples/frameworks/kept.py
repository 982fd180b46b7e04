"""What was found, and kept: which findings there are, and how each is read, replayed and hunted again.

Owns the list of findings. Each stands in a file of its own under ``found/``, written by ``hunting`` from what the
fuzzer made of it; nothing in those files is written by hand.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from attrs import frozen

from turnlock.testing import Advance, Fail, Interrupt, Send, Stubborn, Together, replay
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Violation
from turnlock.testing.sequencing.steps import Step

FOUND = Path(__file__).parent / "found"
PACKAGES = (
    *("openai-agents", "pydantic-ai-slim", "langchain", "langchain-openai", "langgraph"),
    *("autogen-agentchat", "autogen-ext", "openai"),
)
_CHAT = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
_RESPONSES = "No tool output found for function call"
_REPEATED = "Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1'"


@frozen
class Kept:
    """A finding.

    Attributes:
        name: Its file is ``found/<name>.py``.
        adapter: ``module:class`` in this package.
        rule: The rule that is broken.
        says: Words that stand in what is wrong; the provider's own where it refused.
        steps: The sorts of steps that the story has, beside the user's messages.
        ignore: Rules that are not asked, because another finding breaks them first.
    """

    name: str
    adapter: str
    rule: str
    says: str
    steps: tuple[type[Step], ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def factory(self) -> Factory:
        """The adapter."""
        made: Factory = adapter(self.adapter)
        return made

    def shows(self) -> Violation | None:
        """Replay it; what is wrong, or None if it does not show any more."""
        story: Any = import_module(f"{__package__}.found.{self.name}")
        try:
            replay(self.factory, story.STEPS, ignore=self.ignore)
        except Violation as violation:
            if violation.rule == self.rule and self.says in violation.what:
                return violation
            raise
        return None


KEPT = (
    Kept("langgraph_cancelled", "langchain_agents:ToolErrors", "refused", _CHAT, (Interrupt,)),
    Kept("langgraph_responses_cancelled", "langchain_agents:Responses", "refused", _RESPONSES, (Interrupt,), ("bystander",)),
    Kept("langgraph_raised", "langchain_agents:Chat", "refused", _CHAT, (Fail,), ("bystander",)),
    Kept("langgraph_bystander", "langchain_agents:Chat", "bystander", "was cancelled, and nobody", (Fail,), ("refused", "progress")),
    Kept("langgraph_timed_out", "langchain_agents:Deadline", "refused", _CHAT, (Advance,)),
    Kept("langgraph_bound", "langchain_agents:Deadline", "bound", "still waits", (Stubborn,), ("refused", "progress")),
    Kept("langgraph_repeated_ids", "langchain_agents:RepeatedIds", "refused", _REPEATED),
    Kept("autogen_hangs", "autogen_agents:Chat", "progress", "does not end", (Interrupt,), ("refused", "runs-on")),
    Kept("autogen_cancelled", "autogen_agents:Cancelled", "refused", _CHAT, (Interrupt,), ("runs-on",)),
    Kept("autogen_runs_on", "autogen_agents:Cancelled", "runs-on", "runs on", (Interrupt,), ("refused", "progress")),
    Kept("autogen_repeated_ids", "autogen_agents:RepeatedIds", "refused", _REPEATED, (), ("runs-on", "progress")),
    Kept("openai_agents_erased", "openai_agents:Responses", "erased", "does not hold call a", (Interrupt,)),
    Kept("openai_agents_chat_erased", "openai_agents:Chat", "erased", "does not hold call a", (Interrupt,)),
    Kept("openai_agents_streamed_erased", "openai_agents:Streamed", "erased", "does not hold call a", (Interrupt,)),
    Kept("openai_agents_conversation", "openai_agents:Conversation", "refused", _RESPONSES, (Interrupt,)),
    Kept("openai_agents_bound", "openai_agents:Deadline", "bound", "still waits", (Stubborn,), ("erased",)),
    Kept("pydantic_ai_lost", "pydantic_agents:ToolErrors", "lost", "was accepted, and no request ever carried it", (Interrupt, Send)),
    Kept("pydantic_ai_instant", "pydantic_agents:ToolErrors", "progress", "unprocessed tool calls", (Together,), ("lost",)),
    Kept("pydantic_ai_untruthful", "pydantic_agents:Chat", "truthful", "but it had raised", (Fail,), ("bystander", "lost")),
    Kept("pydantic_ai_bystander", "pydantic_agents:Chat", "bystander", "was cancelled, and nobody", (Fail,), ("truthful", "lost")),
    Kept("pydantic_ai_bound", "pydantic_agents:Deadline", "bound", "still waits", (Stubborn,), ("lost", "progress")),
    Kept("pydantic_ai_repeated_ids", "pydantic_agents:RepeatedIds", "refused", _REPEATED, (), ("lost",)),
)  # fmt: skip


def adapter(name: str) -> Factory:
    """The class that ``module:class`` names."""
    module, _, kind = name.partition(":")
    made: Factory = getattr(import_module(f"{__package__}.{module}"), kind)
    return made


def versions() -> str:
    """What is installed."""
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)
