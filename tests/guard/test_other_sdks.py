"""The SDKs of Anthropic and Google with a guarded client: their own typed errors, and no second try.

What wire finds is given here, so that these prove the envelopes and the SDKs alone.
"""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from support.sdk import Way, under
from turnlock.errors import RequestRefused
from turnlock.guard import guarded, guarded_sync
from turnlock.wire import Severity, Violation

TEXT = "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."
HI = [{"role": "user", "content": "Hi."}]


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every body breaks a rule; the dialects that were asked for."""
    asked: list[str] = []

    def check(body: object, dialect: str, held: object) -> tuple[Violation, ...]:
        asked.append(dialect)
        return (Violation("RULE", Severity.ERROR, TEXT, "/messages/1", ("toolu_1",)),)

    monkeypatch.setattr("turnlock.guard.judge.check", check)
    monkeypatch.setattr("turnlock.guard.judge.DIALECTS", ("anthropic", "gemini"))
    return asked


def nobody(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError("nothing may be sent")


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic(loop: Way, found: list[str], *, stream: bool) -> None:
    """R15: ``anthropic.BadRequestError`` with the literal text, asked once."""
    anthropic = pytest.importorskip("anthropic")

    async def main() -> Any:
        http = guarded(transport=httpx2.MockTransport(nobody))
        async with anthropic.AsyncAnthropic(api_key="x", http_client=http) as client:
            with pytest.raises(anthropic.BadRequestError) as caught:
                await client.messages.create(
                    model="claude-opus-4-6", max_tokens=9, messages=HI, stream=stream
                )
            return caught.value

    error = under(loop, main)
    assert error.body["error"] == {"type": "invalid_request_error", "message": TEXT}
    assert error.response.headers["x-turnlock-refused"] == "RULE"
    assert found == ["anthropic+4.6"]


def test_anthropic_sync(found: list[str]) -> None:
    """R15: the same without a loop; a token count passes."""
    anthropic = pytest.importorskip("anthropic")
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"input_tokens": 1}))
    with anthropic.Anthropic(api_key="x", http_client=guarded_sync(transport=inner)) as client:
        assert client.messages.count_tokens(model="claude-opus-4-5", messages=HI).input_tokens == 1
        with pytest.raises(anthropic.BadRequestError, match="toolu_1"):
            client.messages.create(model="claude-opus-4-5", max_tokens=9, messages=HI)
    assert found == ["anthropic"]


def test_raised_through_anthropics_sdk(loop: Way) -> None:
    """R15: with ``raise`` that SDK takes our error for a broken connection, and names it as the cause."""
    anthropic = pytest.importorskip("anthropic")

    async def main() -> Any:
        http = guarded(transport=httpx2.MockTransport(nobody), on_violation="raise")
        async with anthropic.AsyncAnthropic(api_key="x", http_client=http, max_retries=0) as client:
            with pytest.raises(anthropic.APIConnectionError) as caught:
                await client.messages.create(model="m", max_tokens=9, messages=HI)
            return caught.value.__cause__

    cause = under(loop, main)
    assert isinstance(cause, RequestRefused)
    assert cause.text == TEXT


def test_raised_through_googles_sdk(found: list[str]) -> None:
    """R15: that one lets it through as it is."""
    genai = pytest.importorskip("google.genai")
    http = guarded_sync(transport=httpx2.MockTransport(nobody), on_violation="raise")
    client = genai.Client(api_key="x", http_options=genai.types.HttpOptions(httpx_client=http))
    with pytest.raises(RequestRefused, match="toolu_1"):
        client.models.generate_content(model="gemini-2.5-pro", contents="Hi.")
    client.close()
    assert found == ["gemini"]


def test_anthropics_own_client_can_be_put_under_guard(loop: Way) -> None:
    """Its sockets are kept alive, and its proxies are mounts: all of it stays."""
    anthropic = pytest.importorskip("anthropic")

    async def main() -> Any:
        http = guarded(anthropic.DefaultAsyncHttpxClient())
        async with anthropic.AsyncAnthropic(api_key="x", http_client=http) as client:
            with pytest.raises(anthropic.BadRequestError) as caught:
                await client.messages.create(model="m", max_tokens=9, messages=HI)
            return caught.value

    assert "toolu_1" in str(under(loop, main))


@pytest.mark.parametrize("stream", [False, True])
def test_google(found: list[str], *, stream: bool) -> None:
    """R15: ``ClientError`` with the literal text, under asyncio and without a loop (it knows no trio)."""
    genai = pytest.importorskip("google.genai")
    options = genai.types.HttpOptions(
        httpx_client=guarded_sync(transport=httpx2.MockTransport(nobody)),
        httpx_async_client=guarded(transport=httpx2.MockTransport(nobody)),
    )
    client = genai.Client(api_key="x", http_options=options)
    ask: dict[str, Any] = {"model": "gemini-3-pro-preview", "contents": "Hi."}

    async def main() -> Any:
        with pytest.raises(genai.errors.ClientError) as caught:
            if stream:
                async for _ in await client.aio.models.generate_content_stream(**ask):
                    pass
            else:
                await client.aio.models.generate_content(**ask)
        await client.aio.aclose()
        return caught.value

    error = under("asyncio", main)
    assert (error.code, error.status, error.message) == (400, "INVALID_ARGUMENT", TEXT)
    with pytest.raises(genai.errors.ClientError, match="toolu_1"):
        list(client.models.generate_content_stream(**ask)) if stream else client.models.generate_content(
            **ask
        )
    client.close()
    assert found == ["gemini+3", "gemini+3"]


def test_googles_own_async_client_is_not_taken() -> None:
    """It goes round its transport, with a client for each loop: that is said, and not left unguarded."""
    genai = pytest.importorskip("google.genai._api_client")
    with pytest.raises(TypeError, match="has a way of its own"):
        guarded(genai.AsyncHttpx2Client())
