"""What an observer knows of a story: what was said, what the model answered, what the tools lived through.

Values and plain books. It judges nothing (``oracle`` does) and drives nothing (``play`` does).
"""

from __future__ import annotations

from enum import StrEnum

from attrs import define, field

from turnlock.testing.gates import Fate, Visit


class Taken(StrEnum):
    """What the agent did with a message."""

    OFFERED = "offered"  # it is being handed over
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # an error: the sender knows
    STOPPED = "stopped"  # the turn that it opened was cancelled or failed
    RETURNED = "returned"  # given back to the sender later


@define(eq=False)
class Said:
    """A message of the user.

    Attributes:
        text: Its text, which nothing else in the story contains.
        mode: How it was sent: messages of one mode keep their order.
        opens: It was to open a turn.
        instant: The step in which it was said: what is said in one instant has no order.
        taken: What the agent did with it.
        seen: The first request that carried it, counted from 1; 0 is none.
    """

    text: str
    mode: str = ""
    opens: bool = False
    instant: int = 0
    taken: Taken = Taken.OFFERED
    seen: int = 0


@define(eq=False)
class Made:
    """A call that the model has made.

    Attributes:
        step: Its name in the story.
        answer: Which request was answered with it, counted from 1.
        at: When, in seconds.
        visits: The runs of its tool.
        asked: The user was asked to approve it.
        pressed: Since when something may have stopped it: an interrupt, or its deadline. None: nothing yet.
        output: What a request said of it last.
    """

    step: str
    answer: int
    at: float
    visits: list[Visit] = field(factory=list)
    asked: bool = False
    pressed: float | None = None
    output: str | None = None

    @property
    def begun(self) -> bool:
        """The agent has taken it up."""
        return bool(self.visits) or self.asked


@define(eq=False)
class Record:
    """The books of one story.

    Attributes:
        kept: Seconds for which a tool that was asked to stop may still return, and its result counts; None
            where the agent does not promise that.
        said: The messages, in the order in which they were handed over.
        made: The calls, by name, in the order in which they were made.
        read: The answers that the agent is known to have read to their ends.
    """

    kept: float | None = None
    said: list[Said] = field(factory=list)
    made: dict[str, Made] = field(factory=dict)
    read: set[int] = field(factory=set)

    def known(self, made: Made) -> bool:
        """The agent has read a call: it was taken up, or sent back, or its whole answer was read."""
        return made.begun or made.output is not None or made.answer in self.read

    def counts(self, made: Made, visit: Visit) -> bool:
        """What the tool returned or raised is the outcome: nothing had stopped the call by then."""
        if visit.ended is None:
            return False
        if made.pressed is None or visit.ended < made.pressed:
            return True
        if self.kept is None or visit.fate is not Fate.RETURNED:
            return False
        return visit.ended < made.pressed + self.kept
