"""Histories as the engine fills them, for one dialect: its own answers, those of others, and every outcome.

What no provider sends and no host says often is frequent here: empty and repeated ids, names that are not
taken, blank text, calls of every kind, reasoning and server calls that nobody else understands.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, TypeAlias

from hypothesis import strategies as st

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
    Transcript,
)
from turnlock.engine.items import ModelItem
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import Settings, Severity, ToolSpec, check, decode, encoder, read, repair, walk
from turnlock.wire.common.jsontext import dumps, mended

History: TypeAlias = tuple[list[Item], list[int]]
"""Items, and how many of them each request carried."""

MODELS = ("model-a", "model-b")
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}
TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d", "ok 🙂", '{"stdout": "a"}'])
CALL_IDS = st.sampled_from(["", "a", "a", "a_2", "call_1", "abcdefghi", "terminal:0", "ä b", "x" * 70])
NAMES = st.sampled_from(["f", "f", "", "a.b", "ä", "n" * 70])
ARGUMENTS = st.sampled_from(
    ['{"a": 1}', "{}", '{"input": "x"}', '{"x": "\\ud83d"}', '{"n": {"m": [1, null]}}']
)
PARTS: tuple[Mapping[str, Any], ...] = (
    {"type": "text", "text": "part"},
    {"text": "part"},
    {"type": "input_text", "text": ""},
    {"type": "image_url", "image_url": {"url": "https://x.test/1.png"}},
    {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "QUJD"}},
    {"image": {"format": "png", "source": {"bytes": "QUJD"}}},
    {"document": {"format": "pdf", "name": "d", "source": {"bytes": "QUJD"}}},
    {"inlineData": {"mimeType": "audio/wav", "data": "QUJD"}},
    {"cachePoint": {"type": "default"}},
)
CONTENTS: st.SearchStrategy[Any] = st.one_of(TEXTS, st.lists(st.sampled_from(PARTS), max_size=3).map(tuple))


@st.composite
def foreign_answers(draw: st.DrawFn, request: int, ordinals: Iterator[int]) -> list[ModelItem]:
    """The items of an answer that another provider gave."""
    found: list[ModelItem] = []
    origin = Origin("elsewhere", draw(st.sampled_from(MODELS)), {"type": "sealed"})
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["text", "reasoning", "call", "call", "server"])):
            case "text":
                found.append(Text(draw(TEXTS), request, draw(st.sampled_from([None, origin]))))
            case "reasoning":
                found.append(Reasoning(draw(TEXTS), request, origin))
            case "call":
                kind = draw(st.sampled_from(list(CallKind)))
                name = draw(NAMES) if kind in (CallKind.FUNCTION, CallKind.CUSTOM) else str(kind)
                made = Call(next(ordinals), draw(CALL_IDS), name, draw(ARGUMENTS), request, kind, origin)
                found.append(made)
            case _:
                found.append(ServerCall("web_search", request, origin))
    return found


@st.composite
def outputs(draw: st.DrawFn, ordinal: int) -> Output:
    """Any outcome, refused or not."""
    cause = draw(st.sampled_from(list(Cause)))
    outcome = Outcome(ENDS[ENDINGS[cause].event], cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS))
    return Output(ordinal, outcome, draw(st.sampled_from([None, None, None, "too big"])))


@st.composite
def histories(draw: st.DrawFn, dialect: str, raws: st.SearchStrategy[dict[str, Any]]) -> History:
    """A transcript, and the lengths at which requests left. ``raws`` are answers of the dialect itself."""
    fresh, ordinals = count(1), count(1)
    transcript = Transcript()
    lengths: list[int] = []
    for request in range(1, draw(st.integers(1, 5)) + 1):
        for _ in range(draw(st.integers(1 if request == 1 else 0, 2))):
            content, role = draw(CONTENTS), draw(st.sampled_from(list(Role)))
            transcript.add_message(Message(f"m{next(fresh)}", content, role))
        lengths.append(len(transcript.items))
        if draw(st.integers(0, 2)):
            decoded = decode(
                dialect,
                draw(raws),
                request=request,
                model=draw(st.sampled_from(MODELS)),
                next_ordinal=lambda: next(ordinals),
                cut=draw(st.booleans()),
            )
            transcript.response += [each.item for each in decoded]
        else:
            transcript.response += draw(foreign_answers(request, ordinals))
        calls = [item for item in transcript.response if isinstance(item, Call)]
        transcript.commit(request, draw(st.sampled_from(["", "", "shown so far"])))
        transcript.items.extend(draw(outputs(call.ordinal)) for call in calls)
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
    lengths.append(len(transcript.items))
    return transcript.items, lengths


# ── what must hold for all of them ──────────────────────────────────────────────────────────────────

TOOLS = (ToolSpec("f"), ToolSpec("shell", kind=CallKind.SHELL), ToolSpec("patch", kind=CallKind.CUSTOM))


def encoded(dialect: str, items: list[Item], settings: Settings) -> dict[str, Any]:
    """The body that leaves."""
    body: dict[str, Any] = json.loads(encoder(dialect).encode(items, len(items), settings).body)
    return body


def assert_nothing_is_wrong(dialect: str, history: History, settings: Settings) -> None:
    """Every request that left passes the check."""
    items, lengths = history
    for length in lengths:
        body = encoder(dialect).encode(items, length, settings).body
        assert check(body, dialect) == (), body.decode()


def assert_bytes_depend_on_items_alone(dialect: str, history: History, settings: Settings) -> None:
    """An encoder that saw every request writes what a new one does."""
    items, lengths = history
    known = encoder(dialect)
    for length in lengths:
        assert known.encode(items, length, settings) == encoder(dialect).encode(items, length, settings)


def assert_nothing_is_left_out(dialect: str, items: list[Item], settings: Settings) -> None:
    """Only reasoning, and what a provider executed, is ever set aside; every place is one of the body's."""
    made = encoder(dialect).encode(items, len(items), settings)
    rows = json.loads(made.body)["messages"]
    for item, position in zip(items, made.positions, strict=True):
        assert position is not None or isinstance(item, Reasoning | ServerCall)
        assert position is None or 0 <= position < len(rows)


