"""Recorded bodies of Mistral with the provider's verdict (pydantic/pydantic-ai recordings, MIT licence)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.wire_rules import DATA, RECORDINGS, recorded
from turnlock.wire import Severity, check

SAMPLE = recorded(DATA / "wire_recorded_mistral.jsonl")


def judge(recording: dict[str, Any]) -> None:
    """No refusal was recorded."""
    assert recording["status"] == 200
    for profiles in ("", "+hosted", "+common"):
        assert check(recording["body"], f"mistral{profiles}") == ()


@pytest.mark.parametrize("recording", SAMPLE, ids=lambda recording: recording["source"].split("/")[-1][:60])
def test_a_recorded_body_has_nothing_to_flag(recording: dict[str, Any]) -> None:
    """MIS-ORDER: a short assistant message stands between results and a user's words in them."""
    judge(recording)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not beside this checkout")
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for all of them; damaged, each is flagged: MIS-COUNT, MIS-ORDER, MIS-ID-SET."""
    ours = [each for each in recorded(RECORDINGS) if each["dialect"] == "mistral"]
    assert len(ours) >= 14
    damaged = 0
    for recording in ours:
        judge(recording)
        for at, row in enumerate(recording["body"]["messages"]):
            if row["role"] != "tool":
                continue
            damaged += 1
            for damage in ("drop", "double", "move"):
                body = json.loads(json.dumps(recording["body"]))
                rows = body["messages"]
                wait = {"role": "user", "content": "wait"}
                rows[at : at + 1] = {"drop": [], "double": [row, row], "move": [wait, row]}[damage]
                assert any(found.severity is Severity.ERROR for found in check(body, "mistral"))
    assert damaged >= 10
