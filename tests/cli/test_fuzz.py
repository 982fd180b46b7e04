"""``turnlock fuzz``: its exit codes, what it prints where, what it keeps, and targets that are none."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from support.commands import turnlock
from turnlock.cli import main
from turnlock.cli.fuzz import command
from turnlock.testing import Deviations, Finding, Hunted, Rule, User
from turnlock.testing.sequencing.steps import Answer, Interrupt

EXAMPLES = Path(__file__).parents[2] / "examples"
AGENTS = """
from support.agents import Plain as Right
from support.wrong_agents import TriesAgain as Wrong

number = 3

def cannot(harness):
    raise ValueError("no key")
"""
SHORT = ("--seconds", "0.3", "--seed", "1")
LONG = ("--seconds", "60", "--seed", "1")
KEYS = [
    "calls",
    "deviations",
    "found",
    "interrupts",
    "literal",
    "mermaid",
    "others",
    "replay",
    "rule",
    "runs",
    "seconds",
    "seed",
    "shown_again",
    "stopped",
    "stories",
    "unsure",
]
BEGUN = "Playing stories to some_agents:{} for {} s; Ctrl-C stops.\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, with agents in it; what is imported from there is forgotten behind the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    (tmp_path / "some_agents.py").write_text(AGENTS)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith((str(tmp_path), str(EXAMPLES))):
            del sys.modules[name]


def fuzz(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fuzz", *arguments])


def test_a_wrong_agent(here: Path) -> None:
    """Exit code 1; the story and the place of its test on stdout, that it begins on stderr."""
    result = fuzz("some_agents:Wrong", *LONG, "--first")
    assert result.exit_code == 1
    assert result.stderr == BEGUN.format("Wrong", 60)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("U1 is a message, K(a) a call")
    assert lines[2:7] == [
        "Wrong (ran-twice): call a ran 2 times",
        "What is asked: no call runs twice.",
        "  1. the user says U1; the model will answer with 1 call",
        "       → request 1 carries U1",
        "  2. the tool of call a raises",
    ]
    assert "Kept: test_found_ran_twice.py. Play it again: python -m pytest test_found_ran_twice.py" in lines
    assert lines[-1].startswith("1 rule broken: ran-twice (")
    text = (here / "test_found_ran_twice.py").read_text()
    assert "from some_agents import Wrong\n" in text
    assert "Fail(step='a')" in text


def test_a_right_agent(here: Path) -> None:
    """Exit code 0, a sentence, and no file."""
    result = fuzz("some_agents:Right", *SHORT)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Nothing was found: some_agents:Right kept every rule that is asked (")
    assert result.stdout.endswith("seed 1).\n")
    assert result.stderr == BEGUN.format("Right", 0.3)
    assert [path.name for path in here.glob("test_*")] == []


def test_the_agent_of_the_examples(here: Path) -> None:
    """The small agent under asyncio leaves calls without outputs; a path to its file will do.

    In a process of its own: nobody closes the client of that agent, and Python warns of it at any time.
    """
    kept = here / "kept.py"
    target = f"{EXAMPLES / 'small_agent.py'}:Adapter"
    ended = turnlock(
        "fuzz", target, "--seconds", "20", "--seed", "1", "--first", "--json", "--save", str(kept)
    )
    assert ended.code == 1, ended.err
    told = json.loads(ended.out)
    assert told["found"] is True
    assert told["rule"] in list(Rule)
    assert "small_agent" in kept.read_text()


def test_json_of_a_finding(here: Path) -> None:
    """One object on stdout, with the story, where its test is, and what the provider said."""
    result = fuzz("some_agents:Wrong", *LONG, "--first", "--json", "--save", "kept.py")
    assert (result.exit_code, result.stderr) == (1, BEGUN.format("Wrong", 60))
    told = json.loads(result.stdout)
    assert sorted(told) == sorted([*KEYS, "story", "wrong"])
    assert told["found"] is True
    assert told["story"][0] == "  1. the user says U1; the model will answer with 1 call"
    assert (told["rule"], told["wrong"], told["literal"]) == ("ran-twice", "call a ran 2 times", None)
    assert (told["deviations"], told["others"], told["shown_again"]) == ([], [], [3, 3])
    assert told["replay"] == "kept.py"
    assert told["mermaid"].startswith("sequenceDiagram")
    assert told["stories"] > 0
    assert 0 < told["seconds"] < 60
    assert (here / "kept.py").is_file()
    assert not (here / "test_found_ran_twice.py").exists()


def test_json_of_nothing() -> None:
    """The same keys, and nothing in them."""
    result = fuzz("some_agents:Right", *SHORT, "--json")
    assert (result.exit_code, result.stderr) == (0, BEGUN.format("Right", 0.3))
    told = json.loads(result.stdout)
    assert sorted(told) == sorted([*KEYS, "story", "wrong"])
    assert (told["found"], told["others"]) == (False, [])
    assert all(told[key] is None for key in ("story", "deviations", "replay", "rule", "wrong", "literal"))


def test_a_rule_that_is_ignored() -> None:
    """The wrong agent breaks one rule only."""
    assert fuzz("some_agents:Wrong", *SHORT, "--ignore", "ran-twice").exit_code == 0


# ── with findings that are given ────────────────────────────────────────────────────────────────────────


def finding(rule: Rule, again: tuple[int, int] = (3, 3), deviations: Deviations | None = None) -> Finding:
    steps = (User("U1", (Answer(1),)), Interrupt())
    story = ("  1. the user says U1", "  2. the task of the turn is cancelled")
    what = f"{rule} is broken"
    return Finding(rule, what, "", steps, deviations or Deviations(), story, "sequenceDiagram\n", again=again)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A search that finds three rules broken, the worst last; what it was asked."""
    asked: dict[str, Any] = {}

    def finds(factory: object, **asks: object) -> Iterator[Hunted]:
        asked.update(asks)
        yield Hunted(finding(Rule.LOST, again=(1, 3)), 1, 10, 0.1)
        yield Hunted(finding(Rule.RUNS_ON, deviations=Deviations({2: 1})), 1, 20, 0.1)
        yield Hunted(finding(Rule.REFUSED), 1, 30, 0.1)
        yield Hunted(None, 40, 40, 0.1)

    monkeypatch.setattr(command, "hunt_all", finds)
    return asked


