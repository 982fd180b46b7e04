"""A growing history: what requests share, and that what was given out never changes."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, strategies as st

from turnlock.reports import Implied
from turnlock.reports.readers.filling import fill_anthropic, fill_responses
from turnlock.reports.readers.growing import History
from turnlock.strict import judge_responses

IDS = st.sampled_from("abc")
ITEMS = st.one_of(
    st.builds(lambda i: {"type": "function_call", "call_id": i, "name": "t", "arguments": "{}"}, IDS),
    st.builds(lambda i: {"type": "function_call_output", "call_id": i, "output": "x"}, IDS),
    st.builds(lambda t: {"role": "user", "content": t}, st.sampled_from(["hi", "and"])),
)
STEPS = st.lists(st.one_of(ITEMS, st.sampled_from(["answered", "replace", "end"])), max_size=30)


def play(steps: list[Any]) -> list[tuple[Implied, list[Any]]]:
    """The requests, each with a copy of its rows as they were when it was given out."""
    history = History(0, "openai_responses", "input", filling=fill_responses)
    found = []
    for step in steps:
        match step:
            case "answered":
                history.answered(None)
            case "end":
                history.end()
            case "replace":
                history.replace(history.rows[: len(history.rows) // 2], len(history.rows) // 3)
            case _:
                history.add(step)
        found += [(each, copy.deepcopy(list(each.rows[: each.length]))) for each in history.hand_out()]
    return found


@given(STEPS)
def test_a_request_keeps_its_rows(steps: list[Any]) -> None:
    """Whatever comes later: compaction, filling, late outputs."""
    for request, rows in play(steps):
        assert list(request.rows[: request.length]) == rows


@given(STEPS)
def test_fresh_rows_are_the_very_same_objects(steps: list[Any]) -> None:
    """So a check that has walked them need not look at them again."""
    before: list[Any] = []
    for at, (request, _) in enumerate(play(steps)):
        rows = list(request.rows[: request.length])
        assert request.index == at
        assert request.fresh <= min(len(before), len(rows))
        assert all(old is new for old, new in zip(before[: request.fresh], rows, strict=False))
        before = rows


def unique(steps: list[Any]) -> list[Any]:
    """The same steps, in which no call id is used twice."""
    calls = 0
    changed = []
    for step in steps:
        if isinstance(step, dict) and step.get("type") == "function_call":
            calls += 1
            changed.append({**step, "call_id": f"c{calls}"})
        elif isinstance(step, dict) and "output" in step:
            changed.append({**step, "call_id": f"c{max(1, calls - ord(step['call_id']) + ord('a'))}"})
        else:
            changed.append(step)
    return changed


@given(STEPS.map(unique))
def test_what_was_answered_is_a_request_that_a_provider_accepts(steps: list[Any]) -> None:
    """C38, C40: whatever a file lacks or has twice, the answered request was sound."""
    steps = [step for step in steps if step not in ("replace", "end")]
    for request, _ in play(steps):
        assert judge_responses(request.body()) is None


BLOCKS = st.one_of(
    st.builds(lambda i: ("assistant", {"type": "tool_use", "id": i}), st.integers(0, 4)),
    st.builds(lambda i: ("user", {"type": "tool_result", "tool_use_id": i}), st.integers(0, 4)),
    st.sampled_from(
        [("user", {"type": "text", "text": "hi"}), ("assistant", {"type": "text", "text": "ok"})]
    ),
)


@given(st.lists(BLOCKS, max_size=12))
def test_each_run_of_answers_gets_its_results_first_and_once(blocks: list[Any]) -> None:
    """C38: an oracle of its own reads what was filled in; what was sound is left alone."""
    used: set[int] = set()
    rows: list[dict[str, Any]] = []
    for role, block in blocks:
        if block["type"] == "tool_use":
            if block["id"] in used:
                continue
            used.add(block["id"])
        rows.append(
            {"role": role, "content": [{**block, "id": str(block["id"])} if "id" in block else block]}
        )
        if "tool_use_id" in block:
            rows[-1]["content"] = [{**block, "tool_use_id": str(block["tool_use_id"])}]
    filled = fill_anthropic(rows)
    sent = rows if filled is None else rows[: filled[0]] + list(filled[1])
    assert paired(sent)
    assert (filled is None) == paired(rows)
    assert fill_anthropic(sent) is None
    words = [block for row in rows for block in row["content"] if block["type"] != "tool_result"]
    assert [block for row in sent for block in row["content"] if block["type"] != "tool_result"] == words


def test_a_result_behind_the_next_answer_does_not_count() -> None:
    """Two of the calls' results are there, and one of them is too late."""
    calls = [{"type": "tool_use", "id": "a"}, {"type": "tool_use", "id": "b"}]
    results = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": i}]} for i in "ab"]
    between = {"role": "assistant", "content": [{"type": "text", "text": "hm"}]}
    rows = [{"role": "assistant", "content": calls}, results[0], between, results[1]]
    filled = fill_anthropic(rows)
    assert filled is not None
    assert paired(rows[: filled[0]] + list(filled[1]))


def paired(rows: list[Any]) -> bool:
    runs: list[tuple[str, list[Any]]] = []
    for row in rows:
        if not runs or runs[-1][0] != row["role"]:
            runs.append((row["role"], []))
        runs[-1][1].extend(row["content"])
    calls: list[str] = []
    for role, blocks in [*runs, ("user", [])]:
        if role == "assistant":
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            continue
        results = [block.get("tool_use_id") for block in blocks[: len(calls)]]
        if sorted(map(str, results)) != sorted(calls):
            return False
        if any(block["type"] == "tool_result" for block in blocks[len(calls) :]):
            return False
        calls = []
    return True
