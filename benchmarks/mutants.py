"""Every row of the two tables, got wrong in every way: which of them does the exploration find?

    python benchmarks/mutants.py [--json]

Rows are deleted, lose a guard, lead to another state, start in one state more; the engine that runs on such a
table is explored in the small worlds and in the plain one of two calls and two messages, until something is
wrong. The table goes to stdout, progress to stderr. Exit code 1: fewer than 85 % were found, or a mutant
survives for which no reason is known, or one dies that is said to survive.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
from collections.abc import Sequence

from turnlock import __version__
from turnlock.explore import Change, Hunt, hunt, row_mutants

GATE = 0.85
"""How many must be found."""


def hunted() -> list[Hunt]:
    mutants = row_mutants()
    found: list[Hunt] = []
    for number, mutant in enumerate(mutants, 1):
        began = time.perf_counter()
        found.append(hunt(mutant))
        seconds = time.perf_counter() - began
        violation = found[-1].violation
        fate = "survives" if violation is None else f"found in {violation.world}: {violation.text}"
        print(f"{number:3} of {len(mutants)}  {seconds:5.1f} s  {mutant.name}: {fate}", file=sys.stderr)
    return found


def report(hunts: Sequence[Hunt], seconds: float) -> None:
    print(f"turnlock {__version__}, Python {platform.python_version()}, {seconds:.0f} s")
    print(f"{'change':14}{'made':>6}{'found':>7}{'survive':>9}")
    for change in Change:
        of = [each for each in hunts if each.mutant.change is change]
        dead = sum(each.violation is not None for each in of)
        print(f"{change:14}{len(of):6}{dead:7}{len(of) - dead:9}")
    dead = sum(each.violation is not None for each in hunts)
    print(f"{'all':14}{len(hunts):6}{dead:7}{len(hunts) - dead:9}   {dead / len(hunts):.1%} found")
    longest = max(len(each.violation.moves) for each in hunts if each.violation is not None)
    print(f"The longest counterexample has {longest} moves.")
    for each in hunts:
        if each.violation is None:
            print(f"survives: {each.mutant.name}\n  {each.reason or 'NOBODY KNOWS WHY'}")
        elif not each.as_told:
            print(f"dies against its reason: {each.mutant.name}: {each.violation.text}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Find every wrong row of the two tables.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    gc.set_threshold(50_000, 20, 100)
    began = time.perf_counter()
    hunts = hunted()
    seconds = time.perf_counter() - began
    dead = sum(each.violation is not None for each in hunts)
    if as_json:
        survivors = {each.mutant.name: each.reason for each in hunts if each.violation is None}
        value = {"mutants": len(hunts), "found": dead, "survivors": survivors, "seconds": round(seconds, 1)}
        print(json.dumps(value))
    else:
        report(hunts, seconds)
    return 0 if dead >= GATE * len(hunts) and all(each.as_told for each in hunts) else 1


if __name__ == "__main__":
    sys.exit(main())
