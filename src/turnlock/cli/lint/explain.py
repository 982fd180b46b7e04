"""The rule that a violation names, and what to do about it."""

from __future__ import annotations

from turnlock.wire import RULES, Rule
from turnlock.wire.common.rules import UNREADABLE


def rule_of(dialect: str, name: str) -> Rule:
    """The rule that a violation names."""
    rules = RULES.get(dialect.partition("+")[0], ())
    return next((rule for rule in rules if rule.id == name), UNREADABLE)
