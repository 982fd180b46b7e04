"""The ten stories of the real runtime under very many schedules: ``tox -e schedules``.

    PYTHONPATH=tests python tests/testing/scheduling/campaign.py [--random N] [--deviations N] [--seed N]

Every schedule with at most two deviations of each story, then random ones, an equal share for each story:
uniform, bounded and by priorities, in turns. Each failure is replayed 20 times from its deviations; one that
does not fail each time is flaky. Progress goes to stderr, a table to stdout; exit 1 on a violation, 0
without.
"""

from __future__ import annotations

import argparse
import gc
import logging
import platform
import sys
import time
from collections.abc import Iterator
from random import Random

import trio
from attrs import define, field

from support.stories import STORIES, Story
from turnlock.testing.scheduling import Bounded, Deviations, Pct, Schedule, Uniform, every_schedule, shortest
from turnlock.testing.scheduling.running import outcome

REPLAYS = 20
SHOWN = 3
"""Failures of a story that are shortened and shown in full."""


@define
class Row:
    """What became of one story."""

    name: str
    points: int = 0
    deviating: int = 0
    random: int = 0
    violations: int = 0
    flaky: int = 0
    seconds: float = 0.0
    shown: list[str] = field(factory=list)

    def __str__(self) -> str:
        return (
            f"{self.name:<20} {self.points or '':>6}  {self.deviating:>13}  {self.random:>7}  "
            f"{self.violations:>10}  {self.flaky:>5}  {self.seconds:>7.0f}"
        )

    def failed(self, story: Story, deviations: Deviations, error: BaseException) -> None:
        """Replay a failure, count it, and keep the first few in words."""
        self.violations += 1
        replays = [outcome(story, deviations, ())[2] for _ in range(REPLAYS)]
        again = sum(type(each) is type(error) and str(each) == str(error) for each in replays)
        if again < REPLAYS:
            self.flaky += 1
        if len(self.shown) < SHOWN:
            few = shortest(story, deviations) if again == REPLAYS else deviations
            self.shown.append(f"{self.name} replayed {again} of {REPLAYS}: {few!r}\n{error}")


def random_schedules(name: str, seed: int, points: int, count: int) -> Iterator[Schedule]:
    """The same ones for the same seed, each from a source of its own."""
    for n in range(count):
        random = Random(f"{seed}/{name}/{n}")
        match n % 3:
            case 0:
                yield Uniform(random)
            case 1:
                yield Bounded(random, at_most=6, points=points)
            case _:
                yield Pct(random, points=points)


def play(story: Story, *, random: int, deviations: int, seed: int) -> Row:
    """All schedules of one story."""
    row = Row(story.__name__)
    start = time.perf_counter()
    for taken, error in every_schedule(story, at_most=deviations):
        row.deviating += 1
        if error is not None:
            row.failed(story, taken, error)
        if row.deviating % 200 == 0:
            say(f"{row.name}: {row.deviating} schedules with at most {deviations} deviations")
    row.points = outcome(story, Deviations(), ())[1].points
    for schedule in random_schedules(row.name, seed, row.points, random):
        _result, run, error = outcome(story, schedule, ())
        row.random += 1
        if error is not None:
            row.failed(story, run.deviations, error)
        if row.random % 500 == 0:
            say(f"{row.name}: {row.random} of {random} random schedules")
            gc.collect()
    row.seconds = time.perf_counter() - start
    return row


def say(text: str) -> None:
    """Progress, on one line."""
    print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Play them all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--random", type=int, default=100_000, help="random schedules in all (default 100,000)"
    )
    parser.add_argument("--deviations", type=int, default=2, help="all schedules with so many (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the random schedules (default 0)")
    options = parser.parse_args()
    logging.getLogger("turnlock").setLevel(logging.CRITICAL)  # what schedules make late is told as warnings
    share = -(-options.random // len(STORIES))
    rows = [play(story, random=share, deviations=options.deviations, seed=options.seed) for story in STORIES]
    print(file=sys.stderr)
    print(f"Python {platform.python_version()}, trio {trio.__version__}, seed {options.seed}")
    print(f"{'story':<20} points  ≤{options.deviations} deviations   random  violations  flaky  seconds")
    total = Row("all")
    for row in rows:
        print(row)
        for name in ("deviating", "random", "violations", "flaky", "seconds"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
    print(total)
    for shown in (text for row in rows for text in row.shown):
        print(f"\n{shown}")
    sys.exit(any(row.violations for row in rows))


if __name__ == "__main__":
    main()
