"""A rule in full, and what to do when it is broken."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from turnlock.wire import RULES, Rule
from turnlock.wire.common.rules import UNREADABLE

_ADVICE = (
    ("EMPTY", 'Say something: an empty part is refused; a result that has nothing to say is "(no output)".'),
    ("LEN", "Use shorter ids, the same on the call and on its output."),
    ("ITEMID", "Send items without ids, unless the provider stores them."),
    ("REASONING", "Send reasoning with the item that it was made with, or neither with its id."),
    ("THINKING", "Send thinking back as it came, first in its message, or not at all."),
    ("SIGNATURE", "Send the signature back as it came with its call."),
    ("ORPHAN", "Leave out the output, or send the call that it answers before it."),
    ("NO-CALL", "Leave out the output, or send the call that it answers before it."),
    ("DUP", "Send each call and each output once; call ids are unique within a request."),
    ("ORDER", "Put the outputs directly behind their calls, and messages behind the outputs."),
    ("ADJACENT", "Put the outputs directly behind their calls, and messages behind the outputs."),
)
_USUAL = (
    "Give each call exactly one output, directly behind the calls of its answer; messages follow it. "
    "`turnlock repair FILE` writes what is missing."
)


def rule_of(dialect: str, name: str) -> Rule:
    """The rule that a violation names."""
    rules = RULES.get(dialect.partition("+")[0], ())
    return next((rule for rule in rules if rule.id == name), UNREADABLE)


def advice(rule: Rule) -> str:
    """What to do when it is broken."""
    if rule.fix:
        return rule.fix
    return next((text for part, text in _ADVICE if part in rule.id), _USUAL)


def explain(name: str) -> str:
    """A rule in full.

    Raises:
        ValueError: There is no such rule.
    """
    known = {rule.id: rule for rules in RULES.values() for rule in rules} | {UNREADABLE.id: UNREADABLE}
    rule = known.get(name.upper())
    if rule is None:
        near = get_close_matches(name.upper(), known, n=3, cutoff=0.4) or sorted(known)
        raise ValueError(f"there is no rule {name!r}; there are: {', '.join(near)}")
    return "\n".join(_told(rule))


def _told(rule: Rule) -> Iterator[str]:
    dialects = [dialect for dialect, rules in RULES.items() if rule in rules] or ["every dialect"]
    yield f"{rule.id}  ({', '.join(dialects)})"
    yield f"  {rule.statement}"
    yield f"  {'Literal text' if rule.literal else 'Our words'}: {rule.text}"
    where = "nowhere by itself" if rule.severity is None else f"{rule.severity}"
    strict = ", ".join(f"+{profile}" for profile in sorted(rule.profiles))
    yield f"  Severity: {where}{f'; error with {strict}' if strict else ''}"
    yield f"  Evidence: {rule.source} ({rule.confidence})"
    if rule.why:
        yield f"  Why so: {rule.why}"
    yield f"  What to do: {advice(rule)}"
