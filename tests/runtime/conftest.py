"""Every body that leaves here is judged by the strict provider; sessions with both sorts of journals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from support.journals import AwaitedJournal
from turnlock import MemoryJournal, Session
from turnlock.journal import Journal
from turnlock.runtime.requester import Flight, Requester
from turnlock.strict import judge_anthropic, judge_chat, judge_responses

NewSession = Callable[..., Session]
_JUDGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "openai_responses": judge_responses,
    "openai_chat": judge_chat,
    "anthropic": judge_anthropic,
}


@pytest.fixture(autouse=True)
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The bodies that left in this test; none may be one that the provider refuses."""
    left: list[tuple[str, bytes]] = []
    bodies: list[bytes] = []
    fly = Requester._fly

    async def judging(self: Requester, flight: Flight) -> None:
        if self.model.dialect is not None:
            left.append((self.model.dialect, flight.request.body))
            bodies.append(flight.request.body)
        await fly(self, flight)

    monkeypatch.setattr(Requester, "_fly", judging)
    yield bodies
    for dialect, body in left:
        assert _JUDGES[dialect](msgspec.json.decode(body)) is None, body


@pytest.fixture(params=["instant", "awaited"])
def journal(request: pytest.FixtureRequest) -> Journal:
    """A journal whose appends take no time, and one whose appends take some."""
    return MemoryJournal() if request.param == "instant" else AwaitedJournal()


@pytest.fixture
def new_session(journal: Journal) -> NewSession:
    """Makes sessions over that journal."""
    return partial(Session, journal=journal)
