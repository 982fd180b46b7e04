"""DeepSeek's servers of the format: what is written to them otherwise.

Their server folds a run of calls into one assistant message, and wants the run of outputs directly behind it
(DS-RESP-ADJACENT). So an answer's calls stand last, its outputs first of what follows, and what a computer's
output needs to be told in words stands behind all of them. A thinking model wants its reasoning back as it
came; nothing is stored, and ids mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import define

from turnlock.engine.items import Call, Item, ModelItem, Output, Reasoning
from turnlock.wire.common.encoding import Places, Rows
from turnlock.wire.common.request import Encoded, Settings
from turnlock.wire.openai_responses.encode import ResponsesEncoder, sent_back


@define(eq=False)
class DeepSeekEncoder(ResponsesEncoder):
    """The encoder of ``deepseek_responses``."""

    joins: ClassVar[bool] = True
    dialect: ClassVar[str] = "deepseek_responses"

    def _encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """The whole history, each time: this provider keeps none."""
        self._known = None
        return super()._encode(items, length, settings)

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        answer = isinstance(block[0], ModelItem)
        rows: Rows = []
        notes: Rows = []
        places: dict[int, int | None] = {}
        for at in sorted(range(len(block)), key=lambda at: _is_late(block[at], answer=answer)):
            item = block[at]
            if isinstance(item, Reasoning):
                written = self._given_back(item, settings.model)
            else:
                written = self._write_item(item, with_id=False)
            if notes and not isinstance(item, Output):
                rows += notes
                notes = []
            places[at] = len(rows) if written else None
            rows += written[:1]
            notes += written[1:]
        return [*rows, *notes], [places[at] for at in range(len(block))]

    def _given_back(self, item: Reasoning, model: str) -> Sequence[Mapping[str, Any]]:
        """The model's own reasoning, in full."""
        origin = self._made_by(item, model)
        if origin is None:
            return ()
        return ({"summary": [], **sent_back(origin.item, with_id=True)},)


def _is_late(item: Item, *, answer: bool) -> bool:
    """In an answer calls stand last; between answers outputs stand first."""
    return isinstance(item, Call) if answer else not isinstance(item, Output)
