"""Session: one conversation with a model, and the API of the library.

It wires the rooms together, opens and closes them, and turns calls of the host into inputs of the engine.
What a session deliberately does not do: decide when something may be sent (the tables do), repair a history
(none can become wrong), or wait for a tool that does not end.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from threading import get_ident
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar

import msgspec
import trio
from attrs import evolve

from turnlock._version import __version__
from turnlock.engine import (
    NOTES,
    Content,
    Engine,
    Invocation,
    Item,
    Limits,
    Message,
    Mode,
    OnInterrupt,
    Role,
    inputs,
)
from turnlock.engine.calls import Wait
from turnlock.engine.outcome import Cause, format_seconds
from turnlock.errors import DeclarationError, SessionClosed, TransitionRefused
from turnlock.journal import Journal, SessionOpened, as_journal
from turnlock.machines import InvocationState, TurnState
from turnlock.models import Model, Usage, as_model
from turnlock.runtime.conductor import PERFORM, Approve, Conductor
from turnlock.runtime.logs import Log, about
from turnlock.runtime.owner import Owner
from turnlock.runtime.requester import Pilot, Requester
from turnlock.runtime.results import NOTHING_USED, Leak, Receipt, Ticket, TurnResult, Waiting
from turnlock.runtime.streams import EventStream, TurnStream
from turnlock.runtime.supervisor import Run, Supervisor
from turnlock.runtime.watchdog import Watchdog
from turnlock.tools import Tool, as_tools
from turnlock.tools.context import find_call, inside_session
from turnlock.tools.signature import Function
from turnlock.wire import Encoder, Settings, encoder

Parts: TypeAlias = str | Sequence[Mapping[str, Any]]
WhenBusy: TypeAlias = Literal["steer", "queue", "interrupt", "reject"]
Speaker: TypeAlias = Literal["user", "developer", "system"]
Keep: TypeAlias = Literal["keep", "return"]


class Session:
    """A session: ``async with Session(model, tools=[…]) as session``.

    Attributes:
        id: The session's id.
        limits: Its limits.
    """

    def __init__(
        self,
        model: Model | str,
        *,
        tools: Sequence[Tool | Function] = (),
        instructions: str = "",
        approve: Approve | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        history: Iterable[Item] | None = None,
        limits: Limits | None = None,
        nursery: trio.Nursery | None = None,
        note: str | None = "",
        id: str | None = None,  # noqa: A002  # as it is called everywhere
    ) -> None:
        """Describe a session; it begins with its ``async with`` block.

        Args:
            model: An adapter, or a name: ``"openai:gpt-5"``, ``"anthropic:claude-sonnet-5"``, …, or
                ``"demo"``, which plays a script and needs no key.
            tools: Tools, or functions to make tools of.
            instructions: What the model is told before everything else.
            approve: Called with each call before it runs; answers ``Allow()`` or True, ``Deny(reason)`` or
                False. Async, or a plain function that answers at once.
            journal: Where the session is recorded; a path is a JSONL file. Default: in memory.
            history: Items that an earlier session ended with.
            limits: What the session allows.
            nursery: Where tools run. A session that makes its own waits at its end for tools that do not
                stop; with a nursery of the host, the host does.
            note: What the model reads after an interruption; None leaves it out.
            id: The session's id; default: a new one. The journal must not have a record of it.

        Raises:
            DeclarationError: A tool cannot be told to a model.
            TypeError: An argument is not of the kind that it has to be.
            ValueError: The model's name is not known, or the history is not complete.
            MissingExtra: What the model's name needs is not installed.
        """
        for name, value, fits, wanted in (
            ("instructions", instructions, isinstance(instructions, str), "text"),
            ("approve", approve, approve is None or callable(approve), "a function that answers for a call"),
            ("limits", limits, limits is None or isinstance(limits, Limits), "Limits(...)"),
            ("nursery", nursery, nursery is None or isinstance(nursery, trio.Nursery), "a trio nursery"),
            ("note", note, note is None or isinstance(note, str), "text, or None for no note"),
            ("id", id, id is None or isinstance(id, str), "text"),
        ):
            if not fits:
                raise TypeError(f"{name}={value!r}: give {wanted}")
        self.id = id or uuid.uuid4().hex
        self._named = bool(id)
        self.limits = limits or Limits()
        self._model, self._owns_model = as_model(model), isinstance(model, str)
        self._tools = as_tools(tools)
        self._instructions = instructions
        self._approve = approve
        self._journal = as_journal(journal)
        self._nursery = nursery
        self._manager: Any = None
        notes = NOTES if note == "" else {} if note is None else dict.fromkeys(NOTES, note)
        self._engine = Engine.with_history(history or (), self.limits, notes)
        self._messages = 0
        self._given_ids: set[str] = set()
        self._state = "new"

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise SessionClosed(f"session {self.id} was opened before: make a new one")
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            raise RuntimeError("a session runs under trio, not asyncio: trio.run(main)") from None
        self._state = "opening"
        dialect = self._model.dialect
        settings = self._model.settings(self._instructions, [tool.spec for tool in self._tools.values()])
        encode = None if dialect is None else encoder(dialect)
        for each in self._tools.values():
            if encode is not None and each.kind not in encode.kinds:
                problem = f"{dialect} has no calls of kind {each.kind}: give it another name, and parameters"
                raise DeclarationError(each.name, [problem], sort="tool")
        if self._nursery is None:
            self._manager = trio.open_nursery()
            nursery = await self._manager.__aenter__()
        else:
            nursery = self._nursery
        try:
            self._wire(nursery, settings, encode)
            try:
                await self._owner.open(self._opened(settings))
            except BaseException:
                self._supervisor.close()
                raise
        except BaseException as error:
            self._state = "closed"
            if self._owns_model:
                await self._model.aclose()
            await self._leave(type(error), error, error.__traceback__)
            raise
        self._state = "open"
        return self

    def _wire(self, nursery: trio.Nursery, settings: Settings, encode: Encoder | None) -> None:
        """Make the parts, and tell them of each other."""
        # Tasks start in the context in which the session was opened, not in that of whoever posted last:
        # one tool must not inherit another's variables.
        start: Callable[..., None] = nursery.start_soon
        spawn = partial(copy_context().run, start)
        clock, loop = trio.lowlevel.current_clock().current_time, trio.lowlevel.current_trio_token()
        epoch = clock()
        engine, outer = self._engine, find_call()
        self._log = Log(self.id)
        self._watchdog = watchdog = Watchdog(spawn, clock)
        self._conductor = conductor = Conductor(
            self.id,
            engine,
            self._tools,
            self._approve,
            self._log,
            spawn,
            clock,
            epoch,
            watchdog,
            self._journal.keeps_requests,
        )
        self._owner = owner = Owner(
            engine,
            self._journal,
            self.id,
            PERFORM,
            conductor,
            spawn,
            conductor.fail,
            conductor.applied,
            self._named,
        )
        self._supervisor = Supervisor(
            self.id,
            self.limits,
            spawn,
            clock,
            epoch,
            watchdog,
            owner.post,
            conductor.watched,
            conductor.keep,
            # A call bounds what runs in its own loop, for as long as it runs itself.
            outer if isinstance(outer, Run) and outer.owner.loop == loop and not outer.over else None,
        )
        self._requester = Requester(
            self._model,
            encode,
            settings,
            self.limits,
            spawn,
            clock,
            epoch,
            watchdog,
            owner.post,
            conductor.policy,
            conductor.heard,
            lambda: owner.may_stop,
            engine.registry.last_ordinal,
        )
        conductor.owner, conductor.supervisor, conductor.requester = owner, self._supervisor, self._requester
        if self._log.on:
            engine.observe(conductor.witness)

    def _opened(self, settings: Settings) -> SessionOpened:
        return SessionOpened(
            at=0.0,
            model=settings.model,
            dialect=self._model.dialect,
            instructions=settings.instructions,
            tools=tuple(tool.declared for tool in self._tools.values()),
            limits=self.limits,
            notes=self._engine.notes,
            history=tuple(self._engine.transcript.items),
            version=__version__,
            options=settings.options,
            stream=settings.stream,
            continues=settings.continues,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            await self._close(wait=self._manager is not None)
        except BaseException as failure:
            # The nursery is left on every path; what went wrong while closing leaves through it.
            self._watchdog.close()  # these two are shielded: nobody else would end them
            self._owner.stop()
            await self._leave(type(failure), failure, failure.__traceback__)
            raise
        return await self._leave(kind, error, trace)

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Leave the session's own nursery: with the error that is alone in its group as itself."""
        if self._manager is None:
            return None
        try:
            swallowed: bool | None = await self._manager.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if _leaves(group) == _leaves(error):
                return False  # the host's own, a group of its own included
            alone = _alone(group)
            raise alone from alone.__cause__
        return swallowed

    async def _close(self, *, wait: bool) -> None:
        """Interrupt, wait the grace, give held messages back; then, if asked to, wait for the last task."""
        self._state = "closed"
        conductor, supervisor = self._conductor, self._supervisor
        conductor.closing = True
        with trio.CancelScope(shield=True):
            await self._end_turn()
            await self._requester.close(wait=wait)
            for run in supervisor.leaks:
                age = trio.current_time() - (run.asked or run.started)
                what = "is waited for" if wait and not run.in_thread else "is left behind"
                self._log.warning(f"session.closed: a tool {what}", **about(run.call), seconds=round(age, 3))
            for invocation in conductor.asking:
                self._log.warning("session.closed: an approval is waited for", **about(invocation))
            if wait:  # trio cannot abandon a task: whoever shields holds us
                await supervisor.wait_tasks_ended()
            supervisor.close()
            self._watchdog.close()
            await self._owner.close()
            if self._owns_model:
                await self._model.aclose()
        conductor.close_streams()

    async def _end_turn(self) -> None:
        """Stop the turn, wait until it has ended, and give back what is held."""
        conductor, owner = self._conductor, self._owner
        self._supervisor.hurry()
        conductor.stop_turn(Cause.CLOSED, "the session is being closed")
        await owner.settled()
        while self._engine.turn.state is not TurnState.IDLE and owner.error is None:
            await conductor.rest()
        for letter in tuple(self._engine.inbox.held):
            owner.post(inputs.Withdraw(conductor.now(), letter.message.id, "the session was closed"))
        await owner.settled()

    # ── messages ────────────────────────────────────────────────────────────────────────────────────

    async def send(
        self,
        content: Parts,
        *,
        role: Speaker = "user",
        when_busy: WhenBusy = "steer",
        on_interrupt: Keep = "keep",
        id: str | None = None,  # noqa: A002  # as it is called everywhere
    ) -> Receipt:
        """Send a message, and go on when it is accepted: recorded, and sure to have one fate (R5).

        Args:
            content: Text, or content parts in the format of the model's dialect.
            role: ``user``, ``developer`` or ``system``.
            when_busy: What it does while a turn is under way. ``steer``: it goes with the next request of
                this turn. ``queue``: it opens the next turn, with all others that are queued.
                ``interrupt``: it stops the turn, and opens the next. ``reject``: an error.
            on_interrupt: What an interrupt does while it is held: ``keep`` it for the next turn, or
                ``return`` it.
            id: The sender's own id; a second send with it changes nothing and gives the first receipt.

        Raises:
            SessionBusy: A turn is under way, with ``when_busy="reject"``.
            SessionClosed: The session is not open.
            TypeError: The content is neither text nor a list of parts.
            ValueError: There is no content, or an option is not known.
            RuntimeError: Called from another thread than the session's.
        """
        send = self._shown(self._message(content, role, when_busy, on_interrupt, id))
        await self._owner.ask(send)
        return self._conductor.receipts[send.message.id]

    async def run(self, content: Parts | None = None, *, when_busy: WhenBusy = "queue") -> TurnResult:
        """Send a message and wait for the end of the turn that carries it.

        Without content the session goes on: held messages open a turn, or the model is asked again.
        Being cancelled interrupts that turn; the interruption goes on in the session's own task (R17).
        While the message is still held, being cancelled takes it back, and an interrupt of the turn before
        returns it.

        Raises:
            SessionBusy: A turn is under way, without content or with ``when_busy="reject"``.
            SessionClosed: The session is not open.
            NothingToSend: Called without content while there is nothing to go on from.
            TypeError: The content is neither text nor a list of parts.
            ValueError: There is no content, or an option is not known.
            RuntimeError: Called from a tool of this session, whose end it would wait for, or from another
                thread than the session's.
        """
        ticket = self._ticket(content, when_busy)
        asked, requester = ticket.asked, self._requester
        try:
            if (
                requester.guest is None
                and isinstance(asked, inputs.Send)
                and asked.mode is not Mode.REJECT
                and self._owner.error is None
            ):
                # If the message begins its turn within this very step, this task flies the turn's requests.
                pilot = ticket.pilot = requester.guest = Pilot()
                asked = ticket.asked = self._shown(asked)
                self._conductor.expect(ticket)
                self._owner.post(asked)
                if pilot.flight is not None:
                    await requester.fly(pilot)
                elif requester.guest is pilot:
                    requester.guest = None
            else:
                await self._ask(ticket)
            return ticket.result or await ticket.wait()
        except BaseException:
            self._conductor.let_go(ticket)
            raise

    def turn(self, content: Parts | None = None, *, when_busy: WhenBusy = "queue") -> TurnStream:
        """The same as a block that yields the events of the turn; leaving it early interrupts the turn."""
        return TurnStream(self, self._ticket(content, when_busy))

    def _ticket(self, content: Parts | None, when_busy: WhenBusy) -> Ticket:
        if inside_session(self.id):
            raise RuntimeError(
                "a tool cannot run a turn of its own session, whose end that turn would wait for: "
                "use send(), or a session of its own"
            )
        if content is None:
            self._check_open()
            return Ticket(inputs.GoOn(self._conductor.now()))
        return Ticket(self._message(content, "user", when_busy, "return", None))

    async def _ask(self, ticket: Ticket) -> None:
        """Post what a ticket is for, and wait until it was accepted.

        Raises:
            TransitionRefused: It was not: ``SessionBusy``, or ``NothingToSend``.
        """
        self._check_open()
        if isinstance(ticket.asked, inputs.Send):
            ticket.asked = self._shown(ticket.asked)
        self._conductor.expect(ticket)
        try:
            await self._owner.ask(ticket.asked)
        except TransitionRefused as refused:
            self._conductor.forget(ticket)
            ticket.fail(refused)
            raise
        except BaseException:
            self._conductor.let_go(ticket)
            raise

    async def _abandon(self, ticket: Ticket) -> None:
        """Whoever read a turn has left it: go on when the history is sendable."""
        self._conductor.let_go(ticket)
        if self._state == "open":
            await self._owner.settled()
            await self._wait_interrupted()

    def _message(
        self, content: Parts, role: str, when_busy: str, on_interrupt: str, message_id: str | None
    ) -> inputs.Send:
        self._check_open()
        made = content if isinstance(content, str) and content.strip() else _content(content)
        mode = _option(_MODES, when_busy, "when_busy")
        keep = _option(_KEEP, on_interrupt, "on_interrupt")
        made_role = _option(_ROLES, role, "role")
        if message_id is None:
            message_id = self._new_id()
        else:
            self._given_ids.add(message_id)
        return inputs.Send(self._conductor.now(), Message(message_id, made, made_role), mode, keep)

    def _shown(self, send: inputs.Send) -> inputs.Send:
        """The same with what the host has seen, if it interrupts: it sees no more until this is decided."""
        if send.mode is not Mode.INTERRUPT or send.message.id in self._engine.inbox.letters:
            return send
        return evolve(send, shown=self._requester.hold())

    def _new_id(self) -> str:
        """An id that no sender has given."""
        while True:
            self._messages += 1
            made = f"message-{self._messages}"
            if made not in self._given_ids:
                return made

    # ── the host's hand on what runs ────────────────────────────────────────────────────────────────

    async def interrupt(self, reason: str = "") -> None:
        """Stop the turn, and go on when the history is sendable: at most the grace later (R17).

        Idempotent; without a turn it only draws its line: messages that are held start nothing by themselves.
        From a tool of this session it goes on at once: the tool itself is what the turn then waits for.

        Args:
            reason: For the record.
        """
        self._check_open()
        shown = self._requester.hold()
        await self._owner.ask(inputs.Interrupt(self._conductor.now(), Cause.INTERRUPTED, shown, reason))
        if not inside_session(self.id):
            await self._wait_interrupted()

    async def _wait_interrupted(self) -> None:
        turn, number = self._engine.turn, self._engine.turn.number
        while turn.state is TurnState.INTERRUPTING and turn.number == number:
            if self._owner.error is not None:
                raise self._owner.error
            await self._conductor.rest()

    async def cancel(self, call: Invocation) -> None:
        """Skip one call; the others go on (C14). A running tool is asked to stop, and has its grace.

        Raises:
            TransitionRefused: The call is over.
            ValueError: It is another session's.
        """
        self._check_own(call)
        await self._owner.ask(inputs.Cancel(self._conductor.now(), call.ordinal))

    async def approve(self, call: Invocation) -> None:
        """Let a call run that waits for its approval.

        Raises:
            TransitionRefused: It was answered before, or is over (R14).
        """
        await self._answer(call, allow=True, reason="")

    async def deny(self, call: Invocation, reason: str = "") -> None:
        """Do not let a call run; the model reads the reason.

        Raises:
            TransitionRefused: It was answered before, or is over (R14).
        """
        await self._answer(call, allow=False, reason=reason)

    async def _answer(self, call: Invocation, *, allow: bool, reason: str) -> None:
        self._check_own(call)
        now = self._conductor.now()
        await self._owner.ask(inputs.ApprovalAnswered(now, call.ordinal, allow, reason, by_host=True))

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    def events(self) -> EventStream:
        """What the session tells from now on, until it is closed."""
        self._check_open()
        return self._conductor.listen()

    @property
    def transcript(self) -> tuple[Item, ...]:
        """The items that the next request would carry, in canonical order (R4)."""
        return tuple(self._engine.transcript.items)

    @property
    def usage(self) -> Usage:
        """What the session has cost."""
        return self._conductor.usage if self._was_opened else NOTHING_USED

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """Tools that run on though their calls are over (R8)."""
        if not self._was_opened:
            return ()
        now = trio.current_time()
        return tuple(
            Leak(run.call, now - (run.started if run.asked is None else run.asked))
            for run in self._supervisor.leaks
        )

    @property
    def open(self) -> tuple[Waiting, ...]:
        """What the turn waits for; empty when there is none (R13)."""
        if not self._was_opened:
            return ()
        turn, now = self._engine.turn, self._conductor.now()
        waiting: list[Waiting] = []
        if turn.request is not None:
            waiting.append(Waiting("request", f"the model answers request {turn.request}"))
        if turn.waking is not None:
            waiting.append(
                Waiting("backoff", f"request {turn.waking} was lost, and is asked again after a pause")
            )
        waiting.extend(
            Waiting("call", _why_open(invocation, now), invocation)
            for invocation in self._engine.registry.open.values()
        )
        return tuple(waiting)

    @property
    def _was_opened(self) -> bool:
        return self._state in {"open", "closed"}

    def _check_open(self) -> None:
        if self._state != "open":
            told = "is closed" if self._state == "closed" else "is not open yet: use it inside `async with`"
            raise SessionClosed(f"session {self.id} {told}")
        if get_ident() != self._supervisor.loop_thread:
            raise RuntimeError(
                f"session {self.id} runs in another thread: call it with trio.from_thread.run, "
                "or with trio.lowlevel.TrioToken.run_sync_soon"
            )

    def _check_own(self, call: Invocation) -> None:
        self._check_open()
        if not isinstance(call, Invocation):
            raise TypeError(f"{call!r} is no call: give the one that an event carries, `event.call`")
        if call.registry is not self._engine.registry:  # ordinals are a session's own (R2)
            raise ValueError(f"{call!r} is a call of another session")


