"""Names of models -> adapters. SDKs are imported here, when a name asks for one."""

from __future__ import annotations

from collections.abc import Callable

from turnlock.models.base import Model


def resolve(name: str) -> Model:
    """The adapter that a name stands for: ``openai:MODEL``, ``openai-chat:MODEL`` or ``demo``.

    Raises:
        ValueError: The name is not known; the text lists those that are.
        ImportError: The extra that it needs is not installed; the text says which.
    """
    provider, _, model = name.partition(":")
    make = _PROVIDERS.get(provider)
    if make is None or bool(model) is (provider == "demo"):
        raise ValueError(
            f"model {name!r} is not known: give 'openai:MODEL', 'openai-chat:MODEL', 'demo', or an adapter"
        )
    try:
        return make(model)
    except ImportError as error:
        extra = "demo" if provider == "demo" else "openai"
        raise ImportError(
            f"model {name!r} needs a package that is not installed ({error}): pip install 'turnlock[{extra}]'"
        ) from error


def _responses(model: str) -> Model:
    from turnlock.models.openai import OpenAIResponses

    return OpenAIResponses(model)


def _chat(model: str) -> Model:
    from turnlock.models.openai import OpenAIChat

    return OpenAIChat(model)


def _demo(_model: str) -> Model:
    from turnlock.models.demo import demo_model

    return demo_model()


_PROVIDERS: dict[str, Callable[[str], Model]] = {"openai": _responses, "openai-chat": _chat, "demo": _demo}
