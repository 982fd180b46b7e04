"""Where an adapter puts what arrives, when there is no session around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio
from attrs import define, field

from turnlock.engine import ModelItem
from turnlock.models import Sink


@define(eq=False)
class Ear(Sink):
    """What an adapter told."""

    shown: list[str] = field(factory=list)
    thoughts: list[str] = field(factory=list)
    items: list[tuple[Mapping[str, Any], bool]] = field(factory=list)

    def text(self, delta: str) -> None:
        self.shown.append(delta)

    def reasoning(self, delta: str) -> None:
        self.thoughts.append(delta)

    def item(self, raw: Mapping[str, Any], *, cut: bool = False) -> None:
        self.items.append((raw, cut))

    def add(self, item: ModelItem) -> None:
        raise AssertionError("an adapter with a dialect tells items of the dialect")

    def next_ordinal(self) -> int:
        raise AssertionError("as above")

    async def cancel_when_shown(self, scope: trio.CancelScope) -> None:
        """Cancel as soon as there is text to show."""
        while not self.shown:
            await trio.sleep(0.001)
        scope.cancel()
