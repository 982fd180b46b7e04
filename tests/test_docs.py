"""The pages say what is true: their code runs as it stands, their tables are those of the code."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import attrs
import pytest
from attrs import frozen
from trio.testing import MockClock

import turnlock
from turnlock import (
    Cause,
    Event,
    Invocation,
    Limits,
    Scripted,
    Session,
    StopReason,
    Tool,
    ToolContext,
    errors,
    run_command,
    tool,
)
from turnlock.engine.outcome import ENDINGS
from turnlock.models import Fail, Invoke, Pause, Say, Stop
from turnlock.strict import Script
from turnlock.wire import dialects

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "turnlock"
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
NOT_RUN = "<!-- not run -->"
MISSING = ("○", "◐")
MOVES = (Say, Invoke, Pause, Fail, Stop)


@frozen
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    code: str
    run: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        before = text[: found.start()]
        run = not before.rstrip().endswith(NOT_RUN)
        yield Block(page.name, before.count("\n") + 1, found[1], found[2], run)


BLOCKS = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python" and block.page != "README.md"]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table whose header line begins so."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(
        number
        for number, line in enumerate(lines)
        if line.startswith(f"| {heading} |") and lines[number + 1].startswith("| --- |")
    )
    body = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body]


def named(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def first_names(page: str, heading: str) -> list[str]:
    return [name for row in rows(page, heading) for name in named(row[0])]


# ── code ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", [block for block in PYTHON if block.run], ids=str)
def test_the_code_of_the_pages_runs(block: Block, tmp_path: Path) -> None:
    """Each block as a user would paste it: by itself, without a key, and without a warning."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command = [sys.executable, "-W", "error", "-c", block.code]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**env, "TMPDIR": str(tmp_path)},
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_most_of_the_code_is_run() -> None:
    """Blocks that are left out are few, and those of the README are run by its own test."""
    assert sum(not block.run for block in BLOCKS) <= 2
    readme = [block for block in BLOCKS if block.page == "README.md"]
    assert [(block.language, block.run) for block in readme] == [
        ("python", True),
        ("mermaid", True),
        ("python", False),  # the adapter of an agent that the reader has
    ]
    assert {block.page for block in PYTHON} >= {
        "events.md",
        "fuzzing.md",
        "guard.md",
        "guide.md",
        "models.md",
        "provider.md",
        "schedules.md",
        "testing.md",
        "tools.md",
    }


def test_the_scripts_of_the_provider_can_be_played() -> None:
    """The JSON lines of docs/provider.md are scripts."""
    scripts = [
        block.code for block in BLOCKS if block.language == "json" and block.page.endswith("provider.md")
    ]
    assert [len(Script.parse(lines).lines) for lines in scripts] == [lines.count("\n") for lines in scripts]
    assert scripts


def test_links_to_headings() -> None:
    """A link into a page leads to a heading of that page."""
    headings = {
        page.name: {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
        }
        for page in PAGES
    }
    links = {
        (page.name, Path(target).name or page.name, anchor)
        for page in PAGES
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text())
    }
    assert len(links) > 5
    assert [link for link in links if link[2] not in headings[link[1]]] == []


# ── numbers of rules and cases ──────────────────────────────────────────────────────────────────────────

NUMBER = re.compile(r"\b[RC][1-9]\d?\b")


def listed() -> dict[str, bool]:
    """The numbers of docs/rules.md; True for what is built."""
    found = re.findall(r"^\| ([RC]\d+) \| .+ \|(.*)\|$", (DOCS / "rules.md").read_text(), re.MULTILINE)
    assert [number for number, count in Counter(number for number, _ in found).items() if count > 1] == []
    return {number: not mark.strip().startswith(MISSING) for number, mark in found}


def numbers_in(*folders: Path) -> set[str]:
    texts = (path.read_text() for folder in folders for path in folder.rglob("*.py"))
    return {number for text in texts for number in NUMBER.findall(text)}


def test_every_number_stands_on_the_page() -> None:
    """What code and tests call R3 or C12 can be looked up; the page has no gap."""
    pages = {number for page in PAGES for number in NUMBER.findall(page.read_text())}
    assert sorted((numbers_in(SRC, ROOT / "tests") | pages) - listed().keys()) == []
    complete = {f"R{n}" for n in range(1, 27)} | {f"C{n}" for n in range(1, 65)}
    assert listed().keys() == complete


def test_what_is_built_is_tested() -> None:
    """A rule or case without a mark is named by a test."""
    built = {number for number, is_built in listed().items() if is_built}
    assert sorted(built - numbers_in(ROOT / "tests")) == []


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────


def test_every_event_and_its_fields() -> None:
    """docs/events.md has each class of event once, with its fields beside `turn`."""
    told = {named(row[0])[0]: named(row[1]) for row in rows("events.md", "event")}
    made = {
        kind.__name__: [field.name for field in attrs.fields(kind) if field.name != "turn"]
        for kind in get_args(Event)
    }
    assert told == made


async def test_the_order_of_events(autojump_clock: MockClock) -> None:
    """The turn that docs/events.md lists is told like this."""

    @tool(approval=True)
    async def look(context: ToolContext) -> str:
        context.output("line")
        return "seen"

    text = (DOCS / "events.md").read_text().partition("told in this order:")[2].partition("What holds")[0]
    async with Session(Scripted([Invoke("look"), Say("Yes.")]), tools=[look], approve=allow) as session:
        async with session.turn("Is it there?") as turn:
            told = [type(event).__name__ async for event in turn]
    assert told == re.findall(r"^    (\w+)", text, re.MULTILINE)


