"""Where captured exchanges are written: a line each, for the owner's eyes only.

Owns the file. Lines are appended whole, so that several processes may share one.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from attrs import define, field


@define(eq=False)
class Lines:
    """A file that grows by whole lines. May be used from any thread.

    Attributes:
        place: A file, if its name ends in ``.jsonl``; else a folder, where every process has a file of its
            own, named after the time of its first line.
    """

    place: Path
    _file: Path | None = field(init=False, default=None)
    _torn: bool = field(init=False, default=False)
    _lock: Lock = field(init=False, factory=Lock)

    def append(self, line: bytes) -> None:
        """Write a line.

        Raises:
            OSError: It cannot be written, or not as a whole.
        """
        with self._lock:
            handle = os.open(self._path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                line = b"\n" * self._torn + line + b"\n"
                written = os.write(handle, line)  # one call: nobody else's bytes come between
                self._torn = 0 < written < len(line)
                if written < len(line):
                    raise OSError(f"only {written} of {len(line)} bytes were written")
            finally:
                os.close(handle)

    def _path(self) -> Path:
        if self._file is None:
            file = self.place
            if file.suffix != ".jsonl":
                name = f"turnlock-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.jsonl"
                file = file / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = file
        return self._file
