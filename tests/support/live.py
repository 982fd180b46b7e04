"""Sessions on stage: tools that wait for a word, and what leaves in the notation of the specification.

A body is written as ``U1 K(a) O(a: a!) A M U2``: messages and answers by their text, calls by their call id,
outputs with what the model reads, the interruption note as M. All dialects are written alike; of Anthropic's
other blocks there is the type, and of the provider's own calls S(id) and its result R(id).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
import trio
from attrs import define, field

from turnlock import Event, EventStream, Output, Session, Tool, tool
from turnlock.engine import NOTES
from turnlock.models import Invoke, Scripted

_NOTES = frozenset(NOTES.values())
_Event = TypeVar("_Event")


def written(body: bytes | Mapping[str, Any]) -> str:
    """A request body in the notation of the specification."""
    data = msgspec.json.decode(body) if isinstance(body, bytes) else body
    rows = data["input"] if "input" in data else data["messages"]
    return " ".join(part for row in rows for part in _row(row))


def asked(model: Scripted) -> list[str]:
    """Every request that a model was sent."""
    return [written(body) for body in model.bodies]


def _row(row: Mapping[str, Any]) -> Iterable[str]:
    kind = row.get("type", "message")
    if kind.endswith("_output") or kind == "mcp_approval_response":
        yield f"O({row.get('call_id') or row['approval_request_id']}: {_said(row)})"
    elif kind.endswith("_call") or kind == "mcp_approval_request":
        yield f"K({row.get('call_id') or row['id']})"
    elif row.get("role") == "tool":
        yield f"O({row['tool_call_id']}: {_text(row['content'])})"
    elif kind == "message" and "tool_calls" not in row and _in_blocks(row["content"]):
        for block in row["content"]:
            yield _block(block)
    elif kind == "message":
        text = _text(row["content"])
        if text:
            yield "M" if text in _NOTES else text
        for call in row.get("tool_calls") or ():
            yield f"K({call['id']})"
    else:
        yield kind


def _in_blocks(content: object) -> bool:
    """These are the content blocks of an Anthropic message."""
    kinds = ("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "server_tool_use")
    return isinstance(content, list) and any(
        block.get("type") in kinds or block.get("type", "").endswith("_tool_result") for block in content
    )


def _block(block: Mapping[str, Any]) -> str:
    kind = block["type"]
    match kind:
        case "text":
            return "M" if block["text"] in _NOTES else block["text"]
        case "tool_use":
            return f"K({block['id']})"
        case "tool_result":
            return f"O({block['tool_use_id']}: {_text(block['content'])})"
        case "server_tool_use" | "mcp_tool_use":
            return f"S({block['id']})"
        case _ if kind.endswith("_tool_result"):
            return f"R({block['tool_use_id']})"
    return str(kind)


def _said(row: Mapping[str, Any]) -> str:
    for key in ("output", "reason", "tools"):
        if key in row:
            return _text(row[key])
    return str(row.get("approve"))


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or part.get("refusal") or part) for part in content)
    return "" if content is None else str(content)


@define(eq=False)
class Gate:
    """A tool that runs until it is let go, and says ``a!`` then.

    Attributes:
        name: The tool's name.
        options: Options of ``@tool``.
        started: Somebody calls it.
        go: Let it return.
        calls: How often it was called.
    """

    name: str = "a"
    options: dict[str, Any] = field(factory=dict, kw_only=True)
    started: trio.Event = field(factory=trio.Event, init=False)
    go: trio.Event = field(factory=trio.Event, init=False)
    calls: int = field(default=0, init=False)
    tool: Tool = field(init=False)

    @tool.default
    def _tool(self) -> Tool:
        async def gate() -> str:
            """Wait for a word."""
            self.calls += 1
            self.started.set()
            await self.go.wait()
            return f"{self.name}!"

        return tool(name=self.name, **self.options)(gate)


def call(name: str, call_id: str | None = None, /, **arguments: Any) -> Invoke:
    """A call whose id is the tool's name, unless it is given."""
    return Invoke(name, arguments, id=name if call_id is None else call_id)


def told(stream: EventStream) -> list[Event]:
    """What a stream has been told and nobody has read yet."""
    events = list(stream._events)
    stream._events.clear()
    return events


def only(events: Iterable[object], kind: type[_Event]) -> list[_Event]:
    """The events of one class."""
    return [event for event in events if isinstance(event, kind)]


async def until(
    stream: EventStream, kind: type[_Event], where: Callable[[_Event], bool] | None = None
) -> _Event:
    """Read a stream up to the next event of a class."""
    async for event in stream:
        if isinstance(event, kind) and (where is None or where(event)):
            return event
    raise AssertionError(f"the stream ended without a {kind.__name__}")


def outputs(session: Session) -> list[str]:
    """What the model reads of every call so far, in the order of the transcript."""
    return [item.model_text for item in session.transcript if isinstance(item, Output)]
