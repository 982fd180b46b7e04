"""The provider behind the server of the process: many at a time, from any thread, and gone when they are."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from support.plain_client import ASK, BAD, CHAT, Asking, post
from turnlock.strict import Asked, Script, ScriptError
from turnlock.testing import Change, ProviderClosed, Request, Response, loopback, loopback_server

LS = {"calls": [{"name": "ls"}, {"name": "cat"}]}


def text_of(answer: tuple[int, Any]) -> str:
    status, body = answer
    assert status == 200
    return str(body["output"][0]["content"][0]["text"])


def test_a_script_and_what_came_in() -> None:
    """Lines and whole scripts answer in order, and by what is asked; what came in can be read (C4)."""
    with loopback(LS, Script.of({"text": "two"}), {"when": "else", "text": "other"}) as provider:
        first = post(provider.base_url, ASK)[1]["output"]
        refused = post(provider.base_url, {"model": "m", "input": [*first, BAD["input"][0]]})
        assert text_of(post(provider.base_url, {"input": "something else"})) == "other"
        assert text_of(post(provider.base_url, ASK)) == "two"
    assert refused[0] == 400
    assert refused[1]["error"]["message"] == "No tool output found for function call call_001_00001."
    assert [one.rule for one in provider.refusals] == ["RESP-CALL-NO-OUTPUT"]
    assert provider.transcripts == ("U", "K(a) K(b) U", "U", "U")
    assert provider.transcript == "U"
    assert provider.bodies[0] == ASK
    assert repr(provider) == "<Provider, closed, 4 requests, 1 refused>"


def test_one_dialect_only() -> None:
    """A provider of one dialect knows no other path."""
    with loopback({"text": "a"}, dialect="openai_chat") as provider:
        assert post(provider.base_url, ASK)[0] == 404
        assert post(provider.base_url, CHAT, "/chat/completions")[0] == 200


def test_before_the_first_request_there_is_nothing() -> None:
    """A provider that nobody asks has no transcript and starts nothing."""
    with loopback() as provider:
        assert (provider.transcript, provider.exchanges, provider.in_flight) == ("", (), ())
        assert repr(provider) == "<Provider, in process, 0 requests, 0 refused>"


def test_many_providers_share_one_server() -> None:
    """Each sees its own requests only, while others are asked from many threads."""
    providers = [loopback(*[{"text": f"{number}"}] * 5) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        asked = [
            (number, pool.submit(post, provider.base_url, ASK))
            for _ in range(5)
            for number, provider in enumerate(providers)
        ]
        for number, answer in asked:
            assert text_of(answer.result()) == f"{number}"
    assert len({urlsplit(provider.base_url).netloc for provider in providers}) == 1
    assert [len(provider.exchanges) for provider in providers] == [5] * 8
    assert len([thread for thread in threading.enumerate() if thread.name == "turnlock loopback"]) == 1
    for provider in providers:
        provider.close()


def test_lines_are_added_while_it_runs() -> None:
    """What is left is answered by what is added; a line that is wrong is named, and nothing is added."""
    with loopback() as provider:
        assert post(provider.base_url, ASK)[0] == 422
        provider.answers({"text": "one"})
        with pytest.raises(
            ScriptError, match='script, line 2: a line has no key "txet"; did you mean "text"'
        ):
            provider.answers({"txet": "two"})
        assert text_of(post(provider.base_url, ASK)) == "one"
    with pytest.raises(ScriptError, match="script, line 2: it answers nothing"):
        loopback({"text": "one"}, {})


def test_a_function_of_the_test_answers() -> None:
    """It decides when the request arrives, and may leave it to the script; it may hold what it answers."""
    asked: list[Asked] = []

    def answer(request: Asked) -> dict[str, Any] | None:
        asked.append(request)
        if len(asked) == 2:
            return None
        holds.append(provider.hold())
        return {"text": request.text.upper()}

    holds: list[Any] = []
    with loopback({"text": "scripted"}, answer=answer) as provider:
        with Asking(provider.base_url, ASK) as asking:
            provider.wait_for(lambda: bool(holds) and holds[0].reached)
            assert asking.waits
            holds[0].release()
        assert text_of(asking.answer) == "GO"
        assert text_of(post(provider.base_url, ASK)) == "scripted"
    assert provider.failures == ()


def test_what_a_function_of_the_test_raises_reaches_the_test() -> None:
    """The client gets a 500 that says so; the block raises it at its end, or adds it to what was raised."""

    def answer(_request: Asked) -> dict[str, Any]:
        raise ZeroDivisionError("a slip")

    def listen(_change: Change) -> None:
        raise LookupError("another")

    with pytest.raises(ZeroDivisionError, match="a slip"):
        with loopback(answer=answer) as provider:
            provider.subscribe(listen)
            status, body = post(provider.base_url, ASK)
            assert (status, body["error"]["code"]) == (500, "test_failed")
            assert "a slip" in body["error"]["message"]
    assert [type(failure) for failure in provider.failures[:2]] == [ZeroDivisionError, LookupError]
    with pytest.raises(KeyError) as caught:
        with loopback(answer=answer) as provider:
            post(provider.base_url, ASK)
            raise KeyError("the test's own")
    assert "a slip" in caught.value.__notes__[0]
    with pytest.raises(ScriptError, match="it answers nothing"):
        with loopback(answer=lambda _asked: {}) as provider:
            assert post(provider.base_url, ASK)[0] == 500


def whole_items(path: str, seen: Any) -> int:
    """How many items a stream showed complete; of Chat Completions, how many it began."""
    if path == "/responses":
        return sum(event["type"] == "response.output_item.done" for event in seen)
    if path == "/messages":
        return sum(event["type"] == "content_block_stop" for event in seen)
    deltas = [choice["delta"] for event in seen for choice in event["choices"]]
    return sum("id" in call for delta in deltas for call in delta.get("tool_calls", ()))


@pytest.mark.parametrize(
    ("path", "ask"), [("/responses", ASK), ("/chat/completions", CHAT), ("/messages", CHAT)]
)
def test_an_answer_held_in_its_middle(path: str, ask: dict[str, Any]) -> None:
    """It waits before the head, behind each item and before its end, where it is released from outside."""
    said: list[str] = []
    with loopback({"text": "Now.", **LS}) as provider:
        provider.subscribe(lambda change: said.append(change.what))
        holds = [provider.hold(), *(provider.hold(items=items) for items in (0, 1, 2, 3, 99))]
        holds[3].release()  # is let through before it comes there
        with Asking(provider.base_url, {**ask, "stream": True}, path) as asking:
            for hold in (holds[0], holds[1], holds[2], holds[4]):
                hold.wait()
                assert (len(provider.in_flight), asking.waits) == (1, True)
                hold.release()
            holds[5].wait()
            assert len(provider.in_flight) == 1
            holds[5].release()
        assert whole_items(path, asking.answer[1]) == (2 if path == "/chat/completions" else 3)
    assert not holds[3].reached
    assert provider.exchanges[0].ended == "complete"
    assert (said[0], said[-1], set(said[1:-1])) == ("arrived", "complete", {"held"})


def test_where_a_held_stream_stands() -> None:
    """What the client has read when it stops is what the hold says: that many items, none begun behind."""
    with loopback({"text": "Now.", **LS}) as provider:
        hold = provider.hold(items=2)
        place = urlsplit(provider.base_url)
        with socket.create_connection((place.hostname, place.port or 0), timeout=30) as client:
            body = b'{"input": "go", "stream": true}'
            head = f"POST {place.path}/responses HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            hold.wait()
            raw = b""
            while raw.count(b"event: response.output_item.done") < 2:
                raw += client.recv(65536)
            client.settimeout(0.05)
            with pytest.raises(TimeoutError):
                raw += client.recv(65536)
        assert raw.count(b"event: response.output_item.added") == 2
        provider.wait_for(lambda: len(provider.aborted) == 1)  # the client has left, the hold still stands


def test_a_hold_that_nobody_comes_to() -> None:
    """Waiting for it ends, and says for which request it was."""
    with loopback({"text": "a"}) as provider:
        with pytest.raises(TimeoutError, match=r"request 7 did not come to this hold in 0\.01 s"):
            provider.hold(number=7).wait(timeout=0.01)
        with pytest.raises(TimeoutError, match=r"it did not become so in 0\.01 s; what came in: nothing"):
            provider.wait_for(lambda: False, timeout=0.01)
        post(provider.base_url, ASK)
        with pytest.raises(TimeoutError, match="what came in: 1 200 complete"):
            provider.wait_for(lambda: False, timeout=0.01)


def test_a_closed_provider_is_gone() -> None:
    """Requests get a 410 that says so, also one that was held; the test is told when it tries to go on."""
    with loopback({"text": "late"}) as provider:
        hold = provider.hold()
        asking = Asking(provider.base_url, ASK)
        with asking:
            hold.wait()
            provider.close()
            assert provider.closed
    for status, body in (asking.answer, post(provider.base_url, ASK)):
        assert (status, body["error"]["code"]) == (410, "provider_closed")
        assert "An agent outlived its test" in body["error"]["message"]
    assert [one.ended for one in provider.exchanges] == ["aborted"]
    for again in (provider.answers, provider.hold, provider.transport, lambda: provider.mount("/x", door)):
        with pytest.raises(ProviderClosed, match="make a new provider"):
            again()
    unused = loopback()
    unused.close()
    with pytest.raises(ProviderClosed):
        _ = unused.base_url


def test_an_answer_that_is_delayed_ends_with_the_provider() -> None:
    """Closing waits for no delay of the script."""
    with loopback({"text": "late", "delay": 600}) as provider:
        with Asking(provider.base_url, ASK) as asking:
            provider.wait_for(lambda: len(provider.in_flight) == 1)
            provider.close()
    assert (asking.answer[0], len(provider.aborted)) == (410, 1)


def test_an_answer_in_its_middle_is_broken_off_when_it_closes() -> None:
    """The client sees a body that is not whole, at once."""
    with loopback(LS) as provider:
        hold = provider.hold(items=1)
        with Asking(provider.base_url, {**ASK, "stream": True}) as asking:
            hold.wait()
            provider.close()
    assert "IncompleteRead" in repr(asking.error)


def test_a_prefix_that_nobody_has() -> None:
    """It is said how to address a provider."""
    with loopback() as provider:
        root = provider.base_url.rpartition("/p")[0]
        for wrong in (f"{root}/v1", f"{root}/p99999/v1", f"{root}/px/v1", f"{root}/p0/v1"):
            status, body = post(wrong, ASK)
            assert (status, body["error"]["code"]) == (404, "unknown_prefix")
            assert "Use the whole base_url of the provider" in body["error"]["message"]


def test_a_server_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a base URL is told why there is none, each time."""

    async def serve(*_args: Any, **_more: Any) -> None:
        raise OSError("no sockets here")

    monkeypatch.setattr(loopback_server, "serve", serve)
    monkeypatch.setattr(loopback_server, "_servers", {})
    monkeypatch.setattr("atexit.register", lambda _end: None)
    with loopback() as provider:
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"has ended .*no sockets here.*start the process again"):
                _ = provider.base_url


