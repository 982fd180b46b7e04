"""Gated tools under trio, under asyncio and in plain threads: they wait, and what became of them is told."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import get_args

import pytest
import trio

from turnlock.hosts.loops import Library, LoopThread, Task, in_thread
from turnlock.testing import Gates, ToolFailed, Visit
from turnlock.testing.gates import Fate

PATIENCE = 30.0
KINDS = ("trio", "asyncio", "thread")


class Clock:
    now = 1.0


class Tools:
    """Runs gated tools, in a loop or in threads."""

    def __init__(self, kind: str, loop: LoopThread | None) -> None:
        self.kind = kind
        self.loop = loop
        self.clock = Clock()
        self.told = 0
        self.gates = Gates(self._told, lambda: self.clock.now)

    def _told(self) -> None:
        self.told += 1

    def start(self, step: str) -> Task:
        """Run the tool until it waits at its gate, or has ended."""
        if self.loop is None:
            task = in_thread(partial(self.gates.blocking_tool(), step))
            while step not in self.gates.waiting and not task.done:
                pass
            return task
        task = self.loop.spawn(partial(self.gates.tool(), step))
        self.loop.settle()
        return task

    @property
    def last(self) -> Visit:
        return self.gates.visits[-1]


@pytest.fixture(params=KINDS)
def tools(request: pytest.FixtureRequest) -> Iterator[Tools]:
    if request.param == "thread":
        yield Tools("thread", None)
        return
    with LoopThread(request.param) as loop:
        yield Tools(request.param, loop)


@pytest.fixture(params=get_args(Library))
def looped(request: pytest.FixtureRequest) -> Iterator[Tools]:
    with LoopThread(request.param) as loop:
        yield Tools(request.param, loop)


def test_a_tool_waits_until_it_is_opened(tools: Tools) -> None:
    """It returns what the test says, or the result that stands for its step."""
    first, second = tools.start("a"), tools.start("b")
    assert list(tools.gates.waiting) == ["a", "b"]
    tools.gates.open("b", "my result")
    tools.gates.open("a")
    assert first.future.result(PATIENCE) == "result of a"
    assert second.future.result(PATIENCE) == "my result"
    assert not tools.gates.waiting
    assert [(v.step, v.fate, v.result) for v in tools.gates.visits] == [
        ("a", Fate.RETURNED, "result of a"),
        ("b", Fate.RETURNED, "my result"),
    ]


def test_a_tool_fails_when_the_test_says_so(tools: Tools) -> None:
    """It raises ``ToolFailed`` with the text of the test, or with one that says what it is."""
    first, second = tools.start("a"), tools.start("b")
    tools.gates.fail("a", "no disk")
    tools.gates.fail("b")
    with pytest.raises(ToolFailed, match=r"^no disk$"):
        first.future.result(PATIENCE)
    with pytest.raises(ToolFailed, match=r"^the step failed$"):
        second.future.result(PATIENCE)
    assert [(v.fate, v.result) for v in tools.gates.visits] == [
        (Fate.RAISED, "no disk"),
        (Fate.RAISED, "the step failed"),
    ]


def test_times_are_those_of_the_given_clock(tools: Tools) -> None:
    """A visit has begun when its tool was called, and ended when it was left."""
    tools.clock.now = 3.0
    task = tools.start("a")
    assert (tools.last.began, tools.last.ended) == (3.0, None)
    tools.clock.now = 8.5
    tools.gates.open("a")
    task.future.result(PATIENCE)
    assert (tools.last.began, tools.last.ended) == (3.0, 8.5)


def test_whoever_wants_to_know_is_told(tools: Tools) -> None:
    """Once at least when a tool has come, and again when it has gone."""
    task = tools.start("a")
    come = tools.told
    tools.gates.open("a")
    task.future.result(PATIENCE)
    assert come >= 1
    assert tools.told > come


def test_the_same_step_twice(tools: Tools) -> None:
    """The one that came first is opened first."""
    first = tools.start("a")
    second = (
        tools.start("a") if tools.loop is not None else in_thread(partial(tools.gates.blocking_tool(), "a"))
    )
    while tools.gates.waiting != ("a", "a"):
        pass
    tools.gates.open("a", "one")
    tools.gates.open("a", "two")
    assert [task.future.result(PATIENCE) for task in (first, second)] == ["one", "two"]


def test_all_gates_are_opened_for_ever(tools: Tools) -> None:
    """What waits goes on, what was opened keeps what it was given, and whoever comes later does not wait."""
    waits, opened = tools.start("a"), tools.start("b")
    tools.gates.open("b", "mine")
    tools.gates.open_all()
    assert waits.future.result(PATIENCE) == "result of a"
    assert opened.future.result(PATIENCE) == "mine"
    assert tools.start("c").future.result(PATIENCE) == "result of c"


def test_where_nobody_waits(tools: Tools) -> None:
    """To open, fail or make stubborn what does not wait is an error that says who does."""
    gates = tools.gates
    acts: list[Callable[[str], None]] = [gates.open, gates.fail, gates.make_stubborn]
    for act in acts:
        with pytest.raises(LookupError, match="no tool waits at step 'z'; waiting: none"):
            act("z")
    task = tools.start("a")
    other = tools.start("b")
    for act in acts:
        with pytest.raises(LookupError, match="no tool waits at step 'z'; waiting: a, b"):
            act("z")
    gates.open("a")
    with pytest.raises(LookupError, match="no tool waits at step 'a'"):
        gates.open("a")
    gates.open("b")
    for each in (task, other):
        each.future.result(PATIENCE)


def test_a_cancelled_tool(looped: Tools) -> None:
    """It ends, its fate is to be cancelled, and nobody can open it any more."""
    task = looped.start("a")
    looped.clock.now = 2.0
    task.cancel()
    with pytest.raises(CancelledError):
        task.future.result(PATIENCE)
    assert (looped.last.fate, looped.last.cancels, looped.last.ended) == (Fate.CANCELLED, 1, 2.0)
    assert looped.gates.waiting == ()
    with pytest.raises(LookupError):
        looped.gates.open("a")


def test_a_stubborn_tool(looped: Tools) -> None:
    """It swallows its cancellation, goes on waiting, and returns when it is opened."""
    assert looped.loop is not None
    task = looped.start("a")
    looped.gates.make_stubborn("a")
    task.cancel()
    looped.loop.settle()
    assert looped.gates.waiting == ("a",)
    assert (looped.last.cancels, task.done) == (1, False)
    looped.gates.open("a")
    assert task.future.result(PATIENCE) == "result of a"
    assert looped.last.fate is Fate.RETURNED


def test_a_stubborn_tool_is_stubborn_each_time() -> None:
    """Under asyncio every further cancellation is heard, and swallowed, too."""
    with LoopThread("asyncio") as loop:
        tools = Tools("asyncio", loop)
        task = tools.start("a")
        tools.gates.make_stubborn("a")
        for _ in range(3):
            task.cancel()
            loop.settle()
        assert (tools.last.cancels, task.done) == (3, False)
        tools.gates.open("a")
        assert task.future.result(PATIENCE) == "result of a"


def test_a_thread_cannot_be_cancelled() -> None:
    """Its visit says so."""
    tools = Tools("thread", None)
    task = tools.start("a")
    assert tools.last.blocking
    tools.gates.open("a")
    task.future.result(PATIENCE)


@pytest.mark.parametrize("make", [Gates().tool, Gates().blocking_tool])
def test_frameworks_read_names_and_signatures(make: Callable[..., Callable[..., object]]) -> None:
    """The tool has the name and the text that it was given, and one argument, a text."""
    tool = make("risky", "Do it.")
    assert (tool.__name__, tool.__qualname__, tool.__doc__) == ("risky", "risky", "Do it.")
    assert [one.annotation for one in inspect.signature(tool, eval_str=True).parameters.values()] == [str]
    assert make().__name__ == "work"


async def test_in_the_same_loop_as_the_test() -> None:
    """A trio test opens the gates of tools that run in its own loop."""
    gates = Gates()
    results: list[str] = []

    async def run() -> None:
        results.append(await gates.tool()("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        gates.open("a")
    assert results == ["result of a"]


def test_in_the_same_loop_under_asyncio() -> None:
    """And so does one under asyncio."""
    gates = Gates()

    async def story() -> str:
        task = asyncio.ensure_future(gates.tool()("a"))
        while not gates.waiting:
            await asyncio.sleep(0)
        gates.open("a")
        return await task

    assert asyncio.run(story()) == "result of a"
