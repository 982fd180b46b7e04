"""The rules of Anthropic Messages as data, the examples that came with them, and recorded requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import Severity, Violation, check
from turnlock.wire.anthropic import AnthropicWalk
from turnlock.wire.anthropic.rules import NOTES, RULES
from turnlock.wire.anthropic.servers import MINIMAX, MINIMAX_RULES
from turnlock.wire.common.walk import walk_all

HERE = Path(__file__).resolve()
DATA = HERE.parents[1] / "data"
WHOLE = HERE.parents[4] / "shared" / "wire" / "recorded_requests.jsonl"
TABLE = json.loads((DATA / "wire_rules_anthropic.json").read_text("utf-8"))["rules"]
BY_ID = {entry["id"]: entry for entry in TABLE}
PROFILES = {"ANT-TOOLS-DEFINED": "tools_required"}
UNSEEN = {entry["id"] for entry in TABLE if entry["severity"] == "runtime-only"}

OTHER_WORDS = {
    "ANT-USE-TRAILING": r"messages\.0: `tool_use` ids .* immediately after: toolu_1\. Each .* next message\.",
    "ANT-SERVER-RESULT-ORPHAN": r"messages\.1\.content\.0: unexpected `tool_use_id` found in "
    r"`web_search_tool_result` blocks: srvtoolu_1\. Each `web_search_tool_result` block must have a "
    r"corresponding `server_tool_use` block before it\.",
    "ANT-SERVER-UNPAIRED": r"messages\.1: `web_search` tool use with id `srvtoolu_1` was found without a "
    r"corresponding `web_search_tool_result` block",
}
"""The table has these texts with the ids and types of another request, or not at all."""


def literal(entry: Mapping[str, Any]) -> str:
    """The provider's text of an entry, with its placeholders as wildcards."""
    parts = re.split(r"\{[^}]*\}", entry["error_text"] or "")
    return OTHER_WORDS.get(entry["id"]) or "(?:.+)".join(map(re.escape, parts))


def find(entry: Mapping[str, Any], example: str) -> list[Violation]:
    """What is found in an example, in the profile of its rule."""
    body = entry[example]
    if entry["provider"] == "minimax":
        return list(walk_all(AnthropicWalk(body, server=MINIMAX), body))
    profile = PROFILES.get(entry["id"]) or entry.get("profile")
    return list(check(body, f"anthropic+{profile}" if profile else "anthropic"))


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any]) -> None:
    """Every rule's valid example passes, those of severity `accept` against over-strictness among them."""
    assert find(entry, "valid_example") == []


@pytest.mark.parametrize(
    "entry",
    [each for each in TABLE if each["invalid_example"] and each["id"] not in UNSEEN],
    ids=lambda entry: entry["id"],
)
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged with its id and the literal text, as badly as it is known."""
    first = next(each for each in find(entry, "invalid_example") if each.rule == entry["id"])
    assert re.fullmatch(literal(entry), first.message)
    warns = entry["severity"] == "warn"
    assert first.severity is (Severity.WARNING if warns else Severity.ERROR)


@pytest.mark.parametrize("rule_id", ["ANT-PREFILL", "ANT-THINKING-FIRST", *sorted(UNSEEN)])
def test_what_does_not_hold_here_is_not_flagged(rule_id: str) -> None:
    """Out of its profile or condition a rule is silent, and so is one that a body alone cannot break."""
    body = dict(BY_ID[rule_id]["invalid_example"])
    body.pop("thinking", None)
    assert [each.rule for each in check(body, "anthropic")] == []


def test_our_rules_are_the_shared_tables() -> None:
    """Each entry of the table is looked for, or noted as one that no check may flag."""
    noted = {entry["id"] for entry in TABLE if entry["severity"] == "accept"} | UNSEEN
    assert {rule.id for rule in NOTES} == noted
    assert {rule.id for rule in (*RULES, *MINIMAX_RULES)} == BY_ID.keys() - noted


@pytest.mark.parametrize("rule", [*RULES, *MINIMAX_RULES, *NOTES], ids=lambda rule: rule.id)
def test_a_rule_says_what_it_asks_and_where_it_is_from(rule: Any) -> None:
    """Severity and confidence are the table's, and whoever breaks a rule is told what to do."""
    entry = BY_ID[rule.id]
    assert rule.statement.endswith(".")
    assert rule.source
    assert rule.confidence == entry["confidence"]
    if rule in NOTES:
        assert rule.severity is None
        return
    assert rule.fix.endswith(".")
    expected = {"reject": Severity.ERROR, "warn": Severity.WARNING}.get(entry["severity"])
    if "profile" in entry:
        assert (rule.severity, rule.profiles) == (None, {entry["profile"]})
    else:
        assert rule.severity is expected or rule.why or rule.profiles


def recorded(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    return [row for row in rows if row["dialect"] == "anthropic"]


def judge(recording: Mapping[str, Any]) -> None:
    """The one recorded refusal is about an option: no recorded history has anything to flag."""
    body = recording["body"]
    assert check(body, "anthropic+4.6+tools_required") == check(json.dumps(body), "anthropic") == ()


@pytest.mark.parametrize(
    "recording",
    recorded(DATA / "wire_recorded_anthropic.jsonl"),
    ids=lambda recording: recording["source"].split("/")[-1][:60],
)
def test_a_recorded_body_is_judged_as_the_provider_did(recording: dict[str, Any]) -> None:
    """ANT-MERGE, ANT-SERVER-UNPAIRED in flight, system messages, an id in two turns: accepted, and unflagged.

    From the test recordings of pydantic/pydantic-ai (MIT licence).
    """
    judge(recording)


@pytest.mark.skipif(not WHOLE.exists(), reason="the shared recordings are not beside this checkout")
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for every recorded body of the dialect."""
    every = recorded(WHOLE)
    assert len(every) > 60
    for recording in every:
        judge(recording)
