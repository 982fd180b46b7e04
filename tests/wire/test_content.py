"""The content of messages between dialects."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.engine.items import Message
from turnlock.wire import Settings, encoder
from turnlock.wire.common.content import ImagePart, OtherPart, TextPart, parts, plain_text

PIXEL = ImagePart(media_type="image/png", data="QUJD")
IMAGES: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
    {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
    {"inline_data": {"mime_type": "image/png", "data": "QUJD"}},
    {"image": {"format": "png", "source": {"bytes": "QUJD"}}},
]


@pytest.mark.parametrize(
    "raw", IMAGES, ids=lambda raw: next(iter(raw.values())) if "type" in raw else "".join(raw)
)
def test_an_image_is_the_same_in_every_format(raw: dict[str, object]) -> None:
    """Six ways of writing it, one neutral part."""
    assert parts((raw,)) == (PIXEL,)
    assert PIXEL.as_url == "data:image/png;base64,QUJD"


@pytest.mark.parametrize("kind", [None, "text", "input_text", "output_text"])
def test_text_is_text_whatever_it_is_called(kind: str | None) -> None:
    """Gemini and Bedrock have no type, the others three names for it."""
    raw = {"text": "hello"} if kind is None else {"type": kind, "text": "hello"}
    assert parts((raw,)) == (TextPart("hello"),)
    assert parts("hello") == (TextPart("hello"),)
    assert parts("") == parts(({"text": ""},)) == ()


def test_what_has_no_neutral_form_is_kept_and_named() -> None:
    """R16: nothing disappears; a provider that cannot be shown it is told that it was there."""
    sound: dict[str, Any] = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
    video: dict[str, Any] = {"video": {"format": "mp4"}}
    assert parts((sound, video)) == (OtherPart(sound), OtherPart(video))
    said = plain_text(
        ({"text": "look"}, sound, video, IMAGES[0], {"type": "image_url", "image_url": "https://x/y"})
    )
    assert said.split("\n") == [
        "look",
        "[input_audio: cannot be shown here]",
        "[video: cannot be shown here]",
        "[image: cannot be shown here]",
        "https://x/y",
    ]


@pytest.mark.parametrize(
    "raw", [None, 7, {"type": "image"}, {"type": "image_url"}, {"image": {}}, {"type": 3}]
)
def test_a_part_of_no_known_shape_makes_nothing_fail(raw: object) -> None:
    """What cannot be read is kept as it came, or was nothing."""
    (found,) = parts((raw,)) or (None,)  # type: ignore[arg-type]
    assert found is None or isinstance(found, OtherPart)


@pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat", "anthropic", "mistral"])
@pytest.mark.parametrize(
    "raw",
    [
        {"type": "document_url", "document_url": "https://x/y.pdf"},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "tool_addition", "tools": []},
        {"cachePoint": {"type": "default"}},
        {"audio": {"format": "wav", "source": {"bytes": "QUJD"}}},
    ],
)
def test_what_only_one_provider_takes_goes_to_no_other(dialect: str, raw: dict[str, Any]) -> None:
    """R16: the others would refuse every request that has it; its own gets it as it came."""
    row = encoder(dialect).encode([Message("1", (raw,))], 1, Settings("m")).body.decode()
    own = {"document_url": "mistral", "container_upload": "anthropic"}.get(raw.get("type", ""))
    assert ("cannot be shown here" in row) is (dialect != own)
