"""Request bodies as people read them: items, and a line of letters such as ``U K(a) K(b) O(a) O(b) U``.

Owns the reading of bodies of OpenAI Responses, Chat Completions and Anthropic Messages, and the notation.
Must not judge: a body that the provider refuses is read like any other, and nothing in a body can make it
fail.

The letters: ``U`` user, ``A`` text of the assistant, ``T`` its reasoning, ``K(a)`` a call, ``O(a)`` its
output, ``S`` system or developer. Call ids are named a, b, c in the order in which they first appear. What
else there is stands with its type. The ``instructions`` of a Responses request are no item and are left out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from attrs import frozen

Kind: TypeAlias = Literal["user", "assistant", "reasoning", "call", "output", "system", "other"]

_LETTERS: Mapping[str, str] = {
    "user": "U",
    "assistant": "A",
    "reasoning": "T",
    "call": "K",
    "output": "O",
    "system": "S",
}
_ROLES: Mapping[str, Kind] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "output",
    "function": "output",
}
#: Responses: the types of calls that the client answers, and where each says what is to be done.
_CALLS: Mapping[str, str] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
    "tool_search_call": "arguments",
    "mcp_approval_request": "arguments",
}
#: Responses: the types of their outputs, and where each says what came of it.
_OUTPUTS: Mapping[str, str] = {
    "function_call_output": "output",
    "custom_tool_call_output": "output",
    "local_shell_call_output": "output",
    "shell_call_output": "output",
    "apply_patch_call_output": "output",
    "computer_call_output": "output",
    "tool_search_output": "tools",
    "mcp_approval_response": "approve",
}


@frozen
class Entry:
    """One thing that a request says.

    Attributes:
        kind: What it is.
        text: What it says: a text, the arguments of a call, an output. Parts are put together, those without
            a text as ``[their type]``; what is no text is written as compact JSON.
        call_id: What joins a call and its output; None where there is none.
        name: The tool of a call, or the type of its item where that names no tool; of ``"other"`` the type.
    """

    kind: Kind
    text: str = ""
    call_id: str | None = None
    name: str | None = None


def items(body: Mapping[str, Any]) -> tuple[Entry, ...]:
    """What a request body says, in order.

    Args:
        body: The decoded body, of any dialect. One that continues a response or a conversation shows
            only what it sends itself.
    """
    messages = body.get("messages")
    if isinstance(messages, list):
        return tuple(entry for message in messages for entry in _of_message(message))
    given = body.get("input")
    if isinstance(given, str):
        return (Entry("user", given),)
    return tuple(_of_item(item) for item in given) if isinstance(given, list) else ()


def notation(entries: Iterable[Entry], *, texts: bool = False) -> str:
    """These entries in a line.

    Args:
        entries: The entries.
        texts: Whether to show what each one says: ``U("hi") K(a, ls {"path":"."}) O(a, "3 files")``.
    """
    labels: dict[str, str] = {}
    return " ".join(_noted(entry, labels, texts=texts) for entry in entries)


def added(earlier: Iterable[Entry], later: Iterable[Entry]) -> tuple[Entry, ...]:
    """What a later request says beyond an earlier one.

    Raises:
        ValueError: The later one does not begin with what the earlier one says; the message shows where.
    """
    old, new = tuple(earlier), tuple(later)
    for at, entry in enumerate(old):
        there = new[at] if at < len(new) else None
        if entry != there:
            shown = "nothing" if there is None else notation([there], texts=True)
            raise ValueError(
                f"the later request changes entry {at}: it was {notation([entry], texts=True)}, "
                f"and is {shown}; compare requests of one conversation, in their order"
            )
    return new[len(old) :]


def open_calls(entries: Iterable[Entry]) -> tuple[str, ...]:
    """The ids of the calls that no later output answers, in order."""
    waiting: dict[str, None] = {}
    for entry in entries:
        if entry.call_id is not None and entry.kind == "call":
            waiting[entry.call_id] = None
        elif entry.call_id is not None:
            waiting.pop(entry.call_id, None)
    return tuple(waiting)


# --- reading


def _of_message(message: object) -> Iterator[Entry]:
    """The entries of a message of Chat Completions or Anthropic."""
    if not isinstance(message, dict):
        yield _other(message)
        return
    kind = _ROLES.get(str(message.get("role")))
    content = message.get("content")
    if kind is not None and isinstance(content, list) and any(map(_of_block, content)):
        yield from _of_blocks(kind, content)
        return
    if kind == "output":
        yield Entry(
            "output",
            _text(message.get("content")),
            _id(message.get("tool_call_id")),
            _id(message.get("name")),
        )
        return
    if kind != "assistant":
        yield _other(message) if kind is None else Entry(kind, _text(message.get("content")))
        return
    if message.get("reasoning_content"):
        yield Entry("reasoning", _text(message["reasoning_content"]))
    calls = message.get("tool_calls")
    made = [*calls] if isinstance(calls, list) else []
    if isinstance(message.get("function_call"), dict):  # as it was before there were tools
        made.append({"type": "function", "function": message["function_call"]})
    text = _text(message.get("content") or message.get("refusal"))
    if text or not made:
        yield Entry("assistant", text)
    for call in made:
        kind_of_call = call.get("type", "function") if isinstance(call, dict) else None
        own = call.get(kind_of_call) if isinstance(kind_of_call, str) else None
        if isinstance(own, dict):
            said = own.get("input" if kind_of_call == "custom" else "arguments")
            yield Entry("call", _text(said), _id(call.get("id")), _id(own.get("name")))
        else:
            yield _other(call)


def _of_blocks(kind: Kind, blocks: Iterable[object]) -> Iterator[Entry]:
    """The entries of a message of Anthropic; texts and pictures in a row are one."""
    for own, group in itertools.groupby(blocks, lambda block: _of_block(block) is None):
        if own:
            yield Entry(kind, _text([*group]))
        else:
            yield from filter(None, map(_of_block, group))


def _of_block(block: object) -> Entry | None:
    """What only Anthropic has as a part of a message; None for every other part."""
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str):
        return None
    if kind == "tool_use":
        return Entry("call", _text(block.get("input")), _id(block.get("id")), _id(block.get("name")))
    if kind == "tool_result":
        return Entry("output", _text(block.get("content")), _id(block.get("tool_use_id")))
    if kind in {"thinking", "redacted_thinking"}:
        return Entry("reasoning", _text(block.get("thinking")))
    served = kind in {"server_tool_use", "mcp_tool_use"} or kind.endswith("_tool_result")
    return _other(block) if served else None


def _of_item(item: object) -> Entry:
    """The entry of an item of Responses."""
    if not isinstance(item, dict):
        return _other(item)
    kind = item.get("type") or ("message" if "role" in item else None)
    if kind == "message":
        role = _ROLES.get(str(item.get("role")))
        return _other(item) if role is None else Entry(role, _text(item.get("content")))
    if kind == "reasoning":
        return Entry("reasoning", _text(item.get("summary") or item.get("content")))
    if isinstance(kind, str) and kind in _CALLS:
        call_id = item.get("id" if kind == "mcp_approval_request" else "call_id")
        return Entry("call", _text(item.get(_CALLS[kind])), _id(call_id), _id(item.get("name")) or kind)
    if isinstance(kind, str) and kind in _OUTPUTS:
        call_id = item.get("approval_request_id" if kind == "mcp_approval_response" else "call_id")
        # The SDK's type of a local shell output has `id` where all others have `call_id`.
        call_id = item.get("id") if call_id is None and kind == "local_shell_call_output" else call_id
        said = item.get(_OUTPUTS[kind])
        return Entry("output", _text(item.get("status") if said is None else said), _id(call_id))
    return _other(item)


def _other(item: object) -> Entry:
    if not isinstance(item, dict):
        return Entry("other", _text(item), name="malformed")
    named = item.get("type") or item.get("role") or ("item_reference" if set(item) == {"id"} else "malformed")
    return Entry("other", _json(item), name=_text(named))


def _id(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _text(value: object) -> str:
    """What a field says, whatever it holds."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and "type" in part for part in value):
        return "".join(_part(part) for part in value)
    return _json(value)


def _part(part: Mapping[str, Any]) -> str:
    said = part.get("text", part.get("refusal"))
    return said if isinstance(said, str) else f"[{part['type']}]"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)


# --- writing


def _noted(entry: Entry, labels: dict[str, str], *, texts: bool) -> str:
    name = " ".join((entry.name or "").split())
    letter = _LETTERS.get(entry.kind, name or "other")
    inside = []
    if entry.kind in {"call", "output"}:
        inside.append("?" if entry.call_id is None else labels.setdefault(entry.call_id, _label(len(labels))))
    if texts:
        said = " ".join(entry.text.splitlines()) if entry.text.startswith("{") else _json(entry.text)
        inside.append(f"{name} {said}" if entry.kind == "call" else said)
    return f"{letter}({', '.join(inside)})" if inside else letter


def _label(number: int) -> str:
    """A letter, behind z two of them: a, b, … z, aa, ab, and so on."""
    before, last = divmod(number, 26)
    return (_label(before - 1) if before else "") + chr(ord("a") + last)