def assert_a_body_reads_back(dialect: str, items: list[Item], settings: Settings) -> None:
    """A body that was read is written as it was, and what was read from it is what reading it again gives."""
    body = encoder(dialect).encode(items, len(items), settings).body
    history = read(body, dialect)
    again = encoder(dialect).encode(history.items, len(history.items), history.settings()).body
    assert json.loads(again) == json.loads(body)
    assert [sketch(item) for item in history.items if not isinstance(item, Message | Text)] == [
        sketch(item)
        for item, position in zip(
            items, encoder(dialect).encode(items, len(items), settings).positions, strict=True
        )
        if position is not None and not isinstance(item, Message | Note | Text)
    ]


def sketch(item: Item) -> tuple[Any, ...]:
    """What a body says of a call, an output or reasoning."""
    match item:
        case Call():
            return "call", item.ordinal, json.loads(dumps(json.loads(item.arguments)))
        case Output():
            return "output", item.ordinal, mended(item.model_text)
        case _:
            return (type(item).__name__,)


def assert_a_walk_may_go_on(dialect: str, body: dict[str, Any]) -> None:
    """Fed row by row and asked after each, a walk says what a check of each beginning says."""
    rows = body["messages"]
    envelope = {key: value for key, value in body.items() if key != "messages"}
    going = walk(dialect, envelope)
    for end in range(len(rows) + 1):
        assert going.verdict() == check({**envelope, "messages": rows[:end]}, dialect)
        going.feed(rows[end : end + 1])


# ── repairs ─────────────────────────────────────────────────────────────────────────────────────────


def assert_a_repair_is_sound(dialect: str, body: dict[str, Any]) -> None:
    """It mends what is wrong, a second one changes nothing, and nothing disappears but what it names."""
    given = json.dumps(body)
    done = repair(body, dialect)
    assert json.dumps(body) == given
    assert done.left == ()
    assert not [found for found in check(done.value, dialect) if found.severity is Severity.ERROR]
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)
    if not [found for found in check(body, dialect) if found.severity is Severity.ERROR]:
        assert done.changes == ()
    before, after = leaves(body["messages"]), leaves(done.value["messages"])
    after += leaves([change.set_aside for change in done.changes])
    assert before - after == Counter()


def leaves(value: Any, key: str = "") -> Counter[str]:
    """Every text that a history says, but for ids, roles and marks."""
    if isinstance(value, dict):
        found: Counter[str] = Counter()
        for name, inner in value.items():
            if name not in _MARKS:
                found += leaves(inner, name)
        return found
    if isinstance(value, list):
        return sum((leaves(inner, key) for inner in value), Counter())
    return Counter([value] if isinstance(value, str) and value.strip() else [])


_MARKS = frozenset({"role", "id", "tool_call_id", "toolUseId", "status", "type", "json"})


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[dict[str, Any]], blocks: str) -> dict[str, Any]:
    """A body in which somebody has dropped, doubled, moved and rewritten things. ``blocks``: a row's list."""
    body: dict[str, Any] = json.loads(json.dumps(draw(bodies)))
    rows = body["messages"]
    for _ in range(draw(st.integers(1, 3))):
        inside = draw(st.sampled_from(rows)).get(blocks) if draw(st.booleans()) else None
        there = inside if isinstance(inside, list) and inside else rows
        at = draw(st.integers(0, len(there) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "id", "role", "empty"])):
            case "drop" if len(there) > 1:
                del there[at]
            case "double":
                there.insert(draw(st.integers(0, len(there))), json.loads(json.dumps(there[at])))
            case "move":
                there.insert(draw(st.integers(0, len(there) - 1)), there.pop(at))
            case "id":
                renamed(there[at], draw(CALL_IDS))
            case "role" if there[at].get("role") == "user":
                there[at]["role"] = draw(st.sampled_from(["assistant", "system"]))
            case "empty" if there[at].get("role") in ("user", "assistant") and "tool_calls" not in there[at]:
                there[at]["content"] = draw(st.sampled_from([[], None, ""]))
            case _:
                pass
    return body


def renamed(value: Any, label: str) -> None:
    """Give a call or an output another id."""
    for name in ("id", "tool_call_id", "toolUseId"):
        if name in value:
            value[name] = label
    for name in ("toolUse", "toolResult"):
        if name in value:
            value[name]["toolUseId"] = label
