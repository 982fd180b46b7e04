"""The specification's rules that concern the engine, where no single case says all of it."""

from __future__ import annotations

from itertools import permutations

import pytest
from attrs import evolve

from support.snapshot import snapshot
from support.story import INTERRUPT, QUEUE, A, K, Receipt, S, Story, T
from turnlock.engine import (
    NOTES,
    Call,
    Cause,
    Engine,
    Finish,
    Item,
    Limits,
    Message,
    Note,
    Outcome,
    Output,
    Reasoning,
    StopReason,
    Text,
    Trouble,
    commands,
    inputs,
)
from turnlock.errors import InputError
from turnlock.machines import (
    TURN,
    InvocationState,
    Step,
    TableMachine,
    TurnEvent,
    TurnGuard,
    TurnState,
    Verdict,
    automatic,
)


def long_story() -> Story:
    """Everything that can happen, one after the other."""
    story = Story(Limits(parallel=2, retries=1, turn_timeout=1000.0, approval_deadline=60.0))
    story.send("U1")
    story.reply(T(), K("a"), K("b", approval=True), K("c"), K("d", exclusive=True))
    story.send("U2")
    story.send("Q1", QUEUE)
    story.send("R1", on_interrupt="return")
    story.withdraw("R1")
    story.allow("b")
    story.wait(0.25)
    story.raises("a", partial="so far")
    story.late_by("c")
    story.grace_over("c", "half")
    story.returns("b")
    story.returns("c")
    story.returns("d")
    story.model(A("half"))
    story.fails()
    story.wait(0.5)
    story.reply(S(), finish=Finish.PAUSE)
    story.reply(K("e", approval=True), K("f", ends_turn=True))
    story.wait(60.0)
    story.returns("f")
    story.model(T(), K("g"))
    story.send("U3", INTERRUPT, shown="I will")
    story.interrupt()
    story.stopped("g")
    story.go_on()
    story.reply(K("h"))
    story.returns("h")
    story.fails(Trouble.REFUSED, "no")
    story.send("U4")
    story.fails(Trouble.OVERFLOW, "too long")
    return story


def test_replaying_the_inputs_gives_the_same_states_and_commands() -> None:
    """R19: what the engine decides is a function of its recorded inputs."""
    story = long_story()
    replay = Story(story.limits, starts_tools=False)
    replay.labels = story.labels
    states = []
    for given in story.fed:
        replay.feed(given)
        states.append(snapshot(replay.engine))
    assert replay.described() == story.described()
    assert replay.sent == story.sent
    assert states[-1] == snapshot(story.engine)
    again = Engine(story.limits)
    for given, state in zip(story.fed, states, strict=True):
        again.receive(given)
        assert snapshot(again) == state


def test_the_long_story_is_one() -> None:
    """R4, R5, R13: its requests, its ends of turns and its receipts, as a whole."""
    story = long_story()
    first = "U1 T K(a) K(b) K(c) K(d) O(a, raised) O(b) O(c, deadline) O(d) U2"
    paused = f"{first} S(search)"
    second = f"{paused} K(e) K(f) O(e, no_answer) O(f) Q1"
    third = f"{second} T K(g) I will O(g, interrupted) M U3"
    assert story.sent == ["U1", first, first, paused, second, third, f"{third} K(h) O(h)", story.history]
    assert story.history == f"{third} K(h) O(h, refused) U4"
    assert story.ends_of_turns == [
        StopReason.TOOL_ENDED,
        StopReason.INTERRUPTED,
        StopReason.REFUSED,
        StopReason.CONTEXT_OVERFLOW,
    ]
    assert {text: story.receipt(text) for text in ("U1", "U2", "Q1", "R1", "U3", "U4")} == {
        "U1": Receipt("delivered", 1, 0),
        "U2": Receipt("delivered", 2, 10),
        "Q1": Receipt("delivered", 5, 16),
        "R1": Receipt("returned", reason="changed my mind"),
        "U3": Receipt("delivered", 6, 22),
        "U4": Receipt("delivered", 8, 25),
    }


def test_nothing_leaves_the_transcript() -> None:
    """R16: calls, outputs and notes stay where they are; a refusal takes messages back and marks outputs."""
    story = long_story()
    engine = Engine(story.limits)
    for given in story.fed:
        before = list(engine.transcript.items)
        engine.receive(given)
        after = engine.transcript.items
        if isinstance(given, inputs.ResponseFailed) and given.trouble is Trouble.REFUSED:
            refused = before.pop()
            assert isinstance(refused, Output)
            before.append(evolve(refused, refused="no"))
        assert after[: len(before)] == before


