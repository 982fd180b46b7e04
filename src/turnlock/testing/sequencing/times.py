"""How time passes in a story: for real, or as the story says.

Owns the clock of a story. Real time only passes; virtual time stands still until ``pass_by``, and then goes
from one deadline of the agent to the next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import trio
import trio.testing
from attrs import define, field

from turnlock.hosts.loops import LoopThread

_LOOK = 0.01  # seconds between two looks at something that makes no sound


class Passing(Protocol):
    """The time of a story."""

    margin: float
    """Seconds by which a bound must be missed to be missed."""
    ages: float
    """Seconds that an agent may take to end a turn in which nothing holds it: retries, slow machines."""

    def now(self) -> float:
        """Seconds since some moment."""

    def pass_by(self, seconds: float, until: Callable[[], bool], loop: LoopThread | None) -> bool:
        """Let so many seconds pass, or fewer if it becomes so; whether it did."""


@define(eq=False)
class Real:
    """The time on the wall. Its margin is wide: a busy machine must not look like a slow agent."""

    margin: float = 3.0
    ages: float = 30.0

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def pass_by(self, seconds: float, until: Callable[[], bool], loop: LoopThread | None) -> bool:  # noqa: ARG002
        """Wait."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_LOOK, left))
        return True


@define(eq=False)
class Virtual:
    """The time of a trio run with a mock clock; ``quiet`` waits, in the run, until all its tasks wait."""

    quiet: Callable[[], Awaitable[None]]
    margin: float = 0.1
    ages: float = 7_200.0
    clock: trio.testing.MockClock = field(factory=trio.testing.MockClock, init=False)

    def now(self) -> float:
        """Seconds since the run began."""
        return float(self.clock.current_time())

    def pass_by(self, seconds: float, until: Callable[[], bool], loop: LoopThread | None) -> bool:
        """Jump from deadline to deadline; the first steps are small, so that little passes in vain."""
        assert loop is not None, "virtual time is trio's"
        end, step = self.now() + seconds, min(seconds, 1.0)
        while not until():
            left = end - self.now()
            if left <= 0:
                return False
            loop.call(partial(self._pass, min(step, left)))
            step *= 4
        return True

    async def _pass(self, seconds: float) -> None:
        self.clock.autojump_threshold = 0
        try:
            await trio.sleep(seconds)
        finally:
            self.clock.autojump_threshold = math.inf
        await self.quiet()
