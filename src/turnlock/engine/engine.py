"""The engine: one input in, its rows, the automatic rows to a fixed point, commands out.

It owns the transcript, the registry of invocations, the inbox and the turn, and it is the only writer of
all four. What it must not do: look at a clock, wait, or decide by an ``if`` of its own what a guard of the
tables decides.

How awkward cases run (their numbers in docs/rules.md in brackets):

* A response is lost after a call completed [C18]: the call is an invocation like any other and goes on;
  the next request carries it and its output. Nothing is run twice.
* A response is lost before any call completed [C23]: nothing of it counts; after the backoff the same
  history is asked again, with the steering messages that were held meanwhile.
* The provider refuses a body [C51, C52]: what no answered request has carried yet goes back (messages) or
  is replaced by a text that says so (outputs), so that the refusal cannot repeat.
* An interrupt while tools run [C3, C55]: calls that nobody has run are cancelled, running ones are asked to
  stop, and the turn stays ``interrupting`` until each has ended or used up its grace.
* A crash [C29, C30, C63]: the response in flight has failed, running calls are lost, the others were not
  started. If one waits for its approval somebody is asked again, and the turn goes on with the answer;
  otherwise it ends ``crashed``, and what is held waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from heapq import heappop
from types import MappingProxyType
from typing import Any

from attrs import define, field

from turnlock.engine import commands, inputs
from turnlock.engine.calls import Invocation, Registry
from turnlock.engine.commands import Command, StopReason
from turnlock.engine.inbox import Fate, Inbox, Letter
from turnlock.engine.inputs import Finish, Input, Mode, Trouble
from turnlock.engine.items import Call, Item, Known, ModelItem
from turnlock.engine.limits import Limits
from turnlock.engine.outcome import ENDINGS, STOPS_CALL, STOPS_TURN, Cause, Effect, Outcome
from turnlock.engine.transcript import Transcript, complete
from turnlock.engine.turn import Turn
from turnlock.errors import InputError, NothingToSend, SessionBusy, TransitionRefused
from turnlock.machines import (
    INVOCATION_MACHINE,
    TURN_MACHINE,
    InvocationEvent,
    InvocationState,
    Mover,
    Observer,
    Stepper,
    TableMachine,
    TurnEvent,
)

_EFFECTS = "Tools that were running may have had effects."
NOTES: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.INTERRUPTED: f"The user interrupted this turn. {_EFFECTS}",
        StopReason.TURN_TIMEOUT: f"This turn ran out of time and was stopped. {_EFFECTS}",
        StopReason.CLOSED: f"The session was closed during this turn. {_EFFECTS}",
    }
)
"""The interruption note, by why the turn was stopped (R26): each says what is true."""

_UNFINISHED = "The provider was executing {names} when it ended; that has no result, and is left out."

_REST = {
    Finish.STOP: StopReason.END_TURN,
    Finish.LENGTH: StopReason.MAX_TOKENS,
    Finish.FILTER: StopReason.CONTENT_FILTER,
    Finish.PAUSE: StopReason.END_TURN,
}
_TROUBLE = {
    Trouble.LOST: StopReason.FAILED,
    Trouble.FORGOTTEN: StopReason.FAILED,
    Trouble.REFUSED: StopReason.REFUSED,
    Trouble.OVERFLOW: StopReason.CONTEXT_OVERFLOW,
    Trouble.FATAL: StopReason.FAILED,
}
_ASK_AGAIN = frozenset({Trouble.LOST, Trouble.FORGOTTEN})
_FAILED = frozenset({*_TROUBLE.values(), StopReason.CRASHED})
_MOVES_MAX = 1_000  # a sound table moves the turn a few times per input; only a mutant goes on for ever


@define(eq=False)
class Engine:
    """The turn engine of one session.

    Attributes:
        limits: What the session allows.
        notes: The interruption note by stop reason; a reason that is missing has no note.
        turn_machine: The machine of the turn; another than the shared one only to prove that a test fails.
        invocation_machine: The same for calls.
        transcript: The items that the next request would carry.
        registry: The invocations.
        inbox: The messages.
        turn: The turn under way.
        stepper: Fires events; its ``observe`` sees every step.
        requests: How many requests were sent in the whole session.
    """

    limits: Limits = field(factory=Limits)
    notes: Mapping[StopReason, str] = NOTES
    turn_machine: TableMachine = TURN_MACHINE
    invocation_machine: TableMachine = INVOCATION_MACHINE
    transcript: Transcript = field(factory=Transcript)
    registry: Registry = field(init=False)
    inbox: Inbox = field(init=False, factory=Inbox)
    turn: Turn = field(init=False)
    stepper: Stepper = field(init=False)
    requests: int = field(init=False, default=0)
    _movers: Mapping[StrEnum, Mover | None] = field(init=False)
    _out: list[Command] = field(init=False, factory=list)
    _now: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(self.limits.parallel)
        self.turn = Turn(self.registry, self.inbox, self.limits.max_requests)
        self.stepper = Stepper(self.registry.open)
        self._movers = self.turn_machine.movers

    @classmethod
    def with_history(
        cls, history: Iterable[Item], limits: Limits | None = None, notes: Mapping[StopReason, str] = NOTES
    ) -> Engine:
        """An engine that goes on from the items of an earlier session; they count as answered.

        Raises:
            TypeError: Something in it is no item.
            ValueError: A call has not its one output.
        """
        items = complete(history)
        engine = cls(limits or Limits(), notes, transcript=Transcript(items, accepted=len(items)))
        for item in items:
            if isinstance(item, Call):
                engine.registry.last_ordinal = max(engine.registry.last_ordinal, item.ordinal)
            if isinstance(item, ModelItem):
                engine.requests = max(engine.requests, item.request)
        return engine

    def observe(self, observer: Observer | None) -> None:
        """Let somebody see every step; None to stop."""
        self.stepper.observe = observer

    def receive(self, input: Input) -> Sequence[Command]:  # noqa: A002  # as it is called everywhere
        """Feed one input.

        Args:
            input: What happened. Inputs must be fed in the order in which they were recorded.

        Returns:
            What to do and to tell, in order, once the record of the input is durable.

        Raises:
            TransitionRefused: A host's call that no row allows here; nothing has changed.
            InputError: An input that no runtime may make; nothing has changed.
        """
        out: list[Command] = []
        self._out = out
        self._now = input.at
        _HANDLERS[type(input)](self, input)
        if self.registry.ready:
            self._start_calls()
        if self._movers[self.turn.state] is not None:
            self._move_turn()
        return out

    def fork(self) -> Engine:
        """A copy that shares nothing that can change: for exploring what could happen next."""
        copy = Engine(
            self.limits, self.notes, self.turn_machine, self.invocation_machine, self.transcript.fork()
        )
        copy.registry = self.registry.fork()
        copy.inbox = self.inbox.fork()
        copy.turn = self.turn.fork(copy.registry, copy.inbox)
        copy.stepper = Stepper(copy.registry.open)
        copy.requests = self.requests
        return copy

    # ── moving ──────────────────────────────────────────────────────────────────────────────────────

    def _start_calls(self) -> None:
        """Try the automatic rows of the requested calls, in call order."""
        registry, machine, stepper = self.registry, self.invocation_machine, self.stepper
        ready, movers = registry.ready, machine.movers
        while ready:
            invocation = registry.open.get(ready[0])
            mover = None if invocation is None else movers[invocation.state]
            if invocation is not None and mover is not None:  # else it is requested no longer
                if stepper.move(machine, invocation) if stepper.observe else mover(invocation):
                    registry.running += 1
                    self._out.append(commands.StartCall(invocation))
                elif invocation.approved:
                    # Only a missing approval lets later calls pass; whatever else keeps this one keeps them.
                    return
            heappop(ready)

    def _move_turn(self) -> None:
        """Try the automatic rows of the turn, in the order of the table, to a fixed point."""
        turn, machine, stepper, movers = self.turn, self.turn_machine, self.stepper, self._movers
        for _ in range(_MOVES_MAX):
            mover = movers[turn.state]
            event = mover and (stepper.move(machine, turn) if stepper.observe else mover(turn))
            if event is None:
                return
            _ACTIONS[event](self)
        raise InputError("the automatic rows reach no fixed point: the table is not sound")

    def _fire_turn(self, event: TurnEvent) -> None:
        self.stepper.fire(self.turn_machine, self.turn, event)

    def _ask_for_turn(self) -> None:
        """Legal in idle alone: the table decides who is busy."""
        try:
            self._fire_turn(TurnEvent.GO_ON)
        except TransitionRefused as refused:
            hint = 'wait until the turn has ended, or send with when_busy="steer", "queue" or "interrupt"'
            raise SessionBusy(refused.subject, refused.state, refused.event, refused.calls, hint) from None

    # ── the turn ────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        self.turn.reset()
        self._out.append(commands.TurnBegan(self.turn.number))
        self._limit_turn()
        self._send(self.inbox.take_all())

    def _limit_turn(self) -> None:
        if self.limits.turn_timeout is not None:
            due = inputs.TurnExpired(self._now + self.limits.turn_timeout, self.turn.number)
            self._out.append(commands.SetTimer(due))

    def _dispatch(self) -> None:
        self.transcript.add_outputs(self.registry.close_batch())
        # While the provider executes a call, nothing but outputs may come between (R21).
        busy = self.turn.paused or self.transcript.in_flight
        letters = [] if busy else self.inbox.take_steering()
        self.turn.ask_again = False
        self._send(letters)

    def _send(self, letters: Sequence[Letter]) -> None:
        """The only place from which a request leaves."""
        self.requests += 1
        for letter in letters:
            letter.fate = Fate.DELIVERED
            letter.request = self.requests
            letter.index = self.transcript.add_message(letter.message)
        self.turn.requests += 1
        self.turn.request = self.requests
        length = self.transcript.mark_sent()
        known = self.transcript.known
        paused = self.turn.paused
        self._out.append(commands.SendRequest(self.requests, self.turn.number, length, known, paused))
        self._out.extend(commands.Delivered(letter) for letter in letters)

    def _finish(self) -> None:
        reason = self.turn.stop_reason
        self.transcript.add_outputs(self.registry.close_batch())
        if reason in _FAILED:
            self._draw_line(f"the turn ended {reason}")
        note = self._end_flight()
        if note:
            self.transcript.add_note(note)
        self._end_turn(reason)

    def _settle(self) -> None:
        reason = self.turn.stop_reason
        self.transcript.add_outputs(self.registry.close_batch())
        note = self.notes.get(reason)
        if note:
            unfinished = self._end_flight()
            self.transcript.add_note(f"{note} {unfinished}" if unfinished else note)
        else:
            self._end_flight()
        self._end_turn(reason)

    def _end_flight(self) -> str:
        """Set aside what the provider was executing; the text that says so, if there was something (R21)."""
        calls = self.transcript.end_flight()
        why = "the turn ended before its result had come"
        self._out.extend(commands.SetAside(call, why) for call in calls)
        names = ", ".join(dict.fromkeys(call.name for call in calls))
        return _UNFINISHED.format(names=names) if calls else ""

    def _end_turn(self, reason: StopReason) -> None:
        self.turn.waking = None
        self.turn.ticking = False
        self._out.append(commands.TurnEnded(self.turn.number, reason, self.turn.error))

    def _stop_turn(self, cause: Cause, shown: str) -> None:
        """Every interrupt draws its line; one that finds a turn under way stops it."""
        turn, before = self.turn, self.turn.state
        self._fire_turn(TurnEvent.INTERRUPT)
        self._draw_line(cause)
        if turn.state is before:
            return
        turn.stop, turn.error = StopReason(cause), ""
        turn.waking = None
        turn.ticking = False
        if turn.request is not None:
            self._out.append(commands.AbortRequest(turn.request))
            turn.request = None
            self._commit(shown, broken=True)
        for invocation in tuple(self.registry.open.values()):
            self._stop_call(invocation, cause)

    def _commit(self, shown: str = "", *, whole: bool = False, broken: bool = False) -> None:
        for item in self.transcript.commit(self.requests, shown, whole=whole, broken=broken):
            self._out.append(commands.SetAside(item, "the item that it belongs to was never completed"))

    def _draw_line(self, reason: str) -> None:
        self._out.extend(commands.Returned(letter) for letter in self.inbox.draw_line(reason))

    def _return(self, letter: Letter, reason: str) -> None:
        self.inbox.give_back(letter, reason)
        self._out.append(commands.Returned(letter))

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────

    def _stop_call(self, invocation: Invocation, cause: Cause) -> None:
        """Cancel what nobody has run; ask what runs to stop. The first cause is kept (R1)."""
        if invocation.started_at is None:
            self._end_call(invocation, Cause.NOT_STARTED)
            return
        self.stepper.fire(self.invocation_machine, invocation, InvocationEvent.STOP)
        if invocation.stop_cause is None:
            invocation.stop_cause = cause
            self._out.append(commands.StopCall(invocation, cause))

    def _end_call(
        self,
        invocation: Invocation,
        cause: Cause,
        *,
        output: str = "",
        partial: str = "",
        why: str = "",
        native: object = None,
    ) -> None:
        """The one place where a call gets its outcome."""
        ran = invocation.state is InvocationState.RUNNING
        self.stepper.fire(self.invocation_machine, invocation, ENDINGS[cause].event)
        since = invocation.requested_at if invocation.started_at is None else invocation.started_at
        seconds = self._now - since
        invocation.outcome = Outcome(invocation.state, cause, output, partial, seconds, why, native)
        self.registry.ended(invocation, ran=ran)
        self._out.append(commands.CallEnded(invocation))

    def _open(self, said: _AboutCall) -> Invocation | None:
        """The call that an input is about; None, and the input is late, when it is no longer open (R25)."""
        invocation = self.registry.open.get(said.ordinal)
        if invocation is None:
            self._late(said)
        return invocation

    def _late(self, said: Input) -> None:
        self._out.append(commands.Late(said))

    # ── inputs of the host ──────────────────────────────────────────────────────────────────────────

    def _on_send(self, said: inputs.Send) -> None:
        known = self.inbox.letters.get(said.message.id)
        if known is not None:
            self._out.append(commands.Duplicate(known))
            return
        if said.mode is Mode.REJECT:
            self._ask_for_turn()
        elif said.mode is Mode.INTERRUPT:
            self._stop_turn(Cause.INTERRUPTED, said.shown)
        self._fire_turn(TurnEvent.HOLD)
        letter = self.inbox.accept(said.message, said.mode, said.on_interrupt)
        self._out.append(commands.Held(letter, tuple(self.registry.open.values())))

    def _on_withdraw(self, said: inputs.Withdraw) -> None:
        letter = self.inbox.letters.get(said.id)
        if letter is None or letter.fate is not Fate.HELD:
            self._late(said)
        else:
            self._return(letter, said.reason)

    def _on_interrupt(self, said: inputs.Interrupt) -> None:
        if said.cause not in STOPS_TURN:
            raise InputError(f"{said.cause} stops no turn: give one of {_listed(STOPS_TURN)}")
        self._stop_turn(said.cause, said.shown)

    def _on_turn_expired(self, said: inputs.TurnExpired) -> None:
        if said.turn == self.turn.number and self.turn.ticking:
            self._stop_turn(Cause.TURN_TIMEOUT, said.shown)
        else:
            self._late(said)

    def _on_go_on(self, _said: inputs.GoOn) -> None:
        self._ask_for_turn()
        if not (self.transcript.items or self.inbox.held):
            hint = "give run() or turn() a message"
            raise NothingToSend(self.turn.label, self.turn.state, TurnEvent.GO_ON, (), hint)
        self.turn.asked_to_go_on = True

    def _on_cancel(self, said: inputs.Cancel) -> None:
        invocation = self.registry.open.get(said.ordinal)
        if invocation is None:
            about, event = f"invocation {said.ordinal}", InvocationEvent.CANCEL.value
            raise TransitionRefused(about, "not open", event, tuple(self.registry.open))
        self._stop_call(invocation, Cause.SKIPPED)

    def _on_approval_answered(self, said: inputs.ApprovalAnswered) -> None:
        invocation = self.registry.open.get(said.ordinal)
        if invocation is not None and not invocation.approved:
            if said.allow:
                self.registry.approve(invocation)
            else:
                self._end_call(invocation, Cause.DENIED, why=said.reason)
        elif said.by_host:
            about, state = f"the approval of invocation {said.ordinal}", "answered" if invocation else "dead"
            event = "allow" if said.allow else "deny"
            raise TransitionRefused(about, state, event, tuple(self.registry.open))
        else:
            self._late(said)

    def _on_resumed(self, _said: inputs.Resumed) -> None:
        """Close what the crash left open; nothing leaves by itself (R24)."""
        turn = self.turn
        if turn.request is not None:
            self._break_off(turn.request)
        elif turn.waking is not None:
            self._fire_turn(TurnEvent.WAKE)
            turn.waking = None
        for invocation in tuple(self.registry.open.values()):
            if not invocation.approved:
                self._ask_approval(invocation)
            else:
                lost = invocation.started_at is not None
                self._end_call(invocation, Cause.LOST if lost else Cause.NOT_STARTED)
        if self.registry.open:
            self._limit_turn()  # the turn goes on with the answer, and its time begins anew
        elif turn.ticking:
            turn.stop, turn.error = StopReason.CRASHED, ""
        else:  # an interrupted turn stays one, but what came behind the interrupt starts nothing by itself
            self._draw_line("the session crashed")

    # ── inputs of the model ─────────────────────────────────────────────────────────────────────────

    def _on_item_completed(self, said: inputs.ItemCompleted) -> None:
        if said.request != self.turn.request:
            self._late(said)
            return
        if isinstance(said.item, Call):
            self._add_call(said.item, said.policy)
        self.transcript.response.append(said.item)

    def _add_call(self, call: Call, policy: inputs.Policy) -> None:
        if call.ordinal <= self.registry.last_ordinal:
            raise InputError(f"ordinal {call.ordinal} was used before: ordinals rise in a session")
        if policy.problem is not None and ENDINGS[policy.problem].effect is not Effect.NONE:
            raise InputError(f"{policy.problem} is no reason for which a call cannot run")
        invocation = self.registry.add(call, policy, self._now)
        self._out.append(commands.CallRequested(invocation))
        if policy.problem is not None:
            self._end_call(invocation, policy.problem, why=policy.why)
        elif policy.approval:
            self._ask_approval(invocation)

    def _ask_approval(self, invocation: Invocation) -> None:
        self._out.append(commands.AskApproval(invocation))
        if self.limits.approval_deadline is not None:
            due = inputs.ApprovalExpired(self._now + self.limits.approval_deadline, invocation.ordinal)
            self._out.append(commands.SetTimer(due))

    def _on_response_ended(self, said: inputs.ResponseEnded) -> None:
        turn = self.turn
        if said.request != turn.request:
            self._late(said)
            return
        self._fire_turn(TurnEvent.RESPOND)
        turn.request = None
        turn.failures = 0
        turn.rest = _REST[said.finish]
        turn.paused = said.finish is Finish.PAUSE
        self.transcript.accept()
        self._commit(whole=turn.paused)
        if said.response and said.finish is Finish.STOP:  # one that was cut is not gone on from (R22)
            self.transcript.known = Known(said.response, len(self.transcript.items))

    def _on_response_failed(self, said: inputs.ResponseFailed) -> None:
        turn = self.turn
        if said.request != turn.request:
            self._late(said)
            return
        turn.ask_again = self._break_off(said.request) and said.trouble in _ASK_AGAIN
        if said.trouble is Trouble.FORGOTTEN:
            self.transcript.known = None
        if turn.stop is not None:
            return  # a control tool of this very response has ended the turn: nobody asks again (R23)
        if said.trouble in _ASK_AGAIN:
            turn.failures += 1
            if turn.failures <= self.limits.retries:
                if turn.more_to_say:  # else the turn has reached its limit, and nobody asks again
                    self._back_off(said)
                return
        turn.error = said.text
        turn.stop = _TROUBLE[said.trouble]
        if said.trouble is Trouble.REFUSED:
            for message in self.transcript.give_back(said.text):
                self._return(self.inbox.letters[message.id], said.text)

    def _break_off(self, request: int) -> bool:
        """The response in flight does not come to its end; true when nothing of it counts."""
        self._fire_turn(TurnEvent.FAIL)
        self.turn.request = None
        has_call = self.transcript.response_has_call
        if has_call:
            self._commit(broken=True)
        else:
            self.transcript.discard()
        self._out.append(commands.Discarded(request, whole=not has_call))
        return not has_call

    def _back_off(self, said: inputs.ResponseFailed) -> None:
        """Ask again later: after the provider's own wait, where it named one."""
        pause = said.retry_after
        if pause is None:
            pause = self.limits.retry_delay(self.turn.failures)
        self.turn.waking = said.request
        self._out.append(commands.SetTimer(inputs.Wake(self._now + pause, said.request)))

    def _on_wake(self, said: inputs.Wake) -> None:
        if said.request != self.turn.waking:
            self._late(said)
            return
        self._fire_turn(TurnEvent.WAKE)
        self.turn.waking = None

    # ── inputs of the tools ─────────────────────────────────────────────────────────────────────────

    def _on_started(self, said: inputs.Started) -> None:
        invocation = self._open(said)
        if invocation is None:
            return
        if invocation.state is not InvocationState.RUNNING or invocation.started_at is not None:
            raise InputError(f"invocation {said.ordinal} was not to be started, or was started before")
        invocation.started_at = said.at
        self._out.append(commands.RunCall(invocation))

    def _started(self, said: _AboutTool) -> Invocation | None:
        """The open call whose tool an input is about: only a tool that was started can say or do anything."""
        invocation = self.registry.open.get(said.ordinal)
        if invocation is None:
            self._late(said)
        elif invocation.started_at is None:
            raise InputError(f"invocation {said.ordinal} has not been started: its tool cannot have ended")
        return invocation

    def _on_returned(self, said: inputs.Returned) -> None:
        invocation = self._started(said)
        if invocation is not None:
            self._end_call(invocation, Cause.RETURNED, output=said.output, native=said.native)
            if invocation.policy.ends_turn and self.turn.stop is None:
                self.turn.stop = StopReason.TOOL_ENDED

    def _on_raised(self, said: inputs.Raised) -> None:
        invocation = self._started(said)
        if invocation is None:
            return
        if invocation.stop_cause is None:
            self._end_call(invocation, Cause.RAISED, why=said.error, partial=said.partial)
        else:  # an exception while it is being stopped is part of the stopping (R1)
            self._end_call(invocation, invocation.stop_cause, partial=said.partial)

    def _on_stopped(self, said: inputs.Stopped) -> None:
        invocation = self._started(said)
        if invocation is not None:
            # Without a cause of ours it was stopped from outside: the session's tasks were cancelled.
            self._end_call(invocation, invocation.stop_cause or Cause.CLOSED, partial=said.partial)

    def _on_stop_asked(self, said: inputs.StopAsked) -> None:
        if said.cause not in STOPS_CALL:
            raise InputError(f"{said.cause} stops no call: give one of {_listed(STOPS_CALL)}")
        invocation = self._open(said)
        if invocation is not None:
            self._stop_call(invocation, said.cause)

    def _on_grace_over(self, said: inputs.GraceOver) -> None:
        invocation = self._open(said)
        if invocation is None:
            return
        if invocation.stop_cause is None:
            raise InputError(f"invocation {said.ordinal} was not asked to stop: it has no grace")
        self._end_call(invocation, invocation.stop_cause, partial=said.partial)

    def _on_approval_expired(self, said: inputs.ApprovalExpired) -> None:
        invocation = self.registry.open.get(said.ordinal)
        if invocation is None or invocation.approved:
            self._late(said)
        else:
            self._end_call(invocation, Cause.NO_ANSWER)


