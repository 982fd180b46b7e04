"""How long a tool that does not stop can hold a turn: on the real clock, deadline 0.5 s, grace 0.2 s.

    python benchmarks/bounds.py [--json] [--rounds N]

Each tool takes 2 s: it swallows its cancellation in a loop, shields itself, or blocks a thread. Measured is
the time from its start to the next request.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
import time

import trio

from turnlock import CallStarted, Limits, RequestSent, Scripted, Session, Tool, tool
from turnlock.models import Invoke, Say

LONG, BOUND = 2.0, 0.75


@tool
async def swallows() -> None:
    """Take no notice of being cancelled."""
    end = trio.current_time() + LONG
    while trio.current_time() < end:
        try:
            await trio.sleep(end - trio.current_time())
        except trio.Cancelled:  # this is what it is about
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)


@tool
async def shields() -> None:
    """Be shielded from every cancellation."""
    with trio.CancelScope(shield=True):
        await trio.sleep(LONG)


@tool
def blocks() -> None:
    """Block a thread."""
    time.sleep(LONG)


async def hold(stubborn: Tool) -> float:
    """Seconds from the start of the tool to the next request."""
    model = Scripted([Invoke(stubborn.name), Say("On.")])
    limits = Limits(deadline=0.5, grace=0.2)
    async with Session(model, tools=[stubborn], limits=limits) as session, session.turn("Go.") as turn:
        start = 0.0
        async for event in turn:
            match event:
                case CallStarted():
                    start = trio.current_time()
                case RequestSent(request=2):
                    return trio.current_time() - start
    raise AssertionError("there was no second request")


async def measure(rounds: int) -> dict[str, list[float]]:
    """The seconds of every round, by tool."""
    return {each.name: [await hold(each) for _ in range(rounds)] for each in (swallows, shields, blocks)}


def main() -> None:
    """Run, and print a line per tool or JSON; exit 1 when one held the turn for more than 0.75 s."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per tool, of 2 s each (default 3)")
    options = parser.parse_args()
    logging.getLogger("turnlock").addHandler(logging.NullHandler())  # the leaks are meant
    seconds = trio.run(measure, options.rounds)
    late = max(map(max, seconds.values())) > BOUND
    if options.json:
        print(json.dumps({"python": platform.python_version(), "seconds": seconds, "bound": BOUND}))
    else:
        for name, measured in seconds.items():
            print(f"{name}: the next request left after {max(measured):.3f} s at most (bound {BOUND} s)")
    sys.exit(late)


if __name__ == "__main__":
    main()
