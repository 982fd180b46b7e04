"""Looks for violations of the rules of Anthropic Messages in a request body.

The server looks at the fields of each block, then merges neighbouring messages of one role and judges pairs
and order, and so does the walk: there, indices in the provider's words count merged messages. Violations
point at the rows that stand in the body. It holds no history, so there are no open calls. Servers with other
rules for the same format are data (``servers.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from attrs import define, field

from turnlock.wire.anthropic import rules
from turnlock.wire.anthropic.blocks import (
    MCP_TOOL_USE,
    SERVER_TOOL_USE,
    SERVER_USES,
    TEXT,
    THINKING,
    TOOL_RESULT,
    TOOL_USE,
    block_type,
    blocks_of,
    is_server_block,
    is_server_result,
    says_nothing,
    server_result_type,
)
from turnlock.wire.anthropic.servers import ANTHROPIC, Server
from turnlock.wire.common.rules import Rule, Severity
from turnlock.wire.common.walk import WHOLE, Found, Walk

_ID = re.compile(r"[a-zA-Z0-9_-]+")


class _Spot(NamedTuple):
    """Where a block stands: row and place as they are, message and place as the server merges them."""

    at: int
    place: int
    below: str
    i: int
    j: int


class _Asked(NamedTuple):
    """A call of the provider's own without a result so far."""

    spot: _Spot
    use: Mapping[str, Any]


