"""How the provider answers on the Responses API: a line of the script as items, events and one JSON object.

Owns the items of every kind of call, the order of the events (WIRE.md, section 7) and the Response object
around them. Pure: it decides nothing, it only writes down what the line says. Reasoning comes with the events
of its summary, as the API sends them; kinds without events of their own have ``added`` and ``done`` only, and
show at ``added`` as little of what they will do as their types allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from turnlock.strict import answers
from turnlock.strict.answers import EPOCH, Answer, Ids, Item, first_half, pieces, text_of, tokens, torn
from turnlock.strict.responses import type_of
from turnlock.strict.script import Asked, Call, Kind, Line

_KINDS = tuple(kind for kind in Kind if kind is not Kind.SERVER)
#: What a line ends with, and the reason that the API gives.
_FINISHES = {"length": "max_output_tokens", "content_filter": "content_filter"}
_CLIENT_SIDE = (
    "function_call_output",
    "custom_tool_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
    "computer_call_output",
    "tool_search_output",
    "mcp_approval_response",
    "additional_tools",
    "configuration_update",
    "compaction_trigger",
)


def lacks(line: Line) -> str | None:
    """Why the dialect cannot say a line; None when it can."""
    return answers.lacks("Responses", _KINDS, _FINISHES, line)


def asked(items: Sequence[Mapping[str, Any]], raw: bytes) -> Asked:
    """What a request with these items asks: held ones first, then those that it sends."""
    text = ""
    answers: list[list[str]] = []
    answering = False
    for item in items:
        if item.get("role") == "user":
            text, answers, answering = text_of(item), [], False
        elif _from_client(item):
            answering = False
        else:
            if not answering:
                answers.append([])
            answering = True
            call_id = item.get("id") if type_of(item) == "mcp_approval_request" else item.get("call_id")
            answers[-1] += [call_id] if isinstance(call_id, str) else []
    return Asked(text, tuple(tuple(answer) for answer in answers), raw)


def _from_client(item: Mapping[str, Any]) -> bool:
    """Whether the client wrote this item, which no model and no server of the provider did."""
    if item.get("execution") == "server":
        return False
    return type_of(item) in _CLIENT_SIDE or item.get("role") in ("system", "developer")


def call_item(call: Call, call_id: str, ids: Ids) -> Item:
    """The completed item of a call, with the id prefix of its kind."""
    own: Item
    match call.kind:
        case Kind.FUNCTION:
            return {
                "id": ids.make("fc"),
                "type": "function_call",
                "status": "completed",
                "arguments": call.text,
                "call_id": call_id,
                "name": call.name,
            }
        case Kind.CUSTOM:
            return {
                "id": ids.make("ctc"),
                "type": "custom_tool_call",
                "call_id": call_id,
                "input": call.text,
                "name": call.name,
            }
        case Kind.MCP_APPROVAL:
            return {
                "id": call_id,
                "type": "mcp_approval_request",
                "arguments": call.text,
                "name": call.name,
                "server_label": "script",
            }
        case Kind.LOCAL_SHELL:
            own = {"action": {"type": "exec", "command": [], "env": {}, **_object(call)}}
        case Kind.SHELL:
            own = {"action": {"commands": [], **_object(call)}, "environment": {"type": "local"}}
        case Kind.APPLY_PATCH:
            own = {"operation": _object(call)}
        case Kind.COMPUTER:
            own = {"action": _object(call), "pending_safety_checks": []}
        case Kind.TOOL_SEARCH:
            own = {"arguments": _object(call), "execution": "client"}
    prefixes = {
        "local_shell": "lsh",
        "shell": "sh",
        "apply_patch": "apc",
        "computer": "cu",
        "tool_search": "tsc",
    }
    return {
        "id": ids.make(prefixes[call.kind]),
        "type": f"{call.kind}_call",
        "status": "completed",
        "call_id": call_id,
        **own,
    }


def _object(call: Call) -> Item:
    return {} if isinstance(call.arguments, str) else dict(call.arguments)


def items_of(line: Line, ids: Ids, *, encrypted: bool = False) -> list[Item]:
    """The items that a line says, in order; where it ends incomplete, the last one is cut in half.

    Args:
        line: The line.
        ids: Makes the ids, in the order of the items.
        encrypted: Whether reasoning carries ``encrypted_content``, as a request may ask with ``include``.
    """
    items: list[Item] = []
    if line.reasoning is not None:
        reasoning_id = ids.make("rs")
        content = {"encrypted_content": f"encrypted:{reasoning_id}"} if encrypted else {}
        summary = [{"type": "summary_text", "text": line.reasoning}]
        items.append({"id": reasoning_id, "type": "reasoning", "summary": summary, **content})
    if line.text is not None:
        items.append(
            {
                "id": ids.make("msg"),
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [_text_part(line.text)],
            }
        )
    items += [call_item(call, line.call_id(call, ids.number("call")), ids) for call in line.calls]
    if line.finish is not None:
        items[-1] = _half(items[-1])
    return items


def _text_part(text: str) -> Item:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _half(item: Item) -> Item:
    """An item as it stands when the model stops in the middle of it."""
    match item["type"]:
        case "message":
            text = item["content"][0]["text"]
            return {**item, "status": "incomplete", "content": [_text_part(first_half(text))]}
        case "function_call":
            return {**item, "status": "incomplete", "arguments": first_half(item["arguments"])}
        case "custom_tool_call":
            return {**item, "input": first_half(item["input"])}
        case "apply_patch_call":  # it knows no status "incomplete"
            return _hidden(item)
        case "mcp_approval_request":
            return {**item, "arguments": first_half(item["arguments"])}
        case _:
            return {**_hidden(item), "status": "incomplete"}


def _hidden(item: Item) -> Item:
    """An item as it is added: without what its deltas or its end will bring."""
    unsaid: Item = {"status": "in_progress"} if "status" in item else {}
    match item["type"]:
        case "message":
            unsaid["content"] = []
        case "reasoning":
            unsaid["summary"] = []
        case "function_call" | "mcp_approval_request":
            unsaid["arguments"] = ""
        case "custom_tool_call":
            unsaid["input"] = ""
        case "local_shell_call":
            unsaid["action"] = {"type": "exec", "command": [], "env": {}}
        case "shell_call":
            unsaid["action"] = {"commands": []}
        case "apply_patch_call" if "diff" in item["operation"]:
            unsaid["operation"] = {**item["operation"], "diff": ""}
        case "computer_call":
            unsaid["action"] = None
        case "tool_search_call":
            unsaid["arguments"] = {}
    return {**item, **unsaid}


def _said(item: Item) -> tuple[str, str, Item]:
    """How an item is streamed: the stem of its delta events, its text, and the fields that place a delta."""
    match item["type"]:
        case "message":
            return "response.output_text", item["content"][0]["text"], {"content_index": 0}
        case "reasoning":
            return "response.reasoning_summary_text", item["summary"][0]["text"], {"summary_index": 0}
        case "function_call":
            return "response.function_call_arguments", item["arguments"], {}
        case "custom_tool_call":
            return "response.custom_tool_call_input", item["input"], {}
        case _:
            return "", "", {}


def _begin(item: Item, index: int, part: float = 1.0) -> Iterator[Item]:
    """The events of an item from its start to the last delta; of ``part`` of its text only, from 0 to 1."""
    yield {"type": "response.output_item.added", "output_index": index, "item": _hidden(item)}
    stem, text, place = _said(item)
    place = {"item_id": item["id"], "output_index": index, **place}
    if item["type"] == "message":
        yield {"type": "response.content_part.added", **place, "part": _text_part("")}
    elif item["type"] == "reasoning":
        yield {
            "type": "response.reasoning_summary_part.added",
            **place,
            "part": {"type": "summary_text", "text": ""},
        }
    logprobs: Item = {"logprobs": []} if item["type"] == "message" else {}
    for piece in pieces(text[: int(len(text) * part)]):
        yield {"type": f"{stem}.delta", **place, "delta": piece, **logprobs}


def _end(item: Item, index: int) -> Iterator[Item]:
    """The events that complete an item."""
    stem, text, place = _said(item)
    place = {"item_id": item["id"], "output_index": index, **place}
    match item["type"]:
        case "message":
            yield {"type": f"{stem}.done", **place, "text": text, "logprobs": []}
            yield {"type": "response.content_part.done", **place, "part": item["content"][0]}
        case "reasoning":
            yield {"type": f"{stem}.done", **place, "text": text}
            yield {"type": "response.reasoning_summary_part.done", **place, "part": item["summary"][0]}
        case "function_call":
            yield {"type": f"{stem}.done", **place, "arguments": text, "name": item["name"]}
        case "custom_tool_call":
            yield {"type": f"{stem}.done", **place, "input": text}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def answer(line: Line, body: Mapping[str, Any], ids: Ids) -> Answer:
    """The answer of a line to a request: events when it asks for a stream, else one JSON object."""
    include = body.get("include")
    items = items_of(
        line, ids, encrypted=isinstance(include, list) and "reasoning.encrypted_content" in include
    )
    response = envelope(line, body, ids, items)
    cut = line.cut_after
    if body.get("stream"):
        events = enumerate(_events(items, response, cut))
        chunks = [_sse({**event, "sequence_number": number}) for number, event in events]
        complete = items if cut is None else items[:cut]
    else:
        chunks = [msgspec.json.encode(response)]
        complete = items if cut is None else []
    return Answer(
        id=response["id"],
        items=tuple(complete),
        chunks=tuple(chunks) if cut is None else torn(chunks),
        cut=cut is not None,
    )


def _events(items: Sequence[Item], response: Item, cut: int | None) -> Iterator[Item]:
    """The events of an answer; of one that is cut, those up to and with the event that is torn."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(items):
        if index == cut:
            yield from _begin(item, index, part=0.5)
            yield next(_end(item, index))
            return
        yield from _begin(item, index)
        yield from _end(item, index)
    yield {"type": f"response.{response['status']}", "response": response}


def _sse(event: Item) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))


def envelope(line: Line, body: Mapping[str, Any], ids: Ids, items: Sequence[Item]) -> Item:
    """The Response object, complete with usage, around these items."""
    number = ids.number("resp")
    said = [line.text or "", *(call.text for call in line.calls)]
    thought, sent = tokens(line.reasoning or ""), tokens(msgspec.json.encode(body).decode())
    conversation = body.get("conversation")
    return {
        "id": f"resp_{number:05d}",
        "object": "response",
        "created_at": EPOCH + number,
        "status": "completed" if line.finish is None else "incomplete",
        "background": False,
        "completed_at": EPOCH + number if line.finish is None else None,
        "conversation": {"id": conversation} if isinstance(conversation, str) else conversation,
        "error": None,
        "incomplete_details": None if line.finish is None else {"reason": _FINISHES[line.finish]},
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": body.get("model") or "script",
        "output": list(items),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": {
            "input_tokens": sent,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": tokens(*said) + thought,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": sent + tokens(*said) + thought,
        },
    }
