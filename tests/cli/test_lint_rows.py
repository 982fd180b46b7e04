"""A row in a line, in every dialect: who says it, which calls and results, how it begins."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.cli.lint.rows import fitted, in_a_line

RESULT = {"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": "no"}


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (7, "7"),
        ({}, "?"),
        ({"type": "reasoning", "summary": []}, "reasoning"),
        ({"type": "function_call", "name": "t", "call_id": "a"}, "function_call: t a"),
        ({"type": "function_call_output", "call_id": "a", "output": "x"}, 'function_call_output: a "x"'),
        ({"role": "user", "content": "hi"}, 'user: "hi"'),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            'user: "hi"',
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "t"}}, 1]},
            "assistant: call t a + call ? ?",
        ),
        ({"role": "tool", "tool_call_id": "a", "content": "x"}, 'tool: result of a "x"'),
        (
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "hm"}, {"type": "tool_use", "id": "a"}],
            },
            'assistant: "hm" + call ? a',
        ),
        ({"role": "user", "content": [RESULT]}, 'user: result of a (error) "no"'),
        (
            {
                "role": "user",
                "content": [{**RESULT, "content": [{"type": "text", "text": "x"}], "is_error": False}],
            },
            'user: result of a "x"',
        ),
        (
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, 3]},
            'assistant: thinking "hm" + 3',
        ),
        ({"role": "model", "parts": [{"functionCall": {"name": "t", "id": "a"}}]}, "model: call t a"),
        ({"role": "user", "parts": [{"functionResponse": {"name": "t"}}]}, "user: result of t"),
        (
            {"role": "assistant", "content": [{"toolUse": {"name": "t", "toolUseId": "a"}}]},
            "assistant: call t a",
        ),
        (
            {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}]},
            'user: result of a "x"',
        ),
    ],
)
def test_a_row_in_a_line(row: Any, line: str) -> None:
    """Enough to find it, and nothing else."""
    assert in_a_line(row) == line


LONG = {"type": "text", "text": "long " * 40}
CALLS = [{"type": "tool_use", "id": f"call_{number}", "name": "t"} for number in range(9)]


@pytest.mark.parametrize(
    ("row", "block", "line"),
    [
        ({"role": "assistant", "content": [LONG]}, (), 'assistant: "long long long long long long long …'),
        (
            {"role": "assistant", "content": [LONG, CALLS[0]]},
            ("content", "1"),
            "assistant: … + call t call_0",
        ),
        (
            {"role": "assistant", "content": [LONG, LONG, CALLS[0], CALLS[1]]},
            ("content", "2"),
            "assistant: … + call t call_0 + call t call_1",
        ),
        (
            {"role": "assistant", "content": CALLS},
            ("content", "8"),
            "assistant: … + call t call_7 + call t call_8",
        ),
        (
            {"role": "assistant", "content": CALLS},
            ("content", "0"),
            "assistant: call t call_0 + call t call_1 + call…",
        ),
        (
            {
                "role": "assistant",
                "content": "long " * 40,
                "tool_calls": [
                    {"id": "a", "function": {"name": "t"}},
                    {"id": "b", "function": {"name": "u"}},
                ],
            },
            ("tool_calls", "1"),
            "assistant: … + call t a + call u b",
        ),
        (
            {"role": "user", "content": "long " * 40},
            ("content", "7"),
            'user: "long long long long long long long long …',
        ),
    ],
)
def test_the_block_that_is_meant_is_seen(row: Any, block: tuple[str, ...], line: str) -> None:
    """Whatever stands before it; on a line of so many letters."""
    shown = fitted(row, 48, block)
    assert len(shown) <= 48
    assert shown == line
