"""The provider inside the process: judging, answering, remembering, and what it holds for its clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import httpx2
import openai
import pytest
import trio
import trio.testing

from turnlock.strict import ConnectionCut, Script, StrictProvider
from turnlock.strict.server import InProcess

Inside: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[StrictProvider, openai.AsyncOpenAI]]]

ASK: dict[str, Any] = {"model": "m", "input": "go"}
USER = {"role": "user", "content": "wait"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
LS = {"calls": [{"name": "ls", "id": "call_1"}]}


def post(provider: StrictProvider, path: str = "/v1/responses", **body: Any) -> tuple[int, Any]:
    """Send a body without any client; the answer is taken as arrived."""
    reply = provider.respond("POST", path, [], json.dumps(body).encode())
    reply.finish("complete")
    return reply.status, json.loads(b"".join(reply.chunks))


async def drained(client: openai.AsyncOpenAI) -> None:
    """Read a stream to its end."""
    async with await client.responses.create(**ASK, stream=True) as stream:
        async for _ in stream:
            pass


# --- judging and remembering


async def test_the_origin_story_is_refused_in_the_provider_s_words(inside: Inside) -> None:
    """A call without output and a new message: 400, literally, and nothing of the script is used up (C4)."""
    line = {"calls": [{"kind": "local_shell", "id": "call_1", "arguments": {"command": ["ls"]}}]}
    async with inside(line, {"text": "Two files."}) as (provider, client):
        answer = await client.responses.create(**ASK)
        history: list[Any] = [{"role": "user", "content": "go"}, *answer.output]
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="m", input=[*history, USER])  # type: ignore[list-item]  # as it is
        assert caught.value.message.endswith("No tool output found for local shell call call_1.")
        shell_output: Any = {"type": "local_shell_call_output", "call_id": "call_1", "output": "{}"}
        done = await client.responses.create(model="m", input=[*history, shell_output, USER])  # type: ignore[list-item]  # as it is
    assert done.output_text == "Two files."
    assert [(exchange.status, exchange.rule) for exchange in provider.exchanges] == [
        (200, None),
        (400, "RESP-CALL-NO-OUTPUT-LOCALSHELL"),
        (200, None),
    ]


async def test_every_exchange_is_remembered(inside: Inside) -> None:
    """Number, dialect, bytes, body, status, answer and end; keys of the client are not kept."""
    async with inside({"text": "a"}, {"text": "b"}) as (provider, client):
        await client.responses.create(**ASK)
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}])
    first, second = provider.exchanges
    assert (first.number, first.dialect, first.status, first.refusal, first.ended) == (
        1,
        "openai_responses",
        200,
        None,
        "complete",
    )
    assert (second.number, second.dialect) == (2, "openai_chat")
    assert json.loads(first.raw) == first.body == provider.bodies[0]
    assert first.answer[0]["content"][0]["text"] == "a"
    assert dict(first.headers)["authorization"] == "[redacted]"
    assert "sk-x" not in repr(provider.exchanges)


async def test_a_refused_request_uses_up_nothing() -> None:
    """The line that would have answered is still there for the next request."""
    provider = StrictProvider(Script.of({"text": "hello"}))
    assert post(provider, input=[OUTPUT])[0] == 400
    tool = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
    assert post(provider, "/v1/chat/completions", messages=[tool])[0] == 400
    assert post(provider, input="go")[0] == 200


async def test_the_exchanges_can_be_asked_for() -> None:
    """GET …/exchanges is the record as JSON, for clients in other languages; GET …/models is small."""
    provider = StrictProvider(Script.of({"text": "hello"}))
    post(provider, input=[OUTPUT])
    shown = json.loads(b"".join(provider.respond("GET", "/any/where/exchanges", [], b"").chunks))
    assert [(one["number"], one["status"], one["rule"]) for one in shown] == [(1, 400, "RESP-OUTPUT-NO-CALL")]
    assert shown[0]["body"] == {"input": [OUTPUT]}
    models = json.loads(b"".join(provider.respond("GET", "/v1/models/", [], b"").chunks))
    assert [model["id"] for model in models["data"]] == ["script"]


@pytest.mark.parametrize(
    ("method", "path", "raw", "status", "code"),
    [
        ("POST", "/v1/responses", b"{", 400, None),
        ("POST", "/v1/responses", b"[]", 400, None),
        ("POST", "/v1/responses", b'"\xff"', 400, None),
        ("POST", "/v1/responses", b'{"input": ' + b"[" * 9_999 + b"]" * 9_999 + b"}", 400, None),
        ("GET", "/v1/responses", b"", 405, "method_not_supported"),
        ("DELETE", "/v1/chat/completions", b"", 405, "method_not_supported"),
        ("POST", "/v1/embeddings", b"{}", 404, "unknown_url"),
        ("GET", "/", b"", 404, "unknown_url"),
    ],
)
async def test_what_is_no_request_of_a_dialect_is_turned_away(
    method: str, path: str, raw: bytes, status: int, code: str | None
) -> None:
    """Broken JSON, wrong method and unknown path get the provider's envelope."""
    reply = StrictProvider(Script.of({"text": "x"})).respond(method, path, [], raw)
    error = json.loads(b"".join(reply.chunks))["error"]
    assert (reply.status, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert (("allow", "POST") in reply.headers) == (status == 405)


async def test_a_provider_of_one_dialect_does_not_know_the_other() -> None:
    """Set to one dialect, the other path is a 404, which is remembered."""
    provider = StrictProvider(Script.of({"text": "x"}), dialect="openai_chat")
    assert post(provider, input="go")[0] == 404
    assert post(provider, "/v1/chat/completions", messages=[{"role": "user", "content": "go"}])[0] == 200
    assert [exchange.status for exchange in provider.exchanges] == [404, 200]
    with pytest.raises(ValueError, match="dialect"):
        StrictProvider(Script.of({"text": "x"}), dialect="cobol")  # type: ignore[arg-type]  # that is the point


# --- the script


async def test_an_exhausted_script_says_what_it_was_asked(inside: Inside) -> None:
    """422 with the last user text, cut: whoever writes the script sees which line is missing."""
    async with inside({"when": "other", "text": "x"}) as (provider, client):
        with pytest.raises(
            openai.UnprocessableEntityError, match=r"no line for this request.*'yyy"
        ) as caught:
            await client.responses.create(model="m", input="y" * 500)
        with pytest.raises(openai.UnprocessableEntityError):
            await client.chat.completions.create(model="m", messages=[{"role": "system", "content": "s"}])
    assert "y" * 81 not in caught.value.message
    assert [exchange.rule for exchange in provider.exchanges] == ["SCRIPT", "SCRIPT"]


async def test_lines_are_chosen_by_the_last_user_text_in_both_dialects(inside: Inside) -> None:
    """Parts are read together; outputs and notes behind the text do not hide it; a new text starts anew."""
    lines = [{"when": "files", **LS}, {"when": "files", "text": "Two."}, {"when": "bye", "text": "Bye."}]
    async with inside(*lines) as (_, client):
        parts = [{"type": "input_text", "text": "How many "}, {"type": "input_text", "text": "files?"}]
        history: list[Any] = [{"role": "user", "content": parts}]
        history += (await client.responses.create(model="m", input=history)).output
        history += [OUTPUT, {"role": "developer", "content": "a note"}]
        assert (await client.responses.create(model="m", input=history)).output_text == "Two."
        history += [{"role": "assistant", "content": "Two."}, {"role": "user", "content": "bye"}]
        assert (await client.responses.create(model="m", input=history)).output_text == "Bye."

        messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "files?"}]}]
        called = (await client.chat.completions.create(model="m", messages=messages)).choices[0].message
        messages += [called, {"role": "tool", "tool_call_id": "call_1", "content": "ok"}]
        answer = await client.chat.completions.create(model="m", messages=messages)
        assert answer.choices[0].message.content == "Two."


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_scripted_status_is_an_error_of_the_client(
    inside: Inside, status: int, error: type[openai.APIStatusError]
) -> None:
    """With its message, code and retry-after; the request was sound, so it broke no rule (C23, C53)."""
    line = {"status": status, "message": "No.", "code": "some_code", "retry_after": 1.5}
    async with inside(line, line) as (provider, client):
        with pytest.raises(error):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}])
        with pytest.raises(error) as caught:
            await client.responses.create(**ASK)
    assert caught.value.response.headers["retry-after"] == "1.5"
    assert (caught.value.code, caught.value.status_code) == ("some_code", status)
    assert [(exchange.status, exchange.rule, exchange.ended) for exchange in provider.exchanges] == [
        (status, None, "complete"),
        (status, None, "complete"),
    ]


