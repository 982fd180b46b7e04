"""Reading a body back: which answer an item belongs to, and which call an output answers.

For formats in which calls and outputs name each other by a label. It keeps what a dialect's ``read.py`` has
read so far, and owns ordinals and the numbers of answers; what a row says is the dialect's.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from attrs import define, evolve, field

from turnlock.engine.items import Call, Content, Item, Message, ModelItem, Output, Role
from turnlock.engine.outcome import Outcome, refused_text


class _Asked(NamedTuple):
    ordinal: int
    answer: int


@define(eq=False)
class Reading:
    """The transcript so far."""

    items: list[Item] = field(init=False, factory=list)
    answer: int = field(init=False, default=0)
    """The number of the answer that is read, or was read last; also that of its request."""

    _last: int = field(init=False, default=0)  # ordinal
    _messages: int = field(init=False, default=0)
    _open: dict[str, list[_Asked]] = field(init=False, factory=lambda: defaultdict(list))
    _answered: dict[str, int] = field(init=False, factory=dict)  # by label: the last call with an output
    _early: dict[str, list[int]] = field(init=False, factory=lambda: defaultdict(list))

    def begin_answer(self) -> int:
        """The model speaks: the number of its answer."""
        self.answer += 1
        return self.answer

    def next_ordinal(self) -> int:
        """The ordinal of another call."""
        self._last += 1
        return self._last

    def add(self, item: ModelItem) -> None:
        """An item of the answer."""
        if isinstance(item, Call):
            if early := self._early[item.call_id]:  # its output stands before it
                item = evolve(item, ordinal=early.pop(0))
                self._answered[item.call_id] = item.ordinal
            else:
                self._open[item.call_id].append(_Asked(item.ordinal, item.request))
        self.items.append(item)

    def say(self, content: Content, role: Role = Role.USER) -> None:
        """A message; bodies say nothing of its id."""
        self._messages += 1
        self.items.append(Message(f"m{self._messages}", content, role))

    def output(self, label: str, outcome: Outcome) -> None:
        """An output: of the last open call of that label, of one that has one already, or of none."""
        before, after = refused_text("\0").split("\0")
        why, refused = outcome.why, None
        if why.startswith(before) and why.endswith(after):  # it was replaced already, and stays so (R20)
            refused = why.removeprefix(before).removesuffix(after)
        self.items.append(Output(self._whose(label), outcome, refused))

    def _whose(self, label: str) -> int:
        if asked := self._open[label]:
            latest = max(call.answer for call in asked)
            call = next(call for call in asked if call.answer == latest)
            asked.remove(call)
            self._answered[label] = call.ordinal
            return call.ordinal
        if label in self._answered:
            return self._answered[label]
        ordinal = self.next_ordinal()
        self._early[label].append(ordinal)
        return ordinal
