"""What was found, and kept: which findings there are, and how one is replayed.

Owns the list. Each finding is a file of its own in ``found/``, a test that ``hunting`` wrote of what the
fuzzer had found; nothing in those files is written by hand.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from attrs import frozen

from turnlock.testing import Advance, Fail, Interrupt, Open, Rule, Send, Stubborn, Together, Violation
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.steps import Step

FOUND = Path(__file__).parent / "found"
PACKAGES = (
    *("openai-agents", "pydantic-ai-slim", "langchain", "langchain-openai", "langgraph"),
    *("autogen-agentchat", "autogen-ext", "openai"),
)


@frozen
class Target:
    """An adapter of this package.

    Attributes:
        module: Its module, as it is imported.
        name: The class.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @property
    def factory(self) -> Factory:
        """The class."""
        made: Factory = getattr(import_module(self.module), self.name)
        return made


@frozen
class Kept:
    """A finding.

    Attributes:
        name: Its file is ``found/<name>.py``.
        target: The adapter.
        rule: The rule that is broken.
        says: Words that stand in what is wrong; the provider's own where it refused.
        steps: The sorts of steps that the story has, beside the user's messages.
        ignore: Rules that are not asked, because other findings break them sooner.
    """

    name: str
    target: Target
    rule: Rule
    says: str
    steps: tuple[type[Step], ...] = ()
    ignore: frozenset[Rule] = frozenset()

    def shows(self) -> Violation | None:
        """Replay it; what is wrong, or None if it does not show any more.

        Raises:
            Violation: Another rule is broken.
        """
        module = import_module(f"{__package__}.found.{self.name}")
        (test,) = (each for name, each in vars(module).items() if name.startswith("test_"))
        try:
            test()
        except Violation as violation:
            if violation.rule == self.rule and self.says in violation.what:
                return violation
            raise
        return None


def _of(module: str, name: str) -> Target:
    return Target(f"{__package__}.{module}", name)


_CHAT = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
_RESPONSES = "No tool output found for function call"
_REPEATED = "Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1'"
_WAITS = "later the turn still waits for its tool"
_BYSTANDER = "was cancelled, and nobody had interrupted it"


def _kept(
    name: str, target: str, rule: Rule, says: str, *steps: type[Step], ignore: tuple[Rule, ...] = ()
) -> Kept:
    module, _, factory = target.partition(":")
    return Kept(name, Target(f"{__package__}.{module}", factory), rule, says, steps, frozenset(ignore))


KEPT = (
    _kept("langgraph_cancelled", "langchain_agents:ToolErrors", Rule.REFUSED, _CHAT, Interrupt),
    _kept(
        "langgraph_responses_cancelled",
        "langchain_agents:Responses",
        Rule.REFUSED,
        _RESPONSES,
        Interrupt,
        ignore=(Rule.BYSTANDER,),
    ),
    _kept("langgraph_raised", "langchain_agents:Chat", Rule.REFUSED, _CHAT, Fail, ignore=(Rule.BYSTANDER,)),
    _kept(
        "langgraph_bystander",
        "langchain_agents:Chat",
        Rule.BYSTANDER,
        _BYSTANDER,
        Fail,
        ignore=(
            Rule.REFUSED,
            Rule.PROGRESS,
        ),
    ),
    _kept("langgraph_timed_out", "langchain_agents:Deadline", Rule.REFUSED, _CHAT, Advance),
    _kept(
        "langgraph_bound",
        "langchain_agents:Deadline",
        Rule.BOUND,
        _WAITS,
        Stubborn,
        ignore=(
            Rule.REFUSED,
            Rule.PROGRESS,
        ),
    ),
    _kept("langgraph_repeated_ids", "langchain_agents:RepeatedIds", Rule.REFUSED, _REPEATED),
    _kept(
        "autogen_hangs",
        "autogen_agents:Chat",
        Rule.PROGRESS,
        "",
        Interrupt,
        ignore=(
            Rule.REFUSED,
            Rule.RUNS_ON,
        ),
    ),
    _kept(
        "autogen_cancelled",
        "autogen_agents:Cancelled",
        Rule.REFUSED,
        _CHAT,
        Interrupt,
        ignore=(Rule.RUNS_ON,),
    ),
    _kept(
        "autogen_runs_on",
        "autogen_agents:Cancelled",
        Rule.RUNS_ON,
        "runs on",
        Interrupt,
        ignore=(
            Rule.REFUSED,
            Rule.PROGRESS,
        ),
    ),
    _kept(
        "autogen_repeated_ids",
        "autogen_agents:RepeatedIds",
        Rule.REFUSED,
        _REPEATED,
        ignore=(
            Rule.RUNS_ON,
            Rule.PROGRESS,
        ),
    ),
    _kept("openai_agents_erased", "openai_agents:Responses", Rule.ERASED, "does not hold call a", Interrupt),
    _kept("openai_agents_chat_erased", "openai_agents:Chat", Rule.ERASED, "does not hold call a", Interrupt),
    _kept(
        "openai_agents_streamed_erased",
        "openai_agents:Streamed",
        Rule.ERASED,
        "does not hold call a",
        Interrupt,
    ),
    _kept(
        "openai_agents_sibling",
        "openai_agents:Responses",
        Rule.UNANSWERED,
        "has returned, and the agent rests without telling the model",
        Interrupt,
        Open,
        ignore=(Rule.ERASED,),
    ),
    _kept(
        "openai_agents_conversation",
        "openai_agents:Conversation",
        Rule.REFUSED,
        _RESPONSES,
        Interrupt,
        ignore=(Rule.LOST,),
    ),
    _kept(
        "openai_agents_bound", "openai_agents:Deadline", Rule.BOUND, _WAITS, Stubborn, ignore=(Rule.ERASED,)
    ),
    _kept(
        "pydantic_ai_lost",
        "pydantic_agents:ToolErrors",
        Rule.LOST,
        "was accepted, and no request ever carried it",
        Interrupt,
        Send,
        ignore=(Rule.PROGRESS,),
    ),
    _kept(
        "pydantic_ai_instant",
        "pydantic_agents:ToolErrors",
        Rule.PROGRESS,
        "unprocessed tool calls",
        Together,
        ignore=(Rule.LOST,),
    ),
    _kept(
        "pydantic_ai_untruthful",
        "pydantic_agents:Chat",
        Rule.TRUTHFUL,
        "but it had raised",
        Fail,
        ignore=(
            Rule.BYSTANDER,
            Rule.LOST,
            Rule.PROGRESS,
        ),
    ),
    _kept(
        "pydantic_ai_bystander",
        "pydantic_agents:Chat",
        Rule.BYSTANDER,
        _BYSTANDER,
        Fail,
        ignore=(
            Rule.TRUTHFUL,
            Rule.LOST,
            Rule.PROGRESS,
        ),
    ),
    _kept(
        "pydantic_ai_bound",
        "pydantic_agents:Deadline",
        Rule.BOUND,
        _WAITS,
        Stubborn,
        ignore=(
            Rule.LOST,
            Rule.PROGRESS,
        ),
    ),
    _kept(
        "pydantic_ai_repeated_ids",
        "pydantic_agents:RepeatedIds",
        Rule.REFUSED,
        _REPEATED,
        ignore=(
            Rule.LOST,
            Rule.PROGRESS,
        ),
    ),
)


def versions() -> str:
    """What is installed."""
    return ", ".join(f"{package} {version(package)}" for package in PACKAGES)
