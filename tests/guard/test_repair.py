"""Repaired when told: what leaves is accepted, and the caller hears what was done."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import openai
import pytest

from support.sdk import Ask, posted
from turnlock.guard import Guard, GuardedSyncTransport
from turnlock.testing import loopback
from turnlock.wire import Severity, Violation, check
from turnlock.wire.repair import Repaired

URL = "https://api.openai.com/v1/responses"
USER = {"role": "user", "content": "go"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
BROKEN: dict[str, Any] = {"model": "m", "input": [USER, CALL, USER]}
ASSISTANT = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
}
BROKEN_CHAT: dict[str, Any] = {"model": "m", "messages": [USER, ASSISTANT, USER]}

#: See strict/test_stream_chat.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(openai|httpx2|httpcore2):ResourceWarning")


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("responses", BROKEN, "/input/1"),
        ("chat", BROKEN_CHAT, "/messages/1/tool_calls/0"),
    ],
)
def test_repaired_and_accepted(ask: Ask, path: str, body: dict[str, Any], at: str) -> None:
    """R15, R16: whole and streamed; the strict provider takes what it would have refused."""
    told: list[Repaired] = []
    lines: list[Any] = []
    with loopback({"text": "Fine."}, {"text": "Good."}) as provider:
        answers = ask(
            provider.base_url,
            (path, body),
            (path, {**body, "stream": True}),
            on_violation="repair",
            on_repair=told.append,
            capture=lines.append,
        )
        assert provider.refusals == ()
        assert provider.transcripts == ("U K(a) O(a) U", "U K(a) O(a) U")
        assert [line["body"] for line in lines] == list(provider.bodies) == [one.value for one in told]
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert [[change["at"] for change in line["repaired"]] for line in lines] == [[at], [at]]
    assert [[one["severity"] for one in line["violations"]] for line in lines] == [["error"], ["error"]]


def test_the_length_and_the_rest_of_the_request() -> None:
    """The length is that of the new bytes; other headers stay; the caller's own request is not changed."""
    arrived: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        arrived.append(request)
        return httpx2.Response(200, json={})

    content = msgspec.json.encode(BROKEN)
    request = posted(URL, content, authorization="Bearer k", **{"x-stainless-lang": "python"})
    transport = GuardedSyncTransport(httpx2.MockTransport(handle), Guard(on_violation="repair"))
    assert transport.handle_request(request).status_code == 200
    (repaired,) = arrived
    assert check(repaired.read(), "openai_responses") == ()
    assert repaired.headers["content-length"] == str(len(repaired.content))
    assert {**repaired.headers, "content-length": ""} == {**request.headers, "content-length": ""}
    assert request.content == content


def test_sound_bodies_are_not_repaired() -> None:
    """Nothing is written anew where nothing is wrong."""
    arrived: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        arrived.append(request)
        return httpx2.Response(200, json={})

    transport = GuardedSyncTransport(httpx2.MockTransport(handle), Guard(on_violation="repair"))
    request = posted(URL, b'{ "input" : [] }')
    transport.handle_request(request)
    assert arrived == [request]


@pytest.mark.parametrize(
    "headers", [{"authorization": "AWS4-HMAC-SHA256 Credential=x"}, {"content-digest": "sha-256=:x:"}]
)
def test_signed_bodies_are_refused(headers: dict[str, str]) -> None:
    """Other bytes would not be believed: what cannot be repaired is answered here."""
    transport = GuardedSyncTransport(httpx2.MockTransport(nobody), Guard(on_violation="repair"))
    response = transport.handle_request(posted(URL, msgspec.json.encode(BROKEN), **headers))
    assert response.headers["x-turnlock-refused"] == "RESP-CALL-NO-OUTPUT"


def test_what_is_left_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no repair can know better is answered here, with the rule that is left."""
    told: list[Any] = []
    left = Violation("RESP-ID-LONG", Severity.ERROR, "Too long.", "/input/1")
    warned = Violation("RESP-ODD", Severity.WARNING, "Odd.", "/input/0")
    mended = Repaired(BROKEN, msgspec.json.encode(BROKEN), (), (warned, left))
    monkeypatch.setattr("turnlock.guard.judge.repair", lambda *_: mended)
    guard = Guard(on_violation="repair", on_repair=told.append)
    transport = GuardedSyncTransport(httpx2.MockTransport(nobody), guard)
    response = transport.handle_request(posted(URL, msgspec.json.encode(BROKEN)))
    assert response.headers["x-turnlock-refused"] == "RESP-ID-LONG"
    assert [one["rule"] for one in response.json()["turnlock"]] == ["RESP-ID-LONG"]
    assert told == []


def test_warnings_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that nobody saw enforced is told, and neither refused nor repaired."""
    lines: list[Any] = []
    warned = Violation("RESP-ODD", Severity.WARNING, "Odd.", "/input/0")
    monkeypatch.setattr("turnlock.guard.judge.check", lambda *_: (warned,))
    for way in ("answer", "raise", "repair"):
        inner = httpx2.MockTransport(lambda _: httpx2.Response(200, json={}))
        guard = Guard(on_violation=way, capture=lines.append)
        transport = GuardedSyncTransport(inner, guard)
        assert transport.handle_request(posted(URL, msgspec.json.encode(BROKEN))).status_code == 200
    assert [[one["rule"] for one in line["violations"]] for line in lines] == [["RESP-ODD"]] * 3
    assert [line["repaired"] for line in lines] == [[], [], []]


def test_a_repaired_body_that_is_refused_is_not_sent_again(ask: Ask) -> None:
    """R20: what counts are the bytes that left."""
    with loopback() as provider:
        provider.answers({"status": 400}, {"text": "Never asked."})
        first, second = ask(
            provider.base_url, ("responses", BROKEN), ("responses", BROKEN), on_violation="repair"
        )
        assert len(provider.exchanges) == 1
    assert isinstance(first, openai.BadRequestError)
    assert isinstance(second, openai.BadRequestError)
    assert second.response.headers["x-turnlock-refused"] == "R20"
    assert second.body == first.body


def test_a_veto() -> None:
    """What ``on_repair`` raises leaves through the request, and nothing is sent."""

    def veto(repaired: Repaired) -> None:
        raise RuntimeError(repaired.changes[0].at)

    transport = GuardedSyncTransport(
        httpx2.MockTransport(nobody), Guard(on_violation="repair", on_repair=veto)
    )
    with pytest.raises(RuntimeError, match="/input/1"):
        transport.handle_request(posted(URL, msgspec.json.encode(BROKEN)))


def nobody(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError("nothing may be sent")
