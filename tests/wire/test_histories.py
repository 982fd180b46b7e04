"""Any history that the engine can produce is written so that no provider can refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Transcript,
)
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import Settings, Severity, check, decode, encoder

try:
    from turnlock.strict import judge_chat, judge_responses
except ImportError:
    JUDGES: Mapping[str, Callable[[Mapping[str, Any]], object]] = {}
else:
    JUDGES = {"openai_responses": judge_responses, "openai_chat": judge_chat}

DIALECTS = ("openai_responses", "openai_chat")
PART_TYPES = {"openai_responses": "input_text", "openai_chat": "text"}
MODELS = ("model-a", "model-b")
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}
STORES: tuple[Mapping[str, Any], ...] = ({}, {"store": True}, {"store": False})

TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d", "ok 🙂", '{"stdout": "a"}'])
CALL_IDS = st.sampled_from(["", "a", "a", "a_1", "a_2", "call_1", "call_3", "terminal:0", "x" * 70, "x" * 71])
ITEM_IDS = st.sampled_from(["_1", "_1", "_2", "_3", "_4", "_5", "_6", "", None, "x" * 80])
ARGUMENTS = st.sampled_from(['{"a": 1}', "{}", "", "{", "[1]", "null", '{"x": "\\ud83d"}', '{"q": NaN}'])
NAMES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{"name": "f"}, {"name": "f"}, {"name": ""}, {}])
CALLERS = st.sampled_from([None, {"type": "program", "caller_id": "p1"}])
ANY_OBJECT = st.dictionaries(st.sampled_from(["command", "commands", "path", "q"]), TEXTS, max_size=2)
NATIVES = st.sampled_from(
    [
        None,
        object(),
        "data:image/png;base64,AAAA",
        {"image_url": "https://x.test/1.png"},
        {"file_id": 7},
        [],
        [{"type": "input_text", "text": "part"}],
        [{"type": "input_text", "text": object()}],
        [{"type": "function", "name": "f", "parameters": {}}],
        [{"stdout": "o", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        [{"stdout": "o", "stderr": "", "outcome": "bad"}],
    ]
)


@st.composite
def item_ids(draw: st.DrawFn, prefix: str) -> dict[str, Any]:
    tail = draw(ITEM_IDS)
    right = draw(st.sampled_from([prefix, prefix, prefix, "f00"]))
    return {} if tail is None else {"id": right + tail}


@st.composite
def client_calls(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(CallKind)))
    base: dict[str, Any] = {"call_id": draw(CALL_IDS)}
    status = {"status": draw(st.sampled_from(["completed", "completed", "incomplete"]))}
    match kind:
        case CallKind.FUNCTION:
            base |= {
                "type": "function_call",
                **draw(NAMES),
                "arguments": draw(ARGUMENTS),
                "caller": draw(CALLERS),
            }
            base |= draw(item_ids("fc")) | status
        case CallKind.CUSTOM:
            base |= {"type": "custom_tool_call", **draw(NAMES), "input": draw(TEXTS), "caller": draw(CALLERS)}
            base |= draw(item_ids("ctc"))
        case CallKind.LOCAL_SHELL:
            base |= {"type": "local_shell_call", "action": draw(ANY_OBJECT)} | draw(item_ids("lsh")) | status
        case CallKind.SHELL:
            where = draw(st.sampled_from([None, {"type": "local"}]))
            action = draw(ANY_OBJECT) | draw(st.sampled_from([{}, {"max_output_length": 5}]))
            base |= {"type": "shell_call", "action": action, "environment": where, "created_by": "x"}
            base |= draw(item_ids("sh")) | status
        case CallKind.APPLY_PATCH:
            base |= {"type": "apply_patch_call", "operation": draw(ANY_OBJECT), "status": "completed"}
            base |= draw(item_ids("apc"))
        case CallKind.COMPUTER:
            base |= draw(st.sampled_from([{"action": {"type": "wait"}}, {"actions": []}, {}]))
            checks = draw(st.sampled_from([[], [{"id": "safe_1"}]]))
            base |= {"type": "computer_call", "pending_safety_checks": checks} | draw(item_ids("cu")) | status
        case CallKind.TOOL_SEARCH:
            base |= {"type": "tool_search_call", "execution": "client", "arguments": draw(ANY_OBJECT)}
            base |= draw(item_ids("tsc")) | status
        case CallKind.MCP_APPROVAL:
            base = {"type": "mcp_approval_request", "id": draw(CALL_IDS), "server_label": "s"} | draw(NAMES)
            base["arguments"] = draw(ARGUMENTS)
    return base


@st.composite
def server_items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What the provider executed."""
    item_id = draw(item_ids(draw(st.sampled_from(["ws", "ci", "mcp"]))))
    call_id = {"call_id": draw(CALL_IDS)}
    search = {"type": "tool_search_call", "execution": "server", "arguments": {}, "status": "completed"}
    shell = {
        "type": "shell_call",
        "action": {"commands": ["ls"]},
        "environment": {"type": "container_reference"},
    }
    found: list[list[dict[str, Any]]] = [
        [{"type": "web_search_call", "status": "completed", **item_id}],
        [{"type": "mcp_call", "name": "n", "arguments": "{}", "server_label": "s", **item_id}],
        [{"type": "compaction", "encrypted_content": "gAAA", "created_by": "x", **item_id}],
        [{"type": "program", "code": "1", "fingerprint": "fp", **call_id, **item_id}],
        [search | call_id, {"type": "tool_search_output", "execution": "server", "tools": []} | call_id],
        [search | {"call_id": None}, {"type": "tool_search_output", "tools": [], "call_id": None}],
        [shell | call_id | item_id, {"type": "shell_call_output", "output": []} | call_id],
    ]
    return draw(st.sampled_from(found))


