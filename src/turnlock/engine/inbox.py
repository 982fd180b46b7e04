"""The inbox: every accepted message has exactly one fate (R5).

It owns which messages are held, in which order, and what became of the others. Messages of one mode keep
their order; what one request carries stands in acceptance order. An interrupt, and a turn that failed,
draws a line: what was accepted before it starts nothing by itself.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import define, field

from turnlock.engine.inputs import Mode, OnInterrupt
from turnlock.engine.items import Message


class Fate(StrEnum):
    """What became of a message. A delivered one can still be returned, when the provider refuses it (R20)."""

    HELD = "held"
    DELIVERED = "delivered"
    RETURNED = "returned"


@define(eq=False)
class Letter:
    """A message on its way.

    Attributes:
        number: Its place in the order of acceptance, from 1.
        message: What was sent.
        mode: What it does when a turn is under way.
        on_interrupt: What becomes of it at the next line, while it is held.
        fate: What became of it.
        request: The first request that carried it, once delivered.
        index: Its place in the transcript that this request was made of.
        reason: Why it was returned.
    """

    number: int
    message: Message
    mode: Mode
    on_interrupt: OnInterrupt
    fate: Fate = Fate.HELD
    request: int | None = None
    index: int | None = None
    reason: str = ""

    def twin(self) -> Letter:
        """A copy for a copy of the inbox."""
        return Letter(
            self.number,
            self.message,
            self.mode,
            self.on_interrupt,
            self.fate,
            self.request,
            self.index,
            self.reason,
        )


@define(eq=False)
class Inbox:
    """The messages of one session.

    Attributes:
        letters: Every message ever accepted, by id: a second send with an id finds the first one.
        held: Those that wait, in acceptance order.
        line: The number of the last message that the last line covers.
        steering: How many of the held ones ask for a place in the next request of the turn.
    """

    letters: dict[str, Letter] = field(factory=dict)
    held: list[Letter] = field(factory=list)
    line: int = 0
    steering: int = 0

    def accept(self, message: Message, mode: Mode, on_interrupt: OnInterrupt) -> Letter:
        """Hold a new message."""
        letter = Letter(len(self.letters) + 1, message, mode, on_interrupt)
        self.letters[message.id] = letter
        self.held.append(letter)
        if mode is Mode.STEER:
            self.steering += 1
        return letter

    @property
    def may_start(self) -> bool:
        """A held message may start a turn by itself: it was accepted after the last line."""
        return bool(self.held) and self.held[-1].number > self.line

    @property
    def steers(self) -> bool:
        """A held message asks for a place in the next request of this turn."""
        return self.steering > 0

    def take_all(self) -> list[Letter]:
        """What a new turn opens with: everything held."""
        taken, self.held, self.steering = self.held, [], 0
        return taken

    def take_steering(self) -> list[Letter]:
        """What the next request of a turn carries; queued messages stay."""
        if not self.steering:
            return []
        taken = [letter for letter in self.held if letter.mode is Mode.STEER]
        self.held = [letter for letter in self.held if letter.mode is not Mode.STEER]
        self.steering = 0
        return taken

    def draw_line(self, reason: str) -> list[Letter]:
        """What is held starts nothing by itself any more; the result is what asked to be returned."""
        self.line = len(self.letters)
        returned = [letter for letter in self.held if letter.on_interrupt is OnInterrupt.RETURN]
        for letter in returned:
            self.give_back(letter, reason)
        return returned

    def give_back(self, letter: Letter, reason: str) -> None:
        """Return a message to its sender, held or delivered."""
        if letter.fate is Fate.HELD:
            self.held.remove(letter)
            if letter.mode is Mode.STEER:
                self.steering -= 1
        letter.fate = Fate.RETURNED
        letter.reason = reason

    def fork(self) -> Inbox:
        """A copy that shares nothing that can change."""
        letters = {id_: letter.twin() for id_, letter in self.letters.items()}
        held = [letters[letter.message.id] for letter in self.held]
        return Inbox(letters, held, self.line, self.steering)
