"""The checker of ``wire`` and the verdicts of the strict provider, written apart, agree on any history."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings, strategies as st

from turnlock.strict import judge_anthropic
from turnlock.wire import Severity, check

Block = dict[str, Any]

Blocks = st.SearchStrategy[Block]

IDS = st.sampled_from("ab")
CALLS: Blocks = IDS.map(lambda one: {"type": "tool_use", "id": one, "name": "f", "input": {}})
SEARCHES: Blocks = IDS.map(
    lambda one: {"type": "server_tool_use", "id": f"s{one}", "name": "web_search", "input": {}}
)
FOUND: Blocks = IDS.map(
    lambda one: {"type": "web_search_tool_result", "tool_use_id": f"s{one}", "content": []}
)
TEXTS: Blocks = st.just({"type": "text", "text": "x"})
THOUGHTS: Blocks = st.just({"type": "thinking", "thinking": "hm", "signature": "of a real model"})
RESULTS: Blocks = IDS.map(lambda one: {"type": "tool_result", "tool_use_id": one, "content": "ok"})
ANSWERS = st.lists(CALLS | CALLS | TEXTS | SEARCHES | FOUND | THOUGHTS, min_size=1, max_size=3)


@st.composite
def histories(draw: st.DrawFn) -> list[Block]:
    """Histories that end with the user; most calls get their results, so that some of them are right."""
    messages: list[Block] = [{"role": "user", "content": [draw(TEXTS)]}]
    for _ in range(draw(st.integers(1, 3))):
        answer = draw(ANSWERS)
        messages.append({"role": "assistant", "content": answer})
        if draw(st.integers(0, 5)) == 0:
            messages.append(
                {"role": draw(st.sampled_from(["assistant", "system"])), "content": [draw(TEXTS)]}
            )
        ids = dict.fromkeys(block["id"] for block in answer if block["type"] == "tool_use")
        results = [{"type": "tool_result", "tool_use_id": call_id, "content": "ok"} for call_id in ids]
        if draw(st.integers(0, 4)) == 0:
            results.insert(draw(st.integers(0, len(results))), draw(RESULTS | TEXTS))
        messages.append({"role": "user", "content": results or [draw(TEXTS)]})
        if draw(st.integers(0, 4)) == 0:
            messages.append({"role": "user", "content": [draw(TEXTS | RESULTS)]})
    return messages


@settings(max_examples=300)
@given(histories(), st.sampled_from([{}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}]))
def test_the_checker_and_the_provider_agree(messages: list[Block], more: dict[str, Any]) -> None:
    """What one of them refuses the other refuses, and names the rule that the provider answers with (R15)."""
    body = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": messages, **more}
    errors = {one.rule for one in check(body, "anthropic+4.6") if one.severity is Severity.ERROR}
    refusal = judge_anthropic(body)
    event("accepted" if refusal is None else refusal.rule)
    assert ({refusal.rule} if refusal else set()) <= errors
    assert bool(errors) is (refusal is not None)
