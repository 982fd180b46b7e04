"""Any history that the engine can produce is written so that Anthropic cannot refuse it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from hypothesis import assume, given, strategies as st

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Origin,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
    Transcript,
)
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import Settings, Severity, ToolSpec, check, decode, encoder, read, repair
from turnlock.wire.anthropic import AnthropicEncoder, AnthropicWalk
from turnlock.wire.anthropic.servers import MINIMAX
from turnlock.wire.common.walk import walk_all

DIALECT = "anthropic"
EVERY = f"{DIALECT}+4.6+tools_required"
MODELS = ("model-a", "model-b")
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2048}}

TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d", "ok 🙂"])
CALL_IDS = st.sampled_from(["", "a", "a", "a_1", "toolu_1", "call_3", "terminal:0", "ü", "x" * 70, "srv_1"])
INPUTS = st.sampled_from([{"a": 1}, {}, "", '{"a": 1}', "{", None, [1], {"n": 10**30}, {"x": "\ud83d"}])
SERVER_IDS = st.sampled_from(["srv_1", "srv_1", "srv_2", None])
CALLERS = st.sampled_from(
    [{}, {"caller": {"type": "direct"}}, {"caller": {"type": "code", "tool_id": "srv_1"}}]
)
OPTIONS = st.sampled_from([{}, THINKING, {"thinking": {"type": "adaptive"}}, {"max_tokens": 100}])
TOOLS = st.sampled_from([(), (ToolSpec("f"),)])

KINDS = ["thinking", "text", "tool_use", "tool_use", "server", "result", "other"]


@st.composite
def answer_blocks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The content blocks of one answer."""
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(
            st.sampled_from(["thinking", "text", "tool_use", "tool_use", "server", "result", "other"])
        )
        match kind:
            case "thinking":
                sealed = {"type": "thinking", "thinking": "hm", "signature": "s"}
                kinds = [sealed, sealed | {"signature": ""}, {"type": "redacted_thinking", "data": "x"}]
                found.append(draw(st.sampled_from(kinds)))
            case "text":
                found.append({"type": "text", "text": draw(TEXTS), "citations": None})
            case "tool_use":
                call = {
                    "type": "tool_use",
                    "id": draw(CALL_IDS),
                    "name": draw(st.sampled_from(["f", "", "a.b"])),
                }
                found.append(call | {"input": draw(INPUTS)} | draw(CALLERS))
            case "server":
                use = draw(st.sampled_from(["server_tool_use", "mcp_tool_use"]))
                found.append(
                    {"type": use, "id": draw(SERVER_IDS), "name": "web_search", "input": draw(INPUTS)}
                )
            case "result":
                result = draw(st.sampled_from(["web_search_tool_result", "mcp_tool_result"]))
                found.append({"type": result, "tool_use_id": draw(SERVER_IDS), "content": []})
            case _:
                found.append(
                    {"type": draw(st.sampled_from(["container_upload", "tool_result", "text_delta"]))}
                )
    return found


@st.composite
def foreign_items(draw: st.DrawFn, request: int, ordinals: Iterator[int]) -> list[Any]:
    """What another provider's model made."""
    found: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        origin = Origin("openai_responses", draw(st.sampled_from(MODELS)), {"type": "x", "signature": "s"})
        kind = draw(st.sampled_from(["text", "reasoning", "call", "call", "server"]))
        if kind == "text":
            found.append(Text(draw(TEXTS), request, origin))
        elif kind == "reasoning":
            found.append(Reasoning("hm", request, origin))
        elif kind == "server":
            found.append(ServerCall("web_search_call", request, origin))
        else:
            call_kind = draw(st.sampled_from(list(CallKind)))
            name = "f" if call_kind is CallKind.FUNCTION else str(call_kind)
            arguments = draw(
                st.sampled_from(["{}", '{"a": 1}', '{"n": 1e999}', f'{{"n": {10**30}}}', "broken"])
            )
            found.append(Call(next(ordinals), draw(CALL_IDS), name, arguments, request, call_kind, origin))
    return found


@st.composite
def outputs(draw: st.DrawFn, ordinal: int) -> Output:
    cause = draw(st.sampled_from(list(Cause)))
    native: Any = None
    if cause is Cause.RETURNED:
        part = {"type": "text", "text": "part"}
        native = draw(
            st.sampled_from([None, object(), [], [part], [part, {"type": "x"}], [part | {"x": object()}]])
        )
    state = ENDS[ENDINGS[cause].event]
    outcome = Outcome(state, cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS), native)
    return Output(ordinal, outcome, draw(st.sampled_from([None, None, None, "too big"])))


