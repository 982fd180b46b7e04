"""What the wire promises, shown on all shared data: rules, recorded requests, damage, repair, other dialects.

(a) every rule's examples, (b) recorded requests with the provider's verdict, (c) each of them damaged is
noticed, (d) and mended, (e) recorded sessions go on in every dialect. The samples in ``tests/wire/data`` are
read where the whole does not stand beside this checkout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from support.damage import Damage, damages, hurt, key_of, said
from turnlock.cli.repair.mending import mend
from turnlock.cli.repair.sessions import next_requests
from turnlock.reports import Implied, open_recording
from turnlock.reports.rulebook import NOTES
from turnlock.wire import (
    DIALECTS,
    RULES,
    Confidence,
    Settings,
    Severity,
    Violation,
    check,
    encoder,
    read,
    repair,
)
from turnlock.wire.repair import mend_transcript

HERE = Path(__file__).resolve()
DATA = HERE.parents[1] / "wire" / "data"
SHARED = HERE.parents[3] / "shared"
TRANSCRIPTS = SHARED / "transcripts"
PROFILES = {
    name: sorted({profile for rule in rules for profile in rule.profiles}) for name, rules in RULES.items()
}
TARGETS = [*DIALECTS, *(f"{name}+{profile}" for name, profiles in PROFILES.items() for profile in profiles)]
BY_ID = {rule.id: rule for rules in (*RULES.values(), *NOTES.values()) for rule in rules}

HELD = {"RESP-PREV-PENDING": ("call_1",)}
"""What an example leaves to the provider's memory."""

MIXES = {"BR-MIXED-USER"}
"""The valid example is a request that other models of the provider accept: those without the profile."""

NO_BODY = {"GROQ-TOOL-USE-FAILED"}
"""The invalid example is what a model answered, and no request."""

WORDS = {"ANT-USE-TRAILING": ("call_1", "toolu_1"), "ANT-SERVER-RESULT-ORPHAN": ("advisor_", "web_search_")}
"""The literal text was recorded with another id, or block, than the example has."""


def _rules() -> list[dict[str, Any]]:
    whole = SHARED / "wire" / "rules.json"
    if whole.exists():
        table: list[dict[str, Any]] = json.loads(whole.read_text("utf-8"))
        return table
    tables = [json.loads(path.read_text("utf-8"))["rules"] for path in sorted(DATA.glob("wire_rules_*.json"))]
    return list({entry["id"]: entry for table in tables for entry in table}.values())


def _recorded() -> list[dict[str, Any]]:
    whole = SHARED / "wire" / "recorded_requests.jsonl"
    paths = [whole] if whole.exists() else sorted(DATA.glob("wire_recorded_*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").split("\n") if line]


def _sessions() -> list[Path]:
    index = TRANSCRIPTS / "INDEX.jsonl"
    lines = index.read_text("utf-8").splitlines() if index.exists() else []
    return [TRANSCRIPTS / json.loads(line)["file"] for line in lines]


TABLE, REQUESTS, SESSIONS = _rules(), _recorded(), _sessions()
ACCEPTED = [each for each in REQUESTS if each["status"] == 200]
REFUSED = [each for each in REQUESTS if each["status"] != 200]
beside = pytest.mark.skipif(not SESSIONS, reason="the shared transcripts are not beside this checkout")


def name(entry: dict[str, Any]) -> str:
    return str(entry.get("id") or f"{entry['dialect']}-{entry['source'].split('/')[-1][:60]}")


def errors(body: Any, dialect: str, open_calls: tuple[str, ...] = ()) -> list[Violation]:
    return [each for each in check(body, dialect, open_calls) if each.severity is Severity.ERROR]


# ── (a) rules ───────────────────────────────────────────────────────────────────────────────────────


def literal(entry: dict[str, Any]) -> re.Pattern[str]:
    """The provider's text; its placeholders, and the indices that it counts in its own way, are wildcards."""
    text = (entry["error_text"] or "").partition("  (")[0].replace(*WORDS.get(entry["id"], ("\0", "")))
    parts = re.split(r"\{[^}]*\}|(?<=messages\.)\d+", text)
    return re.compile(".+".join(map(re.escape, parts)))


def profiles(entry: dict[str, Any]) -> frozenset[str]:
    named = frozenset({entry["profile"]}) if entry.get("profile") else frozenset[str]()
    return named or BY_ID[entry["id"]].profiles


