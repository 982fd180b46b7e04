"""What a rule is, and what is said when a request breaks one.

A rule is data: which dialect, how bad and where, the provider's own words, where they were seen, what to do.
The rules of a dialect stand in its room (``openai_responses/rules.py``); how they are looked for stands in
its ``check.py``. Nothing here knows a dialect.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from attrs import field, frozen


class Severity(StrEnum):
    """``error``: the request must not leave. ``warning``: no source saw it refused, or not everywhere."""

    ERROR = "error"
    WARNING = "warning"


@frozen
class Violation:
    """One place where a request breaks a rule.

    Attributes:
        rule: The rule's id.
        severity: Whether the request may leave all the same.
        message: What the provider would answer, with ids and positions filled in.
        at: Where, as a JSON pointer into the body: ``"/input/3"``; ``""`` is the body itself.
        call_ids: The provider's labels of the calls that it is about.
    """

    rule: str
    severity: Severity
    message: str
    at: str
    call_ids: tuple[str, ...] = ()


class Confidence(StrEnum):
    """How a rule is known. What is only inferred is never an error."""

    RECORDED = "recorded"
    DOCUMENTED = "documented"
    OBSERVED = "observed in issues"
    INFERRED = "inferred"


@frozen
class Rule:
    """One rule of a provider.

    Attributes:
        id: Its id in the shared table of wire rules.
        severity: How a violation counts in the plain dialect; None: it is looked for in ``profiles`` only.
        text: The provider's literal words; ``{names}`` are filled in.
        statement: What the rule asks, in a sentence.
        source: Where the words were seen.
        literal: False when nobody saw the provider's words, and the text is ours.
        why: Why the severity is not the one that the shared table gives; empty when it is.
        profiles: Profiles of servers in which a violation is an error, whatever it is elsewhere.
        confidence: How it is known.
        fix: What to do about a violation, in a sentence.
        ends: It is about how a request ends: a history that somebody will say more in does not break it.
        absent: What is wrong is that something does not stand behind the place.
    """

    id: str
    severity: Severity | None
    text: str
    statement: str
    source: str
    literal: bool = True
    why: str = ""
    profiles: frozenset[str] = field(default=frozenset(), kw_only=True)
    confidence: Confidence = field(default=Confidence.OBSERVED, kw_only=True)
    fix: str = field(default="", kw_only=True)
    ends: bool = field(default=False, kw_only=True)
    absent: bool = field(default=False, kw_only=True)

    def severity_in(self, profiles: Collection[str]) -> Severity | None:
        """How a violation counts at a server with these profiles; None when it is none there."""
        return self.severity if self.profiles.isdisjoint(profiles) else Severity.ERROR

    def broken(
        self,
        at: str,
        call_ids: tuple[str, ...] = (),
        *,
        severity: Severity = Severity.ERROR,
        **names: object,
    ) -> Violation:
        """A violation of this rule; ``names`` fill its text."""
        return Violation(self.id, severity, self.text.format(**names), at, call_ids)


UNREADABLE = Rule(
    "UNREADABLE",
    Severity.ERROR,
    "The body cannot be read: {problem}.",
    "A body is a JSON object of the dialect's shape; what cannot be read cannot be checked.",
    "ours: the check must be able to say that it saw nothing",
    literal=False,
    fix="Send a JSON object of the dialect's shape.",
)
"""The one rule that every dialect shares."""
