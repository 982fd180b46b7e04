"""The rules of the oracle, each over books written by hand: when it speaks, and when it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pytest

from turnlock.testing import Entry, Rule, Violation, Visit
from turnlock.testing.gates import Fate, Passage
from turnlock.testing.sequencing.oracle import judge, judge_end, judge_rest, overdue, rules, step_of, watch
from turnlock.testing.sequencing.record import Made, Record, Said, Taken


def said(text: str, mode: str = "turn", *, instant: int = 0, taken: Taken = Taken.ACCEPTED) -> Said:
    return Said(text, mode, instant=instant, taken=taken)


def visit(step: str, fate: Fate = Fate.WAITS, result: str = "", ended: float | None = None) -> Visit:
    return Visit(step, fate, result, ended=ended)


def returned(step: str, ended: float = 1.0) -> Visit:
    return visit(step, Fate.RETURNED, f"result of {step}", ended)


def made(step: str, *visits: Visit, pressed: float | None = None) -> Made:
    return Made(step, 1, 0.0, list(visits), pressed=pressed)


def books(*calls: Made, said: Sequence[Said] = (), kept: float | None = None) -> Record:
    return Record(kept, list(said), {call.step: call for call in calls})


def user(text: str) -> Entry:
    return Entry("user", text)


def call(step: str, call_id: str | None = None) -> Entry:
    return Entry("call", json.dumps({"step": step}), call_id or f"call_{step}", "work")


def output(step: str, text: str, call_id: str | None = None) -> Entry:
    return Entry("output", text, call_id or f"call_{step}")


def answered(step: str, text: str) -> list[Entry]:
    return [call(step), output(step, text)]


def broken(violations: Iterator[Violation]) -> list[Rule]:
    return [violation.rule for violation in violations]


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_with_everything_in_it() -> None:
    """Messages in their order, each call once with the truth as its output: nothing is wrong."""
    record = books(made("a", returned("a")), said=[said("U1"), said("U2")])
    body = [user("U1"), *answered("a", "result of a"), user("U2")]
    assert broken(judge(record, 2, body)) == []
    assert [one.seen for one in record.said] == [2, 2]
    assert record.made["a"].output == "result of a"


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        ({"visits": [visit("a")]}, True),
        ({"asked": True}, True),
        ({"output": "earlier"}, True),
        ({}, False),
    ],
)
def test_a_call_that_was_read_is_not_erased(known: dict[str, object], missing: bool) -> None:  # noqa: FBT001
    """A call that was run, asked for or answered must stay; one that was perhaps never read may go."""
    one = made("a")
    for name, value in known.items():
        setattr(one, name, value)
    assert broken(judge(books(one), 2, [])) == [Rule.ERASED] * missing


def test_a_call_of_an_answer_that_was_read_whole_is_not_erased() -> None:
    """Nor may one go that was never begun, when the answer that holds it was read to its end."""
    record = books(made("a"))
    record.read.add(1)
    assert broken(judge(record, 2, [])) == [Rule.ERASED]


def test_a_request_that_asks_for_a_call_need_not_hold_it() -> None:
    """The request that was answered with a call left before the call was made."""
    assert broken(judge(books(made("a", visit("a"))), 1, [])) == []


@pytest.mark.parametrize(
    "body",
    [
        [call("a")],
        [call("a"), output("a", "x"), output("a", "x")],
        [call("a", "1"), output("a", "x", "1"), call("a", "2"), output("a", "x", "2")],
    ],
    ids=["no output", "two outputs", "the call twice"],
)
def test_each_call_has_one_output(body: list[Entry]) -> None:
    """No output, two outputs, and the call itself twice: each breaks the rule."""
    assert broken(judge(books(made("a")), 2, body)) == [Rule.ONE_OUTPUT]


def test_an_output_never_changes() -> None:
    """What a request has said of a call is said by the next one, too."""
    record = books(made("a"))
    assert broken(judge(record, 2, answered("a", "one"))) == []
    assert broken(judge(record, 3, answered("a", "one"))) == []
    assert broken(judge(record, 4, answered("a", "two"))) == [Rule.ONE_OUTPUT]


def test_calls_of_one_id_have_outputs_of_their_own() -> None:
    """Where several calls bear one id, each output belongs to the call before it."""
    record = books(made("a"), made("b"))
    body = [call("a", "x"), output("a", "one", "x"), call("b", "x"), output("b", "two", "x")]
    assert broken(judge(record, 2, body)) == []
    assert (record.made["a"].output, record.made["b"].output) == ("one", "two")


def test_what_the_model_did_not_call_is_not_judged() -> None:
    """Calls of somebody else's, outputs without a call, arguments that are no object: none is ours."""
    body = [call("zz"), Entry("call", "[1]", "k", "work"), Entry("call", "{", "l", "work"), output("m", "x")]
    assert broken(judge(books(), 2, body)) == []


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_output_says_nothing(text: str) -> None:
    """It tells the model nothing about the call: that is no outcome."""
    assert broken(judge(books(made("a")), 2, answered("a", text))) == [Rule.TRUTHFUL]


