"""Small worlds: what a model, its tools and a host may do, and how often.

Values only. The plain world is made for the size that was asked for; the others are small and fixed, one
for each thing that can go differently: without them a guard could be dropped and nobody would see it.
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

CALLS_MAX = MESSAGES_MAX = 4
"""The largest plain world: three of each are 60 thousand states, four of each 1.3 million (some minutes)."""


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
        limits: The session's limits.
        troubles: How a response may fail, at any point.
        failures: How often one fails.
        cancels: How often the host skips a call.
        withdrawals: How often the host takes its last message back, at any time.
        resends: How often the host sends its first message again.
        deadlines: The watchdog may ask a running tool to stop.
        expires: The time of the last turn may be over, at any time.
        raises: Tools may raise.
        late_model: An aborted request may still say something.
        shown: What the model had shown of an unfinished text when the host interrupts.
    """

    name: str
    about: str
    responses: tuple[Response, ...]
    messages: tuple[Plan, ...]
    interrupts: int = 1
    limits: Limits = field(factory=Limits)
    troubles: tuple[Trouble, ...] = ()
    failures: int = 0
    cancels: int = 0
    withdrawals: int = 0
    resends: int = 0
    deadlines: bool = False
    expires: bool = False
    raises: bool = True
    late_model: bool = False
    shown: str = ""

    @property
    def calls(self) -> int:
        """How many calls the model makes."""
        return sum(bool(says.call) for response in self.responses for says in response.items)


def _text(words: str) -> Says:
    return Says(item=lambda request: Text(words, request))


def _reasoning(words: str) -> Says:
    return Says(item=lambda request: Reasoning(words, request))


def _stored_reasoning() -> Says:
    """Reasoning with an id: what follows it needs it, and it needs what follows."""

    def made(request: int) -> ModelItem:
        item = {"type": "reasoning", "id": f"rs_{request}", "summary": []}
        return Reasoning("T", request, Origin(DIALECT, MODEL, item))

    return Says(item=made)


def _search() -> Says:
    """A call that the provider executes."""

    def made(request: int) -> ModelItem:
        action = {"type": "search", "query": "x"}
        item = {"type": "web_search_call", "id": f"ws_{request}", "status": "completed", "action": action}
        return ServerCall("web_search", request, Origin(DIALECT, MODEL, item))

    return Says(item=made)


def _call(name: str, policy: Policy = PLAIN) -> Says:
    return Says(name, policy, name)


_ANSWER = Response((_text("A"),))
_RETURN = OnInterrupt.RETURN


def plain(calls: int, messages: int) -> World:
    """N calls in one answer, M messages, one interrupt, deadlines, tools that return after their calls end.

    The second message is queued, the third one is returned by an interrupt, and the fourth one interrupts.

    Raises:
        ValueError: The world would be too large, or holds nothing.
    """
    for what, number, most in (("calls", calls, CALLS_MAX), ("messages", messages, MESSAGES_MAX)):
        if number < 1:
            raise ValueError(f"{number} {what}: a world without {what} shows nothing, give 1 to {most}")
        if number > most:
            raise ValueError(f"{number} {what} are too many for exact histories: give 1 to {most}")
    kinds = (
        (Mode.STEER, OnInterrupt.KEEP),
        (Mode.QUEUE, OnInterrupt.KEEP),
        (Mode.STEER, _RETURN),
        (Mode.INTERRUPT, OnInterrupt.KEEP),
    )
    return World(
        name="plain",
        about="calls, messages, an interrupt, deadlines, late results",
        responses=(Response(tuple(map(_call, "abcd"[:calls]))), _ANSWER),
        messages=tuple(Plan(f"U{n + 1}", *kinds[n]) for n in range(messages)),
        deadlines=True,
    )


