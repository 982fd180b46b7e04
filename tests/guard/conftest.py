"""The three ways in which code calls an SDK."""

from __future__ import annotations

from typing import Any

import pytest

from support.sdk import Ask, Asked, Way, ask_async, ask_sync, under


@pytest.fixture(params=["trio", "asyncio", "sync"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """A whole life of the real SDK with a guarded client, in each way; errors are returned."""
    way: Way = request.param

    def asked(base_url: str, *bodies: Asked, retries: int = 2, **options: Any) -> list[Any]:
        if way == "sync":
            return ask_sync(base_url, bodies, retries, options)

        async def main() -> list[Any]:
            return await ask_async(base_url, bodies, retries, options)

        answers: list[Any] = under(way, main)
        return answers

    return asked


@pytest.fixture(params=["trio", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Way:
    """An event loop."""
    way: Way = request.param
    return way
