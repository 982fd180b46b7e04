"""What several commands do alike: how far they are, how many of something, long work, files in one step.

Owns the one line on a terminal that comes and goes. It must not know what a command counts or writes.
"""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from attrs import define, field
from rich.console import Console
from rich.status import Status

_PATIENCE = 1.0  # seconds before it is shown


class Paper(Console):
    """Where a command tells what it has found. A reader who leaves ends it as it ends every command."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled; rich itself would end with 1, which means something here."""
        raise BrokenPipeError


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


@contextmanager
def in_one_step(path: Path) -> Iterator[BinaryIO]:
    """Write to a file beside it that takes its place at the end: nobody ever sees half of it.

    When the block fails, nothing has changed. A link stays a link, and what is no regular file (a pipe, a
    device) is written as it is.

    Raises:
        OSError: It cannot be written there.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    opened = _opened(new, path)
    try:
        with opened as stream:
            yield stream
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _opened(new: Path, path: Path) -> BinaryIO:
    try:
        return new.open("wb")
    except OSError as error:  # say the name that was given
        raise type(error)(error.errno, error.strerror, str(path)) from error