@st.composite
def responses_items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The output items of one answer."""
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["reasoning", "message", "call", "call", "server"]))
        match kind:
            case "reasoning":
                sealed = draw(st.sampled_from([{}, {"encrypted_content": "gAAA"}]))
                found.append({"type": "reasoning", "summary": [], **sealed, **draw(item_ids("rs"))})
            case "message":
                content = [{"type": "output_text", "text": draw(TEXTS), "annotations": []}]
                phase = draw(st.sampled_from([{}, {"phase": "commentary"}]))
                message = {"type": "message", "role": "assistant", "content": content, **phase}
                found.append(message | draw(item_ids("msg")))
            case "call":
                found.append(draw(client_calls()))
            case _:
                found += draw(server_items())
    return found


@st.composite
def chat_messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The assistant message of one answer."""
    calls: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        call: dict[str, Any] = {"id": draw(CALL_IDS), "type": "function"}
        if draw(st.booleans()):
            call |= {"function": draw(NAMES) | {"arguments": draw(ARGUMENTS)}}
        else:
            call |= {"type": "custom", "custom": draw(NAMES) | {"input": draw(TEXTS)}}
        calls.append(call)
    return [{"role": "assistant", "content": draw(TEXTS), **({"tool_calls": calls} if calls else {})}]


@st.composite
def outputs(draw: st.DrawFn, ordinal: int) -> Output:
    cause = draw(st.sampled_from(list(Cause)))
    native = draw(NATIVES) if cause is Cause.RETURNED else None
    state = ENDS[ENDINGS[cause].event]
    outcome = Outcome(state, cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS), native)
    return Output(ordinal, outcome, draw(st.sampled_from([None, None, None, "too big"])))


@st.composite
def messages(draw: st.DrawFn, dialect: str, fresh: Iterator[int]) -> Message:
    parts = ({"type": PART_TYPES[dialect], "text": "part"},)
    content: Any = draw(st.one_of(TEXTS, st.sampled_from([(), parts])))
    return Message(f"m{next(fresh)}", content, draw(st.sampled_from(list(Role))))


@st.composite
def histories(draw: st.DrawFn, speaks: str) -> tuple[list[Item], list[int]]:
    """A transcript as the engine fills it, and the lengths at which requests left.

    The session speaks one dialect, but has answers from sessions in both.
    """
    fresh, ordinals = count(1), count(1)
    transcript = Transcript()
    lengths: list[int] = []
    for request in range(1, draw(st.integers(1, 5)) + 1):
        for _ in range(draw(st.integers(1 if request == 1 else 0, 2))):
            transcript.add_message(draw(messages(speaks, fresh)))
        lengths.append(transcript.mark_sent())
        dialect = draw(st.sampled_from(DIALECTS))
        model = draw(st.sampled_from(MODELS))
        items = draw(responses_items() if dialect == "openai_responses" else chat_messages())
        for raw in items:
            cut = raw is items[-1] and draw(st.booleans())
            for decoded in decode(
                dialect,
                raw,
                request=request,
                model=model,
                next_ordinal=lambda: next(ordinals),
                cut=cut,
            ):
                transcript.response.append(decoded.item)
        calls = [item for item in transcript.response if isinstance(item, Call)]
        transcript.commit(request, draw(st.sampled_from(["", "", "shown so far"])))
        transcript.items.extend(draw(outputs(call.ordinal)) for call in calls)
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
    lengths.append(len(transcript.items))
    return transcript.items, lengths


