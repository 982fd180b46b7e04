"""The transports by themselves: bytes, streams, and what they leave alone."""

from __future__ import annotations

import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import httpx2
import msgspec
import pytest
from attrs import define, field

from support.sdk import Way, posted, under
from turnlock.errors import RequestRefused
from turnlock.guard import Guard, GuardedSyncTransport, GuardedTransport
from turnlock.guard.memory import LARGEST

URL = "https://api.openai.com/v1/responses"
CALL = {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "a b"}
BROKEN = b'{ "model": "m", "input": [' + msgspec.json.encode(CALL) + b"]}"
PAIR = msgspec.json.encode(CALL) + b", " + msgspec.json.encode(OUTPUT)
SOUND = b'{ "model" :"m",\n "input": [' + PAIR + b"]}"
JSON = {"content-type": "application/json"}


@define(eq=False)
class Wire:
    """What stands behind the guard: keeps what arrives, answers what it was told."""

    answers: list[httpx2.Response] = field(factory=list)
    arrived: list[httpx2.Request] = field(factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.arrived.append(request)
        return self.answers.pop(0) if self.answers else httpx2.Response(200, json={})

    @property
    def bodies(self) -> list[bytes]:
        return [request.content for request in self.arrived]

    def behind(self, **options: Any) -> GuardedSyncTransport:
        return GuardedSyncTransport(httpx2.MockTransport(self), Guard(**options))


def test_sound_bytes_are_not_written_anew() -> None:
    """R15: what may leave is the caller's own request, byte for byte, with its headers."""
    behind, request = Wire(), posted(URL, SOUND)
    assert behind.behind().handle_request(request).status_code == 200
    assert behind.arrived == [request]
    assert behind.bodies == [SOUND]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(BROKEN), {"content-encoding": "gzip"}),
        (BROKEN, {"content-encoding": "of-our-own"}),
        (BROKEN, {"content-type": "multipart/form-data; boundary=x"}),
        (b"[1]", {}),
        (b"{", {}),
        (b"", {}),
        (b"[" * 100_000, {}),
    ],
)
def test_what_cannot_be_read_passes(body: bytes, headers: dict[str, str]) -> None:
    """Compressed bodies, forms, what is no JSON object: not ours to judge."""
    behind = Wire()
    behind.behind().handle_request(posted(URL, body, **headers))
    assert behind.bodies == [body]


def test_a_stream_is_read_where_it_is_ours_and_only_there() -> None:
    """A generator as a body is refused like bytes; at other addresses nobody touches it."""

    def chunks() -> Iterator[bytes]:
        yield BROKEN[:9]
        yield BROKEN[9:]

    behind = Wire()
    with httpx2.Client(transport=behind.behind(), headers=JSON) as client:
        assert client.post(URL, content=chunks()).status_code == 400
        assert behind.arrived == []
        assert client.post("https://x/v1/files", content=chunks()).status_code == 200
        assert client.post("https://x/ask", content=chunks()).status_code == 200
    assert behind.bodies == [BROKEN, BROKEN]


def test_an_async_stream_is_read_too(loop: Way) -> None:
    """The same with an async generator, under both loops."""

    async def chunks() -> AsyncIterator[bytes]:
        yield SOUND[:9]
        yield SOUND[9:]

    behind = Wire()

    async def main() -> None:
        transport = GuardedTransport(httpx2.MockTransport(behind), Guard())
        async with httpx2.AsyncClient(transport=transport, headers=JSON) as client:
            assert (await client.post(URL, content=chunks())).status_code == 200
            assert (await client.post(URL, content=BROKEN)).status_code == 400

    under(loop, main)
    assert behind.bodies == [SOUND]


def test_logged_only_when_told(caplog: pytest.LogCaptureFixture) -> None:
    """``log`` sends the body as it is, and says what is wrong with it; nothing else is ever printed."""
    behind = Wire()
    with caplog.at_level("INFO", logger="turnlock.guard"):
        assert behind.behind(on_violation="log").handle_request(posted(URL, BROKEN)).status_code == 200
    assert behind.bodies == [BROKEN]
    (record,) = caplog.records
    assert record.levelname == "INFO"  # a warning would be printed where nobody configured anything
    assert record.getMessage() == (
        "error RESP-CALL-NO-OUTPUT at /input/0: No tool output found for function call call_1."
    )


def test_wrong_options() -> None:
    """What cannot be is said when the guard is made."""
    with pytest.raises(ValueError, match="no dialect 'openai'"):
        Guard(dialect="openai")
    with pytest.raises(ValueError, match="answer, raise, repair or log, not 'fix'"):
        Guard(on_violation="fix")  # type: ignore[arg-type]


# ── R20 ─────────────────────────────────────────────────────────────────────────────────────────────


