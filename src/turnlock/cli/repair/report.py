"""What was done and what is left, on stderr: for people, or a JSON object for each body."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from attrs import define, field

from turnlock.cli.lint.explain import rule_of
from turnlock.cli.lint.findings import UNREADABLE
from turnlock.cli.lint.rows import in_a_line
from turnlock.cli.repair.mending import Mended
from turnlock.cli.screen import Progress, counted
from turnlock.reports import Implied, Unreadable
from turnlock.wire import Severity, Violation
from turnlock.wire.repair import Change

_WIDTH = 100  # letters of what was set aside, where it is not told in full
_EVERY = 100  # bodies between two looks at the clock
_NOTHING = {True: "nothing to repair", False: "nothing was looked at"}


@define(eq=False)
class Report:
    """Tells of each body when it is mended.

    Attributes:
        path: The file.
        as_json: Print JSON.
        verbose: Show in full what was set aside.
        progress: The line that comes and goes.
    """

    path: Path
    as_json: bool
    verbose: bool
    progress: Progress
    counts: Counter[str] = field(init=False, factory=Counter)

    def tell(self, request: Implied, done: Mended) -> None:
        """A body was mended, or needed no repair."""
        self.counts["bodies"] += 1
        self.counts["mended"] += bool(done.changes)
        self.counts["changes"] += len(done.changes)
        for found in done.left:
            self.counts["unread" if found.rule == UNREADABLE else "left"] += 1
        if self.counts["bodies"] % _EVERY == 0:
            self.progress.show(f"{self.path}, {self.counts['bodies']:,} bodies")
        if self.as_json:
            self._print(_line(_as_json(self.path, request, done)))
        elif done.changes or done.left:
            for line in self._lines(request, done):
                self._print(line)

    def unread(self, problem: Unreadable) -> None:
        """Something could not be read."""
        self.counts["unread"] += 1
        if self.as_json:
            left = _left(Violation(UNREADABLE, Severity.ERROR, problem.problem, ""))
            place = {"file": str(self.path), "index": None, "line": problem.line, "dialect": None}
            self._print(_line({**place, "changed": False, "changes": [], "left": [left]}))
        else:
            where = f"{self.path}" if problem.line is None else f"{self.path}:{problem.line}"
            self._print(f"{where}: error[UNREADABLE] {problem.problem}")

    def conclude(self) -> None:
        """The last line."""
        if self.as_json:
            return
        bodies, mended, changes, left, unread = (
            self.counts[name] for name in ("bodies", "mended", "changes", "left", "unread")
        )
        said = f"{counted(bodies, 'body')}: "
        said += f"{mended:,} repaired ({counted(changes, 'change')})" if mended else _NOTHING[bodies > 0]
        said += f"; {counted(left, 'error')} left that no repair can mend" if left else ""
        said += f"; {counted(unread, 'problem')} of reading" if unread else ""
        self._print(f"{said}.")

    def _print(self, text: str) -> None:
        self.progress.hide()
        click.echo(text, err=True)

    def _lines(self, request: Implied, done: Mended) -> Iterator[str]:
        where = f"{self.path}" if request.line is None else f"{self.path}:{request.line}"
        yield f"{where}: request {request.index} of {done.dialect}"
        for change in done.changes:
            place = " ".join(part for part in (change.at, *change.call_ids) if part)
            yield f"  repaired {place}: {change.what}" if place else f"  repaired: {change.what}"
            if change.set_aside is not None:
                yield f"    set aside: {self._shown(change.set_aside)}"
        for found in done.left:
            yield f"  left {found.at or 'the body'}: error[{found.rule}] {found.message}"
            yield f"    help: {rule_of(done.dialect, found.rule).fix}"

    def _shown(self, aside: object) -> str:
        whole = _line(aside)
        if self.verbose:
            return whole
        told = in_a_line(aside)
        line = " ".join((whole if told == "?" else told).split())
        return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…  (--verbose shows all of it)"


def _line(told: object) -> str:
    return json.dumps(told, default=str)  # ASCII: what was set aside may hold half of a letter


def _as_json(path: Path, request: Implied, done: Mended) -> dict[str, Any]:
    return {
        "file": str(path),
        "index": request.index,
        "line": request.line,
        "dialect": done.dialect,
        "changed": bool(done.changes),
        "changes": [_change(change) for change in done.changes],
        "left": [_left(found) for found in done.left],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "what": change.what,
        "at": change.at,
        "rule": change.rule,
        "call_ids": list(change.call_ids),
        "set_aside": change.set_aside,
    }


def _left(found: Violation) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": str(found.severity),
        "message": found.message,
        "at": found.at,
        "call_ids": list(found.call_ids),
    }
