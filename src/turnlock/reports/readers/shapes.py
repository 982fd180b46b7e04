"""Which dialect a body, a message or an item is of, by its shape alone.

A body does not say which provider it is for. Most formats have words of their own; what has none is read as
Chat Completions, which many servers speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnlock.wire.openai_responses.kinds import BY_CALL, BY_OUTPUT

CHAT = "openai_chat"
COMPATIBLE = "openai_compatible"
RESPONSES = "openai_responses"
ANTHROPIC = "anthropic"
GEMINI = "gemini"
BEDROCK = "bedrock_converse"

_KEYS = {RESPONSES: "input", "deepseek_responses": "input", GEMINI: "contents"}
_RESPONSES_TYPES = frozenset(
    {
        *BY_CALL,
        *BY_OUTPUT,
        "code_interpreter_call",
        "compaction",
        "file_search_call",
        "image_generation_call",
        "item_reference",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "reasoning",
        "web_search_call",
    }
)
_ANTHROPIC_BLOCKS = frozenset(
    {
        "document",
        "image",
        "redacted_thinking",
        "server_tool_use",
        "thinking",
        "tool_result",
        "tool_use",
        "web_search_tool_result",
    }
)
_ANTHROPIC_FIELDS = ("system", "anthropic_version", "thinking", "stop_sequences", "mcp_servers")
_BEDROCK_FIELDS = (
    "inferenceConfig",
    "toolConfig",
    "modelId",
    "additionalModelRequestFields",
    "guardrailConfig",
)
_HELD = ("previous_response_id", "conversation")
_FORMS = {
    RESPONSES: RESPONSES,
    "deepseek_responses": RESPONSES,
    GEMINI: GEMINI,
    ANTHROPIC: ANTHROPIC,
    BEDROCK: BEDROCK,
}


def key_of(dialect: str) -> str:
    """The field of a body that holds the rows."""
    return _KEYS.get(family(dialect), "messages")


def family(dialect: str) -> str:
    """The format without its profiles."""
    return dialect.partition("+")[0]


def form_of(dialect: str) -> str:
    """The dialect whose fields and blocks a dialect has: many servers speak Chat Completions."""
    return _FORMS.get(family(dialect), CHAT)


def pairs_form(rows: Sequence[Any]) -> str | None:
    """What the first call or result among messages is written in, beyond doubt; None when there is none."""
    return next(filter(None, (_of_pair(row) for row in rows if isinstance(row, Mapping))), None)


def _of_pair(message: Mapping[str, Any]) -> str | None:
    if message.get("role") == "tool" or message.get("tool_calls"):
        return CHAT
    for block in _blocks(message):
        if "type" not in block and ("toolUse" in block or "toolResult" in block):
            return BEDROCK
        if block.get("type") in ("tool_use", "tool_result"):
            return ANTHROPIC
    return None


def body_dialect(value: Mapping[str, Any]) -> str | None:
    """The dialect of a request body; None when it is no body."""
    if "input" in value or (any(value.get(name) for name in _HELD) and "messages" not in value):
        return RESPONSES
    if isinstance(value.get("contents"), list):
        return GEMINI
    messages = value.get("messages")
    return _of_messages(value, messages) if isinstance(messages, list) else None


def rows_dialect(rows: Sequence[Any]) -> str | None:
    """The dialect of a bare list of messages, items or contents; None when it is none."""
    first = next((row for row in rows if isinstance(row, Mapping)), None)
    if first is None:
        return None
    if any(isinstance(row, Mapping) and row.get("type") in _RESPONSES_TYPES for row in rows):
        # Messages of other dialects have no type of their own.
        return RESPONSES
    if any(isinstance(row, Mapping) and isinstance(row.get("parts"), list) for row in rows):
        return GEMINI
    if not all(isinstance(row, Mapping) and isinstance(row.get("role"), str) for row in rows):
        return None
    return _of_messages({}, rows)


def is_responses_item(value: Mapping[str, Any]) -> bool:
    """Whether a bare object is an item of OpenAI Responses."""
    kind = value.get("type")
    return isinstance(kind, str) and kind in _RESPONSES_TYPES


def _of_messages(body: Mapping[str, Any], messages: Sequence[Any]) -> str:
    if any(name in body for name in _BEDROCK_FIELDS):
        return BEDROCK
    tools = body.get("tools")
    schemas = [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    if any(isinstance(tool.get("function"), Mapping) for tool in schemas):
        return CHAT
    said = [message for message in messages if isinstance(message, Mapping)]
    if (shown := next(filter(None, map(_of_message, said)), None)) is not None:
        return shown
    if any(name in body for name in _ANTHROPIC_FIELDS) or any("input_schema" in tool for tool in schemas):
        return ANTHROPIC
    plain = all(message.get("role") in {"user", "assistant"} for message in said)
    return ANTHROPIC if plain and str(body.get("model")).startswith("claude") else CHAT


def _of_message(message: Mapping[str, Any]) -> str | None:
    """The dialect that one message shows; many could be of any."""
    if message.get("role") == "tool" or "tool_calls" in message:
        return CHAT
    for block in _blocks(message):
        if "type" not in block:
            return BEDROCK
        if block["type"] in _ANTHROPIC_BLOCKS:
            return ANTHROPIC
    return None


def _blocks(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, Mapping))
