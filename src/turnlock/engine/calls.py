"""The registry of invocations: identity, order, and what each call waits for.

Keyed by ordinal, never by the provider's label (R2). It owns which calls are open, how many run, and which
wait for their output's place in the transcript. Finished calls leave it, so that no input gets dearer with
the number of calls that were.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from heapq import heappush

from attrs import define, field

from turnlock.engine.inputs import Policy
from turnlock.engine.items import Call
from turnlock.engine.outcome import Cause, Outcome
from turnlock.machines import InvocationState


class Wait(StrEnum):
    """What keeps a requested call from starting."""

    APPROVAL = "approval"
    SLOT = "slot"
    EXCLUSIVE = "exclusive"
    EARLIER = "earlier"


@define(eq=False, repr=False)
class Invocation:
    """The life of one tool call. Hosts read it; only the engine changes it.

    Attributes:
        call: The call as the model made it.
        policy: What the session's tools say of it.
        registry: Where it is registered.
        state: Where it is in its life.
        approved: It waits for no approval.
        requested_at: When it was completed by the provider, in seconds on the session's clock.
        started_at: When its tool was started; None while nobody ran it.
        stop_cause: Why it was asked to stop; the first cause is kept (R1).
        outcome: What became of it; None while it is open.
    """

    call: Call
    policy: Policy
    registry: Registry
    requested_at: float
    state: InvocationState = InvocationState.REQUESTED
    approved: bool = True
    started_at: float | None = None
    stop_cause: Cause | None = None
    outcome: Outcome | None = None

    def __repr__(self) -> str:
        return f"<Invocation {self.call.ordinal} {self.call.name}: {self.state}>"

    @property
    def ordinal(self) -> int:
        """Our identity for it, unique and rising in a session."""
        return self.call.ordinal

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"invocation {self.call.ordinal}"

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.call.name

    @property
    def arguments(self) -> str:
        """The arguments, a JSON object as text."""
        return self.call.arguments

    @property
    def waits_for(self) -> Wait | None:
        """What keeps it from starting; None when nothing does."""
        return self.registry.waits_for(self)

    @property
    def may_start(self) -> bool:
        """The guard of that name."""
        return self.registry.waits_for(self) is None

    def twin(self, registry: Registry) -> Invocation:
        """A copy for a copy of the registry."""
        return Invocation(
            self.call,
            self.policy,
            registry,
            self.requested_at,
            self.state,
            self.approved,
            self.started_at,
            self.stop_cause,
            self.outcome,
        )


@define(eq=False)
class Registry:
    """The invocations of the turn under way.

    Attributes:
        parallel: How many may run at the same time.
        open: Those without an outcome, by ordinal, in call order.
        ready: Ordinals of requested calls that are worth trying, as a heap. One that waits for an approval
            leaves it, and comes back with the approval (so it may stand here twice); what is requested no
            longer is dropped when it comes up.
        batch: Those whose outputs have no place in the transcript yet, in call order.
        exclusive: Ordinals of open exclusive calls, rising.
        running: How many run.
        last_ordinal: The highest ordinal that was ever registered.
    """

    parallel: int
    # Ordered: its first entry is found at once. A dict that is emptied from the front has to look for it.
    open: OrderedDict[int, Invocation] = field(factory=OrderedDict)
    ready: list[int] = field(factory=list)
    batch: list[Invocation] = field(factory=list)
    exclusive: OrderedDict[int, None] = field(factory=OrderedDict)
    running: int = 0
    last_ordinal: int = 0

    def add(self, call: Call, policy: Policy, at: float) -> Invocation:
        """Register a new call."""
        ordinal = call.ordinal
        invocation = Invocation(call, policy, self, at, approved=not policy.approval)
        self.last_ordinal = ordinal
        self.open[ordinal] = invocation
        self.batch.append(invocation)
        heappush(self.ready, ordinal)
        if policy.exclusive:
            self.exclusive[ordinal] = None
        return invocation

    def waits_for(self, invocation: Invocation) -> Wait | None:
        """What keeps a requested call from starting, or None: the whole of the guard ``may_start``."""
        if not invocation.approved:
            return Wait.APPROVAL
        if self.running >= self.parallel:
            return Wait.SLOT
        if self.exclusive:
            if next(iter(self.exclusive)) < invocation.ordinal:
                return Wait.EXCLUSIVE
            if invocation.policy.exclusive and next(iter(self.open)) < invocation.ordinal:
                return Wait.EARLIER
        return None

    def approve(self, invocation: Invocation) -> None:
        """A call has its approval."""
        invocation.approved = True
        heappush(self.ready, invocation.ordinal)

    def ended(self, invocation: Invocation, *, ran: bool) -> None:
        """A call has its outcome. ``ran``: it had a slot."""
        del self.open[invocation.call.ordinal]
        if ran:
            self.running -= 1
        if invocation.policy.exclusive:
            del self.exclusive[invocation.call.ordinal]

    def close_batch(self) -> list[Invocation]:
        """The calls whose outputs enter the transcript now, in call order (R4)."""
        batch, self.batch = self.batch, []
        return batch

    def fork(self) -> Registry:
        """A copy that shares nothing that can change."""
        copy = Registry(
            self.parallel,
            ready=self.ready.copy(),
            exclusive=self.exclusive.copy(),
            running=self.running,
            last_ordinal=self.last_ordinal,
        )
        twins = {invocation.ordinal: invocation.twin(copy) for invocation in self.batch}
        copy.batch.extend(twins.values())
        for ordinal, invocation in self.open.items():
            # Every open call stands in the batch, but for a mutant of the table that sends too early.
            copy.open[ordinal] = twins.get(ordinal) or invocation.twin(copy)
        return copy
