"""The content of messages as Chat Completions has it, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlock.engine.items import Content
from turnlock.wire.common.content import ImagePart, OtherPart, is_foreign, part_of

_OWN = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
"""The types of parts that this format has."""


def written(content: Content) -> Any:  # noqa: ANN401 - text, or a list of JSON objects
    """A content in this format, whoever's it was."""
    if isinstance(content, str):
        return content
    return [_part(raw) for raw in content] or ""


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


def _part(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part in this format."""
    if not is_foreign(raw, _OWN):
        return raw
    match part_of(raw):
        case ImagePart() as image:
            return {"type": "image_url", "image_url": {"url": image.as_url}}
        case OtherPart() as other:
            return _file(raw) or {"type": "text", "text": other.text}
        case part:
            return {"type": "text", "text": part.text if part is not None else ""}


def _file(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A file of OpenAI Responses, unless it is one by address."""
    if raw.get("type") != "input_file":
        return None
    fields = {key: raw[key] for key in ("file_id", "file_data", "filename") if isinstance(raw.get(key), str)}
    return {"type": "file", "file": fields} if fields.keys() - {"filename"} else None


def _as_parts(content: object) -> list[object]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content) if isinstance(content, list | tuple) else []
