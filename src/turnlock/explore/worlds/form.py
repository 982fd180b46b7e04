"""What a world is made of: what a model, its tools and a host may do, and how often.

Values, and the few makers of a model's items. Which worlds there are is said in ``plain`` and ``named``.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from turnlock.engine import (
    Cause,
    Finish,
    Limits,
    Mode,
    ModelItem,
    OnInterrupt,
    Origin,
    Policy,
    Reasoning,
    ServerCall,
    Text,
    Trouble,
)
from turnlock.engine.inputs import PLAIN

MODEL = "model"
DIALECT = "openai_responses"


@frozen
class Says:
    """A part of an answer.

    Attributes:
        call: A call under this name; empty for another item.
        policy: What the session's tools say of the call.
        call_id: The provider's label of it.
        stored: The call has the provider's own item, with an id.
        item: Makes the other item, for the request that it answers.
    """

    call: str = ""
    policy: Policy = PLAIN
    call_id: str = ""
    stored: bool = False
    item: Callable[[int], ModelItem] | None = None


@frozen
class Response:
    """An answer of the model: its items, one by one, then its end."""

    items: tuple[Says, ...]
    finish: Finish = Finish.STOP


@frozen
class Plan:
    """A message that the host sends, sooner or later."""

    text: str
    mode: Mode = Mode.STEER
    on_interrupt: OnInterrupt = OnInterrupt.KEEP


@frozen
class World:
    """What may happen, and how often.

    Attributes:
        name: One word.
        about: What it is there for.
        responses: The answer to the first request that leaves, to the second, …; the last one is repeated.
        messages: What the host sends, in this order, each at any time; one that rejects, between two turns.
        interrupts: How often the host interrupts, at any time.
        cause: Why it does.
        limits: The session's limits.
        troubles: How a response may fail, at any point.
        failures: How often one fails.
        retry_after: Seconds that the provider may name when a response is lost.
        cancels: How often the host skips a call.
        withdrawals: How often the host takes its last message back, at any time.
        resends: How often the host sends its first message again.
        crashes: How often the process is killed at any moment, and the session goes on from its record.
        deadlines: The watchdog may ask a running tool to stop.
        expires: The time of the last turn may be over, at any time.
        raises: Tools may raise.
        late_model: An aborted request may still say something.
        shown: What the model had shown of an unfinished text when the host interrupts.
        symmetric: Its calls differ in nothing but their names, and nobody looks back: states may be told
            apart by their images alone (``images``).
    """

    name: str
    about: str
    responses: tuple[Response, ...]
    messages: tuple[Plan, ...]
    interrupts: int = 1
    cause: Cause = Cause.INTERRUPTED
    limits: Limits = field(factory=Limits)
    troubles: tuple[Trouble, ...] = ()
    failures: int = 0
    retry_after: float | None = None
    cancels: int = 0
    withdrawals: int = 0
    resends: int = 0
    crashes: int = 0
    deadlines: bool = False
    expires: bool = False
    raises: bool = True
    late_model: bool = False
    shown: str = ""
    symmetric: bool = False

    @property
    def calls(self) -> int:
        """How many calls the model makes."""
        return sum(bool(says.call) for response in self.responses for says in response.items)


def text(words: str) -> Says:
    """Text of the model."""
    return Says(item=lambda request: Text(words, request))


def reasoning(words: str) -> Says:
    """Reasoning that the provider knows by no id."""
    return Says(item=lambda request: Reasoning(words, request))


def stored_reasoning() -> Says:
    """Reasoning with an id: what follows it needs it, and it needs what follows."""

    def made(request: int) -> ModelItem:
        item = {"type": "reasoning", "id": f"rs_{request}", "summary": []}
        return Reasoning("T", request, Origin(DIALECT, MODEL, item))

    return Says(item=made)


def search() -> Says:
    """A call that the provider executes."""

    def made(request: int) -> ModelItem:
        action = {"type": "search", "query": "x"}
        item = {"type": "web_search_call", "id": f"ws_{request}", "status": "completed", "action": action}
        return ServerCall("web_search", request, Origin(DIALECT, MODEL, item))

    return Says(item=made)


def call(name: str, policy: Policy = PLAIN) -> Says:
    """A call whose label is its name."""
    return Says(name, policy, name)


ANSWER = Response((text("A"),))
"""The model is at rest."""
