"""What comes from outside: Ctrl-C, readers that leave, full disks. A code and a word, never a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import trio
from click.testing import CliRunner

from support.commands import PATIENCE, Ended, aside, started, turnlock
from support.wire_server import WireServer
from turnlock.cli import exits, main

ONLY_THE_LAST_STORY = """
from turnlock.cli import demo, main
demo.STORIES = demo.STORIES[-1:]
main(["demo"])
"""
QUIETLY = ("", "\n")  # stderr of what was ended from outside


def until(happened: Callable[[], bool]) -> None:
    """Wait for what only the outside of a process shows."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_ctrl_c_in_the_middle_of_the_demo() -> None:
    """While a tool runs in a session and a message is held: 130 in a moment, nothing said, nothing left."""
    with started("demo") as running:
        running.until("with turnlock", "hold")
        began = time.monotonic()
        running.signal(signal.SIGINT)
        ended = running.end()
    assert (ended.code, ended.err) == (130, "\n")
    assert time.monotonic() - began < 10
    assert "In short" not in ended.out


def test_ctrl_c_while_a_provider_is_silent() -> None:
    """The same without a session, with --json: no half of an object is printed."""
    server = WireServer([[trio.sleep_forever]])
    with aside(server.serving) as url, started("demo", "--json", "--base-url", url) as running:
        until(lambda: bool(server.bodies))
        running.signal(signal.SIGINT)
        ended = running.end()
    assert (ended.code, ended.out, ended.err) == (130, "", "\n")


def test_a_second_ctrl_c_waits_for_nobody() -> None:
    """A tool that takes no notice holds the first one for two seconds; the second ends the process."""
    with started(command=(sys.executable, "-c", ONLY_THE_LAST_STORY)) as running:
        running.until("with turnlock", "ping(build) runs")
        running.signal(signal.SIGINT)
        time.sleep(0.5)
        running.signal(signal.SIGINT)
        ended = running.end()
    assert ended.code in {-signal.SIGINT, 130}
    assert ended.err in QUIETLY


def test_ctrl_c_while_exploring(tmp_path: Path) -> None:
    """A command without an event loop ends in the same way."""
    file = tmp_path / "requests.jsonl"
    large = ("explore", "--calls", "4", "--messages", "4", "--dump-requests", str(file))
    with started(*large) as running:
        until(file.exists)  # it is made before the exploration begins, which takes minutes
        running.signal(signal.SIGINT)
        ended = running.end()
    assert (ended.code, ended.out, ended.err) == (130, "", "\n")


@pytest.mark.parametrize(
    "arguments",
    [("demo",), ("diagram",), ("explore", "--calls", "1", "--messages", "1"), ("provider",)],
    ids=lambda arguments: str(arguments[0]),
)
def test_nobody_reads_on(arguments: tuple[str, ...]) -> None:
    """``| head -1``: the code that shells give for it, and not a word."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nowhere, started(*arguments, out=nowhere) as running:
        ended = running.end()
    assert (ended.code, ended.err) == (141, "")


def test_the_reader_of_the_demo_leaves_in_the_middle() -> None:
    """Sessions and servers that are open are left in order, also then."""
    with started("demo") as running:
        running.until("with turnlock", "hold")
        running.leave()
        assert running.process.wait(PATIENCE) == 141
        assert running.read_error() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [("demo",), ("diagram",), ("provider",)], ids=lambda given: str(given[0])
)
def test_a_full_disk(arguments: tuple[str, ...]) -> None:
    """Exit code 2: it could not be used that way; the system's own words."""
    with Path("/dev/full").open("w") as full, started(*arguments, out=full) as running:
        ended = running.end()
    assert (ended.code, ended.err) == (2, "Error: [Errno 28] No space left on device\n")


def test_an_encoding_that_lacks_arrows() -> None:
    """The message names the repair."""
    ended = turnlock("demo", PYTHONIOENCODING="latin-1")
    assert ended.code == 2
    assert ended.err == "Error: '\\u2192' cannot be written in latin-1: set PYTHONIOENCODING=utf-8\n"


# ── the parts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _our_ctrl_c() -> Iterator[None]:
    """What a command that was interrupted leaves behind is meant for its process, not for ours."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Ended:
    """A command that fails with this."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("turnlock.cli.diagram.render", fail)
    result = CliRunner().invoke(main, ["diagram"])
    return Ended(result.exit_code, result.stdout, result.stderr)


@pytest.mark.usefixtures("_our_ctrl_c")
@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (KeyboardInterrupt(), Ended(130, "", "\n")),
        (BaseExceptionGroup("", [ValueError(), KeyboardInterrupt()]), Ended(130, "", "\n")),
        (BrokenPipeError(), Ended(141, "")),
        (ExceptionGroup("", [ExceptionGroup("", [BrokenPipeError()])]), Ended(141, "")),
        (OSError(errno.ENOSPC, "No space left"), Ended(2, "", "Error: [Errno 28] No space left\n")),
        (ExceptionGroup("", [click.UsageError("Not so.")]), Ended(2, "", "Error: Not so.\n")),
        (
            UnicodeEncodeError("ascii", "a→", 1, 2, "no"),
            Ended(2, "", "Error: '\\u2192' cannot be written in ascii: set PYTHONIOENCODING=utf-8\n"),
        ),
    ],
    ids=str,
)
def test_a_code_and_a_word(error: BaseException, ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone or in groups, as nurseries hand them on."""
    assert failing(error, monkeypatch) == ended


@pytest.mark.parametrize(
    "error", [ValueError("ours"), ExceptionGroup("", [OSError(), ValueError("ours")])], ids=["one", "several"]
)
def test_what_is_our_own_fault_is_not_hidden(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect keeps its traceback."""
    monkeypatch.setattr("turnlock.cli.diagram.render", lambda *_: (_ for _ in ()).throw(error))
    assert CliRunner().invoke(main, ["diagram"]).exception is error


def test_run_returns_what_the_function_returns() -> None:
    """Without a signal it is trio.run, and the handlers are the old ones afterwards."""
    before = signal.getsignal(signal.SIGINT)

    async def answer() -> int:
        await trio.lowlevel.checkpoint()
        return 42

    assert exits.run(answer) == 42
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_leaves_in_order(number: signal.Signals) -> None:
    """A signal cancels what runs, which may clean up and wait for it; then comes the KeyboardInterrupt."""
    before = signal.getsignal(number)
    left = []

    async def work() -> None:
        try:
            signal.raise_signal(number)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)
            left.append(signal.getsignal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        exits.run(work, stops=(signal.SIGINT, signal.SIGTERM))
    assert left == [signal.SIG_DFL]  # a second Ctrl-C would end the process
    assert signal.getsignal(number) is before
