"""Sessions on stage: what they tell is shown as it comes, in words for whoever watches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from attrs import define, field
from openai import AsyncOpenAI

from turnlock import (
    ApprovalRequested,
    CallEnded,
    CallFreed,
    CallLeaked,
    CallOutput,
    CallStarted,
    CallStopping,
    Event,
    Fate,
    Invocation,
    Limits,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    Receipt,
    RequestSent,
    Session,
    StopReason,
    TextDelta,
    Tool,
    TurnEnded,
    WhenBusy,
)
from turnlock.cli.stage import Stage, Unplayable, label, outline
from turnlock.models.openai import OpenAIResponses

Act = Callable[[Event], Awaitable[None]]


@define(eq=False)
class Guarded:
    """The user of the sessions, and who shows them. Receipts are kept for the figures."""

    client: AsyncOpenAI
    stage: Stage
    tools: Sequence[Tool]
    receipts: list[Receipt] = field(factory=list)
    _texts: dict[str, str] = field(factory=dict)
    _waited: list[Receipt] = field(factory=list)
    _carried: list[str] = field(factory=list)  # by the request that is about to leave
    _said: list[str] = field(factory=list)

    def session(self) -> Session:
        """A session with all tools; who is asked to stop has a fifth of a second."""
        model = OpenAIResponses("demo", client=self.client)
        return Session(model, tools=self.tools, limits=Limits(grace=0.2))

    async def play(self, session: Session, text: str, act: Act | None = None, turns: int = 1) -> None:
        """A message, and what comes of it until so many turns have ended; ``act`` is the user, watching.

        Raises:
            Unplayable: The provider gave no answer.
        """
        events = session.events()
        await self.type(session, text)
        async for event in events:
            self.show(session, event)
            if act is not None:
                await act(event)
            if isinstance(event, TurnEnded):
                turns -= 1
                if event.stop_reason is StopReason.FAILED:
                    raise Unplayable(event.error)
                if not turns or event.stop_reason is StopReason.REFUSED:
                    return

    async def type(self, session: Session, text: str, when_busy: WhenBusy = "steer") -> None:
        """The user types."""
        self.stage.say("user", text)
        receipt = await session.send(text, when_busy=when_busy)
        self.receipts.append(receipt)
        self._texts[receipt.id] = text
        if receipt.state is Fate.HELD:
            holders = " and ".join(_label(call) for call in receipt.held_by)
            why = f"{holders} has no outcome yet" if holders else "the model is still answering"
            self.stage.say("held", f"the message is held: {why}")

    def show(self, session: Session, event: Event) -> None:
        """A line for whoever watches."""
        say = self.stage.say
        match event:
            case RequestSent(request=number, items=count):
                say("request", f"request {number}: {outline(session.transcript[:count])}")
                for text in self._carried:
                    say("delivered", f"“{text}” went out in request {number}, behind every output")
                self._carried.clear()
            case TextDelta(text=text):
                self._said.append(text)
            case MessageHeld(receipt=receipt):
                self._waited.append(receipt)
            case MessageDelivered(receipt=receipt) if receipt in self._waited:
                self._carried.append(self._texts[receipt.id])
            case MessageReturned(receipt=receipt):
                say("note", f"“{self._texts[receipt.id]}” came back: {receipt.reason}")
            case TurnEnded(stop_reason=reason, error=error):
                said = "".join(self._said)
                self._said.clear()
                if reason is StopReason.REFUSED:
                    say("refused", error)
                else:
                    say(*(("model", said) if said else ("note", f"the turn ends: {reason}")))
            case _:
                self._show_call(event)

    def _show_call(self, event: Event) -> None:
        say = self.stage.say
        match event:
            case ApprovalRequested(call=call):
                say("tool", f"{_label(call)} waits for your approval")
            case CallStarted(call=call):
                say("tool", f"{_label(call)} runs")
            case CallOutput(call=call, text=text):
                say("tool", f"{_label(call)} prints: {text.strip()}")
            case CallStopping(call=call):
                say("stop", f"{_label(call)} is asked to stop ({call.stop_cause})")
            case CallEnded(call=call, outcome=outcome):
                say("tool", f"{_label(call)}: {outcome.model_text.rstrip()}")
            case CallLeaked(call=call):
                say("stop", f"{_label(call)} runs on; nothing waits for it")
            case CallFreed(call=call, age=age):
                say("stop", f"{_label(call)} ended {age:.1f} s after it was asked to; too late to count")
            case _:
                pass

    @property
    def held(self) -> int:
        """Messages that had to wait."""
        return len(self._waited)

    @property
    def lost(self) -> int:
        """Messages with no fate; there are none."""
        return sum(receipt.state is Fate.HELD for receipt in self.receipts)

    def count(self, fate: Fate) -> int:
        """Messages with this fate."""
        return sum(receipt.state is fate for receipt in self.receipts)


def _label(call: Invocation) -> str:
    return label(call.name, msgspec.json.decode(call.arguments))
