"""The Gemini adapter over real HTTP: what each way to end means, and that nothing is left behind."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest
import trio
from attrs import define, field

pytest.importorskip("google.genai", reason="the extra google-genai is not installed")

from google import genai
from google.auth.credentials import AnonymousCredentials
from google.genai.types import HttpOptions, HttpRetryOptions

from support.gemini_server import KEY, GeminiServer, answer, called, piece, refusal, said, sdk
from support.wire_server import END, OK, Step, sse, status
from turnlock import ModelError, Usage
from turnlock.engine import Finish, ModelItem, Trouble
from turnlock.models import Request, Response, Sink, resolve
from turnlock.models.gemini import Gemini


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


@define(eq=False)
class Ear(Sink):
    """What an adapter told, in order."""

    told: list[Any] = field(factory=list)

    def text(self, delta: str) -> None:
        self.told.append(delta)

    def reasoning(self, delta: str) -> None:
        self.told.append(f"({delta})")

    def item(self, raw: Mapping[str, Any], *, cut: bool = False) -> None:
        assert not cut, "a part is whole as it comes"
        self.told.append(raw)

    def add(self, item: ModelItem) -> None:
        raise AssertionError("an adapter with a dialect tells items of the dialect")

    def next_ordinal(self) -> int:
        raise AssertionError("as above")


@asynccontextmanager
async def asked(*script: list[Step | None], **options: Any) -> AsyncIterator[tuple[GeminiServer, Gemini]]:
    server = GeminiServer(script, "gemini")
    # What a host may have set for other uses of its client.
    retries = HttpRetryOptions(attempts=3)
    async with server.serving() as base_url, httpx2.AsyncClient(verify=False) as http:
        client = sdk(base_url, http, api_version="v1beta", retry_options=retries)
        try:
            with trio.fail_after(20):
                yield server, Gemini(options.get("name", "gemini-3-pro"), client=client)
        finally:
            client.close()


BODY = Request(1, b'{"contents":  [{"role":"user","parts":[{"text":"\xc3\xa4"}]}]}', [], 0)


async def respond(model: Gemini, ear: Ear | None = None) -> Response:
    return await model.respond(BODY, Ear() if ear is None else ear)


async def failure(*steps: Step | None) -> ModelError:
    async with asked(list(steps)) as (server, model):
        with pytest.raises(ModelError) as caught:
            await respond(model)
        assert len(server.wire.bodies) == 1, "nobody retries but the table"
    return caught.value


# ── what arrives ────────────────────────────────────────────────────────────────────────────────────


async def test_the_bytes_that_leave_are_those_that_were_checked() -> None:
    """R15: not one space is written anew; model, key and streaming stand in the address and the headers."""
    async with asked(answer(said("Hi."))) as (server, model):
        response = await respond(model)
    assert server.wire.bodies == [BODY.body]
    head = server.wire.heads[0].decode()
    assert head.startswith("POST /v1/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse ")
    assert f"x-goog-api-key: {KEY}" in head
    assert response == Response(Finish.STOP, Usage(7, 5), "resp")


async def test_pieces_are_one_part_and_calls_are_whole() -> None:
    """R12: thoughts, text and a signature behind it; two calls of one turn in two chunks, at once."""
    ear = Ear()
    first, second = called("f", "a", x=1), called("g", "b", "")
    chunks = [
        piece(said("hm", thought=True)),
        piece(said(", yes", thought=True)),
        piece(said("I ")),
        piece(said("look"), said("", thoughtSignature="c2ln")),
        piece(first),
        piece(second),
        piece(said("", thoughtSignature="c2ln"), finish="STOP"),
    ]
    async with asked([OK, sse(*chunks), END]) as (_, model):
        await respond(model, ear)
    assert ear.told == [
        "(hm)",
        "(, yes)",
        said("hm, yes", thought=True),
        "I ",
        "look",
        said("I look", thoughtSignature="c2ln"),
        first,
        second,
        said("", thoughtSignature="c2ln"),
    ]


async def test_a_signature_stays_with_what_it_came_with() -> None:
    """It is not the thought's, when it comes on a part that is none; nor the next text's."""
    ear = Ear()
    seal = said("", thoughtSignature="c2ln")
    async with asked(answer(said("hm", thought=True), seal, said("Hi."))) as (_, model):
        await respond(model, ear)
    assert ear.told == ["(hm)", said("hm", thought=True), seal, "Hi.", said("Hi.")]


async def test_a_call_counts_before_the_answer_ends() -> None:
    """C17: the tool may start while the model still speaks."""
    ear, heard = Ear(), trio.Event()
    ear.item = lambda raw, *, cut=False: heard.set()  # type: ignore[method-assign]
    steps: list[Step | None] = [OK, sse(piece(called("f"))), heard, sse(piece(said("."), finish="STOP")), END]
    async with asked(steps) as (_, model):
        await respond(model, ear)
    assert heard.is_set()


async def test_what_the_provider_executed_is_handed_on_as_it_came() -> None:
    """R21: server calls, code and pictures, in their order among the text."""
    ear = Ear()
    tool = {"toolCall": {"id": "s", "toolType": "GOOGLE_SEARCH_WEB"}, "thoughtSignature": "c2ln"}
    async with asked(answer(said("a"), tool, said("b"))) as (_, model):
        await respond(model, ear)
    assert ear.told == ["a", said("a"), tool, "b", said("b")]


async def test_an_emoji_in_halves_is_whole_in_the_part() -> None:
    """What was shown in halves reads whole."""
    ear = Ear()
    chunks = [b'{"candidates":[{"content":{"parts":[{"text":"\\ud83d"}]}}]}', piece(said("x"), finish="STOP")]
    async with asked([OK, sse(*chunks), END]) as (_, model):
        await respond(model, ear)
    assert ear.told[-1] == said("�x")


# ── how an answer ends ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", Finish.STOP),
        ("MAX_TOKENS", Finish.LENGTH),
        ("SAFETY", Finish.FILTER),
        ("PROHIBITED_CONTENT", Finish.FILTER),
        ("RECITATION", Finish.FILTER),
        ("SOMETHING_NEW", Finish.STOP),
    ],
)
async def test_why_the_model_stopped(reason: str, finish: Finish) -> None:
    """What was said until then counts; a call that came whole is whole also when the limit was reached."""
    ear = Ear()
    async with asked(answer(said("so far"), called("f", "a"), finish=reason)) as (_, model):
        assert (await respond(model, ear)).finish is finish
    assert ear.told == ["so far", said("so far"), called("f", "a")]


@pytest.mark.parametrize(
    ("reason", "trouble"),
    [
        ("MALFORMED_FUNCTION_CALL", Trouble.LOST),
        ("UNEXPECTED_TOOL_CALL", Trouble.LOST),
        ("TOO_MANY_TOOL_CALLS", Trouble.LOST),
        ("OTHER", Trouble.LOST),
        ("MISSING_THOUGHT_SIGNATURE", Trouble.REFUSED),
    ],
)
async def test_an_answer_that_is_none_does_not_count(reason: str, trouble: Trouble) -> None:
    """R12: its text is not handed on; it is asked again, or, where the history is at fault, refused."""
    ear = Ear()
    async with asked(answer(said("I will"), {}, finish=reason)) as (_, model):
        with pytest.raises(ModelError, match=reason) as caught:
            await respond(model, ear)
    assert caught.value.trouble == trouble
    assert ear.told == ["I will"]


async def test_a_prompt_that_is_blocked_is_refused() -> None:
    """R20: sent again it would be blocked again, so its messages go back."""
    error = await failure(OK, sse({"promptFeedback": {"blockReason": "SAFETY"}}), END)
    assert (error.trouble, error.text) == (Trouble.REFUSED, "the prompt was blocked: SAFETY")


@pytest.mark.parametrize("ending", [None, END])
async def test_a_stream_that_is_cut_is_lost(ending: bytes | None) -> None:
    """C23: closed in the middle, or ended without a finishReason; what was whole has been handed on."""
    ear = Ear()
    steps: list[Step | None] = [OK, sse(piece(said("I")), piece(called("f", "a")), piece(said("th"))), ending]
    async with asked(steps) as (_, model):
        with pytest.raises(ModelError) as caught:
            await respond(model, ear)
    assert caught.value.trouble == Trouble.LOST
    assert ear.told == ["I", said("I"), called("f", "a"), "th"]


async def test_behind_the_end_nothing_can_break() -> None:
    """The finishReason has come: a connection that is cut after it takes nothing away."""
    async with asked([OK, sse(piece(said("Hi."), finish="STOP")), None]) as (_, model):
        assert (await respond(model)).finish is Finish.STOP


async def test_an_error_in_the_stream() -> None:
    """It means what its code means as a status."""
    for code, trouble in (
        (503, Trouble.LOST),
        (429, Trouble.LOST),
        (400, Trouble.REFUSED),
        (None, Trouble.LOST),
    ):
        error = await failure(OK, sse(piece(said("I")), {"error": {"code": code, "message": "no"}}), END)
        assert (error.trouble, error.text) == (trouble, "no")
    assert (await failure(OK, sse(b"{"), END)).trouble == Trouble.LOST


async def test_arguments_in_pieces_are_not_taken_for_whole() -> None:
    """R12: who asks Vertex to stream arguments is told to leave that."""
    part = {"functionCall": {"name": "f", "willContinue": True}}
    error = await failure(OK, sse(piece(part)), END)
    assert error.trouble == Trouble.FATAL
    assert "streamFunctionCallArguments" in error.text


# ── statuses ────────────────────────────────────────────────────────────────────────────────────────

TOO_LONG = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("code", "name", "message", "trouble"),
    [
        (400, "INVALID_ARGUMENT", "no", Trouble.REFUSED),
        (400, "INVALID_ARGUMENT", TOO_LONG, Trouble.OVERFLOW),
        (
            400,
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 20971520 bytes.",
            Trouble.OVERFLOW,
        ),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Trouble.FATAL),
        (401, "UNAUTHENTICATED", "no", Trouble.FATAL),
        (403, "PERMISSION_DENIED", "no", Trouble.FATAL),
        (404, "NOT_FOUND", "models/x is not found", Trouble.FATAL),
        (302, "", "elsewhere", Trouble.FATAL),
        (408, "", "no", Trouble.LOST),
        (413, "", "no", Trouble.REFUSED),
        (429, "RESOURCE_EXHAUSTED", "no", Trouble.LOST),
        (499, "CANCELLED", "no", Trouble.LOST),
        (500, "INTERNAL", "no", Trouble.LOST),
        (503, "UNAVAILABLE", "The model is overloaded.", Trouble.LOST),
        (504, "DEADLINE_EXCEEDED", "no", Trouble.LOST),
    ],
)
async def test_statuses(code: int, name: str, message: str, trouble: Trouble) -> None:
    """R20, C23, C53: the body, the context, the key, or the moment."""
    error = await failure(refusal(code, message, name))
    assert (error.trouble, error.text, error.status) == (trouble, message, code)


async def test_a_wrong_key_is_fatal_and_not_told() -> None:
    """Google says so with a 400; no error repeats the key."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    error = await failure(refusal(400, f"API key not valid: {KEY}.", "INVALID_ARGUMENT", info))
    assert (error.trouble, error.text) == (Trouble.FATAL, "API key not valid: [redacted].")


