"""What a session hands back: receipts for messages, results of turns, and who waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio
from attrs import define, field, frozen

from turnlock._value import value
from turnlock.engine import Fate, Invocation, Letter, StopReason, inputs
from turnlock.models import Usage

if TYPE_CHECKING:
    from turnlock.runtime.requester import Pilot

NOTHING_USED = Usage()


@define(eq=False, repr=False)
class Receipt:
    """What became of a message: a live view, not a copy.

    Attributes:
        index: Where the message stands in the list of the request that carried it first: ``input`` of a
            Responses body, ``messages`` of a Chat body; in the transcript for a model without a dialect.
    """

    _letter: Letter = field(alias="letter")
    _open: Callable[[], tuple[Invocation, ...]] = field(alias="open")
    index: int | None = None

    def __repr__(self) -> str:
        where = f", request {self.request}, index {self.index}" if self.request is not None else ""
        why = f", {self.reason!r}" if self.reason else ""
        return f"<Receipt {self.id}: {self.state}{where}{why}>"

    @property
    def id(self) -> str:
        """The message's id."""
        return self._letter.message.id

    @property
    def state(self) -> Fate:
        """``held``, ``delivered`` or ``returned``."""
        return self._letter.fate

    @property
    def held_by(self) -> tuple[Invocation, ...]:
        """The open calls that the message waits for; empty when it waits for the model, or not at all."""
        return self._open() if self._letter.fate is Fate.HELD else ()

    @property
    def request(self) -> int | None:
        """The first request that carried it."""
        return self._letter.request

    @property
    def reason(self) -> str:
        """Why it was returned."""
        return self._letter.reason


@value
class TurnResult:
    """How a turn went.

    Attributes:
        turn: Its number; 0 when the message was returned before a turn carried it.
        stop_reason: Why it ended.
        text: What the model said last.
        calls: Its calls, in order, with their outcomes.
        requests: How many requests it sent.
        usage: What it cost.
        error: The provider's or our own text, when it failed.
        receipt: What became of the message that it was run with.
    """

    turn: int
    stop_reason: StopReason
    text: str = ""
    calls: tuple[Invocation, ...] = ()
    requests: int = 0
    usage: Usage = NOTHING_USED
    error: str = ""
    receipt: Receipt | None = None


@frozen
class Waiting:
    """One thing that the turn waits for.

    Attributes:
        what: ``request`` (the model answers), ``backoff`` (before the next attempt), or ``call``.
        why: In words: what has to happen.
        call: The call, when it is one.
    """

    what: str
    why: str
    call: Invocation | None = None

    def __str__(self) -> str:
        return self.why


@frozen
class Leak:
    """A tool that runs on though its call is over.

    Attributes:
        call: The call.
        age: Seconds since it was asked to stop.
    """

    call: Invocation
    age: float


@define(eq=False)
class TurnRecord:
    """What a session remembers of a turn while it runs, for its result.

    Attributes:
        number: The turn's number.
        first: The number of its first request.
        requests: How many requests have left.
        calls: Its calls so far.
        usage: What it has cost so far.
    """

    number: int
    first: int | None = None
    requests: int = 0
    calls: list[Invocation] = field(factory=list)
    usage: Usage = NOTHING_USED

    def result(self, reason: StopReason, text: str, error: str, receipt: Receipt | None) -> TurnResult:
        """The result of the turn, now that it is over."""
        return TurnResult(
            self.number, reason, text, tuple(self.calls), self.requests, self.usage, error, receipt
        )


@define(eq=False)
class Ticket:
    """Somebody waits for the turn that carries a message.

    Attributes:
        asked: The message to send, or to go on without one.
        receipt: What became of the message.
        turn: The turn that carries it, once one does.
        result: How that turn went.
        error: Why there will be no result.
        left: Nobody waits any more.
        pilot: The waiting task, if it flies the turn's requests meanwhile.
    """

    asked: inputs.Send | inputs.GoOn
    receipt: Receipt | None = None
    turn: int | None = None
    result: TurnResult | None = None
    error: BaseException | None = None
    left: bool = False
    pilot: Pilot | None = None
    _waiting: trio.Event | None = None

    @property
    def done(self) -> bool:
        """There is a result, or there never will be one."""
        return self.result is not None or self.error is not None

    def finish(self, result: TurnResult) -> None:
        """There is a result."""
        self.result = result
        self._wake()

    def fail(self, error: BaseException) -> None:
        """There will be no result."""
        self.error = error
        self._wake()

    def _wake(self) -> None:
        if self.pilot is not None:
            self.pilot.done = True
            self.pilot.wake()
        if self._waiting is not None:
            self._waiting.set()

    async def wait(self) -> TurnResult:
        """The result, once there is one.

        Raises:
            BaseException: What ended the session, if there will be none.
        """
        while self.result is None:
            if self.error is not None:
                raise self.error
            self._waiting = trio.Event()
            await self._waiting.wait()
            self._waiting = None
        return self.result
