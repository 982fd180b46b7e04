"""What a host gives for a journal -> a journal: a path is a JSONL file, nothing is memory."""

from __future__ import annotations

import os

from turnlock.journal.jsonl import JsonlJournal
from turnlock.journal.memory import MemoryJournal
from turnlock.journal.protocol import Journal

_METHODS = ("acquire", "append", "read", "release")


def as_journal(given: Journal | str | os.PathLike[str] | None) -> Journal:
    """The journal that was meant.

    Raises:
        TypeError: It is none; the text says what is missing.
    """
    if given is None:
        return MemoryJournal()
    if isinstance(given, (str, os.PathLike)):
        return JsonlJournal(given)
    missing = [name for name in _METHODS if not callable(getattr(given, name, None))]
    if not hasattr(given, "keeps_requests"):
        missing.append("keeps_requests")
    if missing or isinstance(given, type):
        lacks = f"it has no {', '.join(missing)}" if missing else "it is a class: make one"
        raise TypeError(
            f"journal={given!r} is no journal ({lacks}): give a path, or an object with what "
            "turnlock.journal.Journal says"
        )
    return given
