"""How the provider answers on Anthropic Messages: a line of the script as events and one JSON object.

Owns the blocks, the order of the events (WIRE.md, section 7), the message around them and the envelope of
errors. Pure: it decides nothing, it only writes down what the line says. Reasoning is a signed thinking
block. Calls are of kind function (``tool_use``) and server; a server call has its result directly behind it,
or is left open, and then the next answer begins with the result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from attrs import evolve, frozen

from turnlock.strict import answers
from turnlock.strict.answers import Answer, Ids, Item, first_half, pieces, tokens, torn
from turnlock.strict.anthropic import shape
from turnlock.strict.anthropic.judge import Trace, open_server_calls, trace
from turnlock.strict.anthropic.signatures import sign
from turnlock.strict.script import Asked, Call, Kind, Line
from turnlock.strict.verdict import Refusal

_KINDS = (Kind.FUNCTION, Kind.SERVER)
#: What a line ends with, and how the provider says it.
_FINISHES = {
    "length": "max_tokens",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "context": "model_context_window_exceeded",
}
#: The server tools that a script can play, and what each of them finds.
SERVER_TOOLS: Mapping[str, Any] = {
    "web_search": [],
    "code_execution": {
        "type": "code_execution_result",
        "stdout": "",
        "stderr": "",
        "return_code": 0,
        "content": [],
    },
}
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error(refusal: Refusal, request_id: str) -> Item:
    """The error envelope, as Anthropic sends it."""
    kind = _ERROR_TYPES.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": refusal.message},
        "request_id": request_id,
    }


def lacks(line: Line) -> str | None:
    """Why the dialect cannot say a line; None when it can."""
    foreign = [call.name for call in line.calls if call.kind is Kind.SERVER and call.name not in SERVER_TOOLS]
    if foreign:
        known = " and ".join(SERVER_TOOLS)
        return f"Line {line.number} of the script has a server call of {foreign[0]}; there are {known}."
    return answers.lacks("Anthropic Messages", _KINDS, _FINISHES, line)


def asked(messages: Sequence[Mapping[str, Any]], raw: bytes, paused: Collection[Trace]) -> Asked:
    """What a request with these messages asks.

    Args:
        messages: They have been judged.
        raw: The body.
        paused: The answers that were paused: what follows one in the same turn is the next answer.
    """
    text = ""
    said: list[tuple[str, ...]] = []
    for turn in shape.turns(messages):
        if turn.role == "assistant":
            parts = _parts(turn.blocks, paused)
            said += [tuple(block["id"] for block in part if "id" in block) for part in parts]
        elif turn.role == "user" and (turn.of("text") or not turn.of("tool_result")):
            text = next((block["text"] for block in reversed(turn.of("text"))), "")
            said = []
    return Asked(text, tuple(said), raw)


def _parts(blocks: Sequence[shape.Block], paused: Collection[Trace]) -> Iterator[Sequence[shape.Block]]:
    told = trace(blocks)
    ends = [len(one) for one in paused if one and len(one) < len(told) and told[: len(one)] == one]
    yield blocks[: max(ends, default=len(blocks))]
    if ends:
        yield from _parts(blocks[max(ends) :], paused)


# --- what is said


@frozen
class _Said:
    """A block as it is whole, and what of it comes in deltas."""

    block: Item
    text: str = ""

    @property
    def half(self) -> _Said:
        """What of it has arrived when it breaks off."""
        text = first_half(self.text)
        match self.block["type"]:
            case "text":
                return _Said({**self.block, "text": text}, text)
            case "thinking":
                return _Said({**self.block, "thinking": text, "signature": ""}, text)
            case _:
                return evolve(self, block={**self.block, "input": {}}, text=text)


def _said(line: Line, model: str, ids: Ids) -> list[list[_Said]]:
    """What a line says, item for item: a server call and its result are one."""
    items: list[list[_Said]] = []
    if line.reasoning is not None:
        signature = sign(model, line.reasoning)
        block = {"type": "thinking", "thinking": line.reasoning, "signature": signature}
        items.append([_Said(block, line.reasoning)])
    if line.text is not None:
        items.append([_Said({"type": "text", "text": line.text}, line.text)])
    items += [_called(call, line.call_id(call, ids.number("call"))) for call in line.calls]
    if line.finish not in {None, "pause"}:
        items[-1] = [items[-1][0].half]
    return items


def _called(call: Call, call_id: str) -> list[_Said]:
    server = call.kind is Kind.SERVER
    block = {
        "type": "server_tool_use" if server else "tool_use",
        "id": call_id,
        "name": call.name,
        "input": _input(call),
    }
    found = [_Said(_result(block))] if server and not call.open else []
    return [_Said(block, call.text), *found]


def _input(call: Call) -> Item:
    """The arguments as an object, as which a message that is not streamed has them; broken ones are none."""
    try:
        given = msgspec.json.decode(call.text)
    except msgspec.DecodeError:
        return {}
    return given if isinstance(given, dict) else {}


def _result(call: Mapping[str, Any]) -> Item:
    """What a server tool found."""
    return {"type": shape.result_of(call), "tool_use_id": call["id"], "content": SERVER_TOOLS[call["name"]]}


# --- the answer


def answer(line: Line, body: Mapping[str, Any], ids: Ids) -> Answer:
    """The answer of a line to a request: events when it asks for a stream, else one JSON object."""
    model = body.get("model") or "script"
    open_calls = open_server_calls(shape.turns(body["messages"]))
    before = [_Said(_result(call)) for call in open_calls if call["name"] in SERVER_TOOLS]
    items = _said(line, str(model), ids)
    whole = before + [said for item in items for said in item]
    message: Item = {
        "id": ids.make("msg"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [said.block for said in whole],
        "stop_reason": _stop_reason(line),
        "stop_sequence": None,
        "usage": _usage(line, body),
    }
    cut = line.cut_after
    complete = whole if cut is None else before + [said for item in items[:cut] for said in item]
    if body.get("stream"):
        half = items[cut][0].half if cut is not None and cut < len(items) else None
        chunks = [_sse(event) for event in _events(message, complete, half)]
        if cut is not None and half is None:
            chunks.pop()  # the message_stop: the message_delta is the one that is torn
    else:
        chunks = [msgspec.json.encode(message)]
        complete = whole if cut is None else []
    return Answer(
        id=message["id"],
        items=tuple(said.block for said in complete),
        chunks=tuple(chunks) if cut is None else torn(chunks),
        cut=cut is not None,
    )


def _stop_reason(line: Line) -> str:
    if line.finish is not None:
        return _FINISHES[line.finish]
    return "tool_use" if any(call.kind is Kind.FUNCTION for call in line.calls) else "end_turn"


def _usage(line: Line, body: Mapping[str, Any]) -> Item:
    said = tokens(line.text or "", line.reasoning or "", *(call.text for call in line.calls))
    return {
        "input_tokens": tokens(msgspec.json.encode(body).decode()),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": said,
    }


def _events(message: Item, complete: Sequence[_Said], half: _Said | None) -> Iterator[Item]:
    """The events of an answer; with ``half`` of a block, those up to and with the event that is torn."""
    begun = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**message["usage"], "output_tokens": 1},
    }
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, said in enumerate(complete):
        yield from _begin(said, index)
        yield {"type": "content_block_stop", "index": index}
    if half is not None:
        yield from _begin(half, len(complete))
        yield {"type": "content_block_stop", "index": len(complete)}
        return
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _begin(said: _Said, index: int) -> Iterator[Item]:
    """The events of a block until it ends."""
    block = said.block
    deltas: list[Item] = []
    match block["type"]:
        case "text":
            block = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(said.text)]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(said.text)]
            if block["signature"]:
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            block = {**block, "thinking": "", "signature": ""}
        case "tool_use" | "server_tool_use":
            block = {**block, "input": {}}
            deltas = [
                {"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(said.text))
            ]
    yield {"type": "content_block_start", "index": index, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}


def _sse(event: Item) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
