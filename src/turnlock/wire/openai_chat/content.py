"""The content of messages as Chat Completions has it, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.items import Content
from turnlock.wire.common import content as common

_OWN = frozenset({"text", "image_url", "input_audio", "file", "refusal", "video_url", "audio_url"})
"""The types of parts that this format has, the last two at compatible servers."""


def written(content: Content) -> str | list[Mapping[str, Any]]:
    """A content in this format, whoever's it was."""
    return common.written(content, _OWN, _part)


def joined(first: object, second: object) -> object:
    """Two contents of this format as one."""
    if isinstance(first, str) and isinstance(second, str):
        return "\n\n".join(filter(None, (first, second)))
    return [*_as_parts(first), *_as_parts(second)]


def read(content: object) -> Content:
    """The content of a message of a body, as it stands."""
    if isinstance(content, list | tuple):
        return tuple(
            part if isinstance(part, Mapping) else {"type": "text", "text": str(part)} for part in content
        )
    return content if isinstance(content, str) else ""


def text_of(content: object) -> str:
    """What a content says in text: of a refusal, the refusal."""
    if isinstance(content, list | tuple):
        texts = (part.get("text") or part.get("refusal") for part in content if isinstance(part, Mapping))
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _part(part: common.Part) -> Mapping[str, Any]:
    match part:
        case common.ImagePart():
            return {"type": "image_url", "image_url": {"url": part.as_url}}
        case common.OtherPart(raw={"type": "input_file", **file}) if file.keys() & {"file_id", "file_data"}:
            return {"type": "file", "file": file}
        case _:
            return {"type": "text", "text": part.text}


def _as_parts(content: object) -> list[object]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content) if isinstance(content, list | tuple) else []
