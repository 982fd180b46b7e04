"""Lines of recorded sessions, made by hand: what the readers' tests are told in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnlock.reports import Implied, open_recording

Line = dict[str, Any]


def write(path: Path, *lines: Line | str) -> Path:
    """A file of JSON lines; text stands as it is."""
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{line}\n" for line in text), "utf-8")
    return path


def requests(path: Path, dialect: str | None = None) -> list[Implied]:
    """All requests of all sessions of a file."""
    return [request for recording in open_recording(path, dialect) for request in recording.requests()]


def lengths(found: Sequence[Implied]) -> list[tuple[int, int]]:
    """How many rows each request has, and how many of them are those of the request before it."""
    return [(request.length, request.fresh) for request in found]


def problems(path: Path) -> list[tuple[int | None, str]]:
    """What a file has that cannot be read, once all else was."""
    found = open_recording(path)
    for recording in found:
        list(recording.requests())
    return [(each.line, each.problem) for recording in found for each in recording.problems]


# --- Codex


def item(payload: Line) -> Line:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": "response_item", "payload": payload}


def said(role: str, text: str) -> Line:
    part = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": part, "text": text}]}


def call(call_id: str, name: str = "shell") -> Line:
    return {"type": "function_call", "name": name, "arguments": "{}", "call_id": call_id}


def output(call_id: str, text: str = "done") -> Line:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def event(kind: str, **fields: Any) -> Line:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": "event_msg", "payload": {"type": kind, **fields}}


META = {"type": "session_meta", "payload": {"id": "s", "cli_version": "0.129.0", "instructions": "Be brief."}}


# --- Claude Code


def human(text: str, **fields: Any) -> Line:
    return {"type": "user", "message": {"role": "user", "content": text}, **fields}


def answer(message: str | None, *blocks: Line, **fields: Any) -> Line:
    return {
        "type": "assistant",
        "message": {"id": message, "role": "assistant", "model": "claude-x", "content": list(blocks)},
        **fields,
    }


def text(words: str) -> Line:
    return {"type": "text", "text": words}


def use(call_id: str) -> Line:
    return {"type": "tool_use", "id": call_id, "name": "Bash", "input": {}}


def result(call_id: str, words: str = "done", **fields: Any) -> Line:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": words}
    return {"type": "user", "message": {"role": "user", "content": [block]}, **fields}