async def test_how_long_to_wait() -> None:
    """Google's RetryInfo, or the header."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    error = await failure(refusal(429, "slow down", "RESOURCE_EXHAUSTED", {"@type": "x"}, info))
    assert error.retry_after == 1.5
    error = await failure(status(429, {"error": {"message": "no"}}, "Retry-After: 7"))
    assert error.retry_after == 7


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"\xff", b'{"error": "x"}', b'[{"error": {"message": "x"}}]']
)
async def test_an_error_in_another_form(body: bytes) -> None:
    """A proxy's page, or a list, as Google sends it to those who do not ask for events."""
    error = await failure(status(502, body))
    assert error.trouble == Trouble.LOST
    assert error.text in ("x", "the request failed with status 502, and nobody said why")


async def test_nobody_is_there() -> None:
    """A refused connection is lost, like a broken one."""
    async with asked() as (server, model):
        pass
    async with httpx2.AsyncClient(verify=False) as http:
        client = sdk("http://127.0.0.1:1", http)
        model = Gemini("gemini-3-pro", client=client)
        with pytest.raises(ModelError) as caught:
            await respond(model)
        client.close()
    assert caught.value.trouble == Trouble.LOST
    assert server.wire.bodies == []


# ── clients, names, profiles ────────────────────────────────────────────────────────────────────────


