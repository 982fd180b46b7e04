"""Histories that are right pass; damaged in one place they are refused, as the rules say."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from turnlock.strict import judge_chat, judge_responses

Item = dict[str, Any]

ANSWERS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "local_shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
}


def a_call(kind: str, call_id: str) -> Item:
    said = {"name": "f", "arguments": "{}", "input": "x", "action": {}, "operation": {}}
    return {"type": kind, "call_id": call_id, **said}


def an_output(kind: str, call_id: str) -> Item:
    return {"type": ANSWERS[kind], "call_id": call_id, "output": "ok", "status": "completed"}


@st.composite
def turns(draw: st.DrawFn) -> list[list[tuple[str, str]]]:
    """Turns as lists of (kind, call id), ids unique over all of them; at least one call."""
    kinds = draw(st.lists(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=3), min_size=1, max_size=3))
    kinds[0] = kinds[0] or ["function_call"]
    return [
        [(kind, f"call_{turn}_{at}") for at, kind in enumerate(group)] for turn, group in enumerate(kinds)
    ]


@st.composite
def responses_history(draw: st.DrawFn) -> list[Item]:
    """An accepted Responses history: outputs in any order anywhere behind their calls, notes between."""
    items: list[Item] = []
    for group in draw(turns()):
        items.append({"role": "user", "content": "go"})
        items += [a_call(*call) for call in group]
        if draw(st.booleans()):
            items.append({"role": "developer", "content": "a note"})
        items += [an_output(*call) for call in draw(st.permutations(group))]
    return items


@st.composite
def chat_history(draw: st.DrawFn) -> list[Item]:
    """An accepted Chat history: the answers directly behind their calls, in any order."""
    messages: list[Item] = []
    for group in draw(turns()):
        messages.append({"role": "user", "content": "go"})
        if group:
            function = {"name": "f", "arguments": "{}"}
            called = [{"id": call_id, "type": "function", "function": function} for _kind, call_id in group]
            messages.append({"role": "assistant", "content": None, "tool_calls": called})
            answers = draw(st.permutations(group))
            messages += [
                {"role": "tool", "tool_call_id": call_id, "content": "ok"} for _kind, call_id in answers
            ]
    return messages


def outputs_of(items: list[Item]) -> list[int]:
    return [at for at, item in enumerate(items) if item.get("role") == "tool" or "output" in item]


def rule_of(items: list[Item]) -> str | None:
    dialect, judge = (
        ("messages", judge_chat)
        if any("tool_calls" in item for item in items)
        else ("input", judge_responses)
    )
    refusal = judge({dialect: items})
    return None if refusal is None else refusal.rule


@given(responses_history(), st.data())
def test_a_damaged_responses_history_is_refused(items: list[Item], data: st.DataObject) -> None:
    """Dropped, doubled, moved before its call, or orphaned: each damage breaks its rule (RESP-*)."""
    assert rule_of(items) is None
    at = data.draw(st.sampled_from(outputs_of(items)))
    output = items[at]
    without = items[:at] + items[at + 1 :]
    call_at = next(i for i, item in enumerate(items) if item.get("call_id") == output["call_id"])
    dropped = rule_of(without)
    assert dropped is not None
    assert dropped.startswith("RESP-CALL-NO-OUTPUT")
    assert rule_of([*items, output]) == "RESP-DUP-CALL-ID"
    assert rule_of([*without[:call_at], output, *without[call_at:]]) == "RESP-OUTPUT-BEFORE-CALL"
    assert rule_of(items[:call_at] + items[call_at + 1 :]) == "RESP-OUTPUT-NO-CALL"
    assert rule_of([*items, items[call_at]]) == "RESP-DUP-CALL-ID"
    assert rule_of([*without, output]) is None, "an output may stand anywhere behind its call"


@given(chat_history(), st.data())
def test_a_damaged_chat_history_is_refused(messages: list[Item], data: st.DataObject) -> None:
    """Dropped, doubled, moved behind a user message, or orphaned: each damage breaks its rule (CHAT-*)."""
    user = {"role": "user", "content": "and?"}
    assert rule_of(messages) is None
    at = data.draw(st.sampled_from(outputs_of(messages)))
    answer = messages[at]
    without = messages[:at] + messages[at + 1 :]
    call_at = max(i for i in range(at) if "tool_calls" in messages[i])
    assert rule_of(without) == "CHAT-CALL-NO-TOOL"
    assert rule_of([*messages[: at + 1], answer, *messages[at + 1 :]]) == "CHAT-TOOL-DUP"
    assert rule_of([*without, user, answer]) == "CHAT-CALL-NO-TOOL"
    assert rule_of([*messages[: call_at + 1], user, *messages[call_at + 1 :]]) == "CHAT-CALL-NO-TOOL"
    orphaned = messages[:call_at] + messages[call_at + 1 :]
    refusal = judge_chat({"messages": orphaned})
    assert refusal is not None
    assert refusal.rule == "CHAT-TOOL-ORPHAN"
