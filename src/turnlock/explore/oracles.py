"""What the rules (docs/rules.md) allow an engine to say, given what it was told.

A second opinion: it reads inputs, commands and the transcript from outside, keeps facts of its own, and
knows neither the tables nor the guards. What an input must bring about is due (``dues``) until the engine
has said so; what the engine does of its own accord is checked against the facts; and after every input it
asks whether anything was left undone. So an engine that never sends is found as surely as one that sends
too early.

Judged here: fates and order of messages (R5), the gate (R3), order and truth of outputs (R4, R6, R7, R10),
prompt stops (R13), one end per turn with its one reason, the line of an interrupt, late inputs (R25),
refusals (R20), pauses (R21). That the bytes of a request are acceptable is judged in ``verdicts``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turnlock.engine import NOTES, Fate, Input, Item, Letter, Mode, Note, Output, StopReason, commands
from turnlock.engine.commands import Command
from turnlock.explore.dues import take
from turnlock.explore.facts import Answer, Facts, Phase, Wrong
from turnlock.explore.truth import FAILURES, state_of

_FAILED = frozenset({*FAILURES.values(), StopReason.CRASHED})


def observe(facts: Facts, given: Input, said: Sequence[Command], items: Sequence[Item]) -> None:
    """Judge one input and everything that the engine said to it.

    Args:
        facts: What was known before; afterwards, what is known now.
        given: The input.
        said: The commands, in order.
        items: The transcript after it.

    Raises:
        Wrong: A rule is broken.
    """
    if take(facts, given):
        for command in said:
            _CHECK[type(command)](facts, command)
    elif len(said) != 1 or not isinstance(said[0], commands.Late) or said[0].input is not given:
        raise Wrong(f"{type(given).__name__} is about nothing that is open: it must be late, and no more")
    if facts.due:
        what, about = next(iter(facts.due))
        raise Wrong(_UNDONE[what].format(facts.calls[about].name if about in facts.calls else about))
    if facts.carried:
        raise Wrong(f"nobody was told that {facts.carried[0][0]} was delivered")
    _check_items(facts, items)
    _check_progress(facts)


# ── turns and requests ──────────────────────────────────────────────────────────────────────────────────


def _turn_began(facts: Facts, command: commands.TurnBegan) -> None:
    turn = f"turn {command.turn}"
    if facts.turn:
        raise Wrong(f"{turn} began while turn {facts.turn} is under way")
    if command.turn != facts.turns + 1:
        raise Wrong(f"{turn} began after turn {facts.turns}")
    if not facts.going_on and not facts.starts_turn:
        raise Wrong(f"{turn} began by itself: no message asks for it, and nobody said go on")
    facts.turn = facts.turns = command.turn
    facts.asked = facts.failures = 0
    facts.stopped = facts.decided = None
    facts.error = ""
    facts.rest = StopReason.END_TURN
    facts.paused = facts.lost = facts.going_on = False
    facts.opening = True
    facts.limit_turn()


def _send_request(facts: Facts, command: commands.SendRequest) -> None:
    request = f"request {command.number}"
    if not facts.turn or command.turn != facts.turn:
        raise Wrong(f"{request} left outside of a turn")
    if command.number != facts.requests + 1:
        raise Wrong(f"{request} left after request {facts.requests}")
    if facts.flight is not None:
        raise Wrong(f"{request} left while request {facts.flight} is in flight")
    if facts.calls:
        raise Wrong(f"{request} left while {_open_calls(facts)}")
    if facts.backoff is not None:
        raise Wrong(f"{request} left while the backoff after request {facts.backoff} runs")
    if facts.stopped is not None or facts.decided is not None:
        raise Wrong(f"{request} left though the turn must end: {facts.stopped or facts.decided}")
    if facts.asked >= facts.limits.max_requests:
        raise Wrong(f"{request} left, one more than the limit of the turn")
    if not facts.opening and not facts.unsaid:
        raise Wrong(f"{request} left with nothing new to say")
    facts.add_outputs()
    _carry(facts, command.number)
    carries = len(facts.items) + len(facts.new)
    if command.length != carries:
        raise Wrong(f"{request} carries {command.length} items, and should carry {carries}")
    _goes_on(facts, command, request)
    facts.requests = facts.flight = command.number
    facts.asked += 1
    facts.sent = carries
    facts.lost = facts.opening = False


def _goes_on(facts: Facts, command: commands.SendRequest, request: str) -> None:
    """From what the response before it has left with its provider (R21, R22)."""
    if command.paused != facts.paused:
        raise Wrong(f"{request} says paused={command.paused}, and the last response {facts.paused}")
    if command.known is not None:
        raise Wrong(f"{request} goes on from {command.known}: no response here has an id")


def _carry(facts: Facts, request: int) -> None:
    """The messages that this request must carry, in acceptance order (R5, R21)."""
    for waiting in tuple(facts.held):
        if facts.opening or (waiting.mode is Mode.STEER and not facts.paused):
            facts.held.remove(waiting)
            facts.carried.append((waiting.message.id, request, len(facts.items) + len(facts.new)))
            facts.new.append(waiting.message)


def _abort(facts: Facts, command: commands.AbortRequest) -> None:
    facts.pay("abort", command.number, f"request {command.number} was aborted though nobody stopped it")


def _turn_ended(facts: Facts, command: commands.TurnEnded) -> None:
    turn = f"turn {command.turn}"
    if command.turn != facts.turn:
        raise Wrong(f"{turn} ended while turn {facts.turn} is under way")
    if facts.flight is not None:
        raise Wrong(f"{turn} ended while request {facts.flight} is in flight")
    if facts.calls:
        raise Wrong(f"{turn} ended while {_open_calls(facts)}")
    reason = facts.stop_reason
    if command.reason is not reason:
        raise Wrong(f"{turn} ended {command.reason}, and should have ended {reason}")
    if command.error != facts.error:
        raise Wrong(f"{turn} ended {reason} and says {command.error!r}, not {facts.error!r}")
    facts.add_outputs()
    if facts.stopped is not None:
        facts.new.append(Note(NOTES[reason]))
    elif reason in _FAILED:
        facts.draw_line(f"the turn ended {reason}")
    facts.turn = 0
    facts.backoff = None


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────


def _held(facts: Facts, command: commands.Held) -> None:
    id_ = command.letter.message.id
    facts.pay("held", id_, f"{id_} was accepted though nobody has sent it now")
    if [invocation.ordinal for invocation in command.calls] != list(facts.calls):
        raise Wrong(f"{id_} is said to be held by other calls than those that are open")


def _duplicate(facts: Facts, command: commands.Duplicate) -> None:
    id_ = command.letter.message.id
    facts.pay("duplicate", id_, f"{id_} is no duplicate")


def _delivered(facts: Facts, command: commands.Delivered) -> None:
    letter = command.letter
    receipt = (letter.message.id, letter.request, letter.index)
    if not facts.carried or facts.carried.pop(0) != receipt or letter.fate is not Fate.DELIVERED:
        raise Wrong(f"{_receipt(letter)}: no request has just carried it for the first time there")
    facts.fates[letter.message.id] = Fate.DELIVERED


def _returned(facts: Facts, command: commands.Returned) -> None:
    letter = command.letter
    id_ = letter.message.id
    if facts.decided in _FAILED and facts.stopped is None and not facts.calls and not facts.due:
        facts.draw_line(f"the turn ended {facts.decided}")  # it is about to: what is returned is told first
    reason = facts.pay("returned", id_, f"{id_} was returned for no reason")
    if letter.fate is not Fate.RETURNED or letter.reason != reason or facts.fates[id_] is Fate.RETURNED:
        raise Wrong(f"{_receipt(letter)}: it was to be returned once, with the reason {reason!r}")
    facts.fates[id_] = Fate.RETURNED
    facts.held = [waiting for waiting in facts.held if waiting.message.id != id_]


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────


def _call_requested(facts: Facts, command: commands.CallRequested) -> None:
    call = command.invocation
    facts.pay("call", call.ordinal, f"call {call.name} was requested though the model has made none")


def _ask_approval(facts: Facts, command: commands.AskApproval) -> None:
    call = command.invocation
    facts.pay("ask", call.ordinal, f"call {call.name} needs no approval now")


def _start_call(facts: Facts, command: commands.StartCall) -> None:
    ordinal = command.invocation.ordinal
    first = facts.startable if facts.stopped is None else None
    if ordinal != first:
        rather = "no call may start" if first is None else f"call {facts.calls[first].name} is first"
        raise Wrong(f"call {command.invocation.name} was to be started, and {rather}")
    facts.calls[ordinal] = facts.calls[ordinal]._replace(phase=Phase.ASKED)


def _run_call(facts: Facts, command: commands.RunCall) -> None:
    ordinal, tool = command.invocation.ordinal, f"the tool of call {command.invocation.name}"
    facts.pay("run", ordinal, f"{tool} was to be run without a record")
    known = facts.calls[ordinal]
    if known.phase is not Phase.ASKED:
        raise Wrong(f"{tool} was to be run, and nobody has started the call")
    facts.calls[ordinal] = known._replace(phase=Phase.RUNS, since=facts.now)


def _stop_call(facts: Facts, command: commands.StopCall) -> None:
    ordinal, call = command.invocation.ordinal, f"call {command.invocation.name}"
    cause = facts.pay("stop", ordinal, f"{call} was asked to stop for no reason")
    if command.cause is not cause:
        raise Wrong(f"{call} was asked to stop: {command.cause}, and should have been: {cause}")
    facts.calls[ordinal] = facts.calls[ordinal]._replace(phase=Phase.STOPS, cause=cause)


def _call_ended(facts: Facts, command: commands.CallEnded) -> None:
    invocation = command.invocation
    ordinal, outcome, call = invocation.ordinal, invocation.outcome, f"call {invocation.name}"
    cause, text = facts.pay("ended", ordinal, f"{call} ended for no reason")
    if outcome is None or invocation.state is not state_of(cause):
        raise Wrong(f"{call} is {invocation.state}, and should be {state_of(cause)}")
    if outcome.cause is not cause or outcome.model_text != text:
        raise Wrong(f"{call} is said to have ended so: {outcome.model_text!r}; the truth is: {text!r}")
    del facts.calls[ordinal]
    facts.batch[ordinal] = text


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────


def _set_timer(facts: Facts, command: commands.SetTimer) -> None:
    facts.pay("timer", command.input, f"a timer was set that nothing asks for: {command.input}")


def _discarded(facts: Facts, command: commands.Discarded) -> None:
    due = command.request, command.whole
    facts.pay("discarded", due, f"response {command.request} was discarded, and it counts")


def _set_aside(facts: Facts, command: commands.SetAside) -> None:
    due = [key for key, item in facts.due.items() if key[0] == "aside" and item == command.item]
    if not due:
        raise Wrong(f"an item was set aside, and it counts: {command.item}")
    del facts.due[due[0]]


def _late(_facts: Facts, command: commands.Late) -> None:
    raise Wrong(f"{type(command.input).__name__} was taken for late, and it is about something that is open")


_CHECK: Mapping[type, Callable[[Facts, Any], None]] = {
    commands.SendRequest: _send_request,
    commands.AbortRequest: _abort,
    commands.StartCall: _start_call,
    commands.RunCall: _run_call,
    commands.StopCall: _stop_call,
    commands.AskApproval: _ask_approval,
    commands.SetTimer: _set_timer,
    commands.TurnBegan: _turn_began,
    commands.Held: _held,
    commands.Duplicate: _duplicate,
    commands.Delivered: _delivered,
    commands.Returned: _returned,
    commands.CallRequested: _call_requested,
    commands.CallEnded: _call_ended,
    commands.Discarded: _discarded,
    commands.SetAside: _set_aside,
    commands.Late: _late,
    commands.TurnEnded: _turn_ended,
}


def _check_items(facts: Facts, items: Sequence[Item]) -> None:
    """The transcript holds what was said, in the canonical order, and nothing else (R4, R16)."""
    known = len(facts.items)
    if items[:known] != facts.items:
        raise Wrong("an item that stood in the transcript stands there no more")
    if len(items) != known + len(facts.new):
        raise Wrong(f"the transcript holds {len(items)} items, and should hold {known + len(facts.new)}")
    for item, entry in zip(items[known:], facts.new, strict=True):
        if isinstance(entry, Answer):
            right = isinstance(item, Output) and (item.ordinal, item.model_text) == entry
        else:
            right = item is entry or item == entry
        if not right:
            raise Wrong(f"the transcript holds {item}, where this belongs: {entry}")
        facts.items.append(item)
    facts.new.clear()


def _check_progress(facts: Facts) -> None:
    """Whoever waits, waits for something that will come; nothing that may happen is left undone."""
    if not facts.turn:
        if facts.starts_turn or facts.going_on:
            raise Wrong("a turn was asked for, and none has begun")
    elif facts.calls:
        if facts.stopped is None and facts.startable is not None:
            raise Wrong(f"call {facts.calls[facts.startable].name} may start, and was not started")
    elif facts.flight is None and (facts.backoff is None or facts.decided is not None):
        raise Wrong(f"turn {facts.turn} waits for nothing, and neither goes on nor ends")


_UNDONE: Mapping[str, str] = {
    "abort": "request {} was not aborted",
    "aside": "reasoning that nothing follows was not set aside",
    "ask": "nobody was asked to approve call {}",
    "call": "call {} of the model is not known",
    "discarded": "nobody was told that response {} does not count",
    "duplicate": "nobody was told that {} was accepted before",
    "ended": "call {} did not end",
    "held": "{} was not accepted",
    "returned": "{} was not returned",
    "run": "the tool of call {} was not run",
    "stop": "call {} was not asked to stop",
    "timer": "a timer was not set: {}",
}


def _open_calls(facts: Facts) -> str:
    return f"calls are open: {', '.join(known.name for known in facts.calls.values())}"


def _receipt(letter: Letter) -> str:
    place = f", request {letter.request}, index {letter.index}" if letter.request else ""
    return f"the receipt of {letter.message.id} says: {letter.fate}{place}"
