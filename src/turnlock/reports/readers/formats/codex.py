"""Codex rollouts: one line per item, per event, per change of settings.

What was sent to the model are the payloads of ``response_item`` lines, in the order of the lines. Events
tell the same story to front ends, at other moments; nothing about items is concluded from their order.
A response is a run of items that the model made; a request left before each. ``turn_context`` lines and
items of the client end a run. The older flat form has the items bare, after a line about the session.

Codex stores nothing at the provider and sends items without ids; so the rows have none. It answers calls
that have no output on its way out (``filling.py``). ``compacted`` replaces the history: by what the line
holds, in older files by the user's messages and the summary. ``thread_rolled_back`` drops whole turns.

Source of these facts: the repository openai/codex, crates protocol, rollout and core (context_manager,
rollout reconstruction), as of 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from turnlock.reports.readers import source
from turnlock.reports.readers.filling import fill_responses
from turnlock.reports.readers.form import Implied, Row, Unreadable
from turnlock.reports.readers.growing import History
from turnlock.reports.readers.shapes import is_responses_item, key_of
from turnlock.reports.readers.verdicts import refusal
from turnlock.wire.openai_responses.kinds import BY_CALL, item_type

ENVELOPES = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})

_NOT_SENT = frozenset({"ghost_snapshot", "other"})
_BY_MODEL = frozenset(
    {
        *BY_CALL,
        "code_interpreter_call",
        "file_search_call",
        "image_generation_call",
        "mcp_call",
        "reasoning",
        "web_search_call",
    }
)
_BETWEEN = ("task_started", "turn_started", "turn_aborted")
_LEFT_OUT = frozenset({"id", "metadata", "internal_chat_message_metadata_passthrough"})
_CONTEXT = (
    "<environment_context>",
    "<user_instructions>",
    "<user_shell_command>",
    "<turn_aborted>",
    "<skill>",
    "<permissions",
    "# AGENTS.md",
)
"""How messages begin that Codex writes in the user's name; they begin no turn."""


def matches(first: Sequence[Mapping[str, Any]]) -> bool:
    """Whether lines are those of a rollout, in either form."""
    if any(each.get("type") in ENVELOPES and isinstance(each.get("payload"), dict) for each in first):
        return True
    return any(_is_meta(each) or "record_type" in each for each in first[:2]) or any(
        is_responses_item(each) for each in first
    )


def _is_meta(line: Mapping[str, Any]) -> bool:
    return {"id", "timestamp", "instructions"} <= line.keys() and "role" not in line and "type" not in line


def read(path: Path, dialect: str, first: int, problems: list[Unreadable]) -> Iterator[Implied]:
    """The requests of a rollout."""
    history = History(first, dialect, key_of(dialect), {"store": False}, fill_responses)
    rollout = _Rollout(history)
    for line, entry in source.lines(path, problems):
        rollout.take(line, entry)
        if history.ready:
            yield from history.hand_out()
    history.end()
    yield from history.hand_out()


@define(eq=False)
class _Rollout:
    history: History
    answering: bool = field(init=False, default=False)  # the last item was the model's

    def take(self, line: int, entry: dict[str, Any]) -> None:
        payload = entry.get("payload")
        kind = entry.get("type")
        if payload.__class__ is not dict:
            if "payload" not in entry:
                self.flat(line, entry)
        elif kind == "response_item":
            self.item(line, payload)
        elif kind == "event_msg":
            self.event(line, payload)
        elif kind == "turn_context":
            self.answering = False
            self.says(model=payload.get("model"))
        elif kind == "session_meta":
            self.meta(payload)
        elif kind == "compacted":
            self.compact(payload)

    def flat(self, line: int, entry: dict[str, Any]) -> None:
        if _is_meta(entry):
            self.meta(entry)
        elif "record_type" not in entry and ("type" in entry or "role" in entry):
            self.item(line, entry)

    def meta(self, payload: dict[str, Any]) -> None:
        base = payload.get("base_instructions")
        text = base.get("text") if isinstance(base, dict) else payload.get("instructions")
        self.says(instructions=text)

    def says(self, **fields: object) -> None:
        new = {name: value for name, value in fields.items() if isinstance(value, str)}
        if any(self.history.envelope.get(name) != value for name, value in new.items()):
            self.history.envelope = {**self.history.envelope, **new}

    def item(self, line: int, payload: dict[str, Any]) -> None:
        kind = item_type(payload)
        if kind in _NOT_SENT:
            return
        if kind in _BY_MODEL or (kind == "message" and payload.get("role") == "assistant"):
            if not self.answering:
                self.history.answered(line)
            self.answering = True
        elif payload.get("execution") != "server":
            self.answering = False
        self.history.add(_as_sent(payload))

    def event(self, line: int, payload: dict[str, Any]) -> None:
        kind = payload.get("type")
        if kind in _BETWEEN:
            self.answering = False
        elif kind == "error" and not self.answering:
            verdict = refusal(str(payload.get("message")))
            if verdict.status is not None:
                self.history.refused(line, verdict)
        elif kind == "thread_rolled_back":
            self.replace(_rolled_back(self.history.rows, payload.get("num_turns")))

    def compact(self, payload: dict[str, Any]) -> None:
        new = payload.get("replacement_history")
        if isinstance(new, list):
            items = [item for item in new if isinstance(item, dict)]
            self.replace([_as_sent(item) for item in items if item_type(item) not in _NOT_SENT])
        else:
            rows = [row for row in self.history.rows if _by_user(row)]
            summary = {"type": "message", "role": "user", "content": _text(payload.get("message"))}
            self.replace([*rows, summary])

    def replace(self, rows: Sequence[Row]) -> None:
        self.answering = False
        self.history.replace(rows)


def _as_sent(payload: Mapping[str, Any]) -> Row:
    """The item without what Codex keeps for itself."""
    if payload.keys().isdisjoint(_LEFT_OUT):
        return payload
    row = {name: value for name, value in payload.items() if name not in _LEFT_OUT}
    if row.get("type") == "local_shell_call" and row.get("call_id") is None:
        row["call_id"] = payload.get("id")
    return row


def _text(value: object) -> list[dict[str, str]]:
    return [{"type": "input_text", "text": value if isinstance(value, str) else ""}]


def _by_user(row: Row) -> bool:
    """Whether a message is the user's own."""
    if item_type(row) != "message" or row.get("role") != "user":
        return False
    content = row.get("content")
    parts = content if isinstance(content, list) else ()
    text = next((part.get("text") for part in parts if isinstance(part, dict)), content)
    return not (isinstance(text, str) and text.lstrip().startswith(_CONTEXT))


def _rolled_back(rows: Sequence[Row], turns: object) -> Sequence[Row]:
    """The rows without the last turns of the user."""
    left = turns if isinstance(turns, int) else 0
    if left <= 0:
        return rows
    begins = [at for at, row in enumerate(rows) if _by_user(row)]
    return rows[: begins[-left]] if left <= len(begins) else rows[: begins[0]] if begins else rows