def _listed(causes: Iterable[Cause]) -> str:
    return ", ".join(sorted(causes))


_AboutTool = inputs.Returned | inputs.Raised | inputs.Stopped
_AboutCall = _AboutTool | inputs.Started | inputs.StopAsked | inputs.GraceOver

_ACTIONS: Mapping[StrEnum, Callable[[Engine], None]] = {
    TurnEvent.BEGIN: Engine._begin,
    TurnEvent.DISPATCH: Engine._dispatch,
    TurnEvent.FINISH: Engine._finish,
    TurnEvent.SETTLE: Engine._settle,
}

_HANDLERS: Mapping[type, Callable[[Engine, Any], None]] = {
    inputs.Send: Engine._on_send,
    inputs.Withdraw: Engine._on_withdraw,
    inputs.Interrupt: Engine._on_interrupt,
    inputs.TurnExpired: Engine._on_turn_expired,
    inputs.GoOn: Engine._on_go_on,
    inputs.Cancel: Engine._on_cancel,
    inputs.ApprovalAnswered: Engine._on_approval_answered,
    inputs.ApprovalExpired: Engine._on_approval_expired,
    inputs.Resumed: Engine._on_resumed,
    inputs.ItemCompleted: Engine._on_item_completed,
    inputs.ResponseEnded: Engine._on_response_ended,
    inputs.ResponseFailed: Engine._on_response_failed,
    inputs.Wake: Engine._on_wake,
    inputs.Started: Engine._on_started,
    inputs.Returned: Engine._on_returned,
    inputs.Raised: Engine._on_raised,
    inputs.Stopped: Engine._on_stopped,
    inputs.GraceOver: Engine._on_grace_over,
    inputs.StopAsked: Engine._on_stop_asked,
}
