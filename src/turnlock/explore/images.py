"""When two states count as one: by everything, or by their images.

``exact`` is everything that decides the future and everything that is judged of the past.

``image`` forgets the past, and which of several equal calls is which. It is sound for a world that is
``symmetric``, for three reasons:

* Nothing looks back. In such a world no response is refused, so that what stands in the transcript is never
  read again; a call that has ended has left the registry, and once its output has its place its outcome is
  past; numbers of requests and turns are only compared with the current ones. So what comes next, and what is
  due then, depends on the image alone.
* The calls are made in one answer, need no approval, are not exclusive and have slots enough: to exchange two
  of them exchanges names, and the order of outputs, which is judged at every step.
* The provider refuses a history for an item that is wrong by itself, or for a call and an output that do not
  belong together. So a history that it accepts once all calls have ended is as good as any other one in front
  of what comes later, and that is judged behind every step, for the histories that lead to a known image too
  (``Search.judge_prefix``).

None of it is believed: an exact search of a symmetric world compares, for all its states, what the images
lead to (``Search``), and the tests compare the images of both searches.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from turnlock.engine import Engine, Fate, Invocation
from turnlock.explore.facts import Facts
from turnlock.explore.outside import Outside

_turn = attrgetter(
    "state",
    "number",
    "requests",
    "request",
    "asked_to_go_on",
    "stop",
    "error",
    "rest",
    "paused",
    "ask_again",
    "failures",
    "waking",
    "ticking",
)
_call = attrgetter("call.ordinal", "state", "approved", "started_at", "stop_cause", "outcome")
_letter = attrgetter("fate", "request", "index", "reason")


def exact(items: tuple[int, ...], engine: Engine, outside: Outside, facts: Facts) -> tuple[Any, ...]:
    """Everything that decides the future, and everything that is judged of the past.

    Args:
        items: The transcript, as numbers.
        engine: The engine.
        outside: The model, the tools, the timers and the host.
        facts: What an observer knows.
    """
    registry, inbox, transcript = engine.registry, engine.inbox, engine.transcript
    return (
        items,
        outside.key(),
        facts.key(),
        _turn(engine.turn),
        tuple(map(_call, registry.batch)),
        (*map(_call, registry.open.values()), registry.running, registry.last_ordinal, *registry.ready),
        (*map(_letter, inbox.letters.values()), *(letter.number for letter in inbox.held), inbox.line),
        (*map(id, transcript.response), transcript.accepted, transcript.sent, engine.requests),
    )


_life = attrgetter(
    "stop", "error", "rest", "paused", "ask_again", "failures", "waking", "ticking", "asked_to_go_on"
)
_told = attrgetter("stopped", "decided", "error", "rest", "paused", "lost", "failures", "backoff")
_left = attrgetter(
    "interrupts", "failures", "cancels", "withdrawals", "resends", "crashes", "sent", "cursor", "aborted"
)


def image(engine: Engine, outside: Outside, facts: Facts) -> tuple[Any, ...]:
    """What decides the future of a state of a symmetric world."""
    turn, registry, inbox, last = engine.turn, engine.registry, engine.inbox, engine.requests
    answers = len(outside.script.world.responses)
    return (
        turn.state,
        _life(turn),
        turn.requests < turn.max_requests,
        _told(facts),
        _left(outside),
        # Numbers count back from the last request and the last turn; the next answer is the last one of all
        # once as many requests have left as there are answers.
        min(last, answers),
        min(facts.turns, 1),
        (
            _back(last, turn.request),
            _back(last, outside.request),
            _back(last, facts.flight),
            last - facts.requests,
        ),
        (_back(facts.turns, facts.turn), facts.turns - turn.number, facts.turns - outside.turn, outside.busy),
        facts.asked - turn.requests,
        # Messages: those that have their fate are past.
        tuple(letter.fate is Fate.HELD for letter in inbox.letters.values()),
        tuple(fate is Fate.HELD for fate in facts.fates.values()),
        tuple((letter.number, letter.number > inbox.line) for letter in inbox.held),
        tuple((waiting.number, waiting.number > facts.line) for waiting in facts.held),
        outside.waiting,
        # Calls, in no order.
        len(engine.transcript.response),
        registry.running,
        tuple(
            sorted(_part(ordinal, engine, outside, facts) for ordinal in range(1, registry.last_ordinal + 1))
        ),
        tuple(map(id, outside.timers)),
    )


def _back(last: int, number: int | None) -> int | None:
    return last - number if number else None


def _part(ordinal: int, engine: Engine, outside: Outside, facts: Facts) -> tuple[Any, ...]:
    """The part that one call plays; strings and numbers, so that parts can be sorted."""
    registry = engine.registry
    call, known = registry.open.get(ordinal), facts.calls.get(ordinal)
    return (
        (call.state, call.approved, call.started_at is None, call.stop_cause or "") if call else (),
        (known.phase, known.cause or "") if known else (),
        ordinal in facts.batch,
        next((_outcome(other) for other in registry.batch if other.ordinal == ordinal), ()),
        ordinal in registry.ready,
        ordinal in outside.open,
        outside.tools.get(ordinal, -1),
    )


def _outcome(call: Invocation) -> tuple[str, ...]:
    """What became of a call whose output waits for its place."""
    outcome = call.outcome
    return ("open",) if outcome is None else (outcome.cause, outcome.partial)
