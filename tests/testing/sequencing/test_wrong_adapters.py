"""What is no adapter, or cannot be entered or left: the error says so, and nothing is left behind."""

from __future__ import annotations

from typing import Any, Self

import pytest

from support.agents import Plain
from turnlock.testing import (
    Answer,
    Harness,
    Rule,
    User,
    Violation,
    replay,
)
from turnlock.testing.sequencing.play import Play

ONE = User("U1", (Answer(1),))


class NoTurn:
    def __init__(self, harness: Harness) -> None:
        pass


class Twisted(Plain):
    loop = "twisted"


class AsyncInThreads(Plain):
    loop = "thread"


class NoKey(Plain):
    def __init__(self, harness: Harness) -> None:
        raise ValueError("no key")


class CannotEnter(Plain):
    async def __aenter__(self) -> Self:
        raise ValueError("cannot enter")


class CannotEnterUnderAsyncio(CannotEnter):
    loop = "asyncio"


@pytest.mark.parametrize(
    ("factory", "kind", "text"),
    [
        (NoTurn, TypeError, r"the factory gave <.*NoTurn.*>, which has no method turn\(text\)"),
        (lambda harness: None, TypeError, "the factory gave None, which has no method turn"),
        (Twisted, TypeError, 'Twisted.loop is \'twisted\': write "asyncio", "trio" or "thread"'),
        (AsyncInThreads, TypeError, "AsyncInThreads.turn is async"),
        (NoKey, ValueError, "no key"),
        (CannotEnter, ValueError, "cannot enter"),
        (CannotEnterUnderAsyncio, ValueError, "cannot enter"),
    ],
)
def test_what_is_no_adapter(factory: Any, kind: type[Exception], text: str) -> None:
    """The error says what is wrong with it; it is no finding about an agent."""
    with pytest.raises(kind, match=text), Play(factory):
        pass


class CannotLeave(Plain):
    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        raise ValueError("cannot leave")


def test_an_adapter_that_cannot_be_left() -> None:
    """It says so by itself; beside a violation it is a note, and the violation stands."""
    with pytest.raises(ValueError, match="cannot leave"):
        replay(CannotLeave, [User("U1")])

    class Both(CannotLeave):
        def problems(self) -> list[str]:
            return ["the books do not balance"]

    with pytest.raises(Violation, match="the books do not balance") as caught:
        replay(Both, [User("U1")])
    assert caught.value.__notes__ == ["and when the agent was closed: ValueError('cannot leave')"]


def test_an_adapter_whose_turn_is_no_coroutine() -> None:
    """Where a loop is to run it, what it raises at every message is told; it asks nothing at all."""

    class Sync:
        def __init__(self, harness: Harness) -> None:
            pass

        def turn(self, text: str) -> None:
            pass

    with pytest.raises(Violation, match="can't be used in 'await' expression") as caught:
        replay(Sync, [])
    assert caught.value.rule is Rule.PROGRESS