def small_worlds() -> tuple[World, ...]:
    """The fixed worlds: in each of them something else can go wrong."""
    two = (Plan("U1"), Plan("U2"))
    first, second = _call("a"), _call("b")
    approved = Policy(approval=True)
    return (
        World(
            "answers",
            "no call at all: messages that come at every point of an answer",
            (Response((_reasoning("T"), _text("A")), Finish.LENGTH),),
            (Plan("U1"), Plan("U2"), Plan("U3", Mode.QUEUE, _RETURN), Plan("U4")),
            shown="hal",
            late_model=True,
        ),
        World(
            "stops",
            "skipped calls, a turn that runs out of time",
            (Response((first, second)), _ANSWER),
            two,
            limits=Limits(turn_timeout=60.0),
            cancels=1,
            expires=True,
            raises=False,
        ),
        World(
            "approvals",
            "one slot, a call that needs an approval, a sibling that does not",
            (Response((_call("a", approved), second, _call("c", approved))), _ANSWER),
            (Plan("U1"),),
            limits=Limits(parallel=1),
            raises=False,
        ),
        World(
            "exclusive",
            "an exclusive call between two others, which waits for an approval",
            (Response((first, _call("x", Policy(approval=True, exclusive=True)), _call("c"))), _ANSWER),
            (Plan("U1"),),
            raises=False,
        ),
        World(
            "failures",
            "responses that are lost, before and behind a call, and behind a tool that ends the turn",
            (
                Response((_text("A"), first)),
                Response((_reasoning("T"), _call("b", Policy(ends_turn=True)))),
                _ANSWER,
            ),
            two,
            limits=Limits(retries=1),
            troubles=(Trouble.LOST,),
            failures=2,
            raises=False,
        ),
        World(
            "refusals",
            "a body that is refused, a context that is too long, a failure that is final",
            (Response((first,)), Response(()), _ANSWER),
            (*two, Plan("U3", Mode.QUEUE, _RETURN)),
            troubles=(Trouble.REFUSED, Trouble.OVERFLOW, Trouble.FATAL),
            failures=2,
            raises=False,
        ),
        World(
            "pauses",
            "two pauses in a row, and a response that is lost between them",
            (
                Response((_search(),), Finish.PAUSE),
                Response((_search(), first), Finish.PAUSE),
                _ANSWER,
            ),
            two,
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
        ),
        World(
            "max_requests",
            "a turn that reaches its limit, with a steer held and a response lost",
            (Response((first,)), Response((second,)), _ANSWER),
            two,
            limits=Limits(max_requests=2),
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
        ),
        World(
            "control",
            "a tool that ends the turn, its sibling, and a response that is lost behind them",
            (Response((_call("done", Policy(ends_turn=True)), second)), _ANSWER),
            two,
            limits=Limits(retries=0),
            troubles=(Trouble.LOST,),
            failures=1,
        ),
        World(
            "labels",
            "two answers with calls, all with one call id; one that cannot run",
            (
                Response((Says("a", PLAIN, "call"), Says("b", PLAIN, "call"))),
                Response((Says("c", Policy(problem=Cause.UNKNOWN_TOOL, why="c"), "call"),), Finish.LENGTH),
                _ANSWER,
            ),
            two,
            raises=False,
        ),
        World(
            "ids",
            "reasoning and calls with the provider's ids, in responses that break off",
            (Response((_stored_reasoning(), Says("a", PLAIN, "a", stored=True), _text("A"))), _ANSWER),
            (Plan("U1"), Plan("U2", Mode.REJECT)),
            limits=Limits(retries=1),
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
            late_model=True,
        ),
        World(
            "modes",
            "messages that interrupt, are queued, kept, returned, taken back and sent twice",
            (Response((first,)), _ANSWER),
            (
                Plan("U1"),
                Plan("U2", Mode.INTERRUPT),
                Plan("U3", Mode.QUEUE),
                Plan("U4", on_interrupt=_RETURN),
            ),
            withdrawals=1,
            resends=1,
            raises=False,
        ),
    )
