"""Recorded requests with the provider's verdict (pydantic/pydantic-ai test recordings, MIT licence)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import Severity, check, repair
from turnlock.wire.openai_chat import COMPATIBLE

HERE = Path(__file__).resolve()
WHOLE = HERE.parents[3] / "shared" / "wire" / "recorded_requests.jsonl"
RESPONSES = ("openai_responses", "deepseek_responses")
DIALECTS = (*RESPONSES, "openai_chat", *COMPATIBLE)
IN_PROFILE = {"deepseek_chat": "deepseek_chat+thinking"}
"""The profile in which all recordings of a dialect were made."""


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


SAMPLE = read(HERE.parent / "data" / "wire_recorded_openai.jsonl")
STRUCTURAL = ("required following item", "No tool output found", "No tool call found", "tool_call_id")
"""Parts of refusals that are about the history; others are about models and media."""

SAMPLED = pytest.mark.parametrize(
    "recording", SAMPLE, ids=lambda recording: recording["source"].split("/")[-1][:60]
)
ALL = pytest.mark.skipif(not WHOLE.exists(), reason="the shared recordings are not beside this checkout")


def whole() -> list[dict[str, Any]]:
    ours = [each for each in read(WHOLE) if each["dialect"] in DIALECTS]
    assert len(ours) > 100
    return ours


def text_of(refusal: Any) -> str:
    envelope = json.loads(refusal) if isinstance(refusal, str) else refusal
    return str(envelope["error"]["message"])


def errors_of(body: Mapping[str, Any], dialect: str) -> list[Any]:
    return [found for found in check(body, dialect) if found.severity is Severity.ERROR]


def judge(recording: dict[str, Any]) -> None:
    body, dialect = recording["body"], recording["dialect"]
    errors = errors_of(body, dialect)
    assert list(check(json.dumps(body), dialect)) == list(check(body, dialect))
    if recording["status"] == 200:
        assert errors == []
        assert errors_of(body, IN_PROFILE.get(dialect, dialect)) == []
        assert repair(body, dialect).value is body
    elif any(part in text_of(recording["error"]) for part in STRUCTURAL):
        assert errors[0].message == text_of(recording["error"])
        assert repair(body, dialect).ok
    else:
        assert errors == []


@SAMPLED
def test_a_recorded_body_is_judged_as_the_provider_did(recording: dict[str, Any]) -> None:
    """Accepted bodies pass and need no repair; a refusal about the history is predicted word for word."""
    judge(recording)


def test_the_sample_holds_both_refusals_about_a_history() -> None:
    """The two structural refusals that were recorded are among the copied bodies."""
    texts = [text_of(each["error"]) for each in SAMPLE if each["status"] != 200]
    assert sum(any(part in text for part in STRUCTURAL) for text in texts) == 2


@ALL
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for every recorded body of these dialects."""
    for recording in whole():
        judge(recording)


# ── accepted bodies, damaged ────────────────────────────────────────────────────────────────────────


def is_output(row: Mapping[str, Any]) -> bool:
    """An output of the client: a provider's own may stand alone."""
    kind = str(row.get("type", ""))
    return row.get("role") == "tool" or (kind.endswith("_output") and row.get("execution") != "server")


def damaged(recording: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each output of a body removed, doubled, and, where it must stand next to its call, moved."""
    name = "input" if recording["dialect"] in RESPONSES else "messages"
    rows = recording["body"].get(name)
    for at in [at for at, row in enumerate(rows) if is_output(row)] if isinstance(rows, list) else ():
        for damage in ("drop", "double", "move"):
            body = deepcopy(recording["body"])
            changed = body[name]
            row = changed[at] if damage == "double" else changed.pop(at)
            if damage == "double":
                changed.insert(at + 1, deepcopy(row))
            elif damage == "move":
                users = (n for n in range(at, len(changed)) if changed[n].get("role") == "user")
                behind = next(users, None)
                if behind is None:
                    changed.append({"role": "user", "content": "wait"})
                    behind = len(changed) - 1
                changed.insert(behind + 1, row)
            if not (damage == "move" and recording["dialect"] == "openai_responses"):
                yield damage, body


def is_held(body: Mapping[str, Any]) -> bool:
    return body.get("previous_response_id") is not None or body.get("conversation") is not None


def judge_damage(recording: dict[str, Any]) -> int:
    seen = 0
    dialect = recording["dialect"]
    for damage, body in damaged(recording):
        if damage == "drop" and is_held(body):
            continue  # what it answered stands at the provider: only a host knows that it is missing
        seen += 1
        found = check(body, dialect)
        assert found, (recording["source"], damage)
        unseen = dialect == "deepseek_responses" and damage == "double"  # nobody saw what it says to that
        if not unseen and {each.rule for each in found} != {"RESP-CALL-NO-OUTPUT-OTHER"}:
            assert errors_of(body, dialect), (recording["source"], damage)
        mended = repair(body, dialect)
        assert mended.ok
        assert errors_of(mended.value, dialect) == []
        assert repair(mended.body, dialect).changes == ()
    return seen


@SAMPLED
def test_a_damaged_body_is_flagged_and_mended(recording: dict[str, Any]) -> None:
    """R15, R16: an accepted body whose output is removed, doubled, or moved behind the next user message."""
    if recording["status"] == 200:
        judge_damage(recording)


@ALL
def test_every_damaged_body_is_flagged_and_mended() -> None:
    """The same holds for every accepted body of these dialects that has outputs."""
    accepted = [recording for recording in whole() if recording["status"] == 200]
    assert sum(map(judge_damage, accepted)) > 200
