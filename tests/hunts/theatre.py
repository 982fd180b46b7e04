"""The stage of a story: a session whose tools do as the model's script says, and hands that act in time.

It notes what a host could know: what was said, what the tools lived through, what the user allowed. What must
hold of that is ``judge.py``'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

import trio
from attrs import define, field

from hunts.stage import Observed, opened
from support.live import call, told, until
from turnlock import (
    ApprovalRequested,
    Event,
    EventStream,
    Invocation,
    Limits,
    Receipt,
    Session,
    Tool,
    ToolContext,
    TransitionRefused,
    tool,
)
from turnlock.models import Say
from turnlock.models.scripted import Move

PATIENT = Limits(deadline=None, approval_deadline=None, request_timeout=None)
"""No time ends anything by itself: what a story is not about must not happen in it."""


_LONG = 500.0  # seconds


@define(eq=False)
class Visit:
    """One run of a tool.

    Attributes:
        call: The call that it answers.
        began: When, on trio's clock.
        ended: When it ended.
        said: What it returned.
        raised: What it raised.
        until: When its grace was over, if it was asked to stop.
    """

    call: Invocation
    began: float
    ended: float | None = None
    said: str | None = None
    raised: str | None = None
    until: float | None = None


class Grumble(Exception):
    """What a tool raises that does not like to be stopped."""


async def _returns(seconds: float) -> None:
    await trio.sleep(seconds)


async def _raises(seconds: float) -> None:
    await trio.sleep(seconds)
    raise Grumble("no route")


async def _finishes(seconds: float) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


async def _grumbles(seconds: float) -> None:
    try:
        await trio.sleep(seconds)
    except trio.Cancelled:
        raise Grumble("the lock is gone") from None


async def _lingers(seconds: float) -> None:
    try:
        await trio.sleep(_LONG)
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


_ACTS: Mapping[str, Callable[[float], Awaitable[None]]] = {
    "returns": _returns,
    "raises": _raises,
    "finishes": _finishes,
    "grumbles": _grumbles,
    "lingers": _lingers,
}


def calls(*acts: tuple[str, str, float], name: str = "work", one_id: str | None = None) -> list[Move]:
    """Calls of a model's answer: each a step, what its tool does, and for how many seconds."""
    return [
        call(name, step if one_id is None else one_id, step=step, act=act, seconds=seconds)
        for step, act, seconds in acts
    ]


@define(eq=False)
class Stage:
    """One session, and what is noted of it.

    Attributes:
        model: The model.
        session: The session.
        visits: The runs of tools, in the order in which they began.
        allowed: Ordinals of the calls that the user allowed, unless told that it is too late.
        stops: For every hand that stopped something, how many events there were when it began and ended.
        accepted: The receipts of what was sent, in the order in which they came back.
        events: Everything that the session told, once it is closed.
        limits: The session's limits.
        alone: Nobody interrupts, in the whole story.
    """

    model: Observed
    limits: Limits
    session: Session = field(init=False)
    visits: list[Visit] = field(factory=list, init=False)
    allowed: set[int] = field(factory=set, init=False)
    stops: list[tuple[int, int]] = field(factory=list, init=False)
    accepted: list[Receipt] = field(factory=list, init=False)
    events: Sequence[Event] = field(default=(), init=False)
    alone: bool = field(default=True, init=False)
    _stream: EventStream = field(init=False)
    _questions: EventStream = field(init=False)
    _left: int = field(default=0, init=False)

    async def play(self, act: Callable[[Stage], Awaitable[object]], **options: Any) -> None:
        """Open the session, do what the story does, close it, and keep what was told."""
        async with opened(self.model, tools=self._tools(), limits=self.limits, **options) as self.session:
            self._stream, self._questions = self.session.events(), self.session.events()
            await act(self)
            self.alone = self.alone and not self.session.open
            begun = self._told
        self.stops.append((begun, self._told))
        self.events = told(self._stream)

    def _tools(self) -> list[Tool]:
        async def work(context: ToolContext, step: str, act: str, seconds: float) -> str:
            """Do one step."""
            visit = Visit(context.call, trio.current_time())
            self.visits.append(visit)
            try:
                await _ACTS[act](seconds)
                visit.said = f"{step}!"
            except Grumble as grumble:
                visit.raised = str(grumble)
                raise
            finally:
                visit.ended, visit.until = trio.current_time(), context.until
            return visit.said

        return [
            tool(name="work")(work),
            tool(name="risky", approval=True)(work),
            tool(name="done", ends_turn=True)(work),
        ]

    # ── the user's hands ────────────────────────────────────────────────────────────────────────────

    async def say(self, text: str, mode: Any = "steer", after: float = 1.0) -> None:
        """Send a message, after some seconds."""
        await trio.sleep(after)
        self.accepted.append(await self.session.send(text, when_busy=mode))

    async def ask(self, text: str, after: float = 0.0, scope: trio.CancelScope | None = None) -> None:
        """Run a message, after some seconds; whoever waits can be cancelled."""
        await trio.sleep(after)
        with trio.CancelScope() if scope is None else scope:
            result = await self.session.run(text)
            assert result.receipt is not None
            self.accepted.append(result.receipt)
            return
        self.stops.append((self._left, self._told))

    async def read(self, text: str) -> None:
        """Run a message and read its events to the end."""
        async with self.session.turn(text) as turn:
            async for _event in turn:
                pass
        assert turn.result.receipt is not None
        self.accepted.append(turn.result.receipt)

    async def interrupt(self, after: float = 1.0) -> None:
        """Interrupt, after some seconds."""
        await trio.sleep(after)
        self.alone, begun = False, self._told
        await self.session.interrupt()
        self.stops.append((begun, self._told))

    async def leave(self, scope: trio.CancelScope, after: float = 1.0) -> None:
        """Cancel whoever waits, after some seconds."""
        await trio.sleep(after)
        self.alone, self._left = False, self._told
        scope.cancel()

    @property
    def _told(self) -> int:
        """How many events there were so far."""
        return len(self._stream._events)

    async def answer(self, after: float = 1.0) -> None:
        """Answer every question, each after some seconds: the first with yes, all others with no."""
        answers = count()
        while True:
            question = (await until(self._questions, ApprovalRequested)).call
            await trio.sleep(after)
            try:
                if next(answers) == 0:
                    self.allowed.add(question.ordinal)  # it counts before this hand hears that it does
                    await self.session.approve(question)
                else:
                    await self.session.deny(question)
            except TransitionRefused:  # the question is dead, and whoever answers it is told so
                self.allowed.discard(question.ordinal)


def script(*answers: Sequence[Move] | Move, **options: Any) -> Observed:
    """A model that answers so, and with a text to everything else."""
    return Observed([*answers, *(Say(f"A{number}") for number in range(12))], **options)
