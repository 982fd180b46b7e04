"""The transcript: the items that the next request carries, always in the canonical order (R4).

All calls of a response, then one output per call in call order, then the interruption note, then messages.
It owns what of a response counts, and what becomes of items that the provider refused. Items are never
removed to make a history valid (R16): messages are returned to their senders, outputs are replaced by a
text that says so, reasoning whose partner was never completed is set aside and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, evolve, field

from turnlock.engine.calls import Invocation
from turnlock.engine.items import (
    Call,
    Item,
    Known,
    Message,
    ModelItem,
    Note,
    Output,
    Reasoning,
    ServerCall,
    Text,
)


@define(eq=False)
class Transcript:
    """The items of one session.

    Attributes:
        items: What the next request would carry.
        response: What the provider has completed of the response that it is sending.
        accepted: How many of the items stood in a request that the provider has answered.
        sent: How many of the items stood in the request in flight, or in the last one.
        known: What the provider knows of the items: up to the last response that came to its end (R22). None
            while it knows nothing by an id.
        in_flight: Calls that the provider executes and whose results have not come, by their labels (R21).
    """

    items: list[Item] = field(factory=list)
    response: list[ModelItem] = field(factory=list)
    accepted: int = 0
    sent: int = 0
    known: Known | None = None
    in_flight: dict[str, ServerCall] = field(factory=dict)

    def add_message(self, message: Message) -> int:
        """Append a message; its index is the result."""
        self.items.append(message)
        return len(self.items) - 1

    def add_outputs(self, batch: Iterable[Invocation]) -> None:
        """Append the outputs of calls that have all ended, in call order."""
        self.items.extend(
            Output(invocation.ordinal, invocation.outcome)
            for invocation in batch
            if invocation.outcome is not None  # never, but for a mutant of the table that the tests run
        )

    def add_note(self, text: str) -> None:
        """Append the interruption note."""
        self.items.append(Note(text))

    def mark_sent(self) -> int:
        """A request leaves with everything that is here; how many items is the result."""
        self.sent = len(self.items)
        return self.sent

    @property
    def response_has_call(self) -> bool:
        """A call was completed in the response that is being sent: it counts, whatever comes."""
        return any(isinstance(item, Call) for item in self.response)

    def accept(self) -> None:
        """The provider has answered: what the request carried will not be refused again."""
        self.accepted = self.sent

    def commit(
        self, request: int, shown: str = "", *, whole: bool = False, broken: bool = False
    ) -> Sequence[Reasoning]:
        """Append what counts of the response.

        Args:
            request: The number of the request that it answers.
            shown: Text of an unfinished item that the host has shown; kept without provider ids (R7).
            whole: The response goes back as it came, for the provider to go on with (R21).
            broken: The response did not come to its end: its provider may never have stored it, and its items
                must not be sent by their ids (R22).

        Returns:
            Reasoning that is set aside: the item that it belongs to was never completed.
        """
        response, self.response = self.response, []
        if response or shown:
            self.accept()
        if broken:
            response = [_of_broken(item) for item in response]
        for item in response:
            if isinstance(item, ServerCall) and item.label:
                if item.result:
                    self.in_flight.pop(item.label, None)
                else:
                    self.in_flight[item.label] = item
        if whole:
            self.items.extend(response)
            return ()
        waiting: list[Reasoning] = []
        for item in response:
            if isinstance(item, Reasoning):
                waiting.append(item)
                continue
            self.items.extend(waiting)
            waiting.clear()
            self.items.append(item)
        if shown:
            self.items.append(Text(shown, request))
        return waiting

    def end_flight(self) -> Sequence[ServerCall]:
        """The turn is over: calls that the provider was executing will never get their results (R21).

        Returns:
            The calls, which are set aside.
        """
        calls = tuple(self.in_flight.values())
        if calls:
            self.in_flight.clear()
            gone = set(map(id, calls))
            for name in ("accepted", "sent"):
                count = getattr(self, name)
                setattr(self, name, count - sum(id(item) in gone for item in self.items[:count]))
            self.items[:] = [item for item in self.items if id(item) not in gone]
            self.known = None  # it knows them
        return calls

    def discard(self) -> None:
        """Nothing of the response counts."""
        self.response.clear()

    def give_back(self, reason: str) -> Sequence[Message]:
        """The provider refused what no answered request has carried: it must not leave again (R20).

        Returns:
            The messages, removed here, for their senders. Outputs stay, with a text that says what happened.
        """
        kept: list[Item] = []
        messages: list[Message] = []
        for item in self.items[self.accepted :]:
            if isinstance(item, Message):
                messages.append(item)
            elif isinstance(item, Output) and item.refused is None:
                kept.append(evolve(item, refused=reason))
            else:
                kept.append(item)
        self.items[self.accepted :] = kept
        return messages

    def fork(self) -> Transcript:
        """A copy that shares nothing that can change."""
        return Transcript(
            self.items.copy(),
            self.response.copy(),
            self.accepted,
            self.sent,
            self.known,
            self.in_flight.copy(),
        )


def _of_broken(item: ModelItem) -> ModelItem:
    """An item of a response that did not come to its end."""
    return item if item.origin is None else evolve(item, origin=evolve(item.origin, known=False))


_MEND = "give turnlock.wire.mend_transcript(history).items, which closes it and erases nothing"


def complete(history: Iterable[object]) -> list[Item]:
    """The items, when every call in them has its one output behind it.

    Raises:
        TypeError: Something in it is no item.
        ValueError: A call has not its one output; the text says which.
    """
    items: list[Item] = []
    for given in history:
        if not isinstance(given, Item):
            raise TypeError(f"history: {given!r} is no item: give another session's `transcript`")
        items.append(given)
    unanswered: set[int] = set()
    for item in items:
        if isinstance(item, Call):
            unanswered.add(item.ordinal)
        elif isinstance(item, Output):
            if item.ordinal not in unanswered:
                raise ValueError(
                    f"history: the output of call {item.ordinal} stands alone or is its second one: {_MEND}"
                )
            unanswered.remove(item.ordinal)
        elif isinstance(item, Message) and unanswered:
            break
    if unanswered:
        raise ValueError(f"history: call {min(unanswered)} has no output before the next message: {_MEND}")
    return items
