"""What an adapter may offer, one attribute after the other."""

from __future__ import annotations

from typing import Any, Self

import pytest
import trio

from support.agents import Item, Listening, Plain, Timed, step
from turnlock.testing import (
    Advance,
    Answer,
    Approve,
    Harness,
    Interrupt,
    Open,
    Rule,
    Send,
    SessionAgent,
    User,
    Violation,
    replay,
)
from turnlock.testing.sequencing.ending import finish
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.record import Taken
from turnlock.testing.sequencing.steps import Step

ONE = User("U1", (Answer(1),))


class Scoped(Plain):
    """Holds a cancel scope open: trio allows that within one task only."""

    async def __aenter__(self) -> Self:
        self.scope = trio.CancelScope()
        self.scope.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.scope.__exit__(None, None, None)
        self.left = True


def test_async_agents_live_in_one_task() -> None:
    """What is entered in ``__aenter__`` can be left in ``__aexit__``."""
    with Play(Scoped) as play:
        agent: Any = play.stage.agent
    assert agent.left


class AsksTheUser(Plain):
    """Asks before it runs ``risky``."""

    approvals = True

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        if call["name"] == "risky":
            if not await self.harness.approval(step(call)):
                outputs[call["call_id"]] = "the user does not want it"
                return
            outputs[call["call_id"]] = await self.harness.risky(step(call))
        else:
            await super().work(call, outputs)


def test_approvals() -> None:
    """The story says what the user answers; a tool that was denied is not run."""
    with Play(AsksTheUser) as play:
        play.do(User("U1", (Answer(2, risky=True),)))
        assert play.stage.asks.waiting == ("a", "b")
        assert not play.stage.gates.waiting
        play.do(Approve("a"))
        play.do(Approve("b", allow=False))
        assert list(play.stage.gates.waiting) == ["a"]
        play.do(Open("a"))
        finish(play)
    assert {made.step: made.output for made in play.record.made.values()} == {
        "a": "result of a",
        "b": "the user does not want it",
    }
    assert all(made.asked for made in play.record.made.values())


@pytest.mark.parametrize(("keeps", "kept"), [(True, 1.0), (False, None)])
def test_keeping_late_results_is_a_promise(keeps: bool, kept: float | None) -> None:  # noqa: FBT001
    """Only an agent that says ``keeps`` is held to results within its grace."""

    class Agent(Timed):
        pass

    Agent.keeps = keeps  # type: ignore[attr-defined]  # an adapter may have it
    with Play(Agent) as play:
        assert play.record.kept == kept


class GivesBack(Listening):
    """Gives the messages that wait back to their sender when the turn is interrupted."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness)
        self.back: list[str] = []

    async def turn(self, text: str) -> None:
        try:
            await super().turn(text)
        except BaseException:
            self.back += self.queue
            self.queue = []
            raise


class GivesBackAndSaysSo(GivesBack):
    def returned(self) -> list[str]:
        return self.back


def test_messages_that_were_given_back() -> None:
    """They are lost, unless the agent says that their sender has them again."""
    story: list[Step] = [ONE, Send("U2"), Interrupt()]
    with pytest.raises(Violation, match="U2 was accepted, and no request ever carried it"):
        replay(GivesBack, story)
    replay(GivesBackAndSaysSo, story)


class Modes(Listening):
    """Puts messages of one mode before those of the other."""

    modes = ("first", "last")

    async def send(self, text: str, mode: str = "last") -> None:
        await super().send(text)
        if mode == "first":
            self.queue.insert(0, self.queue.pop())


def test_each_mode_has_an_order_of_its_own() -> None:
    """The first overtakes the last, but the last do not overtake each other."""
    replay(Modes, [ONE, Send("U2", "last"), Send("U3", "first"), Open("a")])
    with pytest.raises(Violation, match="carries U4 before U3, which was said first"):
        replay(Modes, [ONE, Send("U2", "last"), Send("U3", "first"), Send("U4", "first"), Open("a")])


class LateQueue(Listening):
    """Keeps the messages of an interrupted turn back behind the next message."""

    modes = ("queue",)

    async def send(self, text: str, mode: str = "queue") -> None:
        await super().send(text)

    async def turn(self, text: str) -> None:
        waits, self.queue = self.queue, []
        self.running = True
        try:
            self.say(text)
            self.queue = waits
            self.more()
            await Plain.turn(self, "go on")
        finally:
            self.running = False


class LateQueueOfOneSort(LateQueue):
    turn_mode = "queue"


def test_the_mode_of_a_turn() -> None:
    """Where ``turn_mode`` names the mode that messages of a turn share, they keep one order."""
    story: list[Step] = [ONE, Send("U2", "queue"), Interrupt()]
    replay(LateQueue, story)
    with pytest.raises(Violation, match="carries Ulast before U2") as caught:
        replay(LateQueueOfOneSort, story)
    assert caught.value.rule is Rule.REORDERED


class RunsOnQuietly(Listening):
    """Its turn is over in the eyes of whoever called it, but it goes on; ``busy`` says so."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.beside = trio.open_nursery()
        self.nursery = await self.beside.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.nursery.cancel_scope.cancel()
        await self.beside.__aexit__(None, None, None)
        await super().__aexit__(*error)

    async def turn(self, text: str) -> None:
        self.running = True
        self.nursery.start_soon(super().turn, text)


class AndDoesNotSaySo(RunsOnQuietly):
    def busy(self) -> bool:
        return False


def test_whether_a_turn_is_under_way() -> None:
    """``busy`` counts: a tool may run as long as it is true, and not when it is not."""
    replay(RunsOnQuietly, [ONE, Open("a")])
    with pytest.raises(Violation, match="the turn is over, and the tool of call a runs on"):
        replay(AndDoesNotSaySo, [ONE])


def test_a_message_that_is_not_taken() -> None:
    """``send`` raises: the sender knows, and the message need not appear."""

    class Refuses(Listening):
        async def send(self, text: str) -> None:
            raise RuntimeError("not now")

    with Play(Refuses) as play:
        play.do(ONE)
        play.do(Send("U2"))
        play.do(Open("a"))
        finish(play)
    assert [said.taken for said in play.record.said] == [Taken.ACCEPTED, Taken.REJECTED, Taken.ACCEPTED]
    assert "  → send('U2') raises RuntimeError('not now')" in play.story.lines


def test_an_agent_that_retries() -> None:
    """Errors and broken connections are no end of a turn where the agent asks again."""
    answers = (Answer(status=500), Answer(1, breaks=1), Answer(status=429, retry_after=5.0), Answer(1))
    with Play(Plain) as play:
        play.do(User("U1", answers))
        play.do(Advance(20.0))
        assert list(play.stage.gates.waiting) == ["b"]
        finish(play)
    assert [exchange.status for exchange in play.stage.provider.exchanges[:3]] == [500, 200, 429]


def test_calls_of_one_id_and_a_session() -> None:
    """Each of them has an output of its own."""
    story: list[Step] = [User("U1", (Answer(2, one_id=True),)), Open("b"), Open("a")]
    replay(SessionAgent, story)
