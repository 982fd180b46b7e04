"""The rules of Converse as data, and the examples that came with them."""

from __future__ import annotations

from typing import Any

import pytest

from support.wire_rules import literal, table
from turnlock.wire import Severity, check
from turnlock.wire.bedrock.rules import NOTES, RULES

DIALECT = "bedrock_converse"
TABLE = table("bedrock")
BY_ID = {entry["id"]: entry for entry in TABLE}
PROFILES = {"BR-MIXED-USER": "+unmixed_user", "BR-MIXED-ASSISTANT": "+unmixed_assistant"}
INVALID = [entry for entry in TABLE if entry["invalid_example"]]


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any]) -> None:
    """Every rule's valid example passes, BR-START-USER among them: a history may begin with an answer."""
    assert check(entry["valid_example"], DIALECT) == ()


@pytest.mark.parametrize("entry", INVALID, ids=lambda entry: entry["id"])
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged with its id and the literal text, where it is a rule."""
    found = check(entry["invalid_example"], DIALECT + PROFILES.get(entry["id"], ""))
    (ours,) = {each.message for each in found if each.rule == entry["id"]}
    assert all(each.severity is Severity.ERROR for each in found)
    if entry["error_text"]:
        assert literal(entry["error_text"]).fullmatch(ours)


@pytest.mark.parametrize("rule_id", sorted(PROFILES))
def test_what_some_models_refuse_is_silent_without_their_profile(rule_id: str) -> None:
    """BR-MIXED-USER, BR-MIXED-ASSISTANT: Claude 4.5 and Nova accept both (recorded)."""
    assert check(BY_ID[rule_id]["invalid_example"], DIALECT) == ()


def test_our_rules_are_the_shared_tables() -> None:
    """No rule of ours is missing from the table, and none of the table from ours."""
    assert {rule.id for rule in RULES} == {entry["id"] for entry in TABLE if entry["severity"] != "accept"}
    assert {rule.id for rule in NOTES} == {entry["id"] for entry in TABLE if entry["severity"] == "accept"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_the_table_says(rule: Any) -> None:
    """`reject` is an error, everywhere; what differs says why. Each says what to do."""
    entry = BY_ID[rule.id]
    assert rule.severity is (Severity.ERROR if entry["severity"] == "reject" else None)
    assert rule.severity is not None or rule.why
    assert rule.literal == (entry["error_text"] is not None)
    assert rule.confidence == entry["confidence"]
    assert rule.statement.endswith(".")
    assert rule.fix.endswith(".")
    assert rule.source
