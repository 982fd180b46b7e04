"""The model behind the provider, as the story plays it.

Owns what it answers to each request, the calls that it makes and their names, and the answers that stand
still. It judges one thing: the moment at which a request comes in.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from turnlock.strict import Asked
from turnlock.testing.holds import Hold
from turnlock.testing.provider import Provider
from turnlock.testing.sequencing.oracle import Rule, Violation
from turnlock.testing.sequencing.record import Made, Record
from turnlock.testing.sequencing.steps import Answer, letters

_REST = Answer()


@define(eq=False)
class PlayedModel:
    """The model of one story.

    Attributes:
        record: Where its calls are noted.
        now: The clock of the story, in seconds.
        provider: Where it answers.
        overlap: Seconds for which an aborted answer may still be under way; None where that cannot be told.
        odd: What was seen to be wrong when a request came in.
        step: The number of the step that is being done.
    """

    record: Record
    now: Callable[[], float]
    provider: Provider = field(init=False)
    overlap: float | None = field(default=None, init=False)
    odd: list[Violation] = field(factory=list, init=False)
    step: int = field(default=0, init=False)
    _answers: deque[Answer] = field(factory=deque, init=False)
    _holds: list[Hold] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _not_before: float | None = field(default=None, init=False)  # what the provider named
    _anew: int = field(default=-1, init=False)  # the step in which the user stopped something
    _disturbed: bool = field(default=False, init=False)  # since the turn began
    _first: int = field(default=0, init=False)  # how many requests had come in when it did
    _stopped: float = field(default=math.inf, init=False)  # when the user stopped something last

    # ── what the story says ─────────────────────────────────────────────────────────────────────────

    def will_say(self, answers: Iterable[Answer]) -> None:
        """A turn begins: what the model answers in it; then a text."""
        with self._lock:
            self._answers = deque(answers)
            self._not_before = None
            self._disturbed, self._first = False, len(self.provider.exchanges)
            if not self.provider.in_flight:  # nothing is left behind of what was stopped before
                self._stopped = math.inf

    def stopped(self) -> None:
        """The user stops the turn."""
        with self._lock:
            self._not_before, self._anew, self._stopped = None, self.step, self.now()
            self._disturbed = True

    @property
    def held(self) -> list[Hold]:
        """The answers that stand still, or will."""
        under_way = {exchange.number for exchange in self.provider.in_flight}
        with self._lock:
            return [hold for hold in self._holds if not hold.released and hold.number in under_way]

    @property
    def undisturbed(self) -> bool:
        """Since the user said something, nobody has stopped the turn, and no answer has failed."""
        asked = self.provider.exchanges[self._first :]
        return not self._disturbed and all(one.status < 400 and one.ended != "cut" for one in asked)

    def whole_answers(self) -> set[int]:
        """The requests of the turn under way, or of the last one, that were answered to the end."""
        asked = self.provider.exchanges[self._first :]
        return {one.number for one in asked if one.status < 400 and one.ended == "complete"}

    def let_go(self) -> None:
        """Let every answer go on, and say nothing odd any more."""
        with self._lock:
            holds, self._holds = self._holds, []
            self._answers.clear()
        for hold in holds:
            hold.release()

    # ── what it answers ─────────────────────────────────────────────────────────────────────────────

    def answer(self, _asked: Asked) -> Mapping[str, Any]:
        """What it says to the request that has just come in, as a line of a script; in whichever thread."""
        with self._lock:
            number = len(self.provider.exchanges) + 1
            self._judge_moment(number)
            answer = self._answers.popleft() if self._answers else _REST
            return self._error(answer, answer.status) if answer.status else self._said(answer, number)

    def _error(self, answer: Answer, status: int) -> Mapping[str, Any]:
        said = {"status": status, "message": "the model is not well"}
        if answer.retry_after is None:
            return said
        self._not_before = self.now() + answer.retry_after
        return {**said, "retry_after": answer.retry_after}

    def _said(self, answer: Answer, number: int) -> Mapping[str, Any]:
        said: dict[str, Any] = {"text": "Well."} if answer.text or not answer.calls else {}
        if answer.calls:
            said["calls"] = [self._call(answer, number) for _ in range(answer.calls)]
        length = answer.calls + ("text" in said)
        if answer.breaks is not None:
            said["cut_after"] = min(answer.breaks, length)
        if answer.holds is not None:
            self._holds.append(self.provider.hold(items=min(answer.holds, length) or None))
        return said

    def _call(self, answer: Answer, number: int) -> Mapping[str, Any]:
        made = Made(letters(len(self.record.made)), number, self.now())
        self.record.made[made.step] = made
        name = "risky" if answer.risky else "work"
        call: dict[str, Any] = {"name": name, "arguments": {"step": made.step}}
        return call | {"id": f"call_{number}"} if answer.one_id else call

    def _judge_moment(self, number: int) -> None:
        # What the user does in this very step may have come behind the provider's answer, and begin anew.
        if self._not_before is not None and self.now() < self._not_before and self._anew != self.step:
            early = self._not_before - self.now()
            what = f"request {number} came {early:g} s before the time that the provider had named"
            self.odd.append(Violation(Rule.TOO_SOON, what))
        self._not_before = None
        others = [exchange.number for exchange in self.provider.in_flight]
        # An aborted request that does not unwind in time, because it is starved, is left behind.
        if others and self.overlap is not None and self.now() < self._stopped + self.overlap:
            what = f"request {number} left while the answer to request {others[0]} was under way"
            self.odd.append(Violation(Rule.TWO_AT_ONCE, what))
