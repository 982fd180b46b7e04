"""Mends the body of a Gemini request: parts are paired, contents are put together again as Gemini wants them.

Every part is a piece. Responses that stand together are one content, and what stood beside them is one of its
own behind it. Ids are optional here and stay as they are: pairs are told by labels, which are our own where
an id is missing or stands twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve, field

from turnlock.engine.outcome import UNRECORDED
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import CONTINUE, NAMELESS
from turnlock.wire.common.rules import Violation
from turnlock.wire.gemini import rules
from turnlock.wire.gemini.encode import STAND_IN
from turnlock.wire.gemini.matching import Label, Matching, Turn
from turnlock.wire.gemini.parts import (
    CALL,
    MODEL,
    RESPONSE,
    SERVER_CALLS,
    SIGNATURE,
    SNAKE,
    USER,
    inner,
    kind_of,
    look,
    parts_of,
    text_of,
)
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

_SERVER = frozenset({*SERVER_CALLS, *SERVER_CALLS.values()})
_WHOLE: Mapping[str, Any] = MappingProxyType({})  # the shell of a row that has no parts to take apart


@define(eq=False)
class GeminiRepairer(Repairer):
    """The means of Gemini: responses directly behind the turn that called."""

    rows_field: ClassVar[str] = "contents"
    adjacent: ClassVar[bool] = True

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """Every part is one; in a mixed content the responses come first."""
        reading = _Pieces()
        for at, row in enumerate(rows):
            reading.take(at, row)
        return reading.found

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Parts of one content that are still neighbours are one; responses are, wherever they are from."""
        made: list[Any] = []
        last: Piece | None = None
        ours = False  # nothing of the last content stood in the body
        for piece in pieces:
            if piece.shell is _WHOLE and piece.row >= 0:
                made.append(piece.raw)
            elif last is not None and _together(last, piece):
                made[-1]["parts"].append(piece.raw)
                if ours and piece.shell:
                    made[-1] = {**piece.shell, "parts": made[-1]["parts"]}
                    ours = False
            else:
                ours = not piece.shell
                made.append({**(piece.shell or {"role": USER}), "parts": [piece.raw]})
            last = piece
        return made

    def held(self, body: Mapping[str, Any]) -> bool:
        """In a cached content."""
        return bool(self.open_calls) or look(body, "cachedContent") is not None

    def joins(self, _run: Sequence[Piece], _piece: Piece) -> bool:
        """Model contents that stand in a row are one turn (GEM-MODEL-MERGE)."""
        return True

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        """A response that says that nobody knows; in the spelling of the call."""
        found = inner(call.raw, CALL) or {}
        call_id, name = text_of(found.get("id")), text_of(found.get("name")) or NAMELESS
        said = {"name": name, "response": {"error": UNRECORDED.model_text}}
        spelling = SNAKE[RESPONSE] if SNAKE[CALL] in call.raw else RESPONSE
        return Piece(Sort.OUTPUT, {spelling: {"id": call_id, **said} if call_id else said}, label=call.label)

    def fits(self, _label: str) -> bool:
        """Ids are free."""
        return True

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the field ``id``."""
        key = CALL if piece.sort is Sort.CALL else RESPONSE
        key = key if key in piece.raw else SNAKE[key]
        return evolve(piece, raw={**piece.raw, key: {**piece.raw[key], "id": label}}, label=label)


def _together(last: Piece, piece: Piece) -> bool:
    """Are two pieces that follow each other parts of one content?"""
    if last.sort is Sort.OUTPUT or piece.sort is Sort.OUTPUT:
        return last.sort is piece.sort
    return last.row == piece.row


@define(eq=False)
class _Pieces:
    """The contents of a body, taken apart."""

    found: list[Piece] = field(init=False, factory=list)
    _matching: Matching = field(init=False, factory=Matching)
    _labels: dict[int, str] = field(init=False, factory=dict)
    _taken: dict[str, int] = field(init=False, factory=dict)
    _in_answer: bool = field(init=False, default=False)

    def take(self, at: int, row: object) -> None:
        """The next content."""
        parts = parts_of(row) if isinstance(row, Mapping) else ()
        by_model = isinstance(row, Mapping) and row.get("role") == MODEL
        if not isinstance(row, Mapping) or not parts:
            sort = Sort.SAID if by_model else Sort.MESSAGE
            self.found.append(Piece(sort, row, f"/contents/{at}", at, shell=_WHOLE))
            self._in_answer = by_model
            return
        shell = {**row, "parts": ()}
        pieces = [
            Piece(_sort(part, by_model=by_model), part, f"/contents/{at}/parts/{place}", at, shell=shell)
            for place, part in enumerate(parts)
        ]
        answers = [piece for piece in pieces if piece.sort is Sort.OUTPUT]
        if by_model and not answers and not self._in_answer:
            self._matching.begin_turn()
        self._in_answer = by_model and not answers
        for piece in (*answers, *(piece for piece in pieces if piece.sort is not Sort.OUTPUT)):
            self.found.append(self._labelled(piece))

    def _labelled(self, piece: Piece) -> Piece:
        if piece.sort not in (Sort.CALL, Sort.OUTPUT):
            return piece
        held = inner(piece.raw, CALL if piece.sort is Sort.CALL else RESPONSE) or {}
        label = _label(held)
        match = self._matching.call if piece.sort is Sort.CALL else self._matching.response
        number = match(len(self.found), label)
        if number not in self._labels:
            self._labels[number] = self._new_label(label.call_id or label.name)
        return evolve(piece, label=self._labels[number])

    def _new_label(self, wanted: str) -> str:
        label, count = wanted, self._taken.get(wanted, 0)
        while label in self._taken:
            count += 1
            label = f"{wanted} ({count})"
        self._taken[wanted] = count  # from where to count on
        self._taken.setdefault(label, 1)
        return label


def _label(held: Mapping[str, Any]) -> Label:
    return Label(text_of(held.get("id")), text_of(held.get("name")))


def _sort(part: object, *, by_model: bool) -> Sort:
    if inner(part, RESPONSE) is not None:
        return Sort.OUTPUT
    if not by_model:
        return Sort.MESSAGE
    if inner(part, CALL) is not None:
        return Sort.CALL
    if not isinstance(part, Mapping) or kind_of(part) not in _SERVER:
        thought = isinstance(part, Mapping) and bool(part.get("thought"))
        return Sort.REASONING if thought else Sort.SAID
    return Sort.SERVER


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _content(body: dict[str, Any], violation: Violation) -> tuple[list[Any], int]:
    return body["contents"], int(violation.at.split("/")[2])


def _apart(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Responses and what stands beside them, as contents of their own."""
    parts = parts_of(content)
    answers = [part for part in parts if inner(part, RESPONSE) is not None]
    others = [part for part in parts if inner(part, RESPONSE) is None]
    return [{**content, "parts": each} for each in (answers, others) if each]


