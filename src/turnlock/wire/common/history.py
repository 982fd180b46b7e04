"""A whole request body, read back into a transcript.

The value that every dialect's ``read.py`` gives. The items stand as the body has them, also where pairs are
wrong: what a body lacks is added by a repair, never by reading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from turnlock.engine.items import Item
from turnlock.wire.common.request import Settings, ToolSpec


@frozen
class History:
    """What a body says.

    Attributes:
        items: The transcript. An output whose call is not in the body has an ordinal of its own.
        instructions: What stands before everything else.
        tools: What the model may call.
        model: The provider's name of the model; empty where it stands in the URL.
        options: The other fields of the body.
    """

    items: tuple[Item, ...]
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    model: str = ""
    options: Mapping[str, Any] = field(factory=dict)

    def settings(self, *, stream: bool = True) -> Settings:
        """The same request's settings, for an encoder of the same dialect."""
        return Settings(self.model, self.instructions, self.tools, self.options, stream)
