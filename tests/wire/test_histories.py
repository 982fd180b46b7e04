"""Any history that the engine can produce is written so that no provider can refuse it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from support.histories import DIALECTS, MODELS, RESPONSES, SERVERS, STORES, histories
from turnlock.engine import Call, CallKind, Item, Reasoning, ServerCall
from turnlock.wire import Settings, Severity, check, decode, encoder

try:
    from turnlock.strict import judge_chat, judge_responses
except ImportError:
    JUDGES: Mapping[str, Callable[[Mapping[str, Any]], object]] = {}
else:
    JUDGES = {"openai_responses": judge_responses, "openai_chat": judge_chat}


def encode(dialect: str, items: list[Item], length: int, settings: Settings) -> bytes:
    return encoder(dialect).encode(items, length, settings).body


@pytest.mark.parametrize("dialect", SERVERS)
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
        if judge := JUDGES.get(dialect.partition("+")[0]):
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
        if dialect != "vllm_hf_templates":  # there, what users say in a row is one message that grows
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
    if dialect != "deepseek_responses":  # in its answers, calls stand last
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


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data(), damage=st.sampled_from(["drop", "double", "move"]))
def test_a_damaged_body_is_flagged(dialect: str, data: st.DataObject, damage: str) -> None:
    """R15: an output that is dropped, doubled, or moved before its call is found, for every kind of call.

    The strict provider refuses it too.
    """
    items, _ = data.draw(histories(dialect))
    body = json.loads(encode(dialect, items, len(items), Settings("model-a")))
    rows = body["input" if dialect in RESPONSES else "messages"]
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
    only_warns |= dialect == "vllm_hf_templates" or (damage == "double" and dialect == "deepseek_responses")
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