def test_what_is_no_request_for_an_answer() -> None:
    """The models and the exchanges can be read, and are no exchange."""
    with loopback() as provider:
        with urllib.request.urlopen(f"{provider.base_url}/models") as answer:
            assert json.load(answer)["data"][0]["id"] == "script"
        assert provider.exchanges == ()


def test_a_late_answer_is_held_behind_its_delay() -> None:
    """A delay of the script and a hold of the test are waited for one after the other."""
    with loopback({"text": "late", "delay": 0.01}) as provider:
        hold = provider.hold()
        with Asking(provider.base_url, ASK) as asking:
            hold.wait()
            hold.release()
    assert text_of(asking.answer) == "late"


async def door(request: Request) -> Response | str:
    if request.path == "fail":
        raise LookupError("no such thing")
    if request.path == "json":
        return Response(b"{}", 201, "application/json")
    return f"{request.method} {request.path} {request.headers['content-type']} {request.body.decode()}"


async def other(_request: Request) -> str:
    return "{}"


def test_doors_of_the_test() -> None:
    """They answer beside the provider, the longest path first; an error of theirs reaches the test."""
    with pytest.raises(LookupError, match="no such thing"):
        with loopback({"text": "a"}) as provider:
            url = provider.mount("/work/", door)
            assert url == f"{provider.base_url}/work"
            provider.mount("work/other", other)
            assert post(url, {}, "/other")[0] == 200
            assert post(url, {}, "/json") == (201, {})
            assert post(provider.base_url, ASK)[0] == 200  # the script is still asked for the rest
            assert post(url, {}, "/fail") == (500, [])
    assert len(provider.exchanges) == 1


