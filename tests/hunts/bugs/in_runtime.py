"""Mistakes in the runtime: tasks, times and wake-ups around the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio
from attrs import evolve

from hunts.bugs.made import Bug, Room, Shows, Source, instead_of
from turnlock.engine import Cause, Invocation, commands, inputs
from turnlock.journal import Entry
from turnlock.machines import TurnState
from turnlock.runtime import events
from turnlock.runtime.conductor import Conductor
from turnlock.runtime.owner import Owner
from turnlock.runtime.requester import Flight, Pilot, Requester
from turnlock.runtime.results import Ticket
from turnlock.runtime.session import Session
from turnlock.runtime.streams import EventStream
from turnlock.runtime.supervisor import Run, Supervisor
from turnlock.runtime.watchdog import Watchdog

_Ending = inputs.Returned | inputs.Raised | inputs.Stopped

_end = Supervisor._end
_returned = Supervisor._returned
_raised = Supervisor._raised
_let_go = Conductor.let_go
_on_turn_ended = Conductor._on_turn_ended
_append = Owner._append
_give = Requester._give
_push = Watchdog.push


def _finds_the_run_by_its_id(tools: Supervisor, run: Run, ending: _Ending) -> None:
    label = run.call.call.call_id
    found = next(other for other in tools.running.values() if other.call.call.call_id == label)
    _end(tools, run, evolve(ending, ordinal=found.call.ordinal))


def _stops_whatever_runs(conductor: Conductor, ticket: Ticket) -> None:
    if ticket.turn is None or ticket.left:
        _let_go(conductor, ticket)
        return
    ticket.left = True
    shown = conductor.requester.hold()
    conductor.owner.post(
        inputs.Interrupt(conductor.now(), Cause.INTERRUPTED, shown, "the host left the turn")
    )


def _leaves_the_next_to_the_guest(conductor: Conductor, command: commands.TurnEnded) -> None:
    guest = conductor.requester.guest
    _on_turn_ended(conductor, command)
    conductor.requester.guest = guest


def _gives_at_once(requester: Requester, flight: Flight) -> None:
    leaving, requester._leaving = requester._leaving, {}
    try:
        _give(requester, flight)
    finally:
        requester._leaving = leaving


async def _looks_and_then_waits(stream: EventStream) -> events.Event:
    while not stream._events:
        if stream._closed:
            raise StopAsyncIteration
        await trio.lowlevel.checkpoint()
        stream._wake = trio.Event()
        await stream._wake.wait()
    return stream._events.popleft()


async def _asks_once_and_waits(session: Session) -> None:
    if session._engine.turn.state is TurnState.INTERRUPTING:
        await trio.lowlevel.checkpoint()
        await session._conductor.rest()


async def _sleeps_a_step_late(pilot: Pilot) -> None:
    await trio.lowlevel.checkpoint()
    pilot._asleep = trio.Event()
    await pilot._asleep.wait()
    pilot._asleep = None


async def _empties_the_inbox_behind_it(owner: Owner, entries: Sequence[Entry]) -> None:
    await _append(owner, entries)
    owner._inbox.clear()


def _counts_what_was_stopped_as_stopped(tools: Supervisor, run: Run, value: object) -> None:
    if run.asked is None:
        _returned(tools, run, value)
    else:
        tools._stopped(run)


def _keeps_quiet_while_stopping(tools: Supervisor, run: Run, error: BaseException) -> None:
    if run.asked is None:
        _raised(tools, run, error)
    else:
        run.over = True  # "it was cancelled anyway"


def _stops_the_others_too(tools: Supervisor, run: Run, error: BaseException) -> None:
    for other in tools.running.values():
        if other is not run:
            other.scope.cancel(reason="a sibling has failed")
    _raised(tools, run, error)


def _sets_the_next_from_now(tools: Supervisor, deadline: float, _key: int, _when: float, now: float) -> None:
    tools._timed.remove(deadline)
    for run in tuple(tools.running.values()):
        if run.deadline != deadline or run.over or run.expired:
            continue
        if run.started + deadline > now:
            tools._time(deadline, now)
            return
        run.expired = True
        tools.post(inputs.StopAsked(now - tools.epoch, run.call.ordinal, Cause.DEADLINE))


def _never_bounds_a_stop(tools: Supervisor, invocation: Invocation) -> None:
    run = tools.running.get(invocation.call.ordinal)
    if run is not None and not run.over:
        run.asked = tools.clock()
        run.scope.cancel(reason=invocation.stop_cause)


def _sleeps_through_earlier_times(
    watchdog: Watchdog, when: float, due: Callable[[int, float, float], None], key: int, among: Any
) -> None:
    sleeping, watchdog._sleeping = watchdog._sleeping, None  # "it is awake in time"
    try:
        _push(watchdog, when, due, key, among)
    finally:
        watchdog._sleeping = sleeping


async def _returns_nothing_at_the_end(session: Session) -> None:
    conductor, owner = session._conductor, session._owner
    session._supervisor.hurry()
    conductor.stop_turn(Cause.CLOSED, "the session is being closed")
    await owner.settled()
    while session._engine.turn.state is not TurnState.IDLE and owner.error is None:
        await conductor.rest()


_RUNTIME, _ALWAYS, _MOMENT, _ORDER = Room.RUNTIME, Shows.ALWAYS, Shows.MOMENT, Shows.ORDER

IN_RUNTIME: Sequence[Bug] = (
    Bug(
        "duplicate id crosses results",
        "A result is given to the first running call with its provider's id, which another call has, too.",
        Source(
            "huggingface/smolagents",
            2768,
            "Parallel calls were kept by the provider's id: with a repeated id one call took the "
            "place of another.",
        ),
        _RUNTIME,
        _MOMENT,
        "R2, C20",
        instead_of(Supervisor, "_end", _finds_the_run_by_its_id),
    ),
    Bug(
        "cancel races completion and stops the next turn",
        "Whoever is cancelled in the instant in which his turn ends interrupts the turn that has "
        "begun since.",
        Source(
            "prime-radiant-inc/evener",
            178,
            "A Stop that was pressed during one turn and delivered after its end cancelled the turn "
            "behind it.",
        ),
        _RUNTIME,
        _ORDER,
        "R17, C25",
        instead_of(Conductor, "let_go", _stops_whatever_runs),
    ),
    Bug(
        "queued message is never asked",
        "The next turn's request is given to the task that waited for the turn before, and that task "
        "has left.",
        Source(
            "vastsa/PI-Desktop",
            243,
            "A prompt queued during a turn stayed in the queue when the turn had ended, and no turn "
            "was started.",
        ),
        _RUNTIME,
        _MOMENT,
        "R5, C10",
        instead_of(Conductor, "_on_turn_ended", _leaves_the_next_to_the_guest),
    ),
    Bug(
        "two requests in flight",
        "After an interrupt the next request leaves while the aborted one is still being wound up.",
        Source(
            "NiladriHazra/Open-Fiesta",
            23,
            "Sending a new prompt left the earlier request running, and both answered into the same chat.",
        ),
        _RUNTIME,
        _MOMENT,
        "R22",
        instead_of(Requester, "_give", _gives_at_once),
    ),
    Bug(
        "event stream misses its wake-up",
        "A reader looks for events, yields, and only then waits: what came between wakes nobody.",
        Source(
            "jaylfc/taOS",
            485,
            "A review found that a step was announced before the event was cleared that waits for "
            "the answer: a "
            "quick answer would be cleared away.",
        ),
        _RUNTIME,
        _ORDER,
        "R17",
        instead_of(EventStream, "__anext__", _looks_and_then_waits),
    ),
    Bug(
        "interrupt waits for the end that was",
        "An interrupt looks whether the turn has ended, yields, and then waits for an end that has been.",
        Source(
            "rethyria/claude-watch",
            124,
            "What was enqueued while a teardown awaited its interrupt was seen by neither side, and "
            "its caller "
            "waited for ever.",
        ),
        _RUNTIME,
        _ORDER,
        "R17",
        instead_of(Session, "_wait_interrupted", _asks_once_and_waits),
    ),
    Bug(
        "request given to a task that falls asleep",
        "A request is given to the task that flies it in the step before that task begins to listen.",
        Source(
            "anthropics/claude-code",
            92789,
            "A prompt was recorded and never dispatched: the process idled until it was killed.",
        ),
        _RUNTIME,
        _ORDER,
        "R13",
        instead_of(Pilot, "sleep", _sleeps_a_step_late),
    ),
    Bug(
        "input lost while the journal writes",
        "The inbox is emptied when its record is durable, with what has come during the writing.",
        Source(
            "mastra-ai/mastra",
            18256,
            "Messages were taken out of their list around a write that had not succeeded, and "
            "nothing was left "
            "to try again with.",
        ),
        _RUNTIME,
        _ORDER,
        "R5, R17",
        instead_of(Owner, "_append", _empties_the_inbox_behind_it),
    ),
    Bug(
        "result within the grace counts as cancelled",
        "A tool that was asked to stop and returned its value all the same is reported as cancelled.",
        Source(
            "topcheer/ggcode",
            621,
            "When a cancel met a success in the same instant, the whole result was dropped.",
        ),
        _RUNTIME,
        _MOMENT,
        "R1, C15, C56",
        instead_of(Supervisor, "_returned", _counts_what_was_stopped_as_stopped),
    ),
    Bug(
        "exception while stopping is swallowed",
        "A tool that raises while it is being stopped says nothing, and its call is open for ever.",
        Source(
            "windmill-labs/windmill",
            8437,
            "Cancelling in the middle of a tool call dropped the task that would have reported its "
            "end, and the "
            "job stayed in the queue.",
        ),
        _RUNTIME,
        _MOMENT,
        "R1, R8",
        instead_of(Supervisor, "_raised", _keeps_quiet_while_stopping),
    ),
    Bug(
        "exception stops the siblings",
        "A tool that raises cancels the tools that run beside it.",
        Source(
            "anthropics/claude-code",
            64047,
            "One failing call of a batch cancelled all others, with a text that read as if the user "
            "had stopped "
            "them.",
        ),
        _RUNTIME,
        _MOMENT,
        "R9, C5",
        instead_of(Supervisor, "_raised", _stops_the_others_too),
    ),
    Bug(
        "second deadline counts from the first",
        "When the timer of a deadline fires it is set anew from now, not from the start of the tool "
        "that is next.",
        Source(
            "openai/openai-agents-python",
            4899,
            "A tool's timeout was reached and its result still did not come: the wait went on beyond it.",
        ),
        _RUNTIME,
        _MOMENT,
        "R8",
        instead_of(Supervisor, "_deadlines_over", _sets_the_next_from_now),
    ),
    Bug(
        "grace without an end",
        "A tool that swallows its cancellation holds the turn for as long as it likes.",
        Source(
            "amd/gaia",
            1591,
            "A hung tool left the agent thinking for ever: nothing bounded the call, and nothing "
            "heard the cancel.",
        ),
        _RUNTIME,
        _MOMENT,
        "R8, C7, C9",
        instead_of(Supervisor, "stop", _never_bounds_a_stop),
    ),
    Bug(
        "watchdog sleeps through an earlier time",
        "A time that comes before all others does not wake the task that waits for the next one.",
        Source(
            "agent-of-empires/agent-of-empires",
            2371,
            "A scheduled wake-up went past its time and never fired, and the session stood still.",
        ),
        _RUNTIME,
        _ALWAYS,
        "R8",
        instead_of(Watchdog, "push", _sleeps_through_earlier_times),
    ),
    Bug(
        "held message has no fate at the close",
        "Closing the session ends the turn and forgets the messages that were still held.",
        Source(
            "anomalyco/opencode",
            14565,
            "Callers that waited behind a busy session were never answered when it was cancelled or "
            "disposed.",
        ),
        _RUNTIME,
        _MOMENT,
        "R5",
        instead_of(Session, "_end_turn", _returns_nothing_at_the_end),
    ),
)
