"""The rules of Mistral as data, and the examples that came with them."""

from __future__ import annotations

from typing import Any

import pytest

from support.wire_rules import literal, table
from turnlock.wire import Severity, check
from turnlock.wire.mistral.rules import RULES

TABLE = table("mistral")
BY_ID = {entry["id"]: entry for entry in TABLE}
PROFILES = {"MIS-CONTENT-XOR": "+v3"}


@pytest.mark.parametrize("profiles", ["", "+hosted", "+common", "+v3", "+v13"])
@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["id"])
def test_a_valid_example_has_nothing_to_flag(entry: dict[str, Any], profiles: str) -> None:
    """Every rule's valid example passes, at every server."""
    assert check(entry["valid_example"], f"mistral{profiles}") == ()


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["id"])
def test_an_invalid_example_is_flagged_in_the_providers_words(entry: dict[str, Any]) -> None:
    """Every rule's invalid example is flagged with its id and the literal text, where it is a rule."""
    found = check(entry["invalid_example"], "mistral" + PROFILES.get(entry["id"], ""))
    ours = [each for each in found if each.rule == entry["id"]]
    assert all(each.severity is Severity.ERROR for each in ours)
    assert literal(entry["error_text"]).fullmatch(ours[0].message)


def test_conditional_rules_are_silent_without_their_profile() -> None:
    """MIS-CONTENT-XOR: newer tokenizers take both. MIS-ORDER: mistral-common takes a user behind a tool."""
    assert check(BY_ID["MIS-CONTENT-XOR"]["invalid_example"], "mistral") == ()
    assert check(BY_ID["MIS-ORDER"]["invalid_example"], "mistral+common") == ()
    (hosted,) = check(BY_ID["MIS-ORDER"]["invalid_example"], "mistral+hosted")
    assert hosted.message == "Unexpected role 'user' after role 'tool'"
    assert check(BY_ID["MIS-ORDER"]["invalid_example"], "mistral+common+hosted") == (hosted,)


def test_our_rules_are_the_shared_tables() -> None:
    """No rule of ours is missing from the table, and none of the table from ours."""
    assert {rule.id for rule in RULES} == BY_ID.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_the_table_says(rule: Any) -> None:
    """`reject` is an error, everywhere; what differs says why. Each says what to do."""
    entry = BY_ID[rule.id]
    assert rule.severity is (Severity.ERROR if entry["severity"] == "reject" else None)
    assert rule.severity is not None or rule.why
    assert rule.confidence == entry["confidence"]
    assert rule.statement.endswith(".")
    assert rule.fix.endswith(".")
    assert rule.source
    assert rule.literal
