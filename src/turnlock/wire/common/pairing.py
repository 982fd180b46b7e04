"""Calls and their answers: the two ways in which providers pair them.

``Anywhere``: by id over the whole request, whatever stands between (OpenAI Responses, recorded with
messages in between). ``Adjacent``: the answers stand directly behind the entry, or the run of entries,
that holds the calls (Chat Completions; DeepSeek's Responses). A dialect's check says what it sees, in the
order of the body, and turns the findings into violations of its own rules. Both can be asked at any time what
is wrong with a body that ends there, and then go on. Linear, and without an object per entry: histories have
a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import NamedTuple

from attrs import define, field


class Flaw(StrEnum):
    """What is wrong with an entry."""

    UNANSWERED = "unanswered"
    NO_CALL = "no_call"
    WRONG_CALL = "wrong_call"
    BEFORE_CALL = "before_call"
    SECOND_CALL = "second_call"
    REUSED_ID = "reused_id"
    SECOND_ANSWER = "second_answer"


class Finding(NamedTuple):
    """A flaw, at the entry that has it.

    ``at`` is ``HELD`` for a call that the provider holds. ``first`` is where the first answer stands, of
    two. Entries with several calls have one finding for all that lack an answer. ``REUSED_ID``: the call
    before it has its answer, so that each still has its own.
    """

    at: int
    flaw: Flaw
    ids: tuple[str, ...]
    first: int = 0


HELD = -1


@define(eq=False)
class Anywhere:
    """Pairs by id, wherever the two stand."""

    _calls: dict[str, Collection[str]] = field(init=False, factory=dict)  # by id: what answers the last one
    _open: dict[str, int] = field(init=False, factory=dict)  # where calls without an answer stand
    _answers: dict[str, int] = field(init=False, factory=dict)
    _early: dict[str, tuple[int, str]] = field(init=False, factory=dict)  # answers without a call so far
    _found: list[Finding] = field(init=False, factory=list)

    def call(self, at: int, call_id: str, accepts: Collection[str]) -> None:
        """A call that needs one answer, of the kinds that it accepts."""
        if call_id in self._calls:
            flaw = Flaw.SECOND_CALL if call_id in self._open else Flaw.REUSED_ID
            self._found.append(Finding(at, flaw, (call_id,)))
            self._answers.pop(call_id, None)
        self._calls[call_id] = accepts
        self._open.setdefault(call_id, at)
        if call_id in self._early:
            answered_at, kind = self._early.pop(call_id)
            self._match(answered_at, call_id, kind, Flaw.BEFORE_CALL)

    def answer(self, at: int, call_id: str, kind: str) -> None:
        """An answer."""
        if call_id in self._calls:
            self._match(at, call_id, kind)
        elif call_id in self._early:
            first = self._early[call_id][0]
            self._found.append(Finding(at, Flaw.SECOND_ANSWER, (call_id,), first))
        else:
            self._early[call_id] = at, kind

    def _match(self, at: int, call_id: str, kind: str, flaw: Flaw | None = None) -> None:
        if kind not in self._calls[call_id]:
            self._found.append(Finding(at, Flaw.NO_CALL, (call_id,)))
        elif call_id in self._answers:
            self._found.append(Finding(at, Flaw.SECOND_ANSWER, (call_id,), self._answers[call_id]))
        else:
            self._answers[call_id] = at
            self._open.pop(call_id, None)
            if flaw is not None:
                self._found.append(Finding(at, flaw, (call_id,)))

    def findings(
        self, held: Collection[str] = (), *, optional: Collection[str] = (), orphans: bool = False
    ) -> Iterator[Finding]:
        """Every flaw of a body that ends here, in no order.

        Args:
            held: Ids of calls that the provider holds open.
            optional: Ids of calls and answers that need no other half.
            orphans: Answers may be to calls that nobody here knows of.
        """
        yield from self._found
        for call_id, (at, _kind) in self._early.items():
            if not (orphans or call_id in held or call_id in optional):
                yield Finding(at, Flaw.NO_CALL, (call_id,))
        for call_id, at in self._open.items():
            if call_id not in optional:
                yield Finding(at, Flaw.UNANSWERED, (call_id,))
        for call_id in sorted(held):  # a set has no order that two processes share
            if call_id not in self._calls and call_id not in self._early and call_id not in optional:
                yield Finding(HELD, Flaw.UNANSWERED, (call_id,))


@define(eq=False)
class Adjacent:
    """Pairs answers with the calls directly before them.

    Attributes:
        runs: Entries with calls that stand in a row count as one.
    """

    runs: bool = False
    _waiting: dict[str, int] = field(init=False, factory=dict)  # the calls that may be answered now
    _answers: dict[str, int] = field(init=False, factory=dict)
    _last: int = field(init=False, default=HELD)
    _found: list[Finding] = field(init=False, factory=list)

    def call(self, at: int, call_id: str) -> None:
        """A call; several may stand in one entry."""
        if self._answers or not (self.runs or at == self._last):
            self.other()
        self._last = at
        self._waiting[call_id] = at

    def answer(self, at: int, call_id: str) -> None:
        """An answer."""
        flaw, first = None, 0
        if not self._waiting:
            flaw = Flaw.NO_CALL
        elif call_id not in self._waiting:
            flaw = Flaw.WRONG_CALL
        else:
            first = self._answers.setdefault(call_id, at)
            flaw = None if first == at else Flaw.SECOND_ANSWER
        if flaw is not None:
            self._found.append(Finding(at, flaw, (call_id,), first))

    def other(self) -> None:
        """Anything else: from here on the calls before it cannot be answered any more."""
        self._found.extend(self._missing())
        self._waiting.clear()
        self._answers.clear()

    def _missing(self) -> Iterator[Finding]:
        missing: dict[int, list[str]] = {}
        for call_id, at in self._waiting.items():
            if call_id not in self._answers:
                missing.setdefault(at, []).append(call_id)
        return (Finding(at, Flaw.UNANSWERED, tuple(ids)) for at, ids in missing.items())

    def findings(self) -> Iterator[Finding]:
        """Every flaw of a body that ends here, in no order."""
        yield from self._found
        yield from self._missing()
