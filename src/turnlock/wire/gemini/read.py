"""Reads a whole request body of Gemini back into a transcript.

Every run of the model's contents is one answer, numbered from 1. A response belongs to the call of its id;
where one of the two has none, to the first open call of its name. The texts of our own outcomes are known
again (R6); another error is one that the tool raised, and reads ``Tool error: …`` when it is sent again.

What a body does not say, and so does not come back of an encoding: who wrote a message, and under which id
(it is a user's, and notes are messages); the kind of a call beside function; which of the causes with one
text ended it; ids that the encoder had to change; the model; what was set aside. A response ``{"output": …}``
that is text is that text, any other is the JSON that it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, evolve, field

from turnlock.engine.items import Call, Item, Message, Output, Role
from turnlock.engine.outcome import Outcome, failed, returned
from turnlock.wire.common.history import History
from turnlock.wire.common.jsontext import dumps
from turnlock.wire.common.request import ToolSpec
from turnlock.wire.gemini.decode import decode_gemini
from turnlock.wire.gemini.matching import Label, Matching
from turnlock.wire.gemini.parts import MODEL, RESPONSE, inner, look, parts_of, text_of, without


def read_gemini(body: Mapping[str, Any]) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    contents = body.get("contents")
    reading = _Reading()
    for row in contents if isinstance(contents, list | tuple) else ():
        if isinstance(row, Mapping):
            reading.take(row)
    tools, more_tools = _tools(body.get("tools"))
    options = without(body, "contents", "systemInstruction", "tools")
    if more_tools:
        options["tools"] = more_tools
    return History(
        items=tuple(reading.items),
        instructions=_instructions(look(body, "systemInstruction")),
        tools=tools,
        options=options,
    )


@define(eq=False)
class _Reading:
    """The contents so far."""

    items: list[Item] = field(init=False, factory=list)
    _last: int = field(init=False, default=0)  # ordinal
    _messages: int = field(init=False, default=0)
    _answer: int = field(init=False, default=0)
    _in_answer: bool = field(init=False, default=False)
    _matching: Matching = field(init=False, factory=Matching)

    def take(self, content: Mapping[str, Any]) -> None:
        parts = parts_of(content)
        answers = any(inner(part, RESPONSE) is not None for part in parts)
        if content.get("role") == MODEL and not answers:
            self._take_answer(parts)
            return
        self._in_answer = False
        said: list[Any] = []
        for part in parts:
            response = inner(part, RESPONSE)
            if response is None:
                said.append(part)
                continue
            self._say(content, said)
            said = []
            self.items.append(self._output(response))
        if said or not answers:
            self._say(content, said or [{"text": ""}])

    def _say(self, content: Mapping[str, Any], parts: Sequence[Any]) -> None:
        if not parts:
            return
        role = content.get("role")
        sender = Role(role) if role in (Role.SYSTEM, Role.DEVELOPER) else Role.USER
        only = parts[0]
        plain = len(parts) == 1 and isinstance(only, Mapping) and isinstance(only.get("text"), str)
        given = (
            only["text"] if plain and len(only) == 1 else tuple(p for p in parts if isinstance(p, Mapping))
        )
        self._messages += 1
        self.items.append(Message(f"m{self._messages}", given, sender))

    def _take_answer(self, parts: Sequence[object]) -> None:
        if not self._in_answer:
            self._in_answer = True
            self._answer += 1
            self._matching.begin_turn()
        for part in parts:
            if not isinstance(part, Mapping):
                continue
            for decoded in decode_gemini(part, request=self._answer, model="", next_ordinal=self._next):
                item = decoded.item
                self.items.append(self._known(item) if isinstance(item, Call) else item)

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _known(self, call: Call) -> Call:
        ordinal = self._matching.call(call.ordinal, Label(call.call_id, call.name))
        return call if ordinal == call.ordinal else evolve(call, ordinal=ordinal)

    def _output(self, response: Mapping[str, Any]) -> Output:
        label = Label(text_of(response.get("id")), text_of(response.get("name")))
        ordinal = self._matching.response(self._last + 1, label)
        self._last = max(self._last, ordinal)
        return Output(ordinal, _outcome(response.get("response")))


# ── outputs ─────────────────────────────────────────────────────────────────────────────────────────


def _outcome(response: object) -> Outcome:
    if isinstance(response, Mapping) and len(response) == 1:
        error, output = response.get("error"), response.get("output")
        if error is not None:
            return failed(error if isinstance(error, str) else dumps(error).decode())
        if isinstance(output, str):
            return returned(output)
    return returned(dumps(response).decode() if response else "")


# ── the envelope ────────────────────────────────────────────────────────────────────────────────────


def _instructions(given: object) -> str:
    if isinstance(given, Mapping):
        return "\n\n".join(
            text
            for part in parts_of(given)
            if isinstance(part, Mapping) and (text := text_of(part.get("text")))
        )
    return text_of(given)


def _tools(given: object) -> tuple[tuple[ToolSpec, ...], list[Any]]:
    """The functions that a client answers, and everything else as it came."""
    specs: list[ToolSpec] = []
    others: list[Any] = []
    for entry in given if isinstance(given, list | tuple) else ():
        declared = look(entry, "functionDeclarations") if isinstance(entry, Mapping) else None
        if not isinstance(declared, list | tuple):
            others.append(entry)
            continue
        specs.extend(_spec(tool) for tool in declared if isinstance(tool, Mapping))
        if rest := without(entry, "functionDeclarations"):
            others.append(rest)
    return tuple(specs), others


def _spec(tool: Mapping[str, Any]) -> ToolSpec:
    schema = look(tool, "parametersJsonSchema")
    if not isinstance(schema, Mapping):
        schema = _json_schema(tool.get("parameters"))
    return ToolSpec(text_of(tool.get("name")), text_of(tool.get("description")), schema)


def _json_schema(written: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Google's own schemas are JSON schemas whose types are in capitals."""
    if isinstance(written, list | tuple):
        return [_json_schema(each) for each in written]
    if not isinstance(written, Mapping):
        return written
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _json_schema(value)
        for key, value in written.items()
    }
