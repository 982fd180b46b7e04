"""What each input must bring about, and which inputs are late (R25).

One function per kind of input: it notes the facts, and says what is due. The result is False for an input
about something that is no longer open: then it must be recorded as late, and nothing else may happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine import (
    Call,
    Cause,
    Fate,
    Finish,
    Input,
    Message,
    Mode,
    OnInterrupt,
    Output,
    StopReason,
    Text,
    Trouble,
    inputs,
)
from turnlock.explore.facts import Answer, Facts, Known, Phase, Waiting, Wrong
from turnlock.explore.truth import FAILURES, refused_text

_ASKED_AGAIN = frozenset({Trouble.LOST, Trouble.FORGOTTEN})
_REST = {Finish.LENGTH: StopReason.MAX_TOKENS, Finish.FILTER: StopReason.CONTENT_FILTER}


def take(facts: Facts, given: Input) -> bool:
    """Note an input, and what is due; False when it is late."""
    facts.now = given.at
    return _TAKE[type(given)](facts, given)


# ── the host ────────────────────────────────────────────────────────────────────────────────────────────


def _send(facts: Facts, given: inputs.Send) -> bool:
    id_ = given.message.id
    if id_ in facts.fates:
        facts.due["duplicate", id_] = None
        return True
    if given.mode is Mode.INTERRUPT:
        _stop(facts, Cause.INTERRUPTED, given.shown)
    returns = given.on_interrupt is OnInterrupt.RETURN
    facts.held.append(Waiting(len(facts.fates) + 1, given.message, given.mode, returns))
    facts.fates[id_] = Fate.HELD
    facts.due["held", id_] = None
    return True


def _withdraw(facts: Facts, given: inputs.Withdraw) -> bool:
    if facts.fates.get(given.id) is not Fate.HELD:
        return False
    facts.due["returned", given.id] = given.reason
    return True


def _interrupt(facts: Facts, given: inputs.Interrupt) -> bool:
    _stop(facts, given.cause, given.shown)
    return True


def _turn_expired(facts: Facts, given: inputs.TurnExpired) -> bool:
    if not facts.turn or given.turn != facts.turn or facts.stopped is not None:
        return False
    _stop(facts, Cause.TURN_TIMEOUT, given.shown)
    return True


def _go_on(facts: Facts, _given: inputs.GoOn) -> bool:
    if facts.turn:
        raise Wrong("the host was allowed to go on while a turn is under way")
    facts.going_on = True
    return True


def _resumed(facts: Facts, _given: inputs.Resumed) -> bool:
    """What the crash left open is closed, but for what waits for somebody's answer (R24)."""
    if not facts.turn:
        return True
    if facts.flight is not None:
        _break_off(facts, facts.flight)
    facts.backoff = None
    asked = False
    for ordinal, known in facts.calls.items():
        if known.phase is Phase.WAITS:
            facts.ask(ordinal)
            asked = True
        else:
            facts.end_call(ordinal, Cause.LOST if known.phase >= Phase.RUNS else Cause.NOT_STARTED)
    if asked:
        facts.limit_turn()
    elif facts.stopped is None:
        facts.decided = StopReason.CRASHED
        facts.error = ""
    else:
        facts.draw_line("the session crashed")
    return True


def _stop(facts: Facts, cause: Cause, shown: str) -> None:
    """Every interrupt draws its line; the first one of a turn stops it, with everything in it (C12)."""
    facts.draw_line(cause)
    if not facts.turn or facts.stopped is not None:
        return
    facts.stopped = cause
    facts.error = ""
    facts.backoff = None
    if facts.flight is not None:
        facts.due["abort", facts.flight] = None
        if facts.response or shown:
            facts.answered = facts.sent
        facts.keep_response(broken=True)
        if shown:
            facts.new.append(Text(shown, facts.flight))
        facts.flight = None
    for ordinal in facts.calls:
        facts.stop_call(ordinal, cause)


# ── the model ───────────────────────────────────────────────────────────────────────────────────────────


def _item_completed(facts: Facts, given: inputs.ItemCompleted) -> bool:
    if given.request != facts.flight:
        return False
    facts.response.append(given.item)
    if isinstance(given.item, Call):
        ordinal, policy = given.item.ordinal, given.policy
        phase = Phase.WAITS if policy.approval else Phase.READY
        facts.calls[ordinal] = Known(given.item.name, policy, phase, given.at)
        facts.batch[ordinal] = None
        facts.due["call", ordinal] = None
        if policy.problem is not None:
            facts.end_call(ordinal, policy.problem, why=policy.why)
        elif policy.approval:
            facts.ask(ordinal)
    return True


def _response_ended(facts: Facts, given: inputs.ResponseEnded) -> bool:
    if given.request != facts.flight:
        return False
    facts.flight = None
    facts.failures = 0
    facts.answered = facts.sent
    facts.paused = given.finish is Finish.PAUSE
    facts.rest = _REST.get(given.finish, StopReason.END_TURN)
    facts.keep_response(whole=facts.paused)
    return True


