"""``turnlock`` itself: what it says of its commands, and what it does without its extras."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

import turnlock
from support import commands
from turnlock.cli import main, needs
from turnlock.cli.exits import Unusable

COMMANDS = ("demo", "diagram", "explore", "fuzz", "lint", "provider", "repair")

WITHOUT = """
import runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
runpy.run_module("turnlock", run_name="__main__", alter_sys=True)
"""
EXTRAS = ("openai", "httpx2", "hypercorn")


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="turnlock", **more)


def without(missing: tuple[str, ...], *arguments: str) -> commands.Ended:
    """``python -m turnlock`` where these modules are not installed."""
    code = WITHOUT.format(missing=set(missing))
    return commands.turnlock(*arguments, command=(sys.executable, "-c", code))


def test_help_names_every_command() -> None:
    """A newcomer sees what there is and where to start, on 80 columns."""
    for flag in ("--help", "-h"):
        result = run(flag, terminal_width=80)
        assert (result.exit_code, result.stderr) == (0, "")
        assert re.findall(r"^  (\w+)  ", result.stdout, re.MULTILINE) == sorted(COMMANDS)
        assert "Start with `turnlock demo`" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_fits_and_says_how_it_ends(command: str) -> None:
    """Exit codes are relied on, so each command's help has them; nothing is wider than a terminal."""
    result = run(command, "--help", terminal_width=80)
    assert (result.exit_code, result.stderr) == (0, "")
    codes = result.stdout.partition("Exit codes:")[2].partition("Options:")[0]
    assert re.findall(r"^    (\d)  \w", codes, re.MULTILINE) in (["0", "1", "2"], ["0", "2"])
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_nothing_said_is_answered_with_help() -> None:
    """Exit code 2: it did nothing; and the screen is the help."""
    result = run(terminal_width=80)
    assert result.exit_code == 2
    assert result.output == run("--help", terminal_width=80).output


def test_version() -> None:
    """The installed one, as a process; ``python -m turnlock`` is the same command."""
    assert commands.turnlock("--version").out == f"turnlock, version {turnlock.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("frobnicate",),
            "No such command 'frobnicate'. There are: demo, diagram, explore, fuzz, lint, provider, repair.",
        ),
        (("--frobnicate",), "No such option"),
        (("demo", "--frobnicate"), "No such option"),
        (("demo", "more"), "Got unexpected extra argument"),
        (("provider", "--port", "http"), "'http' is not a valid integer range"),
    ],
    ids=str,
)
def test_wrong_usage(arguments: tuple[str, ...], text: str) -> None:
    """Exit code 2, nothing on stdout, what was wrong, and where help is."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert re.search(r"Try 'turnlock( \w+)? --help' for help\.", result.stderr)


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        (("openai",), ("demo",)),
        (("httpx2",), ("demo", "--json")),
        (("hypercorn",), ("demo",)),
        (("hypercorn",), ("provider",)),
        (("httpx2",), ("provider", "--port", "0")),
    ],
    ids=str,
)
def test_a_missing_extra(missing: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Exit code 2, and the line that installs it; no traceback."""
    ended = without(missing, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"Error: this command needs a package that is not installed (No module named '{missing[0]}'): "
        "pip install 'turnlock[demo]', or in a checkout pip install -e '.[demo]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--help",), "Start with `turnlock demo`"),
        (("--version",), "turnlock, version "),
        (("diagram", "turn"), "stateDiagram-v2"),
        (("explore", "--calls", "1", "--messages", "1"), "Nothing is wrong"),
        (("explore", "--help"), "turnlock explore --drop-guard all_terminal"),
        (("diagram", "--help"), "turnlock diagram --check diagrams README.md"),
        (("provider", "--help"), "turnlock provider --port 8080"),
    ],
    ids=str,
)
def test_what_needs_no_extra(arguments: tuple[str, ...], text: str) -> None:
    """The core, the pictures, the proof and the help come with the plain package."""
    ended = without(EXTRAS, *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert text in ended.out


def test_only_what_is_foreign_is_an_extra() -> None:
    """A name that is missing in our own package is a defect of ours, and shown as one."""
    with pytest.raises(Unusable, match=r"No module named 'openai'.*pip install 'turnlock\[demo\]'"):
        needs("demo", ModuleNotFoundError("No module named 'openai'", name="openai"))
    own = ImportError("cannot import name 'Sesion' from 'turnlock'", name="turnlock")
    with pytest.raises(ImportError, match="Sesion") as caught:
        needs("demo", own)
    assert caught.value is own
