"""``turnlock demo --base-url``: another provider, what it is told, and what it may say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from support.commands import SECRETS, Demos, aside, playing
from support.wire_server import END, OK, WireServer, sse, status
from turnlock import Event, RequestSent
from turnlock.cli import demo as module, main
from turnlock.cli.guarded import Guarded
from turnlock.cli.naive import NaiveAgent
from turnlock.cli.stories import STORIES, Story

REPAIR = "A provider that plays the demo: turnlock provider --script demo\n"


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["demo", *arguments], env=environment)


async def silence(_agent: NaiveAgent) -> str:
    return ""


def only(guarded: Callable[[Guarded], Awaitable[str]]) -> tuple[Story, ...]:
    """A single story, in which the naive loop has nothing to do."""
    return (Story("one", "One story", silence, guarded),)


def test_the_same_figures_through_a_proxy(demos: Demos) -> None:
    """Against another provider everything is as against its own, but for the ids that the provider makes."""
    assert (demos.elsewhere.code, demos.elsewhere.err) == (0, "")
    own, other = (json.loads(each.out) for each in (demos.figures, demos.elsewhere))
    assert other["guarded"] == own["guarded"]
    assert {**other["unguarded"], "errors": []} == {**own["unguarded"], "errors": []}
    assert any("local shell call" in error for error in other["unguarded"]["errors"])


def test_requests_are_what_the_proxy_saw(demos: Demos) -> None:
    """The summary counts POSTs as the provider got them, of both loops, and there was nothing else."""
    figures = json.loads(demos.elsewhere.out)
    seen = demos.relay.requests
    assert {request.line for request in seen} == {"POST /v1/responses HTTP/1.1"}
    assert len(seen) == figures["unguarded"]["requests"] + figures["guarded"]["requests"]


def test_no_request_of_the_engine_has_an_open_call(demos: Demos) -> None:
    """Seen on the wire: who declares tools is the session, and each call there has its output behind it."""
    checked = 0
    for request in demos.relay.requests:
        if request.body.get("tools"):
            items = request.body["input"]
            calls = [item["call_id"] for item in items if item.get("type", "").endswith("_call")]
            outputs = [item.get("call_id", item.get("id")) for item in items if "output" in item]
            assert outputs == calls
            checked += len(calls)
    assert checked >= 8


def test_no_secret_leaves(demos: Demos) -> None:
    """Keys, organisations and headers of the environment are for the real provider: no byte of them is sent.

    Whoever plays the demo needs no key, and a recording of it may be shown around.
    """
    assert {request.headers["authorization"] for request in demos.relay.requests} == {"Bearer none"}
    raw = demos.relay.raw.lower()
    assert b"secret" not in raw
    assert b"openai-organization" not in raw
    for ended in (demos.figures, demos.elsewhere):
        assert "secret" not in ended.out + ended.err


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are hidden from the client only, and only while it is made."""
    for name, text in SECRETS.items():
        monkeypatch.setenv(name, text)
    before = dict(os.environ)
    assert run("--base-url", "http://127.0.0.1:9/v1").exit_code == 2
    assert dict(os.environ) == before


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8080", "ftp://127.0.0.1/v1", "http://", "http://["])
def test_what_is_no_url(url: str) -> None:
    """Exit code 2 at once, with what a URL looks like."""
    result = run("--base-url", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{url!r} is no URL of a provider, such as http://127.0.0.1:8080/v1" in result.stderr


def test_nobody_is_there() -> None:
    """A port that refuses connections: the URL, the reason, the repair; no traceback and no figures."""
    result = run("--json", "--base-url", "http://127.0.0.1:9/v1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: http://127.0.0.1:9/v1: ")
    assert "127.0.0.1:9" in result.stderr
    assert result.stderr.endswith(REPAIR)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"status": 401, "message": "Incorrect API key."}, "it answers 401: Incorrect API key."),
        ({"status": 404, "message": "No such model."}, "it answers 404: No such model."),
        ({"status": 500}, "it answers 500: The script answers this request with status 500."),
        ({"when": "Never", "text": "x"}, "it answers 422: The script has no line for this request"),
        ({"text": "Hello."}, "the model was to call count_files, and did not"),
        ({"calls": [{"name": "ls"}]}, "the model was to call count_files, and did not"),
        ({"calls": [{"name": "count_files"}], "cut_after": 0}, "peer closed connection"),
        ({"status": 400, "message": "Bad."}, "the model was to call count_files, and did not"),
    ],
    ids=str,
)
def test_who_does_not_play_the_demo(line: dict[str, Any], text: str) -> None:
    """Somebody else's provider: what it said, and what to start instead."""
    with aside(lambda: playing(line)) as url:
        result = run("--base-url", url)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {url}: {text}")
    assert result.stderr.endswith(REPAIR)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([status(502, b"<html>Bad gateway</html>")], "it answers 502: "),
        ([status(200, b"<html>Hello</html>")], "the model was to call count_files, and did not"),
        ([OK, sse({"type": "error", "error": {"message": "Overloaded."}}), END], "Overloaded."),
        ([b"SSH-2.0-OpenSSH_9.6\r\n", None], ""),
        ([None], "Server disconnected without sending a response"),
    ],
    ids=["gateway", "web page", "error in the stream", "no HTTP", "silence"],
)
def test_who_is_no_provider(answer: list[bytes | None], text: str) -> None:
    """A gateway, a web server, something else: exit code 2, and one message."""
    server = WireServer([answer] * 3)
    with aside(server.serving) as url:
        result = run("--json", "--base-url", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {url}: {text}")


def test_a_story_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that is silent for ever does not keep anybody for ever."""
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    with aside(lambda: playing({"text": "late", "delay": 600})) as url:
        result = run("--base-url", url)
    assert result.exit_code == 2
    assert "the story 'the origin' did not end within 0.3 s" in result.stderr


def test_a_request_of_the_engine_that_is_refused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1: that is what the demo looks for; the screen shows the refusal, the figures count it."""

    async def ask(guarded: Guarded) -> str:
        async with guarded.session() as session:
            await guarded.play(session, "Anything.", turns=2)
        return ""

    monkeypatch.setattr(module, "STORIES", only(ask))
    lines = [{"status": 400, "message": "No tool output found for function call call_1."}] * 2
    with aside(lambda: playing(*lines)) as url:
        shown, counted = run("--base-url", url), run("--json", "--base-url", url)
    assert (shown.exit_code, counted.exit_code) == (1, 1)
    assert " 400 " in shown.stdout
    assert re.search(r"│ one +│ 0 refused +│ 1 refused +│", shown.stdout)
    assert json.loads(counted.stdout)["guarded"]["rejected"] == 1


def test_a_provider_that_fails_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answered the naive loop and fails now: that is no refusal, and said as it is."""

    async def ask(guarded: Guarded) -> str:
        async with guarded.session() as session:
            await guarded.play(session, "Anything.")
        return ""

    monkeypatch.setattr(module, "STORIES", only(ask))
    with aside(lambda: playing({"status": 401, "message": "Incorrect API key."})) as url:
        result = run("--base-url", url)
    assert result.exit_code == 2
    assert "Incorrect API key." in result.stderr
    assert result.stderr.endswith(REPAIR)


def test_a_message_that_waits_for_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed while the model answers, with no call open: the screen says for what it waits."""

    async def ask(guarded: Guarded) -> str:
        async with guarded.session() as session:

            async def act(event: Event) -> None:
                if isinstance(event, RequestSent):
                    await guarded.type(session, "One more thing.", "queue")
                    await session.interrupt()

            await guarded.play(session, "Anything.", act)
        return ""

    monkeypatch.setattr(module, "STORIES", only(ask))
    with aside(lambda: playing({"text": "late", "delay": 600})) as url:
        result = run("--base-url", url)
    assert "hold the message is held: the model is still answering\n" in result.stdout


def test_stories_are_whole() -> None:
    """Five stories, each with a name of its own that fits into its column of the summary."""
    assert len({story.name for story in STORIES}) == len(STORIES) == 5
    assert max(len(story.name) for story in STORIES) <= 15