def found(entry: dict[str, Any], example: str, dialect: str) -> list[Violation]:
    every = check(entry[example], dialect, HELD.get(entry["id"], ()))
    return [each for each in every if each.rule == entry["id"]]


@pytest.mark.parametrize("entry", TABLE, ids=name)
def test_a_rules_examples(entry: dict[str, Any]) -> None:
    """Valid passes; invalid is flagged with id and words, as badly as is known, and where the rule holds."""
    dialect, rule = entry["provider"], BY_ID[entry["id"]]
    everywhere = [dialect, *(f"{dialect}+{profile}" for profile in sorted(profiles(entry)))]
    if entry["valid_example"] is not None:
        for place in everywhere[: 1 if entry["id"] in MIXES else None]:
            assert errors(entry["valid_example"], place, HELD.get(entry["id"], ())) == []
    if entry["severity"] in ("accept", "runtime-only"):
        assert rule.severity is None
        assert entry["id"] in NO_BODY or not found(entry, "invalid_example", dialect)
        return
    plain = found(entry, "invalid_example", dialect)
    if entry["severity"] == "reject":
        assert {each.severity for each in plain} == {Severity.ERROR}
    elif entry["confidence"] == "inferred":
        assert {each.severity for each in plain} == {Severity.WARNING}
    elif entry.get("profile"):
        assert plain == []
    for place in everywhere[1:]:
        strict = found(entry, "invalid_example", place)
        # What a body does not say needs more than its profile: which reasoning a stored call came with.
        assert strict or entry["id"] == "RESP-CALL-NEEDS-REASONING"
        assert all(each.severity is Severity.ERROR for each in strict)
        plain += strict
    if entry["error_text"]:
        assert all(literal(entry).fullmatch(each.message) for each in plain)


# ── (b) recorded requests ───────────────────────────────────────────────────────────────────────────

STRUCTURAL = ("required following item", "No tool output found", "No tool call found", "tool_call_id")
"""Parts of refusals that are about the history; others are about models, options and media."""


def refusal(error: Any) -> str:
    envelope = json.loads(error) if isinstance(error, str) else error
    inner = envelope.get("error", envelope)
    return str(inner["message"])


@pytest.mark.parametrize("recording", ACCEPTED, ids=name)
def test_b_what_was_accepted_is_no_error(recording: dict[str, Any]) -> None:
    """No recorded accepted request is held back; a repair gives it back as it was."""
    body, dialect = recording["body"], recording["dialect"]
    assert errors(body, dialect) == []
    raw = json.dumps(body).encode()
    assert repair(raw, dialect).body == raw


@pytest.mark.parametrize("recording", REFUSED, ids=name)
def test_b_what_was_refused_is_predicted(recording: dict[str, Any]) -> None:
    """A refusal about the history is flagged in the provider's words; of the others nothing is claimed."""
    flagged, text = errors(recording["body"], recording["dialect"]), refusal(recording["error"])
    predicted = [text] if any(part in text for part in STRUCTURAL) else []
    assert [each.message for each in flagged[:1]] == predicted


# ── (c) damage is noticed, (d) and mended ───────────────────────────────────────────────────────────


def damaged(recording: dict[str, Any]) -> Iterator[Damage]:
    yield from damages(recording["body"], recording["dialect"])


WITH_OUTPUTS = [each for each in ACCEPTED if next(damaged(each), None) is not None]


def test_the_recordings_hold_every_kind_of_damage() -> None:
    """An output removed, doubled, and moved behind the next user item, in most dialects."""
    kinds = {(each.name, recording["dialect"]) for recording in WITH_OUTPUTS for each in damaged(recording)}
    assert {kind for kind, _ in kinds} == {"removed", "doubled", "moved"}
    assert {dialect for _, dialect in kinds} >= {"openai_responses", "anthropic"}


@pytest.mark.parametrize("recording", WITH_OUTPUTS, ids=name)
def test_c_damage_is_flagged(recording: dict[str, Any]) -> None:
    """An error; a warning only where no source saw such a kind of call refused."""
    dialect = recording["dialect"]
    for damage in damaged(recording):
        flagged = check(damage.body, dialect)
        assert flagged, damage
        if not any(each.severity is Severity.ERROR for each in flagged):
            inferred = all(BY_ID[each.rule].confidence is Confidence.INFERRED for each in flagged)
            assert inferred, damage


