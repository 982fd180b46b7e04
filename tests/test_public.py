"""What ``import turnlock`` gives, without any extra, and what needs one."""

from __future__ import annotations

import subprocess
import sys

import pytest

import turnlock
from turnlock.models.anthropic import AnthropicMessages
from turnlock.models.openai import OpenAIChat, OpenAIResponses


def test_adapters_that_need_an_sdk() -> None:
    """They have their names in the package like all else, and are imported when they are asked for."""
    assert turnlock.OpenAIResponses is OpenAIResponses
    assert turnlock.OpenAIChat is OpenAIChat
    assert turnlock.AnthropicMessages is AnthropicMessages
    with pytest.raises(AttributeError, match="has no attribute 'OpenAiResponses'"):
        _ = turnlock.OpenAiResponses


def test_the_package_without_extras() -> None:
    """Neither an SDK nor a server is imported with it; asking for one that is missing names the extra."""
    script = """if True:
        import sys
        for name in ("openai", "anthropic", "google", "httpx2", "hypercorn", "anyio"):
            sys.modules[name] = None
        import turnlock
        turnlock.Session(turnlock.Scripted([]))
        try:
            turnlock.OpenAIChat
        except ImportError as error:
            print(type(error).__name__, error.extra, error)
    """
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("MissingExtra openai OpenAIChat needs a package that is not installed (")
    assert "pip install -e '.[openai]'" in ended.stdout
