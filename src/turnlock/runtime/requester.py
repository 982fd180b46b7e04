"""Requests: the exact bytes, the check on them, the stream that comes back.

One long-lived task per session (a task per request would cost a quarter of a turn). It owns the request in
flight and nothing else: what a response means is the engine's business. An aborted request is no longer
listened to at once; its task may still be unwinding, and the next request waits for that, but for no longer
than the grace: then a task of its own takes over (R22: never two requests in flight, as far as we can tell).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio
from attrs import define, field, frozen

from turnlock.engine import Item, Limits, ModelItem, Policy, Text, Trouble, inputs
from turnlock.engine.outcome import format_seconds
from turnlock.errors import ModelError
from turnlock.models import Model, Prefix, Request, Response
from turnlock.runtime.watchdog import Watchdog
from turnlock.tools.output import describe
from turnlock.wire import Decoded, Encoder, Settings, Severity, check, decode

Post = Callable[[inputs.Input], None]


@frozen
class Sent:
    """What became of a request that was to leave.

    Attributes:
        body: The exact bytes.
        positions: For each item of the transcript its index in the list of the body.
        problem: Why nothing was sent.
    """

    body: bytes = field(repr=False)
    positions: Sequence[int | None] | None
    problem: str | None = None


@define(eq=False)
class Flight:
    """A request in flight: where its adapter puts what arrives.

    Attributes:
        request: The request.
        turn: The turn that it belongs to.
        owner: Who sent it.
        shown: Text of the item that is not yet complete, as the host has seen it.
        held: Deltas that came after an interrupt was posted and before the engine has decided on it.
        over: Nothing that arrives counts any more.
    """

    request: Request
    turn: int
    owner: Requester
    shown: list[str] = field(factory=list)
    held: list[str] | None = None
    over: bool = False

    # ── the sink of the adapter ─────────────────────────────────────────────────────────────────────

    def text(self, delta: str) -> None:
        """Text that the host may show."""
        if not delta or self.over:
            return
        if self.held is not None:
            self.held.append(delta)
            return
        self.shown.append(delta)
        self.owner.told("text", self, delta)

    def reasoning(self, delta: str) -> None:
        """Reasoning that the host may show."""
        if delta and not self.over:
            self.owner.told("reasoning", self, delta)

    def item(self, raw: Mapping[str, Any], *, cut: bool = False) -> None:
        """An item in the dialect of the model."""
        if self.over:
            return
        dialect = self.owner.model.dialect
        assert dialect is not None
        for decoded in decode(
            dialect,
            raw,
            request=self.request.number,
            model=self.owner.model.name,
            next_ordinal=self.owner.next_ordinal,
            cut=cut,
        ):
            self._complete(decoded)

    def add(self, item: ModelItem) -> None:
        """An item of the transcript, from a model without a dialect."""
        if not self.over:
            self._complete(Decoded(item))

    def next_ordinal(self) -> int:
        """The ordinal for a call given to ``add``."""
        return self.owner.next_ordinal()

    def _complete(self, decoded: Decoded) -> None:
        owner = self.owner
        if isinstance(decoded.item, Text):
            if not self.shown and self.held is None:  # an adapter that tells no deltas
                owner.told("text", self, decoded.item.text)
            self.shown.clear()
        policy = owner.completed(decoded)
        owner.post(
            inputs.ItemCompleted(owner.clock() - owner.epoch, self.request.number, decoded.item, policy)
        )


@define(eq=False)
class Requester:
    """Sends the requests of one session.

    Attributes:
        model: The model.
        encoder: Makes the bodies; None for a model without a dialect.
        settings: What is the same in every body.
        limits: The session's limits.
        spawn: Starts a task of the session.
        clock: The current time, in seconds, on trio's clock.
        epoch: The session's time zero on it.
        watchdog: Calls back when a request has taken too long.
        post: Takes an input in.
        completed: Called with every item that was completed; says which rules it follows.
        told: Called with ``text``, ``reasoning``, ``usage`` or ``stuck`` when something happens that is no
            input.
        ordinals: The last ordinal that was given to a call.
        flight: The request in flight.
    """

    model: Model
    encoder: Encoder | None
    settings: Settings
    limits: Limits
    spawn: Callable[..., None]
    clock: Callable[[], float]
    epoch: float
    watchdog: Watchdog
    post: Post
    completed: Callable[[Decoded], Policy]
    told: Callable[[str, Flight, Any], None]
    ordinals: int = 0
    flight: Flight | None = field(default=None, init=False)
    _next: Flight | None = field(default=None, init=False)
    _worker: trio.CancelScope | None = field(default=None, init=False)
    _sleeping: trio.Event | None = field(default=None, init=False)
    _unwinding: int = field(default=0, init=False)  # workers of aborted requests that have not ended
    _refused: bytes = field(default=b"", init=False)

    def next_ordinal(self) -> int:
        """Ordinals rise in a session, whatever the provider calls its calls (R2)."""
        self.ordinals += 1
        return self.ordinals

    def send(self, number: int, turn: int, items: list[Item], length: int) -> Sent:
        """Encode, check and send; nothing leaves when the provider would refuse it (R15)."""
        body, positions = b"", None
        if self.encoder is not None:
            encoded = self.encoder.encode(items, length, self.settings)
            body, positions = encoded.body, encoded.positions
            problem = self._problem(body)
            if problem is not None:
                self.post(inputs.ResponseFailed(self._now(), number, Trouble.REFUSED, problem))
                return Sent(body, positions, problem)
        flight = Flight(Request(number, body, Prefix(items, length)), turn, self)
        self.flight = flight
        self._give(flight)
        return Sent(body, positions)

    def _problem(self, body: bytes) -> str | None:
        """Why this body must not leave."""
        assert self.model.dialect is not None
        errors = [v for v in check(body, self.model.dialect) if v.severity is Severity.ERROR]
        if errors:
            return "; ".join(
                f"{error.message} [{error.rule} at {error.at}; nothing was sent]" for error in errors
            )
        if body == self._refused:
            return "The provider has refused exactly these bytes before; nothing was sent."
        return None

    def hold(self) -> str:
        """What the host has seen of the unfinished item; it sees no more until the engine has decided."""
        if self.flight is None:
            return ""
        if self.flight.held is None:
            self.flight.held = []
        return "".join(self.flight.shown)

    def release(self) -> None:
        """The request goes on after all: show what was held."""
        flight = self.flight
        if flight is not None and flight.held is not None:
            held, flight.held = flight.held, None
            for delta in held:
                flight.text(delta)

    def abort(self) -> str:
        """Stop listening, at once. The result is what was shown of the unfinished item."""
        flight = self.flight
        if flight is None:
            return ""
        self._drop(flight, "the turn was interrupted")
        return "".join(flight.shown)

    # ── the task ────────────────────────────────────────────────────────────────────────────────────

    def _give(self, flight: Flight) -> None:
        self._next = flight
        if self._sleeping is not None:
            self._sleeping.set()
        elif self._unwinding:  # the aborted request before it has not ended
            self.watchdog.push(self.clock() + self.limits.grace, self._take_over, flight)
        else:
            self._start_worker()

    def _start_worker(self) -> None:
        self._worker = trio.CancelScope()
        self.spawn(self._serve, self._worker, name="turnlock requests")

    def _drop(self, flight: Flight, reason: str) -> None:
        """End a request that is in flight, and the worker with it."""
        flight.over = True
        self.flight = None
        if self._next is flight:
            self._next = None  # nobody has looked at it yet
        elif self._worker is not None:
            self._worker.cancel(reason=reason)
            self._worker = None
            self._unwinding += 1

    def close(self) -> None:
        """End the task."""
        if self._worker is not None:
            self._worker.cancel(reason="the session was closed")

    def _take_over(self, flight: Flight, _when: float, _now: float) -> None:
        """An adapter that does not end when it is told to must not hold the next turn."""
        if self._next is flight:
            self.told("stuck", flight, None)
            self._start_worker()

    def _too_late(self, flight: Flight, _when: float, _now: float) -> None:
        self._drop(flight, "the request took too long")
        text = f"the response did not end within {format_seconds(self.limits.request_timeout or 0)} s"
        self.post(inputs.ResponseFailed(self._now(), flight.request.number, Trouble.LOST, text))

    async def _serve(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                while self._worker is scope:
                    if self._next is None:
                        self._sleeping = trio.Event()
                        try:
                            await self._sleeping.wait()
                        finally:
                            self._sleeping = None
                    else:
                        flight, self._next = self._next, None
                        await self._fly(flight)
        finally:
            if self._worker is not scope and self._unwinding:
                self._unwinding -= 1
                if not self._unwinding and self._worker is None and self._next is not None:
                    self._start_worker()

    async def _fly(self, flight: Flight) -> None:
        number, timeout = flight.request.number, self.limits.request_timeout
        if timeout is not None:
            self.watchdog.push(self.clock() + timeout, self._too_late, flight)
        ending: inputs.Input
        try:
            response = await self.model.respond(flight.request, flight)
        except ModelError as error:
            if error.trouble == Trouble.REFUSED:
                self._refused = flight.request.body
            trouble = Trouble(error.trouble)
            ending = inputs.ResponseFailed(self._now(), number, trouble, error.text, error.retry_after)
        except Exception as error:  # noqa: BLE001  # a broken adapter fails the turn, not the session
            text = f"the model adapter failed: {describe(error)}"
            ending = inputs.ResponseFailed(self._now(), number, Trouble.FATAL, text)
        else:
            if not flight.over:
                self.told("usage", flight, response.usage)
            ending = inputs.ResponseEnded(self._now(), number, response.finish)
        if not flight.over:
            flight.over = True
            self.flight = None
            self.post(ending)

    def _now(self) -> float:
        return self.clock() - self.epoch
