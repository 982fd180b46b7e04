"""The stories of the hunts: short ones, in which several hands act in the same instants.

Each is fixed but for the schedule: what runs first, and in some when time passes. Which bugs there are is
nothing to them; each is about a part of the specification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio
from attrs import evolve, frozen

from hunts.judge import judge, turn_of
from hunts.theatre import PATIENT, Stage, calls, script
from support.journals import AwaitedJournal
from support.live import only
from turnlock import StopReason, TurnEnded
from turnlock.models import Fail, Pause, Say


@frozen
class Story:
    """A story, and how it is played.

    Attributes:
        play: Plays it to its end and judges it.
        horizon: How far the schedule may jump while somebody could run, in seconds. With 0 time passes only
            when all wait, and every promise of a time holds exactly.
    """

    play: Callable[[], Awaitable[None]]
    horizon: float = 3600.0


async def _all(*hands: Callable[[], Awaitable[object]]) -> None:
    async with trio.open_nursery() as nursery:
        for hand in hands:
            nursery.start_soon(hand)


async def two_tools_and_an_interrupt() -> None:
    """R3 to R6: in one instant a tool returns, two messages come, the user interrupts; another tool runs."""
    stage = Stage(script(calls(("a", "returns", 2), ("b", "returns", 1))), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"),
            lambda: stage.say("U2"),
            lambda: stage.say("U3", "queue"),
            stage.interrupt,
        )
        await stage.ask("U4")

    await stage.play(act)
    judge(stage, timely=False)


async def tools_that_return_and_raise() -> None:
    """R3, R4, R9: three tools, one raises; a message comes meanwhile, another when the model answers."""
    acts = calls(("a", "returns", 2), ("b", "raises", 1), ("c", "returns", 1))
    stage = Stage(script(acts, [Pause(1), Say("A")]), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"),
            lambda: stage.say("U2"),
            lambda: stage.say("U3", after=2),
            lambda: stage.say("U4", "queue", after=2),
        )
        await trio.sleep(10)

    await stage.play(act)
    judge(stage, timely=False)


async def two_calls_with_one_id() -> None:
    """R2: two calls bear the same id, in this turn and in the next."""
    pair = calls(("a", "returns", 2), ("b", "returns", 1), one_id="x")
    stage = Stage(script(pair, Say("A"), pair), PATIENT)

    async def act(stage: Stage) -> None:
        await stage.ask("U1")
        await stage.ask("U2")

    await stage.play(act)
    judge(stage, timely=False)


async def tools_that_do_not_like_to_stop() -> None:
    """R1, R7, R8: interrupted twice, one tool finishes all the same, one raises, one goes on for long."""
    acts = calls(("a", "finishes", 1), ("b", "grumbles", 3), ("c", "finishes", 100))
    stage = Stage(script(acts), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"),
            lambda: stage.interrupt(0.5),
            lambda: stage.interrupt(1),
            lambda: stage.say("U2", "queue", after=1),
        )
        await stage.ask("U3")
        await trio.sleep(150)
        await stage.ask("U4")

    await stage.play(act)
    judge(stage, timely=False)


async def deadlines() -> None:
    """R8: one tool after the other, with one deadline; one is in time, one hangs, one hears nothing."""
    acts = calls(("a", "returns", 3), ("b", "lingers", 1), ("c", "finishes", 60))
    stage = Stage(script([Pause(1), *acts]), evolve(PATIENT, deadline=5, request_timeout=600, parallel=1))

    async def act(stage: Stage) -> None:
        await stage.ask("U1")
        await trio.sleep(100)
        await stage.ask("U2")

    await stage.play(act)
    judge(stage, timely=True)


async def interrupts_and_a_next_turn() -> None:
    """R17: two hands interrupt in one instant, a tool takes its time to stop; the next turn has a call."""
    stage = Stage(script(calls(("a", "lingers", 1)), calls(("b", "returns", 0))), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(lambda: stage.ask("U1"), stage.interrupt, stage.interrupt)
        await stage.ask("U2")

    await stage.play(act)
    judge(stage, timely=False)


async def an_interrupt_while_the_model_talks() -> None:
    """R7, R13, R22: the model talks, the adapter takes a second to leave, and the next message is there."""
    stage = Stage(script([Say("Well."), Pause(2), Say("A")], unwinding=1.0), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(lambda: stage.ask("U1"), stage.interrupt, lambda: stage.say("U2"))
        await stage.ask("U3")

    await stage.play(act)
    judge(stage, timely=True)


async def lost_responses() -> None:
    """R5, C18, C23: the provider asks to wait, then breaks off behind a call; a message comes meanwhile."""
    stage = Stage(
        script(Fail(retry_after=30), [*calls(("a", "returns", 1)), Pause(1), Fail(retry_after=30)]), PATIENT
    )

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"), lambda: stage.say("U2", after=10), lambda: stage.say("U3", after=31)
        )

    await stage.play(act)
    judge(stage, timely=False)
    for number in (0, 1):
        failed = stage.model.times[number] + (0 if number == 0 else 1)
        waited = stage.model.times[number + 1] - failed
        assert waited >= 30 - 1e-6, f"C23: request {number + 2} left after {waited} s of 30"


async def few_requests() -> None:
    """C64: a turn may send two requests; messages come during the last one."""
    stage = Stage(script(calls(("a", "returns", 1)), [Pause(2), Say("A")]), evolve(PATIENT, max_requests=2))

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"),
            lambda: stage.say("U2", after=2),
            lambda: stage.say("U3", "queue", after=2),
        )
        await trio.sleep(10)

    await stage.play(act)
    judge(stage, timely=False)


async def quick_tools() -> None:
    """R3, R13: tools that take a step or two, and models that answer at once."""
    quick = calls(("a", "returns", 0), ("b", "returns", 0))
    stage = Stage(script(quick, calls(("c", "returns", 0)), Say("A")), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(lambda: stage.ask("U1"), lambda: stage.say("U2", after=0))

    await stage.play(act)
    judge(stage, timely=False)


async def questions() -> None:
    """R14: the user answers a question around the time of an interrupt; the next one is denied."""
    stage = Stage(
        script(calls(("a", "returns", 1), name="risky"), calls(("b", "returns", 1), name="risky")), PATIENT
    )

    async def act(stage: Stage) -> None:
        async def interrupt_and_ask() -> None:
            await stage.interrupt()
            await stage.ask("U2")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.answer, 1.5)
            await _all(lambda: stage.ask("U1"), interrupt_and_ask)
            nursery.cancel_scope.cancel()

    await stage.play(act)
    judge(stage, timely=False)


async def a_slow_disk() -> None:
    """R5: every record takes its time; two turns are asked for, a message comes, a tool runs."""
    stage = Stage(script(calls(("a", "returns", 0.01))), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1"), lambda: stage.ask("U2"), lambda: stage.say("U3", "queue", after=0.01)
        )
        await trio.sleep(10)

    await stage.play(act, journal=AwaitedJournal(delay=0.01))
    judge(stage, timely=False)


async def somebody_leaves() -> None:
    """R17, C25: whoever waits is cancelled in the instant in which his turn ends; the next is another's."""
    stage = Stage(script(calls(("a", "returns", 1), name="done"), [Pause(1), Say("A")]), PATIENT)
    scope = trio.CancelScope()

    async def act(stage: Stage) -> None:
        await _all(
            lambda: stage.ask("U1", scope=scope),
            lambda: stage.say("U2", "queue", after=0.5),
            lambda: stage.leave(scope),
        )
        await trio.sleep(10)

    await stage.play(act)
    judge(stage, timely=False)
    for event in only(stage.events, TurnEnded):
        if event.turn != turn_of(stage, "U1"):
            assert event.stop_reason is not StopReason.INTERRUPTED, f"R17: turn {event.turn} was interrupted"


