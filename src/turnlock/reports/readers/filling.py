"""What an agent puts in when it sends, and its file does not hold.

An agent that was interrupted leaves calls without a result in its file. Codex and Claude Code close them on
the way out, at every request, and write nothing of it down; they also leave out results that belong to no
call. So a request that was answered did not look as the file does. Here stand the two fillings, for rows
since the last answered request; what they write is marked by its text, never taken for a tool's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from turnlock.engine.items import CallKind
from turnlock.reports.readers.form import Row
from turnlock.wire.openai_responses.kinds import BY_CALL, BY_OUTPUT, Shape, by_provider, item_type

ABORTED = "aborted"
"""What Codex answers for a call that has no output in its history."""
NO_RESULT = "[no result in the recorded session]"

Filled = tuple[int, list[Row]]


def fill_responses(tail: Sequence[Row]) -> Filled | None:
    """Codex: an output directly behind each call that has none; outputs of no call are left out."""
    if _is_closed(tail):
        return None
    calls: dict[str, Shape] = {}
    answered: set[str] = set()
    wrong: set[int] = set()
    for at, item in enumerate(tail):
        if (call := _call(item)) is not None:
            calls[call[0]] = call[1]
        elif (output := _output(item)) is not None:
            asked = calls.get(output)
            if asked is None or item_type(item) not in asked.accepts or output in answered:
                wrong.add(at)
            else:
                answered.add(output)
    unanswered = calls.keys() - answered
    rows: list[Row] = []
    for at, item in enumerate(tail):
        if at in wrong:
            continue
        rows.append(item)
        if (call := _call(item)) is not None and call[0] in unanswered:
            rows.append(_aborted(call[1], call[0]))
            unanswered = unanswered - {call[0]}
    return _kept(tail, rows)


def _is_closed(tail: Sequence[Row]) -> bool:
    """Whether each call has one output behind it, and each output its call: as it nearly always is."""
    waiting: dict[str, Shape] = {}
    for item in tail:
        kind = item.get("type")
        if kind.__class__ is not str:
            continue
        if kind in BY_CALL:
            if (call := _call(item)) is not None:
                waiting[call[0]] = call[1]
        elif kind in BY_OUTPUT and (output := _output(item)) is not None:
            asked = waiting.pop(output, None)
            if asked is None or kind not in asked.accepts:
                return False
    return not waiting


def _call(item: Row) -> tuple[str, Shape] | None:
    """The call id and the kind of a call that the client answers; Codex asks for approvals itself."""
    shape = BY_CALL.get(item_type(item))
    if shape is None or shape.kind is CallKind.MCP_APPROVAL or by_provider(shape, item):
        return None
    call_id = item.get(shape.id_field)
    return (call_id, shape) if isinstance(call_id, str) else None


def _output(item: Row) -> str | None:
    """The call id of an output of the client's."""
    shape = BY_OUTPUT.get(item_type(item))
    if shape is None or shape.kind is CallKind.MCP_APPROVAL:
        return None
    if shape.kind is CallKind.TOOL_SEARCH and item.get("execution") != "client":
        return None
    call_id = item.get(shape.output_id_field)
    return call_id if isinstance(call_id, str) else None


def _aborted(shape: Shape, call_id: str) -> Row:
    row: dict[str, Any] = {"type": shape.output, shape.output_id_field: call_id}
    if shape.kind is CallKind.TOOL_SEARCH:
        row |= {"status": "completed", "execution": "client", "tools": []}
    else:
        row["output"] = ABORTED
    return row


def fill_anthropic(tail: Sequence[Row]) -> Filled | None:
    """Claude Code: each run of assistant messages gets its results first in what follows it, once each."""
    if _is_paired(tail):
        return None
    results = {
        block["tool_use_id"]: block
        for message in reversed(tail)
        for block in _blocks(message)
        if block.get("type") == "tool_result" and isinstance(block.get("tool_use_id"), str)
    }
    rows: list[Row] = []
    waiting: list[str] = []
    for by_model, run in _runs(tail):
        if by_model:
            rows += run
            waiting = [
                block["id"]
                for message in run
                for block in _blocks(message)
                if block.get("type") == "tool_use" and isinstance(block.get("id"), str)
            ]
        else:
            rows += run if _is_paired(run, waiting) else _answered(run, waiting, results)
            waiting = []
    rows += _answered((), waiting, results)
    return _kept(tail, rows)


def _is_paired(tail: Sequence[Row], calls: Sequence[str] = ()) -> bool:
    """Whether each run of answers is followed by its results, first and once each: as it nearly always is."""
    waiting = set(calls)
    behind = False  # the message before was not the model's
    begun = False  # this run of messages has something else than results
    for message in tail:
        content = message.get("content")
        by_model = message.get("role") == "assistant"
        if by_model and behind and waiting:
            return False
        behind = not by_model
        begun = behind and (begun or content.__class__ is not list)
        for block in content if content.__class__ is list else ():
            kind = block.get("type") if block.__class__ is dict else None
            if by_model:
                if kind == "tool_use" and isinstance(block.get("id"), str):
                    waiting.add(block["id"])
            elif kind != "tool_result":
                begun = True
            elif begun or block.get("tool_use_id") not in waiting:
                return False
            else:
                waiting.discard(block["tool_use_id"])
    return not waiting


def _answered(run: Sequence[Row], calls: Sequence[str], results: Mapping[str, Row]) -> Iterator[Row]:
    if calls:
        blocks = [
            results.get(call_id)
            or {"type": "tool_result", "tool_use_id": call_id, "is_error": True, "content": NO_RESULT}
            for call_id in dict.fromkeys(calls)
        ]
        yield {"role": "user", "content": blocks}
    for message in run:
        content = message.get("content")
        if not isinstance(content, list):
            yield message
            continue
        rest = [
            each for each in content if not (isinstance(each, Mapping) and each.get("type") == "tool_result")
        ]
        if len(rest) == len(content):
            yield message
        elif rest:
            yield {**message, "content": rest}


def _is_result(block: object) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _runs(rows: Iterable[Row]) -> Iterator[tuple[bool, list[Row]]]:
    run: list[Row] = []
    by_model = False
    for row in rows:
        if run and (row.get("role") == "assistant") is not by_model:
            yield by_model, run
            run = []
        by_model = row.get("role") == "assistant"
        run.append(row)
    if run:
        yield by_model, run


def _blocks(message: Row) -> Iterator[Row]:
    content = message.get("content")
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, dict))


def _kept(tail: Sequence[Row], rows: list[Row]) -> Filled:
    """How many rows stay as they are, and the rest."""
    same = next(
        (at for at, (old, new) in enumerate(zip(tail, rows, strict=False)) if old is not new),
        min(len(tail), len(rows)),
    )
    return same, rows[same:]
