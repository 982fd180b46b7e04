"""Looks for violations of the rules of Chat Completions in a request body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from attrs import define, field

from turnlock.wire.common.ids import ID_MAX
from turnlock.wire.common.pairing import Adjacent, Flaw
from turnlock.wire.common.walk import Found, Walk
from turnlock.wire.openai_chat import rules

_INSTEAD_OF_CONTENT = ("function_call", "audio", "refusal")  # an assistant message may say one of these


@define(eq=False)
class ChatWalk(Walk):
    """OpenAI's own rules. Here the provider holds no history, so there are no open calls."""

    rows_field: ClassVar[str] = "messages"

    pairs: Adjacent = field(init=False, factory=Adjacent)

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        for name in ("content", "tool_calls"):
            if isinstance(row.get(name), list | tuple) and not row[name]:
                self._add(at, rules.EMPTY_ARRAYS, below=f"/{name}", field=name)
        role = row.get("role")
        if role == "tool":
            self._look_at_tool(at, row)
        elif role == "assistant":
            self._look_at_assistant(at, row)
        else:
            self.pairs.other()

    def _look_at_tool(self, at: int, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else ()
        if not isinstance(content, str | list | tuple) or not all(map(_is_text, parts)):
            self._add(at, rules.TOOL_CONTENT, below="/content")
        call_id = message.get("tool_call_id")
        if isinstance(call_id, str):
            self.pairs.answer(at, call_id)
        else:
            self._add(at, rules.TOOL_ID_MISSING)

    def _look_at_assistant(self, at: int, message: Mapping[str, Any]) -> None:
        calls = message.get("tool_calls")
        self.pairs.other()
        if not isinstance(calls, list | tuple) or not calls:
            names = ("content", *_INSTEAD_OF_CONTENT)
            if all(message.get(name) is None for name in names):
                self._add(at, rules.CONTENT_NULL, below="/content")
            return
        for place, call in enumerate(calls):
            call_id = call.get("id") if isinstance(call, Mapping) else None
            if not isinstance(call_id, str):
                continue
            self.pairs.call(at, call_id)
            if len(call_id) > ID_MAX:
                below = f"/tool_calls/{place}/id"
                self._add(at, rules.ID_LEN, (call_id,), below=below, j=place, n=len(call_id))

    def _pending(self) -> Iterator[Found]:
        for finding in self.pairs.findings():
            ids, call_id = finding.ids, finding.ids[0]
            match finding.flaw:
                case Flaw.UNANSWERED:
                    yield from self._broken(finding.at, rules.CALL_NO_TOOL, ids, ids=", ".join(ids))
                case Flaw.WRONG_CALL:
                    yield from self._broken(finding.at, rules.TOOL_ID_UNKNOWN, ids, call_id=call_id)
                case Flaw.SECOND_ANSWER:
                    first = finding.first
                    yield from self._broken(finding.at, rules.TOOL_DUP, ids, call_id=call_id, first=first)
                case _:
                    yield from self._broken(finding.at, rules.TOOL_ORPHAN, ids)


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text"
