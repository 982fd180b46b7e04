"""Looks for violations of the rules of Mistral in a request body.

The format is that of Chat Completions, the rules are those of mistral-common, the provider's own validator:
it looks at neighbouring roles, and pairs calls with results up to the next assistant message, whatever stands
between. Models of the old tokenizers count results, all others compare ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from attrs import define, field

from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.walk import WHOLE, Found, Walk
from turnlock.wire.mistral import rules

IDS = IdStyle(9, exact=True, charset="")
"""MIS-ID-9."""

_NO_ID = "null"  # what the provider's own types have in place of an id
_BEHIND: Mapping[str, frozenset[str]] = {
    "system": frozenset({"system", "user", "assistant"}),
    "user": frozenset({"system", "user", "assistant"}),
    "assistant": frozenset({"user", "assistant", "tool"}),
    "tool": frozenset({"assistant", "tool"}),
}


@define(eq=False)
class MistralWalk(Walk):
    """Here the provider holds no history, so there are no open calls."""

    rows_field: ClassVar[str] = "messages"

    _role: str = field(init=False, default="")
    _prefix: int | None = field(init=False, default=None)  # the last message, if it is one
    # The last assistant message: where it stands, its calls by id, and what has answered them so far.
    _asked_at: int = field(init=False, default=0)
    _asked: int = field(init=False, default=0)
    _calls: dict[str, int] = field(init=False, factory=dict)
    _answered: set[str] = field(init=False, factory=set)
    _answers: int = field(init=False, default=0)

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        given = row.get("role")
        role = given if isinstance(given, str) else ""
        if self._prefix is not None:
            self._add(self._prefix, rules.PREFIX, below="/prefix")
        self._prefix = at if role == "assistant" and row.get("prefix") is True else None
        self._look_at_order(at, role)
        # mistral-common does not pair what stands first.
        unpaired = at == 0 and rules.COMMON in self.profiles
        if role == "tool":
            self._look_at_tool(at, row, unpaired=unpaired)
        elif role == "assistant":
            self._look_at_assistant(at, row, unpaired=unpaired)

    def _look_at_order(self, at: int, role: str) -> None:
        allowed = _BEHIND.get(self._role)
        if allowed is not None and role not in allowed and role in _BEHIND:
            lenient = rules.COMMON in self.profiles and rules.HOSTED not in self.profiles
            if not (lenient and (self._role, role) == ("tool", "user")):
                self._add(at, rules.ORDER, role=role, previous=self._role)
        self._role = role

    def _look_at_tool(self, at: int, message: Mapping[str, Any], *, unpaired: bool) -> None:
        call_id = message.get("tool_call_id")
        self._look_at_id(at, call_id, "/tool_call_id")
        if unpaired:
            return
        self._answers += 1
        label = call_id if isinstance(call_id, str) else None
        ids = () if label is None else (label,)
        if self._counts:
            if self._answers > self._asked:
                self._add(at, rules.COUNT, ids)
        elif label in self._answered:
            self._add(at, rules.ID_SET, ids, call_id=label)
        elif label not in self._calls:
            self._add(at, rules.ID_UNEXPECTED, ids, call_id=label)
        self._answered.update(ids)

    def _look_at_assistant(self, at: int, message: Mapping[str, Any], *, unpaired: bool) -> None:
        self._found.extend(self._missing())
        self._asked_at, self._asked, self._answers = at, 0, 0
        self._calls.clear()
        self._answered.clear()
        found = message.get("tool_calls")
        calls = found if isinstance(found, list | tuple) else ()
        if bool(message.get("content")) == bool(calls):
            self._look_at_content(at, both=bool(calls))
        for place, call in enumerate(calls):
            call_id = call.get("id") if isinstance(call, Mapping) else None
            self._look_at_id(at, call_id, f"/tool_calls/{place}/id")
            if unpaired:
                continue
            self._asked += 1
            label = call_id if isinstance(call_id, str) else _NO_ID
            if not self._counts and label in self._calls:
                self._add(at, rules.ID_TWICE, (label,), below=f"/tool_calls/{place}", call_id=label)
            self._calls.setdefault(label, place)

    def _look_at_content(self, at: int, *, both: bool) -> None:
        if both or rules.V3 in self.profiles:
            self._add(at, rules.CONTENT_XOR)
        elif rules.COMMON not in self.profiles:
            self._add(at, rules.NEITHER)

    def _look_at_id(self, at: int, call_id: object, below: str) -> None:
        ids = (call_id,) if isinstance(call_id, str) else ()
        of_call = below.endswith("/id")
        if rules.V13 in self.profiles:
            if not ids or ids[0] in ("", _NO_ID):
                self._add(at, rules.ID_13, ids, below=below)
        elif not ids or (of_call and ids[0] == _NO_ID):
            self._add(at, rules.CALL_ID_MISSING if of_call else rules.ID_MISSING, ids, below=below)
        elif not IDS.fits(ids[0]):
            self._add(at, rules.ID_9, ids, below=below, call_id=call_id)

    @property
    def _counts(self) -> bool:
        """Results are counted, not compared."""
        return rules.V3 in self.profiles

    def _missing(self) -> Iterator[Found]:
        """The calls that nothing has answered."""
        ids = tuple(call_id for call_id in self._calls if call_id not in self._answered)
        if self._answers < self._asked if self._counts else ids:
            below = f"/tool_calls/{self._calls[ids[0]]}" if ids else ""
            yield from self._broken(self._asked_at, rules.COUNT, ids, below=below)

    def _pending(self) -> Iterator[Found]:
        yield from self._missing()
        if not self.rows:
            yield from self._broken(WHOLE, rules.NOTHING)
        elif self.rows == 1 and self._role not in {"user", "system"}:
            yield from self._broken(0, rules.START)
        elif self._role == "assistant" and self._prefix is None:
            yield from self._broken(self.rows - 1, rules.LAST, role=self._role)
