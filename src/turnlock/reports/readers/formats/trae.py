"""trae trajectories: one JSON file per run, with every interaction and every step of the agent.

An interaction names the messages that were new in its request (its client keeps the history), and the
answer. A step that failed names the messages of the request that was refused, and the error; what a run
would have sent next are the messages of its last step.

The client writes each block of an answer as a message of its own, and so do the rows here; so the index in
a refusal is the index of the row. Responses: the calls first, then the text, without item ids. Anthropic:
a result that failed has ``is_error``, and its text may be empty. Source of these facts: the repository
bytedance/trae-agent, utils/llm_clients and agent/base_agent, as of 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from turnlock.reports.readers.form import Implied, Row, Unreadable
from turnlock.reports.readers.growing import History
from turnlock.reports.readers.shapes import ANTHROPIC, CHAT, RESPONSES, family, key_of
from turnlock.reports.readers.verdicts import refusal

_PROVIDERS = {"anthropic": ANTHROPIC, "bedrock": ANTHROPIC, "openai": RESPONSES}
_FINISHES = {
    "completed": RESPONSES,
    "incomplete": RESPONSES,
    "tool_use": ANTHROPIC,
    "end_turn": ANTHROPIC,
    "tool_calls": CHAT,
    "stop": CHAT,
}


def matches(value: object) -> bool:
    """Whether a value is a trajectory."""
    return isinstance(value, Mapping) and isinstance(value.get("llm_interactions"), list)


def dialect_of(value: Mapping[str, Any]) -> str:
    """What the run spoke: by how its answers ended, or by the provider's name."""
    for interaction in _dicts(value.get("llm_interactions")):
        reason = _dict(interaction.get("response")).get("finish_reason")
        if isinstance(reason, str) and reason in _FINISHES:
            return _FINISHES[reason]
    return _PROVIDERS.get(str(value.get("provider")), CHAT)


def read(value: Mapping[str, Any], dialect: str, first: int, problems: list[Unreadable]) -> Iterator[Implied]:
    """The requests of a trajectory."""
    write = _WRITERS.get(family(dialect))
    if write is None:
        problems.append(Unreadable(None, f"a trae trajectory cannot be read as {dialect}"))
        return
    history = History(first, dialect, key_of(dialect), {"model": value.get("model")})
    interactions = _dicts(value.get("llm_interactions"))
    for number, interaction in enumerate(interactions):
        said = _dicts(interaction.get("input_messages"))
        if number and any(message.get("role") == "system" for message in said):
            history.replace(())  # a client that sends the whole history each time
        _add(history, said, write)
        history.answered(None)
        yield from history.hand_out()
        for row in write(_answer(_dict(interaction.get("response")))):
            history.add(row)
    steps = _dicts(value.get("agent_steps"))
    last = steps[-1] if steps else {}
    left = _dicts(last.get("llm_messages"))
    if last.get("error") and not last.get("llm_response"):
        _add(history, left, write)
        history.refused(None, refusal(str(last["error"])))
    else:
        # A run that is done keeps the messages that it has sent; so does one whose last step is not written.
        sent = _dicts(interactions[-1].get("input_messages")) if interactions else []
        if len(steps) == len(interactions) and left != sent:
            _add(history, left, write)
    history.end()
    yield from history.hand_out()


def _add(
    history: History, messages: list[dict[str, Any]], write: Callable[[dict[str, Any]], list[Row]]
) -> None:
    for message in messages:
        if message.get("role") == "system" and family(history.dialect) == ANTHROPIC:
            history.envelope = {**history.envelope, "system": message.get("content")}
            continue
        for row in write(message):
            history.add(row)


def _answer(response: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": response.get("content"),
        "tool_calls": _dicts(response.get("tool_calls")),
    }


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    single = message.get("tool_call")
    return [single] if isinstance(single, dict) else _dicts(message.get("tool_calls"))


def _responses(message: Mapping[str, Any]) -> list[Row]:
    if isinstance(result := message.get("tool_result"), Mapping):
        text = "" if result.get("result") is None else str(result["result"])
        if result.get("error"):
            text += f"\nError: {result['error']}"
        return [{"type": "function_call_output", "call_id": result.get("call_id"), "output": text.strip()}]
    rows: list[Row] = [
        {
            "type": "function_call",
            "call_id": call.get("call_id"),
            "name": call.get("name"),
            "arguments": json.dumps(call.get("arguments")),
        }
        for call in _calls(message)
    ]
    if message.get("content"):
        rows.append({"role": message.get("role"), "content": message["content"]})
    return rows


def _anthropic(message: Mapping[str, Any]) -> list[Row]:
    if isinstance(result := message.get("tool_result"), Mapping):
        block = {
            "type": "tool_result",
            "tool_use_id": result.get("call_id"),
            "content": _result_text(result),
            "is_error": not result.get("success"),
        }
        return [{"role": "user", "content": [block]}]
    rows: list[Row] = []
    if message.get("content"):
        rows.append({"role": message.get("role"), "content": message["content"]})
    for call in _calls(message):
        block = {
            "type": "tool_use",
            "id": call.get("call_id"),
            "name": call.get("name"),
            "input": call.get("arguments"),
        }
        rows.append({"role": "assistant", "content": [block]})
    return rows


def _chat(message: Mapping[str, Any]) -> list[Row]:
    if isinstance(result := message.get("tool_result"), Mapping):
        return [{"role": "tool", "tool_call_id": result.get("call_id"), "content": _result_text(result)}]
    row: dict[str, Any] = {"role": message.get("role"), "content": message.get("content")}
    if calls := _calls(message):
        row["tool_calls"] = [
            {
                "id": call.get("call_id"),
                "type": "function",
                "function": {"name": call.get("name"), "arguments": json.dumps(call.get("arguments"))},
            }
            for call in calls
        ]
    return [row]


def _result_text(result: Mapping[str, Any]) -> str:
    text = f"{result['result']}\n" if result.get("result") else ""
    if result.get("error"):
        text += f"Tool call failed with error:\n{result['error']}"
    return text.strip()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_WRITERS: Mapping[str, Callable[[Mapping[str, Any]], list[Row]]] = MappingProxyType(
    {RESPONSES: _responses, ANTHROPIC: _anthropic, CHAT: _chat}
)
