"""Writes a transcript as the messages of Chat Completions, as its server takes them.

One answer is one assistant message, whatever items it had: its texts are the content, its calls stand
beside it. Everything is written from the neutral fields, so a history of another dialect reads the same.
What Chat Completions has no words for:

* kinds of call beside function and custom (at other servers than OpenAI: beside function) are functions of
  the kind's name, so that no call is lost;
* reasoning is set aside, but for a server that wants it back, from the model that is asked;
* a call that a provider executed itself is set aside: it has no tool message, and an assistant message
  that named it would be refused. What it found stands in the answer's text.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import define, field

from turnlock.engine.items import (
    Call,
    CallKind,
    Item,
    Message,
    ModelItem,
    Note,
    Output,
    Reasoning,
    Role,
    Text,
)
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import WireIds
from turnlock.wire.common.jsontext import as_object, dumps
from turnlock.wire.common.request import CONTINUE, NAMELESS, Settings, envelope
from turnlock.wire.openai_chat import content
from turnlock.wire.openai_chat.servers import OPENAI, Server
from turnlock.wire.openai_chat.tools import tool_row

Row = dict[str, Any]

BRIDGE = "Understood."
"""What the model is taken to have said where the format wants its turn before the user's."""


@define(eq=False)
class ChatEncoder(Encoder):
    """The encoder of ``openai_chat``.

    Attributes:
        server: Who takes the body.
    """

    transcript: ClassVar[str] = "messages"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION, CallKind.CUSTOM})

    server: Server = field(default=OPENAI, kw_only=True)

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        specs = (spec for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL)
        tools = [tool_row(spec, custom=self.server.openai) for spec in specs]
        body = envelope(settings, tools, transcript=self.transcript)
        if settings.stream:
            body.setdefault("stream_options", {"include_usage": True})
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.instructions, settings.model if self.server.gives_back else ""

    def _start(self, settings: Settings) -> None:
        super()._start(settings)
        self._ids = WireIds(self.server.ids)

    def _opening(self, settings: Settings) -> Rows:
        return [{"role": Role.SYSTEM, "content": settings.instructions}] if settings.instructions else []

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        if isinstance(block[0], ModelItem):
            return self._answer(block, settings)
        rows: Rows = []
        places: Places = []
        for item in block:
            written = self._written(item)
            places.append(len(rows) if written else None)
            rows.extend(written)
        return rows, places

    def _written(self, item: Item) -> Rows:
        """What stands between two answers."""
        match item:
            case Message():
                return [{"role": self._role(item.role), "content": content.written(item.content)}]
            case Note():
                return [{"role": Role.USER, "content": item.text}]
            case Output():
                known = self._ids.of(item.ordinal)
                if known is None:
                    return []  # without its call an output would be refused: it is set aside (R16)
                return [{"role": "tool", "tool_call_id": known[1], "content": item.model_text}]
            case _:
                raise AssertionError(f"{item!r} belongs to an answer")

    def _answer(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        """One assistant message."""
        said: list[str] = []
        thought: list[Mapping[str, Any]] = []
        calls: Rows = []
        places: Places = []
        for item in block:
            places.append(0)
            match item:
                case Text():
                    said.append(item.text)
                case Call():
                    calls.append(self._call(item))
                case Reasoning() if fields := self._given_back(item, settings.model):
                    thought.append(fields)
                case _:
                    places[-1] = None
        if not (said or calls):
            return [], [None] * len(block)  # nothing was said or done with what was thought
        return [self._message(said, calls, thought)], places

    def _message(self, said: Sequence[str], calls: Rows, thought: Sequence[Mapping[str, Any]]) -> Row:
        blank = None if self.server.null_content is None else ""
        message: Row = {"role": "assistant", "content": "\n".join(said) if said else blank}
        for fields in thought:
            for name, value in fields.items():
                message[name] = content.joined(message[name], value) if name in message else value
        wanted = self.server.reasoning
        if calls and wanted is not None and wanted.severity_in(self.profiles) is not None:
            message["reasoning_content"] = message.get("reasoning_content") or self.server.no_reasoning
        if calls:
            message["tool_calls"] = calls
        return message

    def _given_back(self, item: Reasoning, model: str) -> Mapping[str, Any]:
        """The fields of reasoning that its own model wants back."""
        origin = item.origin
        if origin is None or (origin.dialect, origin.model) != (self.server.name, model):
            return {}
        return {name: said for name, said in origin.item.items() if name in self.server.gives_back and said}

    def _role(self, role: Role) -> Role:
        """Only OpenAI's own server knows developers."""
        return role if role is not Role.DEVELOPER or self.server.openai else Role.SYSTEM

    def _call(self, call: Call) -> Row:
        row: Row = {"id": self._ids.give(call)}
        name = call.name or NAMELESS
        if call.kind is CallKind.CUSTOM and self.server.openai:
            return row | {"type": "custom", "custom": {"name": name, "input": _input(call)}}
        return row | {"type": "function", "function": {"name": name, "arguments": call.arguments}}


@define(eq=False)
class CompatibleEncoder(ChatEncoder):
    """The encoder of a server that only takes the format, and knows functions alone."""

    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION})


@define(eq=False)
class AlternatingEncoder(CompatibleEncoder):
    """The encoder of a server whose template wants user and assistant to take turns (TEMPLATE-ALTERNATE).

    Assistant messages with calls, and tool messages, do not count as turns. So what the user said in a row is
    one message; where results stand before it, a short assistant message does; and where the model spoke
    twice, or first, a short user message stands before. Only the first message may be the system's: what a
    developer or the system says later is said by the user.
    """

    joins: ClassVar[bool] = True

    _turns: list[tuple[int, str]] = field(init=False, factory=list)  # who spoke last, by items so far

    def _start(self, settings: Settings) -> None:
        self._turns.clear()
        super()._start(settings)

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        rows, places = super()._block(block, settings)
        while self._turns and self._turns[-1][0] > len(self._items):
            self._turns.pop()  # it was written anew from here on
        turn = self._turns[-1][1] if self._turns else "assistant"
        turned: list[Row] = []
        moved: list[int] = []
        for row in map(dict, rows):
            turn = self._take(row, turn, turned)
            moved.append(len(turned) - 1)
        self._turns.append((len(self._items) + len(block), turn))
        return list(turned), [None if place is None else moved[place] for place in places]

    def _take(self, row: Row, turn: str, turned: list[Row]) -> str:
        """Add a row, and what it needs before it; say whose turn it was."""
        first = not (self._rows or turned)
        if row["role"] == "tool" or "tool_calls" in row or (first and row["role"] == Role.SYSTEM):
            turned.append(row)
            return turn
        if row["role"] == "assistant":
            if turn == "assistant":
                turned.append({"role": Role.USER, "content": CONTINUE})
            turned.append(row)
            return "assistant"
        row["role"] = Role.USER
        if turned and turned[-1]["role"] == Role.USER:
            turned[-1]["content"] = content.joined(turned[-1]["content"], row["content"])
            return turn
        if turn == Role.USER:
            turned.append({"role": "assistant", "content": BRIDGE})
        turned.append(row)
        return str(Role.USER)


def encoder_for(server: Server, profiles: frozenset[str]) -> ChatEncoder:
    """A new encoder for a server."""
    if server.openai:
        return ChatEncoder(profiles, server=server)
    return (AlternatingEncoder if server.alternate else CompatibleEncoder)(profiles, server=server)


def _input(call: Call) -> str:
    """The input of a custom call: text, also if somebody stored another value."""
    said = as_object(call.arguments).get("input", "")
    return said if isinstance(said, str) else dumps(said).decode()
