"""Call ids on the wire: one per call, unique in a request, within the provider's limits.

The provider's label is kept where it can be; where it repeats, is empty or too long, the call's ordinal
makes it unique (R2, R4, C20 to C22). An id is given in the order of the transcript and depends on nothing
that stands behind it, so that it never changes while the history grows (R10).
"""

from __future__ import annotations

from collections.abc import Container
from hashlib import sha256
from itertools import count

from attrs import define, field

from turnlock.engine.items import Call
from turnlock.wire.jsontext import mended

ID_MAX = 64
"""Characters that a call id may have (RESP-CALLID-LEN, CHAT-ID-LEN)."""

_KEPT = 40  # characters of a long id that stay readable; its hash and ordinal still fit behind them


@define(eq=False)
class WireIds:
    """The call ids that a session has used, and the call of each ordinal."""

    _calls: dict[int, tuple[Call, str]] = field(init=False, factory=dict)
    _taken: set[str] = field(init=False, factory=set)

    def give(self, call: Call, *, also_taken: Container[str] = ()) -> str:
        """The id of a call, given once: ask ``of`` afterwards.

        Args:
            call: The next call of the transcript.
            also_taken: Other ids that it must not be equal to.
        """
        wanted = mended(call.call_id)
        if not wanted:
            wanted = f"call_{call.ordinal}"
        elif len(wanted) > ID_MAX:
            digest = sha256(wanted.encode()).hexdigest()[:8]
            wanted = f"{wanted[:_KEPT]}_{digest}_{call.ordinal}"
        wire_id, suffix = wanted, f"_{call.ordinal}"
        attempts = count(1)
        while wire_id in self._taken or wire_id in also_taken:
            wire_id = wanted[: ID_MAX - len(suffix)] + suffix
            suffix = f"_{call.ordinal}_{next(attempts)}"
        self._taken.add(wire_id)
        self._calls[call.ordinal] = call, wire_id
        return wire_id

    def reserve(self, wire_id: str) -> None:
        """Keep an id from later calls: an item that the provider executed has it."""
        self._taken.add(wire_id)

    def of(self, ordinal: int) -> tuple[Call, str] | None:
        """The call of an ordinal and its id; None when the transcript does not hold it."""
        return self._calls.get(ordinal)