def refused(text: str = "No.", status: int = 400, **more: str) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": text, **more}})


def again(
    transport: GuardedSyncTransport,
    body: bytes = SOUND,
    *,
    url: str = URL,
    headers: dict[str, str] | None = None,
) -> tuple[int, str | None]:
    with httpx2.Client(transport=transport) as client:
        response = client.send(posted(url, body, **(headers or {})))
        return response.status_code, response.headers.get("x-turnlock-refused")


def test_the_same_bytes_are_refused_here() -> None:
    """R20: to the same address, with the same key and versions; whatever differs is asked."""
    behind = Wire([refused(), refused(), refused(), refused()])
    transport = behind.behind()
    key = {"authorization": "Bearer k1"}
    assert again(transport, headers=key) == (400, None)
    assert again(transport, headers=key) == (400, "R20")
    assert again(transport, headers={"authorization": "Bearer k2"}) == (400, None)
    assert again(transport, url=f"{URL}?api-version=2", headers=key) == (400, None)
    assert again(transport, headers={"openai-beta": "x", **key}) == (400, None)
    assert again(transport, headers=key) == (400, "R20")
    assert len(behind.arrived) == 4


@pytest.mark.parametrize(
    "answer",
    [
        refused("Your credit balance is too low to access the API."),
        refused("API key not valid. Please pass a valid API key."),
        refused("Cannot fetch content from the provided URL."),
        refused("Tool call validation failed.", code="tool_use_failed"),
        refused(status=429),
        refused(status=500),
        refused("x" * (LARGEST + 1)),
    ],
)
def test_what_may_pass_is_asked_again(answer: httpx2.Response) -> None:
    """Money, keys, load, other servers, the model: not the body's, so the same bytes may leave once more."""
    behind = Wire([answer])
    transport = behind.behind()
    assert again(transport)[1] is None
    assert again(transport) == (200, None)


def test_the_answer_is_the_providers_own_also_when_it_was_compressed() -> None:
    """R20: what the caller reads the second time is what it read the first time."""
    content = gzip.compress(b'{"error":{"message":"No."}}')
    headers = {"content-encoding": "gzip", "content-type": "application/json", "x-request-id": "req_7"}
    lines: list[Any] = []
    behind = Wire([httpx2.Response(400, headers=headers, stream=httpx2.ByteStream(content))])
    with httpx2.Client(transport=behind.behind(capture=lines.append)) as client:
        first, second = (client.send(posted(URL, SOUND)) for _ in range(2))
    assert first.json() == second.json() == {"error": {"message": "No."}}
    assert second.headers["x-request-id"] == "req_7"
    assert [(line["status"], line["error"]) for line in lines] == [(400, first.json()), (None, first.json())]
    assert len(behind.arrived) == 1


def test_raised_again_when_told() -> None:
    """R20: with ``raise`` the provider's answer is in the error."""
    behind = Wire([refused()])
    transport = behind.behind(on_violation="raise")
    assert again(transport) == (400, None)
    with pytest.raises(RequestRefused, match="R20") as caught:
        again(transport)
    assert msgspec.json.decode(caught.value.text) == {"error": {"message": "No."}}


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: the oldest refusal is forgotten; one that was asked for is young again."""
    monkeypatch.setattr("turnlock.guard.memory._MOST", 2)
    behind = Wire([refused() for _ in range(4)])
    transport = behind.behind()
    for number in (b"1", b"2"):
        again(transport, SOUND.replace(b"m", number, 1))
    assert again(transport, SOUND.replace(b"m", b"1", 1)) == (400, "R20")
    again(transport, SOUND.replace(b"m", b"3", 1))
    assert again(transport, SOUND.replace(b"m", b"1", 1)) == (400, "R20")
    assert again(transport, SOUND.replace(b"m", b"2", 1)) == (400, None)


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────


@define(eq=False)
class Drip(httpx2.AsyncByteStream, httpx2.SyncByteStream):
    """Events one by one: the next is made only when it is asked for, and closing is seen."""

    events: list[bytes] = field(factory=lambda: [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"])
    made: int = 0
    closed: bool = False
    broken: bool = False
    stuck: bool = False

    def __iter__(self) -> Iterator[bytes]:
        for event in self.events:
            self.made += 1
            yield event
        if self.broken:
            raise httpx2.ReadError("cut")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for event in self:
            yield event
            if self.stuck:
                await anyio.sleep_forever()

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def streaming(drip: Drip) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=drip)


def test_a_stream_is_not_delayed(loop: Way) -> None:
    """Each event is handed on before the next is made, with a capture too."""
    drip, lines = Drip(), list[Any]()

    async def main() -> None:
        transport = GuardedTransport(
            httpx2.MockTransport(Wire([streaming(drip)])), Guard(capture=lines.append)
        )
        response = await transport.handle_async_request(posted(URL, SOUND))
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        seen = 0
        async for chunk in response.stream:
            seen += 1
            assert (chunk, drip.made) == (f"data: {seen}\n\n".encode(), seen)
            assert lines == []
        await response.aclose()

    under(loop, main)
    assert drip.closed
    assert [(line["response"], line["end"]) for line in lines] == [
        ("data: 1\n\ndata: 2\n\ndata: 3\n\n", "complete")
    ]


@pytest.mark.filterwarnings("ignore:Async generator '(httpx2|tests):ResourceWarning")
def test_a_stream_that_is_cancelled_is_closed(loop: Way) -> None:
    """The loop's own cancellation, while an event is awaited: the inner response is closed, and told once."""
    drip, lines = Drip(stuck=True), list[Any]()

    async def main() -> None:
        inner = httpx2.MockTransport(Wire([streaming(drip)]))
        transport = GuardedTransport(inner, Guard(capture=lines.append))
        async with httpx2.AsyncClient(transport=transport) as client:
            with anyio.CancelScope() as scope:
                async with client.stream("POST", URL, content=SOUND, headers=JSON) as response:
                    async for _ in response.aiter_raw():
                        scope.cancel()
            assert scope.cancelled_caught
            assert drip.closed

    under(loop, main)
    assert [(line["response"], line["end"]) for line in lines] == [("data: 1\n\n", "closed")]