def test_one_rule_after_the_other(here: Path, several: dict[str, Any]) -> None:
    """Each is told and kept, and the sum says all; later tests leave out what was found before."""
    result = fuzz("some_agents:Wrong", "--seconds", "9", "--seed", "4", "--ignore", "bound", "--mermaid")
    assert result.exit_code == 1
    assert result.stdout.count("Wrong (") == result.stdout.count("sequenceDiagram") == 3
    assert "Played again, it showed 1 of 3 times: it depends on timing." in result.stdout
    assert "The order of tasks: Deviations({2: 1})" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("3 rules broken: lost, runs-on, refused (100 stories, ")
    assert (several["seconds"], several["seed"], several["ignore"]) == (9.0, 4, {Rule.BOUND})
    kept = {path.name: path.read_text() for path in here.glob("test_found_*.py")}
    assert sorted(kept) == ["test_found_lost.py", "test_found_refused.py", "test_found_runs_on.py"]
    assert "ignore=['bound'],\n" in kept["test_found_lost.py"]
    assert "ignore=['bound', 'lost', 'runs-on'],\n" in kept["test_found_refused.py"]


def test_the_worst_comes_first_in_json(several: dict[str, Any]) -> None:
    """In the order of the rules, and the others behind it."""
    told = json.loads(fuzz("some_agents:Wrong", "--json").stdout)
    assert told["rule"] == "refused"
    assert [other["rule"] for other in told["others"]] == ["lost", "runs-on"]
    assert told["others"][1]["deviations"] == [[2, 1]]
    assert told["stories"] == 100


def test_only_the_first(here: Path, several: dict[str, Any]) -> None:
    """``--first`` ends the search; ``--save`` names its file."""
    result = fuzz("some_agents:Wrong", "--first", "--save", "mine.py")
    assert result.stdout.count("Wrong (") == 1
    assert "Interrupt()" in (here / "mine.py").read_text()
    assert list(here.glob("test_found_*")) == []


def test_no_file_is_written_over(here: Path, several: dict[str, Any]) -> None:
    """A name that is taken gets a number, but for the same finding; with ``--save`` it is an error."""
    (here / "test_found_lost.py").write_text("old")
    (here / "test_found_lost_2.py").write_text("old")
    assert "Kept: test_found_lost_3.py." in fuzz("some_agents:Wrong", "--first").stdout
    assert (here / "test_found_lost.py").read_text() == "old"
    assert "Kept: test_found_lost_3.py." in fuzz("some_agents:Wrong", "--first").stdout
    refused = fuzz("some_agents:Wrong", "--save", "test_found_lost.py")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "test_found_lost.py is there already: give another file with --save" in refused.stderr