def test_a_door_that_waits_is_left_when_the_client_leaves() -> None:
    """A door's function is cancelled with its request, as an answer of the provider is."""
    left = threading.Event()
    came = threading.Event()

    async def waiting(_request: Request) -> str:
        came.set()
        try:
            await trio.sleep_forever()
        finally:
            left.set()

    with loopback() as provider:
        place = urlsplit(provider.mount("/work", waiting))
        with socket.create_connection((place.hostname, place.port or 0), timeout=30) as client:
            client.sendall(f"GET {place.path}/a HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert came.wait(30)
        assert left.wait(30)


def test_under_asyncio() -> None:
    """A test that runs its agent with asyncio needs nothing else: the server has its own thread."""

    async def agent(url: str) -> list[str]:
        asked = [asyncio.to_thread(post, url, ASK) for _ in range(2)]
        return sorted(text_of(answer) for answer in await asyncio.gather(*asked))

    with loopback({"text": "a"}, {"text": "b"}) as provider:
        assert asyncio.run(agent(provider.base_url)) == ["a", "b"]


async def test_under_trio() -> None:
    """The same under trio, with its own loop beside that of the server."""
    with loopback({"text": "a"}) as provider:
        hold = provider.hold()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, partial(post, provider.base_url, ASK))
            await hold.until_reached()
            hold.release()
            await provider.until(lambda: provider.exchanges[0].ended == "complete")


