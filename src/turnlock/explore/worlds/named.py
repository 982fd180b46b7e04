"""The named worlds: small and fixed, one for each thing that can go differently.

Without them a guard could be dropped and nobody would see it.
"""

from __future__ import annotations

from turnlock.engine import Cause, Finish, Limits, Mode, OnInterrupt, Policy, Trouble
from turnlock.engine.inputs import PLAIN
from turnlock.explore.worlds.form import (
    ANSWER,
    Plan,
    Response,
    Says,
    World,
    call,
    reasoning,
    search,
    stored_reasoning,
    text,
)

_RETURN = OnInterrupt.RETURN


def small_worlds() -> tuple[World, ...]:
    """The fixed worlds: in each of them something else can go wrong."""
    two = (Plan("U1"), Plan("U2"))
    first, second = call("a"), call("b")
    approved = Policy(approval=True)
    return (
        World(
            "answers",
            "no call at all: messages that come at every point of an answer",
            (Response((reasoning("T"), text("A")), Finish.LENGTH),),
            (Plan("U1"), Plan("U2"), Plan("U3", Mode.QUEUE, _RETURN), Plan("U4")),
            shown="hal",
            late_model=True,
        ),
        World(
            "stops",
            "skipped calls, a turn that runs out of time",
            (Response((first, second)), ANSWER),
            two,
            limits=Limits(turn_timeout=60.0),
            cancels=1,
            expires=True,
            raises=False,
        ),
        World(
            "approvals",
            "one slot, a call that needs an approval, a sibling that does not",
            (Response((call("a", approved), second, call("c", approved))), ANSWER),
            (Plan("U1"),),
            limits=Limits(parallel=1),
            raises=False,
        ),
        World(
            "exclusive",
            "an exclusive call between two others; two of the three wait for an approval",
            (
                Response((first, call("x", Policy(approval=True, exclusive=True)), call("c", approved))),
                ANSWER,
            ),
            (Plan("U1"),),
            raises=False,
        ),
        World(
            "failures",
            "responses that are lost, before and behind a call, and behind a tool that ends the turn",
            (
                Response((text("A"), first)),
                Response((reasoning("T"), call("b", Policy(ends_turn=True)))),
                ANSWER,
            ),
            two,
            limits=Limits(retries=1),
            troubles=(Trouble.LOST,),
            failures=2,
            raises=False,
        ),
        World(
            "retries",
            "three responses lost in a row, waits that the provider names, a call that was cut off; a close",
            (
                Response((text("A"), call("a", Policy(problem=Cause.CUT_OFF)))),
                Response((text("A"),), Finish.FILTER),
            ),
            (Plan("U1"), Plan("U2", Mode.QUEUE)),
            cause=Cause.CLOSED,
            limits=Limits(retries=3, backoff=1.0, backoff_max=3.0),
            troubles=(Trouble.LOST,),
            failures=3,
            retry_after=7.0,
            raises=False,
        ),
        World(
            "refusals",
            "a body that is refused, a context that is too long, a failure that is final",
            (Response((first,)), Response(()), ANSWER),
            (*two, Plan("U3", Mode.QUEUE, _RETURN)),
            troubles=(Trouble.REFUSED, Trouble.OVERFLOW, Trouble.FATAL),
            failures=2,
            raises=False,
        ),
        World(
            "pauses",
            "two pauses in a row, and a response that is lost between them",
            (
                Response((search(),), Finish.PAUSE),
                Response((search(), first), Finish.PAUSE),
                ANSWER,
            ),
            two,
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
        ),
        World(
            "max_requests",
            "a turn that reaches its limit, with a steer held and a response lost",
            (Response((first,)), Response((second,)), ANSWER),
            two,
            limits=Limits(max_requests=2),
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
        ),
        World(
            "control",
            "a tool that ends the turn, its sibling, and a response that is lost behind them",
            (Response((call("done", Policy(ends_turn=True)), second)), ANSWER),
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
                ANSWER,
            ),
            two,
            raises=False,
        ),
        World(
            "ids",
            "reasoning and calls with the provider's ids, in responses that break off",
            (Response((stored_reasoning(), Says("a", PLAIN, "a", stored=True), text("A"))), ANSWER),
            (Plan("U1"), Plan("U2", Mode.REJECT)),
            limits=Limits(retries=1),
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
            late_model=True,
        ),
        World(
            "late",
            "what comes too late: results, approvals, parts of a response, the end of a turn's time",
            (Response((call("a", approved), second)), ANSWER),
            (Plan("U1"),),
            limits=Limits(turn_timeout=60.0),
            deadlines=True,
            expires=True,
            late_model=True,
        ),
        World(
            "crash",
            "a kill at any moment: calls that run, wait for a slot, wait for an approval; held messages",
            (Response((first, call("b", approved), call("c"))), ANSWER),
            two,
            limits=Limits(parallel=1, turn_timeout=60.0),
            raises=False,
            crashes=1,
        ),
        World(
            "crashes",
            "two kills in a row: during a backoff, behind a pause, while an approval waits",
            (
                Response((reasoning("T"), call("a", approved)), Finish.PAUSE),
                Response((call("b", Policy(ends_turn=True)),)),
                ANSWER,
            ),
            (Plan("U1"), Plan("U2", Mode.QUEUE, _RETURN)),
            interrupts=0,
            limits=Limits(retries=1),
            troubles=(Trouble.LOST,),
            failures=1,
            raises=False,
            crashes=2,
        ),
        World(
            "modes",
            "messages that interrupt, are queued, kept, returned, taken back and sent twice",
            (Response((first,)), ANSWER),
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