@pytest.mark.parametrize("recording", WITH_OUTPUTS, ids=name)
def test_d_damage_is_mended(recording: dict[str, Any]) -> None:
    """R16: the checker is clean, a second repair changes nothing, and each text is there or in the report."""
    dialect, key = recording["dialect"], key_of(recording["dialect"])
    for damage in damaged(recording):
        mended = repair(damage.body, dialect)
        assert mended.ok, damage
        assert errors(mended.body, dialect) == [], damage
        again = repair(mended.body, dialect)
        assert (again.changes, again.body) == ((), mended.body), damage
        kept = said(mended.value[key]) + said([change.set_aside for change in mended.changes])
        assert said(damage.body[key]) - kept == {}, damage


@given(st.sampled_from(WITH_OUTPUTS), st.data())
@settings(max_examples=200, deadline=None)
def test_d_any_damage_is_mended(recording: dict[str, Any], data: st.DataObject) -> None:
    """R16: whatever was deleted, doubled and moved: sound, stable, and nothing that was there is lost."""
    dialect, key = recording["dialect"], key_of(recording["dialect"])
    damaged_body = hurt(recording["body"], dialect, lambda n: data.draw(st.integers(0, n - 1)))
    mended = repair(damaged_body, dialect)
    assert mended.left == () or not mended.value[key]  # no repair writes a history that is not there
    assert repair(mended.body, dialect).changes == ()
    kept = said(mended.value[key]) + said([change.set_aside for change in mended.changes])
    assert said(damaged_body[key]) - kept == {}
    items = mend_transcript(read(damaged_body, dialect).items).items
    assert mend_transcript(items).changes == ()
    target = data.draw(st.sampled_from(TARGETS))
    written = encoder(target).encode(items, len(items), Settings("m"))
    assert nothing_or_empty(written.body, target, written.open_calls) == []


@pytest.mark.parametrize("recording", WITH_OUTPUTS, ids=name)
def test_d_damage_can_go_on_elsewhere(recording: dict[str, Any]) -> None:
    """Read, mended as a transcript and encoded: sound in every dialect; mending it again changes nothing."""
    for number, damage in enumerate(damaged(recording)):
        history = read(damage.body, recording["dialect"])
        mended = mend_transcript(history.items)
        assert mend_transcript(mended.items).changes == ()
        for target in TARGETS[number % 3 :: 3] if number else TARGETS:
            asked = Settings(history.model or "m", history.instructions, history.tools)
            written = encoder(target).encode(mended.items, len(mended.items), asked)
            assert nothing_or_empty(written.body, target, written.open_calls) == [], (damage, target)


def nothing_or_empty(body: bytes, target: str, open_calls: tuple[str, ...]) -> list[Violation]:
    """The errors; none of a transcript without an item, which nobody sends."""
    value = json.loads(body)
    return errors(body, target, open_calls) if value[key_of(target)] else []


# ── (e) sessions ────────────────────────────────────────────────────────────────────────────────────


@beside
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name[:40])
def test_e_a_session_goes_on_in_every_dialect(path: Path) -> None:
    """Its next request, mended: sound in its own dialect and in every other, and stable."""
    for request in next_requests(open_recording(path)):
        for target in TARGETS:
            mended = mend(request, target)
            if mended.body.get(key_of(target)) == []:
                continue  # the file holds an output without its call, and nothing else
            assert mended.left == (), target
            assert errors(mended.body, target) == [], target
            assert repair(mended.body, target).changes == (), target


@beside
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name[:40])
def test_e_a_damaged_session_is_mended(path: Path) -> None:
    """The next request of a session that lost, doubled or moved one of its outputs: sound everywhere."""
    for request in next_requests(open_recording(path)):
        sound = mend(request)
        for number, damage in zip(range(6), damages(sound.body, request.dialect), strict=False):
            flagged = check(damage.body, request.dialect)
            assert flagged, damage
            hurt = _like(request, damage.body)
            for target in (request.dialect, *TARGETS[number::6]):
                mended = mend(hurt, target)
                assert mended.left == (), (damage, target)


def _like(request: Implied, body: dict[str, Any]) -> Implied:
    rows = body[request.key]
    envelope = {name: value for name, value in body.items() if name != request.key}
    return Implied(0, envelope, rows, len(rows), 0, None, True, None, request.dialect, request.key)
