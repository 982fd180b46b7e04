"""The registry of invocations: identity, order, and what each call waits for.

Keyed by ordinal, never by the provider's label (R2). It owns which calls are open, how many run, and which
wait for their output's place in the transcript. Finished calls leave it, so that no input gets dearer with
the number of calls that were.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import define, evolve, field

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


@define(eq=False)
class Registry:
    """The invocations of the turn under way.

    Attributes:
        parallel: How many may run at the same time.
        open: Those without an outcome, by ordinal, in call order.
        waiting: Those of them that are requested.
        batch: Those whose outputs have no place in the transcript yet, in call order.
        exclusive: Ordinals of open exclusive calls, rising.
        running: How many run.
        last_ordinal: The highest ordinal that was ever registered.
    """

    parallel: int
    open: dict[int, Invocation] = field(factory=dict)
    waiting: dict[int, Invocation] = field(factory=dict)
    batch: list[Invocation] = field(factory=list)
    exclusive: list[int] = field(factory=list)
    running: int = 0
    last_ordinal: int = 0

    def add(self, call: Call, policy: Policy, at: float) -> Invocation:
        """Register a new call."""
        invocation = Invocation(call, policy, self, at, approved=not policy.approval)
        self.last_ordinal = call.ordinal
        self.open[call.ordinal] = self.waiting[call.ordinal] = invocation
        self.batch.append(invocation)
        if policy.exclusive:
            self.exclusive.append(call.ordinal)
        return invocation

    def waits_for(self, invocation: Invocation) -> Wait | None:
        """What keeps a requested call from starting, or None: the whole of the guard ``may_start``."""
        if not invocation.approved:
            return Wait.APPROVAL
        if self.running >= self.parallel:
            return Wait.SLOT
        if self.exclusive:
            if self.exclusive[0] < invocation.ordinal:
                return Wait.EXCLUSIVE
            if invocation.policy.exclusive and next(iter(self.open)) < invocation.ordinal:
                return Wait.EARLIER
        return None

    def ended(self, invocation: Invocation) -> None:
        """A call has its outcome."""
        ordinal = invocation.ordinal
        del self.open[ordinal]
        if self.waiting.pop(ordinal, None) is None:
            self.running -= 1
        if invocation.policy.exclusive:
            self.exclusive.remove(ordinal)

    def close_batch(self) -> list[Invocation]:
        """The calls whose outputs enter the transcript now, in call order (R4)."""
        batch, self.batch = self.batch, []
        return batch

    def fork(self) -> Registry:
        """A copy that shares nothing that can change."""
        copy = Registry(
            self.parallel,
            exclusive=self.exclusive.copy(),
            running=self.running,
            last_ordinal=self.last_ordinal,
        )
        for invocation in self.batch:
            twin = evolve(invocation, registry=copy)
            copy.batch.append(twin)
            if invocation.ordinal in self.open:
                copy.open[invocation.ordinal] = twin
                if invocation.ordinal in self.waiting:
                    copy.waiting[invocation.ordinal] = twin
        return copy
