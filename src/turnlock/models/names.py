"""What a host gives for a model -> an adapter. SDKs are imported here, when a name asks for one."""

from __future__ import annotations

from collections.abc import Callable

from turnlock.errors import MissingExtra
from turnlock.models.base import Model

_CHOICES = (
    "give 'openai:MODEL', 'openai-chat:MODEL', 'anthropic:MODEL', 'gemini:MODEL', 'demo', or an adapter"
)


def as_model(given: Model | str) -> Model:
    """The adapter that was meant.

    Raises:
        TypeError: It is neither a name nor an adapter; the text says what is missing.
        ValueError: The name is not known.
        MissingExtra: What the name needs is not installed.
    """
    if isinstance(given, str):
        return resolve(given)
    missing = [name for name in ("name", "dialect", "settings", "respond") if not hasattr(given, name)]
    if missing or isinstance(given, type):
        lacks = (
            f"it has no {', '.join(missing)}" if missing else "it is a class: make one, with the model's name"
        )
        raise TypeError(f"model={given!r} is no model adapter ({lacks}): {_CHOICES}")
    return given


def resolve(name: str) -> Model:
    """The adapter that a name stands for: ``PROVIDER:MODEL``, or ``demo``.

    Raises:
        ValueError: The name is not known; the text lists those that are.
        MissingExtra: What it needs is not installed; the text says which.
    """
    provider, _, model = name.partition(":")
    make = _PROVIDERS.get(provider)
    if make is None or bool(model) is (provider == "demo"):
        raise ValueError(f"model {name!r} is not known: {_CHOICES}")
    try:
        return make(model)
    except ImportError as error:
        raise MissingExtra(f"model {name!r}", _EXTRAS.get(provider, provider), error) from error


def _responses(model: str) -> Model:
    from turnlock.models.openai import OpenAIResponses

    return OpenAIResponses(model)


def _chat(model: str) -> Model:
    from turnlock.models.openai import OpenAIChat

    return OpenAIChat(model)


def _anthropic(model: str) -> Model:
    from turnlock.models.anthropic import AnthropicMessages

    return AnthropicMessages(model)


def _gemini(model: str) -> Model:
    from turnlock.models.gemini import Gemini

    return Gemini(model)


def _demo(_model: str) -> Model:
    from turnlock.models.demo import demo_model

    return demo_model()


_PROVIDERS: dict[str, Callable[[str], Model]] = {
    "openai": _responses,
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "demo": _demo,
}
_EXTRAS = {"openai-chat": "openai", "gemini": "google-genai"}  # other extras have the provider's name
