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

from turnlock.engine.items import Call, CallKind
from turnlock.wire.jsontext import mended

ID_MAX = 64
"""Characters that a call id may have (RESP-CALLID-LEN, CHAT-ID-LEN)."""

_KEPT = 40  # characters of a long id that stay readable; its hash and ordinal still fit behind them


@define(eq=False)
class WireIds:
    """The call ids that a session has used, and the call of each ordinal."""

    _calls: dict[int, tuple[Call, str]] = field(init=False, factory=dict)
    _taken: set[str] = field(init=False, factory=set)
    _server: dict[tuple[CallKind, str], str] = field(init=False, factory=dict)

    def give(self, call: Call, *, also_taken: Container[str] = ()) -> str:
        """The id of a call, given once: ask ``of`` afterwards.

        Args:
            call: The next call of the transcript.
            also_taken: Other ids that it must not be equal to.
        """
        wire_id = self._unique(call.call_id, str(call.ordinal), also_taken)
        self._calls[call.ordinal] = call, wire_id
        return wire_id

    def of(self, ordinal: int) -> tuple[Call, str] | None:
        """The call of an ordinal and its id; None when the transcript does not hold it."""
        return self._calls.get(ordinal)

    def give_server(self, kind: CallKind, label: str, request: int) -> str:
        """The id of a call that the provider executed: it has no ordinal, and its output comes with it."""
        wire_id = self._server[kind, label] = self._unique(label, f"r{request}", ())
        return wire_id

    def take_server(self, kind: CallKind, label: str) -> str | None:
        """The id of the last such call of this label, for its one output; None when there is none left."""
        return self._server.pop((kind, label), None)

    def _unique(self, label: str, mark: str, also_taken: Container[str]) -> str:
        wanted = mended(label)
        if not wanted:
            wanted = f"call_{mark}"
        elif len(wanted) > ID_MAX:
            wanted = f"{wanted[:_KEPT]}_{sha256(wanted.encode()).hexdigest()[:8]}_{mark}"
        wire_id, suffix = wanted, f"_{mark}"
        attempts = count(1)
        while wire_id in self._taken or wire_id in also_taken:
            wire_id = wanted[: ID_MAX - len(suffix)] + suffix
            suffix = f"_{mark}_{next(attempts)}"
        self._taken.add(wire_id)
        return wire_id
