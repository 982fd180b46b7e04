"""The files that a path means: itself, or what stands below it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from turnlock.cli.exits import Unusable

ENDINGS = (".json", ".jsonl", ".ndjson", ".traj", ".har")
"""Of the files that are looked at in folders; a file that is named is always looked at."""


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every file once, in the order of the paths; in folders by name, without what is hidden.

    Raises:
        Unusable: A folder has none.
    """
    seen: set[Path] = set()
    for path in paths:
        found = sorted(_below(path)) if path.is_dir() else [path]
        if not found:
            raise Unusable(f"{path} has no file that ends in {', '.join(ENDINGS)}")
        for file in found:
            if (known := file.resolve()) not in seen:
                seen.add(known)
                yield file


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name.lower().endswith(ENDINGS):
                yield Path(place, name)
