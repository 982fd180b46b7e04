"""Reads a whole body of OpenAI Responses, or of DeepSeek's, back into a transcript.

Every run of items that the model made is one answer, numbered from 1; where it goes on with or without item
ids, another one begins, because an answer has them wholly or not at all. What the provider executes, what it
refers to and what nobody here knows is kept as it came. What a body does not say, and so does not come back
of an encoding: under which id a message came, and that one was a note; which kind of output was chosen where
two are accepted; how a call ended, but for a patch that failed and an approval that was denied: our own texts
are known again, another one reads ``Tool error: …`` when it is sent again. Ids of outputs, and an empty
output, which is written ``(no output)``, do not come back either, nor does the label of a call that the
provider holds: its output stands in the transcript, and an encoder sets it aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import define, evolve, field

from turnlock.engine.items import CallKind, Role
from turnlock.engine.outcome import Outcome, failed, returned
from turnlock.wire.common.history import History, Reading, tools_of
from turnlock.wire.common.jsontext import as_object, dumps
from turnlock.wire.common.request import ToolSpec
from turnlock.wire.openai_responses.decode import decode_responses, message_text
from turnlock.wire.openai_responses.kinds import (
    BY_CALL,
    BY_OUTPUT,
    CALL_ID,
    DIALECT,
    Shape,
    by_provider,
    item_type,
)

Row = Mapping[str, Any]

_NOT_OPTIONS = frozenset({"input", "model", "instructions", "tools", "stream"})


def read_responses(body: Row, *, dialect: str = DIALECT) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    given = body.get("input")
    model, instructions = body.get("model"), body.get("instructions")
    reading = _Reading(model if isinstance(model, str) else "", dialect)
    if isinstance(given, str):
        reading.so_far.say(given)
    for row in given if isinstance(given, list | tuple) else ():
        if isinstance(row, Mapping):
            reading.take(row)
    tools, more_tools = tools_of(body.get("tools"), _spec)
    options = {name: value for name, value in body.items() if name not in _NOT_OPTIONS}
    if more_tools:
        options["tools"] = more_tools
    return History(
        items=tuple(reading.so_far.items),
        instructions=instructions if isinstance(instructions, str) else "",
        tools=tools,
        model=reading.model,
        options=options,
    )


@define(eq=False)
class _Reading:
    """The input so far."""

    model: str
    dialect: str
    so_far: Reading = field(init=False, factory=Reading)
    _before: Row | None = field(init=False, default=None)  # what the model made directly before
    _hosted: set[str] = field(init=False, factory=set)  # labels of calls that the provider executed

    def take(self, row: Row) -> None:
        kind = item_type(row)
        call, output = BY_CALL.get(kind), BY_OUTPUT.get(kind)
        if output is not None and self._is_ours(row, output):
            self._before = None
            self.so_far.output(_text(row.get(output.output_id_field)), _OUTCOMES[output.kind](row))
        elif kind == "message" and row.get("role") != "assistant":
            self._before = None
            role = row.get("role")
            sender = Role(role) if role in (Role.SYSTEM, Role.DEVELOPER) else Role.USER
            self.so_far.say(_content(row.get("content")), sender)
        else:
            if call is not None and by_provider(call, row):
                self._hosted.add(_text(row.get(CALL_ID)))
            self._take_answer(row)

    def _is_ours(self, row: Row, output: Shape) -> bool:
        """An output of the client, not of the provider to a call of its own."""
        if output.kind is CallKind.TOOL_SEARCH:
            return not by_provider(output, row)
        return _text(row.get(output.output_id_field)) not in self._hosted

    def _take_answer(self, row: Row) -> None:
        if self._before is None or _parts(self._before, row):
            self.so_far.begin_answer()
        self._before = row
        for decoded in decode_responses(
            row,
            request=self.so_far.answer,
            model=self.model,
            next_ordinal=self.so_far.next_ordinal,
            dialect=self.dialect,
        ):
            self.so_far.add(decoded.item)


def _parts(before: Row, row: Row) -> bool:
    """Between the two an answer ends."""
    labelled = {item_type(before), item_type(row)} & {
        "mcp_approval_request",
        "item_reference",
    }  # ids of another sort
    if labelled or item_type(before) == "reasoning":
        return False
    return isinstance(before.get("id"), str) is not isinstance(row.get("id"), str)


_OTHER_IDS = frozenset({"mcp_approval_request", "item_reference"})
"""Here the id is the label of a call, or all that there is."""


def _content(given: object) -> Any:  # noqa: ANN401 - what a message may hold
    if isinstance(given, list | tuple):
        return tuple(part for part in given if isinstance(part, Mapping))
    return given if isinstance(given, str) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# ── outputs ─────────────────────────────────────────────────────────────────────────────────────────


def _with_native(text: str, native: object) -> Outcome:
    return evolve(returned(text), native=native)


def _text_or_parts(row: Row) -> Outcome:
    said = row.get("output")
    if isinstance(said, list | tuple):
        return _with_native(message_text({"content": said}), said)
    return returned(_text(said))


def _local_shell(row: Row) -> Outcome:
    said = _text(row.get("output"))
    fields = as_object(said)
    inner = fields.get("output")
    if fields.keys() == {"output"} and isinstance(inner, str) and not as_object(inner):
        return returned(inner)  # text that was wrapped, because only JSON is taken
    return returned(said)


def _shell(row: Row) -> Outcome:
    chunks = row.get("output")
    if not isinstance(chunks, list | tuple):
        return returned("")
    streams = (
        chunk.get(name) for chunk in chunks if isinstance(chunk, Mapping) for name in ("stdout", "stderr")
    )
    return _with_native("".join(map(_text, streams)), chunks)


def _apply_patch(row: Row) -> Outcome:
    said = _text(row.get("output"))
    return failed(said) if row.get("status") == "failed" else returned(said)


def _computer(row: Row) -> Outcome:
    shown = row.get("output")
    return _with_native("", shown) if isinstance(shown, Mapping) else returned("")


def _tool_search(row: Row) -> Outcome:
    found = row.get("tools")
    return _with_native(dumps(found).decode(), found) if isinstance(found, list | tuple) else returned("")


def _mcp_approval(row: Row) -> Outcome:
    return returned("") if row.get("approve") is True else failed(_text(row.get("reason")))


_OUTCOMES: Mapping[CallKind, Callable[[Row], Outcome]] = MappingProxyType(
    {
        CallKind.FUNCTION: _text_or_parts,
        CallKind.CUSTOM: _text_or_parts,
        CallKind.LOCAL_SHELL: _local_shell,
        CallKind.SHELL: _shell,
        CallKind.APPLY_PATCH: _apply_patch,
        CallKind.COMPUTER: _computer,
        CallKind.TOOL_SEARCH: _tool_search,
        CallKind.MCP_APPROVAL: _mcp_approval,
    }
)


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────


def _spec(entry: Row) -> ToolSpec | None:
    """A tool, if it has nothing that a ``ToolSpec`` cannot say."""
    kind = entry.get("type")
    rest = {key: value for key, value in entry.items() if key not in ("type", "name", "description")}
    name, description = entry.get("name", kind), entry.get("description") or ""
    if kind not in _KINDS or not (isinstance(name, str) and isinstance(description, str)):
        return None
    if kind in (CallKind.FUNCTION, CallKind.CUSTOM, CallKind.TOOL_SEARCH):
        said = "format" if kind == CallKind.CUSTOM else "parameters"
        strict, execution = rest.pop("strict", None), rest.pop("execution", "client")
        parameters = rest.pop(said, None) or {}
        if rest or not (isinstance(parameters, Mapping) and isinstance(strict, bool | None)):
            return None
        if execution != "client":
            return None
        return ToolSpec(name, description, parameters, CallKind(kind), strict)
    environment = rest.get("environment")
    if isinstance(environment, Mapping) and environment.get("type") != "local":
        return None  # the provider runs it
    return ToolSpec(name, description, rest, CallKind(kind))


_KINDS = frozenset(CallKind) - {CallKind.MCP_APPROVAL}
