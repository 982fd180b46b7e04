"""What control costs: scheduled runs ÷ bare ``trio.run`` of the same story, in turn, in one process.

    python benchmarks/schedules.py [--json] [--pairs N]

Each pair is a slice of bare runs (``trio.run`` with a ``MockClock`` that jumps by itself, as such a story is
run without schedules) and right after it a slice of scheduled ones. Figures are runs per second of the second
÷ runs per second of the first, in CPU time, medians of the pairs: 1 is free, and single rounds on shared
cores are worthless.

Controlled: first in, first out through the hook, and the schedulers with ``random.Random``. Under hypothesis:
a whole ``@given(schedules())`` test with stock settings but no deadline; its examples are counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeAlias

import hypothesis
import trio
from hypothesis import given, settings
from hypothesis.database import InMemoryExampleDatabase
from trio.testing import MockClock

from turnlock import Scripted, Session, tool
from turnlock.models import Invoke, Say
from turnlock.testing import Bounded, Deviations, Pct, Schedule, Uniform, run_scheduled, schedules

GATE = 0.7
GATE_HYPOTHESIS = 0.15
Story: TypeAlias = Callable[[], Awaitable[object]]
Way: TypeAlias = Callable[[Story, int], int]
"""Runs a story so many times; says how often it really did."""

# ── stories ─────────────────────────────────────────────────────────────────────────────────────────


@tool
async def work(step: str) -> str:
    """Work for a moment."""
    await trio.sleep(1.0)
    return step


async def session() -> None:
    """A turn of a session: three calls at the same time, a message while they run, an answer."""
    calls = [Invoke("work", {"step": step}) for step in "abc"]
    async with (
        Session(Scripted([calls, Say("done")]), tools=[work]) as opened,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(opened.run, "go")
        await trio.sleep(0.5)
        await opened.send("and this")


async def producer(send: trio.MemorySendChannel[int]) -> None:
    async with send:
        for n in range(5):
            await send.send(n)


async def consumer(receive: trio.MemoryReceiveChannel[int], got: list[int]) -> None:
    async with receive:
        async for n in receive:
            await trio.lowlevel.checkpoint()
            got.append(n)


async def channel() -> None:
    """Plain trio: two producers and two consumers of a channel, and a timeout that never comes."""
    got: list[int] = []
    send, receive = trio.open_memory_channel[int](1)
    with trio.fail_after(10_000):
        async with trio.open_nursery() as nursery, send, receive:
            for _ in range(2):
                nursery.start_soon(producer, send.clone())
                nursery.start_soon(consumer, receive.clone(), got)
    assert sorted(got) == sorted([*range(5)] * 2)


async def sleeper(n: int) -> None:
    await trio.sleep(n)


async def sleepers() -> None:
    """Plain trio, the smallest: five tasks that sleep."""
    async with trio.open_nursery() as nursery:
        for n in range(5):
            nursery.start_soon(sleeper, n)


STORIES: dict[str, Story] = {"session": session, "channel": channel, "sleepers": sleepers}

# ── ways to run them ────────────────────────────────────────────────────────────────────────────────


def bare(story: Story, runs: int) -> int:
    for _ in range(runs):
        trio.run(story, clock=MockClock(autojump_threshold=0.0))
    return runs


def scheduled(make: Callable[[], Schedule]) -> Way:
    def run(story: Story, runs: int) -> int:
        for _ in range(runs):
            run_scheduled(story, make())
        return runs

    return run


def under_hypothesis(story: Story, runs: int) -> int:
    ran = 0

    @settings(deadline=None, max_examples=runs, database=InMemoryExampleDatabase())
    @given(schedule=schedules())
    def drawn(schedule: Schedule) -> None:
        nonlocal ran
        ran += 1
        run_scheduled(story, schedule)

    drawn()
    return ran


RANDOM = Random(0)  # noqa: S311 - chooses tasks, no secrets
WAYS: dict[str, Way] = {
    "first in, first out": scheduled(Deviations),
    "uniform": scheduled(lambda: Uniform(RANDOM)),
    "bounded": scheduled(lambda: Bounded(RANDOM)),
    "priorities": scheduled(lambda: Pct(RANDOM)),
    "hypothesis": under_hypothesis,
}


def timed(run: Way, story: Story, runs: int) -> float:
    gc.collect()
    start = time.process_time()
    ran = run(story, runs)
    return (time.process_time() - start) / ran


def measure(pairs: int, runs: int) -> dict[str, dict[str, Any]]:
    """For each story and way the median ratio, its quartiles, and the seconds of a bare run."""
    result: dict[str, dict[str, Any]] = {}
    for name, story in STORIES.items():
        for run in WAYS.values():
            run(story, 20)
        ratios: dict[str, list[float]] = {way: [] for way in WAYS}
        took: list[float] = []
        for pair in range(pairs):
            print(f"\r{name}: pair {pair + 1} of {pairs} ", end="", file=sys.stderr, flush=True)
            for way, run in WAYS.items():
                took.append(timed(bare, story, runs))
                ratios[way].append(took[-1] / timed(run, story, runs))
        print(file=sys.stderr)
        result[name] = {"bare_us": statistics.median(took) * 1e6}
        for way, each in ratios.items():
            low, median, high = statistics.quantiles(each, n=4)
            result[name][way] = {"median": median, "q1": low, "q3": high}
    return result


def main() -> None:
    """Run, and print a table or JSON; exit 1 when a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of slices (default 15)")
    parser.add_argument("--runs", type=int, default=100, help="runs in a slice (default 100)")
    options = parser.parse_args()
    logging.getLogger("turnlock").setLevel(logging.CRITICAL)  # what schedules make late is told as warnings
    figures = measure(options.pairs, options.runs)
    missed = [
        f"{name}, {way}"
        for name, row in figures.items()
        for way in WAYS
        if row[way]["median"] < (GATE_HYPOTHESIS if way == "hypothesis" else GATE)
    ]
    versions = {
        "python": platform.python_version(),
        "trio": trio.__version__,
        "hypothesis": hypothesis.__version__,
    }
    if options.json:
        print(json.dumps({**versions, "stories": figures, "missed": missed}))
    else:
        print(", ".join(f"{name} {version}" for name, version in versions.items()))
        print(f"runs a second ÷ those of bare trio.run (gate {GATE}; under hypothesis {GATE_HYPOTHESIS})")
        for name, row in figures.items():
            print(f"{name}: a bare run takes {row['bare_us']:.0f} µs")
            for way in WAYS:
                figure = row[way]
                spread = f"quartiles {figure['q1']:.2f} to {figure['q3']:.2f}"
                print(f"  {way:<20} {figure['median']:.2f}  ({spread})")
        print("missed: " + "; ".join(missed) if missed else "all gates are met")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
