"""The hunts of all seeded bugs, from the command line: how many find theirs, and how many examples they take.

``python -m hunts`` prints the distribution as a table, and leaves with 1 unless every hunt of every bug found
it and made it simple, what was found was replayed at the first example in a fresh process, and the same hunts
found nothing without a bug. ``--driven`` does it with the driver of sequencing tests, and only reports;
``--corpus`` prints the table of the bugs.
"""

from __future__ import annotations

import argparse
import logging
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from statistics import median

from attrs import define, field
from hypothesis import Phase

from hunts.bugs import BUGS, Bug
from hunts.driven import drive
from hunts.hunting import EXAMPLES, FEW, Found, fewest, hunt
from hunts.listing import corpus, row

HUNTS = 30
"""Hunts for each bug, each with a seed of its own."""


@define(eq=False)
class Tally:
    """What the hunts of one bug came to.

    Attributes:
        bug: The bug.
        hunts: How many there were.
        found: What was found.
        few: How many deviations are left in each, made as simple as can be.
        replayed: The example at which the kept one broke in a fresh process; 0 when it did not.
    """

    bug: Bug
    hunts: int
    found: list[Found] = field(factory=list)
    few: list[int] = field(factory=list)
    replayed: int = 0

    @property
    def good(self) -> bool:
        """All that is asked of it."""
        return len(self.found) == self.hunts and max(self.few) <= FEW and self.replayed == 1

    def row(self) -> str:
        """Its line of the table."""
        begin = self.bug.name, self.bug.room, self.bug.shows, f"{len(self.found)} of {self.hunts}"
        if not self.found:
            return row(*begin, *["-"] * (len(HEAD) - len(begin)))
        story, _ = Counter(each.story for each in self.found).most_common(1)[0]
        return row(
            *begin,
            _spread(each.examples for each in self.found),
            _spread(len(each.deviations) for each in self.found),
            _spread(self.few),
            self.replayed or "never",
            story.replace("_", " "),
        )


HEAD = ("bug", "where", "shows", "found", "examples", "left", "fewest", "replayed at", "mostly in")


def _spread(numbers: Iterable[int]) -> str:
    known = list(numbers)
    return f"{median(known):g}, {max(known)}"


def tally(bug: Bug, hunts: int) -> Tally:
    """All hunts of a bug."""
    result = Tally(bug, hunts)
    with tempfile.TemporaryDirectory() as folder:
        with bug.make():
            result.found.extend(found for number in range(hunts) if (found := hunt(number)) is not None)
            result.few.extend(len(fewest(found)) for found in result.found)
            hunt(kept=Path(folder))  # with a seed hypothesis keeps nothing
        again = [sys.executable, "-m", "hunts", "--replay", bug.name, folder]
        said = subprocess.run(again, capture_output=True, text=True, check=False)
    result.replayed = int(said.stdout) if said.returncode == 0 else 0
    return result


def replay(name: str, folder: str) -> int:
    """Print the example at which a kept one breaks."""
    with BUGS[name].make():
        found = hunt(kept=Path(folder), phases=(Phase.reuse,))
    print(0 if found is None else found.examples)
    return 0


def distribution(bugs: Sequence[Bug], hunts: int) -> int:
    """Hunt in the stories, and print what came of it."""
    print(row(*HEAD), row(*["---"] * len(HEAD)), sep="\n", flush=True)
    good = True
    for bug in bugs:
        result = tally(bug, hunts)
        good = good and result.good
        print(result.row(), flush=True)
    alarms = [found for number in range(hunts) if (found := hunt(number)) is not None]
    print(f"\nwithout a bug: {len(alarms)} of {hunts} hunts found something")
    for alarm in alarms:
        print(f"  {alarm}")
    print(f"{EXAMPLES} examples a hunt; {_versions()}")
    return 0 if good and not alarms else 1


def by_the_driver(bugs: Sequence[Bug], hunts: int) -> int:
    """Hunt with random stories, and print what came of it; nothing may be found without a bug."""
    print(row("bug", "found", "stories", "rules"), row(*["---"] * 4), sep="\n", flush=True)
    alarms = 0
    for bug in (*bugs, None):
        with nullcontext() if bug is None else bug.make():
            driven = [drive(number) for number in range(hunts)]
        found = [each for each in driven if each.rule]
        rules = ", ".join(sorted({each.rule for each in found}))
        name = "none" if bug is None else bug.name
        stories = _spread(each.stories for each in found) if found else "-"
        print(row(name, f"{len(found)} of {hunts}", stories, rules), flush=True)
        if bug is None:
            alarms = len(found)
    print(_versions())
    return 1 if alarms else 0


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("trio", "hypothesis"))
    return f"Python {platform.python_version()}, {packages}"


def main(arguments: Sequence[str] | None = None) -> int:
    """What is asked for."""
    reader = argparse.ArgumentParser(prog="hunts", description=__doc__)
    reader.add_argument("bugs", nargs="*", help="parts of their names; default: all of them")
    reader.add_argument("--hunts", type=int, default=HUNTS, help="hunts for each bug")
    reader.add_argument("--driven", action="store_true", help="by the driver of sequencing tests")
    reader.add_argument("--corpus", action="store_true", help="print the table of the bugs")
    reader.add_argument("--replay", nargs=2, metavar=("BUG", "FOLDER"), help=argparse.SUPPRESS)
    given = reader.parse_args(arguments)
    logging.getLogger("turnlock").addHandler(logging.NullHandler())  # leaks are what some stories are about
    if given.corpus:
        print(*corpus(), sep="\n")
        return 0
    if given.replay:
        return replay(*given.replay)
    bugs = [bug for bug in BUGS.values() if not given.bugs or any(part in bug.name for part in given.bugs)]
    return (by_the_driver if given.driven else distribution)(bugs, given.hunts)


if __name__ == "__main__":
    sys.exit(main())
