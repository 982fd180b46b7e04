"""Conversations that other programs keep as a list of messages, each with its small reader.

    tau_bench           the result of a task: Chat Completions messages, as they were sent
    swe_agent           a trajectory: its history, with the names that SWE-agent gives to fields
    openhands_llm_log   one request to the model, and its answer
    gemini_cli_session  turns with their calls and results → Gemini contents, as gemini-cli sends them

A conversation implies a request before each message of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from turnlock.reports.readers import source
from turnlock.reports.readers.form import Implied, Row, Unreadable
from turnlock.reports.readers.growing import History
from turnlock.reports.readers.shapes import CHAT, COMPATIBLE, GEMINI, key_of


def matches(name: str, value: object) -> bool:
    """Whether a value is of the named format."""
    if isinstance(value, list):
        traced = bool(value) and all(isinstance(each, Mapping) and "traj" in each for each in value)
        return name == "tau_bench" and traced
    return isinstance(value, Mapping) and _SIGNS[name](value)


def _is_swe_agent(value: Mapping[str, Any]) -> bool:
    history = value.get("history")
    return isinstance(history, list) and ("trajectory" in value or _has(history, "agent"))


_DIALECTS: Mapping[str, str] = MappingProxyType(
    {
        "openhands_llm_log": COMPATIBLE,  # through LiteLLM, whatever stands behind it
        "gemini_cli_session": GEMINI,
    }
)

_SIGNS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = MappingProxyType(
    {
        "tau_bench": lambda value: "traj" in value or ("reward" in value and "messages" in value),
        "swe_agent": _is_swe_agent,
        "openhands_llm_log": lambda value: (
            {"messages", "response"} <= value.keys() and ("kwargs" in value or "context_window" in value)
        ),
        "gemini_cli_session": lambda value: (
            {"messages", "sessionId"} <= value.keys() and _has(value["messages"], "type")
        ),
    }
)


def dialect_of(name: str) -> str:
    """What the rows of a format are written in."""
    return _DIALECTS.get(name, CHAT)


def read(name: str, value: Any, dialect: str, first: int, problems: list[Unreadable]) -> Iterator[Implied]:  # noqa: ANN401
    """The requests of a value of the named format."""
    yield from _READERS[name](value, History(first, dialect, key_of(dialect)), problems)


def is_gemini_cli(line: Mapping[str, Any]) -> bool:
    """Whether it is the first line of a gemini-cli session that is written line by line."""
    return {"sessionId", "projectHash"} <= line.keys() and "messages" not in line


def read_lines(
    name: str, path: Path, dialect: str, first: int, problems: list[Unreadable]
) -> Iterator[Implied]:
    """The requests of a session that is written line by line: a later line of a turn replaces the earlier."""
    turns: dict[object, dict[str, Any]] = {}
    for line, entry in source.lines(path, problems):
        if "type" in entry:
            turns[str(entry.get("id", line))] = entry
    yield from read(name, {"messages": list(turns.values())}, dialect, first, problems)


def _tau_bench(value: Any, history: History, problems: list[Unreadable]) -> Iterator[Implied]:  # noqa: ANN401
    for place, task in enumerate(value if isinstance(value, list) else [value]):
        messages = task.get("traj", task.get("messages"))
        if not isinstance(messages, list):
            problems.append(Unreadable(None, f"task {place} has no messages"))
            continue
        history.replace(())
        yield from _conversation(messages, history)


def _swe_agent(value: Any, history: History, _problems: list[Unreadable]) -> Iterator[Implied]:  # noqa: ANN401
    rows: list[Row] = []
    for entry in _list(value.get("history")):
        if not isinstance(entry, Mapping):
            continue
        row: dict[str, Any] = {"role": entry.get("role"), "content": entry.get("content")}
        if isinstance(calls := entry.get("tool_calls"), list) and calls:
            row["tool_calls"] = calls
        ids = entry.get("tool_call_ids")
        if entry.get("role") == "tool" and isinstance(ids, list) and ids:
            row["tool_call_id"] = ids[0]
        rows.append(row)
    yield from _conversation(rows, history)


def _openhands(value: Any, history: History, _problems: list[Unreadable]) -> Iterator[Implied]:  # noqa: ANN401
    options = value.get("kwargs")
    history.envelope = {**(options if isinstance(options, Mapping) else {})}
    if isinstance(value.get("tools"), list):
        history.envelope = {**history.envelope, "tools": value["tools"]}
    for message in _list(value.get("messages")):
        if isinstance(message, Mapping):
            history.add(message)
    response = value.get("response")
    choices = response.get("choices") if isinstance(response, Mapping) else None
    if isinstance(choices, list) and choices:
        history.answered(None)
        yield from history.hand_out()
        answer = choices[0].get("message") if isinstance(choices[0], Mapping) else None
        if isinstance(answer, Mapping):
            history.add({name: said for name, said in answer.items() if said is not None})
    history.end()
    yield from history.hand_out()


def _gemini_cli(value: Any, history: History, _problems: list[Unreadable]) -> Iterator[Implied]:  # noqa: ANN401
    for message in _list(value.get("messages")):
        if not isinstance(message, Mapping):
            continue
        if message.get("type") == "user":
            history.add({"role": "user", "parts": _parts(message.get("content"))})
        elif message.get("type") == "gemini":
            history.answered(None)
            yield from history.hand_out()
            calls = [call for call in _list(message.get("toolCalls")) if isinstance(call, Mapping)]
            parts = _parts(message.get("content"))
            parts += [{"functionCall": _named(call, "args")} for call in calls]
            if parts:
                history.add({"role": "model", "parts": parts})
            results = [part for call in calls for part in _results(call)]
            if results:
                history.add({"role": "user", "parts": results})
    history.end()
    yield from history.hand_out()


def _named(call: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {name: call[name] for name in ("id", "name", *fields) if name in call}


def _results(call: Mapping[str, Any]) -> list[Any]:
    return [part for part in _list(call.get("result")) if isinstance(part, Mapping)]


def _parts(content: object) -> list[Any]:
    if isinstance(content, str):
        return [{"text": content}] if content else []
    return [part for part in _list(content) if isinstance(part, Mapping)]


def _conversation(messages: Iterable[object], history: History) -> Iterator[Implied]:
    for message in messages:
        if not isinstance(message, Mapping):
            continue
        if message.get("role") == "assistant":
            history.answered(None)
            yield from history.hand_out()
        history.add(message)
    history.end()
    yield from history.hand_out()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _has(rows: object, name: str) -> bool:
    return any(isinstance(row, Mapping) and name in row for row in _list(rows)[:3])


_READERS: Mapping[str, Callable[[Any, History, list[Unreadable]], Iterator[Implied]]] = MappingProxyType(
    {
        "tau_bench": _tau_bench,
        "swe_agent": _swe_agent,
        "openhands_llm_log": _openhands,
        "gemini_cli_session": _gemini_cli,
    }
)
FORMATS = tuple(_READERS)
