"""Every rule of every dialect in words: the page docs/wire-rules.md, and one rule for a terminal.

Rendered from the rules as data and from nothing else. What a rule asks stands in its ``statement``, what to
do in its ``fix``; here stands only how they are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from turnlock.wire import DIALECTS, RULES, Rule
from turnlock.wire.anthropic.rules import NOTES as ANTHROPIC
from turnlock.wire.bedrock.rules import NOTES as BEDROCK
from turnlock.wire.common.rules import UNREADABLE
from turnlock.wire.gemini.rules import NOTES as GEMINI
from turnlock.wire.openai_chat.rules import NOTES as CHAT
from turnlock.wire.openai_responses.rules import NOTES as RESPONSES

NOTES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "openai_responses": RESPONSES,
        "openai_chat": CHAT,
        "anthropic": ANTHROPIC,
        "gemini": GEMINI,
        "bedrock_converse": BEDROCK,
    }
)
"""What no check looks for: shapes that are accepted, which have no text, and refusals that no body shows."""

REGENERATE = "turnlock lint --rulebook > docs/wire-rules.md"
"""How the page is written anew."""

_HEAD = f"""# What providers refuse

Written by `{REGENERATE}`; do not edit it. How the rules are used is told in
[wire.md](wire.md).

An *error* is refused: it was seen, or is documented. A *warning* was refused by some servers only, or nobody
has seen it refused; behind `+` stand the profiles in which it is an error. `{{…}}` stands for what the
provider fills in. *Recorded* is what stands in recorded traffic with the provider's verdict. In any dialect a
body that cannot be read breaks `UNREADABLE`.
"""

_ACCEPTED = "accepted: nothing is flagged"
_UNSEEN = "refused, but no body shows it: nothing is flagged"


def rulebook() -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for dialect in DIALECTS for line in _section(dialect))])


def explained(name: str) -> str:
    """One rule, for a terminal.

    Raises:
        ValueError: There is no such rule; the message has those that are near.
    """
    known = _known()
    if name.upper() not in known:
        near = get_close_matches(name.upper(), known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(known))}"
        raise ValueError(f"there is no rule {name!r}; {hint}")
    return "\n".join(line for rule, dialects in known[name.upper()].items() for line in _told(rule, dialects))


@cache
def _known() -> Mapping[str, Mapping[Rule, list[str]]]:
    """By id: the rule, in each form that a dialect gives it, and the dialects."""
    known: dict[str, dict[Rule, list[str]]] = {UNREADABLE.id: {UNREADABLE: ["every dialect"]}}
    for table in (RULES, NOTES):
        for dialect, rules in table.items():
            for rule in rules:
                known.setdefault(rule.id, {}).setdefault(rule, []).append(dialect)
    return known


def _told(rule: Rule, dialects: list[str]) -> Iterator[str]:
    yield f"{rule.id}  ({', '.join(dialects)})"
    yield f"  {rule.statement}"
    if rule.text:
        yield f"  {_text_label(rule)}: {rule.text}"
    for label, words in _facts(rule):
        yield f"  {label}: {words}"


def _text_label(rule: Rule) -> str:
    return "Literal text" if rule.literal else "Our words"


def _facts(rule: Rule) -> Iterator[tuple[str, str]]:
    """What is said of a rule beside its statement and its text."""
    yield "Severity", _severity(rule)
    yield "Evidence", f"{rule.source} ({rule.confidence})"
    if rule.why:
        yield "Why so", rule.why
    if rule.fix:
        yield "What to do", rule.fix


def _severity(rule: Rule) -> str:
    profiles = ", ".join(f"+{profile}" for profile in sorted(rule.profiles))
    if rule.severity is None:
        return f"error with {profiles}, silent elsewhere" if profiles else _UNSEEN if rule.text else _ACCEPTED
    return f"{rule.severity}; error with {profiles}" if profiles else f"{rule.severity}"


# ── the page ────────────────────────────────────────────────────────────────────────────────────────


def _section(dialect: str) -> Iterator[str]:
    owner = _owners()
    rules, notes = RULES[dialect], NOTES.get(dialect, ())
    yield f"## {dialect}\n"
    if profiles := sorted({profile for rule in rules for profile in rule.profiles}):
        yield f"Profiles: {', '.join(f'`{dialect}+{profile}`' for profile in profiles)}.\n"
    own = [rule for rule in (*rules, *notes) if owner[rule] == dialect]
    if own:
        yield "| rule | severity | in short |"
        yield "| --- | --- | --- |"
        for rule in own:
            short = rule.statement.replace("|", "\\|")
            yield f"| [{rule.id}](#{_anchor(rule)}) | {_severity(rule)} | {short} |"
        yield ""
    shared = [rule for rule in rules if owner[rule] != dialect]
    if shared:
        links = ", ".join(f"[{rule.id}](#{_anchor(rule)})" for rule in shared)
        yield f"{'Also' if own else 'Here'} hold {links}.\n"
    for rule in own:
        yield from _entry(rule)


def _entry(rule: Rule) -> Iterator[str]:
    yield f"### {_title(rule)}\n"
    yield f"{rule.statement}\n"
    if rule.text:
        yield f"{_text_label(rule)}:\n\n    {rule.text}\n"
    yield from (f"- {label}: {_linked(words)}" for label, words in _facts(rule))
    yield ""


def _linked(words: str) -> str:
    """Threads where something was seen, as links."""
    return _THREAD.sub(r"[\g<0>](https://github.com/\g<1>/issues/\g<2>)", words)


_THREAD = re.compile(r"(?<![\w/])([\w-]+/[\w.-]+)#(\d+)\b")
"""``owner/repository#number``: an issue, or a pull request to which such an address leads on."""


def _title(rule: Rule) -> str:
    """Ids stand once on the page; a form that a later dialect gives a rule is told apart by its name."""
    dialect = _owners()[rule]
    first = next(iter(_known()[rule.id]))
    return rule.id if rule == first else f"{rule.id} of {dialect}"


def _anchor(rule: Rule) -> str:
    return _title(rule).lower().replace(" ", "-")


@cache
def _owners() -> Mapping[Rule, str]:
    """The dialect under which a rule is told: the first that has it."""
    return {rule: dialects[0] for forms in _known().values() for rule, dialects in forms.items()}