def test_the_profile_is_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """GEM-SIG-MISSING is Gemini 3's; which service it is, the client or the environment says."""
    for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
        monkeypatch.delenv(name, raising=False)
    assert Gemini("gemini-2.5-flash").dialect == "gemini"
    assert Gemini("models/gemini-3-pro-preview").dialect == "gemini+3"
    assert Gemini("gemini-10-flash").dialect == "gemini+3"
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    assert Gemini("gemini-3.1-flash-lite").dialect == "gemini+3+vertex"


async def test_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """``gemini:MODEL`` reads the key when the first request leaves, and closes what it opened."""
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    model = resolve("gemini:gemini-3-pro")
    assert isinstance(model, Gemini)
    with pytest.raises(ModelError, match=r"No API key.* Set GEMINI_API_KEY, or give a client") as caught:
        await respond(model)
    assert caught.value.trouble == Trouble.FATAL
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(ModelError) as caught:
        await respond(model)
    assert caught.value.trouble == Trouble.LOST
    assert model.owned
    await model.aclose()
    assert model.client is None
    await model.aclose()


async def test_vertex_has_addresses_and_tokens_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK knows the project's address; its token is fetched in a thread, as it may take a while."""
    server = GeminiServer([answer(said("Hi."))], "gemini+vertex")
    async with server.serving() as base_url, httpx2.AsyncClient(verify=False) as http:
        client = genai.Client(
            vertexai=True,
            project="p",
            location="eu",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            http_options=HttpOptions(base_url=base_url, api_version="v1", httpx_async_client=http),
        )
        monkeypatch.setattr(client._api_client, "_access_token", lambda: "ya29.token")
        model = Gemini("gemini-2.5-flash", client=client)
        assert model.dialect == "gemini+vertex"
        await respond(model)
        client.close()
    head = server.wire.heads[0].decode()
    assert "/projects/p/locations/eu/publishers/google/models/gemini-2.5-flash:streamGenerateContent" in head
    assert "authorization: Bearer ya29.token" in head.lower().replace("bearer", "Bearer")


async def test_a_cancelled_request_closes_its_connection() -> None:
    """R17: nothing is waited for, and nothing is left open."""
    server_waits = trio.Event()
    async with asked([OK, sse(piece(said("I"))), server_waits, *[sse(piece(said("x")))] * 99, END]) as (
        server,
        model,
    ):
        ear = Ear()
        with trio.move_on_after(0.2) as scope:
            await respond(model, ear)
        assert scope.cancelled_caught
        assert ear.told == ["I"]
        server_waits.set()
        while not server.wire.lost:
            await trio.sleep(0.01)


def test_the_settings_leave_model_and_stream_to_the_address() -> None:
    """The body has neither; options have the API's names."""
    model = Gemini("gemini-3-pro", {"generationConfig": {"maxOutputTokens": 9}})
    assert model.settings("Be brief.", []).options == {"generationConfig": {"maxOutputTokens": 9}}
    assert msgspec.json.decode(BODY.body)["contents"][0]["parts"] == [{"text": "ä"}]