async def test_a_failure_is_mended_by_asking_again(inside: Inside) -> None:
    """The SDK's own retry sends the same body and gets the next line of the group (C23)."""
    async with inside({"when": "go", "status": 500}, {"when": "go", "text": "here"}) as (provider, client):
        retrying = client.with_options(max_retries=1)
        assert (await retrying.responses.create(**ASK)).output_text == "here"
    assert [exchange.status for exchange in provider.exchanges] == [500, 200]
    assert provider.exchanges[0].raw == provider.exchanges[1].raw


async def test_after_a_cut_the_next_line_answers_what_was_kept(inside: Inside) -> None:
    """The completed call of a cut answer goes on with its output, and the story goes on (C18)."""
    lines = [
        {"when": "go", "calls": [{"name": "a"}, {"name": "b"}], "cut_after": 1},
        {"when": "go", "text": "Done."},
    ]
    async with inside(*lines) as (provider, client):
        with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
            await drained(client)
        (kept,) = provider.exchanges[0].answer
        output = {**OUTPUT, "call_id": kept["call_id"]}
        history: Any = [{"role": "user", "content": "go"}, kept, output]
        assert (await client.responses.create(model="m", input=history)).output_text == "Done."


async def test_a_delay_is_waited_before_the_answer_begins(
    inside: Inside, autojump_clock: trio.testing.MockClock
) -> None:
    """On a virtual clock, inside the process: the answer comes after exactly that time."""
    async with inside({"text": "late", "delay": 30}) as (_, client):
        started = trio.current_time()
        assert (await client.responses.create(**ASK)).output_text == "late"
        assert trio.current_time() - started == pytest.approx(30)


