"""A model that plays a script in process: for tests, examples, and work without a key.

Its answers go the same way as a provider's: in the items of a dialect, decoded, and its bodies are encoded
and checked like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import trio
from attrs import define, field, frozen

from turnlock.engine import Finish, Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request, Response, Sink, Usage
from turnlock.wire import Settings, ToolSpec


@frozen
class Say:
    """The model says something, in pieces of ``size`` characters."""

    text: str
    size: int = 16


@frozen
class Invoke:
    """The model makes a call. ``arguments`` may be a text, to play what a model gets wrong.

    Attributes:
        id: The call id; default: one that is not used yet.
        complete: False when the length limit or a lost connection cuts the arguments.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(factory=dict)
    id: str | None = None
    complete: bool = True


@frozen
class Pause:
    """The model does nothing for some seconds, or until an event is set."""

    until: float | trio.Event

    async def wait(self) -> None:
        """Wait."""
        if isinstance(self.until, trio.Event):
            await self.until.wait()
        else:
            await trio.sleep(self.until)


@frozen
class Fail:
    """The response ends here, without its end marker."""

    trouble: Trouble | str = Trouble.LOST
    text: str = "the connection was lost"
    retry_after: float | None = None


@frozen
class Stop:
    """The response ends here in a way of its own."""

    finish: Finish | str = Finish.STOP


Move: TypeAlias = Say | Invoke | Pause | Fail | Stop


def _parts(script: Iterable[Sequence[Move] | Move]) -> list[Sequence[Move] | Move]:
    return list(script)


@define(eq=False)
class Scripted:
    """Answers request after request with the next part of its script.

    Attributes:
        script: For each request, the moves of its answer. A single move may stand for itself.
        dialect: ``openai_responses`` or ``openai_chat``.
        name: The model's name.
        requests: Every request that it was sent.
    """

    script: list[Sequence[Move] | Move] = field(converter=_parts)
    dialect: str = field(default="openai_responses", kw_only=True)
    name: str = field(default="scripted", kw_only=True)
    requests: list[Request] = field(factory=list, init=False)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies that it was sent, decoded."""
        return [msgspec.json.decode(request.body) for request in self.requests]

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request."""
        return Settings(self.name, instructions, tuple(tools))

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Play the next part.

        Raises:
            ModelError: The script says so, or is over.
        """
        self.requests.append(request)
        if len(self.requests) > len(self.script):
            raise ModelError(Trouble.FATAL, f"the script is over: it has {len(self.script)} answers")
        part = self.script[len(self.requests) - 1]
        await trio.lowlevel.checkpoint()
        answer = _Answer(request.number, self.dialect, sink)
        for move in part if isinstance(part, Sequence) else (part,):
            match move:
                case Say():
                    await answer.say(move)
                case Invoke():
                    answer.invoke(move)
                case Pause():
                    await move.wait()
                case Fail():
                    raise ModelError(Trouble(move.trouble), move.text, retry_after=move.retry_after)
                case Stop():
                    return answer.end(Finish(move.finish))
        return answer.end(Finish.STOP)

    async def aclose(self) -> None:
        """Nothing is held."""


@define
class _Answer:
    """One answer, in the items of the dialect: item by item (Responses) or as one message (Chat)."""

    request: int
    dialect: str
    sink: Sink
    said: list[str] = field(factory=list)
    calls: list[dict[str, Any]] = field(factory=list)
    cut: bool = False

    async def say(self, move: Say) -> None:
        for start in range(0, len(move.text), move.size):
            self.sink.text(move.text[start : start + move.size])
            await trio.lowlevel.checkpoint()
        self.said.append(move.text)
        if self.dialect == "openai_responses":
            part = {"type": "output_text", "text": move.text, "annotations": []}
            self._item({"type": "message", "id": self._id("msg"), "role": "assistant", "content": [part]})

    def invoke(self, move: Invoke) -> None:
        arguments = move.arguments
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        call_id = f"call_{self.request}_{len(self.calls) + 1}" if move.id is None else move.id
        function = {"name": move.name, "arguments": arguments}
        self.calls.append({"id": call_id, "type": "function", "function": function})
        self.cut = not move.complete
        if self.dialect == "openai_responses":
            status = "completed" if move.complete else "incomplete"
            identity = {"type": "function_call", "id": self._id("fc"), "call_id": call_id, "status": status}
            self._item({**identity, **function})

    def _item(self, item: dict[str, Any]) -> None:
        self.sink.item(item)

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self.request}_{len(self.said) + len(self.calls)}"

    def end(self, finish: Finish) -> Response:
        if self.dialect == "openai_chat":
            message: dict[str, Any] = {"role": "assistant", "content": "".join(self.said) or None}
            if self.calls:
                message["tool_calls"] = self.calls
            self.sink.item(message, cut=self.cut)
        return Response(finish, Usage(10, 5), f"resp_{self.request}")
