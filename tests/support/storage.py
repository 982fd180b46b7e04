"""Journals of every sort, each over a storage that can be opened more than once; a new one joins in SORTS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from turnlock import JsonlJournal, MemoryJournal
from turnlock.journal import Journal

OpenJournal = Callable[[], Journal]
"""Another journal over the same storage; the same one, where it has no storage but itself."""


def _memory(_folder: Path) -> OpenJournal:
    journal = MemoryJournal()
    return lambda: journal


def _jsonl(folder: Path) -> OpenJournal:
    return lambda: JsonlJournal(folder / "run.jsonl")


SORTS: Mapping[str, Callable[[Path], OpenJournal]] = {"memory": _memory, "jsonl": _jsonl}


@asynccontextmanager
async def owned(journal: Journal, session: str = "s") -> AsyncIterator[int]:
    """Own a session for the length of a block; the epoch is given."""
    epoch = await journal.acquire(session)
    try:
        yield epoch
    finally:
        await journal.release(session, epoch)