async def allow(_call: Invocation) -> bool:
    return True


def test_every_limit_and_its_default() -> None:
    """The table of the guide has each limit, with what it is by default."""
    told = {
        named(row[0])[0]: row[1].removesuffix(" s").removesuffix(" bytes")
        for row in rows("guide.md", "of `Limits(...)`")
    }
    made = {field.name: field.default for field in attrs.fields(Limits)}
    numbers = {
        name: None if value == "none" else float(value.replace(",", "")) for name, value in told.items()
    }
    assert numbers == made


def test_every_cause_and_its_text() -> None:
    """What the model reads stands in the guide, word for word but for the names of what is filled in."""
    seen: set[str] = set()
    for row in rows("guide.md", "`cause`"):
        for cause in named(row[0]):
            seen.add(cause)
            if cause == Cause.RETURNED:
                continue
            (text,) = named(row[2])
            assert re.sub(r"\{(?!t\}).*\}", "{why}", text) == ENDINGS[Cause(cause)].text
    # Nothing is lost before sessions are resumed; the other one is of histories that others have written.
    assert seen == set(Cause) - {Cause.LOST, Cause.UNRECORDED}


@pytest.mark.parametrize(
    ("page", "heading", "kind"),
    [
        ("guide.md", "`TurnResult`", turnlock.TurnResult),
        ("guide.md", "`Receipt`", turnlock.Receipt),
        ("guide.md", "`Invocation`", turnlock.Invocation),
        ("guide.md", "`Outcome`", turnlock.Outcome),
        ("guide.md", "`Waiting`", turnlock.Waiting),
        ("guide.md", "`Leak`", turnlock.Leak),
        ("tools.md", "of `ToolContext`", ToolContext),
    ],
)
def test_what_is_handed_back(page: str, heading: str, kind: type) -> None:
    """The tables name every public field and property, and nothing else."""
    inner = {"label", "policy", "registry", "may_start", "twin"}  # of an invocation: the engine's own
    made = {name for name in dir(kind) if not name.startswith("_")} - inner
    told = {name.partition("(")[0] for name in first_names(page, heading)}
    assert told == made


def test_stop_reasons_and_errors() -> None:
    """Each stands in the guide."""
    assert set(first_names("guide.md", "`stop_reason`")) == set(StopReason)
    raised = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.TurnlockError)
    }
    engine_only = {"TurnlockError", "InputError"}  # the base; a bug of whoever feeds the engine
    assert set(first_names("guide.md", "error")) == raised - engine_only


def parameters(function: Any) -> set[str]:
    """The names of what a function takes."""
    code = function.__code__
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"self", "function"}


def test_arguments_and_methods() -> None:
    """The guide has each argument and each public name of a session, and each option of a tool."""
    given = {name.rstrip("=") for name in first_names("guide.md", "argument")}
    assert given == parameters(Session.__init__)
    public = {name for name in dir(Session) if not name.startswith("_")} | {"limits", "id"}
    calls = {re.sub(r"^await |\(.*", "", name) for name in first_names("guide.md", "method")}
    assert calls | set(first_names("guide.md", "property")) == public
    assert set(first_names("guide.md", "option of `send`")) | {"content"} == parameters(Session.send)
    assert set(first_names("tools.md", "option of `@tool`")) == parameters(tool)
    assert {field.name for field in attrs.fields(Tool)} >= parameters(tool)
    written = re.search(r"`run_command\((.*)\)`", (DOCS / "tools.md").read_text())
    assert written is not None
    assert set(re.findall(r"(?:^|, )(\w+)", written[1])) == parameters(run_command)


def test_moves_of_the_script() -> None:
    """docs/models.md has each move with its arguments."""
    told = {name.partition("(")[0]: name for name in first_names("models.md", "move, from `turnlock.models`")}
    made = {move.__name__: [field.name for field in attrs.fields(move)] for move in MOVES}
    assert {name: re.findall(r"[(,] ?(\w+)", written) for name, written in told.items()} == made


def test_every_public_name_stands_on_a_page() -> None:
    """Whatever `from turnlock import …` gives is spoken of somewhere."""
    pages = "\n".join(page.read_text() for page in PAGES)
    public = {
        name
        for name, given in vars(turnlock).items()
        if not (name.startswith("_") or isinstance(given, ModuleType) or name in {"Any", "TYPE_CHECKING"})
    }
    assert sorted(name for name in public if not re.search(rf"\b{name}\b", pages)) == []


def test_every_file_stands_in_the_layout() -> None:
    """docs/layout.md says where to look first: it names the files of each room, and none that is gone."""
    text = (DOCS / "layout.md").read_text().partition("## The files")[2]
    told: set[str] = set()
    for line in re.findall(r"^\| `.+$", text, re.MULTILINE):
        rooms, files = line.strip("|").split(" | ")
        told |= {room + file for room in named(rooms) for file in named(files) if file.endswith(".py")}
    made = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        if path.parent != SRC and path.name != "__init__.py"
    }
    # The dialects share a line, and some of them have more files.
    assert sorted(made - told) == []
    assert [file for file in told - made if not file.startswith("wire/")] == []


def test_every_dialect_and_profile() -> None:
    """docs/wire.md names the dialects that there are, each with its profiles."""
    told: dict[str, set[str]] = {}
    for names, profiles in rows("wire.md", "dialect"):
        told |= {name: set(named(profiles)) for name in named(names)}
    assert told == {name: set(row.profiles) for name, row in dialects._DIALECTS.items()}
