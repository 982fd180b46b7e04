"""What happens in the demo: five stories, each told to the naive loop and then to a session.

The user acts when something is seen to happen (a tool runs, an approval is asked for), never after a time
that a slow machine could miss. The provider's part stands in ``strict/demo.jsonl``. What a session tells is
shown in ``guarded.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from attrs import frozen

from turnlock import (
    ApprovalRequested,
    CallEnded,
    CallFreed,
    CallLeaked,
    CallOutput,
    CallStarted,
    Event,
    Tool,
    tool,
)
from turnlock.cli.guarded import Guarded
from turnlock.cli.naive import NaiveAgent
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
    for line in ("collected 12 items", "test_login PASSED", "test_logout PASSED"):
        _print(f"{line}\n")
        await trio.sleep(0.1)
    await trio.sleep(_LONG)
    return "12 passed"


@tool(deadline=0.6)
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


# ── the stories ─────────────────────────────────────────────────────────────────────────────────────
# Each returns what is to be remembered of it beside the figures, for the summary.


async def _origin_naive(agent: NaiveAgent) -> str:
    await agent.ask("What is in this folder?")
    async with agent.running("count_files"):
        agent.stage.say("note", "The shell call is not approved yet, count_files runs, and the user types:")
    await agent.ask("Wait. Which Python is this?")
    agent.stage.say("note", "It asks again with the same bytes:")
    await agent.request()
    agent.stage.say("note", "A first fix answers what was cut short, but only function calls:")
    agent.items[-1:-1] = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "aborted"}
        for call in agent.calls
        if call["type"] == "function_call"
    ]
    await agent.request()
    return ""


async def _origin(guarded: Guarded) -> str:
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
    return ""


async def _steer_naive(agent: NaiveAgent) -> str:
    await agent.ask("Count the files in docs.")
    async with agent.running("count_files"):
        agent.stage.say("note", "While it runs, the user types:")
        await agent.ask("Only the .md ones, please.")
    return ""


async def _steer(guarded: Guarded) -> str:
    async with guarded.session() as session:

        async def act(event: Event) -> None:
            if isinstance(event, CallStarted):
                await guarded.type(session, "Only the .md ones, please.")

        await guarded.play(session, "Count the files in docs.", act)
    return ""


async def _interrupt_naive(agent: NaiveAgent) -> str:
    await agent.ask("Run the tests.")
    async with agent.running("run_tests"):
        agent.stage.say("user", "(Esc)")
    await agent.ask("What have you seen so far?")
    return ""


async def _interrupt(guarded: Guarded) -> str:
    async with guarded.session() as session:

        async def act(event: Event) -> None:
            if isinstance(event, CallOutput) and "logout" in event.text:
                guarded.stage.say("user", "(Esc)")
                await session.interrupt()

        await guarded.play(session, "Run the tests.", act)
        await guarded.play(session, "What have you seen so far?")
    return ""


async def _parallel_naive(agent: NaiveAgent) -> str:
    await agent.ask("Which mirror has the release?")
    try:
        await agent.run_tools("ask_mirror")
    except* ConnectionRefusedError as errors:
        agent.stage.say("stop", f"{errors.exceptions[0]}: the whole batch ends, the first answer with it")
    await agent.ask("And now?")
    return "an answer lost"


async def _parallel(guarded: Guarded) -> str:
    async with guarded.session() as session:
        await guarded.play(session, "Which mirror has the release?")
    return ""


async def _stubborn_naive(agent: NaiveAgent) -> str:
    await agent.ask("Ping the build host.")
    start = trio.current_time()
    await agent.run_tools("ping", deadline=0.5)
    taken = trio.current_time() - start
    agent.stage.say("stop", f"with a deadline of 0.5 s the agent stood still for {taken:.1f} s")
    await agent.request()
    return f"stuck for {taken:.1f} s"


async def _stubborn(guarded: Guarded) -> str:
    remark = ""
    async with guarded.session() as session:
        later = session.events()
        await guarded.play(session, "Ping the build host.")
        async for event in later:
            if isinstance(event, CallEnded) and event.call.outcome is not None:
                taken = event.call.outcome.seconds
                remark = f"back in {taken:.1f} s"
                guarded.stage.say(
                    "stop", f"deadline 0.5 s, grace 0.2 s: the agent went on after {taken:.1f} s"
                )
            elif isinstance(event, (CallLeaked, CallFreed)):
                guarded.show(session, event)
                if isinstance(event, CallFreed):
                    break
    return remark


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
    naive: Callable[[NaiveAgent], Awaitable[str]]
    guarded: Callable[[Guarded], Awaitable[str]]


STORIES = (
    Story("the origin", "Interrupted before an approval, while a tool runs", _origin_naive, _origin),
    Story("typed meanwhile", "The user types while a tool runs (C2)", _steer_naive, _steer),
    Story("stopped", "The user stops a tool that has printed something (C3)", _interrupt_naive, _interrupt),
    Story("three calls", "One call returns, one raises, one hangs (C5)", _parallel_naive, _parallel),
    Story("stubborn", "A tool that does not stop when it is told to (C7)", _stubborn_naive, _stubborn),
)
