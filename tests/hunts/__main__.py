"""The hunts of all seeded bugs, from the command line: how many find theirs, and how many examples they take.

``python -m hunts`` prints the distribution as a table, and leaves with 1 unless every hunt of every bug found
it, simplified it to few deviations, replayed it at the first example in a fresh process, and the same hunts
found nothing without a bug.
"""

from __future__ import annotations

import argparse
import logging
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from attrs import define, field
from hypothesis import Phase

from hunts.bugs import BUGS, Bug
from hunts.hunting import EXAMPLES, FEW, Found, hunt

HUNTS = 30
"""Hunts for each bug, each with a seed of its own."""


@define(eq=False)
class Tally:
    """What the hunts of one bug came to.

    Attributes:
        bug: The bug.
        hunts: How many there were.
        found: What was found.
        replayed: The example at which the kept one broke in a fresh process; 0 when it did not.
    """

    bug: Bug
    hunts: int
    found: list[Found] = field(factory=list)
    replayed: int = 0

    @property
    def deviations(self) -> list[int]:
        """How many were left in each."""
        return [len(each.deviations) for each in self.found]

    @property
    def good(self) -> bool:
        """All that is asked of it."""
        return len(self.found) == self.hunts and max(self.deviations) <= FEW and self.replayed == 1

    def row(self) -> str:
        """Its line of the table."""
        if not self.found:
            return _row(self.bug, self.bug.room, self.bug.shows, f"0 of {self.hunts}", *"—————")
        examples = [each.examples for each in self.found]
        ((story, _),) = Counter(each.story for each in self.found).most_common(1)
        return _row(
            self.bug,
            self.bug.room,
            self.bug.shows,
            f"{len(self.found)} of {self.hunts}",
            f"{median(examples):g} / {max(examples)}",
            f"{median(self.deviations):g} / {max(self.deviations)}",
            self.replayed or "never",
            story.replace("_", " "),
            f"{sum(each.seconds for each in self.found) / len(self.found):.1f}",
        )


HEAD = ("bug", "room", "shows", "found", "examples", "deviations", "replayed at", "mostly in", "s")


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def tally(bug: Bug, hunts: int) -> Tally:
    """All hunts of a bug."""
    result = Tally(bug, hunts)
    with tempfile.TemporaryDirectory() as folder:
        with bug.make():
            result.found.extend(found for number in range(hunts) if (found := hunt(number)) is not None)
            hunt(kept=Path(folder))  # with a seed hypothesis keeps nothing
        replay = [sys.executable, "-m", "hunts", "--replay", bug.name, folder]
        said = subprocess.run(replay, capture_output=True, text=True, check=False)
    result.replayed = int(said.stdout) if said.returncode == 0 else 0
    return result


def replay(name: str, folder: str) -> int:
    """Print the example at which a kept one breaks."""
    with BUGS[name].make():
        found = hunt(kept=Path(folder), phases=(Phase.reuse,))
    print(0 if found is None else found.examples)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt, and print what came of it."""
    reader = argparse.ArgumentParser(prog="hunts", description=__doc__)
    reader.add_argument("bugs", nargs="*", help="parts of their names; default: all of them")
    reader.add_argument("--hunts", type=int, default=HUNTS, help="hunts for each bug")
    reader.add_argument("--replay", nargs=2, metavar=("BUG", "FOLDER"), help=argparse.SUPPRESS)
    given = reader.parse_args(arguments)
    logging.getLogger("turnlock").addHandler(logging.NullHandler())  # leaks are what some stories are about
    if given.replay:
        return replay(*given.replay)
    bugs = [bug for bug in BUGS.values() if not given.bugs or any(part in bug.name for part in given.bugs)]
    print(_row(*HEAD), _row(*["---"] * len(HEAD)), sep="\n", flush=True)
    good = True
    for bug in bugs:
        result = tally(bug, given.hunts)
        good = good and result.good
        print(result.row(), flush=True)
    alarms = [found for number in range(given.hunts) if (found := hunt(number)) is not None]
    print(f"\nwithout a bug: {len(alarms)} of {given.hunts} hunts found something")
    for alarm in alarms:
        print(f"  {alarm}")
    packages = ", ".join(f"{name} {version(name)}" for name in ("trio", "hypothesis"))
    print(f"{EXAMPLES} examples a hunt; Python {platform.python_version()}, {packages}")
    return 0 if good and not alarms else 1


if __name__ == "__main__":
    sys.exit(main())
