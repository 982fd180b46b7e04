"""Recorded requests with the provider's verdict (pydantic/pydantic-ai test recordings, MIT licence)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import Severity, check

HERE = Path(__file__).resolve()
WHOLE = HERE.parents[3] / "shared" / "wire" / "recorded_requests.jsonl"
DIALECTS = ("openai_responses", "openai_chat", "deepseek_responses")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


SAMPLE = read(HERE.parent / "data" / "wire_recorded_openai.jsonl")
STRUCTURAL = ("required following item", "No tool output found", "No tool call found", "tool_call_id")
"""Parts of refusals that are about the history; others are about models and media."""


def text_of(refusal: Any) -> str:
    envelope = json.loads(refusal) if isinstance(refusal, str) else refusal
    return str(envelope["error"]["message"])


def judge(recording: dict[str, Any]) -> None:
    body = recording["body"]
    errors = [found for found in check(body, recording["dialect"]) if found.severity is Severity.ERROR]
    assert list(check(json.dumps(body), recording["dialect"])) == list(check(body, recording["dialect"]))
    if recording["status"] == 200:
        assert errors == []
    elif any(part in text_of(recording["error"]) for part in STRUCTURAL):
        assert errors[0].message == text_of(recording["error"])
    else:
        assert errors == []


@pytest.mark.parametrize("recording", SAMPLE, ids=lambda recording: recording["source"].split("/")[-1][:60])
def test_a_recorded_body_is_judged_as_the_provider_did(recording: dict[str, Any]) -> None:
    """Accepted bodies pass; a refusal about the history is predicted word for word."""
    judge(recording)


def test_the_sample_holds_both_refusals_about_a_history() -> None:
    """The two structural refusals that were recorded are among the copied bodies."""
    texts = [text_of(each["error"]) for each in SAMPLE if each["status"] != 200]
    assert sum(any(part in text for part in STRUCTURAL) for text in texts) == 2


@pytest.mark.skipif(not WHOLE.exists(), reason="the shared recordings are not beside this checkout")
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for every recorded body of these dialects."""
    ours = [each for each in read(WHOLE) if each["dialect"] in DIALECTS]
    assert len(ours) > 100
    for recording in ours:
        judge(recording)
