"""Every rule of a sequencing test has an agent that breaks it, and one that keeps it in the same story."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from support import wrong_agents
from support.agents import Factory, Listening, Plain, Timed
from turnlock.testing import (
    Advance,
    Answer,
    Fail,
    Interrupt,
    Open,
    Release,
    Rule,
    Send,
    SessionAgent,
    Stubborn,
    User,
    Violation,
    replay,
)
from turnlock.testing.sequencing.steps import Step

ONE = User("U1", (Answer(1),))
TWO = User("U1", (Answer(2),))
Case = tuple[Rule, Factory, Factory, Sequence[Step], str]

CASES: list[Case] = [
    (Rule.REFUSED, wrong_agents.LeavesCallsOpen, Plain, [ONE, Interrupt()], "No tool output found"),
    (Rule.ERASED, wrong_agents.ErasesCalls, Plain, [ONE, Interrupt()], "request 2 does not hold call a"),
    (
        Rule.ONE_OUTPUT,
        wrong_agents.RewritesOutputs,
        Plain,
        [ONE, Open("a")],
        "request 3 says 'result of a (old)'",
    ),
    (Rule.TRUTHFUL, wrong_agents.OmitsNothingButTruth, Plain, [ONE, Interrupt()], "but it was begun"),
    (
        Rule.TRUTHFUL,
        wrong_agents.ForgetsResults,
        Plain,
        [TWO, Open("a"), Interrupt()],
        "but it had returned 'result of a'",
    ),
    (Rule.RAN_TWICE, wrong_agents.TriesAgain, Plain, [ONE, Fail("a")], "call a ran 2 times"),
    (
        Rule.LOST,
        wrong_agents.ForgetsMessages,
        Plain,
        [ONE, Interrupt()],
        "carried U1, and request 2 does not",
    ),
    (
        Rule.LOST,
        wrong_agents.Deaf,
        Listening,
        [ONE, Send("U2"), Interrupt()],
        "U2 was accepted, and no request",
    ),
    (Rule.UNANSWERED, wrong_agents.Deaf, Listening, [ONE, Send("U2"), Open("a")], "U2 was accepted"),
    (
        Rule.DOUBLED,
        wrong_agents.SaysTwice,
        Plain,
        [User("U1", (Answer(status=500),)), Advance(9.0)],
        "U1 2 times",
    ),
    (
        Rule.REORDERED,
        wrong_agents.LastInFirstOut,
        Listening,
        [ONE, Send("U2"), Send("U3"), Open("a")],
        "carries U3 before U2",
    ),
    (Rule.PROGRESS, wrong_agents.HangsOnFailure, Plain, [ONE, Fail("a")], "the turn does not end"),
    (Rule.PROGRESS, wrong_agents.DiesOfInterrupts, Plain, [ONE, Interrupt()], "cannot be used any more"),
    (Rule.PROGRESS, wrong_agents.NeverStops, Plain, [ONE, Interrupt(cancel=False)], "it never ends"),
    (Rule.BOUND, wrong_agents.HasNoClock, Timed, [ONE, Advance(11.0)], "was not stopped 11 s after it began"),
    (Rule.BOUND, Timed, SessionAgent, [ONE, Stubborn("a")], "call a was asked to stop, and 11.1 s later"),
    (
        Rule.BOUND,
        Timed,
        SessionAgent,
        [ONE, Stubborn("a"), Interrupt()],
        "call a was asked to stop, and 1.1 s later",
    ),
    (Rule.BYSTANDER, wrong_agents.StopsTheOthers, Plain, [TWO, Fail("a")], "call b was cancelled"),
    (Rule.RUNS_ON, wrong_agents.LeavesToolsRunning, Plain, [ONE, Interrupt()], "the tool of call a runs on"),
    (
        Rule.TOO_SOON,
        wrong_agents.Hasty,
        Plain,
        [User("U1", (Answer(status=429, retry_after=5.0),)), Advance(9.0)],
        "request 2 came 5 s before",
    ),
    (
        Rule.TWO_AT_ONCE,
        wrong_agents.Hedges,
        Plain,
        [User("U1", (Answer(holds=0),)), Release()],
        "request 2 left while",
    ),
    (Rule.ADAPTER, wrong_agents.Complains, Plain, [User("U1")], "the books do not balance"),
]
IDS = [f"{case[0]}-{case[1].__name__}" for case in CASES]


def test_no_rule_is_without_an_agent_that_breaks_it() -> None:
    """A rule that nothing here breaks could be empty."""
    assert {case[0] for case in CASES} == set(Rule)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_wrong_agent_is_found_and_the_right_one_is_not(case: Case) -> None:
    """Each mistake breaks its rule and no other before it; without the mistake the story passes."""
    rule, wrong, right, steps, what = case
    with pytest.raises(Violation) as caught:
        replay(wrong, steps)
    assert caught.value.rule == rule
    assert what in caught.value.what
    assert caught.value.story[0].strip().startswith("1. the user says U1")
    assert (caught.value.literal != "") == (rule == Rule.REFUSED)
    replay(right, steps)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_rule_that_is_ignored_is_not_asked(case: Case) -> None:
    """Whoever ignores a rule by name hears nothing of it."""
    rule, wrong, _right, steps, _what = case
    try:
        replay(wrong, steps, ignore=[str(rule)])
    except Violation as other:
        assert other.rule != rule  # noqa: PT017  # another one may follow from the same mistake
