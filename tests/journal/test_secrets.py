"""No key and no header stands in a file, whatever happens between the client and the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trio
from openai import AsyncOpenAI

from support.recorded import entries_of
from support.wire_server import END, OK, WireServer, sse, status, text_item
from turnlock import Limits, Session, StopReason, tool
from turnlock.journal import RequestSent
from turnlock.models.openai import OpenAIChat, OpenAIResponses
from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import serve

KEY = "sk-proj-4f9e2c71aVeryRealKey"
ORGANISATION = "org-7Qx2Secret"
FAST = Limits(backoff=0.01, backoff_max=0.02)


@tool
async def ls() -> str:
    """List a folder."""
    return "two files"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A file in which, at the end, there is a record and no secret."""
    path = tmp_path / "run.jsonl"
    yield path
    text = path.read_text().lower()
    assert "requestsent" in text
    secrets = (KEY, KEY[8:20], ORGANISATION, "authorization", "bearer", "openai-organization", "x-stainless")
    assert [secret for secret in secrets if secret.lower() in text] == []


def client(base_url: str) -> AsyncOpenAI:
    http = httpx2.AsyncClient(verify=False)  # loading certificates takes longer than all the rest
    return AsyncOpenAI(base_url=base_url, api_key=KEY, organization=ORGANISATION, http_client=http)


@pytest.mark.parametrize("made", [OpenAIResponses, OpenAIChat])
async def test_over_http(path: Path, made: type[OpenAIResponses | OpenAIChat]) -> None:
    """Answers, errors of every sort, a connection that is cut: what is recorded is the bodies."""
    provider = StrictProvider(
        Script.of(
            {"text": "Let me look.", "calls": [{"name": "ls", "id": "a"}]},
            {"status": 500, "message": "On fire."},
            {"status": 429, "retry_after": 0.01},
            {"text": "Two.", "cut_after": 0},
            {"text": "Two."},
            {"status": 400, "message": "Naughty."},
            {"status": 401, "message": "Incorrect API key provided: sk-proj-****lKey."},
            {"status": 403, "message": "Not you."},
        )
    )
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            base_url = await nursery.start(serve, provider)
            async with client(base_url) as own:
                model = made("m", {"temperature": 0.5}, client=own)
                async with Session(model, tools=[ls], journal=path, limits=FAST) as session:
                    for text in ("U1", "U2", "U3", "U4"):
                        await session.run(text)
            nursery.cancel_scope.cancel()
    assert all(("authorization", "[redacted]") in exchange.headers for exchange in provider.exchanges)
    assert [exchange.status for exchange in provider.exchanges] == [200, 500, 429, 200, 200, 400, 401, 403]
    recorded = [entry.body for entry in entries_of(path) if isinstance(entry, RequestSent)]
    assert recorded == [exchange.raw for exchange in provider.exchanges]


async def test_over_a_wire_that_breaks(path: Path) -> None:
    """The key was on the wire; connections that break, and answers that are none, bring it into no file."""
    done = sse(
        {"type": "response.output_item.done", "item": text_item("Done.")},
        {"type": "response.completed", "response": {"id": "resp_1"}},
    )
    server = WireServer(
        [
            [None],
            [b"HTTP/1.1 2xx\r\n\r\n", None],
            [status(500, b"<html>no</html>")],
            [OK, b"garbage\r\n", None],
            [OK, done, END],
        ]
    )
    with trio.fail_after(30):
        async with server.serving() as base_url, client(base_url) as own:
            async with Session(OpenAIResponses("m", client=own), journal=path, limits=FAST) as session:
                assert (await session.run("U1")).text == "Done."
    assert len(server.heads) == 5
    assert all(KEY.encode() in head and ORGANISATION.encode() in head for head in server.heads)


@pytest.mark.parametrize("key", [KEY + "\n", "not-of-the-usual-form 17"], ids=["from a file", "of a proxy"])
async def test_an_error_that_repeats_the_key(path: Path, key: str) -> None:
    """A key that no header can carry, and a provider that says which key was wrong: neither is recorded."""
    server = WireServer([[status(401, {"error": {"message": f"Wrong key: {key}"}})]])
    http = httpx2.AsyncClient(verify=False)
    with trio.fail_after(30):
        async with (
            server.serving() as base_url,
            AsyncOpenAI(base_url=base_url, api_key=key, http_client=http) as own,
            Session(OpenAIChat("m", client=own), journal=path, limits=Limits(retries=0)) as session,
        ):
            result = await session.run("U1")
    assert result.stop_reason is StopReason.FAILED
    assert "[redacted]" in result.error
    assert key.strip() not in result.error + await trio.Path(path).read_text()


async def test_a_client_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the environment is the client's alone; where nobody answers, the error does not tell it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", ORGANISATION)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with trio.fail_after(30):
        async with Session("openai:m", journal=path, limits=Limits(retries=1, backoff=0.01)) as session:
            result = await session.run("U1")
    assert result.stop_reason is StopReason.FAILED
    assert result.error
