"""What goes into a request beside the transcript, and what comes out of the wire on both sides.

Frozen values that every dialect shares. They say nothing of how a provider writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from turnlock.engine.items import CallKind, ModelItem
from turnlock.engine.outcome import Cause
from turnlock.wire.common.ids import IdStyle

NAMELESS = "unknown"
"""What a call without a name is sent back as: providers take no empty name."""

CONTINUE = "Continue."
"""What a user message says that only stands there because the format wants a user's turn."""

RECEIVED = "(Tool results received.)"
"""What an assistant message says that only keeps a user's words apart from results."""

SILENT = "(No answer.)"
"""What an assistant message says in place of an answer that was blank, or of which nothing can be sent."""

_NAMES = IdStyle(charset="_-")


def plain_name(name: str) -> str:
    """A tool's name of 1 to 64 letters, digits, _ and -: a history may hold other providers' names."""
    return _NAMES.written(name or NAMELESS, "")


@frozen
class ToolSpec:
    """A tool as the model is told of it.

    Attributes:
        name: The tool's name; for a built-in kind, the kind.
        description: What the model reads about it.
        parameters: Functions and tool search: the JSON schema of the arguments. Custom tools: the format
            of their input, as OpenAI Responses writes it. The other built-in kinds: fields that their
            entry in the request carries beside its type, such as a shell's environment.
        kind: The kind of call that it answers.
        strict: Whether the provider holds the arguments to the schema; None leaves it to the provider.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(factory=dict)
    kind: CallKind = CallKind.FUNCTION
    strict: bool | None = None


@frozen
class Settings:
    """What a request says beside the transcript.

    Attributes:
        model: The provider's name of the model.
        instructions: What stands before everything else.
        tools: What the model may call.
        options: Further fields of the body, as the provider names them (``temperature``, ``store``, …).
            A list ``tools`` is added to the session's own, for tools that the provider executes. What
            this class has a field for, and the transcript, may not stand here.
        stream: Whether the answer is streamed.
        continues: Where the provider keeps its responses, a request carries only what it does not know (R22).
    """

    model: str
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    options: Mapping[str, Any] = field(factory=dict)
    stream: bool = True
    continues: bool = False


@frozen
class Encoded:
    """A request body.

    Attributes:
        body: The exact bytes that leave.
        positions: For each item of the transcript, its index in the body's list of items or messages;
            None when the item is set aside.
        open_calls: Ids of calls that the provider holds open: the check must know them.
    """

    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    positions: Sequence[int | None]
    open_calls: tuple[str, ...] = ()


@frozen
class Decoded:
    """An item of an answer.

    Attributes:
        item: The item.
        problem: Why a call cannot run: its arguments were cut off, or are not valid.
        why: What is wrong with the arguments, for the model to read.
    """

    item: ModelItem
    problem: Cause | None = None
    why: str = ""


def schema_of(spec: ToolSpec) -> Mapping[str, Any]:
    """The schema of a tool's arguments, for a provider that knows functions only."""
    if spec.kind in (CallKind.FUNCTION, CallKind.TOOL_SEARCH):
        return spec.parameters or {"type": "object", "properties": {}}
    if spec.kind is CallKind.CUSTOM:
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    return {"type": "object"}  # what the other kinds say in its place is no schema


def envelope(settings: Settings, tools: Sequence[Mapping[str, Any]], *, transcript: str) -> dict[str, Any]:
    """The fields of a body that every dialect here writes alike; a dialect adds its own.

    Args:
        settings: What the request says.
        tools: The session's tools, as the dialect writes them.
        transcript: The field that carries the transcript.

    Raises:
        ValueError: An option takes the place of a field that is not an option.
    """
    options = dict(settings.options)
    more_tools = options.pop("tools", ())
    for name in ("model", "instructions", "stream", transcript):
        if name in options:
            raise ValueError(f"{name!r} is not an option: it is a field of Settings, or the transcript")
    body: dict[str, Any] = {"model": settings.model, **options}
    if tools or more_tools:
        body["tools"] = [*tools, *more_tools]
    body["stream"] = settings.stream
    return body