def _response_failed(facts: Facts, given: inputs.ResponseFailed) -> bool:
    if given.request != facts.flight:
        return False
    facts.lost = _break_off(facts, given.request) and given.trouble in _ASKED_AGAIN
    if facts.decided is not None:
        return True
    if given.trouble in _ASKED_AGAIN:
        facts.failures += 1
        if facts.failures <= facts.limits.retries:
            if facts.asked < facts.limits.max_requests:
                _back_off(facts, given)
            return True
    facts.decided = FAILURES[given.trouble]
    facts.error = given.text
    if given.trouble is Trouble.REFUSED:
        _take_back(facts, given.text)
    return True


def _break_off(facts: Facts, request: int) -> bool:
    """A response does not come to its end; what is complete counts if a call is among it (C18)."""
    facts.flight = None
    whole = not any(isinstance(item, Call) for item in facts.response)
    facts.due["discarded", (request, whole)] = None
    if whole:
        facts.response.clear()
    else:
        facts.answered = facts.sent
        facts.keep_response(broken=True)
    return whole


def _back_off(facts: Facts, given: inputs.ResponseFailed) -> None:
    limits = facts.limits
    pause = given.retry_after
    if pause is None:
        pause = min(limits.backoff * 2 ** (facts.failures - 1), limits.backoff_max)
    facts.backoff = given.request
    facts.due["timer", inputs.Wake(given.at + pause, given.request)] = None


def _take_back(facts: Facts, reason: str) -> None:
    """What no answered request has carried must not leave again (R20)."""
    suffix = [*facts.items[facts.answered :], *facts.new]
    del facts.items[facts.answered :]
    facts.new.clear()
    for entry in suffix:
        if isinstance(entry, Message):
            facts.due["returned", entry.id] = reason
        elif isinstance(entry, Output) and entry.refused is None:
            facts.new.append(Answer(entry.ordinal, refused_text(reason)))
        else:
            facts.new.append(entry)


def _wake(facts: Facts, given: inputs.Wake) -> bool:
    if given.request != facts.backoff:
        return False
    facts.backoff = None
    return True


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────


def _started(facts: Facts, given: inputs.Started) -> bool:
    if given.ordinal not in facts.calls:
        return False
    facts.due["run", given.ordinal] = None
    return True


def _returned(facts: Facts, given: inputs.Returned) -> bool:
    known = facts.calls.get(given.ordinal)
    if known is None:
        return False
    facts.end_call(given.ordinal, Cause.RETURNED, output=given.output)
    if known.policy.ends_turn and facts.decided is None and facts.stopped is None:
        facts.decided = StopReason.TOOL_ENDED
    return True


def _raised(facts: Facts, given: inputs.Raised) -> bool:
    known = facts.calls.get(given.ordinal)
    if known is None:
        return False
    if known.cause is None:
        facts.end_call(given.ordinal, Cause.RAISED, why=given.error, partial=given.partial)
    else:  # part of the stopping (R1)
        facts.end_call(given.ordinal, known.cause, partial=given.partial)
    return True


def _stopped(facts: Facts, given: inputs.Stopped | inputs.GraceOver) -> bool:
    known = facts.calls.get(given.ordinal)
    if known is None:
        return False
    facts.end_call(given.ordinal, known.cause or Cause.CLOSED, partial=given.partial)
    return True


def _stop_asked(facts: Facts, given: inputs.StopAsked | inputs.Cancel) -> bool:
    if given.ordinal not in facts.calls:
        return False
    facts.stop_call(given.ordinal, given.cause if isinstance(given, inputs.StopAsked) else Cause.SKIPPED)
    return True


def _approval(facts: Facts, given: inputs.ApprovalAnswered | inputs.ApprovalExpired) -> bool:
    known = facts.calls.get(given.ordinal)
    if known is None or known.phase is not Phase.WAITS:
        return False
    if isinstance(given, inputs.ApprovalExpired):
        facts.end_call(given.ordinal, Cause.NO_ANSWER)
    elif given.allow:
        facts.calls[given.ordinal] = known._replace(phase=Phase.READY)
    else:
        facts.end_call(given.ordinal, Cause.DENIED, why=given.reason)
    return True


_TAKE: Mapping[type, Callable[[Facts, Any], bool]] = {
    inputs.Send: _send,
    inputs.Withdraw: _withdraw,
    inputs.Interrupt: _interrupt,
    inputs.TurnExpired: _turn_expired,
    inputs.GoOn: _go_on,
    inputs.ItemCompleted: _item_completed,
    inputs.ResponseEnded: _response_ended,
    inputs.ResponseFailed: _response_failed,
    inputs.Wake: _wake,
    inputs.Started: _started,
    inputs.Returned: _returned,
    inputs.Raised: _raised,
    inputs.Stopped: _stopped,
    inputs.GraceOver: _stopped,
    inputs.StopAsked: _stop_asked,
    inputs.Cancel: _stop_asked,
    inputs.ApprovalAnswered: _approval,
    inputs.ApprovalExpired: _approval,
    inputs.Resumed: _resumed,
}
