"""What happens in the demo: five stories, each told to the naive loop and then to a session.

The user acts when something is seen to happen (a tool runs, an approval is asked for), never after a time
that a slow machine could miss. The provider's part stands in ``strict/demo.jsonl``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio
from attrs import define, field, frozen
from openai import AsyncOpenAI

from turnlock import (
    ApprovalRequested,
    CallEnded,
    CallFreed,
    CallLeaked,
    CallOutput,
    CallStarted,
    CallStopping,
    Event,
    Fate,
    Invocation,
    Limits,
    MessageDelivered,
    MessageHeld,
    MessageReturned,
    Receipt,
    RequestSent,
    Session,
    TextDelta,
    Tool,
    TurnEnded,
    tool,
)
from turnlock.cli.naive import NaiveAgent
from turnlock.cli.stage import Stage, outline
from turnlock.models.openai import OpenAIResponses
from turnlock.tools.context import find_call

_LONG = 30.0  # seconds that a tool takes when the story does not wait for it


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────


def _print(text: str) -> None:
    """What a tool prints as it works; the naive loop has no ear for it."""
    call = find_call()
    if call is not None:
        call.output(text)


@tool
async def count_files(folder: str, seconds: float = _LONG) -> str:
    """Count the files of a folder."""
    try:
        await trio.sleep(seconds)
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.15)  # it closes what it has opened
        raise
    return f"{folder}: 3 files, 2 of them .md"


@tool(name="local_shell", approval=True)
async def local_shell(command: list[str]) -> str:
    """Run a command."""
    return f"ran {' '.join(command)}"


@tool
async def run_tests() -> str:
    """Run the tests."""
    _print("collected 12 items\ntest_login PASSED\ntest_logout PASSED\n")
    await trio.sleep(_LONG)
    return "12 passed"


@tool
async def ask_mirror(name: str) -> str:
    """Ask a mirror for the release: one answers, one refuses, one hangs."""
    if name == "second":
        raise ConnectionRefusedError("mirror 'second' is down")
    if name == "third":
        _print("connected, waiting for the first byte …")
        await trio.sleep(_LONG)
    return f"mirror {name!r} has release 4.2"


@tool(deadline=0.5)
async def ping(host: str) -> str:
    """Ping a host, and take no notice of being asked to stop for two seconds."""
    end = trio.current_time() + 2.0
    while trio.current_time() < end:
        try:
            await trio.sleep(end - trio.current_time())
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)
    return f"{host} answered"


TOOLS: tuple[Tool, ...] = (count_files, local_shell, run_tests, ask_mirror, ping)
NAMED = {each.name: each for each in TOOLS}


# ── a session on stage ──────────────────────────────────────────────────────────────────────────────


Act = Callable[[Event], Awaitable[None]]


@define(eq=False)
class Guarded:
    """Sessions on stage: what they tell is shown as it comes, and receipts are kept for the figures."""

    client: AsyncOpenAI
    stage: Stage
    receipts: list[Receipt] = field(factory=list)
    _waited: list[Receipt] = field(factory=list)
    _said: list[str] = field(factory=list)

    def session(self) -> Session:
        """A session with all tools; who is asked to stop has a fifth of a second."""
        model = OpenAIResponses("demo", client=self.client)
        return Session(model, tools=TOOLS, limits=Limits(grace=0.2, deadline=0.6))

    async def play(self, session: Session, text: str, act: Act | None = None, turns: int = 1) -> None:
        """A message, and what comes of it until so many turns have ended; ``act`` is the user, watching."""
        events = session.events()
        await self.type(session, text)
        async for event in events:
            self.show(session, event)
            if act is not None:
                await act(event)
            if isinstance(event, TurnEnded):
                turns -= 1
                if not turns:
                    return

    async def type(self, session: Session, text: str, when_busy: str = "steer") -> None:
        """The user types."""
        self.stage.say("user", text)
        self.receipts.append(await session.send(text, when_busy=when_busy))

    def show(self, session: Session, event: Event) -> None:
        """A line for whoever watches."""
        say = self.stage.say
        match event:
            case RequestSent(request=number, items=count):
                say("request", f"request {number}: {outline(session.transcript[:count])}")
            case TextDelta(text=text):
                self._said.append(text)
            case MessageHeld(receipt=receipt):
                self._waited.append(receipt)
                holders = " and ".join(call.name for call in receipt.held_by) or "the model's answer"
                say("held", f"your message waits: it may not pass {holders}")
            case MessageDelivered(receipt=receipt) if receipt in self._waited:
                say(
                    "delivered",
                    f"your message went out in request {receipt.request}, at index {receipt.index}",
                )
            case MessageReturned(receipt=receipt):
                say("note", f"your message came back: {receipt.reason}")
            case TurnEnded(stop_reason=reason):
                said = "".join(self._said)
                say(*(("model", said) if said else ("note", f"the turn ended: {reason}")))
                self._said.clear()
            case _:
                self._show_call(event)

    def _show_call(self, event: Event) -> None:
        say = self.stage.say
        match event:
            case ApprovalRequested(call=call):
                say("tool", f"{_label(call)} waits for your approval")
            case CallStarted(call=call):
                say("tool", f"{_label(call)} runs")
            case CallOutput(call=call, text=text):
                say("tool", f"{_label(call)} printed {len(text.splitlines())} line(s)")
            case CallStopping(call=call):
                say("stop", f"{_label(call)} is asked to stop ({call.stop_cause})")
            case CallEnded(call=call):
                assert call.outcome is not None
                say("tool", f"{_label(call)}: {call.outcome.model_text.splitlines()[0]}")
            case CallLeaked(call=call, age=age):
                say(
                    "stop",
                    f"{_label(call)} runs on; nothing waits for it",
                )
            case CallFreed(call=call, age=age):
                say(
                    "stop",
                    f"{_label(call)} ended {age:.1f} s after it was asked to; too late to count",
                )
            case _:
                pass

    @property
    def held(self) -> int:
        """Messages that had to wait."""
        return len(self._waited)

    @property
    def lost(self) -> int:
        """Messages with no fate; there are none."""
        return sum(receipt.state is Fate.HELD for receipt in self.receipts)

    def count(self, fate: Fate) -> int:
        """Messages with this fate."""
        return sum(receipt.state is fate for receipt in self.receipts)


def _label(call: Invocation) -> str:
    """A call as people write it: ``ask_mirror(first)``."""
    values = msgspec.json.decode(call.arguments, type=dict[str, Any]).values()
    words = (" ".join(value) if isinstance(value, list) else value for value in values)
    return f"{call.name}({', '.join(word for word in words if isinstance(word, str) and word != 'exec')})"


# ── the stories ─────────────────────────────────────────────────────────────────────────────────────


async def _origin_naive(agent: NaiveAgent) -> None:
    await agent.ask("What is in this folder?")
    async with agent.running("count_files"):
        agent.stage.say(
            "note", "before the shell call is approved, and while count_files runs, the user types:"
        )
    await agent.ask("Wait. Which Python is this?")
    agent.stage.say("note", "it asks again with the same bytes:")
    await agent.request()
    agent.stage.say("note", "a first fix answers what was cut short, but only function calls:")
    agent.items[-1:-1] = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "aborted"}
        for call in agent.calls
        if call["type"] == "function_call"
    ]
    await agent.request()


async def _origin(guarded: Guarded) -> None:
    async with guarded.session() as session:
        seen: set[type[Event]] = set()

        async def act(event: Event) -> None:
            seen.add(type(event))
            if (
                isinstance(event, (ApprovalRequested, CallStarted))
                and {ApprovalRequested, CallStarted} <= seen
            ):
                seen.clear()
                await guarded.type(session, "Wait. Which Python is this?", "interrupt")

        await guarded.play(session, "What is in this folder?", act, turns=2)


async def _steer_naive(agent: NaiveAgent) -> None:
    await agent.ask("Count the files in docs.")
    async with agent.running("count_files"):
        agent.stage.say("note", "while it runs, the user types:")
        await agent.ask("Only the .md ones, please.")


async def _steer(guarded: Guarded) -> None:
    async with guarded.session() as session:

        async def act(event: Event) -> None:
            if isinstance(event, CallStarted):
                await guarded.type(session, "Only the .md ones, please.")

        await guarded.play(session, "Count the files in docs.", act)


async def _interrupt_naive(agent: NaiveAgent) -> None:
    await agent.ask("Run the tests.")
    async with agent.running("run_tests"):
        agent.stage.say("user", "(Esc)")
    await agent.ask("What have you seen so far?")


async def _interrupt(guarded: Guarded) -> None:
    async with guarded.session() as session:

        async def act(event: Event) -> None:
            if isinstance(event, CallOutput):
                guarded.stage.say("user", "(Esc)")
                await session.interrupt()

        await guarded.play(session, "Run the tests.", act)
        await guarded.play(session, "What have you seen so far?")


async def _parallel_naive(agent: NaiveAgent) -> None:
    await agent.ask("Which mirror has the release?")
    try:
        await agent.run_tools()
    except* ConnectionRefusedError as errors:
        agent.stage.say(
            "tool", f"{errors.exceptions[0]}: the batch dies, with the answer of the first mirror"
        )
    await agent.ask("And now?")


async def _parallel(guarded: Guarded) -> None:
    async with guarded.session() as session:
        await guarded.play(session, "Which mirror has the release?")


async def _stubborn_naive(agent: NaiveAgent) -> None:
    await agent.ask("Ping the build host.")
    start = trio.current_time()
    await agent.run_tools(deadline=0.5)
    taken = trio.current_time() - start
    agent.stage.say("stop", f"a deadline of 0.5 s held the agent for {taken:.1f} s")
    await agent.request()


async def _stubborn(guarded: Guarded) -> None:
    async with guarded.session() as session:
        later = session.events()
        await guarded.play(session, "Ping the build host.")
        async for event in later:
            if isinstance(event, CallEnded) and event.call.outcome is not None:
                taken = event.call.outcome.seconds
                guarded.stage.say(
                    "stop", f"deadline 0.5 s, grace 0.2 s: the agent went on after {taken:.1f} s"
                )
            elif isinstance(event, (CallLeaked, CallFreed)):
                guarded.show(session, event)
                if isinstance(event, CallFreed):
                    return


@frozen
class Story:
    """One story.

    Attributes:
        name: Two or three words.
        title: What happens, in a line.
        naive: Told to the naive loop.
        guarded: Told to a session.
    """

    name: str
    title: str
    naive: Callable[[NaiveAgent], Awaitable[None]]
    guarded: Callable[[Guarded], Awaitable[None]]


STORIES = (
    Story("origin", "The origin: interrupted before an approval, while a tool runs", _origin_naive, _origin),
    Story("C2 typed meanwhile", "C2: the user types while a tool runs", _steer_naive, _steer),
    Story("C3 stopped", "C3: the user stops a tool that has printed something", _interrupt_naive, _interrupt),
    Story("C5 three calls", "C5: one call returns, one raises, one hangs", _parallel_naive, _parallel),
    Story("C7 stubborn", "C7: a tool that does not stop when it is told to", _stubborn_naive, _stubborn),
)
