"""The OpenAI SDK with a guarded client, against the strict provider over a real loopback server."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import openai
import pytest

from support.sdk import Ask
from turnlock.errors import RequestRefused
from turnlock.guard import Guard, GuardedSyncTransport
from turnlock.testing import Request, Response, loopback

#: See strict/test_stream_chat.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(openai|httpx2|httpcore2):ResourceWarning")

CALL = {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "a b"}
USER = {"role": "user", "content": "go"}
BROKEN: dict[str, Any] = {"model": "m", "input": [USER, CALL, USER]}
SOUND: dict[str, Any] = {"model": "m", "input": [USER, CALL, OUTPUT, USER]}
TEXT = "No tool output found for function call call_1."
ASSISTANT = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
}
BROKEN_CHAT: dict[str, Any] = {"model": "m", "messages": [USER, ASSISTANT, USER]}


def test_a_broken_history_never_leaves(ask: Ask) -> None:
    """R15: the caller sees the SDK's own error with the provider's words; no retry, and nothing was sent."""
    with loopback({"text": "Fine."}) as provider:
        (error,) = ask(provider.base_url, ("responses", BROKEN))
        assert provider.exchanges == ()
    assert isinstance(error, openai.BadRequestError)
    assert error.body == {"message": TEXT, "type": "invalid_request_error", "param": "input", "code": None}
    assert error.response.headers["x-turnlock-refused"] == "RESP-CALL-NO-OUTPUT"
    assert error.response.request.headers["x-stainless-retry-count"] == "0"
    (told,) = error.response.json()["turnlock"]
    assert told == {
        "rule": "RESP-CALL-NO-OUTPUT",
        "severity": "error",
        "message": TEXT,
        "at": "/input/1",
        "call_ids": ["call_1"],
    }


def test_chat_completions_is_refused_in_its_own_words(ask: Ask) -> None:
    """R15: the other format, streamed; the error names the message as that API writes places."""
    with loopback({"text": "Fine."}) as provider:
        (error,) = ask(provider.base_url, ("chat", {**BROKEN_CHAT, "stream": True}))
        assert provider.exchanges == ()
    assert isinstance(error, openai.BadRequestError)
    assert "tool_call_id" in error.message
    assert "call_1" in error.message
    assert error.param == "messages.[1]"


def test_the_strict_provider_says_the_same(ask: Ask) -> None:
    """What is refused here is what the provider would have refused, word for word."""
    with loopback({"text": "Fine."}) as provider:
        provider.expect_refusals()
        (theirs,) = ask(provider.base_url, ("responses", BROKEN), on_violation="log")
        (ours,) = ask(provider.base_url, ("responses", BROKEN))
        assert len(provider.exchanges) == 1
    assert theirs.body["message"] == ours.body["message"] == TEXT
    assert theirs.body.keys() == ours.body.keys()


def test_sound_traffic_is_untouched(ask: Ask) -> None:
    """What may leave arrives, and is answered as ever: whole and streamed, in both formats."""
    bodies = [
        ("responses", SOUND),
        ("responses", {**SOUND, "stream": True}),
        ("chat", {"model": "m", "messages": [USER], "stream": True}),
    ]
    with loopback(*[{"text": "Fine."}] * 3) as provider:
        whole, streamed, chat = ask(provider.base_url, *bodies)
        assert list(provider.bodies) == [body for _, body in bodies]
        assert provider.refusals == ()
    assert whole.output_text == "Fine."
    assert streamed[-1].type == "response.completed"
    assert "".join(one.choices[0].delta.content or "" for one in chat if one.choices) == "Fine."


def test_raised_when_told(ask: Ask) -> None:
    """R15: the library's own error leaves the SDK as it is, with what a caller needs to repair it."""
    with loopback({"text": "Fine."}) as provider:
        (error,) = ask(provider.base_url, ("responses", BROKEN), on_violation="raise")
        assert provider.exchanges == ()
    assert isinstance(error, RequestRefused)
    assert (error.rule, error.dialect, error.text) == ("RESP-CALL-NO-OUTPUT", "openai_responses", TEXT)
    assert (error.at, error.call_ids) == ("/input/1", ("call_1",))


def test_a_refusal_of_the_provider_is_not_asked_again(ask: Ask) -> None:
    """R20: the same bytes get the provider's own answer, here; other bytes leave."""
    answer = {"error": {"message": "Unknown parameter: 'x'.", "type": "invalid_request_error", "param": "x"}}
    with loopback({"text": "Fine."}) as provider:
        asked: list[bytes] = []

        async def door(request: Request) -> Response:
            asked.append(request.body)
            return Response(msgspec.json.encode(answer), 400, "application/json")

        url = provider.mount("elsewhere", door)
        twice = ask(url, ("responses", SOUND), ("responses", SOUND), ("responses", {**SOUND, "model": "n"}))
    assert len(asked) == 2
    assert [type(one) for one in twice] == [openai.BadRequestError] * 3
    assert [one.body["message"] for one in twice] == ["Unknown parameter: 'x'."] * 3
    assert [one.response.headers.get("x-turnlock-refused") for one in twice] == [None, "R20", None]
    assert twice[1].response.content == twice[0].response.content


@pytest.mark.parametrize("held", [(), ("call_9",)])
def test_what_the_provider_holds(ask: Ask, held: tuple[str, ...]) -> None:
    """R22: with previous_response_id an output is no orphan; calls that are held must be answered."""
    body = {"model": "m", "input": [OUTPUT], "previous_response_id": "resp_1"}
    with loopback({"calls": [{"name": "ls", "id": "call_1"}]}, {"text": "Fine."}) as provider:
        first, second = ask(
            provider.base_url,
            ("responses", {"model": "m", "input": [USER]}),
            ("responses", {**body, "previous_response_id": "resp_1"}),
            open_calls=lambda told: held if "previous_response_id" in told else (),
        )
        del first
        assert len(provider.exchanges) == (1 if held else 2)
    if held:
        assert "call_9" in second.body["message"]


def test_other_requests_pass(ask: Ask) -> None:
    """The models' list, embeddings, files: nobody looks into them."""
    seen: list[tuple[str, bytes]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.url.path, request.read()))
        return httpx2.Response(200, json={"data": [], "object": "list"})

    transport = GuardedSyncTransport(httpx2.MockTransport(handle), Guard())
    with openai.OpenAI(
        base_url="http://127.0.0.1/v1", api_key="sk-x", http_client=httpx2.Client(transport=transport)
    ) as client:
        client.models.list()
        client.embeddings.create(model="m", input=["a"], encoding_format="float")
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
        client.responses.input_tokens.count(model="m", input=BROKEN["input"])
    assert [path for path, _ in seen] == [
        "/v1/models",
        "/v1/embeddings",
        "/v1/files",
        "/v1/responses/input_tokens",
    ]