PARTS: tuple[Any, ...] = (
    (),
    ({"type": "text", "text": ""},),
    (
        {"type": "text", "text": "part"},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/1"}},
    ),
    ({"type": "input_text", "text": "part"}, {"type": "image_url", "image_url": {"url": "https://x.test/1"}}),
    ({"type": "tool_result", "tool_use_id": "a"}, {"type": "image"}),
)


@st.composite
def messages(draw: st.DrawFn, fresh: Iterator[int]) -> Message:
    content: Any = draw(st.one_of(TEXTS, st.sampled_from(PARTS)))
    return Message(f"m{next(fresh)}", content, draw(st.sampled_from(list(Role))))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Item], list[int]]:
    """A transcript as the engine fills it, and the lengths at which requests left.

    An answer may be paused; then nothing but outputs comes before the next one.
    """
    fresh, ordinals = count(1), count(1)
    transcript = Transcript()
    lengths: list[int] = []
    paused = False
    for request in range(1, draw(st.integers(1, 5)) + 1):
        if not paused:
            for _ in range(draw(st.integers(1 if request == 1 else 0, 2))):
                transcript.add_message(draw(messages(fresh)))
        lengths.append(transcript.mark_sent())
        if draw(st.integers(0, 3)):
            model = draw(st.sampled_from(MODELS))
            for raw in (blocks := draw(answer_blocks())):
                cut = raw is blocks[-1] and draw(st.booleans())
                for decoded in decode(
                    DIALECT, raw, request=request, model=model, next_ordinal=lambda: next(ordinals), cut=cut
                ):
                    transcript.response.append(decoded.item)
        else:
            transcript.response.extend(draw(foreign_items(request, ordinals)))
        calls = [item for item in transcript.response if isinstance(item, Call)]
        paused = draw(st.booleans())
        shown = "" if paused else draw(st.sampled_from(["", "", "shown so far"]))
        transcript.commit(request, shown, whole=paused, broken=not paused and draw(st.booleans()))
        transcript.items.extend(draw(outputs(call.ordinal)) for call in calls)
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
            paused = False
    lengths.append(len(transcript.items))
    return transcript.items, lengths


@given(history=histories(), model=st.sampled_from(MODELS), options=OPTIONS, tools=TOOLS)
def test_no_body_of_the_engine_breaks_a_rule(
    history: tuple[list[Item], list[int]], model: str, options: Mapping[str, Any], tools: tuple[ToolSpec, ...]
) -> None:
    """R15, R4, R21, C20-C22, C41, C42, C45, C46: in no profile, and not at MiniMax either."""
    items, lengths = history
    settings = Settings(model, "Be brief.", tools, options)
    for length in lengths:
        body = encoder(DIALECT).encode(items, length, settings).body
        assert check(body, DIALECT) == check(body, EVERY) == ()
        alone = json.loads(AnthropicEncoder(server=MINIMAX).encode(items, length, settings).body)
        assert walk_all(AnthropicWalk(alone, server=MINIMAX), alone) == ()


@given(history=histories(), model=st.sampled_from(MODELS), options=OPTIONS, tools=TOOLS)
def test_the_bytes_depend_on_nothing_but_items_and_settings(
    history: tuple[list[Item], list[int]], model: str, options: Mapping[str, Any], tools: tuple[ToolSpec, ...]
) -> None:
    """R10, R19: an encoder that saw every request writes what a new one does."""
    items, lengths = history
    settings = Settings(model, tools=tools, options=options)
    known = encoder(DIALECT)
    for length in (*lengths, *lengths[:1], len(items)):
        assert known.encode(items, length, settings) == encoder(DIALECT).encode(items, length, settings)


@given(history=histories(), model=st.sampled_from(MODELS))
def test_no_call_output_or_message_is_left_out(history: tuple[list[Item], list[int]], model: str) -> None:
    """R16: only reasoning, calls that a provider executed and blank text are ever set aside.

    Every call has its one result, directly behind its answer, under the same id.
    """
    items, _ = history
    encoded = encoder(DIALECT).encode(items, len(items), Settings(model))
    for item, position in zip(items, encoded.positions, strict=True):
        blank = isinstance(item, Text) and not item.text.strip()
        assert position is not None or blank or isinstance(item, Reasoning | ServerCall)
    standing = [position for position in encoded.positions if position is not None]
    assert standing == sorted(standing)
    rows = json.loads(encoded.body)["messages"]
    ids = [block["id"] for row in rows for block in row["content"] if block["type"] == "tool_use"]
    answered = [b["tool_use_id"] for row in rows for b in row["content"] if b["type"] == "tool_result"]
    assert ids == answered
    assert len(set(ids)) == len(ids) == sum(isinstance(item, Call) for item in items)


