"""The hunt: it finds, makes small, confirms, keeps to its budget, and goes on to the next rule."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import pytest

import turnlock.testing.hunting.hunt as hunting
from support.agents import Item, Plain, step
from support.wrong_agents import TriesAgain
from turnlock.testing import (
    Answer,
    Deviations,
    Fail,
    Finding,
    Harness,
    Hunted,
    Rule,
    User,
    Violation,
    hunt,
    hunt_all,
    replay,
)

NAMES = ["lots"]


@cache
def found() -> Hunted:
    return hunt(TriesAgain, examples=100, seed=1, steps=12)


def finding_in(hunted: Hunted) -> Finding:
    assert hunted.finding is not None
    return hunted.finding


def test_a_mistake_is_found_and_made_small() -> None:
    """What is left are the two steps that it takes, and it shows whenever it is tried again."""
    hunted = found()
    finding = finding_in(hunted)
    assert finding.rule is Rule.RAN_TWICE
    assert finding.what == "call a ran 2 times"
    assert finding.steps == (User("U1", (Answer(1),)), Fail("a"))
    assert finding.deviations == Deviations()
    assert finding.again == (3, 3)
    assert finding.story[0] == "  1. the user says U1; the model will answer with 1 call"
    assert finding.mermaid.startswith("sequenceDiagram\n")
    assert 1 <= hunted.stories <= hunted.played
    assert hunted.seconds > 0


def test_a_finding_plays_again() -> None:
    """It breaks the same rule when it is replayed, and the right agent keeps it in the same story."""
    finding = finding_in(found())
    with pytest.raises(Violation) as caught:
        replay(TriesAgain, finding.steps, finding.deviations)
    assert (caught.value.rule, caught.value.what, caught.value.story) == (
        finding.rule,
        finding.what,
        finding.story,
    )
    replay(TriesAgain, finding.steps, finding.deviations, ignore=["ran-twice"])
    replay(Plain, finding.steps, finding.deviations)


def test_the_same_seed_finds_the_same() -> None:
    """Under trio nothing is left to chance but the seed, if no time runs out."""
    again = hunt(TriesAgain, examples=100, seed=1, steps=12)
    assert (again.finding, again.stories) == (found().finding, found().stories)


class DependsOnOrder(Plain):
    """Forgets the results of an answer whose calls did not begin in their order."""

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        outputs.setdefault("first", step(call))
        await super().work(call, outputs)

    def told(self, calls: list[Item], outputs: dict[str, str]) -> None:
        first = outputs.pop("first", step(calls[0]))
        super().told(calls, outputs if first == step(calls[0]) else {})


def test_a_mistake_that_takes_a_schedule() -> None:
    """What depends on the order of tasks is found with the choices that it takes, and not without them."""
    finding = finding_in(hunt(DependsOnOrder, examples=300, seed=2, steps=5))
    assert finding.rule is Rule.TRUTHFUL
    assert len(finding.deviations) == 1
    assert finding.again == (3, 3)
    with pytest.raises(Violation, match="interrupted by the user"):
        replay(DependsOnOrder, finding.steps, finding.deviations)
    replay(DependsOnOrder, finding.steps)


def test_nothing_is_found_in_a_right_agent() -> None:
    """All the stories that were asked for were played."""
    hunted = hunt(Plain, examples=10, seed=1, steps=8)
    assert hunted.finding is None
    assert hunted.stories == hunted.played >= 10


def test_a_budget_of_seconds() -> None:
    """A hunt without an end ends when its time is over; wide margins, for busy machines."""
    began = time.monotonic()
    hunted = hunt(Plain, seconds=0.5, seed=1)
    assert hunted.finding is None
    assert hunted.stories >= 1
    assert 0.5 <= hunted.seconds <= time.monotonic() - began < 30.0


def test_no_time_at_all() -> None:
    """Then nothing is played."""
    hunted = hunt(TriesAgain, seconds=0.0)
    assert (hunted.finding, hunted.stories, hunted.played) == (None, 0, 0)


def test_progress_is_told() -> None:
    """Before every story, how many there were, and what has been found by then."""
    told: list[tuple[int, Finding | None]] = []

    def tell(number: int, found: Finding | None) -> None:
        told.append((number, found))

    hunted = hunt(
        TriesAgain,
        examples=100,
        seed=1,
        steps=12,
        progress=tell,
    )
    assert [number for number, _ in told] == list(range(1, hunted.played + 1))
    assert [finding is None for _, finding in told[: hunted.stories]] == [True] * hunted.stories
    assert all(finding is not None for _, finding in told[hunted.stories :])


def test_what_is_ignored_is_not_found() -> None:
    """A hunt that does not ask the rule finds nothing in an agent that breaks no other."""
    assert hunt(TriesAgain, examples=15, seed=1, steps=8, ignore=["ran-twice"]).finding is None


class ShowsAtFirst(Plain):
    """Runs a failed tool again, but only in the first story in which one fails."""

    shown = 0

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        await super().work(call, outputs)
        if outputs[call["call_id"]].startswith("error") and not ShowsAtFirst.shown:
            ShowsAtFirst.shown += 1
            await super().work(call, outputs)


def test_what_does_not_show_again_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding that depends on more than its story says how often it showed; nothing is printed."""
    ShowsAtFirst.shown = 0
    finding = finding_in(hunt(ShowsAtFirst, examples=100, seed=1, steps=12))
    assert finding.rule is Rule.RAN_TWICE
    assert finding.again == (0, 3)
    assert capsys.readouterr() == ("", "")