_WAITS = {
    Wait.APPROVAL: "waits for an approval",
    Wait.SLOT: "waits for a slot: as many tools run as the session allows",
    Wait.EXCLUSIVE: "waits for an exclusive call before it",
    Wait.EARLIER: "is exclusive, and waits for the calls before it",
}


def _why_open(invocation: Invocation, now: float) -> str:
    """What has to happen for a call to end, in words."""
    name = f"{invocation.name} (call {invocation.ordinal})"
    if invocation.state is InvocationState.REQUESTED:
        wait = invocation.waits_for
        return f"{name} {_WAITS[wait] if wait is not None else 'is about to start'}"
    since = format_seconds(0.0 if invocation.started_at is None else now - invocation.started_at)
    if invocation.stop_cause is not None:
        return f"{name} was asked to stop ({invocation.stop_cause}), after {since} s"
    return f"{name} runs, since {since} s"


_Option = TypeVar("_Option", Mode, OnInterrupt, Role)
_MODES = {mode.value: mode for mode in Mode}
_KEEP = {choice.value: choice for choice in OnInterrupt}
_ROLES = {role.value: role for role in Role}


def _option(known: Mapping[str, _Option], value: str, name: str) -> _Option:
    try:
        return known[value]
    except KeyError:
        raise ValueError(
            f"{name}={value!r} is not known: give one of {', '.join(map(repr, known))}"
        ) from None


def _content(given: Parts) -> Content:
    """Parts, as a value that nobody else can change; no text is no content.

    Raises:
        TypeError: It is neither text nor a list.
        ValueError: There is nothing in it, or nothing that JSON can say.
    """
    if isinstance(given, (bytes, bytearray, Mapping)):
        raise TypeError(f"the message is of type {type(given).__name__}: give text, or a list of parts")
    try:
        parts = () if isinstance(given, str) else _READ_PARTS(msgspec.json.encode(tuple(given)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the message's parts must be JSON objects: {error}") from error
    if not parts:
        raise ValueError("the message is empty: providers refuse a message without content")
    return parts


_READ_PARTS = msgspec.json.Decoder(tuple[dict[str, Any], ...]).decode


def _leaves(error: BaseException | None) -> list[BaseException]:
    """The errors that a group holds, however deep: trio makes groups anew, and leaves these as they are."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [] if error is None else [error]


def _alone(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The only error of the nursery's group, which may stand there more than once; else the group."""
    first = group.exceptions[0]
    return first if all(error is first for error in group.exceptions) else group
