"""Looks for violations of the rules of Chat Completions in a request body.

Linear in the number of messages. It must never fail: whatever JSON it is given, it answers with
violations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import define, field

from turnlock.wire.ids import ID_MAX
from turnlock.wire.openai_chat import rules
from turnlock.wire.pairing import Adjacent, Finding, Flaw
from turnlock.wire.rules import UNREADABLE, Rule, Violation

_INSTEAD_OF_CONTENT = ("function_call", "audio", "refusal")  # an assistant message may say one of these


def check_chat(body: Mapping[str, Any], _open_calls: Collection[str] = ()) -> list[Violation]:
    """Every violation, in the order of the body. Here the provider holds no history, so no open calls."""
    return _Check(body).run()


@define(eq=False)
class _Check:
    """One body under examination."""

    body: Mapping[str, Any]
    found: list[tuple[int, Violation]] = field(init=False, factory=list)
    pairs: Adjacent = field(init=False, factory=Adjacent)

    def run(self) -> list[Violation]:
        messages = self.body.get("messages", ())
        if not isinstance(messages, list | tuple):
            return [UNREADABLE.broken("/messages", problem="messages is not a list")]
        for at, message in enumerate(messages):
            if isinstance(message, Mapping):
                self.look_at(at, message)
            else:
                self.add(at, UNREADABLE, problem=f"messages[{at}] is not an object")
        for finding in self.pairs.findings():
            self.add_finding(finding)
        self.found.sort(key=lambda entry: entry[0])
        return [violation for _, violation in self.found]

    def add(
        self, at: int, rule: Rule, call_ids: tuple[str, ...] = (), *, below: str = "", **names: object
    ) -> None:
        where = f"/messages/{at}{below}"
        self.found.append((at, rule.broken(where, call_ids, severity=None, i=at, **names)))

    def look_at(self, at: int, message: Mapping[str, Any]) -> None:
        for name in ("content", "tool_calls"):
            if isinstance(message.get(name), list | tuple) and not message[name]:
                self.add(at, rules.EMPTY_ARRAYS, below=f"/{name}", field=name)
        role = message.get("role")
        if role == "tool":
            self.look_at_tool(at, message)
        elif role == "assistant":
            self.look_at_assistant(at, message)
        else:
            self.pairs.other()

    def look_at_tool(self, at: int, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else ()
        if not isinstance(content, str | list | tuple) or not all(map(_is_text, parts)):
            self.add(at, rules.TOOL_CONTENT, below="/content")
        call_id = message.get("tool_call_id")
        if isinstance(call_id, str):
            self.pairs.answer(at, call_id)
        else:
            self.add(at, rules.TOOL_ID_MISSING)

    def look_at_assistant(self, at: int, message: Mapping[str, Any]) -> None:
        calls = message.get("tool_calls")
        self.pairs.other()
        if not isinstance(calls, list | tuple) or not calls:
            names = ("content", *_INSTEAD_OF_CONTENT)
            if all(message.get(name) is None for name in names):
                self.add(at, rules.CONTENT_NULL, below="/content")
            return
        for place, call in enumerate(calls):
            call_id = call.get("id") if isinstance(call, Mapping) else None
            if not isinstance(call_id, str):
                continue
            self.pairs.call(at, call_id)
            if len(call_id) > ID_MAX:
                below = f"/tool_calls/{place}/id"
                self.add(at, rules.ID_LEN, (call_id,), below=below, j=place, n=len(call_id))

    def add_finding(self, finding: Finding) -> None:
        match finding.flaw:
            case Flaw.UNANSWERED:
                self.add(finding.at, rules.CALL_NO_TOOL, finding.ids, ids=", ".join(finding.ids))
            case Flaw.WRONG_CALL:
                self.add(finding.at, rules.TOOL_ID_UNKNOWN, finding.ids, call_id=finding.ids[0])
            case Flaw.SECOND_ANSWER:
                ids = finding.ids
                self.add(finding.at, rules.TOOL_DUP, ids, call_id=ids[0], first=finding.first)
            case _:
                self.add(finding.at, rules.TOOL_ORPHAN, finding.ids)


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text"
