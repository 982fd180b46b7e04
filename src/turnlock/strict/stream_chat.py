"""How the provider answers on Chat Completions: a line of the script as chunks and one JSON object.

Owns the message, the order of the chunks (WIRE.md, section 7) and the completion object around them. Pure: it
decides nothing, it only writes down what the line says. The dialect has no reasoning: a line's reasoning is
not sent, and ``cut_after`` counts its text and its calls. It has calls of kind function and custom; a line
with another kind cannot be played here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from turnlock.strict import answers
from turnlock.strict.answers import EPOCH, Answer, Ids, Item, first_half, pieces, text_of, tokens, torn
from turnlock.strict.script import Asked, Call, Kind, Line

#: The kinds of calls that the dialect has, and where the text of each stands.
KINDS = {Kind.FUNCTION: "arguments", Kind.CUSTOM: "input"}
_FINISHES = ("length", "content_filter")


def lacks(line: Line) -> str | None:
    """Why the dialect cannot say a line; None when it can."""
    return answers.lacks("Chat Completions", KINDS, _FINISHES, line)


def asked(messages: Sequence[Mapping[str, Any]], raw: bytes) -> Asked:
    """What a request with these messages asks."""
    text = ""
    answers: list[list[str]] = []
    answering = False
    for message in messages:
        if message["role"] == "user":
            text, answers, answering = text_of(message), [], False
        elif message["role"] == "assistant":
            if not answering:
                answers.append([])
            answering = True
            answers[-1] += [call["id"] for call in message.get("tool_calls") or ()]
        else:
            answering = False
    return Asked(text, tuple(tuple(answer) for answer in answers), raw)


def answer(line: Line, body: Mapping[str, Any], ids: Ids) -> Answer:
    """The answer of a line to a request: chunks when it asks for a stream, else one JSON object."""
    text = line.text
    calls = [_tool_call(call, line.call_id(call, ids.number("call"))) for call in line.calls]
    if line.finish is not None:
        if calls:
            calls[-1] = _half(calls[-1])
        else:
            text = first_half(text or "")
    message: Item = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    choice = {
        "index": 0,
        "finish_reason": line.finish or ("tool_calls" if calls else "stop"),
        "logprobs": None,
    }
    number = ids.number("chatcmpl")
    completion_id = f"chatcmpl_{number:05d}"
    head = {"id": completion_id, "created": EPOCH + number, "model": body.get("model") or "script"}
    if body.get("stream"):
        chunks = list(_stream(line, body, head, message, choice))
    else:
        choices = [{**choice, "message": message}]
        whole = {**head, "object": "chat.completion", "choices": choices, "usage": _usage(line, body)}
        chunks = [msgspec.json.encode(whole)]
    cut = line.cut_after is not None
    return Answer(completion_id, () if cut else (message,), torn(chunks) if cut else tuple(chunks), cut)


def _tool_call(call: Call, call_id: str) -> Item:
    own = {"name": call.name, KINDS[call.kind]: call.text}
    return {"id": call_id, "type": str(call.kind), str(call.kind): own}


def _half(call: Item) -> Item:
    own = call[call["type"]]
    key = KINDS[Kind(call["type"])]
    return {**call, call["type"]: {**own, key: first_half(own[key])}}


def _stream(line: Line, body: Mapping[str, Any], head: Item, message: Item, choice: Item) -> Iterator[bytes]:
    """The chunks of an answer; of one that is cut, those until there and one more, for the caller to tear."""
    options = body.get("stream_options")
    counts = isinstance(options, dict) and bool(options.get("include_usage"))

    def chunk(*choices: Item, usage: Item | None = None) -> bytes:
        own = {"usage": usage} if counts else {}
        whole = {**head, "object": "chat.completion.chunk", "choices": choices, **own}
        return b"data: %b\n\n" % msgspec.json.encode(whole)

    text, calls = message["content"], message.get("tool_calls", ())
    if line.cut_after is not None:
        text, calls = _until_cut(text, calls, line.cut_after)
    for delta in _deltas(text, calls):
        yield chunk({**choice, "delta": delta, "finish_reason": None})
    yield chunk({**choice, "delta": {}})
    if line.cut_after is not None:
        return
    if counts:
        yield chunk(usage=_usage(line, body))
    yield b"data: [DONE]\n\n"


def _until_cut(text: str | None, calls: Sequence[Item], items: int) -> tuple[str | None, Sequence[Item]]:
    """What is said until the connection is cut: this many items, and half of the next one."""
    if text is not None:
        if items == 0:
            return first_half(text), ()
        items -= 1
    return text, [*calls[:items], *map(_half, calls[items : items + 1])]


def _deltas(text: str | None, calls: Sequence[Item]) -> Iterator[Item]:
    """The deltas of a message: the role comes with the first one, id and name of a call with its first."""
    first: Item = {"role": "assistant", "content": None if text is None else "", "refusal": None}
    if text is not None:
        yield first
        first = {}
        yield from ({"content": piece} for piece in pieces(text))
    for index, call in enumerate(calls):
        kind = call["type"]
        key = KINDS[Kind(kind)]
        opened = {"index": index, "id": call["id"], "type": kind, kind: {"name": call[kind]["name"], key: ""}}
        yield {**first, "tool_calls": [opened]}
        first = {}
        yield from (
            {"tool_calls": [{"index": index, kind: {key: piece}}]} for piece in pieces(call[kind][key])
        )


def _usage(line: Line, body: Mapping[str, Any]) -> Item:
    sent = tokens(msgspec.json.encode(body).decode())
    said = tokens(line.text or "", *(call.text for call in line.calls))
    return {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}
