"""Clients, ready or put under guard: what the SDKs give their own, proxies and all."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from support.sdk import Way, posted, under
from turnlock.guard import GuardedSyncTransport, GuardedTransport, guarded, guarded_sync

BROKEN = b'{"input": [{"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}]}'
URL = "http://127.0.0.1:9/v1/responses"


def test_nothing_else_changes(loop: Way) -> None:
    """Timeouts, retries, redirects and limits are those that the SDK has without the guard."""

    async def main() -> None:
        async with (
            openai.AsyncOpenAI(api_key="x", http_client=guarded()) as ours,
            openai.AsyncOpenAI(api_key="x") as own,
        ):
            assert ours.timeout == own.timeout
            assert ours.max_retries == own.max_retries
            assert ours._client.follow_redirects == own._client.follow_redirects
            inner = ours._client._transport
            assert isinstance(inner, GuardedTransport)
            assert isinstance(inner.inner, httpx2.AsyncHTTPTransport)
            assert isinstance(own._client._transport, httpx2.AsyncHTTPTransport)
            for name in ("_max_connections", "_max_keepalive_connections", "_keepalive_expiry"):
                assert getattr(inner.inner._pool, name) == getattr(own._client._transport._pool, name)

    under(loop, main)


def test_proxies_of_the_environment_are_used_and_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with a transport of its own would ignore them, and so lose the way out, or the guard."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "direct.example")
    with guarded_sync() as client, httpx2.Client() as plain:
        assert [pattern.pattern for pattern in client._mounts] == [
            pattern.pattern for pattern in plain._mounts
        ]
        assert len(client._mounts) > 1
        for host in ("api.openai.com", "direct.example"):
            transport = client._transport_for_url(httpx2.URL(f"https://{host}"))
            assert isinstance(transport, GuardedSyncTransport)
            assert (transport is client._transport) == (host == "direct.example")


def test_any_client_can_be_put_under_guard(loop: Way) -> None:
    """The SDK's own default client, with whatever its SDK gave it."""

    async def main() -> int:
        async with guarded(openai.DefaultAsyncHttpxClient(timeout=7)) as client:
            assert client.timeout == httpx2.Timeout(7)
            return (await client.send(posted(URL, BROKEN))).status_code

    assert under(loop, main) == 400
    with guarded_sync(openai.DefaultHttpxClient()) as client:
        assert client.send(posted(URL, BROKEN)).status_code == 400


def test_options_of_a_new_client() -> None:
    """Everything that httpx2 takes."""
    with guarded_sync(timeout=3, headers={"x-a": "b"}, base_url="http://h/") as client:
        assert (client.timeout, client.headers["x-a"], str(client.base_url)) == (
            httpx2.Timeout(3),
            "b",
            "http://h/",
        )
        assert client.follow_redirects


def test_a_transport_of_ones_own_is_guarded_too() -> None:
    """``transport=`` is one of those options."""
    with guarded_sync(transport=httpx2.MockTransport(lambda _: httpx2.Response(204))) as client:
        assert client.send(posted(URL, b'{"input": []}')).status_code == 204
        assert client.send(posted(URL, BROKEN)).status_code == 400


def test_what_cannot_be_guarded_is_said() -> None:
    """A client that goes round its transports, one of the other kind, options that come too late."""

    class Own(httpx2.Client):
        def send(self, *args: Any, **options: Any) -> httpx2.Response:
            raise AssertionError

    with (
        Own() as own,
        pytest.raises(TypeError, match="Own has a way of its own"),
    ):
        guarded_sync(own)
    with httpx2.Client() as sync:
        with pytest.raises(TypeError, match=r"guards an httpx2\.AsyncClient, not a Client"):
            guarded(sync)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="has options of its own: give it timeout when it is made"):
            guarded_sync(sync, timeout=3)
