"""``turnlock provider``: a real process on a real port, for agents in any language."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from click.testing import CliRunner, Result

from support.commands import PATIENCE, Demos, Running, started
from turnlock.cli import main

_open = build_opener(ProxyHandler({})).open  # any client will do; this one is in the box


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["provider", *arguments], prog_name="turnlock")


def ask(url: str, body: object, path: str = "responses") -> tuple[int, str]:
    """What curl would do."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-secret"}
    request = Request(f"{url}/{path}", json.dumps(body).encode(), headers)
    try:
        with _open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def base_url(running: Running) -> str:
    url: str = json.loads(running.until("base_url"))["base_url"]
    return url


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A provider that says one thing."""
    script = tmp_path / "script.jsonl"
    script.write_text('{"text": "Two files."}\n')
    with started("provider", "--script", str(script)) as running:
        yield running, base_url(running)


def test_it_prints_its_address_and_serves(served: tuple[Running, str]) -> None:
    """One line of JSON on stdout, and the script is played behind it; refusals and keys are in the record."""
    running, url = served
    assert url.startswith("http://127.0.0.1:")
    open_call = {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"}
    code, text = ask(url, {"model": "m", "input": [open_call, {"role": "user", "content": "Wait."}]})
    assert (code, json.loads(text)["error"]["message"]) == (
        400,
        "No tool output found for function call call_1.",
    )
    code, text = ask(url, {"model": "m", "input": "go"})
    assert code == 200
    assert "Two files." in text
    with _open(f"{url}/exchanges", timeout=30) as answer:
        record = answer.read().decode()
    assert [exchange["status"] for exchange in json.loads(record)] == [400, 200]
    assert "sk-secret" not in record
    running.signal(signal.SIGTERM)
    ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == json.dumps({"base_url": url}) + "\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_to_be_stopped_is_how_it_ends(number: signal.Signals, served: tuple[Running, str]) -> None:
    """Ctrl-C and SIGTERM: exit code 0, nothing more is said, and the port is free again."""
    running, url = served
    running.signal(number)
    ended = running.end()
    assert (ended.code, ended.err) == (0, "")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", int(url.removesuffix("/v1").rpartition(":")[2])))


def test_it_stops_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    """Who still waits for an answer does not hold it."""
    script = tmp_path / "slow.jsonl"
    script.write_text('{"text": "late", "delay": 600}\n')
    with started("provider", "--script", str(script)) as running:
        url = base_url(running)
        with socket.create_connection(("127.0.0.1", int(url[:-3].rpartition(":")[2]))) as client:
            client.sendall(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n")
            client.sendall(b'{"input":"a"}')
            while json.loads(_open(f"{url}/exchanges", timeout=30).read()) == []:
                time.sleep(0.01)
            running.signal(signal.SIGINT)
            assert running.end().code == 0


def test_the_demo_provider_ended_well(demos: Demos) -> None:
    """After a whole demo, too."""
    assert (demos.provider.code, demos.provider.err) == (0, "")


@pytest.mark.parametrize(
    ("dialect", "codes"),
    [
        ("openai_responses", (422, 404, 404)),
        ("openai_chat", (404, 422, 404)),
        ("anthropic", (404, 404, 422)),
    ],
)
def test_one_dialect_only(dialect: str, codes: tuple[int, ...], tmp_path: Path) -> None:
    """The addresses of the others are unknown then. The port is the one that was asked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "empty.jsonl"
    script.write_text("")
    with started("provider", "--dialect", dialect, "--port", str(port), "--script", str(script)) as running:
        url = base_url(running)
        assert url == f"http://127.0.0.1:{port}/v1"
        chat = {"model": "m", "messages": [{"role": "user", "content": "go"}]}
        answers = [
            ask(url, {"model": "m", "input": "go"}),
            ask(url, chat, "chat/completions"),
            ask(url, chat, "messages"),
        ]
    assert tuple(code for code, _ in answers) == codes


def test_a_port_that_is_taken() -> None:
    """Exit code 2, nothing on stdout, and the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--port", str(port))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: port {port} cannot be used: Address already in use; without --port a free one is taken\n"
    )


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ('{"text": "ok"}\n{"txt": "no"}\n', 'line 2: a line has no key "txt"; did you mean "text"?'),
        ('\n\n{"text": \n', "line 3: this is no JSON"),
        ('["text"]\n', "line 1: "),
        ('{"calls": [{"kind": "telepathy", "name": "x"}]}\n', "line 1: "),
        (b"\xff\xfe", "it cannot be read"),
    ],
    ids=["unknown key", "no JSON", "no object", "unknown kind", "no text"],
)
def test_a_script_that_cannot_be_played(script: str | bytes, text: str, tmp_path: Path) -> None:
    """Exit code 2; the file, the line and what is wrong with it."""
    path = tmp_path / "script.jsonl"
    path.write_bytes(script if isinstance(script, bytes) else script.encode())
    result = run("--script", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {path}")
    assert text in result.stderr


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    """A name that was misspelt, a folder: the name and what would do."""
    for path in (tmp_path / "no.jsonl", tmp_path):
        result = run("--script", str(path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"Error: {path}: it cannot be read (")
        assert 'give a UTF-8 file or "demo"' in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--port", "99999"), ("--port", "http"), ("--dialect", "telepathy"), ("--nonsense",), ("x",)],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Exit code 2, and where help is."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Try 'turnlock provider --help' for help." in result.stderr


def test_nobody_reads_its_address() -> None:
    """A pipe that is closed at its first word ends it at once: nobody could ever find it."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere, started("provider", out=nowhere) as running:
        ended = running.end()
    assert (ended.code, ended.err) == (141, "")


def test_its_only_reader_may_leave_later() -> None:
    """``| head -1`` takes the address and goes; the provider serves on, as nothing more is printed."""
    with started("provider") as running:
        url = base_url(running)
        running.leave()
        assert ask(url, {"model": "m", "input": "Which Python is this?"})[0] == 200
        running.signal(signal.SIGTERM)
        assert running.process.wait(PATIENCE) == 0


def test_whoever_starts_it_by_hand_is_told_how_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a second line says so, on stderr; where a program reads, there is only the address."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, started("provider", out=terminal) as running:
        address = os.read(ours, 1_000).decode()
        assert running.read_error() == "Serving until Ctrl-C; what came in is told at base_url/exchanges.\n"
        running.signal(signal.SIGINT)
        assert running.end().code == 0
    os.close(ours)
    assert address.startswith('{"base_url": ')


def test_help_teaches() -> None:
    """The format of a script, examples to paste, the exit codes; nothing is wider than a terminal."""
    text = CliRunner().invoke(main, ["provider", "--help"], terminal_width=80).stdout
    for line in (
        '{"calls": [{"name": "ls", "arguments": {"path": "."}}]}',
        "turnlock provider --port 8080 --script answers.jsonl",
        "curl http://127.0.0.1:8080/v1/exchanges",
        "0  it was stopped, by Ctrl-C or SIGTERM",
    ):
        assert any(line == shown.strip() for shown in text.splitlines())
    assert max(map(len, text.splitlines())) <= 80
