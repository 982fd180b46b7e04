"""Requests: the exact bytes, the check on them, the stream that comes back.

It owns the request in flight and nothing else: what a response means is the engine's business. A request is
flown by a pilot: the task that waits for its turn in ``run`` (it has nothing else to do, and the adapter then
runs in the caller's context), or one long-lived task of the session. An aborted request is not listened to
from that instant on; its pilot is dismissed, and the next request waits until it has left, but for no longer
than the grace (R22: never two requests in flight, as far as that is ours to say). So an adapter that does not
let itself be cancelled holds no turn; it holds the task that it runs in, whoever's that is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import trio
from attrs import define, field

from turnlock.engine import Call, Cause, Finish, Item, Limits, ModelItem, Policy, Text, Trouble, inputs
from turnlock.engine.commands import SendRequest
from turnlock.engine.inputs import PLAIN
from turnlock.engine.outcome import format_seconds
from turnlock.errors import ModelError
from turnlock.models import Model, Request, Usage
from turnlock.runtime.watchdog import ALWAYS, Watchdog
from turnlock.tools.output import describe
from turnlock.wire import Encoder, Growing, Settings, Severity, decode, growing
from turnlock.wire.common.jsontext import mended

Post = Callable[[inputs.Input], None]
_UNWIND = 0.05  # seconds that an adapter may always take to end when it is told to (grace 0)
_UNSAYABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What an encoder raises when a message or an option is nothing that JSON can say."""


@define(eq=False)
class Pilot:
    """A task that flies requests.

    Attributes:
        scope: Cancels what it flies.
        flight: What it is to fly next.
        done: It has nothing to wait for any more.
        left: It is out of its last request.
    """

    scope: trio.CancelScope = field(factory=trio.CancelScope)
    flight: Flight | None = None
    done: bool = False
    left: bool = False
    _asleep: trio.Event | None = None

    def wake(self) -> None:
        """Let it look again."""
        if self._asleep is not None:
            self._asleep.set()

    async def sleep(self) -> None:
        """Wait for something to fly, or for the end."""
        self._asleep = trio.Event()
        await self._asleep.wait()
        self._asleep = None


