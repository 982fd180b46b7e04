"""Exchanges as lines: readable, without keys, and never in the way of a request."""

from __future__ import annotations

import gzip
import logging
import os
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from support.sdk import Ask, posted
from turnlock.guard import Guard, GuardedSyncTransport, capture
from turnlock.testing import loopback
from turnlock.wire import check

URL = "https://api.openai.com/v1/responses"
KEY = "sk-secret-0123"
USER = {"role": "user", "content": "go"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
BROKEN = {"model": "m", "input": [USER, CALL]}

#: See strict/test_stream_chat.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(openai|httpx2|httpcore2):ResourceWarning")


def lines(path: Path) -> list[Any]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def answering(*responses: httpx2.Response, **options: Any) -> GuardedSyncTransport:
    left = list(responses)
    return GuardedSyncTransport(httpx2.MockTransport(lambda _: left.pop(0)), Guard(**options))


def sent(transport: GuardedSyncTransport, body: object, url: str = URL, **headers: str) -> httpx2.Response:
    with httpx2.Client(transport=transport) as client:
        return client.send(posted(url, msgspec.json.encode(body), **headers))


def test_a_capture_can_be_read_again(ask: Ask, tmp_path: Path) -> None:
    """A line for each exchange, in the order in which they ended, in the form of the recorded requests."""
    file = tmp_path / "deep" / "run.jsonl"
    sound = {"model": "m", "input": [USER], "stream": True}
    with loopback({"text": "Fine."}, {"text": "Good."}) as provider:
        ask(
            provider.base_url,
            ("responses", sound),
            ("responses", BROKEN),
            ("responses", {**sound, "stream": False}),
            capture=file,
        )
        url = f"{provider.base_url}/responses"
    streamed, refused, whole = lines(file)
    assert {"dialect", "status", "error", "body", "source"} < streamed.keys()
    assert (streamed["dialect"], streamed["status"], streamed["error"]) == ("openai_responses", 200, None)
    assert (streamed["body"], streamed["url"]) == (sound, url)
    assert "event: response.completed" in streamed["response"]
    assert whole["response"]["output"][0]["content"][0]["text"] == "Good."
    assert (whole["end"], whole["violations"], whole["repaired"]) == ("complete", [], [])
    assert (refused["status"], refused["refused"]) == (None, "RESP-CALL-NO-OUTPUT")
    assert refused["error"]["error"]["message"] == "No tool output found for function call call_1."
    assert [one["rule"] for one in refused["violations"]] == ["RESP-CALL-NO-OUTPUT"]
    assert [bool(check(line["body"], line["dialect"])) for line in (streamed, refused, whole)] == [
        False,
        True,
        False,
    ]
    assert KEY not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_has_a_file_for_each_process(tmp_path: Path) -> None:
    """A capture that is no ``.jsonl`` is a folder, for the owner's eyes only."""
    folder = tmp_path / "captures"
    transport = answering(httpx2.Response(200, json={}), httpx2.Response(200, json={}), capture=str(folder))
    for _ in range(2):
        sent(transport, {"model": "m", "input": []})
    (file,) = folder.iterdir()
    assert file.name.endswith(f"-{os.getpid()}.jsonl")
    assert len(lines(file)) == 2
    assert folder.stat().st_mode & 0o777 == 0o700


def test_no_key_is_told() -> None:
    """Not from the address, the headers, the body or the answer, and not where an error repeats it."""
    told: list[Any] = []
    contents = {"contents": [{"parts": [{"text": "my key is AIzaSyA-1234567890abcdefghijklmnop"}]}]}
    error = {"error": {"message": "API key not valid: odd.key/42 and Bearer ya29.a0"}}
    transport = answering(httpx2.Response(400, json=error), capture=told.append)
    request = posted(
        "https://me:pass@api.openai.com/v1/responses?key=AIzaX&api-version=2#here",
        msgspec.json.encode({"model": "m", "input": [], "metadata": contents}),
        **{"authorization": "Bearer odd.key/42", "cookie": "session=abc", "x-api-key": "other.key/43"},
    )
    assert transport.handle_request(request).json() == error
    (line,) = told
    text = str(line)
    for secret in ("AIza", "odd.key", "ya29", "abc", "other.key", "me:pass", "me@"):
        assert secret not in text, secret
    assert line["url"] == "https://api.openai.com/v1/responses?key=[redacted]&api-version=2"
    assert line["error"]["error"]["message"] == "API key not valid: [redacted] and [redacted]"


def test_what_an_answer_says() -> None:
    """JSON as values, events as text, compressed ones read; what is neither is counted; long ones are cut."""
    told: list[Any] = []
    answers = [
        ({"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress(b'{"a":1}')),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"no gzip at all"),
        ({"content-type": "application/json"}, b"<html>"),
        ({"content-type": "application/vnd.amazon.eventstream"}, b"\0\1"),
        ({"content-type": "text/event-stream"}, b"x" * (capture.LARGEST + 5)),
    ]
    responses = [httpx2.Response(200, headers=head, stream=httpx2.ByteStream(body)) for head, body in answers]
    transport = answering(*responses, capture=told.append)
    for _ in answers:
        transport.handle_request(posted(URL, b'{"input": []}'))
    assert [line["response"] for line in told] == [{"a": 1}, "", "<html>", None, "x" * capture.LARGEST]
    assert told[-1]["bytes"] == capture.LARGEST + 5


def test_a_request_id_is_kept() -> None:
    """It is what a provider's support asks for."""
    told: list[Any] = []
    transport = answering(httpx2.Response(200, json={}, headers={"request-id": "req_1"}), capture=told.append)
    sent(transport, {"input": []})
    assert told[0]["request_id"] == "req_1"


def test_a_disk_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The request goes on; it is said once, however often it happens."""
    (tmp_path / "file").write_text("")
    responses = [httpx2.Response(200, json={}) for _ in range(3)]
    transport = answering(*responses, capture=tmp_path / "file" / "x.jsonl")
    for _ in range(3):
        assert sent(transport, {"input": []}).status_code == 200
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("turnlock.guard", logging.WARNING)
    assert "FileExistsError" in record.getMessage()


def test_a_function_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """The application's own function is no reason to lose an answer either."""

    def tell(line: object) -> None:
        raise KeyError("mine")

    transport = answering(httpx2.Response(200, json={}), capture=tell)
    assert sent(transport, {"input": []}).status_code == 200
    assert "KeyError: 'mine'" in caplog.text


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torn line is ended before the next one: what follows can be read."""
    file = tmp_path / "x.jsonl"
    write, full = os.write, [True, False]
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:9] if full.pop(0) else line))
    transport = answering(*(httpx2.Response(200, json={}) for _ in range(2)), capture=file)
    for _ in range(2):
        assert sent(transport, {"input": []}).status_code == 200
    torn, whole = file.read_bytes().splitlines()
    assert torn == b'{"dialect'
    assert msgspec.json.decode(whole)["status"] == 200
