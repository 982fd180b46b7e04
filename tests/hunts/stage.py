"""A model that keeps the time, and sessions that end also when they hang: for proofs and stories alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import define, field

from turnlock import Scripted, Session
from turnlock.models import Request, Response, Sink
from turnlock.strict import judge_responses


@define(eq=False)
class Observed(Scripted):
    """A scripted model that notes when its requests come, and how many it answers at once.

    Attributes:
        unwinding: Seconds that it takes to leave a request, also when it is cancelled.
        times: When each request came.
        most: The most requests that were in flight at the same time.
    """

    unwinding: float = field(default=0.0, kw_only=True)
    times: list[float] = field(factory=list, init=False)
    most: int = field(default=0, init=False)
    _flying: int = field(default=0, init=False)

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Play the next part of the script."""
        self.times.append(trio.current_time())
        self._flying += 1
        self.most = max(self.most, self._flying)
        try:
            return await Scripted.respond(self, request, sink)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.unwinding)
            self._flying -= 1


def accepted(model: Scripted) -> None:
    """The provider refuses none of the bodies that left."""
    for body in model.bodies:
        verdict = judge_responses(body)
        assert verdict is None, (verdict, body)


_PATIENCE = 10_000.0  # seconds of the virtual clock: longer than any limit of a session


class Hung(AssertionError):
    """Nothing goes on any more, and there is something that should."""


@asynccontextmanager
async def opened(model: Scripted, **options: Any) -> AsyncIterator[Session]:
    """A session whose block is left also when a bug makes it hang: it is then taken down by force.

    Raises:
        Hung: What is done in the block has not ended.
    """
    async with Session(model, **options) as session:
        with trio.move_on_after(_PATIENCE) as patience:
            yield session
        if patience.cancelled_caught:
            hung = Hung(f"after {_PATIENCE:.0f} s the session still waits for {[*map(str, session.open)]}")
            session._owner._fail(hung)  # else its end would wait for the end of the turn, shielded
            raise hung
