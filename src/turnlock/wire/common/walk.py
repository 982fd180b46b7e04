"""The check of a request as a walk over its rows, which may go on where it stopped.

A history grows, and its beginning does not change: so a check is fed the rows of a body's list one by one and
can be asked for its verdict at any time, at a cost that does not depend on what it has already passed. A
dialect's ``check.py`` says what it sees in a row, what only the end decides, and what the rest of the body
changes. ``Growing`` is the same on bytes: a body that begins with the bytes of the one before it is read only
from there (spec/PERFORMANCE.md, 6).

A walk never fails: whatever JSON it is given, it answers with violations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from attrs import define, field

from turnlock.wire.common.rules import UNREADABLE, Rule, Severity, Violation

WHOLE = -1
"""Where a violation stands that is about no row, but about the list or the body."""

Found = tuple[int, Violation]


@define(eq=False)
class Walk(ABC):
    """One check under way.

    Attributes:
        envelope: The body without its list.
        profiles: What is known of the server beside its dialect.
        open_calls: Ids of calls that the provider holds open.
    """

    rows_field: ClassVar[str]
    """The field of the body that carries its list."""

    envelope: Mapping[str, Any]
    profiles: frozenset[str] = frozenset()
    open_calls: frozenset[str] = frozenset()
    rows: int = field(init=False, default=0)
    _found: list[Found] = field(init=False, factory=list)

    def feed(self, rows: Iterable[object]) -> None:
        """The next rows of the list."""
        for row in rows:
            at = self.rows
            self.rows += 1
            if row.__class__ is dict or isinstance(row, Mapping):  # the first is quick, and nearly always so
                self._look_at(at, row)
            else:
                self._add(at, UNREADABLE, problem=f"{self.rows_field}[{at}] is not an object")

    def verdict(self) -> tuple[Violation, ...]:
        """Every violation of a request that ends here, in the order of the body. The walk can go on."""
        found = [*self._found, *self._pending()]
        if not found:
            return ()
        found.sort(key=lambda entry: entry[0])
        return tuple(violation for _, violation in found)

    def rows_in(self, body: Mapping[str, Any]) -> tuple[Iterable[object], str]:
        """The rows of a body, and what is wrong when it has no list of them."""
        rows = body.get(self.rows_field)
        if isinstance(rows, list | tuple):
            return rows, ""
        return (), f"{self.rows_field} is not a list"

    @abstractmethod
    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        """Take the next row."""

    @abstractmethod
    def _pending(self) -> Iterator[Found]:
        """What is wrong only if nothing follows. Must not change the walk."""

    def _add(
        self, at: int, rule: Rule, call_ids: tuple[str, ...] = (), *, below: str = "", **names: object
    ) -> None:
        """Note what no later row can mend."""
        self._found.extend(self._broken(at, rule, call_ids, below=below, severity=None, **names))

    def _broken(
        self,
        at: int,
        rule: Rule,
        call_ids: tuple[str, ...] = (),
        *,
        below: str = "",
        severity: Severity | None = None,
        **names: object,
    ) -> Iterator[Found]:
        """A violation at a row, if it is one at this server.

        Args:
            at: The row, or ``WHOLE``.
            rule: The rule.
            call_ids: The provider's labels of the calls that it is about.
            below: Where in the row, as a JSON pointer.
            severity: How it counts here, where that is not what the rule says.
            names: What fills the rule's text; ``i`` is the row.
        """
        severity = severity or rule.severity_in(self.profiles)
        if severity is not None:
            where = f"/{self.rows_field}" if at == WHOLE else f"/{self.rows_field}/{at}"
            names.setdefault("i", at)
            yield at, rule.broken(where + below, call_ids, severity=severity, **names)


def body_of(body: Mapping[str, Any] | bytes | str) -> tuple[Mapping[str, Any], str]:
    """What a body says, and what is wrong when it cannot be read."""
    value: object = body
    if isinstance(body, bytes | str):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return {}, f"it is not JSON: {error}"
    return (value, "") if isinstance(value, Mapping) else ({}, "it is not a JSON object")


@define(eq=False)
class Growing:
    """Checks the bodies that one session sends, each from where it differs from the one before it.

    Attributes:
        start: Begins a walk: envelope and open calls in, walk out.
    """

    start: Callable[[Mapping[str, Any], Collection[str]], Walk]
    _walk: Walk | None = field(init=False, default=None)
    _seen: bytes = field(init=False, default=b"")

    def check(self, body: bytes, open_calls: Collection[str] = ()) -> tuple[Violation, ...]:
        """As ``turnlock.wire.check``. Fast for bodies that end in their list, as our encoders write them."""
        walk, more = self._walk, self._more(body)
        if walk is None or more is None or walk.open_calls != frozenset(open_calls):
            value, problem = body_of(body)
            walk = self.start(value, open_calls)
            rows, missing = walk.rows_in(value)
            if problem or missing:
                self._walk = None
                where = "" if problem else f"/{walk.rows_field}"
                return (UNREADABLE.broken(where, problem=problem or missing),)
            more = list(rows)
            self._walk = walk if _ends_in(body, walk.rows_field) else None
        walk.feed(more)
        self._seen = body
        return walk.verdict()

    def _more(self, body: bytes) -> list[object] | None:
        """The rows that stand behind those of the last body; None when this is not that body grown."""
        size = len(self._seen) - len(_END)
        if self._walk is None or not self._walk.rows or not body.endswith(_END):
            return None
        if body[:size] != self._seen[:size] or body[size : size + 1] not in (b",", b"]"):
            return None
        rest = body[size : -len(_END)].removeprefix(b",")
        try:
            return msgspec.json.decode(b"[%b]" % rest, type=list[object])
        except msgspec.DecodeError:
            return None


_END = b"]}"


def _ends_in(body: bytes, name: str) -> bool:
    """The list is what the body ends with, and no space stands there."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return next(reversed(fields)) == name and body.endswith(_END)


def walk_all(walk: Walk, body: Mapping[str, Any]) -> tuple[Violation, ...]:
    """Every violation of one body."""
    rows, problem = walk.rows_in(body)
    walk.feed(rows)
    found = walk.verdict()
    return (UNREADABLE.broken(f"/{walk.rows_field}", problem=problem), *found) if problem else found