async def test_a_client_that_does_not_wait_gets_a_timeout(
    inside: Inside, autojump_clock: trio.testing.MockClock
) -> None:
    """The read timeout of the client holds inside the process too; the answer counts as aborted."""
    async with inside({"text": "late", "delay": 30}) as (provider, client):
        with pytest.raises(openai.APITimeoutError):
            await client.with_options(timeout=5).responses.create(**ASK)
    assert provider.exchanges[0].ended == "aborted"


# --- what it holds


async def test_a_stored_response_can_be_continued(inside: Inside) -> None:
    """Its calls must be answered, its history counts for the choice of a line (RESP-PREV-PENDING, C47)."""
    async with inside({"when": "go", **LS}, {"when": "go", "text": "Two."}) as (provider, client):
        first = await client.responses.create(**ASK)
        with pytest.raises(openai.BadRequestError, match="No tool output found for function call call_1"):
            await client.responses.create(model="m", previous_response_id=first.id, input="wait")
        second = await client.responses.create(model="m", previous_response_id=first.id, input=[OUTPUT])  # type: ignore[list-item]  # as written
        assert second.output_text == "Two."
    assert provider.exchanges[1].rule == "RESP-PREV-PENDING"


async def test_what_was_not_stored_cannot_be_continued(inside: Inside) -> None:
    """Unknown, cut and unstored responses are not found (R22)."""
    async with inside({"text": "a"}, {"text": "b", "cut_after": 0}) as (provider, client):
        unstored = await client.responses.create(**ASK, store=False)
        with pytest.raises(openai.APIConnectionError):
            await client.responses.create(**ASK)
        for previous in (unstored.id, "resp_00002", "resp_none"):
            with pytest.raises(
                openai.BadRequestError, match=f"Previous response with id '{previous}' not found."
            ):
                await client.responses.create(model="m", previous_response_id=previous, input="more")
    assert {exchange.rule for exchange in provider.exchanges[2:]} == {"PREVIOUS-NOT-FOUND"}
    assert post(provider, input="go", previous_response_id=3)[0] == 400


