"""What several commands do in the same way: how far they are, how many of something there are, long work.

Owns the one line on a terminal that comes and goes. It must not know what a command counts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from attrs import define, field
from rich.console import Console
from rich.status import Status

_PATIENCE = 1.0  # seconds before it is shown


@define(eq=False)
class Progress:
    """A line on stderr, on a terminal, once something takes long."""

    _console: Console = field(factory=lambda: Console(stderr=True), init=False)
    _began: float = field(factory=time.monotonic, init=False)
    _status: Status | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.hide()

    @property
    def gone(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began

    def show(self, text: str) -> None:
        """Show this from now on."""
        if not self._console.is_terminal or self.gone < _PATIENCE:
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def hide(self) -> None:
        """Leave the screen to what is to be told."""
        if self._status is not None:
            self._status.stop()
            self._status = None


@contextmanager
def few_collections() -> Iterator[None]:
    """Collect garbage more rarely: looking through all that was seen takes half of the time otherwise."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def counted(number: int, what: str) -> str:
    """So many of something: ``1 story``, ``1,200 stories``."""
    many = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{number:,} {what if number == 1 else many}"
