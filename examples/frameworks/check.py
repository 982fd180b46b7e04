"""Does what was found still show? ``python -m examples.frameworks.check [NAME …]``.

Replays what is named, or all, and tells each story; without names it also hunts for a few seconds in every
adapter, for rules that no finding of it breaks. Exit code 1: something does not show any more, or a hunt has found what is
not kept yet. Owns nothing else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from examples.frameworks.hunting import hunt_quietly
from examples.frameworks.kept import KEPT, adapter, versions

_SECONDS = 6.0  # of one hunt


def main(names: Sequence[str]) -> int:
    """Replay, and hunt."""
    logging.disable()
    print(versions())
    gone = sum(not _shown(name, whole=bool(names)) for name in names or [kept.name for kept in KEPT])
    new = 0 if names else sum(_new(name) for name in dict.fromkeys(kept.adapter for kept in KEPT))
    return int(bool(gone or new))


def _shown(name: str, *, whole: bool) -> bool:
    kept = next(kept for kept in KEPT if kept.name == name)
    violation = kept.shows()
    if violation is None:
        print(f"{name}: does not show any more")
        return False
    print(f"{name}: {violation if whole else f'{violation.rule}: {violation.what}'}")
    return True


def _new(name: str) -> bool:
    known = {rule for kept in KEPT if kept.adapter == name for rule in (kept.rule, *kept.ignore)}
    hunted = hunt_quietly(adapter(name), _SECONDS, known)
    finding = hunted.finding
    print(f"{name}, without {', '.join(sorted(known))}: {hunted.played} stories, {finding or 'nothing else'}")
    return finding is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
