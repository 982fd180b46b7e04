"""Looks for violations of the rules of Chat Completions in a request body, as its server counts them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from attrs import define, field

from turnlock.wire.anthropic.check import AnthropicWalk
from turnlock.wire.anthropic.servers import MINIMAX, has_blocks
from turnlock.wire.common.ids import ID_MAX
from turnlock.wire.common.pairing import Adjacent, Finding, Flaw
from turnlock.wire.common.rules import Violation
from turnlock.wire.common.walk import Found, Walk
from turnlock.wire.openai_chat.servers import OPENAI, Server

_INSTEAD_OF_CONTENT = ("function_call", "audio", "refusal")  # an assistant message may say one of these


@define(eq=False)
class ChatWalk(Walk):
    """A check for one server. None of them holds history, so there are no open calls.

    Attributes:
        server: Whose rules are looked for.
    """

    rows_field: ClassVar[str] = "messages"

    server: Server = field(default=OPENAI, kw_only=True)
    pairs: Adjacent = field(init=False, factory=Adjacent)
    _group: int | None = field(init=False, default=None)  # the assistant message whose answers may follow
    _behind: dict[int, int] = field(init=False, factory=dict)  # where the answers of an earlier one ended
    _first_calls: int | None = field(init=False, default=None)
    _turn: str = field(init=False, default="assistant")  # who spoke last, where the two take turns

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        for name in ("content", "tool_calls"):
            if not (given := row.get(name)) and isinstance(given, _LISTS):
                self._add(at, self.server.empty_array, below=f"/{name}", field=name)
        role = row.get("role")
        if self.server.unknown_field is not None and isinstance(role, str):
            self._look_at_fields(at, row, role)
        if role == "tool":
            self._look_at_tool(at, row)
            return
        self._end_group(at)
        if role == "assistant":
            self._look_at_assistant(at, row)
        elif role == "user":
            self._take_turn(at, role)

    def _end_group(self, at: int) -> None:
        """From here on the calls before cannot be answered any more."""
        self.pairs.other()
        if self._group is not None:
            self._behind[self._group] = at
            self._group = None

    def _look_at_fields(self, at: int, row: Mapping[str, Any], role: str) -> None:
        known = self.server.known_fields.get(role)
        rule = self.server.unknown_field
        if known is None or rule is None:
            return
        for name in row:
            if name not in known:
                self._add(at, rule, below=f"/{_escaped(name)}", role=role, name=name)

    def _look_at_tool(self, at: int, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        if not isinstance(content, str):
            parts = content if isinstance(content, _LISTS) else (None,)
            if not all(map(_is_text, parts)):
                self._add(at, self.server.tool_content, below="/content")
        call_id = message.get("tool_call_id")
        if isinstance(call_id, str):
            self.pairs.answer(at, call_id)
        else:
            self._add(at, self.server.no_id)

    def _look_at_assistant(self, at: int, message: Mapping[str, Any]) -> None:
        calls = message.get("tool_calls")
        if not isinstance(calls, _LISTS) or not calls:
            names = ("content", *_INSTEAD_OF_CONTENT)
            if all(message.get(name) is None for name in names):
                self._add(at, self.server.no_content, below="/content")
            self._take_turn(at, "assistant")
            return
        self._group = at
        if self._first_calls is None:
            self._first_calls = at
        if self.server.null_content is not None and message.get("content") is None:
            self._add(at, self.server.null_content, _ids(calls), below="/content")
        if self.server.reasoning is not None and not self._has_reasoning(message):
            self._add(at, self.server.reasoning, _ids(calls))
        for place, call in enumerate(calls):
            if isinstance(call, Mapping):
                self._look_at_call(at, place, call)

    def _look_at_call(self, at: int, place: int, call: Mapping[str, Any]) -> None:
        call_id = call.get("id")
        if isinstance(call_id, str):
            self.pairs.call(at, call_id)
            if len(call_id) > ID_MAX:
                below = f"/tool_calls/{place}/id"
                self._add(at, self.server.long_id, (call_id,), below=below, j=place, n=len(call_id))
        if self.server.arguments is not None and isinstance(function := call.get("function"), Mapping):
            said = function.get("arguments")
            if isinstance(said, str) and not _is_json(said):
                below = f"/tool_calls/{place}/function/arguments"
                self._add(at, self.server.arguments, _ids([call]), below=below, id=call_id)

    def _has_reasoning(self, message: Mapping[str, Any]) -> bool:
        said = message.get("reasoning_content")
        return isinstance(said, str) and (said != "" or self.server.no_reasoning == "")

    def _take_turn(self, at: int, role: str) -> None:
        if role == self._turn and self.server.alternate is not None:
            self._add(at, self.server.alternate)
        self._turn = role

    def _pending(self) -> Iterator[Found]:
        for finding in self.pairs.findings():
            yield from self._broken_pair(finding)

    def _broken_pair(self, finding: Finding) -> Iterator[Found]:
        at, ids, server = finding.at, finding.ids, self.server
        match finding.flaw:
            case Flaw.UNANSWERED:
                behind = self._behind.get(at, self.rows)
                yield from self._broken(at, server.no_tool, ids, ids=", ".join(ids), behind=behind)
                return
            case Flaw.WRONG_CALL:
                rule = server.unknown
            case Flaw.SECOND_ANSWER:
                rule = server.duplicate
            case _:
                rule = server.orphan
                if server.never_called is not None and (self._first_calls is None or at < self._first_calls):
                    rule = server.never_called
        yield from self._broken(at, rule, ids, id=ids[0], first=finding.first)


@define(eq=False)
class TwoFormatsWalk(ChatWalk):
    """A check for a server that takes Anthropic's format too: which one a body is in, its blocks show."""

    blocks: AnthropicWalk = field(init=False)
    in_blocks: bool | None = field(init=False, default=None)  # nobody knows before the first call or result

    def __attrs_post_init__(self) -> None:
        self.blocks = AnthropicWalk(self.envelope, self.profiles, self.open_calls, server=MINIMAX)

    def feed(self, rows: Iterable[object]) -> None:
        """Both take every row, until one is known to be right."""
        for row in rows:
            if self.in_blocks is None and isinstance(row, Mapping):
                if row.get("role") == "tool" or row.get("tool_calls"):
                    self.in_blocks = False
                elif has_blocks(row):
                    self.in_blocks = True
            if self.in_blocks is not False:
                self.blocks.feed((row,))
            if self.in_blocks:
                self.rows += 1
            else:
                super().feed((row,))

    def verdict(self) -> tuple[Violation, ...]:
        """That of the format which the body is in."""
        return self.blocks.verdict() if self.in_blocks else super().verdict()


_LISTS = (list, tuple)


def _ids(calls: Iterable[object]) -> tuple[str, ...]:
    found = (call.get("id") for call in calls if isinstance(call, Mapping))
    return tuple(call_id for call_id in found if isinstance(call_id, str))


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text"


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return _is_loose_json(text)
    return True


def _is_loose_json(text: str) -> bool:
    """Python's reader takes some that the quick one does not: half of a surrogate pair, for example."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _escaped(name: object) -> str:
    """A key as a part of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")
