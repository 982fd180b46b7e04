"""Anthropic histories that are right pass; damaged in one place they are refused, as the rules say."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from turnlock.strict import Refusal, judge_anthropic

Message = dict[str, Any]


def use(call_id: str) -> Message:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}}


def result(call_id: str) -> Message:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}


def text(words: str = "x") -> Message:
    return {"type": "text", "text": words}


def user(*blocks: Message) -> Message:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Message) -> Message:
    return {"role": "assistant", "content": list(blocks)}


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Turns of up to three calls, at least one in all: results in any order, merged or apart, text behind."""
    messages: list[Message] = [user(text("go"))]
    for turn, count in enumerate(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))):
        ids = [f"toolu_{turn}_{at}" for at in range(count)]
        said = [text()] if draw(st.booleans()) else []
        if draw(st.booleans()):
            messages += [assistant(*said, use(ids[0])), *(assistant(use(call_id)) for call_id in ids[1:])]
        else:
            messages.append(assistant(*said, *map(use, ids)))
        messages.append(user(*map(result, draw(st.permutations(ids)))))
        if draw(st.booleans()):
            messages.append(user(text("and?")))
    return messages


def rule_of(messages: list[Message]) -> str | None:
    refusal = judge_anthropic({"model": "claude-sonnet-5", "messages": messages})
    return None if refusal is None else refusal.rule


def calls_in(message: Message) -> list[str]:
    return [block["id"] for block in message["content"] if block["type"] == "tool_use"]


def results_in(message: Message) -> list[int]:
    return [at for at, block in enumerate(message["content"]) if block["type"] == "tool_result"]


@given(histories(), st.data())
def test_a_damaged_history_is_refused(messages: list[Message], data: st.DataObject) -> None:
    """Dropped, doubled, moved, put behind text, orphaned: each damage breaks its rule (ANT-*)."""
    assert rule_of(messages) is None
    at = data.draw(st.sampled_from([i for i, message in enumerate(messages) if results_in(message)]))
    blocks = messages[at]["content"]
    place = data.draw(st.sampled_from(results_in(messages[at])))
    answer, others = blocks[place], [*blocks[:place], *blocks[place + 1 :]]
    before, after = messages[:at], messages[at + 1 :]
    rest = [user(*others)] if others else []
    assert rule_of([*before, *rest, *after]) == "ANT-USE-NO-RESULT"
    assert rule_of([*before, user(*blocks, answer), *after]) == "ANT-RESULT-DUP"
    assert rule_of([*before, user(text(), *blocks), *after]) == "ANT-RESULT-FIRST"
    assert rule_of([*before, user(*others, text(), answer), *after]) == "ANT-RESULT-FIRST"
    assert rule_of([*messages, assistant(text()), user(answer)]) == "ANT-RESULT-ORPHAN"
    assert rule_of([*before, assistant(text()), user(*blocks), *after]) == "ANT-USE-TRAILING"
    assert rule_of([*before, user(*others, text()), user(answer)]) == "ANT-RESULT-FIRST"
    assert rule_of([*messages, assistant(text())]) == "ANT-PREFILL"
    assert rule_of([*messages, assistant(use("new"))]) == "ANT-USE-NO-RESULT"
    asked = max(i for i in range(at) if calls_in(messages[i]))
    twice = assistant(*messages[asked]["content"], use(calls_in(messages[asked])[0]))
    assert rule_of([*messages[:asked], twice, *messages[asked + 1 :]]) == "ANT-USE-ID-UNIQUE"
    without = assistant(*(block for block in messages[asked]["content"] if block["type"] != "tool_use"))
    kept = [without] if without["content"] else []
    assert rule_of([*messages[:asked], *kept, *messages[asked + 1 :]]) == "ANT-RESULT-ORPHAN"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "user", "assistant", "system", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "id", "name", "input", "tool_use_id"]), inner
        )
    ),
    max_leaves=12,
)
_blocks = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(
        [
            "text",
            "thinking",
            "tool_use",
            "tool_result",
            "server_tool_use",
            "web_search_tool_result",
            "mcp_tool_use",
            "text_delta",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["id", "name", "input", "tool_use_id", "text", "thinking", "signature", "is_error"]),
        st.sampled_from(["a", "b", "", {}, [], 3, True, None]),
    ),
)
_messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system", "tool"]),
    st.lists(_blocks, max_size=4) | _json,
)


@given(st.fixed_dictionaries({"messages": st.lists(_messages | _json, max_size=5) | _json, "model": _json}))
def test_every_body_gets_a_verdict(body: dict[str, Any]) -> None:
    """Whatever JSON is sent, it is accepted or refused, and nothing breaks."""
    verdict = judge_anthropic({**body, "thinking": {"type": "enabled"}})
    assert verdict is None or isinstance(verdict, Refusal)
