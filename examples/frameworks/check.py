"""Does what was found still show? ``python -m examples.frameworks.check [NAME …]``.

Replays what is named and tells its story, or replays all; then it hunts for a few seconds in every adapter
for rules that no finding of it breaks. Exit code 1: something does not show any more, or a hunt has found
what is not kept. Owns nothing else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from examples.frameworks.kept import KEPT, Target, versions

from turnlock.testing import Rule, hunt

_SECONDS = 6.0  # of one hunt


def main(names: Sequence[str]) -> int:
    """Replay, and hunt."""
    logging.disable()
    print(versions())
    gone = sum(not _shown(name, whole=bool(names)) for name in names or [kept.name for kept in KEPT])
    new = 0 if names else sum(_new(target) for target in dict.fromkeys(kept.target for kept in KEPT))
    return int(bool(gone or new))


def _shown(name: str, *, whole: bool) -> bool:
    kept = next((kept for kept in KEPT if kept.name == name), None)
    if kept is None:
        sys.exit(f"there is no {name!r}; there are {', '.join(kept.name for kept in KEPT)}")
    violation = kept.shows()
    if violation is None:
        print(f"{name}: does not show any more")
        return False
    print(f"{name}: {violation if whole else f'{violation.rule}: {violation.what}'}", flush=True)
    return True


def _new(target: Target) -> bool:
    known = {rule for kept in KEPT if kept.target == target for rule in (kept.rule, *kept.ignore)}
    if known & {Rule.LOST, Rule.ERASED}:
        known.add(Rule.UNANSWERED)  # the same, said of the moment before the next request
    hunted = hunt(target.factory, seconds=_SECONDS, ignore=known)
    told = "nothing else" if hunted.finding is None else f"{hunted.finding}"
    print(f"{target}, without {', '.join(sorted(known))}: {hunted.played} stories, {told}", flush=True)
    return hunted.finding is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
