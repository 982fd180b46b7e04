"""The steps of a story: what the user, the model, the tools and the clock do to an agent.

Values only. Their ``repr`` can be pasted into a test; ``say`` is a line of the story that people read. A step
that cannot be done when its turn comes (a gate where nobody waits) does nothing, so that a story that was
shortened can still be played.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import fields, frozen


@frozen(repr=False)
class _Step:
    """What is as it is by default is not shown."""

    def __repr__(self) -> str:
        own = type(self)
        shown = []
        for each in fields(own):
            value = getattr(self, each.name)
            if value != each.default:
                shown.append(f"{each.name}={value!r}")
        return f"{own.__name__}({', '.join(shown)})"


@frozen(repr=False)
class Answer(_Step):
    """What the model says to one request.

    Attributes:
        calls: How many calls it makes; they are named a, b, c, … through the whole story.
        text: It says something before its calls. An answer without calls always does.
        risky: The calls are of the tool that needs an approval.
        one_id: All calls bear the same call id, as some servers do it.
        holds: It stands still behind so many items, until ``Release``.
        breaks: The connection breaks behind so many items.
        status: An HTTP error instead of an answer.
        retry_after: Seconds before which the provider does not want to be asked again, with ``status``.
    """

    calls: int = 0
    text: bool = False
    risky: bool = False
    one_id: bool = False
    holds: int | None = None
    breaks: int | None = None
    status: int | None = None
    retry_after: float | None = None

    def say(self) -> str:
        """Its words in a story."""
        if self.status is not None:
            later = "" if self.retry_after is None else f" (not again before {self.retry_after:g} s)"
            return f"an error {self.status}{later}"
        calls = f"{self.calls} {'risky ' * self.risky}call{'s' * (self.calls != 1)}" if self.calls else ""
        said = " and ".join(part for part in ("a text" * (self.text or not self.calls), calls) if part)
        said += ", all with one id" * (self.one_id and self.calls > 1)
        if self.holds is not None:
            said += f", standing still behind item {self.holds}"
        if self.breaks is not None:
            said += f", breaking off behind item {self.breaks}"
        return said


@frozen(repr=False)
class User(_Step):
    """The user says something, and a turn begins; the model will answer so, and then with a text."""

    text: str
    answers: tuple[Answer, ...] = ()

    def say(self) -> str:
        """Its line in a story."""
        answers = "; then ".join(answer.say() for answer in self.answers) or "a text"
        return f"the user says {self.text}; the model will answer with {answers}"


@frozen(repr=False)
class Send(_Step):
    """The user says something while a turn is under way."""

    text: str
    mode: str = ""

    def say(self) -> str:
        """Its line in a story."""
        return f"the user says {self.text} while the turn is under way" + f" ({self.mode})" * bool(self.mode)


@frozen(repr=False)
class Open(_Step):
    """A waiting tool returns its result."""

    step: str

    def say(self) -> str:
        """Its line in a story."""
        return f"the tool of call {self.step} returns"


@frozen(repr=False)
class Fail(_Step):
    """A waiting tool raises."""

    step: str

    def say(self) -> str:
        """Its line in a story."""
        return f"the tool of call {self.step} raises"


@frozen(repr=False)
class Stubborn(_Step):
    """A waiting tool will swallow its cancellation."""

    step: str

    def say(self) -> str:
        """Its line in a story."""
        return f"the tool of call {self.step} will not stop when it is cancelled"


@frozen(repr=False)
class Approve(_Step):
    """The user allows a call, or does not."""

    step: str
    allow: bool = True

    def say(self) -> str:
        """Its line in a story."""
        return f"the user {'allows' if self.allow else 'denies'} call {self.step}"


@frozen(repr=False)
class Interrupt(_Step):
    """The user interrupts; ``cancel``: by cancelling the task of the turn."""

    cancel: bool = True

    def say(self) -> str:
        """Its line in a story."""
        return "the task of the turn is cancelled" if self.cancel else "the user interrupts"


@frozen(repr=False)
class Release(_Step):
    """An answer that stands still goes on."""

    def say(self) -> str:
        """Its line in a story."""
        return "the answer goes on"


@frozen(repr=False)
class Advance(_Step):
    """Time passes, in seconds."""

    seconds: float

    def say(self) -> str:
        """Its line in a story."""
        return f"{self.seconds:g} s pass"


Instant: TypeAlias = Send | Open | Fail | Approve | Interrupt | Release
"""What may happen together with something else."""


@frozen(repr=False)
class Together(_Step):
    """Several steps in one instant, in this order: the agent hears of all before it can do anything."""

    steps: tuple[Instant, ...]

    def say(self) -> str:
        """Its line in a story."""
        return "at once: " + "; ".join(step.say() for step in self.steps)


Step: TypeAlias = Together | User | Send | Open | Fail | Stubborn | Approve | Interrupt | Release | Advance


def letters(number: int) -> str:
    """The name of a call by its number from 0: a, b, … z, aa, ab, …."""
    before, last = divmod(number, 26)
    return (letters(before - 1) if before else "") + chr(ord("a") + last)


def number_of(name: str) -> int:
    """The number of a call by its name."""
    number = -1
    for letter in name:
        number = (number + 1) * 26 + ord(letter) - ord("a")
    return number