@pytest.mark.parametrize(
    "text", ["The call was not executed.", "skipped", "it did not run", "never been started", "is not called"]
)
def test_a_begun_call_did_run(text: str) -> None:
    """To say "not run" is a lie about a call whose tool was begun, and the truth about one that was not."""
    assert broken(judge(books(made("a", visit("a"))), 2, answered("a", text))) == [Rule.TRUTHFUL]
    assert broken(judge(books(made("a")), 2, answered("a", text))) == []


def test_a_begun_call_was_interrupted() -> None:
    """Whatever else is said of a call that was stopped is true."""
    record = books(made("a", visit("a", Fate.CANCELLED, ended=2.0), pressed=2.0))
    assert broken(judge(record, 2, answered("a", "stopped by the user while it ran"))) == []


@pytest.mark.parametrize(
    ("one", "text", "wrong"),
    [
        (made("a", returned("a")), "cancelled", True),
        (made("a", returned("a")), "It says: result of a!", False),
        (made("a", returned("a", 3.0), pressed=2.0), "cancelled", False),
        (made("a", visit("a", Fate.RAISED, "boom", 1.0)), "result of a", True),
        (made("a", visit("a", Fate.RAISED, "boom", 1.0)), "Exception in the tool", False),
        (made("a", visit("a", Fate.RAISED, "boom", 1.0)), "boom", False),
    ],
    ids=["lost", "kept", "behind an interrupt", "failure told as result", "told as one", "its text"],
)
def test_a_finished_call_keeps_its_result(one: Made, text: str, wrong: bool) -> None:  # noqa: FBT001
    """What a tool returned or raised before anything stopped it is what the model reads."""
    assert broken(judge(books(one), 2, answered("a", text))) == [Rule.TRUTHFUL] * wrong


@pytest.mark.parametrize(("ended", "wrong"), [(2.5, True), (3.5, False)])
def test_a_result_within_the_grace_counts_where_that_is_promised(ended: float, wrong: bool) -> None:  # noqa: FBT001
    """An agent that keeps late results says so; then they count until the grace is over, failures never."""
    record = books(made("a", returned("a", ended), pressed=2.0), kept=1.0)
    assert broken(judge(record, 2, answered("a", "cancelled"))) == [Rule.TRUTHFUL] * wrong
    failed = books(made("a", visit("a", Fate.RAISED, "boom", ended), pressed=2.0), kept=1.0)
    assert broken(judge(failed, 2, answered("a", "cancelled"))) == []


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_that_was_carried_once_is_carried_again() -> None:
    """A history that drops a message has lost it; one that was given back may go."""
    record = books(said=[said("U1"), said("U2")])
    assert broken(judge(record, 1, [user("U1")])) == []
    assert broken(judge(record, 2, [user("U2")])) == [Rule.LOST]
    record.said[0].taken = Taken.RETURNED
    assert broken(judge(record, 3, [user("U2")])) == []


def test_a_message_stands_there_once() -> None:
    """Twice is once too often; U1 in U11 is not U1."""
    assert broken(judge(books(said=[said("U1")]), 1, [user("U1"), user("U1")])) == [Rule.DOUBLED]
    assert broken(judge(books(said=[said("U1"), said("U11")]), 1, [user("U1"), user("U11")])) == []


def test_messages_keep_their_order() -> None:
    """Of one mode, the first said stands first; of two modes, or said in one instant, either may."""
    body = [user("U2"), user("U1")]
    assert broken(judge(books(said=[said("U1", instant=1), said("U2", instant=2)]), 1, body)) == [
        Rule.REORDERED
    ]
    modes = [said("U1", "steer", instant=1), said("U2", "queue", instant=2)]
    assert broken(judge(books(said=modes), 1, body)) == []
    assert broken(judge(books(said=[said("U1", instant=1), said("U2", instant=1)]), 1, body)) == []


def test_several_messages_in_one_text_are_in_order() -> None:
    """An agent may join messages: they have one place then, and none is lost."""
    record = books(said=[said("U1", instant=1), said("U2", instant=2)])
    assert broken(judge(record, 1, [user("U1\nU2")])) == []


