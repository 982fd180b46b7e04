"""Hunts for what is kept: ``python -m examples.frameworks.hunting [NAME …]`` writes ``found/<name>.py``.

A hunt is repeated until the smallest story that it finds is one that is wanted: a framework may break a
rule in several ways. Owns nothing but that; the files are those of ``turnlock fuzz``.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable

from examples.frameworks.kept import FOUND, KEPT, Kept, versions

from turnlock.testing import Finding, User, hunt
from turnlock.testing.hunting.kept import as_test
from turnlock.testing.hunting.smaller import Shrinker

_SECONDS = 20.0  # of one hunt
_SMALLER = 40.0  # seconds at most to make its finding as small as it can be
_HUNTS = 12
_STEPS = 10


def main(names: Iterable[str]) -> int:
    """Hunt what is named, or everything; how many were not found."""
    logging.disable()
    print(versions())
    wanted = set(names) or {kept.name for kept in KEPT}
    return sum(not _hunted(kept) for kept in KEPT if kept.name in wanted)


def _hunted(kept: Kept) -> bool:
    began, played = time.monotonic(), 0
    shrinker = Shrinker(kept.target.factory, kept.ignore)
    for number in range(1, _HUNTS + 1):
        hunted = hunt(kept.target.factory, seconds=_SECONDS, steps=_STEPS, ignore=kept.ignore)
        finding = hunted.finding
        played += hunted.played
        if finding is not None and finding.rule == kept.rule:
            finding = shrinker.made_small(finding, time.monotonic() + _SMALLER)
        if finding is not None and _is(kept, finding):
            text = as_test(finding, kept.target.module, kept.target.name, kept.ignore)
            (FOUND / f"{kept.name}.py").write_text(text)
            took = f"hunt {number}, story {hunted.stories}; {played} in all, {time.monotonic() - began:.0f} s"
            print(f"{kept.name}: {finding.rule}: {finding.what} ({took})", flush=True)
            return True
        print(
            f"  hunt {number}: {None if finding is None else (str(finding.rule), finding.steps)}", flush=True
        )
    print(f"{kept.name}: NOT FOUND in {played} stories")
    return False


def _is(kept: Kept, finding: Finding) -> bool:
    """It is the one that is wanted, it is small, and it shows every time."""
    return (
        finding.rule == kept.rule
        and kept.says in finding.what
        and {type(step) for step in finding.steps} == {User, *kept.steps}
        and finding.again[0] == finding.again[1]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
