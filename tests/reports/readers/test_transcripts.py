"""All transcripts that stand beside this checkout: nothing crashes, the recorded failures are told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from turnlock.reports import Implied, open_recording
from turnlock.strict import judge_anthropic, judge_chat, judge_responses

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "transcripts"
INDEX = FOLDER / "INDEX.jsonl"
ENTRIES: list[dict[str, Any]] = (
    [json.loads(line) for line in INDEX.read_text("utf-8").splitlines()] if INDEX.exists() else []
)
FAILURES = [entry for entry in ENTRIES if entry["recorded_failure"]]
UNREAD = {"codex_exec_json", "opencode_events", "openhands_events", "inspect_ai"}

pytestmark = pytest.mark.skipif(not ENTRIES, reason="the shared transcripts are not beside this checkout")


def name(entry: dict[str, Any]) -> str:
    return str(entry["file"])[:40]


def read(entry: dict[str, Any]) -> list[Implied]:
    return [request for each in open_recording(FOLDER / entry["file"]) for request in each.requests()]


def refusal(request: Implied) -> str | None:
    """What a provider would say, by judges that share no code with the readers."""
    body = request.body()
    if request.dialect == "anthropic":
        judged = judge_anthropic({"model": "m", "max_tokens": 1, **body})
    else:
        judged = judge_responses(body) if request.dialect == "openai_responses" else judge_chat(body)
    # Shapes are not judged: files that were trimmed by hand have fields of another kind.
    return None if judged is None or judged.rule == "SHAPE" else judged.message


def nowhere(text: str) -> str:
    """A refusal without its index: Anthropic counts messages after it has merged them."""
    return re.sub(r"^messages\.\d+", "messages", text)


@pytest.mark.parametrize("entry", ENTRIES, ids=name)
def test_every_transcript_is_read(entry: dict[str, Any]) -> None:
    """Nothing crashes; what holds calls or outputs implies requests; what was answered was sound."""
    found = read(entry)
    if entry["format"] in UNREAD:
        assert found == []
        return
    assert bool(found) or not entry["calls"] + entry["outputs"]
    if entry["format"] != "gemini_cli_session":
        answered = [each for each in found if each.verdict is not None and each.verdict.accepted]
        # OpenHands spoke to a proxy that takes empty lists of parts; it is judged as one that does not.
        texts = {refusal(each) for each in answered} - {None}
        assert all(entry["format"] == "openhands_llm_log" and "empty array" in str(text) for text in texts)


@pytest.mark.parametrize("entry", FAILURES, ids=name)
def test_a_recorded_failure_is_told_in_the_providers_words(entry: dict[str, Any]) -> None:
    """From first principles: the refused request breaks the rule that the provider named."""
    [failure] = entry["recorded_failure"]
    *_, last = read(entry)
    assert last.verdict is not None
    assert not last.verdict.accepted
    predicted = refusal(last)
    assert predicted is not None
    if failure["error_class"] != "other":  # Bedrock's answer was not written down
        assert nowhere(last.verdict.error) == nowhere(predicted)
