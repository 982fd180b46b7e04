"""The content of messages and outputs as OpenAI Responses has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.items import Content
from turnlock.wire.common.content import ImagePart, OtherPart, is_foreign, part_of

_OWN = frozenset({"input_text", "output_text", "input_image", "input_file", "input_audio", "refusal"})
"""The types of parts that this format has."""


def written(content: Content) -> Any:  # noqa: ANN401 - text, or a list of JSON objects
    """A content in this format, whoever's it was."""
    if isinstance(content, str):
        return content
    return [_part(raw) for raw in content] or ""


def _part(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part in this format."""
    if not is_foreign(raw, _OWN):
        return raw
    match part_of(raw):
        case ImagePart() as image:
            return {"type": "input_image", "image_url": image.as_url}
        case OtherPart() as other:
            file = raw.get("file") if raw.get("type") == "file" else None
            if isinstance(file, Mapping):
                return {"type": "input_file", **file}
            return {"type": "input_text", "text": other.text}
        case part:
            return {"type": "input_text", "text": part.text if part is not None else ""}
