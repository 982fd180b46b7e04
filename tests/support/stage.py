"""Whole sessions that judge themselves: what every schedule of a story must keep.

A story plays a session on a ``Stage``, which writes down what tools really did, what the host was told, and
what became of each message. ``judge`` then holds all of it together. It must not know how the runtime works:
only what left, what was told, and what tools saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import trio
from attrs import define, field

from turnlock import (
    CallEnded,
    CallRequested,
    CallStarted,
    Cause,
    Event,
    EventStream,
    Limits,
    MessageDelivered,
    MessageReturned,
    Output,
    Receipt,
    RequestSent,
    Scripted,
    Session,
    SessionBusy,
    SessionClosed,
    Tool,
    ToolContext,
    TransitionRefused,
    TurnEnded,
    TurnStarted,
    tool,
)
from turnlock.engine import Effect, Fate, Invocation
from turnlock.explore.truth import state_of, text_of
from turnlock.journal import Journal
from turnlock.runtime.supervisor import Run
from turnlock.strict import judge_chat, judge_responses

_JUDGES = {"openai_responses": judge_responses, "openai_chat": judge_chat}
_NEVER_RAN = {
    Cause.DENIED,
    Cause.NOT_STARTED,
    Cause.NO_ANSWER,
    Cause.CUT_OFF,
    Cause.BAD_ARGUMENTS,
    Cause.UNKNOWN_TOOL,
}
Body = Callable[[ToolContext], Awaitable[str]]


@define(eq=False)
class Fact:
    """What one call of a tool really did.

    Attributes:
        invocation: The call.
        began: Seconds, virtual.
        value: What it returned.
        raised: What it raised.
        cancelled: It left by a cancellation.
        in_time: It ended while its result still had to count.
    """

    invocation: Invocation
    began: float
    value: str | None = None
    raised: str | None = None
    cancelled: bool = False
    in_time: bool = False


@define(eq=False)
class Stage:
    """One run of a story."""

    script: Sequence[Any]
    limits: Limits = field(factory=Limits)
    dialect: str = "openai_responses"
    journal: Journal | None = None
    approve: Any = None
    tools: list[Tool] = field(factory=list, init=False)
    model: Scripted = field(init=False)
    session: Session = field(init=False)
    facts: list[Fact] = field(factory=list, init=False)
    receipts: dict[str, Receipt] = field(factory=dict, init=False)
    refused: int = field(default=0, init=False)
    events: list[Event] = field(factory=list, init=False)

    @model.default
    def _model(self) -> Scripted:
        return Scripted(self.script, dialect=self.dialect)

    # ── playing ─────────────────────────────────────────────────────────────────────────────────────

    def tool(self, name: str, body: Body, **options: Any) -> None:
        """A tool whose every call is written down."""

        async def witnessed(context: ToolContext) -> str:
            """Work."""
            fact = Fact(context.call, trio.current_time())
            self.facts.append(fact)
            try:
                value = await body(context)
            except trio.Cancelled:
                fact.cancelled = True
                raise
            except Exception as error:
                fact.raised, fact.in_time = str(error), _in_time(context)
                raise
            fact.value, fact.in_time = value, _in_time(context)
            return value

        self.tools.append(tool(name=name, **options)(witnessed))

    @asynccontextmanager
    async def open(self) -> Any:
        """The session; what it tells is read to its end."""
        self.session = Session(
            self.model,
            tools=self.tools,
            limits=self.limits,
            journal=self.journal,
            approve=self.approve,
            id="story",
        )
        stream: EventStream | None = None
        try:
            async with self.session as session:
                stream = session.events()
                yield session
        finally:
            if stream is not None:
                self.events += list(stream._events)

    async def send(self, text: str, mode: Any = "steer", **options: Any) -> None:
        """Send a message; a refusal is an answer."""
        try:
            receipt = await self.session.send(text, when_busy=mode, **options)
        except (SessionBusy, SessionClosed):
            self.refused += 1
        else:
            self.receipts[text] = receipt

    async def run(self, text: str, **options: Any) -> None:
        """Run a turn; its message is one of those that are followed."""
        with suppress(SessionClosed):
            result = await self.session.run(text, **options)
            assert result.receipt is not None
            self.receipts[text] = result.receipt

    async def interrupt(self) -> None:
        """Interrupt, and look: the history is sendable then."""
        with suppress(SessionClosed):
            await self.session.interrupt("story")

    async def answer(self, call: Invocation, *, allow: bool) -> None:
        """Answer an approval; that it is dead is an answer."""
        with suppress(TransitionRefused, SessionClosed):
            await (self.session.approve(call) if allow else self.session.deny(call, "no"))

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────

    def judge(self) -> None:
        """Everything that must hold at the end, whatever the schedule was.

        Raises:
            AssertionError: Something does not; every sentence that is wrong stands in it.
        """
        wrong = [
            *self._bodies(),
            *self._calls(),
            *self._messages(),
            *self._turns(),
        ]
        assert not wrong, "\n".join(wrong)

    def _bodies(self) -> Iterator[str]:
        for request in self.model.requests:
            refusal = _JUDGES[self.dialect](msgspec.json.decode(request.body))
            if refusal is not None:
                yield f"request {request.number} is refused: {refusal.message}: {request.body!r}"
        sent = [event.request for event in self.events if isinstance(event, RequestSent)]
        if sent != sorted(set(sent)):
            yield f"requests were told out of order or twice: {sent}"

    def _calls(self) -> Iterator[str]:
        requested = [event.call for event in self.events if isinstance(event, CallRequested)]
        ended = Counter(event.call for event in self.events if isinstance(event, CallEnded))
        started = Counter(event.call for event in self.events if isinstance(event, CallStarted))
        outputs = Counter(item.ordinal for item in self.session.transcript if isinstance(item, Output))
        texts = {item.ordinal: item for item in self.session.transcript if isinstance(item, Output)}
        for call in requested:
            if ended[call] != 1 or outputs[call.ordinal] != 1:
                yield f"{call} ended {ended[call]} times, with {outputs[call.ordinal]} outputs"
            elif (said := texts[call.ordinal].outcome) is not call.outcome:
                yield f"the transcript says {said} of {call}, and its outcome is {call.outcome}"
        for call in ended.keys() | started.keys():
            if call not in requested or started[call] > 1:
                yield f"{call} was told without its request, or started {started[call]} times"
        for call in requested:
            if call.outcome is not None:
                yield from self._truth(call)

    def _truth(self, call: Invocation) -> Iterator[str]:
        outcome = call.outcome
        assert outcome is not None
        facts = [fact for fact in self.facts if fact.invocation is call]
        if len(facts) > 1:
            yield f"{call} ran {len(facts)} times"
        fact = facts[0] if facts else None
        if outcome.cause in _NEVER_RAN and (fact is not None or outcome.effect is not Effect.NONE):
            yield f"{call} ran, and its outcome says that it did not: {outcome}"
        if outcome.cause is Cause.RETURNED and (fact is None or fact.value != outcome.output):
            yield f"{call} did not return {outcome.output!r}: {fact}"
        if outcome.cause is Cause.RAISED and (fact is None or fact.raised is None):
            yield f"{call} did not raise: {fact}"
        if outcome.state is not state_of(outcome.cause) or outcome.model_text != text_of(
            outcome.cause, outcome.seconds, output=outcome.output, why=outcome.why, partial=outcome.partial
        ):
            yield f"the text of {call} is not that of its cause: {outcome}"
        if fact is not None and fact.in_time:
            kept = Cause.RETURNED if fact.value is not None else Cause.RAISED
            if outcome.cause is not kept:
                yield f"{call} had its result in time, and lost it: {fact}, {outcome}"

    def _messages(self) -> Iterator[str]:
        delivered = Counter(e.receipt.id for e in self.events if isinstance(e, MessageDelivered))
        returned = Counter(e.receipt.id for e in self.events if isinstance(e, MessageReturned))
        for text, receipt in self.receipts.items():
            fates = delivered[receipt.id] + returned[receipt.id]
            there = [getattr(item, "content", None) for item in self.session.transcript].count(text)
            if receipt.state is Fate.HELD or fates != 1:
                yield f"{text} is {receipt.state} at the end, and was told {fates} fates"
            if there != (receipt.state is Fate.DELIVERED):
                yield f"{text} is {receipt.state}, and stands {there} times in the transcript"
            carried = [n for n, request in enumerate(self.model.requests) if _carries(request.body, text)]
            if receipt.state is Fate.DELIVERED:
                numbers = [request.number for request in self.model.requests]
                # Once delivered, every later request carries it again. A request that was aborted before its
                # model was asked is not among them.
                if receipt.request is None:
                    yield f"{text} is delivered by no request"
                elif carried != [n for n, number in enumerate(numbers) if number >= receipt.request]:
                    yield f"{text} was delivered by request {receipt.request}, and is carried by {carried}"
            elif carried:
                yield f"{text} was returned, and requests {carried} carry it"

    def _turns(self) -> Iterator[str]:
        started = [event.turn for event in self.events if isinstance(event, TurnStarted)]
        ended = [event.turn for event in self.events if isinstance(event, TurnEnded)]
        if not started == ended == list(range(1, len(started) + 1)):
            yield f"turns {started} began, turns {ended} ended"
        open_turn: int | None = None
        for event in self.events:
            if isinstance(event, TurnStarted):
                if open_turn is not None:
                    yield f"turn {event.turn} began inside of turn {open_turn}"
                open_turn = event.turn
            elif isinstance(event, TurnEnded):
                open_turn = None
            elif isinstance(event, (CallRequested, CallStarted, CallEnded, RequestSent)) and (
                open_turn != event.turn
            ):
                yield f"{event} was told while turn {open_turn} was open"


def _in_time(context: ToolContext) -> bool:
    """What ends now must count: nothing has ended the call before, and its grace is not over."""
    assert isinstance(context, Run)
    return context.call.outcome is None and not context.left_behind


def _carries(body: bytes, text: str) -> bool:
    return f'"{text}"'.encode() in body
