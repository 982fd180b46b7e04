"""Agents that keep every rule, and look at first sight as if they did not; and wrong ones that hid there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

import httpx2
import pytest
import trio

from turnlock.testing import (
    Advance,
    Answer,
    Fail,
    Harness,
    Interrupt,
    Open,
    Release,
    Rule,
    Send,
    Stubborn,
    ToolFailed,
    User,
    Violation,
    replay,
)
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import Step

ONE = Answer(1)


class Right:
    """Keeps every rule; what is sent while it works opens the next turn, like a message of ``turn``."""

    loop = "trio"
    turn_mode = "queue"
    modes = ("queue",)
    killed = "Stopped while it ran."

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.history: list[dict[str, Any]] = []
        self.waiting: list[tuple[str, trio.Event]] = []
        self.under_way = False
        self.kept = False  # the user has stopped the turn: what waits starts nothing by itself
        self.bell = trio.Event()
        self.scope = trio.CancelScope()

    async def __aenter__(self) -> Self:
        self.client = httpx2.AsyncClient(transport=self.harness.transport(), base_url="http://strict/v1")
        self.block = trio.open_nursery()
        self.nursery = await self.block.__aenter__()
        self.nursery.start_soon(self.live)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.nursery.cancel_scope.cancel()
        await self.block.__aexit__(None, None, None)
        await self.client.aclose()

    # ── what the adapter offers

    async def turn(self, text: str) -> None:
        await self.take(text).wait()

    async def send(self, text: str, _mode: str) -> None:
        self.take(text)

    async def interrupt(self) -> None:
        self.stop()

    def busy(self) -> bool:
        return self.under_way or bool(self.waiting and not self.kept)

    # ── the agent

    def take(self, text: str) -> trio.Event:
        over = trio.Event()
        self.waiting.append((text, over))
        self.kept = False
        self.bell.set()
        return over

    def stop(self) -> None:
        self.kept = True
        self.scope.cancel()

    async def live(self) -> None:
        while True:
            while not self.waiting or self.kept:
                self.bell = trio.Event()
                await self.bell.wait()
            self.under_way = True
            taken, self.waiting = self.waiting, []
            self.history += ({"role": "user", "content": text} for text, _over in taken)
            with trio.CancelScope() as self.scope:
                while calls := await self.ask():
                    await self.run(calls)
            self.under_way = False
            for _text, over in taken:
                over.set()

    async def ask(self) -> list[dict[str, Any]]:
        answer = await self.client.post("/responses", json={"model": "m", "input": self.history})
        assert answer.status_code == 200, answer.text
        said: list[dict[str, Any]] = answer.json()["output"]
        self.history += said
        return [item for item in said if item["type"] == "function_call"]

    async def run(self, calls: list[dict[str, Any]]) -> None:
        outputs = {call["call_id"]: self.killed for call in calls}
        try:
            async with trio.open_nursery() as nursery:
                for call in calls:
                    nursery.start_soon(self.work, call, outputs)
        finally:
            self.history += (
                {"type": "function_call_output", "call_id": name, "output": text}
                for name, text in outputs.items()
            )

    async def work(self, call: dict[str, Any], outputs: dict[str, str]) -> None:
        outputs[call["call_id"]] = await self.tool(json.loads(call["arguments"])["step"])

    async def tool(self, step: str) -> str:
        return await self.harness.work(step)


class HearsLate(Right):
    """An interrupt reaches it after a second, as one does that crosses a network."""

    async def interrupt(self) -> None:
        await trio.sleep(1.0)
        self.stop()


class NotToTheEnd(Right):
    killed = "Stopped: it was not run to its end."


class NeverBegun(Right):
    killed = "Stopped: it was not run."


class InThreads(Right):
    """Its tools are plain functions; a thread that does not end in time is left behind (R8)."""

    deadline = 5.0

    async def tool(self, step: str) -> str:
        with trio.move_on_after(self.deadline):
            return await trio.to_thread.run_sync(self.harness.blocking_work, step, abandon_on_cancel=True)
        return "timed out"


class Bounded(Right):
    """Leaves a tool behind that does not stop within the grace."""

    deadline = 30.0
    grace = 1.0

    async def tool(self, step: str) -> str:
        got: list[str] = []
        over = trio.Event()
        stop = trio.CancelScope(shield=True)

        async def run() -> None:
            with stop:
                got.append(await self.harness.work(step))
            over.set()

        self.nursery.start_soon(run)
        try:
            with trio.move_on_after(self.deadline):
                await over.wait()
                return got[0]
        finally:
            if not over.is_set():
                stop.cancel()
                with trio.move_on_after(self.grace, shield=True):
                    await over.wait()
        return "timed out"


class Forgets(Right):
    """Forgets the messages when a turn is interrupted that a queued one has opened."""

    async def interrupt(self) -> None:
        self.stop()
        others = [item for item in self.history if item.get("role") != "user"]
        if len(others) + 1 < len(self.history):
            self.history = others


class AsksAtOnce(Right):
    """Asks the model for each message as soon as it comes, but only once it has been interrupted."""

    grace = 2.0
    stops = 0

    async def interrupt(self) -> None:
        self.stops += 1
        self.stop()

    async def send(self, text: str, mode: str) -> None:
        if not self.stops:
            await super().send(text, mode)
            return
        said = {"role": "user", "content": text}
        await self.client.post("/responses", json={"model": "m", "input": [*self.history, said]})
        self.history.append(said)


STORIES: list[tuple[type[Right], Sequence[Step], str]] = [
    (
        HearsLate,
        [User("U1", (ONE, ONE)), Interrupt(cancel=False), Open("a"), Advance(2.0)],
        "what begins before an interrupt is heard is stopped by it",
    ),
    (NotToTheEnd, [User("U1", (ONE,)), Interrupt(cancel=False)], "not to its end is the truth"),
    (InThreads, [User("U1", (ONE,)), Advance(10.0)], "nobody can ask a plain function to stop"),
    (
        Bounded,
        [
            User("U1", (ONE, ONE)),
            Stubborn("a"),
            Interrupt(cancel=False),
            Send("U2", "queue"),
            Advance(2.0),
            Stubborn("b"),
        ],
        "a tool that began after the interrupt has its whole deadline",
    ),
]


@pytest.mark.parametrize(("agent", "steps", "why"), STORIES, ids=[story[0].__name__ for story in STORIES])
def test_an_agent_that_is_right_is_not_accused(agent: type[Right], steps: Sequence[Step], why: str) -> None:
    """None of these breaks a rule (R6, R8, R17), whatever it looks like."""
    replay(agent, steps)
    assert why


def test_what_was_never_run_is_still_asked() -> None:
    """A begun call of which it is said that it was not run is found (R6)."""
    with pytest.raises(Violation) as caught:
        replay(NeverBegun, [User("U1", (ONE,)), Interrupt(cancel=False)])
    assert caught.value.rule is Rule.TRUTHFUL


TRUE = (
    "Stopped; it skipped the remaining steps.",
    "Stopped: it has not run completely.",
    "Stopped. The order was not called off.",
)
FALSE = ("skipped", "Skipped by the user.", "It did not run.", "The call was never started.", "not executed")


@pytest.mark.parametrize("text", [*TRUE, *FALSE])
def test_what_is_said_of_a_call_that_was_stopped(text: str) -> None:
    """Whether it was begun is what counts; how far it came, an agent may say as it likes (R6)."""

    class Says(Right):
        killed = text

    found = None
    try:
        replay(Says, [User("U1", (ONE,)), Interrupt(cancel=False)])
    except Violation as violation:
        found = violation.rule
    assert found is (Rule.TRUTHFUL if text in FALSE else None)


@pytest.mark.parametrize(
    ("text", "right"),
    [("exit status 1", True), ("It did not work.", True), ("exit status 0", False), ("ok", False)],
)
def test_what_is_said_of_a_call_that_has_raised(text: str, *, right: bool) -> None:
    """An agent may have its own words for a failure; a success is none (R6, R9)."""

    class Says(Right):
        async def tool(self, step: str) -> str:
            try:
                return await self.harness.work(step)
            except ToolFailed:
                return text

    found = None
    try:
        replay(Says, [User("U1", (ONE,)), Fail("a")])
    except Violation as violation:
        found = violation.rule
    assert found is (None if right else Rule.TRUTHFUL)


QUEUED = (User("U1", (ONE, Answer(text=True), ONE)), Send("U2", "queue"), Open("a"))


def test_the_user_reaches_a_turn_that_a_message_has_opened() -> None:
    """An interrupt and a message do something there: the story's own turn is over, another goes on."""
    with Play(Right) as play:
        for step in QUEUED:
            play.do(step)
        assert "b" in play.stage.gates.waiting
        play.do(Send("U3", "queue"))
        play.do(Interrupt())  # there is no task to cancel: the agent is asked
        assert not play.stage.gates.waiting
        assert [said.text for said in play.record.said] == ["U1", "U2", "U3"]
    assert play.story.lines


def test_a_mistake_in_such_a_turn_is_found() -> None:
    """An agent that is wrong only when a queued message's turn is interrupted."""
    with pytest.raises(Violation) as caught:
        replay(Forgets, [*QUEUED, Interrupt()])
    assert caught.value.rule is Rule.LOST
    replay(Right, [*QUEUED, Interrupt()])


def test_two_requests_at_once_are_found_long_after_an_interrupt() -> None:
    """What an interrupt left behind excuses nobody in the next turn (R22)."""
    steps: list[Step] = [
        User("U1", (ONE,)),
        Interrupt(cancel=False),
        Advance(5.0),
        User("U2", (Answer(holds=0),)),
        Send("U3", "queue"),
        Release(),
    ]
    with pytest.raises(Violation) as caught:
        replay(AsksAtOnce, steps)
    assert caught.value.rule is Rule.TWO_AT_ONCE
    replay(Right, steps)
