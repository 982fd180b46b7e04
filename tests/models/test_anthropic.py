"""The Anthropic adapter over the real client: what counts of a stream, and what each way to end means."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import trio
from anthropic import AsyncAnthropic
from attrs import define, field

from support.ear import Ear
from support.wire_server import END, OK, Step, WireServer, chunk, sse, status
from turnlock import AnthropicMessages, ModelError, Usage
from turnlock.engine import Finish, Trouble
from turnlock.models import Request, Response
from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import InProcess

Event = dict[str, Any]

START: Event = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}}
STOP: Event = {"type": "message_stop"}
BODY = Request(1, b'{"model":  "m", "messages":[],"stream":true}', [], 0)
CALL: Event = {"type": "tool_use", "id": "a", "name": "f", "input": {}}


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left() -> Iterator[None]:
    """Sockets and generators that nobody closed are found here, as warnings, which are errors."""
    yield
    gc.collect()


def begins(at: int, block: Event) -> Event:
    return {"type": "content_block_start", "index": at, "content_block": block}


def grows(at: int, kind: str, **said: Any) -> Event:
    return {"type": "content_block_delta", "index": at, "delta": {"type": f"{kind}_delta", **said}}


def ends(at: int) -> Event:
    return {"type": "content_block_stop", "index": at}


def stops(reason: str | None, **usage: int) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def block(at: int, whole: Event, *deltas: Event) -> list[Event]:
    return [begins(at, whole), *deltas, ends(at)]


def text(said: str, at: int = 0) -> list[Event]:
    return block(at, {"type": "text", "text": ""}, grows(at, "text", text=said))


def call(at: int = 0, *pieces: str, **fields: Any) -> list[Event]:
    deltas = [grows(at, "input_json", partial_json=piece) for piece in ("", *pieces)]
    return block(at, {**CALL, **fields}, *deltas)


DONE = [START, *text("Hi."), stops("end_turn", output_tokens=2), STOP]


@asynccontextmanager
async def asked(*answers: Sequence[Step | None]) -> AsyncIterator[tuple[WireServer, AnthropicMessages]]:
    server = WireServer(answers)
    http = httpx2.AsyncClient(verify=False)  # loading certificates takes longer than all the rest
    async with (
        server.serving() as base_url,
        AsyncAnthropic(base_url=base_url[:-3], api_key="sk-ant-x", http_client=http) as client,
    ):
        with trio.fail_after(20):
            yield server, AnthropicMessages("m", client=client)


async def heard(*events: Event) -> tuple[Ear, Response]:
    """What an answer of these events told."""
    ear = Ear()
    async with asked([OK, sse(*events), END]) as (_, model):
        return ear, await model.respond(BODY, ear)


async def failure(*steps: Step | None, ear: Ear | None = None) -> ModelError:
    async with asked(list(steps)) as (server, model):
        with pytest.raises(ModelError) as caught:
            await model.respond(BODY, ear or Ear())
        assert len(server.bodies) == 1, "the SDK's own retries are off"
    return caught.value


# ── the request ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_bytes_are_posted_as_they_are() -> None:
    """R15: what was checked is what leaves, with the key and the version that the SDK speaks."""
    async with asked([OK, sse(*DONE), END]) as (server, model):
        await model.respond(BODY, Ear())
        assert model.client is not None
        version = str(model.client.default_headers["anthropic-version"])
    assert server.bodies == [BODY.body]
    head = server.heads[0].lower()
    assert head.startswith(b"post /v1/messages http")
    assert b"sk-ant-x" in head
    assert f"anthropic-version: {version}\r\n".encode() in head
    assert b"x-stainless-retry-count: 0" in head
    assert b"anthropic-beta" not in head


async def test_betas_are_a_header() -> None:
    """They are no field of a body; all other options are."""
    async with asked([OK, sse(*DONE), END]) as (server, model):
        model.options = {"betas": ["compact-2026-01-12", "x"], "max_tokens": 9}
        assert model.settings("", []).options == {"max_tokens": 9}
        await model.respond(BODY, Ear())
    head = server.heads[0].lower()
    assert head.startswith(b"post /v1/messages?beta=true http")
    assert b"anthropic-beta: compact-2026-01-12,x" in head


# ── what counts ─────────────────────────────────────────────────────────────────────────────────────


async def test_blocks_of_every_kind() -> None:
    """R12, C41: each is told as it would have come without streaming, in the order in which they ended."""
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]}
    redacted = {"type": "redacted_thinking", "data": "x"}
    cited = {"type": "web_search_result_location", "url": "u"}
    ear, response = await heard(
        START,
        {"type": "ping"},
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            grows(0, "thinking", thinking="Hm, ", estimated_tokens=50),
            grows(0, "thinking", thinking="so."),
            grows(0, "signature", signature="sig"),
        ),
        *block(1, redacted),
        *block(2, searched, grows(2, "input_json", partial_json='{"query": "x"}')),
        *block(3, found),
        *block(
            4,
            {"type": "text", "text": "", "citations": None},
            grows(4, "text", text="It is "),
            grows(4, "citations", citation=cited),
            grows(4, "citations", citation=cited),
            grows(4, "text", text="so."),
            grows(4, "some_new", text="?"),
        ),
        *call(5, '{"a"', ": 1}"),
        {"type": "some_new_event", "index": 5},
        stops("tool_use", output_tokens=7),
        STOP,
    )
    assert ear.items == [
        ({"type": "thinking", "thinking": "Hm, so.", "signature": "sig"}, False),
        (redacted, False),
        ({**searched, "input": {"query": "x"}}, False),
        (found, False),
        ({"type": "text", "text": "It is so.", "citations": [cited, cited]}, False),
        ({**CALL, "input": '{"a": 1}'}, False),
    ]
    assert ear.thoughts == ["", "Hm, ", "so."]
    assert "".join(ear.shown) == "It is so.?"
    assert response == Response(Finish.STOP, Usage(3, 7), "msg_1")


async def test_compaction_is_kept_and_gone_on_from() -> None:
    """R21: what the provider made of the history goes back to it as it came, at its own pause."""
    compacted = {"type": "compaction", "content": None}
    grown = grows(0, "compaction", content="A summary.", encrypted_content="x")
    ear, response = await heard(START, *block(0, compacted, grown), stops("compaction"), STOP)
    told = {"type": "compaction", "content": "A summary.", "encrypted_content": "x"}
    assert (ear.items, response.finish) == ([(told, False)], Finish.PAUSE)


async def test_a_call_counts_when_its_block_has_ended() -> None:
    """C17: while the response goes on; no input is an empty one."""
    for pieces, given in ((['{"a": 1}'], '{"a": 1}'), ([], {}), (["{}"], "{}")):
        ear, rest = Ear(), trio.Event()

        async def when_told(ear: Ear = ear, rest: trio.Event = rest) -> None:
            while not ear.items:
                await trio.sleep(0.001)
            rest.set()

        steps: list[Step | None] = [
            OK,
            sse(START, *call(0, *pieces)),
            rest,
            sse(stops("tool_use"), STOP),
            END,
        ]
        async with asked(steps) as (_, model), trio.open_nursery() as nursery:
            nursery.start_soon(when_told)
            await model.respond(BODY, ear)
        assert ear.items == [({**CALL, "input": given}, False)]


async def test_an_input_that_is_not_json() -> None:
    """C19, R12: what stands behind the block says whether the length limit has cut it."""
    half = call(0, '{"a": "wh')
    told = {**CALL, "input": '{"a": "wh'}
    behind: list[tuple[list[Event], bool]] = [
        ([*text("So.", 1), stops("end_turn"), STOP], False),
        ([stops("tool_use"), STOP], False),
        ([STOP], False),
        ([stops("max_tokens"), STOP], True),
        ([stops("refusal"), STOP], True),
        ([stops(None, output_tokens=7), stops("max_tokens"), STOP], True),
    ]
    for events, cut in behind:
        ear, _ = await heard(START, *half, *events)
        assert ear.items[0] == (told, cut)
    ear = Ear()
    assert (await failure(OK, sse(START, *half), None, ear=ear)).trouble == Trouble.LOST
    assert ear.items == [], "it was never a call"


async def test_a_part_of_a_server_s_call() -> None:
    """R21: one that was cut is no call; one that is only odd goes back as an object."""
    use = {"type": "server_tool_use", "id": "s", "name": "web_search"}
    ear, _ = await heard(START, *call(0, '{"q', **use), stops("max_tokens"), STOP)
    assert ear.items == []
    ear, _ = await heard(START, *call(0, '{"q', **use), stops("end_turn"), STOP)
    assert ear.items == [({**use, "input": {}}, False)]


async def test_an_open_block_is_none() -> None:
    """R12, R7: text of it was shown; a part of thinking or of a call is nothing."""
    for begun in (
        [begins(1, {"type": "thinking", "thinking": ""}), grows(1, "thinking", thinking="Hm")],
        [begins(1, CALL), grows(1, "input_json", partial_json='{"a": 1}')],
        [begins(1, {"type": "text", "text": ""}), grows(1, "text", text=" and")],
    ):
        ear = Ear()
        assert (await failure(OK, sse(START, *text("One"), *begun), None, ear=ear)).trouble == Trouble.LOST
        assert ear.items == [({"type": "text", "text": "One"}, False)]


async def test_text_that_stands_in_the_first_event() -> None:
    """It is shown and kept like that which comes in deltas; half an emoji is put to its other half."""
    begun = {"type": "text", "text": "So "}
    events = block(0, begun, grows(0, "text", text="HIGH"), grows(0, "text", text="LOW"))
    said = sse(START, *events, stops("end_turn"), STOP)
    said = said.replace(b"HIGH", rb"\ud83d").replace(b"LOW", rb"\ude00")
    ear = Ear()
    async with asked([OK, chunk(said.split(b"\r\n", 1)[1].removesuffix(b"\r\n")), END]) as (_, model):
        await model.respond(BODY, ear)
    assert ear.shown[0] == "So "
    assert ear.items == [({"type": "text", "text": "So 😀"}, False)]


# ── how a message ends ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("tool_use", Finish.STOP),
        ("some_new_reason", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("pause_turn", Finish.PAUSE),
        ("refusal", Finish.FILTER),
    ],
)
async def test_stop_reasons(reason: str, finish: Finish) -> None:
    """R13, R21: why the model stopped."""
    _, response = await heard(START, *text("Hi."), stops(reason), STOP)
    assert response.finish is finish


async def test_counts_behind_the_reason() -> None:
    """A message_delta that names no reason takes none back."""
    _, response = await heard(START, *text("Hi."), stops("max_tokens"), stops(None, output_tokens=7), STOP)
    assert response == Response(Finish.LENGTH, Usage(3, 7), "msg_1")


async def test_the_context_is_full() -> None:
    """R20: there is no room to go on in: the same as a prompt that is too long, and a half call is none."""
    ear = Ear()
    events = (START, *text("Once upon"), *call(1, '{"a'), stops("model_context_window_exceeded"), STOP)
    error = await failure(OK, sse(*events), END, ear=ear)
    assert error.trouble == Trouble.OVERFLOW
    assert "model_context_window_exceeded" in error.text
    assert [raw["type"] for raw, _ in ear.items] == ["text"]


async def test_usage() -> None:
    """What was read from a cache or written to it is input, too; the last counts hold; None where none is."""
    start: Event = {
        "type": "message_start",
        "message": {
            "id": "m",
            "usage": {
                "input_tokens": 3,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": 100,
                "cache_creation": {"ephemeral_5m_input_tokens": 10},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    }
    _, response = await heard(start, *text("Hi."), stops("end_turn", output_tokens=8), STOP)
    assert response.usage == Usage(113, 8)
    searched = stops("end_turn", input_tokens=50, output_tokens=8)
    _, response = await heard(start, *text("Hi."), searched, STOP)
    assert response.usage == Usage(160, 8)
    _, response = await heard({"type": "message_start", "message": {"id": "m"}}, stops("end_turn"), STOP)
    assert response.usage is None


@pytest.mark.parametrize(
    "steps",
    [
        [None],
        [b"HTTP/1.1 200", None],
        [OK, None],
        [OK, END],
        [OK, sse(START), END],
        [OK, sse(START), None],
        [OK, sse(*DONE[:-1]), END],
        [OK, sse(*DONE[:-1]), None],
        [OK, chunk(b'data: {"type": "mess'), None],
        [OK, sse(b"<html>"), END],
        [OK, sse(b"[1]", b"null", b"7"), END],
    ],
    ids=str,
)
async def test_what_breaks_off_is_lost(steps: list[Step | None]) -> None:
    """C23: at whatever byte the connection ends before the message_stop."""
    assert (await failure(*steps)).trouble == Trouble.LOST


async def test_a_break_behind_the_end_breaks_nothing() -> None:
    """R12: the message came to its end: what the connection does then is of no interest."""
    for last in ([None], [chunk(b"data: {"), None], [sse(b"<html>"), END], [trio.Event()]):
        async with asked([OK, sse(*DONE), *last]) as (_, model):
            assert (await model.respond(BODY, Ear())).id == "msg_1"


async def test_the_connection_is_used_again() -> None:
    """What stands behind the end marker is read: one connection serves any number of requests."""
    async with asked(*[[OK, sse(*DONE), END]] * 3) as (server, model):
        for _ in range(3):
            await model.respond(BODY, Ear())
        assert server.connections == 1


async def test_an_abort_closes_the_connection() -> None:
    """R22: an aborted request is not listened to, and the server learns of it."""
    gone = trio.Event()
    ear = Ear()
    delta = sse(grows(0, "text", text="Hel"))
    steps: list[Step | None] = [OK, sse(START, begins(0, {"type": "text", "text": ""})), delta, gone.wait]
    async with asked([*steps, *[delta] * 1000]) as (server, model):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ear.cancel_when_shown, scope)
                await model.respond(BODY, ear)
        gone.set()
        while not server.lost:
            await trio.sleep(0.005)
    assert ear.items == []


async def test_an_abort_without_a_socket() -> None:
    """R22: a transport of one's own learns of it as well."""

    @define(eq=False)
    class Impatient(Ear):
        scope: trio.CancelScope = field(kw_only=True)

        def text(self, delta: str) -> None:
            self.scope.cancel()

    provider = StrictProvider(Script.of({"text": "Half an answer."}))
    http = httpx2.AsyncClient(transport=InProcess(provider))
    async with AsyncAnthropic(base_url="http://strict", api_key="sk-ant-x", http_client=http) as client:
        model = AnthropicMessages("m", client=client)
        said = b'{"model":"m","messages":[{"role":"user","content":"Hi."}],"stream":true}'
        with trio.CancelScope() as scope:
            await model.respond(Request(1, said, [], 0), Impatient(scope=scope))
    assert [exchange.ended for exchange in provider.exchanges] == ["aborted"]


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "name", "text", "trouble"),
    [
        (400, "invalid_request_error", "messages.1: …", Trouble.REFUSED),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            Trouble.OVERFLOW,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            Trouble.OVERFLOW,
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", Trouble.FATAL),
        (401, "authentication_error", "invalid x-api-key", Trouble.FATAL),
        (402, "billing_error", "…", Trouble.FATAL),
        (403, "permission_error", "…", Trouble.FATAL),
        (404, "not_found_error", "model: m", Trouble.FATAL),
        (408, "timeout_error", "…", Trouble.LOST),
        (409, "conflict_error", "…", Trouble.LOST),
        (413, "request_too_large", "Request exceeds the maximum size", Trouble.OVERFLOW),
        (422, "invalid_request_error", "…", Trouble.REFUSED),
        (429, "rate_limit_error", "…", Trouble.LOST),
        (500, "api_error", "Internal server error", Trouble.LOST),
        (504, "timeout_error", "…", Trouble.LOST),
        (529, "overloaded_error", "Overloaded", Trouble.LOST),
    ],
)
async def test_statuses(code: int, name: str, text: str, trouble: Trouble) -> None:
    """R20 and C23: what is asked again, what is the body's fault, what no asking will mend.

    An error in the middle of the stream means what its type would mean as a status.
    """
    told = {"type": "error", "error": {"type": name, "message": text}, "request_id": "req_1"}
    error = await failure(status(code, told, "retry-after: 7"))
    assert (error.trouble, error.text, error.status, error.retry_after) == (trouble, text, code, 7.0)
    if code != 422:
        error = await failure(OK, sse(START, *DONE[1:3], told), None)
        assert (error.trouble, error.text, error.status) == (trouble, text, None)