@pytest.mark.parametrize(
    ("taken", "seen", "lost"),
    [
        (Taken.ACCEPTED, 0, True),
        (Taken.ACCEPTED, 1, False),
        (Taken.REJECTED, 0, False),
        (Taken.STOPPED, 0, False),
        (Taken.RETURNED, 0, False),
        (Taken.OFFERED, 0, False),
    ],
)
def test_an_accepted_message_reaches_the_model(taken: Taken, seen: int, lost: bool) -> None:  # noqa: FBT001
    """Only what was accepted, and that must have left in some request: at rest, and at the end."""
    one = said("U1", taken=taken)
    one.seen = seen
    assert broken(judge_rest(books(said=[one]))) == [Rule.UNANSWERED] * lost
    assert broken(judge_end(books(said=[one]))) == [Rule.LOST] * lost


def test_a_result_reaches_the_model() -> None:
    """An agent that rests with a result in its hand has not told the model; a waiting call is none."""
    assert broken(judge_rest(books(made("a", returned("a"))))) == [Rule.UNANSWERED]
    assert broken(judge_rest(books(made("a", visit("a", Fate.RAISED, "x", 1.0))))) == [Rule.UNANSWERED]
    assert broken(judge_rest(books(made("a", visit("a")), made("b")))) == []
    told = made("a", returned("a"))
    told.output = "result of a"
    assert broken(judge_rest(books(told))) == []


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_runs_once() -> None:
    """A second run of a tool may do its effect again."""
    assert broken(watch(books(made("a", returned("a"))), over=True)) == []
    assert broken(watch(books(made("a", returned("a"), returned("a"))), over=True)) == [Rule.RAN_TWICE]


def test_nobody_is_cancelled_for_another_one() -> None:
    """A cancelled tool that no interrupt and no deadline has pressed was stopped for no reason of its own."""
    cancelled = visit("a", Fate.CANCELLED, ended=1.0)
    assert broken(watch(books(made("a", cancelled)), over=False)) == [Rule.BYSTANDER]
    assert broken(watch(books(made("a", cancelled, pressed=1.0)), over=False)) == []


def test_no_tool_runs_on_behind_its_turn() -> None:
    """Only one that cannot be stopped, or has been let go, may still wait when the turn is over."""
    waits = made("a", visit("a"))
    assert broken(watch(books(waits), over=True)) == [Rule.RUNS_ON]
    assert broken(watch(books(waits), over=False)) == []
    stubborn, blocking, opened = visit("b"), visit("c"), visit("d")
    stubborn.stubborn = blocking.blocking = True
    opened.gate.set_result(Passage(ok=True, text="x"))
    assert broken(watch(books(made("b", stubborn), made("c", blocking), made("d", opened)), over=True)) == []


def test_a_tool_is_stopped_at_its_deadline() -> None:
    """Whoever waits longer than the deadline, and was never asked to stop, was forgotten."""
    record = books(made("a", visit("a")))
    assert broken(overdue(record, 10.0, 10.0)) == []
    assert broken(overdue(record, 10.0, 10.5)) == [Rule.BOUND]
    record.made["a"].visits[0].cancels = 1
    assert broken(overdue(record, 10.0, 10.5)) == []
    assert broken(overdue(books(made("b", returned("b"))), 10.0, 20.0)) == []


# ── names and texts ─────────────────────────────────────────────────────────────────────────────────────


def test_rules_by_name() -> None:
    """A rule may be named by its text; one that does not exist is told with all that do."""
    assert rules(["lost", Rule.BOUND]) == {Rule.LOST, Rule.BOUND}
    with pytest.raises(ValueError, match="'lots' is not a valid Rule; the rules are refused, erased, "):
        rules(["lots"])


def test_the_text_of_a_violation() -> None:
    """It says the rule, what is wrong, and the story when that is known."""
    violation = Violation(Rule.LOST, "U1 is gone")
    assert str(violation) == "lost: U1 is gone"
    violation.story = ("  1. one", "  2. two")
    assert str(violation) == "lost: U1 is gone\n  1. one\n  2. two"


@pytest.mark.parametrize("arguments", ["", "{", "[]", "{}", '{"step": 1}', "null"])
def test_arguments_without_a_step(arguments: str) -> None:
    """Whatever a body holds for arguments can be read; what names no step is nobody's call."""
    assert step_of(arguments) == ""


def test_arguments_with_a_step() -> None:
    """The step is the name of the call in the story."""
    assert step_of('{"step": "a", "more": 1}') == "a"