@define(eq=False)
class Flight:
    """A request in flight: where its adapter puts what arrives.

    Attributes:
        request: The request.
        turn: The turn that it belongs to.
        owner: Who sent it.
        positions: For each item of the transcript its index in the list of the body.
        problem: Why it was not sent.
        pilot: Who flies it.
        since: When it left, on trio's clock.
        said: All text of it that the host has seen.
        shown: What of it belongs to the item that is not yet complete.
        held: What there is to show that came after an interrupt was posted and before the engine has decided
            on it: methods with their argument.
        over: Nothing that arrives counts any more.
    """

    request: Request
    turn: int
    owner: Requester
    positions: Sequence[int | None] | None = None
    problem: str | None = None
    pilot: Pilot | None = None
    since: float = 0.0
    said: list[str] = field(factory=list)
    shown: list[str] = field(factory=list)
    held: list[tuple[Callable[[str], None], str]] | None = None
    over: bool = False

    # ── the sink of the adapter ─────────────────────────────────────────────────────────────────────

    def text(self, delta: str) -> None:
        """Text that the host may show."""
        if self.over or not delta:
            return
        if type(delta) is not str:
            raise TypeError(f"a delta is text, not {delta!r}")
        if self.held is not None:
            self.held.append((self.text, delta))
            return
        self.said.append(delta)
        self.shown.append(delta)
        self.owner.told("text", self, delta)

    def reasoning(self, delta: str) -> None:
        """Reasoning that the host may show."""
        if self.over or not delta:
            return
        if self.held is not None:
            self.held.append((self.reasoning, delta))
        else:
            self.owner.told("reasoning", self, delta)

    def item(self, raw: Mapping[str, Any], *, cut: bool = False) -> None:
        """An item in the dialect of the model."""
        owner, number = self.owner, self.request.number
        dialect = owner.model.dialect
        if self.over or dialect is None:
            return
        name, ordinal = owner.model.name, owner.next_ordinal
        for decoded in decode(dialect, raw, request=number, model=name, next_ordinal=ordinal, cut=cut):
            self._complete(decoded.item, decoded.problem, decoded.why)

    def add(self, item: ModelItem) -> None:
        """An item of the transcript, from a model without a dialect.

        Raises:
            ValueError: A call whose ordinal is not the next that ``next_ordinal`` gave.
        """
        if self.over:
            return
        if isinstance(item, Call) and not self.owner.used < item.ordinal <= self.owner.ordinals:
            raise ValueError(f"the ordinal {item.ordinal} is not new: take each call's from next_ordinal()")
        self._complete(item)

    def next_ordinal(self) -> int:
        """The ordinal for a call given to ``add``."""
        return self.owner.next_ordinal()

    def _complete(self, item: ModelItem, problem: Cause | None = None, why: str = "") -> None:
        owner, policy = self.owner, PLAIN
        if isinstance(item, Call):
            owner.used = item.ordinal
            policy = owner.policy(item, problem, why)
        elif isinstance(item, Text):
            self._shown_whole(item.text)
        owner.post(inputs.ItemCompleted(owner.clock() - owner.epoch, self.request.number, item, policy))

    def _shown_whole(self, text: str) -> None:
        """The item is complete whose text was shown; an adapter may tell no deltas."""
        if self.held is not None:
            self.held.append((self._shown_whole, text))
            return
        if not self.shown:
            self.said.append(text)
            self.owner.told("text", self, text)
        self.shown.clear()


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
        policy: Called with every call that was completed; says which rules it follows.
        told: Called with ``left``, ``text``, ``reasoning``, ``usage``, ``stuck`` or ``broken`` when something
            happens that is no input of a request.
        may_stop: Something is posted that may stop the turn: the host sees no more until that is decided.
        ordinals: The last ordinal that was given out.
        used: The last ordinal that a call came with.
        flight: The request in flight.
        last: The request that was sent last.
        guest: The task that waits for the turn under way, if it flies its requests.
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
    policy: Callable[[Call, Cause | None, str], Policy]
    told: Callable[[str, Flight, Any], None]
    may_stop: Callable[[], bool]
    ordinals: int = 0
    used: int = field(default=0, init=False)
    last: Flight | None = field(default=None, init=False)
    flight: Flight | None = field(default=None, init=False)
    guest: Pilot | None = field(default=None, init=False)
    _own: Pilot | None = field(default=None, init=False)  # the session's pilot
    _next: Flight | None = field(default=None, init=False)  # waits until the dismissed have left
    _leaving: dict[Pilot, Flight] = field(factory=dict, init=False)  # dismissed, and not out of these
    _all_left: trio.Event | None = field(default=None, init=False)
    _timing: bool = field(default=False, init=False)
    _refused: bytes = field(default=b"", init=False)
    _check: Growing | None = field(default=None, init=False)

    def next_ordinal(self) -> int:
        """Ordinals rise in a session, whatever the provider calls its calls (R2)."""
        self.ordinals += 1
        return self.ordinals

    def send(self, command: SendRequest, items: list[Item]) -> Flight:
        """Encode, check and send; nothing leaves when the provider would refuse it (R15)."""
        number, turn, length = command.number, command.turn, command.length
        body, positions, problem = b"", None, None
        if self.encoder is not None:
            try:
                encoded = self.encoder.encode(
                    items, length, self.settings, command.known, paused=command.paused
                )
            except _UNSAYABLE as error:
                problem = f"The request cannot be written: {describe(error)}; nothing was sent."
            else:
                body, positions = encoded.body, encoded.positions
                problem = self._problem(body, encoded.open_calls)
        flight = Flight(Request(number, body, items, length), turn, self, positions, problem)
        if self.may_stop():
            flight.held = []
        self.last = flight
        if problem is None:
            self.flight = flight
            self._give(flight)
        else:
            flight.over = True
            self.post(inputs.ResponseFailed(self._now(), number, Trouble.REFUSED, problem))
        return flight

    def _problem(self, body: bytes, open_calls: Sequence[str]) -> str | None:
        """Why this body must not leave."""
        assert self.model.dialect is not None
        if self._check is None:
            self._check = growing(self.model.dialect)
        errors = [v for v in self._check.check(body, open_calls) if v.severity is Severity.ERROR]
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
        return mended("".join(self.flight.shown))  # an emoji may have come in halves

    def release(self) -> None:
        """The request goes on after all: show what was held."""
        flight = self.flight
        if flight is not None and flight.held is not None:
            held, flight.held = flight.held, None
            for show, text in held:
                show(text)

    def abort(self, reason: str = "the turn was interrupted") -> None:
        """Stop listening, at once."""
        if self.flight is not None:
            self._drop(self.flight, reason)

    # ── pilots ──────────────────────────────────────────────────────────────────────────────────────

    def _give(self, flight: Flight) -> None:
        flight.since = self.clock()
        if self._leaving:  # the aborted request before it is still unwinding
            self._next = flight
            self.watchdog.push(flight.since + self._patience, self._go_without, 0, ALWAYS)
            return
        pilot = self.guest or self._own
        if pilot is None:
            pilot = self._own = Pilot()
            self.spawn(self.fly, pilot, name="turnlock requests")
        flight.pilot = pilot
        pilot.flight = flight
        pilot.wake()

    @property
    def _patience(self) -> float:
        """Seconds that an adapter has to end when it is told to."""
        return max(self.limits.grace, _UNWIND)

    def _drop(self, flight: Flight, reason: str) -> None:
        """A request is over before its end: nobody waits for its pilot."""
        flight.over = True
        self.flight = None
        pilot = flight.pilot
        if pilot is None:
            self._next = None
        elif pilot.flight is flight:
            pilot.flight = None  # it has not looked at it yet
        elif not pilot.left:
            pilot.done = True
            pilot.scope.cancel(reason=reason)
            self._leaving[pilot] = flight
            self._retire(pilot)

    def _retire(self, pilot: Pilot) -> None:
        """It gets no further request."""
        if pilot is self._own:
            self._own = None
        elif pilot is self.guest:
            self.guest = None

    def _go_without(self, _key: int, _when: float, now: float) -> None:
        """An adapter that does not end when it is told to must not hold the next turn."""
        if self._next is not None and now >= self._next.since + self._patience:
            self._report_stuck()
            self._leaving.clear()
            self._send_waiting()

    def _report_stuck(self) -> None:
        for flight in self._leaving.values():
            self.told("stuck", flight, self.clock() - flight.since)

    def _send_waiting(self) -> None:
        flight = self._next
        if flight is not None and not self._leaving:
            self._next = None
            self._give(flight)

    async def fly(self, pilot: Pilot) -> None:
        """Fly what the pilot is given, until it is done."""
        own = pilot is self._own
        try:
            with pilot.scope:
                while not pilot.done:
                    flight, pilot.flight = pilot.flight, None
                    if flight is None:
                        await pilot.sleep()
                    else:
                        await self._fly(flight)
        except BaseException:
            if own and self.flight is not None:
                # A guest's turn is interrupted by whoever waits for it; of this one nobody else would know.
                self.told("broken", self.flight, "the session's tasks were cancelled")
            raise
        finally:
            pilot.left = True
            self._retire(pilot)
            if self._leaving.pop(pilot, None) is not None:
                if self._all_left is not None:
                    self._all_left.set()
                self._send_waiting()

    async def close(self, *, wait: bool) -> None:
        """End the session's pilot; if asked to, give adapters that were told to end the time to do so."""
        if self._own is not None:
            self._own.done = True
            self._own.wake()
        if wait:
            with trio.move_on_after(self._patience):
                while self._leaving:
                    self._all_left = trio.Event()
                    await self._all_left.wait()
        self._report_stuck()

    # ── a request ───────────────────────────────────────────────────────────────────────────────────

    def _time_over(self, _key: int, _when: float, now: float) -> None:
        """The one timer of all requests: it is set again for as long as one is in flight."""
        flight, timeout = self.flight, self.limits.request_timeout
        self._timing = False
        if flight is None or flight is self._next or timeout is None:
            return  # its time begins when it leaves
        if now < flight.since + timeout:
            self._set_timer(flight.since + timeout)
            return
        self._drop(flight, "the request took too long")
        text = f"the response did not end within {format_seconds(timeout)} s"
        self.post(self._failed(flight, Trouble.LOST, text))

    def _set_timer(self, when: float) -> None:
        self._timing = True
        self.watchdog.push(when, self._time_over, 0, ALWAYS)

    async def _fly(self, flight: Flight) -> None:
        timeout = self.limits.request_timeout
        flight.since = self.clock()
        if timeout is not None and not self._timing:
            self._set_timer(flight.since + timeout)
        ending: inputs.Input
        self.told("left", flight, None)
        try:
            response = await self.model.respond(flight.request, flight)
            usage, finish = response.usage, response.finish
            if finish.__class__ is not Finish:
                finish = Finish(finish)
            if usage is not None:
                usage = _checked(usage)
        except ModelError as error:
            trouble = _TROUBLES.get(error.trouble, Trouble.FATAL)
            if trouble is Trouble.REFUSED:
                self._refused = flight.request.body
            ending = self._failed(flight, trouble, error.text, error.retry_after)
        except Exception as error:  # noqa: BLE001  # a broken adapter fails the turn, not the session
            ending = self._failed(flight, Trouble.FATAL, f"the model adapter failed: {describe(error)}")
        else:
            if usage is not None and not flight.over:
                self.told("usage", flight, usage)
            ending = inputs.ResponseEnded(self._now(), flight.request.number, finish, response.id)
        self._end(flight, ending)

    def _failed(
        self, flight: Flight, trouble: Trouble, text: str, retry_after: float | None = None
    ) -> inputs.ResponseFailed:
        if retry_after is not None and not 0 <= retry_after < math.inf:
            retry_after = None
        return inputs.ResponseFailed(self._now(), flight.request.number, trouble, text, retry_after)

    def _end(self, flight: Flight, ending: inputs.Input) -> None:
        if not flight.over:
            flight.over = True
            self.flight = None
            self.post(ending)

    def _now(self) -> float:
        return self.clock() - self.epoch


def _checked(usage: Usage) -> Usage:
    """What an adapter says of the cost, if it can be added up.

    Raises:
        TypeError: It cannot.
    """
    if type(usage) is not Usage or not all(isinstance(count, int) for count in attrs.astuple(usage)):
        raise TypeError(f"usage must be a Usage of whole numbers, not {usage!r}")
    return usage


_TROUBLES = {trouble.value: trouble for trouble in Trouble}