@pytest.mark.filterwarnings("ignore:Async generator '(httpx2|tests):ResourceWarning")
def test_a_stream_that_breaks(loop: Way) -> None:
    """The caller sees the error as it was; the capture says that it broke."""
    lines: list[Any] = []
    guard = Guard(capture=lines.append)

    async def main() -> None:
        transport = GuardedTransport(httpx2.MockTransport(Wire([streaming(Drip(broken=True))])), guard)
        async with httpx2.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx2.ReadError, match="cut"):
                await client.send(posted(URL, SOUND))

    under(loop, main)
    transport = GuardedSyncTransport(httpx2.MockTransport(Wire([streaming(Drip(broken=True))])), guard)
    with httpx2.Client(transport=transport) as client, pytest.raises(httpx2.ReadError, match="cut"):
        client.send(posted(URL, SOUND))
    assert [(line["status"], line["end"]) for line in lines] == [(200, "broken")] * 2


def test_without_a_capture_a_good_response_is_not_touched() -> None:
    """Nothing stands between the caller and the stream."""
    drip = Drip()
    response = Wire([streaming(drip)]).behind().handle_request(posted(URL, SOUND))
    assert response.stream is drip


def test_no_response_at_all(loop: Way) -> None:
    """A connection that fails is told, and raised as it was; what is not ours fails untold."""
    lines: list[Any] = []
    guard = Guard(capture=lines.append)

    def fails(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route")

    inner = httpx2.MockTransport(fails)
    for url in (URL, "https://api.openai.com/v1/files"):
        with pytest.raises(httpx2.ConnectError, match="no route"):
            GuardedSyncTransport(inner, guard).handle_request(posted(url, SOUND))

        async def main(url: str = url) -> None:
            with pytest.raises(httpx2.ConnectError, match="no route"):
                await GuardedTransport(inner, guard).handle_async_request(posted(url, SOUND))

        under(loop, main)
    assert [(line["status"], line["error"]) for line in lines] == [(None, "ConnectError: no route")] * 2


def test_a_dialect_that_nobody_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What wire does not know is not judged."""
    monkeypatch.setattr("turnlock.guard.judge.DIALECTS", ("openai_chat",))
    behind = Wire()
    assert behind.behind().handle_request(posted(URL, BROKEN)).status_code == 200


def test_closing_closes_what_sends(loop: Way) -> None:
    """A guarded client leaves no socket behind."""
    closed: list[str] = []

    class Inner(httpx2.AsyncBaseTransport, httpx2.BaseTransport):
        def close(self) -> None:
            closed.append("sync")

        async def aclose(self) -> None:
            closed.append("async")

    GuardedSyncTransport(Inner(), Guard()).close()
    under(loop, GuardedTransport(Inner(), Guard()).aclose)
    assert closed == ["sync", "async"]


def test_many_threads() -> None:
    """One sync client serves threads at once: each body is judged by itself."""
    behind = Wire()
    transport = behind.behind()
    found: list[int] = []

    def work(body: bytes) -> None:
        found.append(transport.handle_request(posted(URL, body)).status_code)

    threads = [threading.Thread(target=work, args=(body,)) for body in (SOUND, BROKEN) * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 8 + [400] * 8
    assert behind.bodies == [SOUND] * 8
