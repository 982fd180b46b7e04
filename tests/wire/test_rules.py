"""The rules as data, and the examples that came with them: OpenAI's two formats and whoever takes them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import RULES, Confidence, Severity, check
from turnlock.wire.openai_chat import COMPATIBLE, OPENAI, rules as chat_rules
from turnlock.wire.openai_responses import rules as responses_rules

TABLE = json.loads((Path(__file__).parent / "data" / "wire_rules_openai.json").read_text())["rules"]
BY_ID = {entry["id"]: entry for entry in TABLE}
FAMILIES = sorted({entry["provider"] for entry in TABLE})
OWN = {rule.id: rule for name in FAMILIES for rule in RULES[name] if BY_ID[rule.id]["provider"] == name}
NOTES = {rule.id: rule for rule in (*chat_rules.NOTES, *responses_rules.NOTES)}

HELD = {"RESP-PREV-PENDING": ("call_1",)}
"""What the example of a rule leaves to the provider's memory."""

PROFILES = {"RESP-CALL-NEEDS-REASONING": "stored"}
"""Where a conditional rule holds for which the table names no profile."""

ELSEWHERE = {
    "MINIMAX-FOLLOW": {"LLAMACPP-NULL"},
    "TEMPLATE-ALTERNATE": {"LLAMACPP-NULL"},
    "TEMPLATE-GPTOSS": {"LLAMACPP-NULL"},
}
"""Valid examples of one rule in which another, that only some servers have, warns."""


def literal(text: str) -> re.Pattern[str]:
    """A provider's text from the shared table, with its placeholders as wildcards."""
    text = text.partition("  (")[0]
    return re.compile("(?:.+)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text)))


def dialect_of(entry: dict[str, Any]) -> str:
    profile = entry.get("profile") or PROFILES.get(entry["id"])
    return f"{entry['provider']}+{profile}" if profile else str(entry["provider"])


@pytest.mark.parametrize("entry", [entry for entry in TABLE if entry["valid_example"]], ids=lambda e: e["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any]) -> None:
    """Every rule's valid example passes, those of severity `accept` against over-strictness among them."""
    for dialect in {entry["provider"], dialect_of(entry)}:
        found = check(entry["valid_example"], dialect, HELD.get(entry["id"], ()))
        assert {each.rule for each in found} <= ELSEWHERE.get(entry["id"], set())
        assert all(each.severity is Severity.WARNING for each in found)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in TABLE if entry["invalid_example"] and entry["id"] in OWN],
    ids=lambda e: e["id"],
)
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged with its id and the literal text, where the rule holds."""
    found = check(entry["invalid_example"], dialect_of(entry), HELD.get(entry["id"], ()))
    ours = [violation for violation in found if violation.rule == entry["id"]]
    assert ours
    if entry["severity"] == "reject" or dialect_of(entry) != entry["provider"]:
        assert ours[0].severity is Severity.ERROR
    if entry["error_text"]:
        assert literal(entry["error_text"]).fullmatch(ours[0].message)
    else:
        assert not OWN[entry["id"]].literal


@pytest.mark.parametrize("rule", [rule for rule in OWN.values() if rule.profiles], ids=lambda rule: rule.id)
def test_a_rule_of_a_profile_is_an_error_there(rule: Any) -> None:
    """Each of a rule's own profiles makes its invalid example an error; elsewhere it warns, or is silent."""
    entry = BY_ID[rule.id]
    for profile in rule.profiles:
        there = check(entry["invalid_example"], f"{entry['provider']}+{profile}")
        assert Severity.ERROR in {each.severity for each in there if each.rule == rule.id}
    plain = [
        each.severity for each in check(entry["invalid_example"], entry["provider"]) if each.rule == rule.id
    ]
    assert plain == ([rule.severity] if rule.severity else [])


@pytest.mark.parametrize("rule_id", sorted(NOTES))
def test_what_a_body_cannot_show_is_not_guessed(rule_id: str) -> None:
    """A rule that needs the provider's own state, or says what is accepted, flags nothing."""
    entry = BY_ID[rule_id]
    assert entry["severity"] in ("accept", "runtime-only")
    found = check(entry["invalid_example"] or entry["valid_example"] or {"input": []}, entry["provider"])
    assert [each for each in found if each.rule != "UNREADABLE"] == []


def test_our_rules_are_the_shared_tables() -> None:
    """No rule of ours is missing from the table, and none of the table is missing from ours."""
    assert OWN.keys() | NOTES.keys() == BY_ID.keys()
    assert OWN.keys() & NOTES.keys() == set()


@pytest.mark.parametrize("rule", OWN.values(), ids=lambda rule: rule.id)
def test_a_severity_that_differs_from_the_table_says_why(rule: Any) -> None:
    """`reject` is an error, a profile's rule silent outside it, all else a warning, or the data says why."""
    entry = BY_ID[rule.id]
    expected: Severity | None = Severity.ERROR if entry["severity"] == "reject" else Severity.WARNING
    if entry.get("profile") or rule.id in PROFILES:
        expected = None
    assert rule.severity is expected or rule.why
    assert str(rule.confidence) == entry["confidence"]


@pytest.mark.parametrize("rule", [*OWN.values(), *NOTES.values()], ids=lambda rule: rule.id)
def test_a_rule_can_be_explained(rule: Any) -> None:
    """A statement, where it was seen and, if it can be broken, what to do."""
    assert rule.statement.endswith(".")
    assert rule.source
    assert rule.fix.endswith(".") or rule.id in NOTES


@pytest.mark.parametrize("name", [name for name in FAMILIES if name in COMPATIBLE or name == OPENAI.name])
def test_what_is_only_inferred_of_a_server_is_no_error(name: str) -> None:
    """OpenAI's rules that nobody saw another server apply only warn there, and say so."""
    for rule in RULES[name]:
        if rule.confidence is Confidence.INFERRED:
            assert rule.severity is Severity.WARNING
            assert not rule.profiles
            assert rule.why


def test_an_unknown_dialect_is_refused_with_the_known_ones() -> None:
    """A wrong name is the caller's mistake, and the message names the repair."""
    with pytest.raises(ValueError, match=r"no dialect 'openai'.*openai_responses, openai_chat"):
        check({}, "openai")
    with pytest.raises(ValueError, match=r"groq has no profile 'thinking'; known: none"):
        check({}, "groq+thinking")
