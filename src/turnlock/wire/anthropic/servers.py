"""Servers of the Anthropic format whose rules are their own: data for the walk of ``check.py``.

A server says which of its rules stands for which of Anthropic's. What it has no rule for is not looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen

from turnlock.wire.anthropic import rules
from turnlock.wire.anthropic.blocks import SERVER_USES, THINKING, TOOL_RESULT, TOOL_USE, block_type
from turnlock.wire.common.rules import UNREADABLE, Rule, Severity


@frozen
class Server:
    """What a server asks.

    Attributes:
        instead: Its rules, by the ids of Anthropic's that they stand for; None: Anthropic's own.
        results_alone: A message that holds results holds nothing behind them.
    """

    instead: Mapping[str, Rule] | None = None
    results_alone: bool = False


ANTHROPIC = Server()

MINIMAX_FOLLOW = Rule(
    "MINIMAX-FOLLOW",
    Severity.ERROR,
    "invalid params, tool call result does not follow tool call (2013)",
    "Results follow their calls directly, in a message that holds nothing else; text has a message of its "
    "own.",
    "anomalyco/opencode#32609, can1357/oh-my-pi#2055",
    fix="Put the results directly behind their calls, and text into a message behind them.",
)
MINIMAX_ID = Rule(
    "MINIMAX-ID",
    Severity.ERROR,
    "invalid params, tool result's tool id({id}) not found (2013)",
    "A result names a call of the assistant message before it.",
    "MiniMax-AI/MiniMax-M2#76",
    fix="Send the call together with its result, under the same id.",
)
MINIMAX_RULES = (MINIMAX_FOLLOW, MINIMAX_ID)
"""MiniMax's rules of this format; that of its Chat format stands beside the other chat servers'."""

MINIMAX = Server(
    MappingProxyType(
        {
            rules.USE_NO_RESULT.id: MINIMAX_FOLLOW,
            rules.RESULT_FIRST.id: MINIMAX_FOLLOW,
            # Nobody saw what it says to a second result.
            rules.RESULT_DUP.id: evolve(MINIMAX_FOLLOW, severity=Severity.WARNING),
            rules.RESULT_ORPHAN.id: MINIMAX_ID,
            UNREADABLE.id: UNREADABLE,
        }
    ),
    results_alone=True,
)


def has_blocks(row: Mapping[str, Any]) -> bool:
    """This message can only be one of the Anthropic format: for servers that take two formats."""
    content = row.get("content")
    return isinstance(content, list | tuple) and any(
        isinstance(block, Mapping) and block_type(block) in _ONLY_HERE for block in content
    )


_ONLY_HERE = frozenset({TOOL_USE, TOOL_RESULT, *SERVER_USES, *THINKING})
"""Blocks that no message of Chat Completions has."""


def is_in_blocks(body: Mapping[str, Any]) -> bool:
    """A body with such a message."""
    rows = body.get("messages")
    return isinstance(rows, list | tuple) and any(
        isinstance(row, Mapping) and has_blocks(row) for row in rows
    )
