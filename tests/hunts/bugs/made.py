"""What a seeded bug is, and how it is made: one method in the place of another, for the time of a run.

The methods that the engine and the runtime have looked up before stand in tables; what is replaced is
replaced there, too. Nothing here knows which bugs there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from functools import partial
from typing import Any

from attrs import field, frozen

from turnlock.engine import engine as engine_module
from turnlock.runtime import conductor as conductor_module

_TABLES: tuple[Any, ...] = (
    engine_module._HANDLERS,
    engine_module._ACTIONS,
    conductor_module.PERFORM,
)


class Room(StrEnum):
    """Where the bug sits."""

    ENGINE = "engine"
    RUNTIME = "runtime"


class Shows(StrEnum):
    """When the bug can be seen.

    ``always``: in the simplest story that touches what it breaks, on the first-in-first-out schedule.
    ``moment``: only when something comes at one moment of the story: within a grace, during a backoff.
    ``order``: only when tasks that are ready together run in one order and not in another.
    """

    ALWAYS = "always"
    MOMENT = "moment"
    ORDER = "order"


@frozen
class Source:
    """The issue or pull request that inspired a bug.

    Attributes:
        repository: ``owner/name`` on GitHub.
        number: Of the issue or pull request.
        happened: What happened there, in one sentence.
    """

    repository: str
    number: int
    happened: str

    @property
    def url(self) -> str:
        """Its address; GitHub leads from an issue's to a pull request's."""
        return f"https://github.com/{self.repository}/issues/{self.number}"

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


@frozen
class Bug:
    """A mistake that somebody could make.

    Attributes:
        name: What it is called, everywhere.
        story: What goes wrong, in one sentence.
        inspired_by: Where it was seen.
        room: Where it sits.
        shows: When it can be seen.
        breaks: The rules and cases that it violates.
        make: Makes the mistake for the time of a ``with`` block.
    """

    name: str
    story: str
    inspired_by: Source
    room: Room
    shows: Shows
    breaks: str
    make: Callable[[], AbstractContextManager[None]] = field(eq=False, repr=False)

    def __str__(self) -> str:
        return self.name


@contextmanager
def _replaced(owner: type, name: str, wrong: Any) -> Iterator[None]:
    right = owner.__dict__[name]
    places = [(table, key) for table in _TABLES for key, method in table.items() if method is right]
    setattr(owner, name, wrong)
    for table, key in places:
        table[key] = wrong
    try:
        yield
    finally:
        setattr(owner, name, right)
        for table, key in places:
            table[key] = right


def instead_of(owner: type, name: str, wrong: Any) -> Callable[[], AbstractContextManager[None]]:
    """What makes a bug: ``wrong`` stands in the place of a method or property of a class."""
    assert name in owner.__dict__, f"{owner.__name__} has no {name}: the bug would change nothing"
    return partial(_replaced, owner, name, wrong)
