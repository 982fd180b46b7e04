"""Whatever JSON a body is made of, nothing that reads it fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.wire import check, decode, read, repair

WORDS = [
    *("messages", "role", "content", "user", "assistant", "system", "tool", "text", "toolUse", "toolResult"),
    *("toolUseId", "status", "error", "json", "type", "server_tool_use", "reasoningContent", "toolConfig"),
    *("citationsContent", "toolSpec", "inputSchema", "tool_calls", "tool_call_id", "id", "name", "function"),
    *("arguments", "prefix", "thinking", "model", "tools", "input", "stream"),
]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(WORDS), st.text(max_size=5))
OBJECTS = st.dictionaries(st.sampled_from(WORDS), SCALARS, max_size=4)
DEEP = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)
BLOCKS = st.one_of(
    DEEP,
    st.builds(lambda inner: {"toolUse": inner}, OBJECTS),
    st.builds(lambda inner, parts: {"toolResult": inner | {"content": parts}}, OBJECTS, st.lists(OBJECTS)),
    st.builds(lambda inner: {"function": inner, "id": "abcdefghi"}, DEEP),
)
ROLES: st.SearchStrategy[Any] = st.sampled_from(
    ["user", "assistant", "assistant", "tool", "system", None, [], {}]
)
ROWS = st.one_of(
    DEEP,
    st.builds(
        lambda role, content, calls, more: more | {"role": role, "content": content} | calls,
        ROLES,
        st.one_of(st.lists(BLOCKS, max_size=4), DEEP),
        st.one_of(st.just({}), st.builds(lambda calls: {"tool_calls": calls}, st.lists(BLOCKS, max_size=3))),
        OBJECTS,
    ),
)
BODIES = st.builds(lambda rows, more: more | {"messages": rows}, st.lists(ROWS, max_size=5), OBJECTS)
DIALECTS = pytest.mark.parametrize(
    "dialect",
    ["bedrock_converse", "bedrock_converse+unmixed_user+unmixed_assistant", "mistral", "mistral+common+v3"],
)


@DIALECTS
@given(body=BODIES)
def test_no_body_makes_check_read_or_repair_fail(dialect: str, body: dict[str, Any]) -> None:
    """R15, R16: the check answers, the rest is read, and what a repair leaves is what the check finds."""
    check(body, dialect)
    read(body, dialect)
    done = repair(body, dialect)
    assert not [
        found for found in check(done.value, dialect) if found not in done.left and found.severity == "error"
    ]


@DIALECTS
@given(row=st.one_of(OBJECTS, ROWS.filter(lambda row: isinstance(row, dict))), cut=st.booleans())
def test_no_answer_makes_decode_fail(dialect: str, row: dict[str, Any], cut: bool) -> None:  # noqa: FBT001
    """R12: a provider may send anything."""
    decode(dialect, row, request=1, model="m", next_ordinal=lambda: 1, cut=cut)