@define(eq=False)
class AnthropicWalk(Walk):
    """The rules of a server of the format: Anthropic's own, or another's."""

    rows_field: ClassVar[str] = "messages"

    server: Server = field(default=ANTHROPIC, kw_only=True)
    role: str = field(init=False, default="")
    index: int = field(init=False, default=-1)  # of the merged message
    last: int = field(init=False, default=WHOLE)  # the last row that is a message
    blocks: int = field(init=False, default=0)  # in the merged message so far
    kind: str = field(init=False, default="")  # of its last block
    hollow: _Spot | None = field(init=False, default=None)  # an empty assistant message, if one follows it
    tools_missed: bool = field(init=False, default=False)
    astray: bool = field(init=False, default=False)  # a system message stands behind none that it may follow
    # The client's calls of the last assistant turn, and what the user turn behind it did about them.
    asked: dict[str, _Spot] = field(init=False, factory=dict)
    unbroken: list[str] = field(init=False, factory=list)  # calls behind which no text stood yet
    answered: set[str] = field(init=False, factory=set)
    late: list[tuple[str, _Spot]] = field(init=False, factory=list)  # results behind other content
    spoken: bool = field(init=False, default=False)  # the user turn holds more than results
    # How the last assistant turn, and the first one of its tool loop, begin.
    opening: tuple[_Spot, str] | None = field(init=False, default=None)
    loop_thinks: bool | None = field(init=False, default=None)
    flying: dict[str, _Asked] = field(init=False, factory=dict)
    server_ids: set[str] = field(init=False, factory=set)
    callers: set[str] = field(init=False, factory=set)  # server calls whose code calls the client's tools

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        if self.hollow is not None:
            self._add_at(self.hollow, rules.EMPTY_TEXT)
            self.hollow = None
        role = row.get("role")
        role = role if role in ("assistant", "system") else "user"
        if role != self.role or role == "system":
            self._begin(role)
        self.last = at
        content = row.get("content")
        listed = isinstance(content, list | tuple)
        results = False
        for place, block in enumerate(blocks_of(content)):
            below = f"/content/{place}" if listed else "/content"
            spot = _Spot(at, place, below, self.index, self.blocks)
            self.blocks += 1
            if block.__class__ is not dict and not isinstance(block, Mapping):  # the first is quick
                continue
            self.kind = block_type(block)
            self._look_at_any(spot, block, listed=listed)
            if role == "assistant":
                self._look_at_answer(spot, block)
            elif role == "user":
                self._look_at_user(spot, block)
                if self.kind == TOOL_RESULT:
                    results = True
                elif results and self.server.results_alone:
                    self._add_at(spot, rules.RESULT_FIRST, tuple(self.answered), ids="")
                    results = False

    def _begin(self, role: str) -> None:
        """Another merged message."""
        if self.role == "assistant":
            if self.flying:
                self._found.extend(self._carried())
                self._drop_carried()
        elif self.role == "system" and role == "user":
            self._add(self.last, rules.SYSTEM_PLACEMENT, i=self.index)
        elif self.astray:
            self._add(self.last, rules.SYSTEM_FOLLOWS, i=self.index)
        if role == "assistant":
            if self.asked or self.late:
                self._found.extend(self._unsettled())
            if self.spoken or not self.answered:
                self.loop_thinks = None
            self.asked.clear()
            self.unbroken.clear()
            self.answered.clear()
            self.late.clear()
            self.spoken = False
            self.opening = None
        elif role == "system":
            self._strand()
        self.astray = role == "system" and not (
            self.role in ("user", "system") or is_server_result(self.kind)
        )
        self.role, self.kind, self.blocks = role, "", 0
        self.index += 1

    def _look_at_any(self, spot: _Spot, block: Mapping[str, Any], *, listed: bool) -> None:
        if self.kind == TEXT and block.get(TEXT) == "":
            if self.role == "assistant" and not listed:
                self.hollow = spot  # the last message may be empty when it is the assistant's
            else:
                self._add_at(spot, rules.EMPTY_TEXT)
        elif self.kind.endswith("_delta"):
            self._add_at(spot, rules.RAW_DELTA, type=self.kind)
        elif self.kind in (TOOL_USE, TOOL_RESULT) and not (self.tools_missed or self.envelope.get("tools")):
            self.tools_missed = True
            self._add_at(spot, rules.TOOLS_DEFINED)

    def _look_at_answer(self, spot: _Spot, block: Mapping[str, Any]) -> None:
        kind = self.kind
        if self.opening is None:
            self.opening = spot, kind
            if self.loop_thinks is None:
                self.loop_thinks = kind in THINKING
        if kind in SERVER_USES or kind == TOOL_USE:
            if not isinstance(block.get("input"), Mapping):
                self._add_at(spot, rules.INPUT_DICT, _ids(block.get("id")), type=kind)
            if kind == TOOL_USE:
                self._look_at_use(spot, block.get("id"))
                caller = block.get("caller")
                self.callers.update(_ids(caller.get("tool_id")) if isinstance(caller, Mapping) else ())
            elif isinstance(call_id := block.get("id"), str):
                self.server_ids.add(call_id)
                self.flying[call_id] = _Asked(spot, block)
        elif is_server_result(kind):
            self._look_at_server_result(spot, block.get("tool_use_id"))
        elif kind == TOOL_RESULT:
            self._orphan(spot, block.get("tool_use_id"))
        elif (kind == TEXT or kind in THINKING) and self.unbroken:
            ids = tuple(self.unbroken)
            self._add_at(spot, rules.USE_TRAILING, ids, ids=", ".join(ids))
            self.unbroken.clear()

    def _look_at_use(self, spot: _Spot, call_id: object) -> None:
        if not isinstance(call_id, str):
            return
        if not _ID.fullmatch(call_id):
            self._add_at(spot, rules.ID_CHARSET, (call_id,), id=call_id)
        if call_id in self.asked:
            self._add_at(spot, rules.USE_ID_UNIQUE, (call_id,), id=call_id)
        else:
            self.asked[call_id] = spot
            self.unbroken.append(call_id)

    def _look_at_server_result(self, spot: _Spot, call_id: object) -> None:
        if not isinstance(call_id, str):
            return
        if call_id not in self.server_ids:
            use = MCP_TOOL_USE if self.kind == "mcp_tool_result" else SERVER_TOOL_USE
            names = {"id": call_id, "type": self.kind, "use": use}
            self._add_at(spot, rules.SERVER_RESULT_ORPHAN, (call_id,), **names)
        self.flying.pop(call_id, None)

    def _look_at_user(self, spot: _Spot, block: Mapping[str, Any]) -> None:
        if self.kind != TOOL_RESULT:
            self.spoken = True
            self._strand()
            return
        call_id = block.get("tool_use_id")
        if block.get("is_error") is True and says_nothing(block.get("content")):
            self._add_at(spot, rules.RESULT_ERROR_EMPTY, _ids(call_id))
        if not isinstance(call_id, str) or call_id not in self.asked:
            self._orphan(spot, call_id)
        elif call_id in self.answered:
            self._add_at(spot, rules.RESULT_DUP, (call_id,), id=call_id)
        else:
            self.answered.add(call_id)
            if self.spoken:
                self.late.append((call_id, spot))

    def _orphan(self, spot: _Spot, call_id: object) -> None:
        if isinstance(call_id, str):
            self._add_at(spot, rules.RESULT_ORPHAN, (call_id,), id=call_id)

    def _strand(self) -> None:
        """Something that may not stand behind a server's call in flight."""
        for asked in self.flying.values():
            self._found.extend(self._unpaired(asked))
        self.flying.clear()

    def _carried(self) -> Iterator[Found]:
        """Calls in flight behind which another assistant turn has brought no result.

        Code that calls the client's tools may need more than one round of their results.
        """
        for key, asked in self.flying.items():
            if asked.spot.i < self.index and key not in self.callers:
                yield from self._unpaired(asked)

    def _drop_carried(self) -> None:
        kept = self.flying.items()
        self.flying = {key: asked for key, asked in kept if asked.spot.i == self.index or key in self.callers}

    def _unpaired(self, asked: _Asked) -> Iterator[Found]:
        use = asked.use
        call = f"`{MCP_TOOL_USE}`" if block_type(use) == MCP_TOOL_USE else f"`{use.get('name')}` tool use"
        names = {"call": call, "id": use["id"], "result": server_result_type(use)}
        return self._at(asked.spot, rules.SERVER_UNPAIRED, (use["id"],), **names)

    def _unsettled(self) -> Iterator[Found]:
        """The client's calls that lack a result, and results that stand too far behind."""
        if missing := [call_id for call_id in self.asked if call_id not in self.answered]:
            yield from self._not_after(rules.USE_NO_RESULT, missing, self.asked[missing[0]])
        if self.late:
            yield from self._not_after(rules.RESULT_FIRST, [late for late, _ in self.late], self.late[0][1])

    def _not_after(self, rule: Rule, ids: Sequence[str], spot: _Spot) -> Iterator[Found]:
        """The server says the same of both, and names the message with the calls."""
        i = next(iter(self.asked.values())).i
        return self._broken(spot.at, rule, tuple(ids), below=spot.below, i=i, ids=", ".join(ids))

    def _pending(self) -> Iterator[Found]:
        yield from self._unsettled()
        if self.role == "assistant":
            yield from self._carried()
            if not (self.asked or self.flying or is_server_block(self.kind)):
                yield from self._broken(self.last, rules.PREFILL)
        elif self.astray:
            yield from self._broken(self.last, rules.SYSTEM_FOLLOWS, i=self.index)
        if self.answered and self.opening is not None and not self.loop_thinks:
            spot, kind = self.opening
            thinking = self.envelope.get("thinking")
            enabled = isinstance(thinking, Mapping) and thinking.get("type") == "enabled"
            if enabled and kind not in THINKING:
                yield from self._at(spot, rules.THINKING_FIRST, type=kind)

    def _add_at(self, spot: _Spot, rule: Rule, call_ids: Iterable[str] = (), **names: object) -> None:
        self._found.extend(self._at(spot, rule, call_ids, **names))

    def _at(self, spot: _Spot, rule: Rule, call_ids: Iterable[str] = (), **names: object) -> Iterator[Found]:
        i, j = (spot.at, spot.place) if rule.id in rules.OF_FIELDS else (spot.i, spot.j)
        return self._broken(
            spot.at, rule, tuple(call_ids), below=spot.below, severity=None, i=i, j=j, **names
        )

    def _broken(
        self,
        at: int,
        rule: Rule,
        call_ids: tuple[str, ...] = (),
        *,
        below: str = "",
        severity: Severity | None = None,
        **names: object,
    ) -> Iterator[Found]:
        said = rule if self.server.instead is None else self.server.instead.get(rule.id)
        if said is not None:
            yield from super()._broken(at, said, call_ids, below=below, severity=severity, **names)


def _ids(call_id: object) -> tuple[str, ...]:
    return (call_id,) if isinstance(call_id, str) else ()