def test_a_place_where_nothing_can_be_written(several: dict[str, Any]) -> None:
    """Exit code 2 before anything is played, and what to do."""
    result = fuzz("some_agents:Wrong", "--save", "nowhere/mine.py")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere cannot be written to: give a file elsewhere with --save" in " ".join(
        result.stderr.split()
    )


def test_what_never_shows_again_is_no_finding(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, not kept, and the exit code is that of nothing."""

    def finds(_factory: object, **_asks: object) -> Iterator[Hunted]:
        yield Hunted(finding(Rule.LOST, again=(0, 3)), 1, 10, 0.1)
        yield Hunted(None, 40, 40, 0.1)

    monkeypatch.setattr(command, "hunt_all", finds)
    result = fuzz("some_agents:Wrong")
    assert result.exit_code == 0
    assert "Seen once, and never when it was played again (lost): lost is broken" in result.stdout
    assert list(here.glob("test_found_*")) == []


def test_ctrl_c_tells_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, and the sum; with ``--json`` still one object."""

    def finds(_factory: object, **_asks: object) -> Iterator[Hunted]:
        yield Hunted(finding(Rule.LOST), 1, 10, 0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "hunt_all", finds)
    result = fuzz("some_agents:Wrong", "--seed", "2")
    assert result.exit_code == 130
    assert "Stopped." in result.stdout
    assert "1 rule broken: lost (10 stories" in result.stdout
    told = json.loads(fuzz("some_agents:Wrong", "--json").stdout)
    assert (told["stopped"], told["rule"], told["stories"]) == (True, "lost", 10)


def test_an_agent_that_never_runs_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was found, but nothing was tried, either: that is told."""

    def finds(_factory: object, **_asks: object) -> Iterator[Hunted]:
        yield Hunted(None, 40, 40, 0.1, calls=30, runs=0)

    monkeypatch.setattr(command, "hunt_all", finds)
    result = fuzz("some_agents:Right")
    assert result.exit_code == 0
    assert "But no tool ever ran: is harness.work given to the agent" in result.stderr


def test_what_agents_log_is_not_shown(several: dict[str, Any]) -> None:
    """Logging is as it was when the command has ended."""
    before = logging.root.manager.disable
    fuzz("some_agents:Wrong", "--first")
    assert logging.root.manager.disable == before


# ── targets that cannot be played ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("some_agents", "'some_agents' is not MODULE:FACTORY, such as my_agent:Adapter"),
        (":Right", "':Right' is not MODULE:FACTORY"),
        ("some_agents:", "'some_agents:' is not MODULE:FACTORY"),
        ("no_such_module:Right", "there is no module 'no_such_module' here; give a path to its .py file"),
        ("no_such_file.py:Right", "there is no file no_such_file.py"),
        ("some_agents:Nobody", "some_agents has no 'Nobody'; it has Right, Wrong, number, cannot"),
        ("some_agents:number", "some_agents:number is 3: give a class, or a function that takes a Harness"),
        ("some_agents:cannot", "some_agents:cannot could not be played: ValueError: no key"),
        ("lame:Adapter", "lame cannot be imported: RuntimeError: not today"),
        ("needy:Adapter", "needy cannot be imported: No module named 'no_such_package'"),
        ("torn.py:Adapter", "torn cannot be imported: SyntaxError"),
    ],
)
def test_targets_that_are_none(here: Path, target: str, text: str) -> None:
    """Exit code 2, nothing on stdout, and on stderr what is wrong and what to do; never a traceback."""
    (here / "lame.py").write_text("raise RuntimeError('not today')")
    (here / "needy.py").write_text("import no_such_package")
    (here / "torn.py").write_text("def (")
    result = fuzz(target, *SHORT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in click.unstyle(" ".join(result.stderr.split()))
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--ignore", "lots"), "there is no rule 'lots'; the rules are refused, erased"),
        (("--seconds", "0"), "0.0 is not in the range x>=0.1"),
    ],
)
def test_options_that_are_none(options: tuple[str, ...], text: str) -> None:
    """Wrong usage is told before anything is played."""
    result = fuzz("some_agents:Right", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
