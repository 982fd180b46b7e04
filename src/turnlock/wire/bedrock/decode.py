"""Reads the answer of Converse.

The whole assistant message at once, as its stream assembles it. It must never fail on what a provider sends.
A block that is neither text, reasoning nor a call of ours is the provider's own: it is kept as a ServerCall,
and goes back as it came to the model that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnlock.engine.items import Call, Origin, Reasoning, ServerCall, Text
from turnlock.engine.outcome import Cause
from turnlock.wire.bedrock.blocks import DIALECT, SERVER_TOOL_USE
from turnlock.wire.common.jsontext import arguments_of
from turnlock.wire.common.request import Decoded


def decode_bedrock(
    raw: Mapping[str, Any], *, request: int, model: str, next_ordinal: Callable[[], int], cut: bool = False
) -> list[Decoded]:
    """Read one assistant message; see ``turnlock.wire.decode``.

    Where the message was cut, it was cut in its last block: everything before that is complete.
    """
    content = raw.get("content")
    blocks = (
        [block for block in content if isinstance(block, Mapping)]
        if isinstance(content, list | tuple)
        else []
    )
    found: list[Decoded] = []
    for place, block in enumerate(blocks):
        origin = Origin(DIALECT, model, block)
        use, thought = block.get("toolUse"), block.get("reasoningContent")
        said = said_in(block)
        if isinstance(use, Mapping) and use.get("type") != SERVER_TOOL_USE:
            found.append(_call(use, origin, request, next_ordinal(), cut=cut and place == len(blocks) - 1))
        elif isinstance(thought, Mapping):
            found.append(Decoded(Reasoning(_thought(thought), request, origin)))
        elif said is None:
            found.append(Decoded(ServerCall(_kind(block), request, origin)))
        elif said:
            found.append(Decoded(Text(said, request, origin)))
    return found


def said_in(block: Mapping[str, Any]) -> str | None:
    """The text of a block, cited or not; None when it is no text."""
    if "citationsContent" in block:
        cited = block["citationsContent"]
        parts = cited.get("content") if isinstance(cited, Mapping) else None
        texts = parts if isinstance(parts, list | tuple) else ()
        return "".join(_string(part.get("text")) for part in texts if isinstance(part, Mapping))
    return _string(block["text"]) if "text" in block else None


def _call(use: Mapping[str, Any], origin: Origin, request: int, ordinal: int, *, cut: bool) -> Decoded:
    arguments, why = arguments_of(use.get("input"))
    problem = Cause.BAD_ARGUMENTS if why else None
    if cut:
        arguments, why, problem = "{}", "", Cause.CUT_OFF
    made = Call(
        ordinal, _string(use.get("toolUseId")), _string(use.get("name")), arguments, request, origin=origin
    )
    return Decoded(made, problem, why)


def _thought(thought: Mapping[str, Any]) -> str:
    said = thought.get("reasoningText")
    return _string(said.get("text")) if isinstance(said, Mapping) else ""


def _kind(block: Mapping[str, Any]) -> str:
    """What a block of the provider's own is called."""
    use = block.get("toolUse")
    name = use.get("name") if isinstance(use, Mapping) else None
    return name if isinstance(name, str) and name else next((str(key) for key in block), "block")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