@given(data=st.data(), damage=st.sampled_from(["drop", "double", "late"]))
def test_a_damaged_body_is_flagged(data: st.DataObject, damage: str) -> None:
    """R15: a result that is dropped, doubled, or stands behind the next user message is an error."""
    items, _ = data.draw(histories())
    body = json.loads(encoder(DIALECT).encode(items, len(items), Settings("model-a")).body)
    results = [
        (row["content"], at)
        for row in body["messages"]
        for at, block in enumerate(row["content"])
        if block["type"] == "tool_result"
    ]
    assume(results)
    content, at = data.draw(st.sampled_from(results))
    if damage == "double":
        content.insert(at, content[at])
    else:
        moved = content.pop(at)
        if damage == "late":
            content.extend([{"type": "text", "text": "next"}, moved])
    assert any(found.severity is Severity.ERROR for found in check(body, DIALECT))


DAMAGES = st.sampled_from(["drop", "double", "move", "cut", "blank", "open", "label"])


def damaged(data: st.DataObject, rows: list[Any]) -> None:
    """Break a body somewhere: a block or a message is lost, doubled, moved, emptied, or another's."""
    at = data.draw(st.integers(0, len(rows) - 1))
    content = rows[at]["content"]
    place = data.draw(st.integers(0, max(len(content) - 1, 0)))
    to = data.draw(st.integers(0, len(rows) - 1))
    match data.draw(DAMAGES):
        case "drop":
            del content[place : place + 1]
        case "double":
            content[place:place] = content[place : place + 1]
        case "move":
            rows.insert(to, rows.pop(at))
        case "cut":
            rows[to]["content"] += content[place:]
            del content[place:]
        case "blank":
            content.insert(place, {"type": "text", "text": ""})
        case "open":
            content.insert(place, {"type": "tool_use", "id": "new", "name": "f", "input": "{"})
        case _:
            content.insert(
                place, {"type": "tool_result", "tool_use_id": "a", "content": "", "is_error": True}
            )


def texts(rows: list[Any], kind: str, name: str) -> list[str]:
    blocks = [block for row in rows for block in row["content"] if isinstance(block, dict)]
    return sorted(str(block[name]) for block in blocks if block["type"] == kind and block[name])


@given(data=st.data(), options=OPTIONS, dialect=st.sampled_from([DIALECT, EVERY]))
def test_whatever_is_broken_is_mended_and_nothing_is_erased(
    data: st.DataObject, options: Mapping[str, Any], dialect: str
) -> None:
    """R16, C36-C42: no error is left, a second repair changes nothing, every text and call is there."""
    items, _ = data.draw(histories())
    settings = Settings("model-a", options=options)
    body = json.loads(encoder(DIALECT).encode(items, len(items), settings).body)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged(data, body["messages"])
    done = repair(body, dialect)
    assert done.left == ()
    assert repair(done.body, dialect).changes == ()
    assert done.changes or done.value == body
    before, after = body["messages"], list(done.value["messages"])
    after.append({"content": [change.set_aside for change in done.changes]})
    calls = [texts(rows, "tool_use", "name") for rows in (before, after)]
    assert calls[0] == calls[1]
    said = [texts(rows, "text", "text") for rows in (before, after)]
    assert said[0] == said[1]


@given(history=histories(), model=st.sampled_from(MODELS))
def test_a_body_of_the_engine_reads_back(history: tuple[list[Item], list[int]], model: str) -> None:
    """What was read is written to the same rows, and again; calls keep their order, arguments and outputs."""
    items, _ = history
    first = encoder(DIALECT).encode(items, len(items), Settings(model, "Be brief."))
    back = read(first.body, DIALECT)
    second = encoder(DIALECT).encode(back.items, len(back.items), back.settings())
    assert json.loads(second.body)["messages"] == merged(json.loads(first.body)["messages"])
    calls = [json.loads(item.arguments) for item in back.items if isinstance(item, Call)]
    assert len(calls) == sum(isinstance(item, Call) for item in items)


def merged(rows: list[Any]) -> list[Any]:
    """Neighbours of one role as one message."""
    found: list[Any] = []
    for row in rows:
        if found and found[-1]["role"] == row["role"]:
            found[-1]["content"] += row["content"]
        else:
            found.append(row)
    return found
