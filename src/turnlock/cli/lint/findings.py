"""A file → what is wrong in each of its requests.

A session's requests share their history, and each row is looked at once: a check goes on where the request
before it ended. What is wrong in a row is wrong in every request that carries it, and is found in each. How
the request ends that would be sent next is not judged: the user will say something first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from turnlock.cli.lint.explain import rule_of
from turnlock.reports import BODIES, Implied, Recording, open_recording
from turnlock.wire import Severity, Violation, Walk, check, walk

UNREADABLE = "UNREADABLE"
_NOT_JUDGED = frozenset({"instructions", "model"})
"""Fields of a body that change within a session and that no rule asks about."""


@frozen
class Finding:
    """A violation, and the request that has it.

    Attributes:
        file: The file.
        violation: The rule that is broken.
        request: The request; None when something could not be read.
        session: Which session of the file, when it has several.
        line: Where in the file, 1-based, when that is known.
        ahead: The file does not hold the request: it would be sent next.
    """

    file: Path
    violation: Violation
    request: Implied | None = None
    session: str = ""
    line: int | None = None
    ahead: bool = False

    @property
    def unreadable(self) -> bool:
        """It says that something could not be checked, not that something is wrong."""
        return self.violation.rule == UNREADABLE

    def as_json(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "file": str(self.file),
            "index": None if self.request is None else self.request.index,
            "dialect": None if self.request is None else self.request.dialect,
            "rule": self.violation.rule,
            "severity": str(self.violation.severity),
            "call_ids": list(self.violation.call_ids),
            "at": self.violation.at,
            "message": self.violation.message,
            "line": self.line,
        }


def look(path: Path, dialect: str | None, checked: Callable[[], None]) -> Iterator[Finding]:
    """Everything that is wrong in a file, request by request.

    Args:
        path: The file.
        dialect: What its requests are judged as; None for what they are written in.
        checked: Called for each request.
    """
    try:
        recordings = open_recording(path, dialect)
    except OSError as error:
        yield Finding(path, _unreadable(error.strerror or str(error)))
        return
    for recording in recordings:
        try:
            yield from _look_at(path, recording, checked)
        except OSError as error:  # it went away while it was read
            yield Finding(path, _unreadable(error.strerror or str(error)))


def _look_at(path: Path, recording: Recording, checked: Callable[[], None]) -> Iterator[Finding]:
    judge = _Judge()
    told = 0
    for request in recording.requests():
        for problem in recording.problems[told:]:
            yield Finding(path, _unreadable(problem.problem), line=problem.line)
        told = len(recording.problems)
        ahead = request.next and request.verdict is None and recording.format != BODIES
        for found in judge.verdict(request):
            if not (ahead and _says_how_it_ends(found, request)):
                yield Finding(path, found, request, recording.session, request.line, ahead)
        checked()
    for problem in recording.problems[told:]:
        yield Finding(path, _unreadable(problem.problem), line=problem.line)


def _says_how_it_ends(found: Violation, request: Implied) -> bool:
    last = f"/{request.key}/{request.length - 1}"
    return rule_of(request.dialect, found.rule).ends and f"{found.at}/".startswith(f"{last}/")


def _unreadable(problem: str) -> Violation:
    return Violation(UNREADABLE, Severity.ERROR, problem, "")


@define(eq=False)
class _Judge:
    """The check of one session, under way."""

    walk: Walk | None = field(init=False, default=None)
    envelope: Mapping[str, Any] = field(init=False, factory=dict)  # of the request that was judged last

    def verdict(self, request: Implied) -> tuple[Violation, ...]:
        try:
            if not request.key:
                return check(request.body(), request.dialect, request.open_calls)
            walk = self._goes_on(request)
        except ValueError as error:  # the file names a dialect that there is not
            return (_unreadable(str(error)),)
        walk.feed(request.rows[walk.rows : request.length])
        return walk.verdict()

    def _goes_on(self, request: Implied) -> Walk:
        if (
            self.walk is None
            or request.fresh == 0  # another body
            or request.fresh < self.walk.rows  # the history was edited
            or not _same(self.envelope, request.envelope)
        ):
            self.walk = walk(request.dialect, request.judged, request.open_calls)
        self.envelope = request.envelope
        return self.walk


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one is other or _judged(one) == _judged(other)


def _judged(envelope: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in envelope.items() if name not in _NOT_JUDGED}
