"""Any history that the engine can produce is written so that every Mistral server takes it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from support.wire_histories import (
    ARGUMENTS,
    CALL_IDS,
    MODELS,
    NAMES,
    TEXTS,
    TOOLS,
    History,
    assert_a_body_reads_back,
    assert_a_repair_is_sound,
    assert_a_walk_may_go_on,
    assert_bytes_depend_on_items_alone,
    assert_nothing_is_left_out,
    assert_nothing_is_wrong,
    damaged,
    encoded,
    histories,
)
from turnlock.wire import Settings, Severity, check

DIALECT = "mistral"
EVERYWHERE = pytest.mark.parametrize(
    "dialect", [f"{DIALECT}{each}" for each in ("", "+hosted", "+v3", "+v13", "+common", "+common+v3")]
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """An assistant message as its stream assembles it."""
    content: Any = draw(TEXTS)
    if draw(st.booleans()):
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": draw(TEXTS)}]}
        content = [thinking, {"type": "text", "text": content}, {"type": "reference", "reference_ids": [1]}]
    calls = [
        {
            "id": draw(CALL_IDS),
            "function": {"name": draw(NAMES), "arguments": draw(ARGUMENTS)},
            "index": place,
        }
        for place in range(draw(st.integers(0, 3)))
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


SOME = settings(max_examples=40)
HISTORIES = histories(DIALECT, answers())
SETTINGS = st.builds(
    Settings,
    st.sampled_from(MODELS),
    st.sampled_from(["", "Be brief."]),
    st.sampled_from([(), TOOLS]),
    st.sampled_from([{}, {"temperature": 0.1}]),
)


@EVERYWHERE
@SOME
@given(history=HISTORIES, said=SETTINGS)
def test_no_body_of_the_engine_breaks_a_rule(dialect: str, history: History, said: Settings) -> None:
    """R15, R4, C20 to C22: whatever ids, kinds, causes and models, there is nothing to find."""
    assert_nothing_is_wrong(dialect, history, said)


@EVERYWHERE
@SOME
@given(history=HISTORIES, said=SETTINGS)
def test_the_bytes_depend_on_nothing_but_items_and_settings(
    dialect: str, history: History, said: Settings
) -> None:
    """R10, R19."""
    assert_bytes_depend_on_items_alone(dialect, history, said)


@EVERYWHERE
@SOME
@given(history=HISTORIES, said=SETTINGS)
def test_no_call_output_or_message_is_left_out(dialect: str, history: History, said: Settings) -> None:
    """R16."""
    assert_nothing_is_left_out(dialect, history[0], said)


@EVERYWHERE
@SOME
@given(history=HISTORIES, instructions=st.sampled_from(["", "Be brief."]))
def test_a_body_that_was_read_is_written_as_it_was(dialect: str, history: History, instructions: str) -> None:
    """What a body says, and its transcript, are the same; what it cannot say stands in ``read.py``."""
    assert_a_body_reads_back(dialect, history[0], Settings("model-a", instructions, TOOLS))


@given(history=HISTORIES, damage=st.sampled_from(["drop", "double", "move"]), data=st.data())
def test_a_damaged_body_is_flagged(history: History, damage: str, data: st.DataObject) -> None:
    """R15: a tool message that is dropped, doubled, or moved behind the next user item, is found."""
    body = encoded(DIALECT, history[0], Settings("model-a"))
    rows = body["messages"]
    tools = [at for at, row in enumerate(rows) if row["role"] == "tool"]
    assume(tools)
    at = data.draw(st.sampled_from(tools))
    row = rows[at] if damage == "double" else rows.pop(at)
    if damage == "move":
        at = next((place for place in range(at, len(rows)) if rows[place]["role"] == "user"), len(rows))
        if at == len(rows):
            rows.append({"role": "user", "content": "wait"})
        at += 1
    if damage != "drop":
        rows.insert(at, row)
    assert any(found.severity is Severity.ERROR for found in check(body, DIALECT))
    for profiles in ("", "+common", "+v3"):
        assert_a_walk_may_go_on(DIALECT + profiles, body)


BODIES = HISTORIES.map(lambda history: encoded(DIALECT, history[0], Settings("model-a")))


@EVERYWHERE
@given(body=BODIES)
@SOME
def test_a_valid_body_of_another_server_is_mended(dialect: str, body: dict[str, Any]) -> None:
    """R16: what leaves for the plain dialect is a repair away from what this server takes."""
    assert_a_repair_is_sound(dialect, body)


@EVERYWHERE
@given(body=damaged(BODIES, "tool_calls"))
def test_any_damage_is_mended(dialect: str, body: dict[str, Any]) -> None:
    """R16, C36 to C42: nothing is left, a second repair changes nothing, and nothing disappears."""
    assert_a_repair_is_sound(dialect, body)