async def test_a_reference_names_a_stored_item() -> None:
    """What the provider has stored may be sent by id; what it has not is a 404."""
    provider = StrictProvider(Script.of(LS, {"text": "Two."}))
    _status, first = post(provider, input="go")
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    assert post(provider, input=["x"])[0] == 400
    assert post(provider, input=[USER, {**reference, "id": "fc_other"}])[0] == 404
    assert post(provider, input=[USER, reference])[0] == 400
    assert post(provider, input=[USER, reference, OUTPUT])[0] == 200


async def test_a_conversation_holds_its_calls_and_one_request_at_a_time() -> None:
    """Named by id or object; an open call is held, a second request in flight is refused (RESP-CONV-LOCK)."""
    provider = StrictProvider(Script.of(LS, {"text": "Two."}))
    raw = json.dumps({"input": "go", "conversation": "conv_1"}).encode()
    flying = provider.respond("POST", "/v1/responses", [], raw)
    status, body = post(provider, input="wait", conversation={"id": "conv_1"})
    assert (status, body["error"]["code"]) == (400, "conversation_locked")
    flying.finish("complete")
    assert post(provider, input="wait", conversation="conv_1")[0] == 400
    assert post(provider, input=[OUTPUT], conversation={"id": "conv_1"})[0] == 200
    rules = [exchange.rule for exchange in provider.exchanges]
    assert rules == [None, "RESP-CONV-LOCK", "RESP-PREV-PENDING", None]


async def test_an_aborted_answer_frees_the_conversation_and_adds_nothing() -> None:
    """What the client did not get is not held (R22)."""
    provider = StrictProvider(Script.of(LS, {"text": "Two."}))
    raw = json.dumps({"input": "go", "conversation": "conv_1"}).encode()
    provider.respond("POST", "/v1/responses", [], raw).finish("aborted")
    assert post(provider, input="again", conversation="conv_1")[0] == 200
    assert [exchange.ended for exchange in provider.exchanges] == ["aborted", "complete"]


# --- the transports


async def test_a_client_that_leaves_aborts_the_answer(inside: Inside) -> None:
    """Leaving a stream early is seen, and the answer is not stored."""
    async with inside({"text": "a long answer"}) as (provider, client):
        stream = await client.responses.create(**ASK, stream=True)
        await anext(stream)
        await stream.close()
    assert provider.exchanges[0].ended == "aborted"


async def test_a_client_that_is_cancelled_aborts_the_answer(
    inside: Inside, autojump_clock: trio.testing.MockClock
) -> None:
    """Cancelled while it waits for a delayed answer, it leaves an aborted exchange."""
    async with inside({"text": "late", "delay": 30}) as (provider, client):
        with trio.move_on_after(1) as scope:
            await client.responses.create(**ASK)
    assert scope.cancelled_caught
    assert provider.exchanges[0].ended == "aborted"


async def test_the_provider_is_an_asgi_application() -> None:
    """Any ASGI transport under trio works, for whole answers; a cut is an error of the connection."""
    provider = StrictProvider(
        Script.of({"text": "hello"}, {"text": "hello", "cut_after": 0}, {"status": 500})
    )
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(provider), base_url="http://strict/v1"
    ) as client:
        answer = await client.post("/responses", json={"input": "go"})
        assert answer.json()["output"][0]["content"][0]["text"] == "hello"
        with pytest.raises(ConnectionCut):
            await client.post("/responses", json={"input": "go"})
        assert (await client.post("/responses", json={"input": "go"})).status_code == 500
        assert (await client.get("/models")).status_code == 200
    assert [exchange.ended for exchange in provider.exchanges] == ["complete", "cut", "complete"]


async def test_a_body_that_never_ends_is_no_request() -> None:
    """A client that leaves while it sends is forgotten."""
    provider = StrictProvider(Script.of({"text": "hello"}))

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await provider({"type": "http", "method": "POST", "path": "/v1/responses", "headers": []}, receive, send)
    assert provider.exchanges == ()


async def test_unread_bodies_inside_the_process_are_whole(inside: Inside) -> None:
    """A plain HTTP client reads the same bytes that the provider has decided on."""
    provider = StrictProvider(Script.of({"text": "hello"}))
    async with httpx2.AsyncClient(transport=InProcess(provider)) as client:
        answer = await client.post("http://strict/v1/responses", json={"input": "go", "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("\n\n")
    assert answer.headers["x-request-id"] == "req_00001"