def test_interrupting_again_and_again_is_interrupting_once() -> None:
    """R17: idempotent in every state that a turn can be in, with nobody who reads what is said."""
    story = long_story()
    for point in range(1, len(story.fed)):
        engine = Engine(story.limits)
        for given in story.fed[:point]:
            engine.receive(given)
        engine.receive(inputs.Interrupt(story.now))
        once = snapshot(engine)
        assert engine.receive(inputs.Interrupt(story.now)) == []
        assert snapshot(engine) == once
        assert engine.turn.state in {TurnState.IDLE, TurnState.INTERRUPTING}


def test_a_fork_goes_its_own_way() -> None:
    """R19: a copy behaves like the engine that it was made of, and neither sees what the other does."""
    story = long_story()
    for point in range(len(story.fed)):
        engine = Engine(story.limits)
        for given in story.fed[:point]:
            engine.receive(given)
        before = snapshot(engine)
        fork = engine.fork()
        assert snapshot(fork) == before
        for given in story.fed[point:]:
            fork.receive(given)
        assert snapshot(fork) == snapshot(story.engine)
        assert snapshot(engine) == before


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_outputs_stand_in_call_order_in_whatever_order_calls_end(order: tuple[str, ...]) -> None:
    """R4: one output per call, in call order, directly behind the calls; then messages as accepted."""
    story = Story()
    story.send("U")
    story.reply(K("a"), K("b"), K("c"))
    for number, label in enumerate(order):
        story.send(f"U{number}")
        story.returns(label)
    assert story.sent[1:] == ["U K(a) K(b) K(c) O(a) O(b) O(c) U0 U1 U2"]


def test_no_request_leaves_while_a_call_is_open() -> None:
    """R3: requested, waiting or running, in every state of the turn: the guard holds, and says which one."""
    steps: list[Step] = []
    story = Story(Limits(parallel=1))
    story.engine.observe(steps.append)
    story.send("U")
    story.reply(K("a", approval=True), K("b"), K("c"))
    for text in ("U1", "U2"):
        story.send(text)
        story.go_on_refused()
    assert len(story.sent) == 1
    waiting = [step for step in steps if step.event == "dispatch"]
    assert {(step.verdict, step.guard) for step in waiting} == {(Verdict.WAITING, "all_terminal")}
    story.engine.observe(None)
    seen = len(steps)
    story.returns("b")
    story.returns("c")
    story.deny("a")
    assert story.sent[1:] == ["U K(a) K(b) K(c) O(a, denied) O(b) O(c) U1 U2"]
    assert len(steps) == seen


def test_calls_are_told_apart_by_their_ordinals() -> None:
    """R2: ordinals rise in a session, also over turns; labels may be anything."""
    story = Story()
    story.send("U")
    story.reply(K("a", call_id=""), K("b", call_id=""))
    story.returns("a")
    story.returns("b")
    story.reply(A())
    story.send("U2")
    story.reply(K("c", call_id=""))
    assert [story.call(label).ordinal for label in "abc"] == [1, 2, 3]
    assert [story.call(label).label for label in "abc"] == ["invocation 1", "invocation 2", "invocation 3"]


def test_a_call_says_what_it_is() -> None:
    """R13: what the turn waits for can be read from its open calls."""
    story = Story()
    story.send("U")
    story.reply(K("a", name="grep", arguments='{"x": 1}'))
    call = story.call("a")
    assert (call.name, call.arguments, call.waits_for) == ("grep", '{"x": 1}', None)
    assert repr(call) == "<Invocation 1 grep: running>"


def test_what_the_model_had_shown_is_kept() -> None:
    """R7: what was completed stays as it is; the shown text of the unfinished item has no provider's id."""
    story = Story()
    story.send("U")
    story.model(T("T1"), A("A1"), T("T2"))
    assert story.interrupt(shown="half") == ["abort 1", "set aside T2", "turn 1 ended: interrupted"]
    assert story.engine.transcript.items == [
        Message("U", "U"),
        Reasoning("T1", 1),
        Text("A1", 1),
        Text("half", 1),
        Note(NOTES[StopReason.INTERRUPTED]),
    ]


def test_what_an_aborted_response_says_later_is_nothing() -> None:
    """R12 and R25: what was not completed at the interrupt was never a call."""
    story = Story()
    story.send("U")
    story.interrupt()
    assert story.model(K("a")) == ["late ItemCompleted"]
    assert story.ends() == ["late ResponseEnded"]
    assert story.history == "U M"


