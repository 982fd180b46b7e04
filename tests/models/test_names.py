"""Names of models: what they stand for, and what is said when they stand for nothing."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest

from turnlock.models import resolve
from turnlock.models.anthropic import AnthropicMessages
from turnlock.models.openai import OpenAIChat, OpenAIResponses


def test_names() -> None:
    """A provider and a model; the model's own name may have colons and slashes."""
    responses, chat = resolve("openai:gpt-5"), resolve("openai-chat:qwen/qwen3:free")
    assert isinstance(responses, OpenAIResponses)
    assert isinstance(chat, OpenAIChat)
    assert (responses.name, chat.name) == ("gpt-5", "qwen/qwen3:free")
    messages = resolve("anthropic:claude-sonnet-4-5")
    assert isinstance(messages, AnthropicMessages)
    assert (messages.name, messages.dialect) == ("claude-sonnet-4-5", "anthropic")


async def test_the_demo() -> None:
    """It is an adapter that owns its provider, and needs no key."""
    model = resolve("demo")
    assert (model.name, model.dialect) == ("demo", "openai_responses")
    await model.aclose()


@pytest.mark.parametrize("name", ["", "gpt-5", "openai", "openai:", "demo:x", "anthropic", ":x"])
def test_names_that_stand_for_nothing(name: str) -> None:
    """The text lists those that do."""
    with pytest.raises(ValueError, match="'anthropic:MODEL', 'gemini:MODEL', 'demo', or an adapter"):
        resolve(name)


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("openai:gpt-5", "openai", "openai"),
        ("openai-chat:gpt-5", "openai", "openai"),
        ("anthropic:claude-sonnet-4-5", "anthropic", "anthropic"),
        ("gemini:gemini-3-pro", "google", "google-genai"),
        ("demo", "hypercorn", "demo"),
        ("demo", "openai", "demo"),
    ],
)
def test_an_extra_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, name: str, missing: str, extra: str
) -> None:
    """The error says which one to install."""
    real = builtins.__import__

    def without(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.split(".", maxsplit=1)[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(module, *args, **kwargs)

    for module in list(sys.modules):
        if module.startswith(_NEED_EXTRAS):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=rf"pip install 'turnlock\[{extra}\]'"):
        resolve(name)


_NEED_EXTRAS = (
    "turnlock.models.openai",
    "turnlock.models.anthropic",
    "turnlock.models.gemini",
    "turnlock.models.demo",
    "turnlock.strict.server",
)
