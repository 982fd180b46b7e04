"""Anthropic's messages, one at a time: what their fields must hold, and what they are once they are merged.

Owns the rules about one block, which the provider checks before it looks at the history, and the merging of
messages of one role (ANT-MERGE). Must not know how calls and results belong together: that is ``judge``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from turnlock.strict.verdict import SHAPE, Refusal

Block: TypeAlias = Mapping[str, Any]

THINKING = ("thinking", "redacted_thinking")
#: The calls that the provider answers itself.
SERVER_CALLS = ("server_tool_use", "mcp_tool_use")

_ID = re.compile(r"[a-zA-Z0-9_-]+")
#: The fields that a block of each type must have, all of them texts; an ``input`` is looked at by itself.
_TEXTS: Mapping[str, Sequence[str]] = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name"),
    "server_tool_use": ("id", "name"),
    "mcp_tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
}


@frozen
class Turn:
    """What the provider reads as one message: all messages of one role in a row."""

    role: str
    blocks: tuple[Block, ...]

    def of(self, *kinds: str) -> list[Block]:
        """The blocks of these types, in order."""
        return [block for block in self.blocks if block["type"] in kinds]


def is_server_result(block: Block) -> bool:
    """Whether this is what a tool of the provider's own said."""
    return bool(block["type"].endswith("_tool_result"))


def result_of(call: Block) -> str:
    """The type of the result that belongs to a call of a server tool."""
    if call["type"] == "mcp_tool_use":
        return "mcp_tool_result"
    searches = call["name"].startswith("tool_search_tool")  # the one tool whose calls have two names
    return "tool_search_tool_result" if searches else f"{call['name']}_tool_result"


def turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """The messages as the provider merges them.

    A system message that only sets an ``output_config`` says nothing and may stand anywhere: it is no turn.
    """
    merged: list[Turn] = []
    for message in messages:
        content = message["content"]
        if _only_configures(message):
            continue
        if isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        if merged and merged[-1].role == message["role"]:
            merged[-1] = Turn(message["role"], (*merged[-1].blocks, *content))
        else:
            merged.append(Turn(message["role"], tuple(content)))
    return merged


def malformed(messages: object) -> Refusal | None:
    """The first field that is missing or holds what it must not."""
    if messages is None:
        return _required("messages")
    if not isinstance(messages, list):
        return _should_be("messages", "a valid list")
    if not messages:
        return Refusal(SHAPE, "messages: at least one message is required")
    last = len(messages) - 1
    found = (_in_message(f"messages.{at}", each, last=at == last) for at, each in enumerate(messages))
    return next((refusal for refusals in found for refusal in refusals), None)


# --- what is wrong, the first first: nobody asks on behind it


def _in_message(path: str, message: object, *, last: bool) -> Iterator[Refusal]:
    if not isinstance(message, dict):
        yield _should_be(path, "a valid dictionary")
    elif message.get("role") is None:
        yield _required(f"{path}.role")
    elif message["role"] not in ("user", "assistant", "system"):
        yield _should_be(f"{path}.role", "'user', 'assistant' or 'system'")
    elif message.get("content") is None:
        yield _required(f"{path}.content")
    elif not message["content"]:
        yield from _in_nothing(path, message, last=last)
    elif isinstance(message["content"], list):
        for at, block in enumerate(message["content"]):
            yield from _in_block(f"{path}.content.{at}", block)
    elif not isinstance(message["content"], str):
        yield _should_be(f"{path}.content", "a valid list")


def _in_nothing(path: str, message: Mapping[str, Any], *, last: bool) -> Iterator[Refusal]:
    if message["role"] == "system":
        if not _only_configures(message):
            yield Refusal(SHAPE, f"{path}: system content must contain at least one block")
    elif not (last and message["role"] == "assistant"):
        text = "all messages must have non-empty content except for the optional final assistant message"
        yield Refusal(SHAPE, f"{path}: {text}")


def _only_configures(message: Mapping[str, Any]) -> bool:
    return message["role"] == "system" and message["content"] == [] and "output_config" in message


def _in_block(path: str, block: object) -> Iterator[Refusal]:
    if not isinstance(block, dict):
        yield _should_be(path, "a valid dictionary")
    elif block.get("type") is None:
        yield _required(f"{path}.type")
    elif not isinstance(block["type"], str):
        yield _should_be(f"{path}.type", "a valid string")
    elif block["type"].endswith("_delta"):
        # Types that we do not know pass, for there are new ones; a delta was never one of a message.
        text = f"Input tag '{block['type']}' does not match any of the expected tags"
        yield Refusal("ANT-RAW-DELTA", text)
    else:
        yield from _in_fields(path, block)


def _in_fields(path: str, block: Block) -> Iterator[Refusal]:
    kind = block["type"]
    for name in _TEXTS.get(kind, ("tool_use_id",) if is_server_result(block) else ()):
        if name not in block:
            yield _required(f"{path}.{kind}.{name}")
        elif not isinstance(block[name], str):
            yield _should_be(f"{path}.{kind}.{name}", "a valid string")
    if kind == "tool_use" or kind in SERVER_CALLS:
        yield from _in_call(f"{path}.{kind}", block)
    else:
        yield from _in_words(path, block)


def _in_call(path: str, block: Block) -> Iterator[Refusal]:
    if block["type"] == "tool_use" and not _ID.fullmatch(block["id"]):
        text = f"{path}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        yield Refusal("ANT-ID-CHARSET", text)
    if "input" not in block:
        yield _required(f"{path}.input")
    elif not isinstance(block["input"], dict):
        yield _should_be(f"{path}.input", "a valid dictionary", "ANT-INPUT-DICT")


def _in_words(path: str, block: Block) -> Iterator[Refusal]:
    match block["type"]:
        case "text" if not block["text"]:
            yield Refusal("ANT-EMPTY-TEXT", "messages: text content blocks must be non-empty")
        case "thinking" if not block["signature"]:
            # What is left of a block whose stream broke off before its signature_delta.
            yield invalid_signature(path)
        case "tool_result" if block.get("is_error") is True and _says_nothing(block.get("content")):
            text = f"{path}.tool_result: content cannot be empty if `is_error` is true"
            yield Refusal("ANT-RESULT-ERROR-EMPTY", text)


def _says_nothing(content: object) -> bool:
    if isinstance(content, list):
        return all(isinstance(part, dict) and part.get("text") == "" for part in content)
    return not content


def invalid_signature(path: str) -> Refusal:
    """A thinking block is not what was signed."""
    return Refusal("ANT-THINKING-SIGNATURE", f"{path}: Invalid `signature` in `thinking` block")


def _required(path: str) -> Refusal:
    return Refusal(SHAPE, f"{path}: Field required")


def _should_be(path: str, what: str, rule: str = SHAPE) -> Refusal:
    return Refusal(rule, f"{path}: Input should be {what}")
