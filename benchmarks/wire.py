"""What a long history costs per request: encoding what is new, and checking the whole body that leaves.

    python benchmarks/wire.py [--json] [--items N] [--rounds N]

A history of turns of four items (message, call, output, answer) is encoded once, then again with one turn
more, as a session does; the body is then checked from its bytes, as a whole and as a session does it: on from
the body before it. Beside it, in the same round, a null walk: the body decoded as JSON and each item looked
at. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec

from turnlock import Message, Text
from turnlock.engine import Call, Cause, Item, Outcome, Output
from turnlock.machines import InvocationState
from turnlock.wire import Settings, check, encoder, growing

DIALECTS = ("openai_responses", "openai_chat", "anthropic", "gemini", "bedrock_converse", "mistral")


def history(turns: int) -> list[Item]:
    """Turns of four items, and a message that waits for its answer, as requests end."""
    items: list[Item] = []
    for n in range(1, turns + 1):
        outcome = Outcome(InvocationState.COMPLETED, Cause.RETURNED, f"{n} files", "", 0.5, "", None)
        items += [
            Message(f"m{n}", f"How many files are in folder {n}?"),
            Call(n, f"call_{n}", "count_files", f'{{"folder": "{n}"}}', 2 * n - 1),
            Output(n, outcome),
            Text(f"There are {n} files.", 2 * n),
        ]
    return [*items, Message("last", "And in the last one?")]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and the result."""
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1e3, result


def measure(dialect: str, count: int, rounds: int) -> dict[str, float]:
    """The figures of one dialect."""
    items = history(count // 4 + 1)
    settings = Settings("benchmark", "", (), {}, stream=True)
    before = len(items) - 4
    first, again, checks, grown, walks = [], [], [], [], []
    for _ in range(rounds):
        encode, session = encoder(dialect), growing(dialect)
        spent, encoded = timed(lambda: encode.encode(items, before, settings))  # noqa: B023  # called at once
        first.append(spent)
        session.check(encoded.body)
        spent, encoded = timed(lambda: encode.encode(items, len(items), settings))  # noqa: B023
        again.append(spent)
        body = encoded.body
        spent, found = timed(lambda: check(body, dialect))  # noqa: B023
        assert not found, found
        checks.append(spent)
        spent, found = timed(lambda: session.check(body))  # noqa: B023
        assert not found, found
        grown.append(spent)
        walks.append(timed(lambda: _walk(body))[0])  # noqa: B023
    return {
        "items": len(items),
        "first_ms": statistics.median(first),
        "next_ms": statistics.median(again),
        "check_ms": statistics.median(checks),
        "next_check_ms": statistics.median(grown),
        "walk_ms": statistics.median(walks),
        "check_to_walk": statistics.median(a / b for a, b in zip(checks, walks, strict=True)),
    }


def _walk(body: bytes) -> int:
    data = msgspec.json.decode(body)
    return sum(len(item) for item in data.get("input") or data.get("contents") or data["messages"])


def main() -> None:
    """Run, and print a line per dialect or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--items", type=int, default=100_000, help="items of the history (default 100,000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    options = parser.parse_args()
    result = {dialect: measure(dialect, options.items, options.rounds) for dialect in DIALECTS}
    if options.json:
        print(json.dumps({"python": platform.python_version(), **result}))
        return
    print(f"Python {platform.python_version()}")
    for dialect, row in result.items():
        print(
            f"{dialect}, {row['items']:,} items: all encoded {row['first_ms']:.0f} ms, "
            f"one turn more {row['next_ms']:.1f} ms, checked {row['check_ms']:.0f} ms "
            f"({row['check_to_walk']:.1f} of a null walk), one turn more {row['next_check_ms']:.1f} ms"
        )


if __name__ == "__main__":
    main()
