"""Clients of the strict provider that speak Anthropic: the real SDK, inside the process and over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from anthropic import AsyncAnthropic

from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import InProcess, serve

Inside = Callable[..., AbstractAsyncContextManager[tuple[StrictProvider, AsyncAnthropic]]]


@pytest.fixture
def inside() -> Inside:
    """A provider with this script, and the SDK on it, without sockets."""

    @asynccontextmanager
    async def opened(
        *lines: dict[str, Any], **more: Any
    ) -> AsyncIterator[tuple[StrictProvider, AsyncAnthropic]]:
        provider = StrictProvider(Script.of(*lines), **more)
        http = httpx2.AsyncClient(transport=InProcess(provider))
        async with AsyncAnthropic(
            base_url="http://strict", api_key="sk-ant-x", max_retries=0, http_client=http
        ) as client:
            yield provider, client

    return opened


@pytest.fixture
def outside() -> Inside:
    """The same over loopback, with a server of its own."""

    @asynccontextmanager
    async def opened(
        *lines: dict[str, Any], **more: Any
    ) -> AsyncIterator[tuple[StrictProvider, AsyncAnthropic]]:
        provider = StrictProvider(Script.of(*lines), **more)
        async with trio.open_nursery() as nursery:
            base_url = await nursery.start(serve, provider)
            async with AsyncAnthropic(base_url=base_url, api_key="sk-ant-x", max_retries=0) as client:
                yield provider, client
            nursery.cancel_scope.cancel()

    return opened