class Changes(TriesAgain):
    """Can do more in every second story."""

    made = 0

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness)
        Changes.made += 1
        self.retries = Changes.made % 2 == 0


def test_an_adapter_that_changes_ends_no_hunt(capsys: pytest.CaptureFixture[str]) -> None:
    """Hypothesis cannot play the same again with it: the hunt begins anew, and ends; nothing is printed."""
    Changes.made = 0
    hunted = hunt(Changes, examples=60, seed=1, steps=8)
    assert finding_in(hunted).rule is Rule.RAN_TWICE
    assert capsys.readouterr() == ("", "")


def test_an_adapter_that_fails_is_no_finding() -> None:
    """Its own error ends the hunt."""

    def fails(harness: Harness) -> Plain:
        raise ValueError("no key")

    with pytest.raises(ValueError, match="no key"):
        hunt(fails, examples=3)


@pytest.mark.parametrize(
    "asks",
    [
        lambda: hunt(Plain, examples=1, ignore=NAMES),
        lambda: list(hunt_all(Plain, seconds=0.1, ignore=NAMES)),
        lambda: replay(Plain, [], ignore=NAMES),
    ],
    ids=["hunt", "hunt_all", "replay"],
)
def test_rules_that_there_are_not(asks: Callable[[], object]) -> None:
    """A name that is no rule's is told with those that are."""
    with pytest.raises(ValueError, match="'lots' is not a valid Rule; the rules are refused, erased"):
        asks()


# ── one rule after the other ────────────────────────────────────────────────────────────────────────────


def test_one_rule_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is not asked again; the last hunt is the one that finds nothing."""
    finding = finding_in(found())
    left = [Rule.LOST, Rule.RAN_TWICE]
    asked: list[tuple[object, set[Rule], int | None]] = []

    def hunts(factory: object, *, ignore: frozenset[Rule], seed: int | None, **_more: object) -> Hunted:
        asked.append((factory, set(ignore), seed))
        broken = [rule for rule in left if rule not in ignore]
        made = None
        if broken:
            made = Finding(broken[0], "", "", finding.steps, finding.deviations, (), "", again=(3, 3))
        return Hunted(made, 1, 1, 0.0)

    monkeypatch.setattr(hunting, "hunt", hunts)
    hunted = list(hunting.hunt_all(TriesAgain, seconds=60.0, seed=7, ignore=["bound"]))
    assert [one.finding and one.finding.rule for one in hunted] == [Rule.LOST, Rule.RAN_TWICE, None]
    assert asked == [
        (TriesAgain, {Rule.BOUND}, 7),
        (TriesAgain, {Rule.BOUND, Rule.LOST}, 7),
        (TriesAgain, {Rule.BOUND, Rule.LOST, Rule.RAN_TWICE}, 7),
    ]


def test_what_never_shows_again_is_looked_for_in_other_stories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding that does not show again leaves its rule asked, and the next hunt gets another seed."""
    finding = finding_in(found())
    asked: list[tuple[set[Rule], int | None]] = []

    def hunts(_factory: object, *, ignore: frozenset[Rule], seed: int | None, **_more: object) -> Hunted:
        asked.append((set(ignore), seed))
        unsure = Finding(Rule.LOST, "", "", finding.steps, finding.deviations, (), "", again=(0, 3))
        return Hunted(unsure if len(asked) == 1 else None, 1, 1, 0.0)

    monkeypatch.setattr(hunting, "hunt", hunts)
    hunted = list(hunting.hunt_all(TriesAgain, seconds=60.0, seed=7))
    assert [one.finding is None for one in hunted] == [False, True]
    assert asked == [(set(), 7), (set(), 8)]
