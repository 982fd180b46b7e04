"""The content of messages, in whichever dialect it was written.

A message is text or a list of parts in some provider's format. Here they are read into neutral parts, so that
an encoder can say in its own format what was said in another's. What no neutral part stands for is kept as
it came: it goes back to a dialect that knows it, and is named in words to one that does not (R16).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import field, frozen

from turnlock.engine.items import Content


@frozen
class TextPart:
    """Text."""

    text: str


@frozen
class ImagePart:
    """An image: by address, or as base64 data of a media type."""

    url: str = ""
    media_type: str = ""
    data: str = field(default="", repr=False)

    @property
    def as_url(self) -> str:
        """The address, or the data as one."""
        return self.url or f"data:{self.media_type or 'image/png'};base64,{self.data}"


@frozen
class OtherPart:
    """What has no neutral form: audio, video, documents, references to files of one provider."""

    raw: Mapping[str, Any] = field(repr=False)

    @property
    def text(self) -> str:
        """What is said in its place to a provider that cannot be shown it."""
        kind = self.raw.get("type")
        return f"[{kind if isinstance(kind, str) else next(iter(self.raw), 'part')}: cannot be shown here]"


Part: TypeAlias = TextPart | ImagePart | OtherPart


def parts(content: Content) -> tuple[Part, ...]:
    """The parts of a content; of text, one. Empty text is no part."""
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    return tuple(part for raw in content if (part := part_of(raw)) is not None)


def part_of(raw: object) -> Part | None:
    """One part in a provider's format; None when it says nothing."""
    if isinstance(raw, str):
        return TextPart(raw) if raw else None
    if not isinstance(raw, Mapping):
        return None
    kind = raw.get("type")
    text = raw.get("text")
    if isinstance(text, str) and kind in _TEXT:
        return TextPart(text) if text else None
    if isinstance(kind, str) and kind in _IMAGES:
        found = _IMAGES[kind](raw)
    elif kind is None:
        found = _untyped_image(raw)
    else:
        found = None
    return found or OtherPart(raw)


def plain_text(content: Content) -> str:
    """What a content says in words, its other parts named."""
    if isinstance(content, str):
        return content
    return "\n".join(map(_words, parts(content)))


def _words(part: Part) -> str:
    if isinstance(part, ImagePart):
        return part.url or "[image: cannot be shown here]"
    return part.text


def written(
    content: Content, own: frozenset[str], write: Callable[[Part], Mapping[str, Any]]
) -> str | list[Mapping[str, Any]]:
    """A content in one dialect's format, whoever's it was.

    What is the dialect's own goes as it came, and so does what nobody knows: it may be newer than we are.

    Args:
        content: The content.
        own: The types of parts that the dialect has.
        write: Writes a part that is another's.
    """
    if isinstance(content, str):
        return content
    given = ((raw, part_of(raw) if _is_foreign(raw, own) else None) for raw in content)
    return [raw if part is None else write(part) for raw, part in given] or ""


def _is_foreign(raw: Mapping[str, Any], own: frozenset[str]) -> bool:
    kind = raw.get("type")
    if kind is None:
        return not _UNTYPED.isdisjoint(raw)
    return isinstance(kind, str) and kind in _TYPES and kind not in own


_TYPES = frozenset(
    {
        *("text", "image_url", "input_audio", "file", "refusal"),
        *("input_text", "output_text", "input_image", "input_file"),
        *("image", "document", "search_result", "container_upload", "tool_addition"),
        *("document_url", "reference", "video_url", "audio_url"),
    }
)
_UNTYPED = frozenset(
    {
        *("text", "inlineData", "inline_data", "fileData", "file_data", "document", "image", "video"),
        *("audio", "cachePoint", "guardContent", "searchResult"),
    }
)
"""The keys that say what a part is in formats without a type."""

_TEXT = (None, "text", "input_text", "output_text")  # no set: any JSON may stand for a type


def _data_url(url: object) -> ImagePart | None:
    if not isinstance(url, str) or not url:
        return None
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return ImagePart(media_type=head.removeprefix("data:").removesuffix(";base64"), data=data)
    return ImagePart(url=url)


def _chat_image(raw: Mapping[str, Any]) -> ImagePart | None:
    given = raw.get("image_url")
    return _data_url(given.get("url") if isinstance(given, Mapping) else given)


def _responses_image(raw: Mapping[str, Any]) -> ImagePart | None:
    return _data_url(raw.get("image_url"))


def _anthropic_image(raw: Mapping[str, Any]) -> ImagePart | None:
    source = raw.get("source")
    if not isinstance(source, Mapping):
        return None
    if source.get("type") == "url":
        return _data_url(source.get("url"))
    return _base64(source.get("media_type"), source.get("data"))


def _untyped_image(raw: Mapping[str, Any]) -> ImagePart | None:
    """Gemini's and Bedrock's parts say what they are by their only key."""
    inline = raw.get("inlineData") or raw.get("inline_data")
    if isinstance(inline, Mapping):
        media = inline.get("mimeType") or inline.get("mime_type")
        return _base64(media, inline.get("data")) if str(media).startswith("image/") else None
    image = raw.get("image")
    source = image.get("source") if isinstance(image, Mapping) else None
    if isinstance(image, Mapping) and isinstance(source, Mapping):
        return _base64(f"image/{image.get('format') or 'png'}", source.get("bytes"))
    return None


def _base64(media_type: object, data: object) -> ImagePart | None:
    if isinstance(media_type, str) and isinstance(data, str) and data:
        return ImagePart(media_type=media_type, data=data)
    return None


_IMAGES: Mapping[str, Callable[[Mapping[str, Any]], ImagePart | None]] = MappingProxyType(
    {"image_url": _chat_image, "input_image": _responses_image, "image": _anthropic_image}
)