@pytest.mark.parametrize("cause", [Cause.INTERRUPTED, Cause.TURN_TIMEOUT, Cause.CLOSED])
def test_every_call_ends_before_its_turn(cause: Cause) -> None:
    """R13: requested, waiting and running calls; one TurnEnded, behind every CallEnded."""
    story = Story(Limits(parallel=2))
    story.send("U")
    story.reply(K("a"), K("b", approval=True), K("c"), K("d"))
    story.late_by("c")
    said = story.interrupt(cause=cause)
    assert said == [f"stop a: {cause}", "ended b: not_started", "ended d: not_started"]
    said += story.grace_over("c") + story.stopped("a")
    assert said[-2:] == [f"ended a: {cause}", f"turn 1 ended: {cause}"]
    assert said.count(f"turn 1 ended: {cause}") == 1


def test_the_turn_waits_for_the_last_grace_and_no_longer() -> None:
    """R8: the gate opens at the last terminal event, whatever tools still do; what comes later is late."""
    story = Story()
    story.send("U")
    story.reply(K("a"), K("b"))
    story.interrupt()
    story.send("U2")
    assert story.grace_over("a") == ["ended a: interrupted"]
    assert story.grace_over("b")[-2:] == ["send 2", "delivered U2"]
    assert story.returns("b") == ["late Returned"]
    assert story.raises("a") == ["late Raised"]
    assert story.sent[1:] == ["U K(a) K(b) O(a, interrupted) O(b, interrupted) M U2"]


def test_a_failing_tool_leaves_its_siblings_alone() -> None:
    """R9: an exception is an output; nobody is stopped for it."""
    story = Story()
    story.send("U")
    story.reply(K("a"), K("b"))
    assert story.raises("a") == ["ended a: raised"]
    assert story.returns("b") == ["ended b: returned", "send 2"]


def test_one_control_tool_is_a_call_like_any_other() -> None:
    """R11: it gets its output, and so the next turn can be sent."""
    story = Story()
    story.send("U")
    story.reply(K("done", ends_turn=True))
    story.returns("done", "")
    story.send("U2")
    assert story.sent[1:] == ["U K(done) O(done) U2"]
    assert story.text("done") == "(no output)"


def test_two_interruptions_are_two_notes() -> None:
    """R26: one for each that stopped a turn."""
    story = Story()
    story.send("U1")
    story.interrupt()
    story.send("U2")
    story.interrupt()
    assert story.history == "U1 M U2 M"


def test_a_session_can_word_the_note_or_leave_it_out() -> None:
    """R26: by stop reason."""
    story = Story(engine=Engine(notes={StopReason.INTERRUPTED: "Stop!"}))
    story.send("U1")
    story.interrupt()
    assert story.engine.transcript.items[-1] == Note("Stop!")
    story.send("U2")
    story.interrupt(cause=Cause.CLOSED)
    assert story.history == "U1 M U2"


def test_a_failed_turn_has_no_note() -> None:
    """R26: nobody interrupted it."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.fails()
    assert story.history == "U1"


def test_an_interrupt_of_a_turn_that_is_about_to_fail() -> None:
    """R13: the stop that comes while calls are open is the turn's reason, with its note and no error."""
    story = Story(Limits(retries=0))
    story.send("U1")
    story.model(K("a"))
    story.fails()
    assert story.interrupt() == ["stop a: interrupted"]
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]
    assert story.history == "U1 K(a) O(a, interrupted) M"
    assert story.log[-1] == commands.TurnEnded(1, StopReason.INTERRUPTED)


def test_a_second_stop_changes_nothing() -> None:
    """R13: the turn was stopped for the first reason, and for that one alone."""
    story = Story()
    story.send("U1")
    story.reply(K("a"))
    story.interrupt()
    assert story.interrupt(cause=Cause.CLOSED) == []
    assert story.stopped("a") == ["ended a: interrupted", "turn 1 ended: interrupted"]


def test_what_is_legal_and_moves_nothing_goes_through_the_tables_too() -> None:
    """R25: to hold a message, to stop a tool and to wake are rows: whoever observes sees them."""
    steps: list[Step] = []
    story = Story()
    story.engine.observe(steps.append)
    story.send("U")
    story.fails()
    story.wait(0.5)
    story.model(K("a"))
    story.cancel("a")
    stays = [step for step in steps if step.verdict is Verdict.ACCEPTED and step.source is step.dest]
    assert [(step.subject, step.event) for step in stays] == [
        ("turn", "hold"),
        ("turn", "wake"),
        ("invocation 1", "stop"),
    ]


