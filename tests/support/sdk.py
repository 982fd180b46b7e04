"""A guarded SDK, called in three ways: under trio, under asyncio, and in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

import httpx2
import trio
from openai import AsyncOpenAI, OpenAI, OpenAIError

from turnlock.errors import TurnlockError
from turnlock.guard import guarded, guarded_sync

Way: TypeAlias = Literal["trio", "asyncio", "sync"]
Asked: TypeAlias = tuple[str, dict[str, Any]]
Ask: TypeAlias = Callable[..., Any]
"""``ask(base_url, *bodies, **options)``: one client, a POST for each (path, body); the answers or errors."""


def under(way: Way, main: Callable[[], Awaitable[Any]]) -> Any:
    """Run an async function under a loop of its own."""
    if way == "trio":
        return trio.run(main)

    async def coroutine() -> Any:
        return await main()

    return asyncio.run(coroutine())


async def ask_async(
    base_url: str, bodies: tuple[Asked, ...], retries: int, options: dict[str, Any]
) -> list[Any]:
    answers: list[Any] = []
    async with AsyncOpenAI(
        base_url=base_url, api_key="sk-secret-0123", max_retries=retries, http_client=guarded(**options)
    ) as client:
        for path, body in bodies:
            try:
                api: Any = client.responses if path == "responses" else client.chat.completions
                made = await api.create(**body)
                if body.get("stream"):
                    async with made, aclosing(aiter(made)) as events:
                        made = [event async for event in events]
                answers.append(made)
            except (OpenAIError, TurnlockError) as error:
                answers.append(error)
    return answers


def ask_sync(base_url: str, bodies: tuple[Asked, ...], retries: int, options: dict[str, Any]) -> list[Any]:
    answers: list[Any] = []
    with OpenAI(
        base_url=base_url, api_key="sk-secret-0123", max_retries=retries, http_client=guarded_sync(**options)
    ) as client:
        for path, body in bodies:
            try:
                api: Any = client.responses if path == "responses" else client.chat.completions
                made = api.create(**body)
                if body.get("stream"):
                    with made:
                        made = list(made)
                answers.append(made)
            except (OpenAIError, TurnlockError) as error:
                answers.append(error)
    return answers


def posted(url: str, body: bytes, **headers: str) -> httpx2.Request:
    """A request as an SDK would make it."""
    return httpx2.Request("POST", url, content=body, headers={"content-type": "application/json", **headers})
