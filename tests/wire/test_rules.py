"""The rules as data, and the examples that came with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from turnlock.wire import RULES, Severity, check

TABLE = json.loads((Path(__file__).parent / "data" / "wire_rules_openai.json").read_text())["rules"]
BY_ID = {entry["id"]: entry for entry in TABLE}
OURS = {
    rule.id: rule
    for name, found in RULES.items()
    if name in {entry["provider"] for entry in TABLE}
    for rule in found
}

HELD = {"RESP-PREV-PENDING": ("call_1",)}
"""What the example of a rule leaves to the provider's memory."""

UNSEEN = {
    "RESP-CALL-NEEDS-REASONING": "which reasoning a stored item needs stands in no body",
    "RESP-ENCRYPTED-INVALID": "runtime only",
    "RESP-PREV-ZDR": "runtime only",
    "RESP-CONV-LOCK": "runtime only",
}
"""Rules with an invalid example that no check of a body can find."""


def literal(text: str) -> re.Pattern[str]:
    """A provider's text from the shared table, with its placeholders as wildcards."""
    text = text.partition("  (")[0]
    return re.compile("(?:.+)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text)))


@pytest.mark.parametrize("entry", [entry for entry in TABLE if entry["valid_example"]], ids=lambda e: e["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any]) -> None:
    """Every rule's valid example passes, those of severity `accept` against over-strictness among them."""
    assert check(entry["valid_example"], entry["provider"], HELD.get(entry["id"], ())) == ()


@pytest.mark.parametrize(
    "entry",
    [entry for entry in TABLE if entry["invalid_example"] and entry["id"] not in UNSEEN],
    ids=lambda e: e["id"],
)
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged with its id and the literal text."""
    found = check(entry["invalid_example"], entry["provider"], HELD.get(entry["id"], ()))
    ours = [violation for violation in found if violation.rule == entry["id"]]
    assert ours
    if entry["error_text"]:
        assert literal(entry["error_text"]).fullmatch(ours[0].message)
    else:
        assert not OURS[entry["id"]].literal


@pytest.mark.parametrize("rule_id", sorted(UNSEEN))
def test_what_a_body_cannot_show_is_not_guessed(rule_id: str) -> None:
    """A rule that needs the provider's own state flags nothing: the check does not lie."""
    assert check(BY_ID[rule_id]["invalid_example"], BY_ID[rule_id]["provider"]) == ()


def test_our_rules_are_the_shared_tables() -> None:
    """No rule of ours is missing from the table, and none that a body can break is missing from ours."""
    checkable = {
        entry["id"] for entry in TABLE if entry["severity"] not in ("accept", "runtime-only")
    } - UNSEEN.keys()
    assert OURS.keys() == checkable


@pytest.mark.parametrize("rule", OURS.values(), ids=lambda rule: rule.id)
def test_a_severity_that_differs_from_the_table_says_why(rule: Any) -> None:
    """`reject` is an error, all else a warning, unless the rule's own data explains itself."""
    expected = Severity.ERROR if BY_ID[rule.id]["severity"] == "reject" else Severity.WARNING
    assert rule.severity is expected or rule.why
    assert rule.statement.endswith(".")
    assert rule.source


def test_an_unknown_dialect_is_refused_with_the_known_ones() -> None:
    """A wrong name is the caller's mistake, and the message names the repair."""
    with pytest.raises(ValueError, match=r"no dialect 'openai'.*openai_responses, openai_chat"):
        check({}, "openai")