async def test_errors_without_a_text() -> None:
    """A proxy's page is still a refusal, and its text is kept; what says nothing says so."""
    assert "Bad Gateway" in (await failure(status(502, b"<html>Bad Gateway</html>"))).text
    assert (await failure(status(400, ["x"]))).trouble == Trouble.REFUSED
    silent = await failure(OK, sse({"type": "error", "error": None}), END)
    assert (silent.trouble, "did not say why" in silent.text) == (Trouble.LOST, True)


async def test_a_key_is_not_told() -> None:
    """Neither the one that was used nor one that looks like one."""
    key = "hunter2-hunter3"
    told = {"error": {"type": "authentication_error", "message": f"wrong: {key}, sk-ant-api03-abcdefgh"}}
    server = WireServer([[status(401, told)]] * 2)
    async with server.serving() as base_url:
        for way in ("api_key", "auth_token"):
            keys: dict[str, Any] = {way: key}
            async with AsyncAnthropic(base_url=base_url[:-3], **keys) as client:
                with pytest.raises(ModelError) as caught:
                    await AnthropicMessages("m", client=client).respond(BODY, Ear())
            assert caught.value.text == "wrong: [redacted], [redacted]"


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────


async def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the turn fails, and says what to do; nothing is made before the first request."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", "/nowhere")
    model = AnthropicMessages("m")
    assert model.client is None
    with pytest.raises(ModelError, match="set ANTHROPIC_API_KEY") as caught:
        await model.respond(BODY, Ear())
    assert caught.value.trouble == Trouble.FATAL
    await model.aclose()


async def test_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made with the key from the environment, and closed with the adapter; a given one is not."""
    server = WireServer([[OK, sse(*DONE), END]] * 2)
    async with server.serving() as base_url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-own")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url[:-3])
        model = AnthropicMessages("m")
        await model.respond(BODY, Ear())
        own = model.client
        assert own is not None
        await model.aclose()
        assert own.is_closed()
        assert b"sk-ant-own" in server.heads[0].lower()
        async with AsyncAnthropic(base_url=base_url[:-3], api_key="sk-ant-x") as client:
            given = AnthropicMessages("m", client=client)
            await given.respond(BODY, Ear())
            await given.aclose()
            assert not client.is_closed()
