"""Recorded bodies of Converse with the provider's verdict (pydantic/pydantic-ai recordings, MIT licence)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.wire_rules import DATA, RECORDINGS, recorded
from turnlock.wire import check, encoder, read

DIALECT = "bedrock_converse"
SAMPLE = recorded(DATA / "wire_recorded_bedrock.jsonl")


def judge(recording: dict[str, Any]) -> None:
    """No recorded refusal is about the history: they are about media that a model does not take."""
    body = recording["body"]
    assert check(body, DIALECT) == ()
    assert check(json.dumps(body), DIALECT) == ()


@pytest.mark.parametrize("recording", SAMPLE, ids=lambda recording: recording["source"].split("/")[-1][:60])
def test_a_recorded_body_has_nothing_to_flag(recording: dict[str, Any]) -> None:
    """Results and words in one message (BR-MIXED-USER) are among them."""
    judge(recording)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not beside this checkout")
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for all of them."""
    ours = [each for each in recorded(RECORDINGS) if each["dialect"] == DIALECT]
    assert len(ours) >= 50
    for recording in ours:
        judge(recording)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not beside this checkout")
def test_a_damaged_recording_is_flagged() -> None:
    """BR-EXPECTED-RESULT, BR-EXTRA-RESULT: a result that is removed, doubled or moved one message on."""
    damaged = 0
    for recording in recorded(RECORDINGS):
        if recording["dialect"] != DIALECT or recording["status"] != 200:
            continue
        for at, row in enumerate(recording["body"]["messages"]):
            for place, block in enumerate(row["content"]):
                if "toolResult" not in block or row["role"] != "user":
                    continue
                damaged += 1
                for damage in ("drop", "double", "move"):
                    body = json.loads(json.dumps(recording["body"]))
                    content = body["messages"][at]["content"]
                    content[place : place + 1] = {"drop": [], "double": [block, block], "move": []}[damage]
                    if damage == "move":
                        body["messages"].insert(at + 1, {"role": "user", "content": [block]})
                        body["messages"][at]["content"] = [{"text": "wait"}]
                    call_id = block["toolResult"]["toolUseId"]
                    assert any(call_id in found.call_ids for found in check(body, DIALECT))
    assert damaged > 30


@pytest.mark.parametrize("recording", SAMPLE, ids=lambda recording: recording["source"].split("/")[-1][:60])
def test_a_recorded_body_is_written_as_it_was(recording: dict[str, Any]) -> None:
    """What was accepted reads back, and leaves again with the same messages, but for media inside results."""
    body = recording["body"]
    history = read(body, DIALECT)
    again = json.loads(encoder(DIALECT).encode(history.items, len(history.items), history.settings()).body)
    assert check(again, DIALECT) == ()
    for row, before in zip(again["messages"], body["messages"], strict=True):
        assert row["role"] == before["role"]
        assert [list(block) for block in row["content"]] == [list(block) for block in before["content"]]