async def two_readers() -> None:
    """R17: a turn is read event by event, while another hand sends a message."""
    stage = Stage(script([Say("Well."), *calls(("a", "returns", 1))], [Pause(1), Say("A")]), PATIENT)

    async def act(stage: Stage) -> None:
        await _all(lambda: stage.read("U1"), lambda: stage.say("U2"))
        await stage.read("U3")

    await stage.play(act)
    judge(stage, timely=False)


async def closed_in_the_middle() -> None:
    """R5, R13: the session is closed while tools run and messages are held."""
    stage = Stage(script(calls(("a", "lingers", 1), ("b", "returns", 1))), PATIENT)

    async def act(stage: Stage) -> None:
        await stage.say("U1", after=0)
        await _all(lambda: stage.say("U2"), lambda: stage.say("U3", "queue"))
        stage.alone = False

    await stage.play(act)
    judge(stage, timely=False)


STORIES: Mapping[str, Story] = {
    play.__name__: Story(play)
    for play in (
        two_tools_and_an_interrupt,
        tools_that_return_and_raise,
        two_calls_with_one_id,
        tools_that_do_not_like_to_stop,
        interrupts_and_a_next_turn,
        lost_responses,
        few_requests,
        questions,
        quick_tools,
        a_slow_disk,
        somebody_leaves,
        two_readers,
        closed_in_the_middle,
    )
} | {play.__name__: Story(play, horizon=0.0) for play in (deadlines, an_interrupt_while_the_model_talks)}
"""By name."""
