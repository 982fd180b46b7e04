"""Agents under asyncio and in threads: the time of their stories is that on the wall."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx2
import pytest

from support.agents import Item, step
from support.plain_client import post
from turnlock.testing import (
    Answer,
    Fail,
    Harness,
    Interrupt,
    Open,
    Rule,
    ToolFailed,
    User,
    Violation,
    replay,
)
from turnlock.testing.gates import Fate
from turnlock.testing.sequencing.ending import finish
from turnlock.testing.sequencing.play import Play

ONE = User("U1", (Answer(1),))


class UnderAsyncio:
    """One call after the other, under asyncio; that is the default."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.history: list[Item] = []
        self.events: list[str] = []

    async def turn(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})
        async with httpx2.AsyncClient(base_url=self.harness.base_url) as client:
            calls: list[Item] = [{}]
            while calls:
                response = await client.post("/responses", json={"model": "m", "input": self.history})
                response.raise_for_status()
                answer = response.json()["output"]
                self.history += answer
                calls = [item for item in answer if item["type"] == "function_call"]
                for call in calls:
                    result = "interrupted"
                    try:
                        result = await self.harness.work(step(call))
                    except ToolFailed as error:
                        result = f"error: {error}"
                    finally:
                        self.told(call, result)

    def told(self, call: Item, result: str) -> None:
        self.history.append({"type": "function_call_output", "call_id": call["call_id"], "output": result})

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.events.append("closed")


class InThreads:
    """The same with plain functions."""

    loop = "thread"

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.history: list[Item] = []
        self.events: list[str] = []

    def __enter__(self) -> None:
        self.events.append("entered")

    def __exit__(self, *error: object) -> None:
        self.events.append("left")

    def turn(self, text: str) -> None:
        self.history.append({"role": "user", "content": text})
        calls: list[Item] = [{}]
        while calls:
            status, body = post(self.harness.base_url, {"model": "m", "input": self.history})
            assert status == 200
            self.history += body["output"]
            calls = [item for item in body["output"] if item["type"] == "function_call"]
            for call in calls:
                try:
                    result = self.harness.blocking_work(step(call))
                except ToolFailed as error:
                    result = f"error: {error}"
                self.told(call, result)

    def told(self, call: Item, result: str) -> None:
        self.history.append({"type": "function_call_output", "call_id": call["call_id"], "output": result})


@pytest.mark.parametrize("factory", [UnderAsyncio, InThreads])
def test_an_agent_in_real_time(factory: Any) -> None:
    """An agent under asyncio, and one in threads, play a story to its end."""
    with Play(factory) as play:
        play.do(User("U1", (Answer(1), Answer(1))))
        play.do(Open("a"))
        play.do(Fail("b"))
        play.do(User("U2", (Answer(1),)))
        finish(play)
        fates = [(visit.step, visit.fate) for visit in play.stage.gates.visits]
    assert fates == [("a", Fate.RETURNED), ("b", Fate.RAISED), ("c", Fate.RETURNED)]
    assert play.stage.provider.transcript == "U K(a) O(a) K(b) O(b) A U K(c) O(c) A U"
    assert [made.output for made in play.record.made.values()] == [
        "result of a",
        "error: failure of b",
        "result of c",
    ]


class SaysSomethingElse(UnderAsyncio):
    def told(self, call: Item, result: str) -> None:
        super().told(call, "well")


class SaysSomethingElseInThreads(InThreads):
    def told(self, call: Item, result: str) -> None:
        super().told(call, "well")


@pytest.mark.parametrize("factory", [SaysSomethingElse, SaysSomethingElseInThreads])
def test_a_wrong_agent_in_real_time(factory: Any) -> None:
    """Their lies are found like all others."""
    with pytest.raises(Violation, match="but it had returned 'result of a'") as caught:
        replay(factory, [ONE, Open("a")])
    assert caught.value.rule is Rule.TRUTHFUL


def test_an_interrupt_under_asyncio() -> None:
    """Without an ``interrupt`` of the adapter, the task of the turn is cancelled."""
    with Play(UnderAsyncio) as play:
        play.do(ONE)
        play.do(Interrupt())
        assert [visit.fate for visit in play.stage.gates.visits] == [Fate.CANCELLED]
        finish(play)


def test_agents_are_entered_and_left() -> None:
    """``aclose`` is called, or ``__enter__`` and ``__exit__``, or those of async, in one task."""
    with Play(UnderAsyncio) as play:
        closed: Any = play.stage.agent
        assert closed.events == []
    assert closed.events == ["closed"]
    with Play(InThreads) as play:
        entered: Any = play.stage.agent
        assert entered.events == ["entered"]
    assert entered.events == ["entered", "left"]


class Stands(InThreads):
    """Waits for nothing that anybody could see."""

    patience = 0.2
    over = threading.Event()

    def turn(self, text: str) -> None:
        super().turn(text)
        self.over.wait(30)


def test_patience_is_the_agents() -> None:
    """In real time a turn in which nothing moves is given up after the patience of its adapter."""
    try:
        with pytest.raises(Violation, match="the turn does not end"):
            replay(Stands, [User("U1")])
    finally:
        Stands.over.set()
