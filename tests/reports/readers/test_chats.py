"""Conversations of other programs: a request before each message of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.session_files import lengths, problems, requests, write
from turnlock.reports import detect
from turnlock.wire import check


def asks(call_id: str) -> dict[str, Any]:
    function = {"name": "t", "arguments": "{}"}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


def saved(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Look."},
    asks("a"),
    {"role": "tool", "tool_call_id": "a", "name": "t", "content": "done"},
    asks("a"),
    {"role": "tool", "tool_call_id": "a", "name": "t", "content": "done"},
    {"role": "assistant", "content": "Done."},
]


def test_tau_bench(tmp_path: Path) -> None:
    """C21: one result, or all of a run; an id that a later turn uses again was accepted."""
    one = saved(tmp_path / "one.json", {"messages": MESSAGES, "reward": 1.0})
    assert detect(one) == "tau_bench"
    found = requests(one)
    assert lengths(found) == [(2, 0), (4, 2), (6, 4), (7, 6)]
    assert [check(each.body(), each.dialect) for each in found] == [()] * 4
    task = {"task_id": 0, "traj": MESSAGES}
    run = saved(tmp_path / "run.json", [task, task, {"traj": None}])
    assert lengths(requests(run))[3:6] == [(7, 6), (2, 0), (4, 2)]
    assert problems(run) == [(None, "task 2 has no messages")]


def test_swe_agent(tmp_path: Path) -> None:
    """SWE-agent keeps a list of ids where the wire has one, and fields of its own."""
    history = [
        {"role": "system", "content": "Be brief.", "agent": "main"},
        {"role": "user", "content": "Look.", "agent": "main", "message_type": "observation"},
        {**asks("a"), "agent": "main", "thought": "hm", "action": "ls"},
        {"role": "tool", "content": "done", "agent": "main", "tool_call_ids": ["a"]},
        "odd",
    ]
    path = saved(tmp_path / "run.traj", {"trajectory": [], "history": history, "info": {}})
    found = requests(path)
    assert detect(path) == "swe_agent"
    assert lengths(found) == [(2, 0), (4, 2)]
    assert found[-1].rows[3] == {"role": "tool", "content": "done", "tool_call_id": "a"}
    assert check(found[-1].body(), "openai_chat") == ()


def test_openhands_llm_log(tmp_path: Path) -> None:
    """One request with its options, and the answer that the next one would carry."""
    log = {
        "messages": MESSAGES[:2],
        "tools": [],
        "kwargs": {"temperature": 0.0},
        "response": {"choices": [{"message": {**asks("a"), "function_call": None}}]},
    }
    path = saved(tmp_path / "log.json", log)
    first, last = requests(path)
    assert detect(path) == "openhands_llm_log"
    assert first.envelope == {"temperature": 0.0, "tools": []}
    assert [(each.length, each.next) for each in (first, last)] == [(2, False), (3, True)]
    unanswered = saved(tmp_path / "refused.json", {**log, "response": None})
    assert [(each.length, each.next) for each in requests(unanswered)] == [(2, True)]


def test_gemini_cli(tmp_path: Path) -> None:
    """Calls and their results stand in one turn there, and in two contents on the wire."""
    shell = {"id": "a", "name": "shell", "args": {"command": "ls"}, "status": "success"}
    came = {"functionResponse": {"id": "a", "name": "shell", "response": {"output": "done"}}}
    turns: list[dict[str, Any]] = [
        {"id": "1", "type": "user", "content": "Look."},
        {"id": "2", "type": "gemini", "content": "Looking.", "toolCalls": [{**shell, "result": [came]}]},
        {"id": "3", "type": "info", "content": "Request cancelled."},
        {"id": "4", "type": "gemini", "content": "", "toolCalls": [{**shell, "id": "b"}]},
        {"id": "5", "type": "user", "content": [{"text": "Stop."}]},
    ]
    path = saved(tmp_path / "session.json", {"sessionId": "s", "projectHash": "h", "messages": turns})
    found = requests(path)
    assert detect(path) == "gemini_cli_session"
    assert lengths(found) == [(1, 0), (3, 1), (5, 3)]
    assert [row["role"] for row in found[-1].rows] == ["user", "model", "user", "model", "user"]
    assert found[-1].rows[1]["parts"][1] == {
        "functionCall": {"id": "a", "name": "shell", "args": {"command": "ls"}}
    }
    assert found[-1].rows[2]["parts"] == [came]
    early = {**turns[1], "toolCalls": [shell]}
    lines = write(
        tmp_path / "session.jsonl",
        {"sessionId": "s", "projectHash": "h", "kind": "main"},
        turns[0],
        early,
        {"$set": {"lastUpdated": "now"}},
        *turns[1:],
    )
    assert detect(lines) == "gemini_cli_session"
    assert [each.body() for each in requests(lines)] == [each.body() for each in found]
