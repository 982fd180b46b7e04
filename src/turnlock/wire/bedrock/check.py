"""Looks for violations of the rules of Bedrock's Converse in a request body.

Converse merges nothing, so the walk judges the messages as they stand. A call is looked at against the one
message that follows it; whether words may stand beside calls or results is the model's matter (profiles).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from attrs import define, field

from turnlock.wire.bedrock import rules
from turnlock.wire.bedrock.blocks import IDS, SERVER_TOOL_USE, WORDS
from turnlock.wire.common.rules import UNREADABLE, Rule
from turnlock.wire.common.walk import Found, Walk


class _Waiting(NamedTuple):
    """A call that the next message must answer."""

    at: int
    block: int
    call_id: str


@define(eq=False)
class BedrockWalk(Walk):
    """Converse holds no history, so there are no open calls."""

    rows_field: ClassVar[str] = "messages"

    _role: str = field(init=False, default="")
    _waiting: dict[str, list[_Waiting]] = field(init=False, factory=dict)  # by id: ids may repeat
    _first_call: tuple[int, int] | None = field(
        init=False, default=None
    )  # the first block that is about tools

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        role, content = row.get("role"), row.get("content")
        if role not in ("user", "assistant"):
            self._add(
                at, UNREADABLE, below="/role", problem=f"messages[{at}] is of neither user nor assistant"
            )
        elif role == self._role:
            self._add(at, rules.ALTERNATE)
        self._role = role if isinstance(role, str) else ""
        if not content and (content is None or isinstance(content, list | tuple)):
            self._add(at, rules.EMPTY_MESSAGE, below="/content")
            content = ()
        elif not isinstance(content, list | tuple):
            problem = f"messages[{at}].content is not a list of blocks"
            self._add(at, UNREADABLE, below="/content", problem=problem)
            content = ()
        blocks = [block if isinstance(block, Mapping) else {} for block in content]
        for place, block in enumerate(blocks):
            self._look_at_block(at, place, block)
        if role == "assistant":
            self._look_at_calls(at, blocks)
        else:
            self._look_at_results(at, blocks)

    def _look_at_block(self, at: int, place: int, block: Mapping[str, Any]) -> None:
        for name in ("toolUse", "toolResult"):
            about = block.get(name)
            if about is None:
                continue
            if self._first_call is None:
                self._first_call = at, place
            call_id = about.get("toolUseId") if isinstance(about, Mapping) else None
            if not isinstance(call_id, str) or not IDS.fits(call_id):
                ids = (call_id,) if isinstance(call_id, str) else ()
                below = f"/content/{place}/{name}/toolUseId"
                self._add(at, rules.ID_PATTERN, ids, below=below, call_id=call_id, j=place)
            if name == "toolResult" and isinstance(about, Mapping):
                self._look_at_result(at, place, about)

    def _look_at_result(self, at: int, place: int, result: Mapping[str, Any]) -> None:
        said = result.get("content")
        parts = said if isinstance(said, list | tuple) else ()
        below = f"/content/{place}/toolResult/content"
        ids = _ids(result)
        if result.get("status") == "error" and all(map(_is_blank, parts)):
            self._add(at, rules.RESULT_ERROR_CONTENT, ids, below=below, j=place)
        for number, part in enumerate(parts):
            if isinstance(part, Mapping) and "json" in part and not isinstance(part["json"], Mapping):
                where = f"{below}/{number}/json"
                self._add(at, rules.RESULT_JSON_OBJECT, ids, below=where, j=place, k=number)

    def _look_at_calls(self, at: int, blocks: list[Mapping[str, Any]]) -> None:
        self._close()
        answered = {call_id for block in blocks for call_id in _ids(block.get("toolResult"))}
        uses = [
            (place, use) for place, block in enumerate(blocks) if (use := block.get("toolUse")) is not None
        ]
        ours = False
        for place, use in uses:
            hosted = isinstance(use, Mapping) and use.get("type") == SERVER_TOOL_USE
            ours = ours or not hosted
            for call_id in _ids(use):
                if not (hosted and call_id in answered):  # else the provider has answered it already
                    self._waiting.setdefault(call_id, []).append(_Waiting(at, place, call_id))
        if ours:
            self._look_for_words(at, blocks, rules.MIXED_ASSISTANT)

    def _look_at_results(self, at: int, blocks: list[Mapping[str, Any]]) -> None:
        results = False
        for place, block in enumerate(blocks):
            result = block.get("toolResult")
            if result is None:
                continue
            results = True
            ids = _ids(result)
            waiting = self._waiting.get(ids[0]) if ids else None
            if waiting:
                waiting.pop(0)
            else:
                self._add(at, rules.EXTRA_RESULT, ids, below=f"/content/{place}")
        if results:
            self._look_for_words(at, blocks, rules.MIXED_USER)
        self._close()

    def _look_for_words(self, at: int, blocks: list[Mapping[str, Any]], rule: Rule) -> None:
        place = next((place for place, block in enumerate(blocks) if not WORDS.isdisjoint(block)), None)
        if place is not None:
            self._add(at, rule, below=f"/content/{place}")

    def _close(self) -> None:
        """The message behind the calls has passed: what it did not answer stays without an answer."""
        self._found.extend(self._missing())
        self._waiting.clear()

    def _missing(self) -> Iterator[Found]:
        if not self._waiting:
            return
        missing = sorted(call for calls in self._waiting.values() for call in calls)
        if missing:
            at, block, _ = missing[0]
            ids = tuple(call.call_id for call in missing)
            below = f"/content/{block}"
            listed = ", ".join(ids)
            yield from self._broken(at, rules.EXPECTED_RESULT, ids, below=below, next=at + 1, ids=listed)

    def _pending(self) -> Iterator[Found]:
        yield from self._missing()
        if self._first_call is not None and not _has_tools(self.envelope.get("toolConfig")):
            at, place = self._first_call
            yield from self._broken(at, rules.TOOLCONFIG, below=f"/content/{place}")


def _ids(about: object) -> tuple[str, ...]:
    """The id of a call or a result, if it has one."""
    if about is None:
        return ()
    call_id = about.get("toolUseId") if isinstance(about, Mapping) else None
    return (call_id,) if isinstance(call_id, str) else ()


def _is_blank(part: object) -> bool:
    """Says nothing: a text without a letter, or no block at all."""
    if not isinstance(part, Mapping) or not part:
        return True
    text = part.get("text")
    return set(part) == {"text"} and (not isinstance(text, str) or not text.strip())


def _has_tools(config: object) -> bool:
    return bool(config.get("tools")) if isinstance(config, Mapping) else bool(config)