START = """if True:
    import os, threading, urllib.request, warnings
    from turnlock.testing import loopback

    def say(what):
        os.write(1, f"{what}\\n".encode())  # no lock: a daemon may say it while the process ends

    def ask(provider):
        request = urllib.request.Request(provider.base_url + "/responses", b'{"input": "go"}')
        try:
            with urllib.request.urlopen(request) as answer:
                say(answer.status)
        except OSError as error:
            say(type(error).__name__)

    forgotten = loopback({"text": "a"})
    ask(forgotten)
"""


def run(code: str) -> tuple[int, str, str]:
    """What a process of its own says, with every warning an error."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", START + code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def test_the_process_ends_quietly() -> None:
    """Nothing is left open and nothing hangs, with providers that were never closed and an answer held."""
    code = """
    held = loopback({"text": "b"})
    hold = held.hold()
    threading.Thread(target=ask, args=[held], daemon=True).start()
    hold.wait()
    """
    status, out, err = run(code)
    assert (status, err) == (0, "")
    assert out.startswith("200\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_a_server_of_its_own() -> None:
    """The thread stays with the parent; the child starts another, and both end."""
    code = """
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads and forks
    child = os.fork()
    with loopback({"text": "c"}) as anew:
        ask(anew)
    if child:
        print(os.waitpid(child, 0)[1], forgotten.base_url.rpartition(":")[0] in anew.base_url, flush=True)
    """
    assert run(code) == (0, "200\n200\n200\n0 True\n", "")
