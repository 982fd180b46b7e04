"""Content blocks of Anthropic Messages, as data: what their types are called, and which belong together.

Encoder, decoder, check, reader and repair read the same names. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DIALECT = "anthropic"

TEXT = "text"
TOOL_USE = "tool_use"
TOOL_RESULT = "tool_result"
SERVER_TOOL_USE = "server_tool_use"
MCP_TOOL_USE = "mcp_tool_use"

SERVER_USES = frozenset({SERVER_TOOL_USE, MCP_TOOL_USE})
"""Calls that the provider executes itself."""

THINKING = frozenset({"thinking", "redacted_thinking"})

_TOOL_SEARCH = "tool_search_tool"  # there are several, with one type of result


def block_type(block: Mapping[str, Any]) -> str:
    """The type of a block, or ``""``."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def blocks_of(content: object) -> Sequence[object]:
    """The blocks of a message's content; text is one text block."""
    if isinstance(content, str):
        return ({"type": TEXT, "text": content},)
    return content if isinstance(content, list | tuple) else ()


def is_server_result(kind: str) -> bool:
    """A block of this type says what the provider's own call found."""
    return kind.endswith("_tool_result")


def is_server_block(kind: str) -> bool:
    """A call that the provider executes, or its result."""
    return kind in SERVER_USES or is_server_result(kind)


def server_result_type(use: Mapping[str, Any]) -> str:
    """The type of the block that answers a server's call."""
    if block_type(use) == MCP_TOOL_USE:
        return "mcp_tool_result"
    name = str(use.get("name"))
    return f"{name}_tool_result" if not name.startswith(_TOOL_SEARCH) else f"{_TOOL_SEARCH}_result"


def says_nothing(content: object) -> bool:
    """A tool_result with this content is empty."""
    if isinstance(content, list | tuple):
        return all(isinstance(part, Mapping) and part.get(TEXT) == "" for part in content)
    return content is None or content == ""
