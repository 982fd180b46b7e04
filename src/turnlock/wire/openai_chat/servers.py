"""The servers that take the format of Chat Completions: one row each, and what a row says.

A server is data: which rule says that a tool message is missing, stands alone, names a stranger or comes
twice, which further rules hold, and what the encoder writes otherwise. A rule that a server has no words for
is OpenAI's. Those about pairs hold wherever the format is taken; of the others nobody saw this server refuse
anything, so they only warn.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import astuple, evolve, field, frozen

from turnlock.wire.anthropic.servers import MINIMAX_FOLLOW, MINIMAX_ID
from turnlock.wire.common.ids import PLAIN_IDS, IdStyle
from turnlock.wire.common.rules import Confidence, Rule, Severity
from turnlock.wire.openai_chat import rules


def _unseen(rule: Rule) -> Rule:
    return evolve(
        rule,
        severity=Severity.WARNING,
        why="It is OpenAI's rule; nobody saw this server refuse a request for it.",
        confidence=Confidence.INFERRED,
    )


_TOOL_ID_MISSING = _unseen(rules.TOOL_ID_MISSING)
_CONTENT_NULL = _unseen(rules.CONTENT_NULL)
_EMPTY_ARRAYS = _unseen(rules.EMPTY_ARRAYS)
_ID_LEN = _unseen(rules.ID_LEN)
_TOOL_CONTENT = _unseen(rules.TOOL_CONTENT)


@frozen(kw_only=True)
class Server:
    """One server.

    Attributes:
        name: The dialect.
        no_tool: A call lacks its tool message. Its text may name ``ids``, and as ``behind`` the message that
            stands where the tool message should.
        orphan: A tool message stands behind no calls; the text may name the ``id``.
        unknown: A tool message names no call of the message before it.
        duplicate: A call has a second tool message.
        no_id: A tool message names no call.
        no_content: An assistant message says nothing and calls nothing.
        empty_array: content or tool_calls is an empty list.
        long_id: A call's id is too long.
        tool_content: A tool message holds more than text.
        never_called: A tool message has no call anywhere before it; None: that is an orphan like others.
        null_content: An assistant message with calls has no content; None: it needs none. So for the next.
        arguments: A call's arguments are not JSON.
        alternate: User and assistant messages do not take turns.
        unknown_field: A message has a field that is not among ``known_fields`` of its role.
        reasoning: An assistant message with calls lacks its reasoning_content.
        no_reasoning: What stands for reasoning that the model did not give; an empty one may count as none.
        known_fields: See ``unknown_field``.
        gives_back: The fields of reasoning that go back to the model that gave them.
        ids: What it takes for a call id.
        openai: It is OpenAI itself, and knows custom tools and the role developer.
        blocks: It takes bodies in Anthropic's format too, by the same rules.
    """

    name: str
    no_tool: Rule = rules.CALL_NO_TOOL
    orphan: Rule = rules.TOOL_ORPHAN
    unknown: Rule = rules.TOOL_ID_UNKNOWN
    duplicate: Rule = rules.TOOL_DUP
    no_id: Rule = _TOOL_ID_MISSING
    no_content: Rule = _CONTENT_NULL
    empty_array: Rule = _EMPTY_ARRAYS
    long_id: Rule = _ID_LEN
    tool_content: Rule = _TOOL_CONTENT
    never_called: Rule | None = None
    null_content: Rule | None = None
    arguments: Rule | None = None
    alternate: Rule | None = None
    unknown_field: Rule | None = None
    reasoning: Rule | None = None
    no_reasoning: str = ""
    known_fields: Mapping[str, frozenset[str]] = field(factory=dict)
    gives_back: frozenset[str] = frozenset()
    ids: IdStyle = PLAIN_IDS
    openai: bool = False
    blocks: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that holds here, each once."""
        found = astuple(self, recurse=False)
        return tuple(dict.fromkeys(each for each in found if isinstance(each, Rule)))

    @property
    def profiles(self) -> frozenset[str]:
        """What may stand behind a ``+``: what its rules know."""
        return frozenset[str]().union(*(rule.profiles for rule in self.rules))


_NAMED = frozenset({"role", "content", "name"})

OPENAI = Server(
    name="openai_chat",
    no_id=rules.TOOL_ID_MISSING,
    no_content=rules.CONTENT_NULL,
    empty_array=rules.EMPTY_ARRAYS,
    long_id=rules.ID_LEN,
    tool_content=rules.TOOL_CONTENT,
    openai=True,
)

_COMPATIBLE = (
    Server(
        name="deepseek_chat",
        no_tool=rules.DEEPSEEK_CALL_NO_TOOL,
        orphan=rules.DEEPSEEK_TOOL_ORPHAN,
        unknown=rules.DEEPSEEK_TOOL_ORPHAN,
        duplicate=rules.DEEPSEEK_TOOL_ORPHAN,
        reasoning=rules.DEEPSEEK_REASONING,
        gives_back=frozenset({"reasoning_content"}),
    ),
    Server(
        name="groq",
        unknown_field=rules.GROQ_UNKNOWN_FIELD,
        known_fields=MappingProxyType(  # the parameters of groq's own SDK
            {
                "system": _NAMED,
                "developer": _NAMED,
                "user": _NAMED,
                "assistant": _NAMED | {"tool_calls", "function_call", "reasoning"},
                "tool": _NAMED | {"tool_call_id"},
                "function": _NAMED,
            }
        ),
    ),
    Server(
        name="dashscope_qwen",
        no_tool=rules.QWEN_CALL_NO_TOOL,
        orphan=rules.QWEN_TOOL_ORPHAN,
        unknown=rules.QWEN_TOOL_ORPHAN,
        duplicate=rules.QWEN_TOOL_ORPHAN,
    ),
    Server(
        name="minimax",
        no_tool=MINIMAX_FOLLOW,
        orphan=MINIMAX_ID,
        unknown=MINIMAX_ID,
        duplicate=MINIMAX_FOLLOW,
        arguments=rules.MINIMAX_ARGS,
        gives_back=frozenset({"reasoning_details"}),
        blocks=True,
    ),
    Server(
        name="moonshot",
        reasoning=rules.MOONSHOT_REASONING,
        no_reasoning=" ",
        gives_back=frozenset({"reasoning_content"}),
    ),
    Server(
        name="vllm_hf_templates",
        no_tool=_unseen(rules.CALL_NO_TOOL),
        orphan=_unseen(rules.TOOL_ORPHAN),
        unknown=_unseen(rules.TOOL_ID_UNKNOWN),
        duplicate=_unseen(rules.TOOL_DUP),
        never_called=rules.GPTOSS,
        null_content=rules.LLAMACPP_NULL,
        alternate=rules.ALTERNATE,
    ),
    Server(
        name="openai_compatible",
        arguments=rules.ARGS_JSON,
        gives_back=frozenset({"reasoning_details"}),
        ids=IdStyle(length=40),  # what servers of unknown age take (CHAT-ID-LEN)
    ),
)

COMPATIBLE: Mapping[str, Server] = MappingProxyType({server.name: server for server in _COMPATIBLE})
"""The servers beside OpenAI itself, by dialect."""
