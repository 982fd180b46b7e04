"""A session of this library as the agent of a sequencing test.

Owns how the steps of a story reach a ``Session``, and what is asked of it beyond what every agent is asked:
each turn begins and ends once, with everything that belongs to it in between, and each message and call that
the host was told of has one fate. For people whose agent is built on a session: make yours of the model and
the tools that you are given.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Self, TypeAlias

import httpx2
import trio
from attrs import define, field
from openai import AsyncOpenAI

from turnlock.engine import Fate, Invocation, Limits
from turnlock.models.openai import OpenAIResponses
from turnlock.runtime import Allow, Deny, EventStream, Session, events
from turnlock.testing.sequencing.harness import Harness
from turnlock.tools import tool

Make: TypeAlias = Callable[..., Session]
"""Called with a model, and ``tools``, ``approve``, ``limits`` by name."""

_OF_A_TURN = (events.CallRequested, events.CallStarted, events.CallEnded, events.RequestSent)
_LIMITS = Limits(deadline=30.0, grace=2.0, retries=2)


@define(eq=False)
class SessionAgent:
    """The adapter: ``sequencing_test(SessionAgent)``, or ``lambda harness: SessionAgent(harness, make)``."""

    harness: Harness
    make: Make = Session
    limits: Limits = _LIMITS
    session: Session = field(init=False)
    loop: str = field(default="trio", init=False)
    approvals: bool = field(default=True, init=False)
    keeps: bool = field(default=True, init=False)
    retries: bool = field(default=True, init=False)
    repeated_ids: bool = field(default=True, init=False)
    turn_mode: str = field(default="queue", init=False)
    modes: tuple[str, ...] = field(default=("steer", "queue", "interrupt"), init=False)
    _told: list[events.Event] = field(factory=list, init=False)
    _gone_back: list[str] = field(factory=list, init=False)
    _stack: AsyncExitStack = field(factory=AsyncExitStack, init=False)

    @property
    def deadline(self) -> float | None:
        """Seconds that a tool has."""
        return self.limits.deadline

    @property
    def grace(self) -> float:
        """Seconds that it has when it was asked to stop."""
        return self.limits.grace

    async def __aenter__(self) -> Self:
        client = AsyncOpenAI(
            api_key="none",
            base_url="http://strict/v1",
            http_client=httpx2.AsyncClient(transport=self.harness.transport()),
        )
        await self._stack.enter_async_context(client)
        # Its first request asks a thread for the platform, and when that answers no schedule decides.
        await client.models.list()
        tools = [tool(approval=False)(self.harness.work), tool(approval=True)(self.harness.risky)]
        self.session = self.make(
            OpenAIResponses("strict", {"store": False}, client=client),
            tools=tools,
            approve=self._approve,
            limits=self.limits,
        )
        nursery = await self._stack.enter_async_context(trio.open_nursery())
        await self._stack.enter_async_context(self.session)
        nursery.start_soon(self._listen, self.session.events())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def _listen(self, told: EventStream) -> None:
        async for event in told:
            self._told.append(event)

    async def _approve(self, call: Invocation) -> Allow | Deny:
        step: str = json.loads(call.arguments)["step"]
        return Allow() if await self.harness.approval(step) else Deny("the user does not want it")

    # ── the steps ───────────────────────────────────────────────────────────────────────────────────

    async def turn(self, text: str) -> None:
        """Run a turn."""
        result = await self.session.run(text)
        if result.receipt is not None and result.receipt.state is Fate.RETURNED:
            self._gone_back.append(text)

    async def send(self, text: str, mode: str) -> None:
        """Send a message."""
        await self.session.send(text, when_busy=mode, id=text)  # type: ignore[arg-type]  # one of the modes

    async def interrupt(self) -> None:
        """Interrupt the turn."""
        await self.session.interrupt()

    def busy(self) -> bool:
        """Whether a turn is under way: a message may have opened one."""
        return bool(self.session.open)

    # ── what became of it ───────────────────────────────────────────────────────────────────────────

    def returned(self) -> list[str]:
        """The messages that were given back."""
        back = [one.receipt.id for one in self._told if isinstance(one, events.MessageReturned)]
        return back + self._gone_back

    def problems(self) -> Iterator[str]:
        """What the host was told that cannot be."""
        yield from _turns(self._told)
        fates = Counter(
            event.receipt.id
            for event in self._told
            if isinstance(event, (events.MessageDelivered, events.MessageReturned))
        )
        yield from (
            f"message {name} was told to have {times} fates" for name, times in fates.items() if times > 1
        )
        ended = Counter(event.call.ordinal for event in self._told if isinstance(event, events.CallEnded))
        yield from (
            f"call {number} was told to have ended {times} times"
            for number, times in ended.items()
            if times > 1
        )


def _turns(told: list[events.Event]) -> Iterator[str]:
    """Each turn begins once, ends once, and everything of it stands in between."""
    begun: set[int] = set()
    over: set[int] = set()
    for event in told:
        what = type(event).__name__
        if isinstance(event, events.TurnStarted):
            if event.turn in begun:
                yield f"turn {event.turn} began twice"
            begun.add(event.turn)
        elif isinstance(event, events.TurnEnded):
            if event.turn in over:
                yield f"turn {event.turn} ended twice"
            over.add(event.turn)
        elif isinstance(event, _OF_A_TURN) and event.turn in over:
            yield f"{what} was told after the end of turn {event.turn}"
    for turn in sorted(begun - over):
        yield f"turn {turn} never ended"
