"""Finds the findings: ``python -m examples.frameworks.hunting [NAME …]`` hunts, and writes ``found/<name>.py``.

Owns the form of those files. A hunt is repeated until the smallest story that it finds breaks the rule in
the way that is wanted: one framework may break one rule in several.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable

from examples.frameworks.kept import FOUND, KEPT, Kept, versions
from hypothesis.errors import Flaky

from turnlock.testing import Finding, Hunted, User, hunt
from turnlock.testing.sequencing.harness import Factory

_SECONDS = 25.0  # of one hunt
_HUNTS = 12
_STEPS = 8
_SORTS = ("Advance", "Answer", "Fail", "Interrupt", "Open", "Release", "Send", "Stubborn", "Together", "User")


def main(names: Iterable[str]) -> int:
    """Hunt what is named, or everything."""
    logging.disable()
    print(versions())
    wanted = set(names) or {kept.name for kept in KEPT}
    return sum(not _hunted(kept) for kept in KEPT if kept.name in wanted)


def _hunted(kept: Kept) -> bool:
    began, stories = time.monotonic(), 0
    for number in range(1, _HUNTS + 1):
        hunted = hunt_quietly(kept.factory, _SECONDS, kept.ignore)
        stories += hunted.stories
        finding = hunted.finding
        if finding is not None and _is(kept, finding):
            took = f"hunt {number}, story {stories}, {time.monotonic() - began:.0f} s"
            print(f"{kept.name}: {finding.rule}: {finding.what} ({took}, shows {finding.again})")
            (FOUND / f"{kept.name}.py").write_text(_written(kept, finding))
            return True
        print(f"  {kept.name}, hunt {number}: {None if finding is None else (finding.rule, finding.steps)}")
    print(f"{kept.name}: NOT FOUND in {stories} stories")
    return False


def hunt_quietly(factory: Factory, seconds: float, ignore: Iterable[str]) -> Hunted:
    """A hunt in which an agent that is faster or slower the second time is no error."""
    began = time.monotonic()
    try:
        return hunt(factory, seconds=seconds, steps=_STEPS, ignore=tuple(ignore))
    except Flaky:
        return Hunted(None, 0, 0, time.monotonic() - began)


def _is(kept: Kept, finding: Finding) -> bool:
    """It is the one that is wanted, it is small, and it shows every time."""
    sorts = {type(step) for step in finding.steps}
    return (
        finding.rule == kept.rule
        and kept.says in finding.what
        and sorts == {User, *kept.steps}
        and finding.again[0] == finding.again[1]
    )


def _written(kept: Kept, finding: Finding) -> str:
    story = "\n".join(finding.story)
    steps = ", ".join(map(repr, finding.steps))
    sorts = ", ".join(sort for sort in _SORTS if f"{sort}(" in steps)
    return f'''\
"""{kept.adapter} breaks the rule "{finding.rule}". Written by ``hunting``; ``check {kept.name}`` replays it.

{story}

{finding.what}
"""

from turnlock.testing import {sorts}

STEPS = ({steps},)
'''


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
