"""A whole request body, read back into a transcript.

The value that every dialect's ``read.py`` gives, and what those share whose calls and outputs name each other
by a label: ordinals, the numbers of answers, which call an output answers, and tools. The items stand as the
body has them, also where pairs are wrong: what a body lacks is added by a repair, never by reading it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from attrs import define, evolve, field, frozen

from turnlock.engine.items import Call, Content, Item, Message, ModelItem, Output, Role
from turnlock.engine.outcome import Outcome, refused_text
from turnlock.wire.common.request import Settings, ToolSpec


@frozen
class History:
    """What a body says.

    Attributes:
        items: The transcript. An output whose call is not in the body has an ordinal of its own.
        instructions: What stands before everything else.
        tools: What the model may call.
        model: The provider's name of the model; empty where it stands in the URL.
        options: The other fields of the body.
    """

    items: tuple[Item, ...]
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    model: str = ""
    options: Mapping[str, Any] = field(factory=dict)

    def settings(self, *, stream: bool = True) -> Settings:
        """The same request's settings, for an encoder of the same dialect."""
        return Settings(self.model, self.instructions, self.tools, self.options, stream)


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


def tools_of(
    given: object, spec_of: Callable[[Mapping[str, Any]], ToolSpec | None]
) -> tuple[tuple[ToolSpec, ...], list[Any]]:
    """The tools that a client answers, and everything else as it came: it goes with the options.

    Args:
        given: What a body has for tools.
        spec_of: Reads one; None when it has something that a ``ToolSpec`` cannot say.
    """
    specs: list[ToolSpec] = []
    others: list[Any] = []
    for entry in given if isinstance(given, list | tuple) else ():
        spec = spec_of(entry) if isinstance(entry, Mapping) else None
        if spec is None:
            others.append(entry)
        else:
            specs.append(spec)
    return tuple(specs), others
