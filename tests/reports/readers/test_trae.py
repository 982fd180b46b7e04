"""trae trajectories: the refused request stands as it left, block by block."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.session_files import lengths, problems, requests
from turnlock.reports import detect
from turnlock.wire import check

TASK = [{"role": "system", "content": "Fix it."}, {"role": "user", "content": "Now."}]


def call(call_id: str, name: str = "bash") -> dict[str, Any]:
    return {"call_id": call_id, "name": name, "arguments": {"command": "ls"}, "id": None}


def came(call_id: str, text: str = "done", *, error: str = "", success: bool = True) -> dict[str, Any]:
    result = {"call_id": call_id, "success": success, "result": text, "error": error, "id": None}
    return {"role": "user", "content": None, "tool_result": result}


def answer(*calls: dict[str, Any], content: str = "", finish: str = "tool_use") -> dict[str, Any]:
    return {"content": content, "model": "m", "finish_reason": finish, "tool_calls": list(calls) or None}


def run(
    path: Path,
    interactions: list[tuple[list[dict[str, Any]], dict[str, Any]]],
    steps: list[dict[str, Any]],
    provider: str = "bedrock",
) -> Path:
    path.write_text(
        json.dumps(
            {
                "task": "Fix it.",
                "provider": provider,
                "model": "m",
                "llm_interactions": [
                    {"provider": provider, "input_messages": messages, "response": response}
                    for messages, response in interactions
                ],
                "agent_steps": [
                    {"step_number": number, "error": None, **step} for number, step in enumerate(steps, 1)
                ],
            }
        )
    )
    return path


def went(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A step that was done, and the messages for the next."""
    return {"llm_messages": messages, "llm_response": {}}


def failed(messages: list[dict[str, Any]], error: str) -> dict[str, Any]:
    return {"llm_messages": messages, "llm_response": None, "error": error}


def test_an_error_without_text_is_refused_where_the_client_put_it(tmp_path: Path) -> None:
    """ANT-RESULT-ERROR-EMPTY: each block is a message of its own, so the refusal's index is the row's."""
    path = run(
        tmp_path / "run.json",
        [(TASK, answer(call("a"), content="Looking.")), ([came("a")], answer(call("b")))],
        [went([came("a")]), failed([came("b", "", success=False)], _REFUSED.format(at=5))],
    )
    found = requests(path)
    assert detect(path) == "trae_trajectory"
    assert lengths(found) == [(1, 0), (4, 1), (6, 4)]
    assert {each.dialect for each in found} == {"anthropic"}
    assert found[0].envelope == {"model": "m", "system": "Fix it."}
    last = found[-1]
    assert last.verdict is not None
    assert (last.next, last.verdict.accepted, last.verdict.status) == (True, False, 400)
    assert last.verdict.error.startswith("messages.5.")
    assert last.rows[5]["content"][0] == {
        "type": "tool_result",
        "tool_use_id": "b",
        "content": "",
        "is_error": True,
    }


_REFUSED = (
    "Error code: 400 - {{'message': 'messages.{at}.content.0.tool_result: "
    "content cannot be empty if `is_error` is true'}}"
)


def test_a_control_tool_without_output_is_refused(tmp_path: Path) -> None:
    """R11, RESP-CALL-NO-OUTPUT: a tool that the agent handled itself got none; all before it is sound."""
    error = (
        "Error code: 400 - {'error': {'message': 'No tool output found for function call b.', 'code': None}}"
    )
    path = run(
        tmp_path / "run.json",
        [
            (TASK, answer(call("a"), content="Looking.", finish="completed")),
            ([came("a", error="no")], answer(call("b", "task_done"), finish="completed")),
        ],
        [went([came("a")]), failed([{"role": "user", "content": "The patch is empty."}], error)],
        "openai",
    )
    found = requests(path)
    assert [check(each.body(), each.dialect) for each in found[:2]] == [(), ()]
    [violation] = check(found[2].body(), found[2].dialect)
    assert found[2].verdict is not None
    assert violation.message == found[2].verdict.error
    assert [row.get("type", row.get("role")) for row in found[1].rows[:5]] == [
        "system",
        "user",
        "function_call",
        "assistant",
        "function_call_output",
    ]
    assert found[1].rows[4]["output"] == "done\nError: no"


@pytest.mark.parametrize(
    ("left", "rows"),
    [([came("b")], 6), ([came("a")], 5)],
    ids=["the run was stopped", "the run was done"],
)
def test_what_would_be_sent_next(tmp_path: Path, left: list[dict[str, Any]], rows: int) -> None:
    """The last step's messages, unless they are those that were sent already."""
    path = run(
        tmp_path / "run.json",
        [(TASK, answer(call("a"), content="Looking.")), ([came("a")], answer(call("b")))],
        [went([came("a")]), went(left)],
    )
    last = requests(path)[-1]
    assert (last.length, last.next, last.verdict) == (rows, True, None)


def test_the_dialect_is_told_by_how_answers_end(tmp_path: Path) -> None:
    """A provider's name says little: many servers speak Chat Completions."""
    path = run(
        tmp_path / "run.json",
        [
            (TASK, answer(call("a"), finish="tool_calls")),
            ([came("a")], answer(content="Done.", finish="stop")),
        ],
        [went([came("a")]), went([came("a")])],
        "openrouter",
    )
    found = requests(path)
    assert {each.dialect for each in found} == {"openai_chat"}
    assert [check(each.body(), each.dialect) for each in found] == [(), (), ()]
    assert [row["role"] for row in found[-1].rows] == ["system", "user", "assistant", "tool", "assistant"]


def test_a_client_that_sends_everything_each_time(tmp_path: Path) -> None:
    """A request that begins with the system's message again is a new history."""
    path = run(
        tmp_path / "run.json",
        [(TASK, answer(content="Hm.", finish="end_turn")), (TASK, answer(content="Ah.", finish="end_turn"))],
        [went(TASK), went(TASK)],
    )
    assert lengths(requests(path)) == [(1, 0), (1, 0), (2, 1)]


def test_nothing_odd_makes_it_fail(tmp_path: Path) -> None:
    """Parts that are missing or of another kind are left out."""
    path = tmp_path / "run.json"
    path.write_text('{"llm_interactions": [1, {"input_messages": 2, "response": null}], "agent_steps": {}}')
    assert [each.length for each in requests(path)] == [1]
    assert requests(path, "gemini") == []
    assert problems(path) == []
