"""Mistakes in the engine: what is decided when."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from hunts.bugs.made import Bug, Room, Shows, Source, instead_of
from turnlock.engine import (
    Call,
    Cause,
    Engine,
    Fate,
    Letter,
    Mode,
    Outcome,
    Output,
    StopReason,
    commands,
    inputs,
)
from turnlock.engine.inbox import Inbox
from turnlock.engine.inputs import Trouble
from turnlock.engine.turn import Turn
from turnlock.machines import InvocationState, TurnState

_stop_turn = Engine._stop_turn
_on_send = Engine._on_send
_on_interrupt = Engine._on_interrupt
_on_returned = Engine._on_returned
_on_response_failed = Engine._on_response_failed
_on_approval_answered = Engine._on_approval_answered
_draw_line = Inbox.draw_line
_take_all = Inbox.take_all
_reset = Turn.reset


def _asks_the_newest_call(turn: Turn) -> bool:
    batch = turn.registry.batch
    return not batch or batch[-1].outcome is not None


def _appends_what_comes_late(engine: Engine, said: inputs.Returned) -> None:
    if said.ordinal not in engine.registry.open:
        came = Outcome(InvocationState.COMPLETED, Cause.RETURNED, said.output)
        engine.transcript.items.append(Output(said.ordinal, came))
    _on_returned(engine, said)


def _repairs_at_once(engine: Engine, cause: Cause, shown: str) -> None:
    before = engine.turn.state
    _stop_turn(engine, cause, shown)
    if engine.turn.state is not before:
        repaired = Outcome(InvocationState.CANCELLED, cause)
        engine.transcript.items.extend(Output(ordinal, repaired) for ordinal in engine.registry.open)


def _cancels_what_has_finished(engine: Engine, cause: Cause, shown: str) -> None:
    before = engine.turn.state
    _stop_turn(engine, cause, shown)
    if engine.turn.state is before:
        return
    for invocation in engine.registry.batch:
        if invocation.outcome is not None and invocation.outcome.ok:
            invocation.state = InvocationState.CANCELLED
            invocation.outcome = evolve(invocation.outcome, state=invocation.state, cause=cause, output="")


def _clears_what_was_steering(inbox: Inbox, reason: str) -> list[Letter]:
    inbox.held = [letter for letter in inbox.held if letter.mode is not Mode.STEER]
    inbox.steering = 0
    return _draw_line(inbox, reason)


def _joins_the_request_in_flight(engine: Engine, said: inputs.Send) -> None:
    answering = engine.turn.state is TurnState.RESPONDING and not engine.registry.batch
    known = said.message.id in engine.inbox.letters
    _on_send(engine, said)
    if not answering or known:
        return
    for letter in engine.inbox.take_steering():
        letter.fate = Fate.DELIVERED
        letter.request = engine.turn.request
        engine.transcript.add_message(letter.message)
        engine._out.append(commands.Delivered(letter))


def _answers_whoever_waits(engine: Engine, said: inputs.ApprovalAnswered) -> None:
    waiting = [call.ordinal for call in engine.registry.open.values() if not call.approved]
    if waiting and said.ordinal not in engine.registry.open:
        said = evolve(said, ordinal=waiting[0])
    _on_approval_answered(engine, said)


def _ends_the_turn_itself(engine: Engine, said: inputs.Interrupt) -> None:
    before = engine.turn.state
    _on_interrupt(engine, said)
    if engine.turn.state is not before and not engine.registry.open:
        engine._end_turn(StopReason(said.cause))


def _wakes_the_backoff(engine: Engine, said: inputs.Send) -> None:
    _on_send(engine, said)
    if said.mode is Mode.STEER:
        engine.turn.waking = None


def _lets_steers_past_the_limit(turn: Turn) -> bool:
    allowed = turn.requests < turn.max_requests or turn.inbox.steers
    return turn.stop is None and allowed and turn.unsaid


def _keeps_the_stop(turn: Turn) -> None:
    stop = turn.stop
    _reset(turn)
    turn.stop = stop if stop is StopReason.INTERRUPTED else None


def _says_it_again(engine: Engine, said: inputs.ResponseFailed) -> None:
    letters = engine.inbox.letters.values()
    carried = [each for each in letters if each.request == said.request and each.fate is Fate.DELIVERED]
    _on_response_failed(engine, said)
    if engine.turn.ask_again:
        for letter in carried:
            engine.transcript.add_message(letter.message)


def _forgets_a_broken_answer(engine: Engine, said: inputs.ResponseFailed) -> None:
    if said.request == engine.turn.request and said.trouble is Trouble.LOST:
        lost = {item.ordinal for item in engine.transcript.response if isinstance(item, Call)}
        engine.registry.batch = [call for call in engine.registry.batch if call.ordinal not in lost]
        engine.transcript.discard()
    _on_response_failed(engine, said)


def _new_before_kept(inbox: Inbox) -> list[Letter]:
    line = inbox.line
    return sorted(_take_all(inbox), key=lambda letter: letter.number <= line)


_ENGINE, _ALWAYS, _MOMENT = Room.ENGINE, Shows.ALWAYS, Shows.MOMENT

IN_ENGINE: Sequence[Bug] = (
    Bug(
        "flush before the last output",
        "The gate opens when the newest call has ended, though an older one still runs.",
        Source(
            "cloudflare/agents",
            1649,
            "A timer started the next inference as soon as the quick one of several parallel calls had its "
            "result, and the request left without the slow one's.",
        ),
        _ENGINE,
        _MOMENT,
        "R3, R4",
        instead_of(Turn, "all_terminal", property(_asks_the_newest_call)),
    ),
    Bug(
        "late result appended after a timeout",
        "A tool that was left behind returns, and its result enters the transcript as a second output.",
        Source(
            "frontman-ai/frontman",
            1042,
            "A question timed out and was answered later: the late answer was stored as a second "
            "result of the "
            "same call, and everything stopped there.",
        ),
        _ENGINE,
        _MOMENT,
        "R1, C7",
        instead_of(Engine, "_on_returned", _appends_what_comes_late),
    ),
    Bug(
        "second result after repair",
        "An interrupt gives every open call an output at once; when the call has ended it gets another.",
        Source(
            "RooCodeInc/Roo-Code",
            9248,
            "The error handler and the tool's own handler both pushed a result for the same call, and the "
            "provider refused the next request.",
        ),
        _ENGINE,
        _MOMENT,
        "R1, C3",
        instead_of(Engine, "_stop_turn", _repairs_at_once),
    ),
    Bug(
        "finished sibling overwritten",
        "An interrupt writes its own outcome over the result of a call that had returned before.",
        Source(
            "mpfaffenberger/code_puppy",
            782,
            "Cancelling one of three parallel edits removed the two that had succeeded from the "
            "history with it.",
        ),
        _ENGINE,
        _MOMENT,
        "R1, R6",
        instead_of(Engine, "_stop_turn", _cancels_what_has_finished),
    ),
    Bug(
        "held message dropped by an interrupt",
        "An interrupt empties the list of steering messages: they are neither delivered nor returned.",
        Source(
            "openclaw/openclaw",
            128695,
            "A steering message that was taken off its queue when the run aborted was in neither the "
            "queue nor "
            "the transcript afterwards.",
        ),
        _ENGINE,
        _MOMENT,
        "R5, C13",
        instead_of(Inbox, "draw_line", _clears_what_was_steering),
    ),
    Bug(
        "message recorded but unanswered",
        "A message that comes while the model answers is booked on the request in flight, which "
        "never carried it.",
        Source(
            "anthropics/claude-code",
            86456,
            "A message that arrived as a turn was ending stood in the transcript, and no turn was "
            "started for it "
            "until something else came.",
        ),
        _ENGINE,
        _MOMENT,
        "R5, C11",
        instead_of(Engine, "_on_send", _joins_the_request_in_flight),
    ),
    Bug(
        "stale approval fires",
        "The answer to a question whose call is over is taken as the answer to the question asked now.",
        Source(
            "openclaw/openclaw",
            98576,
            "After an abort the approval stayed on the screen and could still be answered, long "
            "after the run that "
            "had asked was gone.",
        ),
        _ENGINE,
        _MOMENT,
        "R14, C4",
        instead_of(Engine, "_on_approval_answered", _answers_whoever_waits),
    ),
    Bug(
        "double turn end",
        "An interrupt that finds no open call ends the turn itself, and the table ends it again.",
        Source(
            "pingdotgg/t3code",
            8239,
            "The interrupt announced the end of the turn, and the task that had run the turn "
            "announced a second one.",
        ),
        _ENGINE,
        _MOMENT,
        "R13",
        instead_of(Engine, "_on_interrupt", _ends_the_turn_itself),
    ),
    Bug(
        "retry before backoff",
        "A message that comes during the backoff ends it: the request leaves before the provider's "
        "wait is over.",
        Source(
            "MemTensor/MemOS",
            1620,
            "Retries after a 429 left before the time that the provider had asked for, and made the "
            "limit last "
            "longer.",
        ),
        _ENGINE,
        _MOMENT,
        "C23",
        instead_of(Engine, "_on_send", _wakes_the_backoff),
    ),
    Bug(
        "steer past the request limit",
        "A held steering message lets the turn send more requests than it may.",
        Source(
            "dp-archive/archive",
            178,
            "A steering message in the last turn that was allowed never reached the model; the mend "
            "raised the "
            "limit by one with each such message.",
        ),
        _ENGINE,
        _MOMENT,
        "C64",
        instead_of(Turn, "more_to_say", property(_lets_steers_past_the_limit)),
    ),
    Bug(
        "interrupt outlives its turn",
        "The turn after an interrupted one begins with its stop: its calls run, and their outputs "
        "are never sent.",
        Source(
            "vybestack/llxprt-code",
            2264,
            "After Escape and a new prompt, what was left of the cancelled turn made the new one "
            "look cancelled.",
        ),
        _ENGINE,
        _MOMENT,
        "R13, C12",
        instead_of(Turn, "reset", _keeps_the_stop),
    ),
    Bug(
        "message doubled by a retry",
        "When a response is lost, the messages of its request are put into the history once more.",
        Source(
            "RooCodeInc/Roo-Code",
            9249,
            "The retry of a broken stream added the user's message to the history a second time.",
        ),
        _ENGINE,
        _ALWAYS,
        "R5, C23",
        instead_of(Engine, "_on_response_failed", _says_it_again),
    ),
    Bug(
        "call erased when its response breaks off",
        "The connection is lost behind a completed call: the call is forgotten though its tool runs, "
        "and is asked "
        "for again.",
        Source(
            "dyad-sh/dyad",
            2851,
            "A review found that a lost connection would have the whole stream asked again, with tools that "
            "change things run a second time.",
        ),
        _ENGINE,
        _ALWAYS,
        "R12, R16, C18",
        instead_of(Engine, "_on_response_failed", _forgets_a_broken_answer),
    ),
    Bug(
        "kept message behind the newer one",
        "A message that an interrupt kept goes behind the message that was accepted after the interrupt.",
        Source(
            "openclaw/openclaw",
            119794,
            "A message sent later reached the agent before a steering message that had been waiting.",
        ),
        _ENGINE,
        _MOMENT,
        "R5, C13",
        instead_of(Inbox, "take_all", _new_before_kept),
    ),
)
