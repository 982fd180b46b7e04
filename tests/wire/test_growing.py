"""The check of a growing history: the same verdict as of the whole body, at the cost of what is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from turnlock.wire import check, growing, walk

ROWS: Mapping[str, tuple[str, list[Any]]] = {
    "openai_responses": (
        "input",
        [
            {"role": "user", "content": "hi"},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}", "id": "fc_1"},
            {"type": "function_call_output", "call_id": "a", "output": "]}"},
            {"type": "function_call_output", "call_id": "b", "output": "ok"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "item_reference", "id": "x"},
            {"type": "compaction_trigger"},
            7,
        ],
    ),
    "deepseek_responses": (
        "input",
        [
            {"role": "user", "content": "hi"},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "ok"},
        ],
    ),
    "openai_chat": (
        "messages",
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "ok"},
            {"role": "assistant", "content": None},
        ],
    ),
    "anthropic": (
        "messages",
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "ok"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
            {
                "role": "assistant",
                "content": [{"type": "server_tool_use", "id": "s", "name": "w", "input": {}}],
            },
        ],
    ),
}
DIALECTS = pytest.mark.parametrize("dialect", ROWS)


def steps(dialect: str) -> st.SearchStrategy[list[tuple[list[Any], str]]]:
    """How a history goes on, again and again: rows, which are added or begin another history."""
    rows = st.lists(st.sampled_from(ROWS[dialect][1]), max_size=4)
    return st.lists(
        st.tuples(rows, st.sampled_from(["grown", "grown", "grown", "other", "moved"])), max_size=6
    )


@DIALECTS
@given(data=st.data())
def test_a_growing_check_says_what_a_whole_one_says(dialect: str, data: st.DataObject) -> None:
    """R15: also when the history is replaced, is the same, or does not stand last in the body."""
    name, _ = ROWS[dialect]
    grown, session = list[Any](), growing(dialect)
    for rows, how in data.draw(steps(dialect)):
        grown = rows if how == "other" else [*grown, *rows]
        fields: dict[str, Any] = {"model": "m", "stop": ["]}"], name: grown}
        body = msgspec.json.encode({name: grown, "stop": [grown]} if how == "moved" else fields)
        assert session.check(body) == check(body, dialect)


@DIALECTS
@given(data=st.data())
def test_a_walk_can_be_asked_after_every_row(dialect: str, data: st.DataObject) -> None:
    """The verdict on a prefix is that of a body that ends there, and asking changes nothing."""
    name, pool = ROWS[dialect]
    rows = data.draw(st.lists(st.sampled_from(pool), max_size=8))
    under_way = walk(dialect, {"model": "m"})
    for length, row in enumerate(rows, 1):
        under_way.feed([row])
        assert under_way.verdict() == under_way.verdict()
        assert under_way.verdict() == check({"model": "m", name: rows[:length]}, dialect)


def test_what_was_checked_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/PERFORMANCE.md, 6: the cost of a request is that of what is new in it."""
    session = growing("openai_chat")
    user = {"role": "user", "content": "hi"}
    session.check(msgspec.json.encode({"model": "m", "messages": [user] * 50}))
    assert session._walk is not None
    fed: list[int] = []
    feed = type(session._walk).feed

    def count(under_way: Any, rows: Any) -> None:
        fed.append(len(rows))
        feed(under_way, rows)

    monkeypatch.setattr(type(session._walk), "feed", count)
    for length in (51, 51, 54):
        session.check(msgspec.json.encode({"model": "m", "messages": [user] * length}))
    assert fed == [1, 0, 3]


def test_calls_that_the_provider_holds_are_another_question() -> None:
    """R22: the same bytes are judged anew when other calls are held open."""
    session = growing("openai_responses")
    body = b'{"previous_response_id":"r","input":[{"role":"user","content":"hi"}]}'
    assert session.check(body) == ()
    assert [each.rule for each in session.check(body, ["a"])] == ["RESP-PREV-PENDING"]
    assert session.check(body) == ()


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"input": 7}', b'{"input": {}}'])
def test_what_cannot_be_read_is_said(body: bytes) -> None:
    """UNREADABLE, and the next body is checked as if nothing had been."""
    session = growing("openai_responses")
    assert [each.rule for each in session.check(body)] == ["UNREADABLE"]
    assert session.check(body) == check(body, "openai_responses")
    assert session.check(b'{"input":[]}') == ()


def test_there_must_be_such_a_dialect() -> None:
    """A wrong profile is the caller's mistake, and the message names what there is."""
    with pytest.raises(
        ValueError, match=r"openai_responses has no profile 'strict'; known: openai_responses\+stored"
    ):
        growing("openai_responses+strict")
