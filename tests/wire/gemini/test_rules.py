"""The rules of Gemini as data, the examples that came with them, and recorded requests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import RULES, Severity, check
from turnlock.wire.gemini.rules import NOTES

HERE = Path(__file__).resolve()
DATA = HERE.parents[1] / "data"
WHOLE = HERE.parents[4] / "shared" / "wire" / "recorded_requests.jsonl"
TABLE = json.loads((DATA / "wire_rules_gemini.json").read_text("utf-8"))["rules"]
BY_ID = {entry["id"]: entry for entry in TABLE}
OURS = {rule.id: rule for rule in RULES["gemini"]}
EVERYWHERE = ("gemini", "gemini+3", "gemini+vertex", "gemini+3+vertex")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def literal(text: str) -> re.Pattern[str]:
    """A provider's text from the shared table, with its placeholders as wildcards."""
    return re.compile("(?:.+)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text)))


def profile_of(entry: dict[str, Any]) -> str:
    """Where a rule's violation is an error: the profiles are said by the rule's own data."""
    profiles = sorted(OURS[entry["id"]].profiles)
    return "+".join(["gemini", *profiles])


@pytest.mark.parametrize("dialect", EVERYWHERE)
@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any], dialect: str) -> None:
    """Every valid example passes in every profile, GEM-MODEL-MERGE's accepted shape among them."""
    assert check(entry["valid_example"], dialect) == ()


@pytest.mark.parametrize("entry", [BY_ID[rule_id] for rule_id in OURS], ids=lambda entry: entry["id"])
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged in its profile, with its id and the literal text."""
    found = check(entry["invalid_example"], profile_of(entry))
    ours = [violation for violation in found if violation.rule == entry["id"]]
    assert ours
    assert ours[0].severity is Severity.ERROR
    if entry["error_text"]:
        assert literal(entry["error_text"]).fullmatch(ours[0].message)
    else:
        assert not OURS[entry["id"]].literal


@pytest.mark.parametrize("rule_id", ["GEM-FR-ONE-CONTENT", "GEM-SIG-MISSING"])
def test_a_profiles_rule_is_silent_outside_of_it(rule_id: str) -> None:
    """What only Vertex or only Gemini 3 refuses is not even a warning elsewhere."""
    other = "gemini+3" if rule_id == "GEM-FR-ONE-CONTENT" else "gemini+vertex"
    found = check(BY_ID[rule_id]["invalid_example"], "gemini")
    assert found == ()
    assert rule_id not in {violation.rule for violation in check(BY_ID[rule_id]["invalid_example"], other)}


def test_a_rule_without_a_profile_of_the_table_warns_outside_of_ours() -> None:
    """GEM-MIXED-TURN: refused by Vertex on recent models; elsewhere clients are seen to mix."""
    (found,) = check(BY_ID["GEM-MIXED-TURN"]["invalid_example"], "gemini")
    assert (found.rule, found.severity) == ("GEM-MIXED-TURN", Severity.WARNING)
    (found,) = check(BY_ID["GEM-MIXED-TURN"]["invalid_example"], "gemini+vertex")
    assert (found.rule, found.severity) == ("GEM-MIXED-TURN", Severity.ERROR)


def test_what_a_body_cannot_show_is_not_guessed() -> None:
    """GEM-SIG-INVALID: an edited signature looks like any other."""
    assert check(BY_ID["GEM-SIG-INVALID"]["invalid_example"], "gemini+3+vertex") == ()


def test_our_rules_are_the_shared_tables() -> None:
    """Every rule of the table is looked for, or stands among the notes."""
    checkable = {entry["id"] for entry in TABLE if entry["severity"] not in ("accept", "runtime-only")}
    assert OURS.keys() == checkable
    assert {note.id for note in NOTES} == BY_ID.keys() - checkable


@pytest.mark.parametrize("rule", OURS.values(), ids=lambda rule: rule.id)
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule: Any) -> None:
    """`reject` is an error everywhere; a condition is an error in its profile."""
    entry = BY_ID[rule.id]
    assert (rule.severity is Severity.ERROR) == (entry["severity"] == "reject")
    assert bool(rule.profiles) == (entry["severity"] == "conditional")
    assert entry.get("profile") in {None, *rule.profiles}
    assert rule.statement.endswith(".")
    assert rule.fix
    assert rule.source
    assert rule.confidence == entry["confidence"]


# ── recorded requests (pydantic/pydantic-ai test recordings, MIT licence) ───────────────────────────


def judge(recording: dict[str, Any]) -> None:
    """The one recorded refusal is about a picture's address: nothing of the history is wrong in any."""
    body = recording["body"]
    assert check(body, "gemini") == ()
    assert check(json.dumps(body), "gemini+vertex") == ()
    by_2 = "thoughtSignature" not in json.dumps(body) and "thought_signature" not in json.dumps(body)
    assert bool(check(body, "gemini+3")) == by_2


@pytest.mark.parametrize(
    "recording", read(DATA / "wire_recorded_gemini.jsonl"), ids=lambda r: r["source"][-60:]
)
def test_a_recorded_body_is_judged_as_the_provider_did(recording: dict[str, Any]) -> None:
    """Accepted bodies pass, in both spellings; unsigned calls are those of Gemini 2."""
    judge(recording)


@pytest.mark.skipif(not WHOLE.exists(), reason="the shared recordings are not beside this checkout")
def test_no_recorded_body_is_judged_otherwise() -> None:
    """The same holds for every recorded body of the dialect."""
    ours = [each for each in read(WHOLE) if each["dialect"] == "gemini"]
    assert len(ours) > 100
    for recording in ours:
        judge(recording)
