"""Performs what the engine commands: requests, tools, approvals, timers, and what hosts are told.

It owns the session's view of the outside: receipts, who waits for which turn, the streams of events, the
arguments that were read for each call. It decides nothing; every command has one method here.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from weakref import WeakSet

import trio
from attrs import define, field, frozen

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Engine,
    Fate,
    Invocation,
    Letter,
    ModelItem,
    Policy,
    StopReason,
    Text,
    commands,
    inputs,
)
from turnlock.journal import RequestSent as RequestRecord
from turnlock.machines import Step
from turnlock.models import Usage
from turnlock.runtime import events
from turnlock.runtime.logs import Log, about
from turnlock.runtime.owner import Owner
from turnlock.runtime.requester import Flight, Requester
from turnlock.runtime.results import NOTHING_USED, Receipt, Ticket, TurnRecord, TurnResult
from turnlock.runtime.streams import EventStream
from turnlock.runtime.supervisor import Run, Supervisor
from turnlock.runtime.watchdog import Watchdog
from turnlock.tools import BadArguments, Tool, tool
from turnlock.tools.declare import BUILT_IN
from turnlock.tools.output import describe, spool


@frozen
class Allow:
    """An approval: the call may run."""


@frozen
class Deny:
    """A denial: the call is not run, and the model reads the reason."""

    reason: str = ""


Answer: TypeAlias = Allow | Deny | bool
Approve: TypeAlias = Callable[[Invocation], Answer | Awaitable[Answer]]


def _mcp_approval(**_request: object) -> str:
    """What runs when an MCP approval request was allowed: nothing here, the provider goes on."""
    return "approved"


_MCP_APPROVAL = tool(name="mcp_approval", kind=CallKind.MCP_APPROVAL, approval=True)(_mcp_approval)


@define(eq=False)
class Conductor:
    """Performs the commands of one session's engine.

    Attributes:
        session: The session's id.
        engine: The engine, to read.
        tools: The tools by name.
        approve: Answers for calls that need an approval.
        log: The session's log.
        spawn: Starts a task of the session.
        clock: The current time, in seconds, on trio's clock.
        epoch: The session's time zero on it.
        watchdog: Calls back when a time has come.
        keeps_requests: The journal wants the bodies of requests.
        streams: Who listens.
        listened: Somebody listens, or did: events are made.
        record: What is remembered of the turn under way.
        usage: What the session has cost.
        closing: The session is being closed.
    """

    session: str
    engine: Engine
    tools: Mapping[str, Tool]
    approve: Approve | None
    log: Log
    spawn: Callable[..., None]
    clock: Callable[[], float]
    epoch: float
    watchdog: Watchdog
    keeps_requests: bool
    owner: Owner = field(init=False)
    requester: Requester = field(init=False)
    supervisor: Supervisor = field(init=False)
    streams: WeakSet[EventStream] | None = field(default=None, init=False)
    listened: bool = field(default=False, init=False)
    record: TurnRecord = field(factory=lambda: TurnRecord(0), init=False)
    usage: Usage = field(default=NOTHING_USED, init=False)
    closing: bool = field(default=False, init=False)
    receipts: dict[str, Receipt] = field(factory=dict, init=False)
    tickets: dict[str, Ticket] = field(factory=dict, init=False)  # by message id, while it is held
    going_on: dict[int, Ticket] = field(factory=dict, init=False)  # by the id() of the input that asks to
    riding: list[Ticket] = field(factory=list, init=False)  # on the turn under way
    _policies: dict[str, Policy] = field(factory=dict, init=False)
    _read: dict[int, tuple[Tool, dict[str, Any]]] = field(factory=dict, init=False)
    _asking: dict[int, tuple[Invocation, trio.CancelScope]] = field(factory=dict, init=False)
    _spooled: dict[int, Any] = field(factory=dict, init=False)
    _due: dict[int, commands.Timed] = field(factory=dict, init=False)  # inputs to feed when their time comes
    _timers: int = field(default=0, init=False)
    _rested: trio.Event | None = field(default=None, init=False)  # somebody waits for the end of a turn
    _positions: Sequence[int | None] | None = field(default=None, init=False)

    def now(self) -> float:
        """The session's clock, in seconds."""
        return self.clock() - self.epoch

    def tell(self, event: events.Event) -> None:
        """Tell whoever listens."""
        streams = tuple(self.streams or ())
        for stream in streams:
            stream.put(event)
        self.listened = bool(streams)

    def listen(self) -> EventStream:
        """A stream of what happens from now on."""
        stream = EventStream()
        if self.streams is None:
            self.streams = WeakSet()
        self.streams.add(stream)
        self.listened = True
        return stream

    def witness(self, step: Step) -> None:
        """Log one event that was tried."""
        self.log.step(step, self.record.number)

    def _receipt(self, letter: Letter) -> Receipt:
        """The one receipt of a message; who sent it with a ticket finds it there."""
        receipt = self.receipts.get(letter.message.id)
        if receipt is None:
            receipt = self.receipts[letter.message.id] = Receipt(letter, self._holding)
            ticket = self.tickets.get(receipt.id)
            if ticket is not None:
                ticket.receipt = receipt
        return receipt

    def _holding(self) -> tuple[Invocation, ...]:
        return tuple(self.engine.registry.open.values())

    # ── who waits for a turn ────────────────────────────────────────────────────────────────────────

    def expect(self, ticket: Ticket) -> None:
        """Somebody is about to ask for a turn."""
        asked = ticket.asked
        if isinstance(asked, inputs.GoOn):
            self.going_on[id(asked)] = ticket
        else:
            self.tickets[asked.message.id] = ticket

    def forget(self, ticket: Ticket) -> None:
        """The turn was refused."""
        asked = ticket.asked
        if isinstance(asked, inputs.GoOn):
            self.going_on.pop(id(asked), None)
        else:
            self.tickets.pop(asked.message.id, None)

    def let_go(self, ticket: Ticket) -> None:
        """Whoever waited is gone: stop the turn, or take the message back if none carries it yet."""
        if ticket.done or ticket.left:
            return
        ticket.left = True
        if self.owner.retract(ticket.asked):
            self.forget(ticket)
            self.applied()
            return
        # What comes from now on may never have been: what is kept is what the host has seen by now.
        shown = "" if ticket.turn is None else self.requester.hold()
        self.owner.post_made(partial(self._leaving, ticket, self.requester.last, shown))

    def _leaving(self, ticket: Ticket, last: Flight | None, shown: str) -> inputs.Input | None:
        """What is to be said of it, once what it asked for was applied."""
        asked = ticket.asked
        if ticket.done:
            return None
        if ticket.turn is not None:
            if self.requester.last is not last:
                shown = self.requester.hold()  # another request has left since
            return inputs.Interrupt(self.now(), Cause.INTERRUPTED, shown, "the host left the turn")
        if isinstance(asked, inputs.Send) and asked.message.id in self.engine.inbox.letters:
            return inputs.Withdraw(self.now(), asked.message.id, "its sender went away")
        self.forget(ticket)  # it was refused, and nobody was there to hear it
        return None

    def applied(self) -> None:
        """What was posted has been decided on, or taken back: show what was held meanwhile."""
        if not self.owner.may_stop:
            self.requester.release()

    def _carry(self, ticket: Ticket) -> None:
        """The turn under way is the one that somebody waits for."""
        ticket.turn = self.record.number
        self.riding.append(ticket)

    def stop_turn(self, cause: Cause, reason: str) -> None:
        """Stop the turn under way; nobody waits for it here."""
        self.owner.post(inputs.Interrupt(self.now(), cause, self.requester.hold(), reason))

    # ── what the tools say of an item ───────────────────────────────────────────────────────────────

    def policy(self, call: Call, problem: Cause | None, why: str) -> Policy:
        """Which rules a call follows; for one that cannot run, why (C19)."""
        if problem is not None:
            return Policy(problem=problem, why=why)
        found = self._find(call)
        if found is None:
            return Policy(problem=Cause.UNKNOWN_TOOL, why=call.name)
        try:
            arguments = found.read(call.arguments)
        except BadArguments as error:
            return Policy(problem=Cause.BAD_ARGUMENTS, why=str(error))
        self._read[call.ordinal] = found, arguments
        policy = self._policies.get(found.name)
        if policy is None:
            approval = self.approve is not None if found.approval is None else found.approval
            policy = Policy(approval=approval, exclusive=found.exclusive, ends_turn=found.ends_turn)
            self._policies[found.name] = policy
        return policy

    def _find(self, call: Call) -> Tool | None:
        kind = call.kind
        found = self.tools.get(kind if kind in BUILT_IN else call.name)
        if found is not None and found.kind is kind:
            return found
        return _MCP_APPROVAL if kind is CallKind.MCP_APPROVAL else None

    # ── requests ────────────────────────────────────────────────────────────────────────────────────

    def _on_send_request(self, command: commands.SendRequest) -> None:
        sent = self.requester.send(command, self.engine.transcript.items)
        self._positions = sent.positions
        if sent.problem is not None:
            self.log.debug("request.refused", turn=command.turn, request=command.number, problem=sent.problem)
            return

    def _left(self, flight: Flight) -> None:
        """A request is on its way: one that was aborted before was never sent."""
        request, turn = flight.request, flight.turn
        self.record.requests += 1
        if self.keeps_requests and request.body:
            self.owner.note(RequestRecord(self.now(), request.number, request.body))
        if self.log.on:
            self.log.debug("request.sent", turn=turn, request=request.number, items=request.length)
        if self.listened:
            self.tell(events.RequestSent(turn, request.number, request.length))

    def _on_abort_request(self, command: commands.AbortRequest) -> None:
        self.requester.abort()
        self.log.debug("request.aborted", turn=self.record.number, request=command.number)

    def _on_discarded(self, command: commands.Discarded) -> None:
        last = self.requester.last
        assert last is not None, "only what was sent can be discarded"
        text = "".join(last.said if command.whole else last.shown)
        if command.whole or text:
            self.log.debug("response.discarded", turn=self.record.number, request=command.request, text=text)
            if self.listened:
                self.tell(events.TextDiscarded(self.record.number, command.request, text))

    def _on_set_aside(self, command: commands.SetAside) -> None:
        kind = type(command.item).__name__
        self.log.debug("item.set_aside", turn=self.record.number, item=kind, reason=command.reason)

    def _on_late(self, command: commands.Late) -> None:
        late = command.input
        if isinstance(late, inputs.TurnExpired):
            self.requester.release()
        elif isinstance(late, inputs.ItemCompleted) and isinstance(late.item, Call):
            self._read.pop(late.item.ordinal, None)
        fields = {
            name: getattr(late, name) for name in ("request", "ordinal", "turn", "id") if hasattr(late, name)
        }
        self.log.debug("late", input=type(late).__name__, **fields)

    def heard(self, what: str, flight: Flight, info: Any) -> None:  # noqa: ANN401  # a delta or a usage
        """What an adapter tells that is no input."""
        number = flight.request.number
        if what == "left":
            self._left(flight)
        elif what == "usage":
            self.record.usage += info
            self.usage += info
        elif what == "broken":
            self.stop_turn(Cause.CLOSED, info)
        elif what == "stuck":
            self.log.warning("request.stuck", turn=flight.turn, request=number, seconds=round(info, 3))
        elif what == "reasoning":
            if self.listened:
                self.tell(events.ReasoningDelta(flight.turn, number, info))
        elif self.listened:
            self.tell(events.TextDelta(flight.turn, number, info))

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────

    def _on_call_requested(self, command: commands.CallRequested) -> None:
        self.record.calls.append(command.invocation)
        if self.listened:
            self.tell(events.CallRequested(self.record.number, command.invocation))

    def _on_start_call(self, command: commands.StartCall) -> None:
        self.owner.post(inputs.Started(self.clock() - self.epoch, command.invocation.call.ordinal))

    def _on_run_call(self, command: commands.RunCall) -> None:
        invocation = command.invocation
        found, arguments = self._read.pop(invocation.call.ordinal)
        if self._asking:
            self._stop_asking(invocation.call.ordinal, "the call was allowed by the host")
        self.supervisor.run(invocation, found, arguments)
        if self.listened:
            self.tell(events.CallStarted(self.record.number, invocation))

    def _on_stop_call(self, command: commands.StopCall) -> None:
        self.supervisor.stop(command.invocation)
        if self.listened:
            self.tell(events.CallStopping(self.record.number, command.invocation))

    def _on_call_ended(self, command: commands.CallEnded) -> None:
        invocation = command.invocation
        ordinal = invocation.call.ordinal
        if self._read:  # nobody has run it
            self._read.pop(ordinal, None)
        if self._asking:
            self._stop_asking(ordinal, "the call is over")
        if self.log.on and invocation.outcome is not None:
            self.log.debug(
                "call.ended", turn=self.record.number, **about(invocation), cause=invocation.outcome.cause
            )
        spooled = self._spooled.pop(ordinal, None) if self._spooled else None
        if self.listened:
            self.tell(events.CallEnded(self.record.number, invocation, spooled))

    def keep(self, ordinal: int, text: str) -> None:
        """Keep the whole of an output that is too long for the model."""
        try:
            self._spooled[ordinal] = spool(text, ordinal)
        except OSError as error:
            self.log.warning("output.not_kept", ordinal=ordinal, error=str(error))

    def watched(self, what: str, run: Run, info: Any) -> None:  # noqa: ANN401  # a text or a time
        """What the supervisor tells that is no input."""
        invocation, turn = run.call, self.record.number
        if what == "output":
            if self.listened:
                self.tell(events.CallOutput(turn, invocation, info))
            return
        if what == "broken":
            self.stop_turn(Cause.CLOSED, info)
            return
        fields = {**about(invocation), "seconds": round(info, 3)}
        if what == "leaked":
            self.log.warning("call.leaked", turn=turn, **fields)
            self.tell(events.CallLeaked(turn, invocation, info))
        elif what == "freed":
            self.log.warning("call.freed", turn=turn, **fields)
            self.tell(events.CallFreed(turn, invocation, info))
        else:
            self.log.warning("loop.stalled", turn=turn, **fields)
            self.tell(events.Stalled(turn, invocation, info))

    # ── approvals ───────────────────────────────────────────────────────────────────────────────────

    def _on_ask_approval(self, command: commands.AskApproval) -> None:
        invocation = command.invocation
        if self.log.on:
            self.log.debug("approval.asked", turn=self.record.number, **about(invocation))
        if self.listened:
            self.tell(events.ApprovalRequested(self.record.number, invocation))
        if self.approve is not None:
            scope = trio.CancelScope()
            self._asking[invocation.call.ordinal] = invocation, scope
            self.spawn(self._ask, self.approve, invocation, scope, name=f"approve {invocation.name}")

    def _stop_asking(self, ordinal: int, reason: str) -> None:
        asking = self._asking.get(ordinal)
        if asking is not None:
            asking[1].cancel(reason=reason)

    @property
    def asking(self) -> tuple[Invocation, ...]:
        """The calls for which somebody is being asked."""
        return tuple(invocation for invocation, _ in self._asking.values())

    async def _ask(self, approve: Approve, invocation: Invocation, scope: trio.CancelScope) -> None:
        ordinal = invocation.call.ordinal
        answer: object = None
        try:
            with scope:
                given = approve(invocation)
                answer = (await given) if inspect.isawaitable(given) else given
        except Exception as error:  # noqa: BLE001  # who cannot be asked has not allowed anything
            self.log.warning(
                "approval.failed", turn=self.record.number, **about(invocation), error=describe(error)
            )
            answer = Deny(f"the approval could not be asked for ({describe(error)})")
        finally:
            del self._asking[ordinal]
        if answer is None and scope.cancelled_caught:
            return
        allow = answer is True or isinstance(answer, Allow)
        reason = ""
        if isinstance(answer, Deny):
            reason = answer.reason
        elif not allow and answer is not False:
            self.log.warning(
                "approval.unclear", turn=self.record.number, **about(invocation), answer=repr(answer)
            )
            reason = "the approval was neither allowed nor denied"
        self.owner.post(inputs.ApprovalAnswered(self.now(), ordinal, allow, reason))

    # ── timers ──────────────────────────────────────────────────────────────────────────────────────

    def _on_set_timer(self, command: commands.SetTimer) -> None:
        due = command.input
        self._timers += 1
        self._due[self._timers] = due
        self.watchdog.push(self.epoch + due.at, self._feed, self._timers, self._due)
        if isinstance(due, inputs.Wake):
            pause = max(0.0, due.at - self.now())
            self.log.debug(
                "retry.scheduled", turn=self.record.number, request=due.request, seconds=round(pause, 3)
            )
            if self.listened:
                self.tell(events.RetryScheduled(self.record.number, due.request, pause))

    def _feed(self, key: int, _when: float, _now: float) -> None:
        due = self._due.pop(key)
        if isinstance(due, inputs.TurnExpired):
            due = inputs.TurnExpired(due.at, due.turn, self.requester.hold())
        self.owner.post(due)

    # ── messages and turns ──────────────────────────────────────────────────────────────────────────

    def _on_held(self, command: commands.Held) -> None:
        receipt = self._receipt(command.letter)
        if receipt.state is not Fate.HELD:
            return  # every message is first held; this one was taken by the same input
        if self.log.on:
            self.log.debug(
                "message.held",
                turn=self.record.number,
                message=receipt.id,
                held_by=[invocation.call.ordinal for invocation in command.calls],
            )
        if self.listened:
            self.tell(events.MessageHeld(self.record.number, receipt))

    def _on_duplicate(self, command: commands.Duplicate) -> None:
        self.requester.release()
        self.log.debug("message.duplicate", turn=self.record.number, message=command.letter.message.id)

    def _on_delivered(self, command: commands.Delivered) -> None:
        letter = command.letter
        receipt = self._receipt(letter)
        if letter.index is not None:
            receipt.index = letter.index if self._positions is None else self._positions[letter.index]
        ticket = self.tickets.pop(receipt.id, None)
        if ticket is not None:
            self._carry(ticket)
        if self.log.on:
            self.log.debug(
                "message.delivered",
                turn=self.record.number,
                request=letter.request,
                message=receipt.id,
                index=receipt.index,
            )
        if self.listened:
            self.tell(events.MessageDelivered(self.record.number, receipt))

    def _on_returned(self, command: commands.Returned) -> None:
        receipt = self._receipt(command.letter)
        self.log.debug("message.returned", turn=self.record.number, message=receipt.id, reason=receipt.reason)
        if self.listened:
            self.tell(events.MessageReturned(self.record.number, receipt))
        ticket = self.tickets.pop(receipt.id, None)  # one whose turn is under way gets that turn's result
        if ticket is not None:
            reason = StopReason.CLOSED if self.closing else StopReason.INTERRUPTED
            ticket.finish(TurnResult(0, reason, error=receipt.reason, receipt=receipt))

    def _on_turn_began(self, command: commands.TurnBegan) -> None:
        self.record = TurnRecord(command.turn, self.engine.turn.request)
        if self.going_on:
            ticket = self.going_on.pop(id(self.owner.taken), None)
            if ticket is not None:
                self._carry(ticket)
        if self.listened:
            self.tell(events.TurnStarted(command.turn))

    def _on_turn_ended(self, command: commands.TurnEnded) -> None:
        self.log.debug(
            "turn.ended", turn=command.turn, stop_reason=command.reason, error=command.error or None
        )
        self.requester.guest = None  # whoever waited for this turn flies no request of the next
        if self.riding:
            riding, self.riding = self.riding, []
            text = self._last_text()
            for ticket in riding:
                ticket.finish(self.record.result(command.reason, text, command.error, ticket.receipt))
        if self.listened:
            self.tell(events.TurnEnded(command.turn, command.reason, command.error))
        if self._rested is not None:
            self._rested.set()
            self._rested = None

    def _last_text(self) -> str:
        """What the model said last in this turn, as it stands in the transcript."""
        said: list[str] = []
        first = request = self.record.first or 0
        for item in reversed(self.engine.transcript.items):
            if not isinstance(item, ModelItem):
                if said:
                    break
            elif item.request < first or (said and item.request != request):
                break
            elif isinstance(item, Text):
                request = item.request
                said.append(item.text)
        return "".join(reversed(said))

    async def rest(self) -> None:
        """Return when a turn has ended, or the session has failed."""
        if self._rested is None:
            self._rested = trio.Event()
        await self._rested.wait()

    def fail(self, error: BaseException) -> None:
        """The session is over: nobody waits for ever."""
        for ticket in (*self.tickets.values(), *self.going_on.values(), *self.riding):
            ticket.fail(error)
        self.requester.abort("the session has failed")
        if self._rested is not None:
            self._rested.set()
        self.close_streams()

    def close_streams(self) -> None:
        """No more events come."""
        for stream in tuple(self.streams or ()):
            stream.close()


PERFORM: Mapping[type, Callable[[Any, Any], None]] = {
    commands.SendRequest: Conductor._on_send_request,
    commands.AbortRequest: Conductor._on_abort_request,
    commands.StartCall: Conductor._on_start_call,
    commands.RunCall: Conductor._on_run_call,
    commands.StopCall: Conductor._on_stop_call,
    commands.AskApproval: Conductor._on_ask_approval,
    commands.SetTimer: Conductor._on_set_timer,
    commands.TurnBegan: Conductor._on_turn_began,
    commands.Held: Conductor._on_held,
    commands.Duplicate: Conductor._on_duplicate,
    commands.Delivered: Conductor._on_delivered,
    commands.Returned: Conductor._on_returned,
    commands.CallRequested: Conductor._on_call_requested,
    commands.CallEnded: Conductor._on_call_ended,
    commands.Discarded: Conductor._on_discarded,
    commands.SetAside: Conductor._on_set_aside,
    commands.Late: Conductor._on_late,
    commands.TurnEnded: Conductor._on_turn_ended,
}
"""By the class of a command, the method that performs it."""
