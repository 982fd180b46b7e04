"""Any history that the engine can produce is written so that every model behind Converse takes it."""

from __future__ import annotations

import json
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

DIALECT = "bedrock_converse"
EVERYWHERE = pytest.mark.parametrize(
    "dialect",
    [
        DIALECT + profiles
        for profiles in ("", "+unmixed_user", "+unmixed_assistant", "+unmixed_assistant+unmixed_user")
    ],
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """An assistant message as its stream assembles it."""
    content: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 5))):
        match draw(st.sampled_from(["text", "cited", "thought", "use", "use", "hosted", "image"])):
            case "text":
                content.append({"text": draw(TEXTS)})
            case "cited":
                content.append({"citationsContent": {"content": [{"text": draw(TEXTS)}], "citations": []}})
            case "thought":
                said = {"reasoningText": {"text": draw(TEXTS), "signature": "c2ln"}}
                content.append(
                    {"reasoningContent": draw(st.sampled_from([said, {"redactedContent": "QQ=="}]))}
                )
            case "use":
                given = draw(
                    st.one_of(ARGUMENTS, ARGUMENTS.map(json.loads), st.sampled_from(["{", None, [1]]))
                )
                use = {"toolUseId": draw(CALL_IDS), "name": draw(NAMES), "input": given}
                content.append({"toolUse": use})
            case "hosted":
                label = draw(CALL_IDS)
                use = {"toolUseId": label, "name": "nova_code", "input": {}, "type": "server_tool_use"}
                content.append({"toolUse": use})
                if draw(st.integers(0, 3)):
                    content.append({"toolResult": {"toolUseId": label, "content": [{"json": {"o": 1}}]}})
            case _:
                content.append({"image": {"format": "png", "source": {"bytes": "QUJD"}}})
    return {"role": "assistant", "content": content}


SOME = settings(max_examples=40)
HISTORIES = histories(DIALECT, answers())
SETTINGS = st.builds(
    Settings,
    st.sampled_from(MODELS),
    st.sampled_from(["", "Be brief."]),
    st.sampled_from([(), TOOLS]),
    st.sampled_from([{}, {"inferenceConfig": {"maxTokens": 5}}]),
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
    """R10, R19: with and without tools of the session's own."""
    assert_bytes_depend_on_items_alone(dialect, history, said)


@EVERYWHERE
@SOME
@given(history=HISTORIES, said=SETTINGS)
def test_no_call_output_or_message_is_left_out(dialect: str, history: History, said: Settings) -> None:
    """R16."""
    assert_nothing_is_left_out(dialect, history[0], said)


@given(history=HISTORIES)
def test_what_was_sent_once_is_sent_again(history: History) -> None:
    """R10: the message that closed a request stands where it stood, so that prompt caches survive."""
    items, lengths = history
    before: list[Any] = []
    for length in lengths:
        rows = encoded(DIALECT, items[:length], Settings("model-a"))["messages"]
        kept = rows[: len(before)]
        # What closed a request gives way only to what a user then said.
        assert kept == before or (kept[:-1] == before[:-1] and rows[len(before) - 1]["role"] == "user")
        before = rows


@EVERYWHERE
@SOME
@given(history=HISTORIES, instructions=st.sampled_from(["", "Be brief."]))
def test_a_body_that_was_read_is_written_as_it_was(dialect: str, history: History, instructions: str) -> None:
    """What a body says, and its transcript, are the same; what it cannot say stands in ``read.py``."""
    assert_a_body_reads_back(dialect, history[0], Settings("", instructions, TOOLS))


@given(history=HISTORIES, damage=st.sampled_from(["drop", "double", "move"]), data=st.data())
def test_a_damaged_body_is_flagged(history: History, damage: str, data: st.DataObject) -> None:
    """R15: a result that is dropped, doubled, or moved behind the next message, is found."""
    body = encoded(DIALECT, history[0], Settings("model-a"))
    rows = body["messages"]
    results = [
        (at, place)
        for at, row in enumerate(rows)
        for place, block in enumerate(row["content"])
        if row["role"] == "user" and "toolResult" in block
    ]
    assume(results)
    at, place = data.draw(st.sampled_from(results))
    block = rows[at]["content"][place]
    rows[at]["content"][place : place + 1] = [block, block] if damage == "double" else []
    if damage == "move":
        rows.insert(at + 1, {"role": "user", "content": [block]})
    assert any(found.severity is Severity.ERROR for found in check(body, DIALECT))
    assert_a_walk_may_go_on(DIALECT, body)


BODIES = HISTORIES.map(lambda history: encoded(DIALECT, history[0], Settings("model-a")))


@EVERYWHERE
@given(body=BODIES)
@SOME
def test_a_valid_body_of_another_server_is_mended(dialect: str, body: dict[str, Any]) -> None:
    """R16: what leaves for the plain dialect is a repair away from what this server takes."""
    assert_a_repair_is_sound(dialect, body)


@EVERYWHERE
@given(body=damaged(BODIES, "content"))
def test_any_damage_is_mended(dialect: str, body: dict[str, Any]) -> None:
    """R16, C36 to C42: nothing is left, a second repair changes nothing, and nothing disappears."""
    assert_a_repair_is_sound(dialect, body)
