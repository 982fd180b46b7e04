"""Every request that leaves, as the bytes that would leave, judged by the strict provider.

It owns the distinct requests of an exploration, in the order in which they were first seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from attrs import define, field

from turnlock.engine import Item
from turnlock.explore.facts import Wrong
from turnlock.explore.worlds import DIALECT, MODEL
from turnlock.strict import judge_responses
from turnlock.wire import Settings, encoder

_SETTINGS = Settings(MODEL)


@define(eq=False)
class Verdicts:
    """The requests that were judged.

    Attributes:
        bodies: The distinct bodies that left, in the order in which they were first seen.
    """

    bodies: dict[bytes, None] = field(factory=dict, init=False)
    _accepted: set[bytes] = field(factory=set, init=False)

    def judge(self, items: Sequence[Item], *, leaves: bool = True) -> None:
        """Judge the request that carries these items.

        Args:
            items: The items.
            leaves: It leaves; otherwise it only might have.

        Raises:
            Wrong: The provider would refuse it.
        """
        body = encoder(DIALECT).encode(items, len(items), _SETTINGS).body
        if body not in self._accepted:
            refusal = judge_responses(msgspec.json.decode(body))
            if refusal is not None:
                raise Wrong(f"the provider refuses the request: {refusal.message}")
            self._accepted.add(body)
        if leaves:
            self.bodies[body] = None