def encode(dialect: str, items: list[Item], length: int, settings: Settings) -> bytes:
    return encoder(dialect).encode(items, length, settings).body


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), model=st.sampled_from(MODELS), options=st.sampled_from(STORES))
def test_no_body_of_the_engine_breaks_a_rule(
    dialect: str, data: st.DataObject, model: str, options: Mapping[str, Any]
) -> None:
    """R15, R4, C20-C22, C41: whatever ids, kinds, causes and models, there is nothing to find.

    The strict provider, whose verdicts are written apart from ours, says the same.
    """
    items, lengths = data.draw(histories(dialect))
    for length in lengths:
        body = encode(dialect, items, length, Settings(model, "Be brief.", options=options))
        assert check(body, dialect) == ()
        if judge := JUDGES.get(dialect):
            assert judge(json.loads(body)) is None


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), model=st.sampled_from(MODELS), options=st.sampled_from(STORES))
def test_the_bytes_depend_on_nothing_but_items_and_settings(
    dialect: str, data: st.DataObject, model: str, options: Mapping[str, Any]
) -> None:
    """R10, R19: an encoder that saw every request writes what a new one does, behind an unchanged prefix."""
    items, lengths = data.draw(histories(dialect))
    settings = Settings(model, options=options)
    known = encoder(dialect)
    before = b""
    for length in lengths:
        encoded = known.encode(items, length, settings)
        assert encoded == encoder(dialect).encode(items, length, settings)
        assert encoded.body.startswith(before)
        before = encoded.body.removesuffix(b"]}")


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), model=st.sampled_from(MODELS))
def test_no_call_output_or_message_is_left_out(dialect: str, data: st.DataObject, model: str) -> None:
    """R16: only reasoning and calls that a provider executed are ever set aside."""
    items, _ = data.draw(histories(dialect))
    encoded = encoder(dialect).encode(items, len(items), Settings(model))
    for item, position in zip(items, encoded.positions, strict=True):
        assert position is not None or isinstance(item, Reasoning | ServerCall)
    standing = [position for position in encoded.positions if position is not None]
    assert standing == sorted(standing)
    if dialect == "openai_responses":
        assert len(set(standing)) == len(standing)


@given(data=st.data(), model=st.sampled_from(MODELS))
def test_a_call_that_left_reads_back_the_same(data: st.DataObject, model: str) -> None:
    """C19: kind and arguments survive the way out and in, for every call whose arguments say something."""
    items, _ = data.draw(histories("openai_responses"))
    encoded = encoder("openai_responses").encode(items, len(items), Settings(model))
    rows = json.loads(encoded.body)["input"]
    for item, position in zip(items, encoded.positions, strict=True):
        if isinstance(item, Call) and json.loads(item.arguments) and "\ud83d" not in item.arguments:
            assert position is not None
            (back,) = decode(
                "openai_responses", rows[position], request=1, model=model, next_ordinal=lambda: 1
            )
            assert isinstance(back.item, Call)
            assert back.item.kind is item.kind
            if item.kind is not CallKind.MCP_APPROVAL:
                assert json.loads(back.item.arguments) == json.loads(item.arguments)


LISTS = {"openai_responses": "input", "openai_chat": "messages"}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), damage=st.sampled_from(["drop", "double", "move"]))
def test_a_damaged_body_is_flagged(dialect: str, data: st.DataObject, damage: str) -> None:
    """R15: an output that is dropped, doubled, or moved before its call is found, for every kind of call.

    The strict provider refuses it too.
    """
    items, _ = data.draw(histories(dialect))
    body = json.loads(encode(dialect, items, len(items), Settings("model-a")))
    rows = body[LISTS[dialect]]
    answers = [at for at, row in enumerate(rows) if is_answer(row)]
    assume(answers)
    at = data.draw(st.sampled_from(answers))
    row = rows[at] if damage == "double" else rows.pop(at)
    if damage != "drop":
        rows.insert(0 if damage == "move" else at, row)
    found = check(body, dialect)
    assert found
    # Nobody saw a provider refuse these: they only warn.
    only_warns = damage == "move" or row.get("type") == "mcp_approval_response"
    if damage == "drop":
        calls = {each.get("call_id"): each.get("type") for each in rows if "call_id" in each}
        only_warns |= calls.get(row.get("call_id")) in INFERRED
    if not only_warns:
        assert any(violation.severity is Severity.ERROR for violation in found)
        if judge := JUDGES.get(dialect):
            assert judge(body) is not None


INFERRED = {"shell_call", "apply_patch_call", "computer_call", "tool_search_call"}


def is_answer(row: Mapping[str, Any]) -> bool:
    """An output of ours: the provider's own may stand alone."""
    kind = str(row.get("type", ""))
    ours = kind.endswith("_output") and row.get("execution") != "server" and row.get("output") != []
    return row.get("role") == "tool" or kind == "mcp_approval_response" or (ours and bool(row.get("call_id")))
