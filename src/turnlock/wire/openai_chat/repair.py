"""Mends the body of a Chat Completions request, as its server takes it.

An assistant message is one answer: what it says is a piece, and each of its calls; every other message is one
piece. What a server does not take beside that is left out or said otherwise, and reported (R16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import define, evolve, field

from turnlock.engine.outcome import NO_OUTPUT
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import CONTINUE
from turnlock.wire.common.rules import Violation
from turnlock.wire.openai_chat import content, rules
from turnlock.wire.openai_chat.encode import BRIDGE
from turnlock.wire.openai_chat.servers import COMPATIBLE, OPENAI, Server
from turnlock.wire.repair.pairing import UNKNOWN_END
from turnlock.wire.repair.pieces import Piece, Sort
from turnlock.wire.repair.repairer import Mend, Mended, Reach, Repairer

Row = dict[str, Any]


@define(eq=False)
class ChatRepairer(Repairer):
    """The means of one server: tool messages stand directly behind the calls.

    Attributes:
        server: Who takes the body.
    """

    rows_field: ClassVar[str] = "messages"

    server: Server = field(default=OPENAI, kw_only=True)

    def pieces(self, rows: Sequence[Any]) -> list[Piece]:
        """An assistant message without its calls, each of them, and every other message."""
        found: list[Piece] = []
        for at, row in enumerate(rows):
            where = f"/messages/{at}"
            role = row.get("role") if isinstance(row, Mapping) else None
            if role == "tool":
                found.append(Piece(Sort.OUTPUT, row, where, at, label=_named(rows, at)))
            elif role == "assistant":
                found.extend(_answer(row, where, at))
            else:
                found.append(Piece(Sort.MESSAGE, row, where, at))
        return found

    def rows(self, pieces: Sequence[Piece]) -> list[Any]:
        """Calls stand in the message that they were made in."""
        rows: list[Any] = []
        for piece in pieces:
            if piece.sort is Sort.CALL:
                if "tool_calls" not in rows[-1]:
                    rows[-1] = {**rows[-1], "tool_calls": []}
                rows[-1]["tool_calls"].append(piece.raw)
            else:
                rows.append(piece.raw)
        return rows

    def answer(self, call: Piece, _output: Piece | None) -> Piece:
        """A tool message; there is no other kind."""
        row = {"role": "tool", "tool_call_id": call.label, "content": UNKNOWN_END}
        return Piece(Sort.OUTPUT, row, label=call.label)

    def fits(self, label: str) -> bool:
        """At other servers than OpenAI nobody saw a limit."""
        return self.id_style.fits(label) if self.server.openai else label != ""

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """In the call, or in the tool message."""
        name = "id" if piece.sort is Sort.CALL else "tool_call_id"
        return evolve(piece, raw={**piece.raw, name: label}, label=label)


def _answer(row: Mapping[str, Any], where: str, at: int) -> list[Piece]:
    calls = row.get("tool_calls")
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls) or not calls:
        return [Piece(Sort.SAID, row, where, at)]
    said = {key: value for key, value in row.items() if key != "tool_calls"}
    return [
        Piece(Sort.SAID, said, where, at),
        *(
            Piece(
                Sort.CALL, call, f"{where}/tool_calls/{place}", at, label=_text(call.get("id")), kind="call"
            )
            for place, call in enumerate(calls)
        ),
    ]


def _named(rows: Sequence[Any], at: int) -> str:
    """The call that a tool message answers; one that names none, the first that no other of its run names."""
    label = rows[at].get("tool_call_id")
    if isinstance(label, str):
        return label
    start, end = at, at + 1
    while start > 0 and _is_tool(rows[start - 1]):
        start -= 1
    while end < len(rows) and _is_tool(rows[end]):
        end += 1
    asked = rows[start - 1] if start else None
    calls = asked.get("tool_calls") if isinstance(asked, Mapping) else None
    ids = (
        [_text(call.get("id")) for call in calls if isinstance(call, Mapping)]
        if isinstance(calls, list)
        else []
    )
    run = [row.get("tool_call_id") for row in rows[start:end]]
    left = [call_id for call_id in ids if call_id not in run]
    nameless = sum(not isinstance(each, str) for each in run[: at - start])
    return left[nameless] if nameless < len(left) else ""


def _is_tool(row: object) -> bool:
    return isinstance(row, Mapping) and row.get("role") == "tool"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# ── rules that are not about pairs ──────────────────────────────────────────────────────────────────


def _at(body: Row, violation: Violation) -> tuple[list[Any], int]:
    return body["messages"], int(violation.at.split("/")[2])


def _name(body: Row, violation: Violation) -> Mended | None:
    """The calls of a message lack tool messages, and some of those behind it name none."""
    rows, at = _at(body, violation)
    named = False
    while (at := at + 1) < len(rows) and _is_tool(rows[at]):
        if not isinstance(rows[at].get("tool_call_id"), str) and (label := _named(rows, at)):
            rows[at]["tool_call_id"] = label
            named = True
    return (
        Mended("Tool messages that name no call are given the ids of those that have none.")
        if named
        else None
    )


def _say_nothing(body: Row, violation: Violation) -> Mended:
    rows, at = _at(body, violation)
    rows[at]["content"] = ""
    return Mended("The assistant message has no content: it is given an empty one.")


def _without_empty(body: Row, violation: Violation) -> Mended:
    rows, at = _at(body, violation)
    name = violation.at.rpartition("/")[2]
    if name == "content":
        rows[at]["content"] = ""
        return Mended("The empty list of parts becomes empty text.")
    del rows[at][name]
    return Mended(f"The empty {name} is left out.")


def _as_text(body: Row, violation: Violation) -> Mended:
    """What is no text is shown by a user message behind the run."""
    rows, at = _at(body, violation)
    said = rows[at].get("content")
    if not isinstance(said, list):
        rows[at]["content"] = NO_OUTPUT if said is None else dumps(said).decode()
        return Mended("The tool message becomes text.")
    shown = [part for part in said if not (isinstance(part, Mapping) and part.get("type") == "text")]
    rows[at]["content"] = plain_text(content.read(said)) or NO_OUTPUT
    end = at + 1
    while end < len(rows) and _is_tool(rows[end]):
        end += 1
    parts = [part for part in shown if isinstance(part, Mapping)]
    if parts:
        rows.insert(end, {"role": "user", "content": content.written(tuple(parts))})
    return Mended(
        "The tool message becomes text; what it showed stands in a user message behind the results."
    )


def _known_fields(known: Mapping[str, frozenset[str]], body: Row, _violation: Violation) -> Mended:
    """In every message at once: where one has such a field, most have."""
    aside = []
    for at, row in enumerate(body["messages"]):
        fields = known.get(_text(row.get("role"))) if isinstance(row, Mapping) else None
        odd = {name: row[name] for name in row if name not in fields} if fields is not None else {}
        for name in odd:
            del row[name]
        if odd:
            aside.append({"at": f"/messages/{at}", **odd})
    return Mended("Fields of messages that are not known here are left out.", aside)


def _empty_arguments(body: Row, violation: Violation) -> Mended:
    rows, at = _at(body, violation)
    function = rows[at]["tool_calls"][int(violation.at.split("/")[4])]["function"]
    broken = function["arguments"]
    function["arguments"] = "{}"
    return Mended("The arguments are not JSON: the call is sent with none.", broken)


def _with_content(body: Row, _violation: Violation) -> Mended:
    for row in _that_call(body):
        if row.get("content") is None:
            row["content"] = ""
    return Mended("Where an answer only calls, its content becomes an empty text.")


def _with_reasoning(said: str, body: Row, _violation: Violation) -> Mended:
    for row in _that_call(body):
        if not row.get("reasoning_content"):
            row["reasoning_content"] = said
    return Mended("The reasoning of answers is not here: their messages say so with an empty one.")


def _that_call(body: Row) -> list[Row]:
    rows = [row for row in body["messages"] if isinstance(row, dict) and row.get("role") == "assistant"]
    return [row for row in rows if row.get("tool_calls")]


def _take_turns(body: Row, _violation: Violation) -> Mended:
    turn, rows = "assistant", []
    for row in body["messages"]:
        role = row.get("role") if isinstance(row, dict) else None
        if role not in ("user", "assistant") or (role == "assistant" and row.get("tool_calls")):
            rows.append(row)
            continue
        if role == turn == "user" and rows[-1].keys() == row.keys() == _PLAIN and rows[-1]["role"] == "user":
            rows[-1]["content"] = content.joined(rows[-1]["content"], row["content"])
            continue
        if role == turn:
            between = ("user", CONTINUE) if role == "assistant" else ("assistant", BRIDGE)
            rows.append(dict(zip(_PLAIN, between, strict=True)))
        rows.append(row)
        turn = role
    body["messages"] = rows
    return Mended("User messages in a row are joined, and short messages stand where a turn was missing.")


_PLAIN = {"role": 0, "content": 1}.keys()

ChatRepairer.mends = MappingProxyType[str, Mend](
    {
        **{server.no_tool.id: _name for server in (OPENAI, *COMPATIBLE.values())},
        rules.CONTENT_NULL.id: _say_nothing,
        rules.LLAMACPP_NULL.id: _with_content,
        rules.EMPTY_ARRAYS.id: _without_empty,
        rules.TOOL_CONTENT.id: _as_text,
        rules.MINIMAX_ARGS.id: _empty_arguments,
        rules.ALTERNATE.id: _take_turns,
        **{
            server.unknown_field.id: partial(_known_fields, server.known_fields)
            for server in COMPATIBLE.values()
            if server.unknown_field is not None
        },
        **{
            server.reasoning.id: partial(_with_reasoning, server.no_reasoning)
            for server in COMPATIBLE.values()
            if server.reasoning is not None
        },
    }
)

ChatRepairer.reach = MappingProxyType(
    {
        **{server.no_tool.id: Reach.PLACE for server in (OPENAI, *COMPATIBLE.values())},
        rules.CONTENT_NULL.id: Reach.PLACE,
        rules.EMPTY_ARRAYS.id: Reach.PLACE,
        rules.TOOL_CONTENT.id: Reach.PLACE,
        rules.MINIMAX_ARGS.id: Reach.PLACE,
    }
)
