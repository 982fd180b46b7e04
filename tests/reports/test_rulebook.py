"""The page of rules: what the data says today, whole, and with links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from turnlock.cli import main
from turnlock.reports import explained, rulebook
from turnlock.reports.rulebook import NOTES, REGENERATE
from turnlock.wire import DIALECTS, RULES, Rule

PAGE = Path(__file__).parents[2] / "docs" / "wire-rules.md"
EVERY = [rule for rules in RULES.values() for rule in rules]
NOTED = [rule for rules in NOTES.values() for rule in rules]


def test_the_page_is_current() -> None:
    """What was written is what would be written today."""
    assert PAGE.read_text("utf-8") == rulebook(), f"{PAGE.name} is stale. Repair with: {REGENERATE}"


def test_the_command_writes_the_page() -> None:
    """The way to write it anew is the one that the page and the failure name."""
    result = CliRunner().invoke(main, ["lint", "--rulebook"])
    assert (result.exit_code, result.stdout) == (0, rulebook())
    assert REGENERATE in rulebook()
    assert REGENERATE in (PAGE.parents[1] / "CONTRIBUTING.md").read_text("utf-8")


@pytest.mark.parametrize("rule", dict.fromkeys(EVERY), ids=lambda rule: rule.id)
def test_every_rule_says_what_to_do_and_where_it_is_from(rule: Rule) -> None:
    """Whoever breaks a rule learns what it asks, who says so, and what to do."""
    assert rule.fix.endswith(".")
    assert rule.statement.endswith(".")
    assert rule.source
    assert rule.text
    assert rule.severity is not None or rule.profiles


def test_what_is_not_looked_for_is_told_too() -> None:
    """Shapes that are accepted, and refusals that no body shows, are explained and never flagged."""
    assert NOTES.keys() <= set(DIALECTS)
    assert not {rule.id for rule in NOTED} & {rule.id for rule in EVERY}
    for rule in NOTED:
        assert (rule.severity, rule.profiles, bool(rule.source)) == (None, frozenset(), True)
        kind = "refused, but no body shows it" if rule.text else "accepted"
        assert f"Severity: {kind}: nothing is flagged" in explained(rule.id)


def test_every_rule_stands_on_the_page_once() -> None:
    """Every dialect has its section, every rule its entry, and every link an entry that it leads to."""
    page = rulebook()
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(DIALECTS) <= set(headings)
    assert {rule.id for rule in (*EVERY, *NOTED)} <= set(headings)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\(#([^)]+)\)", page)
    assert set(links) <= anchors
    assert len(links) > len(EVERY)
    for dialect in DIALECTS:
        section = page.partition(f"\n## {dialect}\n")[2].partition("\n## ")[0]
        assert all(f"[{rule.id}" in section for rule in RULES[dialect]), dialect
        profiles = {profile for rule in RULES[dialect] for profile in rule.profiles}
        assert all(f"`{dialect}+{profile}`" in section for profile in profiles), dialect


def test_a_rule_of_several_servers_is_told_in_each_form() -> None:
    """A server that nobody saw refuse it has it as a warning, and says why."""
    told = explained("chat-call-no-tool")
    assert told.count("CHAT-CALL-NO-TOOL  (") == 2
    assert "Severity: error\n" in told
    assert "Severity: warning\n" in told


def test_profiles_are_told() -> None:
    """Where a rule holds only with a profile, that is said."""
    assert "Severity: error with +4.6, silent elsewhere" in explained("ANT-PREFILL")
    assert "Severity: warning; error with +unique_ids" in explained("RESP-DUP-CALL-ID")
