"""The tables of ``docs/hunts.md``: the corpus and the stories as they are listed there."""

from __future__ import annotations

from collections.abc import Iterator

from hunts.bugs import BUGS
from hunts.stories import STORIES

CORPUS_HEAD = ("bug", "where", "shows", "breaks", "what goes wrong", "seen in", "what happened there")
STORIES_HEAD = ("story", "what it is about")


def row(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def corpus() -> Iterator[str]:
    """The lines of the table of all bugs."""
    yield row(*CORPUS_HEAD)
    yield row(*["---"] * len(CORPUS_HEAD))
    for bug in BUGS.values():
        source = bug.inspired_by
        seen = f"[{source}]({source.url})"
        yield row(bug.name, bug.room, bug.shows, bug.breaks, bug.story, seen, source.happened)


def stories() -> Iterator[str]:
    """The lines of the table of all stories."""
    yield row(*STORIES_HEAD)
    yield row(*["---"] * len(STORIES_HEAD))
    for name, story in STORIES.items():
        yield row(name.replace("_", " "), (story.play.__doc__ or "").strip())
