"""The strict provider as a test holds it: further lines, answers held back, doors of the test's own.

Owns what a test can do with a provider and see of it, from any thread. Must not judge, word or stream
anything: that is ``turnlock.strict``. How requests reach it is ``loopback``'s, or an HTTP client's through
``transport()``.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import httpx2
import msgspec
from attrs import define, field, frozen

from turnlock.strict import Asked, ConnectionCut, Exchange, Refusal, Reply, Script, StrictProvider
from turnlock.strict.app import Dialect, End
from turnlock.strict.server import InProcess
from turnlock.testing import transcript
from turnlock.testing.bell import Bell
from turnlock.testing.doors import Door, Request, Response, find, stem_of, through
from turnlock.testing.holds import PATIENCE, Hold, items_before

__all__ = ["Answer", "Change", "Door", "Hold", "Provider", "ProviderClosed", "Request", "Response"]

Answer: TypeAlias = Callable[[Asked], Mapping[str, Any] | None]

GONE = (
    "This provider is closed: its `with loopback(...)` block, or the test that used the fixture, has ended. "
    "An agent outlived its test; end it there."
)


class ProviderClosed(RuntimeError):
    """Raised when a closed provider is told to do something; what it has seen can still be read."""


@frozen
class Change:
    """Something happened to a request.

    Attributes:
        what: ``"arrived"`` (and will be answered), ``"refused"``, ``"held"``, ``"complete"``, ``"cut"`` by
            the script, or ``"aborted"`` because the client has left.
        exchange: The request, as it stands now.
    """

    what: Literal["arrived", "refused", "held", "complete", "cut", "aborted"]
    exchange: Exchange


@define(eq=False, repr=False)
class Provider:
    """A strict provider for one test; ``loopback()`` makes it. Everything may be called from any thread.

    ``with`` closes it: what is on its way is broken off, and further requests are told that it is gone (410).
    """

    _strict: StrictProvider
    _open: Callable[[Provider], str]  # gives it a place on the server of the process; the base URL
    _bell: Bell = field(factory=Bell, init=False)
    # One request at a time, from whichever thread. Held while the test's own ``answer`` runs, which may take
    # locks of the test: so nothing that a test calls takes this one.
    _order: threading.RLock = field(factory=threading.RLock, init=False)
    _writing: threading.Lock = field(factory=threading.Lock, init=False)  # of the script and the place
    _url: str | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    _holds: list[Hold] = field(factory=list, init=False)
    _doors: dict[str, Door] = field(factory=dict, init=False)
    _listeners: list[Callable[[Change], None]] = field(factory=list, init=False)
    _failures: list[BaseException] = field(factory=list, init=False)
    _cleaning: list[Callable[[], object]] = field(factory=list, init=False)
    _expects: Callable[[str | None], bool] = field(default=lambda _rule: False, init=False)
    _told: int = field(default=0, init=False)  # so many failures were raised
    _carried: int = field(default=0, init=False)  # requests that the server of the process has in hand

    @classmethod
    def of(
        cls, script: Script, dialect: Dialect | None, answer: Answer | None, place: Callable[[Provider], str]
    ) -> Provider:
        """A provider with this script; errors of ``answer`` are kept, see ``failures``."""
        made = cls(StrictProvider(script, dialect=dialect), place)
        if answer is not None:
            made._strict.answer = lambda asked: made._decided(answer, asked)
        return made

    # --- what came in

    @property
    def base_url(self) -> str:
        """Where clients reach it on loopback, such as ``http://127.0.0.1:40123/p1/v1``.

        Raises:
            ProviderClosed: It was closed before anybody asked.
        """
        with self._writing:
            if self._url is None:
                self._alive()
                self._url = self._open(self)
            return self._url

    def transport(self) -> httpx2.AsyncBaseTransport:
        """The same provider inside the process, under trio: the transport of an ``httpx2.AsyncClient``.

        Use it with the base URL ``http://strict/v1``. Works with trio's virtual clocks.
        """
        self._alive()
        return InProcess(self)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every request for an answer so far, in the order of arrival."""
        return self._strict.exchanges

    @property
    def bodies(self) -> tuple[Mapping[str, Any], ...]:
        """The decoded bodies of the exchanges; what was no JSON object is left out."""
        return self._strict.bodies

    @property
    def refusals(self) -> tuple[Exchange, ...]:
        """The exchanges that were refused, each with its ``refusal``."""
        return tuple(exchange for exchange in self.exchanges if exchange.refusal is not None)

    @property
    def unexpected(self) -> tuple[Exchange, ...]:
        """The refusals that ``expect_refusals`` did not speak of."""
        return tuple(one for one in self.refusals if not self._expects(one.rule))

    @property
    def in_flight(self) -> tuple[Exchange, ...]:
        """The exchanges whose answer is on its way, or held."""
        return tuple(exchange for exchange in self.exchanges if exchange.ended is None)

    @property
    def aborted(self) -> tuple[Exchange, ...]:
        """The exchanges whose client left before the answer was complete."""
        return tuple(exchange for exchange in self.exchanges if exchange.ended == "aborted")

    @property
    def transcript(self) -> str:
        """The last body as letters: ``U K(a) O(a)``; empty before the first request."""
        return self.transcripts[-1] if self.bodies else ""

    @property
    def transcripts(self) -> tuple[str, ...]:
        """Each body as letters, in the order of arrival."""
        return tuple(transcript.notation(transcript.items(body)) for body in self.bodies)

    @property
    def failures(self) -> tuple[BaseException, ...]:
        """What functions of the test raised: ``answer``, doors, listeners."""
        return tuple(self._failures)

    # --- what a test can do

    def answers(self, *lines: Mapping[str, Any] | Script) -> None:
        """Put further lines at the end of the script: objects, and whole scripts.

        Raises:
            ScriptError: A line is not of the format; none is added then.
            ProviderClosed: Nobody would get them.
        """
        self._alive()
        with self._writing:
            self._strict.add(*lines)

    def hold(self, *, items: int | None = None, number: int | None = None) -> Hold:
        """Hold an answer back until it is released.

        Args:
            items: After so many whole items of the stream; an answer that has fewer waits before its last
                bytes, one that is not streamed after its head. None: before the head.
            number: The request, by ``exchange.number``. None: the next one that arrives; inside of
                ``answer`` the one that is being answered.

        Raises:
            ProviderClosed: No answer will come.

        A request that is refused is not held.
        """
        self._alive()
        wanted = len(self._strict.exchanges) + 1 if number is None else number
        made = Hold(wanted, items, self._bell)
        self._holds.append(made)
        return made

    def expect_refusals(self, *rules: str) -> None:
        """Say that refusals are the point of this test: of these rules, of all where none is named.

        Without it, a refused request fails a test that uses the fixture ``strict_provider``.
        """
        self._expects = (lambda rule: rule in rules) if rules else (lambda _rule: True)

    def mount(self, path: str, door: Door) -> str:
        """Open a door of the test's own under this provider.

        Args:
            path: Such as ``/work``; the door gets every request to it and to what stands below it.
            door: Answers, under trio.

        Returns:
            Its URL on loopback.

        Raises:
            ProviderClosed: It would be a door to nowhere.
        """
        self._alive()
        self._doors = {**self._doors, stem_of(path): door}
        return self.base_url + stem_of(path)

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` with everything that happens from now on, in the thread in which it happens."""
        self._listeners.append(listener)

    def wait_for(self, so: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Block this thread until ``so()``, which is looked at whenever something happens here.

        It is called with a lock held: let it look at this provider and its holds, and take no other lock.

        Args:
            so: What is waited for, such as ``lambda: len(provider.exchanges) == 2``.
            timeout: Seconds.

        Raises:
            TimeoutError: It did not become so; the message tells what came in.
        """
        if not self._bell.wait_for(so, timeout):
            seen = ", ".join(f"{one.number} {one.status} {one.ended}" for one in self.exchanges) or "nothing"
            raise TimeoutError(f"it did not become so in {timeout} s; what came in: {seen}")

    def look_again(self) -> None:
        """Have ``wait_for`` and ``until`` look again, because something of the test's own has changed."""
        self._bell.ring()

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait, under trio, until ``so()``."""
        await self._bell.until(so)

    def raise_failures(self) -> None:
        """Raise what functions of the test raised here and nobody was told of; ``close`` does so as well.

        Raises:
            BaseException: The first of them; the others are told of by a note.
        """
        untold, self._told = self._failures[self._told :], len(self._failures)
        if untold:
            for other in untold[1:]:
                untold[0].add_note(f"and then: {other!r}")
            raise untold[0]

    def close(self) -> None:
        """Break off what is on its way, and answer nothing any more.

        Raises:
            BaseException: See ``raise_failures``.
        """
        with self._bell.changes():
            self._closed = True
        self._bell.wait_for(lambda: self._carried == 0, PATIENCE)
        cleaning, self._cleaning = self._cleaning, []
        for clean in cleaning:
            clean()
        self.raise_failures()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._closed

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._url or "in process"
        return f"<Provider, {state}, {len(self.exchanges)} requests, {len(self.refusals)} refused>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BaseException as failure:
            if error is None:
                raise
            error.add_note(f"and in a function that the provider called: {failure!r}")

    # --- how it answers

    def respond(self, method: str, path: str, headers: Iterable[tuple[str, str]], raw: bytes) -> Reply:
        """Decide on the answer to a request, as ``StrictProvider.respond``."""
        headers = tuple(headers)
        with self._order:
            if self._closed:
                return refused(Refusal("GONE", GONE, 410, code="provider_closed"))
            found = find(self._doors, path)
            if found is not None:
                lower = {name.lower(): value for name, value in headers}
                return through(found[0], Request(method, found[1], lower, raw), self._failures.append)
            before = len(self._strict.exchanges)
            reply = self._strict.respond(method, path, headers, raw)
            exchanges = self._strict.exchanges
            if len(exchanges) == before:
                return reply
            exchange = exchanges[-1]
            if exchange.refusal is None:
                self._conduct(reply, exchange)
        self._tell("arrived" if exchange.refusal is None else "refused", exchange.number)
        return reply

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """While the server of the process has a request in hand: ``close`` waits for its end."""
        with self._bell.changes():
            self._carried += 1
        try:
            yield
        finally:
            with self._bell.changes():
                self._carried -= 1

    def on_close(self, clean: Callable[[], object]) -> None:
        """Call ``clean`` when this provider is closed, behind the last request."""
        self._cleaning.append(clean)

    def _decided(self, answer: Answer, asked: Asked) -> Mapping[str, Any] | None:
        try:
            line = answer(asked)
            if line is not None:
                Script.of(line)
        except BaseException as error:  # noqa: BLE001 - kept, and raised where the test can see it
            self._failures.append(error)
            return {
                "status": 500,
                "message": f"the test's own answer raised {error!r}",
                "code": "test_failed",
            }
        return line

    def _conduct(self, reply: Reply, exchange: Exchange) -> None:
        """Have an answer wait where it is held, and tell how it ends."""
        settle = reply.on_end
        done = items_before(reply.chunks)

        def on_end(how: End) -> None:
            with self._order:
                if settle is not None:
                    settle(how)
            self._tell(how, exchange.number)

        def pace(at: int) -> Awaitable[None] | None:
            mine = (hold for hold in tuple(self._holds) if hold.number == exchange.number)
            holds = [hold for hold in mine if hold.stands_before(at, done)]
            return self._held(exchange.number, holds) if holds else None

        reply.on_end, reply.pace = on_end, pace

    async def _held(self, number: int, holds: list[Hold]) -> None:
        with self._bell.changes():
            for hold in holds:
                hold.reached = True
        self._tell("held", number)
        await self._bell.until(lambda: self._closed or all(hold.released for hold in holds))
        if self._closed:
            raise ConnectionCut("the provider was closed while this answer was held")

    def _tell(
        self, what: Literal["arrived", "refused", "held", "complete", "cut", "aborted"], number: int
    ) -> None:
        """Wake whoever waits, and call the listeners, without a lock: they may wait for other threads."""
        self._bell.ring()
        change = Change(what, self._strict.exchanges[number - 1])
        for listener in tuple(self._listeners):
            try:
                listener(change)
            except BaseException as error:  # noqa: BLE001 - kept, and raised where the test can see it
                self._failures.append(error)

    def _alive(self) -> None:
        if self._closed:
            raise ProviderClosed(f"{GONE} To answer more, make a new provider.")


def refused(refusal: Refusal) -> Reply:
    """The answer of a request that no script was asked about."""
    return Reply(
        refusal.status, (("content-type", "application/json"),), (msgspec.json.encode(refusal.body()),)
    )
