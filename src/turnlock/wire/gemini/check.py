"""Looks for violations of Gemini's rules in a request body.

As the server does, it takes model contents that stand in a row for one turn before it judges (recorded), and
contents with responses each for itself. The server counts. Which call a response answers is told by its id
where both have one, else by its name, so that a violation can say which call lacks its response.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, ClassVar

from attrs import define, field, frozen

from turnlock.wire.common.rules import Severity
from turnlock.wire.common.walk import WHOLE, Found, Walk
from turnlock.wire.gemini import rules
from turnlock.wire.gemini.matching import NAMELESS, Label, Turn
from turnlock.wire.gemini.parts import CALL, MODEL, RESPONSE, SIGNATURE, USER, inner, look, parts_of, text_of


class _Last(Enum):
    """What stands last so far."""

    NOTHING = auto()
    CACHED = auto()  # a history that the provider holds, and nobody here knows how it ends
    HELD = auto()  # the same, and it ends with calls that were named to us
    MODEL = auto()
    CALLS = auto()  # the same, and it calls functions
    RESPONSES = auto()
    OTHER = auto()


_IN_MODEL = (_Last.MODEL, _Last.CALLS)
_ANSWERABLE = (_Last.HELD, _Last.CALLS, _Last.RESPONSES)


@frozen
class _Call(Label):
    at: int
    below: str


@define(eq=False)
class _Pairs:
    """The calls of one turn, and the responses that came so far."""

    _turn: Turn = field(init=False, factory=Turn)
    _calls: list[_Call] = field(init=False, factory=list)
    _strangers: int = field(init=False, default=0)  # responses that are no call's, and stand in for one

    def call(self, call: _Call) -> None:
        self._turn.call(len(self._calls), call)
        self._calls.append(call)

    def answer(self, response: Label) -> _Call | None:
        """The call that a response is to; None when it is to none of those that still lack theirs."""
        found = self._turn.by_id(response)
        if found is None:
            found = self._turn.by_name(response)
        self._strangers += found is None
        return None if found is None else self._calls[found]

    def surplus(self) -> bool:
        """There are more responses than calls, and the last one is one of those."""
        return self._strangers > len(self._turn.open)

    def missing(self) -> tuple[_Call, ...]:
        """The calls that lack their response; none when there are as many responses as calls."""
        still = self._turn.open
        return tuple(self._calls[number] for number in still) if self._strangers < len(still) else ()


@define(eq=False)
class GeminiWalk(Walk):
    """Gemini's own rules; ``open_calls`` are those with which a cached history ends."""

    rows_field: ClassVar[str] = "contents"

    _last: _Last = field(init=False)
    _pairs: _Pairs = field(init=False, factory=_Pairs)  # of the last turn of the model
    _begins: bool = field(init=False, default=False)  # that turn begins the history
    _unsigned: list[_Call] = field(init=False, factory=list)  # in the user's current turn
    _wants_signatures: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._wants_signatures = rules.SIG_MISSING.severity_in(self.profiles) is not None
        self._last = _Last.CACHED if look(self.envelope, "cachedContent") else _Last.NOTHING
        for call_id in sorted(self.open_calls):
            self._last = _Last.HELD
            self._pairs.call(_Call(call_id, NAMELESS, WHOLE, ""))

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        parts = parts_of(row)
        responses = [
            (place, response)
            for place, part in enumerate(parts)
            if (response := inner(part, RESPONSE)) is not None
        ]
        if responses:
            self._look_at_responses(at, row, responses, mixed=len(responses) < len(parts))
        elif row.get("role") == MODEL:
            self._look_at_model(at, parts)
        else:
            self._end_turn(_Last.OTHER)
            self._unsigned.clear()

    # ── the model's contents ────────────────────────────────────────────────────────────────────────

    def _look_at_model(self, at: int, parts: Sequence[object]) -> None:
        if self._last not in _IN_MODEL:
            self._begins = self._last is _Last.NOTHING
            self._end_turn(_Last.MODEL)
        for place, part in enumerate(parts):
            found = inner(part, CALL)
            if found is not None:
                call = _Call(text_of(found.get("id")), text_of(found.get("name")), at, f"/parts/{place}")
                if self._last is not _Last.CALLS:
                    self._look_at_first(call, part)
                self._last = _Last.CALLS
                self._pairs.call(call)

    def _look_at_first(self, call: _Call, part: object) -> None:
        """The first call of a turn."""
        if self._begins:
            self._add(call.at, rules.FC_AFTER, _labels(call), below=call.below)
        if self._wants_signatures and not (isinstance(part, Mapping) and look(part, SIGNATURE)):
            self._unsigned.append(call)

    # ── contents with responses ─────────────────────────────────────────────────────────────────────

    def _look_at_responses(
        self,
        at: int,
        row: Mapping[str, Any],
        responses: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        mixed: bool,
    ) -> None:
        ids = tuple(call_id for _, response in responses if (call_id := text_of(response.get("id"))))
        role = row.get("role")
        if role != USER:
            said = f"'{role}'" if isinstance(role, str) else "missing"
            self._add(at, rules.FR_ROLE, ids, below="/role" if "role" in row else "", role=said)
        if mixed:
            self._add(at, rules.MIXED_TURN, ids)
        if self._last is _Last.RESPONSES:
            self._add(at, rules.FR_ONE_CONTENT, ids)
        elif self._last not in _ANSWERABLE and self._last is not _Last.CACHED:
            self._add(at, rules.FR_AFTER_FC, ids)
        for place, response in responses:
            self._look_at_response(at, place, response)
        if mixed:
            self._end_turn(_Last.OTHER)
            self._unsigned.clear()
        elif self._last in _ANSWERABLE:
            self._last = _Last.RESPONSES
        elif self._last is not _Last.CACHED:
            self._last = _Last.OTHER

    def _look_at_response(self, at: int, place: int, response: Mapping[str, Any]) -> None:
        call_id, name = text_of(response.get("id")), text_of(response.get("name"))
        labels, below = (call_id,) if call_id else (), f"/parts/{place}"
        problem, severity = "", None
        if not name:
            problem = ".name must not be empty"
        elif not isinstance(response.get("response"), Mapping):
            problem = ".response must be an object"
        if self._last in _ANSWERABLE:
            call = self._pairs.answer(Label(call_id, name))
            if self._pairs.surplus():
                self._add(at, rules.PARITY, labels, below=below)
            elif problem:
                pass  # said below
            elif call is None or (call.name and call.name != name):
                problem = f".name is '{name}', which is not the name of the call"
            elif call_id and call.call_id and call.call_id != call_id:
                problem, severity = f".id is '{call_id}', and that of the call '{call.call_id}'", _NOT_SEEN
        if problem:
            self._found.extend(
                self._broken(
                    at, rules.FR_NAME, labels, below=below, severity=severity, j=place, problem=problem
                )
            )

    # ── what only the end decides ───────────────────────────────────────────────────────────────────

    def _end_turn(self, last: _Last) -> None:
        """The calls before this cannot be answered any more."""
        self._found.extend(self._missing())
        self._pairs = _Pairs()
        self._last = last

    def _missing(self) -> Iterator[Found]:
        missing = self._pairs.missing()
        if missing:
            first = missing[0]
            yield from self._broken(first.at, rules.PARITY, _labels(*missing), below=first.below)

    def _pending(self) -> Iterator[Found]:
        yield from self._missing()
        for call in self._unsigned:
            yield from self._broken(
                call.at,
                rules.SIG_MISSING,
                _labels(call),
                below=call.below,
                name=call.name,
                position=call.at + 1,
            )
        if self._last in _IN_MODEL:
            yield from self._broken(self.rows - 1, rules.TRAILING_MODEL)


_NOT_SEEN = Severity.WARNING  # nobody saw a provider refuse another id beside the right name


def _labels(*calls: _Call) -> tuple[str, ...]:
    return tuple(call.call_id for call in calls if call.call_id)