def test_a_session_goes_on_from_a_history() -> None:
    """R2 and R20: ordinals and request numbers go on, and nothing of the history is ever given back."""
    history: list[Item] = [
        Message("old", "old"),
        Call(7, "x", "x", "{}", 3),
        Output(7, Outcome(InvocationState.COMPLETED, Cause.RETURNED, "y")),
        Text("A", 4),
    ]
    story = Story(engine=Engine.with_history(history, Limits(retries=0)))
    story.send("U")
    assert story.sent == ["old K(#7) O(#7) A U"]
    assert story.request == 5
    assert story.fails(Trouble.REFUSED, "no") == ["discarded 5", "returned U", "turn 1 ended: refused"]
    assert story.engine.transcript.items == history
    assert story.engine.registry.last_ordinal == 7
    assert Engine.with_history(()).limits == Limits()


def test_each_state_of_the_turn_has_a_name() -> None:
    """R13: what a host sees of a turn, from its beginning to its end."""
    story = Story()
    states = [story.engine.turn.state]
    story.send("U")
    states.append(story.engine.turn.state)
    story.reply(K("a"))
    states.append(story.engine.turn.state)
    story.interrupt()
    states.append(story.engine.turn.state)
    story.stopped("a")
    states.append(story.engine.turn.state)
    assert states == [
        TurnState.IDLE,
        TurnState.RESPONDING,
        TurnState.SETTLING,
        TurnState.INTERRUPTING,
        TurnState.IDLE,
    ]


def test_going_on_without_a_message() -> None:
    """R17, R26: the host may ask for a turn; the history is asked as it is."""
    story = Story()
    story.send("U")
    story.reply(A())
    assert story.go_on() == ["turn 2 began", "send 2"]
    assert story.reply(A()) == ["turn 2 ended: end_turn"]
    assert story.sent[1:] == ["U A"]


def test_a_turn_s_requests_are_counted_anew() -> None:
    """R13: max_requests is a limit of the turn; requests that were lost count."""
    story = Story(Limits(max_requests=2))
    for turn in (1, 2):
        story.send(f"U{turn}")
        story.fails()
        story.wait(0.5)
        assert story.reply(K(f"a{turn}"), K(f"b{turn}")) != []
        story.returns(f"a{turn}")
        assert story.returns(f"b{turn}")[-1] == f"turn {turn} ended: max_requests"
    assert len(story.sent) == 4


def test_items_of_a_response_are_not_items_of_the_next() -> None:
    """R22: what was cut, aborted or refused is never continued from."""
    story = Story()
    story.send("U")
    story.model(A("lost"))
    story.fails()
    story.wait(0.5)
    story.reply(A("kept"))
    assert story.history == "U kept"


def test_limits_are_checked_when_they_are_made() -> None:
    """A wrong limit is a mistake of the host's, told at once, with the repair."""
    for wrong, text in (
        ({"deadline": 0.0}, "seconds above 0"),
        ({"deadline": float("inf")}, "None for no limit"),
        ({"grace": -1.0}, "0 or more"),
        ({"backoff": float("nan")}, "finite"),
        ({"max_requests": 0}, "at least 1"),
        ({"parallel": 1.5}, "whole number"),
    ):
        with pytest.raises(ValueError, match=text):
            Limits(**wrong)
    assert Limits(deadline=None, grace=0, retries=0).deadline is None


def test_the_wait_before_a_retry() -> None:
    """C23: it doubles up to the longest, however often a response is lost."""
    limits = Limits(retries=5000)
    assert [limits.retry_delay(n) for n in (1, 2, 3, 7, 8, 5000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_a_table_that_never_rests_is_found() -> None:
    """A mutant of the table may go round for ever: the engine says so instead of hanging."""
    spin = automatic(TurnState.SETTLING, TurnEvent.DISPATCH, TurnState.SETTLING, TurnGuard.MAY_SEND)
    rows = (spin, *(row for row in TURN.rows if row.event is not TurnEvent.DISPATCH))
    story = Story(engine=Engine(turn_machine=TableMachine(evolve(TURN, rows=rows), check=False)))
    story.send("U")
    with pytest.raises(InputError, match="no fixed point"):
        story.ends()


def test_time_is_what_the_inputs_say() -> None:
    """R19: no clock is looked at: a session may live in any time."""
    engine = Engine(Limits(turn_timeout=5.0))
    said = engine.receive(inputs.Send(1e9, Message("U", "U")))
    assert [str(getattr(command, "input", "")) for command in said if hasattr(command, "input")] == [
        str(inputs.TurnExpired(1e9 + 5.0, 1))
    ]
