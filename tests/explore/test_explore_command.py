"""``turnlock explore``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from turnlock.cli import main, screen
from turnlock.explore import GUARDS, small_worlds
from turnlock.strict import judge_responses

SMALL = ("--calls", "1", "--messages", "1")
KEYS = ["calls", "messages", "interrupts", "states", "edges", "violations", "seconds", "counterexample"]
WHY = ["wrong", "world"]
MORE = ["worlds", "rows", "dropped", "exact"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explore", *arguments])


def test_nothing_is_wrong() -> None:
    """Exit code 0, and one glance says what was explored."""
    result = run(*SMALL)
    assert (result.exit_code, result.stderr) == (0, "")
    verdict, size, rows = result.stdout.splitlines()
    assert verdict.startswith("Nothing is wrong")
    assert size.startswith("Explored: 1 call, 1 message, 1 interrupt, and 16 small worlds: ")
    assert rows == "Rows of the two tables that were exercised: 23 of 23."


def test_one_json_object() -> None:
    """Exactly the keys that are relied on."""
    result = run(*SMALL, "--world", "plain", "--world", "modes", "--json")
    value = json.loads(result.stdout)
    assert list(value) == KEYS + WHY + MORE
    assert [value[key] for key in (*WHY, "dropped", "exact")] == [None, None, None, False]
    assert (value["calls"], value["messages"], value["interrupts"]) == (1, 1, 1)
    assert (value["violations"], value["counterexample"]) == (0, None)
    assert value["edges"] > value["states"] > 8_000
    assert value["seconds"] > 0
    assert [world["name"] for world in value["worlds"]] == ["modes", "plain"]
    assert sum(world["states"] for world in value["worlds"]) == value["states"]
    assert "turn: idle -begin-> responding" in value["rows"]["exercised"]
    assert "turn: settling -wake-> settling" in value["rows"]["missed"]


def test_worlds_are_listed() -> None:
    """Each with what it is about, and the plain one."""
    result = run("--worlds")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [world.name for world in small_worlds()] + ["plain"]
    assert lines[3].endswith("an exclusive call between two others; two of the three wait for an approval")


def test_one_world_alone() -> None:
    """What was explored is said, and which rows it leaves out."""
    result = run("--world", "crashes")
    assert result.exit_code == 0
    _, size, rows, *missed = result.stdout.splitlines()
    assert size.startswith("Explored: the world crashes: ")
    assert rows == f"Rows of the two tables that were exercised: {23 - len(missed)} of 23."
    assert "  not turn: responding -interrupt-> interrupting" in missed


def test_the_exact_search_says_what_it_proved() -> None:
    """How many states count as how many, and that they go on alike; the quick search has as many states."""
    exact, quick = (run(*SMALL, "--world", "plain", *more) for more in (("--exact",), ()))
    assert exact.exit_code == quick.exit_code == 0
    _, _, proved, _, *_ = exact.stdout.splitlines()
    assert proved == (
        "Of the 86 states of the plain world those that count as one go on alike: 48 are different."
    )
    assert ": 48 states, " in quick.stdout


@pytest.mark.parametrize("guard", GUARDS)
def test_a_dropped_guard(guard: str) -> None:
    """Exit code 1, and the counterexample as a list of inputs in words."""
    result = run(*SMALL, "--drop-guard", guard, "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 1
    assert value["violations"] >= 1
    assert 1 <= len(value["counterexample"]) <= 3
    assert all(isinstance(move, str) for move in value["counterexample"])
    assert value["dropped"] == guard
    assert value["wrong"]
    assert value["world"]


def test_a_counterexample_is_a_numbered_story() -> None:
    """What is wrong, in which world, and how to come there."""
    result = run(*SMALL, "--drop-guard", "may_start")
    about = "one slot, a call that needs an approval, a sibling that does not"
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:5] == [
        "Without the guard may_start:",
        "Wrong: call a was to be started, and no call may start.",
        f'The shortest way there, in the world "approvals" ({about}):',
        "  1. the host sends U1",
        "  2. the model completes call a (request 1)",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--drop-guard", "may_fly"), "there is no guard 'may_fly'; there are: may_start, all_terminal"),
        (("--calls", "9"), "9 calls are too many: give 1 to 5"),
        (("--exact", "--calls", "5"), "5 calls are too many for exact histories: give 1 to 4"),
        (("--world", "flat"), "there is no world 'flat'; there are: answers, stops"),
        (("--messages", "0"), "0 messages: a world without messages shows nothing, give 1 to 4"),
        (("--calls", "many"), "not a valid integer"),
        (("--dump-requests", "/nowhere/at/all"), "/nowhere/at/all cannot be written: No such file"),
        (("--frobnicate",), "No such option"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], text: str) -> None:
    """Exit code 2, nothing on stdout, and what would be right."""
    result = run(*SMALL, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_the_requests_are_written(tmp_path: Path) -> None:
    """Every one is a body that the strict provider accepts; two runs say and write the same."""
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    worlds = [f"--world={name}" for name in ("plain", "ids", "refusals", "crashes")]
    first, second = (run(*SMALL, *worlds, "--dump-requests", str(path), "--json") for path in (one, other))
    assert first.exit_code == second.exit_code == 0
    assert json.loads(first.stdout) | {"seconds": 0} == json.loads(second.stdout) | {"seconds": 0}
    lines = one.read_bytes().splitlines()
    assert one.read_bytes() == other.read_bytes()
    assert len(set(lines)) == len(lines) > 50
    assert [judge_responses(msgspec.json.decode(line)) for line in lines] == [None] * len(lines)


def test_requests_are_written_when_something_is_wrong_too(tmp_path: Path) -> None:
    """Those that left before; an older file is replaced."""
    path = tmp_path / "requests.jsonl"
    path.write_text("old\n" * 1_000)
    assert run(*SMALL, "--drop-guard", "all_terminal", "--dump-requests", str(path)).exit_code == 1
    lines = path.read_bytes().splitlines()
    assert lines
    assert all(judge_responses(msgspec.json.decode(line)) is None for line in lines)


def test_help_teaches() -> None:
    """An example, the guards, the exit codes."""
    text = run("--help").stdout
    assert "turnlock explore --drop-guard all_terminal" in text
    assert "Exit codes:" in text
    assert all(guard in text for guard in GUARDS)


class _Terminal:
    """A console that remembers what its status said."""

    is_terminal = True

    def __init__(self) -> None:
        self.said: list[str] = []

    def status(self, text: str) -> _Terminal:
        self.said.append(text)
        return self

    def start(self) -> None:
        self.said.append("started")

    def update(self, text: str) -> None:
        self.said.append(text)

    def stop(self) -> None:
        self.said.append("stopped")


def test_progress_is_shown_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal only, and not for what is done in a moment."""
    terminal = _Terminal()
    monkeypatch.setattr(screen, "Console", lambda **_options: terminal)
    with screen.Progress() as progress:
        progress.show("5,000 states")
        assert terminal.said == []
        monkeypatch.setattr(screen, "_PATIENCE", 0.0)
        progress.show("10,000 states")
        progress.show("15,000 states")
    first, second = "10,000 states", "15,000 states"
    assert terminal.said == [first, "started", first, second, "stopped"]
