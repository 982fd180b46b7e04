"""What a turn costs on top of trio: the engine ÷ raw trio, paired slices in one run.

    python benchmarks/overhead.py [--json] [--slices N]

Raw: one checkpoint per request to the model, a nursery, and ``move_on_after`` per call of a tool of one
checkpoint. Ours: a whole turn of a session with the same model and tools, memory journal, debug off, no wire
(a model without a dialect: encoding is measured by its own). Slices alternate, raw right before ours, and
the figure is the median of the paired ratios: single rounds on shared cores are worthless.

Also: cost per input with 10 and with 100,000 past items; 10,000 calls that run at the same time against raw
trio tasks that do the same (ten sleeps each; and one, which is little more than starting and ending them);
memory of an open session, before its first turn and after it.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import trio
import trio.testing

from turnlock import Limits, Message, Session, Text, tool
from turnlock.engine import Call, Engine, inputs
from turnlock.models import Model, Request, Response, Sink
from turnlock.wire import Settings, ToolSpec

GATES = {1: 2.0, 10: 1.7, 100: 1.6}
AIMS = {1: 1.6, 10: 1.4, 100: 1.25}


class Fake:
    """A model without a dialect: ``calls`` calls, then an answer."""

    name = "fake"
    dialect = None

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        return Settings(self.name, instructions, tuple(tools))

    async def respond(self, request: Request, sink: Sink) -> Response:
        await trio.lowlevel.checkpoint()
        if isinstance(request.transcript[request.length - 1], Message):
            for _ in range(self.calls):
                sink.add(Call(sink.next_ordinal(), "id", "work", "{}", request.number))
        else:
            sink.add(Text("done", request.number))
        return Response()

    async def aclose(self) -> None:
        """Nothing is held."""


@tool
async def work() -> str:
    """Do nothing, once."""
    await trio.lowlevel.checkpoint()
    return "ok"


# ── raw trio ────────────────────────────────────────────────────────────────────────────────────────


async def raw_tool() -> str:
    await trio.lowlevel.checkpoint()
    return "ok"


async def raw_call(results: list[str]) -> None:
    with trio.move_on_after(30):
        results.append(await raw_tool())


async def raw_turn(calls: int) -> None:
    results: list[str] = []
    await trio.lowlevel.checkpoint()
    async with trio.open_nursery() as nursery:
        for _ in range(calls):
            nursery.start_soon(raw_call, results)
    await trio.lowlevel.checkpoint()


# ── slices ──────────────────────────────────────────────────────────────────────────────────────────


async def overhead(calls: int, slices: int, turns: int) -> dict[str, float]:
    """The ratio for turns of this many calls."""
    ratios: list[float] = []
    raw_us: list[float] = []
    limits = Limits(deadline=30.0, parallel=max(8, calls))
    for _ in range(slices):
        gc.collect()
        start = time.perf_counter()
        for _ in range(turns):
            await raw_turn(calls)
        raw = time.perf_counter() - start
        model: Model = Fake(calls)
        async with Session(model, tools=[work], limits=limits) as session:
            await session.run("warm up")
            gc.collect()
            start = time.perf_counter()
            for _ in range(turns):
                await session.run("go")
            ours = time.perf_counter() - start
        ratios.append(ours / raw)
        raw_us.append(raw / turns * 1e6)
    low, median, high = statistics.quantiles(ratios, n=4)
    return {"median": median, "q1": low, "q3": high, "raw_us": statistics.median(raw_us)}


def per_input(past: int, rounds: int) -> float:
    """Seconds per turn of a pure engine that has ``past`` items behind it."""
    engine = Engine(Limits())
    for n in range(past):
        engine.transcript.items.append(Text("x", n))
    ordinal = request = 0

    def turn() -> None:
        nonlocal ordinal, request
        request += 1
        ordinal += 1
        engine.receive(inputs.Send(0.0, Message(f"m{request}", "go")))
        engine.receive(inputs.ItemCompleted(0.0, request, Call(ordinal, "id", "work", "{}", request)))
        engine.receive(inputs.Started(0.0, ordinal))
        engine.receive(inputs.ResponseEnded(0.0, request))
        engine.receive(inputs.Returned(0.0, ordinal, "ok"))
        request += 1
        engine.receive(inputs.ItemCompleted(0.0, request, Text("done", request)))
        engine.receive(inputs.ResponseEnded(0.0, request))

    turn()
    start = time.perf_counter()
    for _ in range(rounds):
        turn()
    return (time.perf_counter() - start) / rounds


def input_growth(slices: int) -> float:
    """Cost per input with 100,000 past items ÷ with 10."""
    return statistics.median(per_input(100_000, 400) / per_input(10, 400) for _ in range(slices))


async def running_calls(count: int, steps: int) -> float:
    """CPU of a turn with this many calls that run at the same time ÷ that of raw tasks that do the same.

    Each tool sleeps ``steps`` times, as one does that reads from a process or a socket.
    """

    @tool(name="work")
    async def running() -> str:
        """Sleep a few times."""
        for _ in range(steps):
            await trio.sleep(0.001)
        return "ok"

    async def raw_running(results: list[str]) -> None:
        with trio.move_on_after(600):
            for _ in range(steps):
                await trio.sleep(0.001)
            results.append("ok")

    async def raw() -> None:
        results: list[str] = []
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(raw_running, results)

    async def ours() -> None:
        limits = Limits(deadline=600.0, parallel=count)
        async with Session(Fake(count), tools=[running], limits=limits) as session:
            await session.run("go")

    async def cpu(run: Callable[[], Any]) -> float:
        gc.collect()
        start = time.process_time()
        await run()
        return time.process_time() - start

    await cpu(raw)
    await cpu(ours)
    return statistics.median([await cpu(ours) / await cpu(raw) for _ in range(5)])


async def session_memory(*, turn: bool, count: int = 200) -> float:
    """Bytes per open session, before its first turn or after it."""
    opened, done = trio.Event(), trio.Event()
    ready = 0

    async def hold() -> None:
        nonlocal ready
        async with Session(Fake(1), tools=[work]) as session:
            if turn:
                await session.run("go")
            ready += 1
            if ready == count:
                opened.set()
            await done.wait()

    async def bare() -> None:
        await done.wait()

    async def size(task: Callable[[], Any], when: trio.Event | None) -> int:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(task)
            await (when.wait() if when is not None else trio.testing.wait_all_tasks_blocked())
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            done.set()
        tracemalloc.stop()
        return grown

    with_sessions = await size(hold, opened)
    done = trio.Event()
    return (with_sessions - await size(bare, None)) / count


async def measure(slices: int) -> dict[str, Any]:
    """Everything, as one dict."""
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "trio": trio.__version__,
        "overhead": {},
    }
    for calls, turns in ((1, 300), (10, 80), (100, 10)):
        print(f"{calls} calls a turn …", file=sys.stderr)
        figures = await overhead(calls, slices, turns)
        result["overhead"][calls] = {**figures, "gate": GATES[calls], "aim": AIMS[calls]}
    print("past items, running calls, memory …", file=sys.stderr)
    result["input_growth"] = {"ratio": input_growth(9), "gate": 1.1}
    result["running_calls"] = {
        "ratio": await running_calls(10_000, steps=10),
        "one_sleep": await running_calls(10_000, steps=1),
        "gate": 1.3,
    }
    result["session_bytes"] = {
        "open": await session_memory(turn=False),
        "after_a_turn": await session_memory(turn=True),
        "gate": 10_000,
    }
    return result


def main() -> None:
    """Run, and print a table or JSON; exit 1 when a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--slices", type=int, default=25, help="pairs of slices per size (default 25)")
    options = parser.parse_args()
    result = trio.run(measure, options.slices)
    missed = [
        name
        for name, figure, gate in (
            *((f"{calls} calls", row["median"], row["gate"]) for calls, row in result["overhead"].items()),
            ("input growth", result["input_growth"]["ratio"], 1.1),
            ("10,000 running calls", result["running_calls"]["ratio"], 1.3),
            ("bytes of an open session", result["session_bytes"]["open"], 10_000),
        )
        if figure > gate
    ]
    if options.json:
        print(json.dumps({**result, "missed": missed}))
    else:
        print(f"Python {result['python']}, trio {result['trio']}")
        for calls, row in result["overhead"].items():
            print(
                f"{calls:>4} calls a turn: {row['median']:.2f} of raw trio "
                f"(quartiles {row['q1']:.2f} to {row['q3']:.2f}; raw {row['raw_us']:.0f} µs; "
                f"gate {row['gate']}, aim {row['aim']})"
            )
        print(f"cost per input, 100,000 past items ÷ 10: {result['input_growth']['ratio']:.2f} (gate 1.1)")
        running, memory = result["running_calls"], result["session_bytes"]
        print(
            f"10,000 running calls ÷ raw tasks, CPU: {running['ratio']:.2f} with ten sleeps each (gate 1.3), "
            f"{running['one_sleep']:.2f} with one"
        )
        print(
            f"memory of an open session: {memory['open']:.0f} bytes (gate 10,000), "
            f"{memory['after_a_turn']:.0f} after a turn"
        )
        print("missed: " + ", ".join(missed) if missed else "all gates are met")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
