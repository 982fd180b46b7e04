"""A message, an item or a content in one line: who says it, which calls and results, how it begins.

For every dialect: by the names of fields, which do not contradict each other. Where the line is too short for
all of it, texts give way to the calls and results beside them, and other blocks to the one that is meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

_CALLS = {"tool_use": "id", "server_tool_use": "id", "mcp_tool_use": "id"}
_SAID = 30  # letters of a part beside the one that is meant
_TEXTS = ("text", "thinking", "refusal", "content", "output", "arguments", "input", "summary")


def in_a_line(row: object) -> str:
    """What a row is, without line breaks."""
    if not isinstance(row, Mapping):
        return _json(row)
    parts = " + ".join(part for part in _parts(row) if part)
    return f"{_who(row)}: {parts}" if parts else _who(row)


def fitted(row: object, most: int, block: Sequence[str] = ()) -> str:
    """What a row is, in so many letters.

    Args:
        row: The row.
        most: So many.
        block: The pointer below the row to what must be seen of it, in parts: ``("content", "1")``.
    """
    line = _joined(in_a_line(row))
    if len(line) <= most or not isinstance(row, Mapping):
        return cut(line, most)
    place = _place(row, block)
    parts = [cut(_joined(part), _SAID if at != place else most) for at, part in enumerate(_parts(row))]
    who = f"{_who(row)}: "
    for first in range(place + 1):
        shown = [*(["…"] if first else []), *parts[first:]]
        seen = " + ".join(part for part in shown[: len(shown) - len(parts[place + 1 :])] if part)
        if len(who + seen) <= most:
            break
    return cut(who + " + ".join(part for part in shown if part), most)


def cut(text: str, most: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _joined(text: str) -> str:
    return " ".join(text.split())


def _who(row: Mapping[str, object]) -> str:
    role, kind = row.get("role"), row.get("type")
    if isinstance(role, str) and isinstance(kind, str) and kind != "message":
        return f"{role} {kind}"
    return role if isinstance(role, str) else str(kind or "?")


def _place(row: Mapping[str, object], block: Sequence[str]) -> int:
    """Which of the parts a pointer means; the first if none of its own."""
    if len(block) < 2 or not block[1].isdecimal():
        return 0
    place, count = int(block[1]), len(list(_parts(row)))
    calls = row.get("tool_calls")
    if block[0] == "tool_calls" and isinstance(calls, list):
        place += count - len(calls)
    return min(place, count - 1)


def _parts(row: Mapping[str, object]) -> Iterator[str]:
    if "call_id" in row or "approval_request_id" in row:
        yield _item(row)
        return
    if "tool_call_id" in row:
        yield f"result of {row['tool_call_id']} {_quoted(row.get('content'))}"
        return
    content = row.get("parts", row.get("content"))
    if isinstance(content, list):
        yield from map(_block, content)
    elif content is not None:
        yield _quoted(content)
    calls = row.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        yield f"call {name or '?'} {call.get('id') if isinstance(call, Mapping) else '?'}"


def _item(row: Mapping[str, object]) -> str:
    label = row.get("call_id", row.get("approval_request_id"))
    said = next((row[name] for name in ("output", "arguments", "input", "action") if name in row), None)
    name = f"{row['name']} " if isinstance(row.get("name"), str) else ""
    return f"{name}{label} {'' if said is None else _quoted(said)}".rstrip()


def _block(block: object) -> str:
    if not isinstance(block, Mapping):
        return _quoted(block)
    kind = block.get("type")
    if kind in _CALLS:
        return f"call {block.get('name', '?')} {block.get('id', '?')}"
    if "tool_use_id" in block:
        failed = " (error)" if block.get("is_error") else ""
        return f"result of {block['tool_use_id']}{failed} {_quoted(block.get('content', ''))}"
    for field, words in (("functionCall", "call"), ("functionResponse", "result of"), ("toolUse", "call")):
        if isinstance(inner := block.get(field), Mapping):
            names = (inner.get("name"), inner.get("id", inner.get("toolUseId")))
            return " ".join([words, *(str(name) for name in names if name)])
    if isinstance(inner := block.get("toolResult"), Mapping):
        return f"result of {inner.get('toolUseId')} {_quoted(inner.get('content'))}"
    text = next((block[name] for name in _TEXTS if isinstance(block.get(name), str)), None)
    said = "" if text is None else _quoted(text)
    return said if kind in {None, "text", "input_text", "output_text"} else f"{kind} {said}".rstrip()


def _quoted(value: object) -> str:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping):
        value = value[0].get("text", value)
    return f'"{value}"' if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
