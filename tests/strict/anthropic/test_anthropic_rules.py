"""The verdicts on Anthropic's messages against the table of rules, and against what the provider answered."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from turnlock.strict import judge_anthropic

DATA = Path(__file__).parents[2] / "data"
SHARED = Path(__file__).parents[4] / "shared" / "wire" / "recorded_requests.jsonl"
RULES: dict[str, dict[str, Any]] = {
    rule["id"]: rule
    for rule in json.loads((DATA / "rules_anthropic.json").read_text(encoding="utf-8"))["rules"]
}
#: What no request shows, and ANT-TOOLS-DEFINED, which nobody verified on a model of today.
NOT_JUDGED = {"ANT-THINKING-MODIFIED", "ANT-THINKING-SIGNATURE", "ANT-TOOLS-DEFINED"}
#: Where the table has no text, one of another tool's, or left out two signs of the recorded one.
LITERALLY = {
    "ANT-USE-TRAILING": (
        "messages.0: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    ),
    "ANT-SERVER-RESULT-ORPHAN": (
        "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: "
        "srvtoolu_1. Each `web_search_tool_result` block must have a corresponding `server_tool_use` block "
        "before it."
    ),
    "ANT-SERVER-UNPAIRED": (
        "messages.1: `web_search` tool use with id `srvtoolu_1` was found without a corresponding "
        "`web_search_tool_result` block"
    ),
    "ANT-RESULT-ERROR-EMPTY": (
        "messages.2.content.0.tool_result: content cannot be empty if `is_error` is true"
    ),
}


def as_pattern(template: str) -> str:
    """A text of the table, with its {names} standing for anything."""
    return re.sub(r"\\{[a-z]+\\}", ".+", re.escape(template))


@pytest.mark.parametrize("rule_id", RULES)
def test_every_valid_example_is_accepted(rule_id: str) -> None:
    """What the table calls valid passes: ANT-MERGE, ANT-FIRST-ROLE, ANT-PAUSE-TURN and every other rule."""
    assert judge_anthropic(RULES[rule_id]["valid_example"]) is None


@pytest.mark.parametrize("rule_id", [i for i in RULES if RULES[i]["invalid_example"] and i not in NOT_JUDGED])
def test_every_invalid_example_is_refused_with_the_literal_text(rule_id: str) -> None:
    """What the table calls invalid breaks that rule, with its status and text (every rule)."""
    rule = RULES[rule_id]
    refusal = judge_anthropic(rule["invalid_example"])
    assert refusal is not None
    assert (refusal.rule, refusal.status, refusal.type) == (rule_id, rule["http_status"], rule["error_type"])
    if rule_id in LITERALLY:
        assert refusal.message == LITERALLY[rule_id]
    else:
        assert re.fullmatch(as_pattern(rule["error_text"]), refusal.message)


@pytest.mark.parametrize("rule_id", sorted(NOT_JUDGED))
def test_what_no_request_shows_is_not_refused(rule_id: str) -> None:
    """A rule that only the provider's own state can decide is not guessed at (the rules of NOT_JUDGED)."""
    assert judge_anthropic(RULES[rule_id]["invalid_example"]) is None


def recorded(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row.get("dialect") == "anthropic"]


def refused(rows: list[dict[str, Any]]) -> list[str]:
    """The rows whose history is refused."""
    judged = [(row["source"], judge_anthropic(row["body"])) for row in rows]
    return [f"{source}: {refusal.message}" for source, refusal in judged if refusal is not None]


def test_the_copied_recordings_are_accepted() -> None:
    """Merged turns, reused ids, calls in flight, system messages and pictures pass, as the provider let them.

    The one that it refused it refused for an option of the request, at which nobody looks here (ANT-MERGE,
    ANT-USE-ID-UNIQUE, ANT-SERVER-UNPAIRED, ANT-SYSTEM-PLACEMENT).
    """
    rows = recorded(DATA / "recorded_anthropic.jsonl")
    assert [row["status"] for row in rows].count(200) == 10
    assert refused(rows) == []


@pytest.mark.skipif(
    not SHARED.exists(), reason="the whole collection of recordings is kept outside the repository"
)
def test_no_recorded_request_that_was_accepted_is_refused() -> None:
    """Over the whole collection the verdicts are never stricter than Anthropic was (every accept shape)."""
    rows = recorded(SHARED)
    assert len(rows) > 60
    assert refused(rows) == []
