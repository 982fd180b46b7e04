"""A history that grows from request to request, and the requests that are made of it.

Owns which rows two requests share: whoever checks a session looks at each row once. Rows of a request that
was given out never change; when a history is edited behind that line, it goes on in a new list.

Knows two versions of a history: what the file holds, and what was sent. They part when a request was
answered that the file shows broken: then the agent had put in what the file lacks (``filling.py``). What
would be sent next is what the file holds, because whoever goes on from the file has nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
from attrs import define, field

from turnlock.reports.readers.form import ANSWERED, Implied, Row, Verdict

Filling: TypeAlias = Callable[[Sequence[Row]], "tuple[int, list[Row]] | None"]
"""The rows since the last answered request → None when they are sound, else how many of them stay, and what
follows these in what was sent."""


@define(eq=False)
class History:
    """The rows of one session so far.

    Attributes:
        index: The number of the next request.
        dialect: What the rows are written in.
        key: The field of the body that holds them.
        envelope: What the body holds beside them; replaced, never changed, because requests keep it.
        filling: What the agent does to its history when it sends.
        ready: Requests that are told and not handed out.
    """

    index: int
    dialect: str
    key: str
    envelope: Mapping[str, Any] = field(factory=dict)
    filling: Filling | None = None
    ready: list[Implied] = field(init=False, factory=list)
    _refused: Implied | None = field(init=False, default=None)  # it may be the last one of the file
    _sent: list[Row] = field(init=False, factory=list)
    _held: list[Row] | None = field(init=False, default=None)  # None while the file holds what was sent
    _parted: int = field(init=False, default=0)  # the first row in which the two differ
    _given: int = field(init=False, default=0)  # rows of this list that requests have shown
    _fresh: int = field(init=False, default=0)  # rows that are those of the request before
    _answered: int = field(init=False, default=0)  # rows that an answered request has carried

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def rows(self) -> Sequence[Row]:
        """What the file holds."""
        return self._sent if self._held is None else self._held

    def add(self, row: Row) -> None:
        """A row is appended."""
        if self._refused is not None:
            self._not_last()
        self._sent.append(row)
        if self._held is not None:
            self._held.append(row)

    def replace(self, rows: Sequence[Row], same: int = 0) -> None:
        """The history is another one; its first ``same`` rows are those that were sent."""
        self._not_last()
        if self._held is not None:
            same = min(same, self._parted)
        self._sent = list(rows)
        self._held = None
        self._given = 0
        self._fresh = min(self._fresh, same)
        self._answered = min(self._answered, same)

    def answered(self, line: int | None) -> None:
        """The model answered at this line. Of a request whose rows the file does not hold nothing is said."""
        self._not_last()
        if not self._sent:
            return
        filled = self.filling(self._sent[self._answered :]) if self.filling is not None else None
        if filled is not None:
            stays, tail = filled
            self._part(self._answered + stays, tail)
        self.ready.append(self._request(self._sent, line, ANSWERED))
        self._answered = len(self._sent)

    def refused(self, line: int | None, verdict: Verdict) -> None:
        """The provider refused the request; the file says so at this line."""
        self._not_last()
        if self._sent:
            self._refused = self._request(self._sent, line, verdict)

    def end(self) -> None:
        """The file is read: what would be sent next is what it holds, or what was refused last."""
        if self._refused is not None:
            self._refused = attrs.evolve(self._refused, next=True)
            self._not_last()
        elif self.rows:
            if self._held is not None:
                self._fresh = min(self._fresh, self._parted)
            self.ready.append(self._request(self.rows, None, None, following=True))

    def hand_out(self) -> list[Implied]:
        """The requests that are told, once."""
        ready, self.ready = self.ready, []
        return ready

    def _not_last(self) -> None:
        if self._refused is not None:
            self.ready.append(self._refused)
            self._refused = None

    def _part(self, at: int, tail: list[Row]) -> None:
        if self._held is None:
            self._held = list(self._sent)
            self._parted = at
        if at < self._given:  # requests show rows behind this one: they keep their list
            self._sent = self._sent[:at]
            self._given = 0
        else:
            del self._sent[at:]
        self._sent.extend(tail)
        self._fresh = min(self._fresh, at)

    def _request(
        self,
        rows: list[Row] | Sequence[Row],
        line: int | None,
        verdict: Verdict | None,
        *,
        following: bool = False,
    ) -> Implied:
        request = Implied(
            self.index,
            self.envelope,
            rows,
            len(rows),
            self._fresh,
            line,
            following,
            verdict,
            self.dialect,
            self.key,
            partial=True,
        )
        self.index += 1
        self._fresh = self._given = len(rows)
        return request
