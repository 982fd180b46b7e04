"""For each rule of sequencing an agent that breaks it, and what it does wrong in a sentence.

Each differs from the right one in that one thing.
"""

from __future__ import annotations

from typing import Self

import trio

from support.agents import Item, Listening, Plain, Timed, step


class LeavesCallsOpen(Plain):
    """Writes outputs only when all tools have ended: after an interrupt the history has none."""

    async def run(self, calls: list[Item]) -> None:
        outputs: dict[str, str] = {}
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(self.work, call, outputs)
        self.told(calls, outputs)


class ErasesCalls(Plain):
    """Throws the calls of an interrupted answer away."""

    async def run(self, calls: list[Item]) -> None:
        try:
            await super().run(calls)
        except BaseException:
            del self.history[-2 * len(calls) :]
            raise


class RewritesOutputs(Plain):
    """Marks outputs as old when the user speaks again."""

    def say(self, text: str) -> None:
        for item in self.history:
            if item.get("type") == "function_call_output":
                item["output"] += " (old)"
        super().say(text)


class OmitsNothingButTruth(Plain):
    """Says of every interrupted call that it was not executed."""

    def told(self, calls: list[Item], outputs: dict[str, str]) -> None:
        super().told(calls, {call["call_id"]: "the call was not executed" for call in calls} | outputs)


class ForgetsResults(Plain):
    """Says of a finished call that it was interrupted, when another one was."""

    def told(self, calls: list[Item], outputs: dict[str, str]) -> None:
        super().told(calls, outputs if len(outputs) == len(calls) else {})


class TriesAgain(Plain):
    """Runs a tool once more when it has failed."""

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        await super().work(call, outputs)
        if outputs[call["call_id"]].startswith("error"):
            await super().work(call, outputs)


class ForgetsMessages(Plain):
    """Takes the message of an interrupted turn out of the history."""

    async def turn(self, text: str) -> None:
        try:
            await super().turn(text)
        except BaseException:
            self.history = [item for item in self.history if item.get("content") != text]
            raise


class Deaf(Listening):
    """Takes messages, and does nothing with them."""

    def more(self) -> bool:
        return False


class SaysTwice(Plain):
    """Puts the message into the history again when it asks again."""

    async def pause(self, seconds: float) -> None:
        await super().pause(seconds)
        self.history.append(self.history[-1])


class LastInFirstOut(Listening):
    """Takes the last message first."""

    async def send(self, text: str) -> None:
        await super().send(text)
        self.queue.insert(0, self.queue.pop())


class HangsOnFailure(Plain):
    """Waits for ever when a tool has failed."""

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        await super().work(call, outputs)
        if outputs[call["call_id"]].startswith("error"):
            await trio.sleep_forever()


class DiesOfInterrupts(Plain):
    """Cannot be used any more after an interrupt."""

    dead = False

    async def turn(self, text: str) -> None:
        if self.dead:
            raise RuntimeError("dead")
        try:
            await super().turn(text)
        except BaseException:
            self.dead = True
            raise


class NeverStops(Plain):
    """Its interrupt neither stops the turn nor ends."""

    async def interrupt(self) -> None:
        await trio.sleep_forever()

    async def run(self, calls: list[Item]) -> None:
        await trio.sleep_forever()


class HasNoClock(Timed):
    """Says that it has a deadline, and has none."""

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        await Plain.work(self, call, outputs)


class StopsTheOthers(Plain):
    """A tool that fails takes the others of its answer with it."""

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        outputs[call["call_id"]] = await self.harness.work(step(call))


class LeavesToolsRunning(Plain):
    """Runs its tools beside the turn: an interrupt does not reach them."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.beside = trio.open_nursery()
        self.nursery = await self.beside.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.nursery.cancel_scope.cancel()
        await self.beside.__aexit__(None, None, None)
        await super().__aexit__(*error)

    async def work(self, call: Item, outputs: dict[str, str]) -> None:
        done = trio.Event()

        async def aside() -> None:
            await Plain.work(self, call, outputs)
            done.set()

        self.nursery.start_soon(aside)
        await done.wait()


class Hasty(Plain):
    """Asks again at once, whatever the provider says."""

    async def pause(self, seconds: float) -> None:
        await trio.lowlevel.checkpoint()


class Hedges(Plain):
    """Asks twice at a time, and takes the first answer."""

    async def ask(self) -> list[Item]:
        answers: list[list[Item]] = []

        async def once() -> None:
            answers.append(await Plain.ask(self))
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(once)
            nursery.start_soon(once)
        return answers[0]


class Complains(Plain):
    """Finds something wrong with itself."""

    def problems(self) -> list[str]:
        return ["the books do not balance"]
