"""What must hold of every story, judged by what left the session and by what it told.

It owns the rules, each with its number in the specification. It must not know which bugs there are, nor look
at the session's inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hunts.stage import accepted
from hunts.theatre import Stage, Visit
from support.live import only, written
from turnlock import (
    CallEnded,
    CallRequested,
    Cause,
    Invocation,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    Receipt,
    RequestSent,
    StopReason,
    TurnEnded,
    TurnStarted,
)

_STOPPED = {StopReason.INTERRUPTED, StopReason.CLOSED}
_BY_HAND = {Cause.INTERRUPTED, Cause.NOT_STARTED}
_INSTANT = 1e-6  # seconds: sums of times are rounded


def judge(stage: Stage, *, timely: bool) -> None:
    """Judge a story that is over, its session closed.

    Args:
        stage: What is known of it.
        timely: No time passed while somebody could run: so times that the session promises hold exactly.

    Raises:
        AssertionError: A rule is broken.
    """
    accepted(stage.model)
    if timely:  # an adapter that does not leave in time is not waited for
        assert stage.model.most <= 1, f"R22: {stage.model.most} requests were in flight at once"
    _judge_turns(stage)
    _judge_messages(stage)
    _judge_calls(stage, timely=timely)


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────


def _judge_turns(stage: Stage) -> None:
    under_way: int | None = None
    requests = begun = 0
    unread: list[Invocation] = []
    for number, event in enumerate(stage.events):
        if isinstance(event, TurnStarted):
            assert under_way is None, f"R13: turn {event.turn} began while turn {under_way} was under way"
            under_way, requests, begun = event.turn, 0, number
            unread = []
        elif isinstance(event, RequestSent):
            requests += 1
            unread = []
            assert requests <= stage.limits.max_requests, f"C64: turn {event.turn} sent {requests} requests"
        elif isinstance(event, CallEnded):
            assert event.turn == under_way, f"R13: {event.call!r} ended behind the end of its turn"
            unread.append(event.call)
        elif isinstance(event, TurnEnded):
            assert event.turn == under_way, f"R13: turn {event.turn} ended twice"
            under_way = None
            reason = event.stop_reason
            assert reason not in {StopReason.REFUSED, StopReason.FAILED}, f"{reason}: {event.error}"
            if reason is StopReason.END_TURN:
                assert not unread, f"R13: turn {event.turn} ended, and the model has not read of {unread}"
            elif reason in _STOPPED:
                stopped = any(first <= number and last >= begun for first, last in stage.stops)
                assert stopped, f"R17: turn {event.turn} was {reason}, and nobody stopped it"
    assert under_way is None, f"R13: turn {under_way} never ended"


# ── messages ────────────────────────────────────────────────────────────────────────────────────────


def left(stage: Stage) -> Mapping[int, Any]:
    """The bodies that reached the model, by the number of the request: one may be aborted before it left."""
    return dict(zip((request.number for request in stage.model.requests), stage.model.bodies, strict=True))


def receipts(stage: Stage) -> Sequence[Receipt]:
    """Every message that the session has told of, in the order of acceptance."""
    events = only(stage.events, MessageHeld), only(stage.events, MessageDelivered)
    known = {event.receipt.id: event.receipt for kind in events for event in kind}
    known |= {event.receipt.id: event.receipt for event in only(stage.events, MessageReturned)}
    return sorted(known.values(), key=lambda receipt: receipt._letter.number)


def turn_of(stage: Stage, text: str) -> int | None:
    """The turn whose request carried a message first."""
    turns = [event.turn for event in only(stage.events, MessageDelivered) if text_of(event.receipt) == text]
    return turns[0] if turns else None


def text_of(receipt: Receipt) -> str:
    """What was said; a receipt does not repeat it."""
    return str(receipt._letter.message.content)


def _judge_messages(stage: Stage) -> None:
    bodies = {number: written(body).split() for number, body in left(stage).items()}
    known = receipts(stage)
    for receipt in (*known, *stage.accepted):
        assert receipt.state in {"delivered", "returned"}, f"R5: {receipt!r} was accepted, and has no fate"
    delivered = [receipt for receipt in known if receipt.state == "delivered"]
    for receipt in delivered:
        text = text_of(receipt)
        assert receipt.request is not None
        for number, body in bodies.items():
            times = body.count(text)
            wanted = 1 if number >= receipt.request else 0
            assert times == wanted, f"R5: {receipt!r}: request {number} carries {text} {times} times"
    for mode in {receipt._letter.mode for receipt in delivered}:
        places = [(receipt.request, receipt.index) for receipt in delivered if receipt._letter.mode is mode]
        for one, other in pairwise(places):
            assert one < other, f"R5: of two messages ({mode}) the later one stands first: {places}"


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────


def _judge_calls(stage: Stage, *, timely: bool) -> None:
    visits: Mapping[int, list[Visit]] = _by_ordinal(stage.visits)
    ended = [event.call for event in only(stage.events, CallEnded)]
    assert len({one.ordinal for one in ended}) == len(ended), "R1: a call ended twice"
    for event in only(stage.events, CallRequested):
        one = event.call
        outcome = one.outcome
        assert outcome is not None, f"R1: {one!r} has no outcome"
        assert one in ended, f"R13: the end of {one!r} was never told"
        ran = visits.get(one.ordinal, [])
        assert len(ran) <= 1, f"R1: {one!r} ran {len(ran)} times"
        if stage.alone:
            assert outcome.cause not in {*_BY_HAND, Cause.CLOSED}, f"R9: {one!r}: {outcome.cause}"
        assert one.name != "risky" or not ran or one.ordinal in stage.allowed, f"R14: nobody allowed {one!r}"
        for visit in ran:
            _judge_visit(visit, stage, timely=timely)
    _judge_what_is_carried(stage)


def _by_ordinal(visits: Iterable[Visit]) -> dict[int, list[Visit]]:
    found: dict[int, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.call.ordinal, []).append(visit)
    return found


def _judge_visit(visit: Visit, stage: Stage, *, timely: bool) -> None:
    outcome, deadline = visit.call.outcome, stage.limits.deadline
    assert outcome is not None
    assert visit.ended is not None, f"{visit.call!r} was never left"
    if visit.until is None or visit.ended < visit.until - _INSTANT:  # it was not left behind
        if visit.said is not None:
            assert (outcome.cause, outcome.output) == (Cause.RETURNED, visit.said), (
                f"R1, R6: {visit.call!r} returned {visit.said!r}, and its outcome is {outcome!r}"
            )
        if visit.raised is not None and visit.until is None:
            assert outcome.cause is Cause.RAISED, f"R9: {visit.call!r} raised, and is {outcome.cause}"
    if deadline is None or not timely:
        return
    bound = deadline + stage.limits.grace + _INSTANT
    assert outcome.seconds <= bound, f"R8: {visit.call!r} ended after {outcome.seconds} s"
    if outcome.cause is Cause.DEADLINE:
        asked = visit.until if visit.until is not None else visit.ended + stage.limits.grace
        late = asked - stage.limits.grace - visit.began - deadline
        assert late <= _INSTANT, f"R8: {visit.call!r} was asked to stop {late} s behind its deadline"


def _judge_what_is_carried(stage: Stage) -> None:
    """R16: what ended before a request left stands in it, with its output, and in all that come behind it."""
    ended: list[Any] = []
    bodies = left(stage)
    for event in stage.events:
        if isinstance(event, CallEnded):
            ended.append(event.call)
        elif isinstance(event, RequestSent):
            body = bodies[event.request]
            given = [item for item in body["input"] if item.get("type") == "function_call_output"]
            outputs = [item["output"] for item in given]
            wanted = [one.outcome.model_text for one in sorted(ended, key=lambda one: int(one.ordinal))]
            assert outputs == wanted, f"R4, R16: request {event.request} has {outputs}, not {wanted}"
