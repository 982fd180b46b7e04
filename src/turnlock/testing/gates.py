"""Gates: tools that do nothing until the test lets them.

Owns what became of every call of a gated tool: it waits, or it returned, raised, or was cancelled while it
waited. The agent's side may run under trio, asyncio or in plain threads; the test's side may be any thread.
A call is known by its ``step``, the one argument of every gated tool: frameworks seldom tell a tool its call
id, so scripts give each call a step of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple, TypeVar

from attrs import define, field

from turnlock.hosts.loops import wait

F = TypeVar("F", bound=Callable[..., object])

_RESULT = "result of {}"


class ToolFailed(Exception):
    """What a gated tool raises when the test lets it fail."""


class Fate(StrEnum):
    """What became of a call of a gated tool."""

    WAITS = "waits"
    RETURNED = "returned"
    RAISED = "raised"
    CANCELLED = "cancelled"


class Passage(NamedTuple):
    """How the test lets a call go on. No exception: a future that nobody asks any more would complain."""

    ok: bool
    text: str


@define(eq=False)
class Visit:
    """One run of a gated tool.

    Attributes:
        step: Its argument.
        fate: What became of it.
        result: What it returned, or the text of what it raised.
        stubborn: It goes on waiting when it is cancelled.
        cancels: How often it was cancelled while it waited.
        gate: What it waits for.
        blocking: It is a plain function, which nobody can cancel.
        began: When it began, in seconds.
        ended: When it ended.
    """

    step: str
    fate: Fate = Fate.WAITS
    result: str = ""
    stubborn: bool = False
    cancels: int = 0
    gate: Future[Passage] = field(factory=Future, repr=False)
    blocking: bool = False
    began: float = 0.0
    ended: float | None = None

    @property
    def opened(self) -> bool:
        """The test has let it go on."""
        return self.gate.done()


@define(eq=False)
class Gates:
    """The gated tools of one test.

    Args:
        told: Called, in the thread of the agent, whenever something became of a call.
        now: The clock, in seconds.
    """

    told: Callable[[], object] = field(default=lambda: None)
    now: Callable[[], float] = time.monotonic
    _visits: list[Visit] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _free: bool = field(default=False, init=False)

    # ── tools ───────────────────────────────────────────────────────────────────────────────────────

    def tool(self, name: str = "work", doc: str = "Do one step.") -> Callable[[str], Awaitable[str]]:
        """An async tool, for agents under trio or asyncio."""

        async def work(step: str) -> str:
            return await self.pass_through(step)

        return _named(work, name, doc)

    def blocking_tool(self, name: str = "work", doc: str = "Do one step.") -> Callable[[str], str]:
        """A plain function, for agents that run their tools in threads."""

        def work(step: str) -> str:
            visit = self._arrive(step, blocking=True)
            return self._leave(visit, visit.gate.result())

        return _named(work, name, doc)

    async def pass_through(self, step: str) -> str:
        """Wait at a gate.

        Raises:
            ToolFailed: The test lets it fail.
        """
        visit = self._arrive(step)
        while not visit.opened:
            try:
                await wait(visit.gate, shielded=visit.stubborn and visit.cancels > 0)
            except BaseException:  # cancelled, in the words of whichever loop it is
                visit.cancels += 1
                if not visit.stubborn:
                    visit.fate, visit.ended = Fate.CANCELLED, self.now()
                    raise
            finally:
                self.told()
        return self._leave(visit, visit.gate.result())

    def _arrive(self, step: str, *, blocking: bool = False) -> Visit:
        visit = Visit(step, blocking=blocking, began=self.now())
        with self._lock:
            self._visits.append(visit)
            if self._free:
                visit.gate.set_result(Passage(ok=True, text=_RESULT.format(step)))
        self.told()
        return visit

    def _leave(self, visit: Visit, passage: Passage) -> str:
        visit.result = passage.text
        visit.fate = Fate.RETURNED if passage.ok else Fate.RAISED
        visit.ended = self.now()
        self.told()
        if not passage.ok:
            raise ToolFailed(passage.text)
        return passage.text

    # ── the test ────────────────────────────────────────────────────────────────────────────────────

    @property
    def visits(self) -> tuple[Visit, ...]:
        """Every run of a gated tool so far, in the order in which they began."""
        with self._lock:
            return tuple(self._visits)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The steps that wait at a gate, in the order in which they came."""
        return tuple(v.step for v in self.visits if v.fate is Fate.WAITS and not v.opened)

    def open(self, step: str, result: str | None = None) -> None:
        """Let a waiting tool return; without a result it returns ``"result of <step>"``.

        Raises:
            LookupError: No tool waits there.
        """
        text = _RESULT.format(step) if result is None else result
        self._find(step).gate.set_result(Passage(ok=True, text=text))

    def fail(self, step: str, text: str = "the step failed") -> None:
        """Let a waiting tool raise ``ToolFailed(text)``.

        Raises:
            LookupError: No tool waits there.
        """
        self._find(step).gate.set_result(Passage(ok=False, text=text))

    def make_stubborn(self, step: str) -> None:
        """Let a waiting tool swallow its cancellation from now on, until the test opens it.

        Raises:
            LookupError: No tool waits there.
        """
        self._find(step).stubborn = True

    def open_all(self) -> None:
        """Let every tool return that waits or will come."""
        with self._lock:
            self._free = True
            visits = tuple(self._visits)
        for visit in visits:
            with suppress(InvalidStateError):  # opened before
                visit.gate.set_result(Passage(ok=True, text=_RESULT.format(visit.step)))

    def _find(self, step: str) -> Visit:
        for visit in self.visits:
            if visit.step == step and visit.fate is Fate.WAITS and not visit.opened:
                return visit
        waits = ", ".join(self.waiting) or "none"
        raise LookupError(f"no tool waits at step {step!r}; waiting: {waits}")


def _named(function: F, name: str, doc: str) -> F:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function