def _begin(body: dict[str, Any], _violation: Violation) -> Mended:
    body["contents"].insert(0, {"role": USER, "parts": [{"text": CONTINUE}]})
    return Mended("The history begins with a call: a short content of the user is put before it.")


def _end(body: dict[str, Any], _violation: Violation) -> Mended:
    body["contents"].append({"role": USER, "parts": [{"text": CONTINUE}]})
    return Mended("The request ends with the model: a short content of the user is put behind it.")


def _sign(body: dict[str, Any], violation: Violation) -> Mended:
    contents, at = _content(body, violation)
    part = contents[at]["parts"][int(violation.at.split("/")[4])]
    part.pop(SNAKE[SIGNATURE], None)
    part[SNAKE[SIGNATURE] if SNAKE[CALL] in part else SIGNATURE] = STAND_IN
    return Mended("The call is not signed: it gets the signature that Google documents for such calls.")


def _as_user(body: dict[str, Any], violation: Violation) -> Mended:
    contents, at = _content(body, violation)
    first, *others = _apart(contents[at])
    contents[at : at + 1] = [first | {"role": USER}, *others]
    return Mended("Responses are the user's: their content gets this role.")


def _unmix(body: dict[str, Any], violation: Violation) -> Mended:
    contents, at = _content(body, violation)
    contents[at : at + 1] = _apart(contents[at])
    return Mended("What stands beside responses is moved into a content of its own behind them.")


def _join(body: dict[str, Any], violation: Violation) -> Mended:
    contents, at = _content(body, violation)
    before, joined = contents[at - 1], contents[at]
    contents[at - 1 : at + 1] = [{**joined, **before, "parts": [*parts_of(before), *parts_of(joined)]}]
    return Mended("Responses that stand in contents of their own are put into one.")


def _name(body: dict[str, Any], violation: Violation) -> Mended | None:
    contents, at = _content(body, violation)
    place = int(violation.at.split("/")[4])
    part = contents[at]["parts"][place]
    spelling = RESPONSE if part.get(RESPONSE) is not None else SNAKE[RESPONSE]
    response = part[spelling]
    given = response.get("response")
    name = _called(contents, at, place) or text_of(response.get("name"))
    if not name or (response.get("name") == name and isinstance(given, Mapping)):
        return None
    if not isinstance(given, Mapping):
        given = (
            {} if given is None else {"output": given if isinstance(given, str) else dumps(given).decode()}
        )
    part[spelling] = {**response, "name": name, "response": given}
    return Mended("The response gets its call's name, and an object for what it says.")


def _called(contents: Sequence[Any], at: int, place: int) -> str:
    """The name of the call that a response is to: by its id, else by its place among those without a call."""
    calls: list[Mapping[str, Any]] = []
    before = at - 1
    while before >= 0 and isinstance(contents[before], Mapping) and contents[before].get("role") == MODEL:
        parts = parts_of(contents[before])
        calls[:0] = [call for part in parts if (call := inner(part, CALL)) is not None]
        before -= 1
    turn = Turn()
    for number, call in enumerate(calls):
        turn.call(number, _label(call))
    strangers: list[int] = []
    for where, part in enumerate(contents[at]["parts"]):
        response = inner(part, RESPONSE)
        if response is None:
            continue
        label = _label(response)
        found = turn.by_id(label)
        if found is None and label.name:
            found = turn.by_name(label)
        if found is None:
            strangers.append(where)
        elif where == place:
            return text_of(calls[found].get("name"))
    named = dict(zip(strangers, turn.open.values(), strict=False))
    return named[place].name if place in named else ""


GeminiRepairer.mends = MappingProxyType[str, Mend](
    {
        rules.FC_AFTER.id: _begin,
        rules.FR_NAME.id: _name,
        rules.FR_ONE_CONTENT.id: _join,
        rules.FR_ROLE.id: _as_user,
        rules.MIXED_TURN.id: _unmix,
        rules.SIG_MISSING.id: _sign,
        rules.TRAILING_MODEL.id: _end,
    }
)

GeminiRepairer.reach = MappingProxyType(
    {
        rules.FR_NAME.id: Reach.PLACE,
        rules.FR_ONE_CONTENT.id: Reach.ROW,
        rules.FR_ROLE.id: Reach.ROW,
        rules.MIXED_TURN.id: Reach.ROW,
        rules.SIG_MISSING.id: Reach.PLACE,
    }
)
