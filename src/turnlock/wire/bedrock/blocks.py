"""The blocks of which a message of Converse is made: their names, and what goes into them.

A block is an object with one key that says what it is. Text that says nothing is refused here, so nothing
ever leaves without a letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnlock.engine.items import Content
from turnlock.wire.common.content import ImagePart, OtherPart, Part, TextPart, part_of
from turnlock.wire.common.ids import IdStyle

DIALECT = "bedrock_converse"

IDS = IdStyle(64, charset="_.:-")
"""BR-ID-PATTERN."""

SERVER_TOOL_USE = "server_tool_use"
"""The type of a call that the provider executes."""

WORDS = frozenset({"text", "image", "document", "video", "audio", "searchResult", "citationsContent"})
"""What a message says, beside calls, results, reasoning and marks for the cache."""

_TAKEN = WORDS | {"cachePoint", "guardContent"}  # of a user's message
_FORMATS: Mapping[str, str] = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
EMPTY = "(empty message)"
DOCUMENT = "(document)"

Block = Mapping[str, Any]


def text(said: str) -> Block:
    """A block of text."""
    return {"text": said}


def label_of(block: Mapping[str, Any], name: str) -> str | None:
    """The id in a block's ``toolUse`` or ``toolResult``; None when it has none."""
    about = block.get(name)
    label = about.get("toolUseId") if isinstance(about, Mapping) else None
    return label if isinstance(label, str) else None


def content_blocks(content: Content) -> list[Block]:
    """What a message says, in Converse's blocks: at least one, and text beside every document."""
    raws: Sequence[object] = (content,) if isinstance(content, str) else content
    blocks = [block for raw in raws if (block := _block(raw)) is not None]
    spoken = any("text" in block for block in blocks)
    if any("document" in block for block in blocks) and not spoken:
        blocks.append(text(DOCUMENT))  # without a text a document is refused
    return blocks if not all("cachePoint" in block for block in blocks) else [text(EMPTY), *blocks]


def _block(raw: object) -> Block | None:
    part = part_of(raw)
    if isinstance(part, OtherPart) and len(part.raw) == 1 and not _TAKEN.isdisjoint(part.raw):
        return part.raw  # its own format
    return None if part is None else _written(part)


def _written(part: Part) -> Block | None:
    match part:
        case TextPart():
            return text(part.text) if part.text.strip() else None
        case ImagePart():
            kind = _FORMATS.get(part.media_type)
            if kind and part.data:
                return {"image": {"format": kind, "source": {"bytes": part.data}}}
            # It takes no address, and no other format: the model is told that there was one.
            return text(part.url or "[image: cannot be shown here]")
        case OtherPart():
            return text(part.text)
