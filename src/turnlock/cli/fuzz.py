"""``turnlock fuzz``: random stories played to somebody's agent, to find those that break a rule.

Owns the options, the report, where replays are written, and the words. What a story is and what is wrong in
it is said in ``turnlock.testing``.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import click
from attrs import define, field, frozen
from rich.console import Console
from rich.status import Status

from turnlock.cli import needs
from turnlock.cli.exits import Unusable

try:
    from turnlock.testing.hunting.hunt import hunt_all
    from turnlock.testing.hunting.kept import as_test
    from turnlock.testing.hunting.smaller import Finding
    from turnlock.testing.sequencing.oracle import Rule
except ImportError as error:
    needs("testing", error)

_FOUND = 1
_PATIENCE = 1.0  # seconds before progress is shown

_HELP = f"""Play random stories to an agent, and judge every request that leaves it.

TARGET is MODULE:FACTORY: a module that can be imported from here (or a .py file), and in it a class or
function that takes a Harness and gives an adapter to your agent. For an agent under asyncio that is:

\b
  class Adapter:
      def __init__(self, harness):
          self.agent = MyAgent(harness.base_url, tools=[harness.work])
      async def turn(self, text):  # a user's message, until the agent rests
          await self.agent.run(text)

The model behind harness.base_url is played: it speaks OpenAI Responses and Chat Completions, takes any key,
and refuses every history that the provider would refuse. It calls the tool work(step), which returns, raises
or hangs as the story wants. Users interrupt, time passes, answers stand still. docs/fuzzing.md has all of it.

What was found is told as a story, and kept as a test that plays it again. Then the search goes on for other
rules that the agent breaks, until the time is over.

\b
Examples:
  turnlock fuzz my_agent:Adapter
  turnlock fuzz my_agent.py:Adapter --seconds 300
  turnlock fuzz my_agent:Adapter --ignore runs-on    that is how it is meant

\b
Rules, for --ignore:
  {", ".join(list(Rule)[:6])},
  {", ".join(list(Rule)[6:12])},
  {", ".join(list(Rule)[12:])}

\b
Exit codes:
  0  nothing was found
  1  rules are broken: the shortest story that was found is told for each
  2  wrong usage: TARGET cannot be imported, or fails before any story
"""


def _rule(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> frozenset[Rule]:
    for name in names:
        if name not in list(Rule):
            raise click.BadParameter(f"there is no rule {name!r}; the rules are {', '.join(Rule)}")
    return frozenset(map(Rule, names))


@click.command(help=_HELP)
@click.argument("target", metavar="TARGET")
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="How long to look."
)
@click.option(
    "--ignore", multiple=True, callback=_rule, metavar="RULE", help="Do not ask this rule; repeatable."
)
@click.option("--seed", type=int, default=None, help="The same stories again.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Where the first replay is written.  [default: test_found_RULE.py, here]",
)
@click.option("--mermaid", "diagram", is_flag=True, help="Show the story as a sequence diagram, too.")
@click.option("--first", is_flag=True, help="Stop at the first finding.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fuzz(
    target: str,
    seconds: float,
    ignore: frozenset[Rule],
    seed: int | None,
    save: Path | None,
    *,
    diagram: bool,
    first: bool,
    as_json: bool,
) -> None:
    """Look for stories, report, and say by the exit code whether one was found."""
    folder, module, name, factory = _load(target)
    findings: list[_Kept] = []
    played, began = 0, time.monotonic()
    with _quiet(), _Progress(seconds) as progress:
        hunts = hunt_all(factory, seconds=seconds, seed=seed, ignore=ignore, progress=progress)
        while True:
            try:
                hunted = next(hunts)
            except Exception as error:
                raise Unusable(_unplayable(target, error)) from error
            played += hunted.played
            progress.hide()
            if hunted.finding is None:
                break
            without = ignore | {kept.finding.rule for kept in findings}
            replay = _free(save if not findings else None, hunted.finding)
            text = as_test(hunted.finding, module, name, without, _seen_from(replay, folder))
            kept = _Kept(hunted.finding, _write(replay, text))
            findings.append(kept)
            if not as_json:
                _tell(kept, diagram=diagram)
            if first:
                break
    gone = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(_as_json(findings, played, gone)))
    else:
        _sum_up(target, findings, played, gone)
    click.get_current_context().exit(_FOUND if findings else 0)


@frozen
class _Kept:
    """A finding, and where it was written as a test."""

    finding: Finding
    replay: Path


# ── the target ──────────────────────────────────────────────────────────────────────────────────────────


def _load(target: str) -> tuple[Path | None, str, str, Callable[..., Any]]:
    """The folder of a module that was given as a file, the module's name, the factory's, and the factory."""
    where, colon, name = target.rpartition(":")
    if not colon or not where or not name:
        raise click.UsageError(f"{target!r} is not MODULE:FACTORY, such as my_agent:Adapter")
    path, folder = Path(where), None
    if path.suffix == ".py":
        if not path.is_file():
            raise click.UsageError(f"there is no file {where}")
        folder = path.parent.resolve()
        where = path.stem
    sys.path.insert(0, str(Path.cwd()))
    if folder is not None:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and not where.startswith(error.name):
            raise Unusable(f"{where} cannot be imported: {error}") from error
        raise click.UsageError(f"there is no module {where!r} here; give a path to its .py file") from error
    except Exception as error:
        raise Unusable(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    factory = getattr(module, name, None)
    if factory is None:
        offered = ", ".join(each for each in vars(module) if not each.startswith("_"))
        raise click.UsageError(f"{where} has no {name!r}; it has {offered}")
    if not callable(factory):
        raise click.UsageError(f"{target} is {factory!r}: give a class, or a function that takes a Harness")
    return folder, where, name, factory


def _unplayable(target: str, error: Exception) -> str:
    return (
        f"{target} could not be played: {type(error).__name__}: {error}\n"
        "That is no finding: the adapter itself failed. See docs/fuzzing.md for what it must offer."
    )


# ── the report ──────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _quiet() -> Iterator[None]:
    """What agents log while they are tormented is not for this screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@define(eq=False)
class _Progress:
    """How far the search is, on a terminal."""

    seconds: float
    _console: Console = field(factory=lambda: Console(stderr=True), init=False)
    _began: float = field(factory=time.monotonic, init=False)
    _status: Status | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.hide()

    def __call__(self, stories: int, found: Finding | None) -> None:
        """Show it."""
        gone = time.monotonic() - self._began
        if not self._console.is_terminal or gone < _PATIENCE:
            return
        text = f"{stories} stories, {gone:.0f} of {self.seconds:.0f} s"
        if found is not None:
            text = f"found: {found.rule}; making it smaller: {_count(len(found.steps), 'step')}"
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def hide(self) -> None:
        """Leave the screen to what is to be told."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def _seen_from(replay: Path, folder: Path | None) -> str:
    """The way from a replay to its module; empty where pytest finds it beside the replay."""
    here = replay.parent.resolve()
    return "" if folder is None or folder == here else Path(os.path.relpath(folder, here)).as_posix()


def _free(save: Path | None, finding: Finding) -> Path:
    """Where the replay is written; without a name of its own where nothing is yet."""
    path = save
    stem = f"test_found_{str(finding.rule).replace('-', '_')}"
    number = 1
    while path is None or (save is None and path.exists()):
        path = Path(f"{stem}.py" if number == 1 else f"{stem}_{number}.py")
        number += 1
    return path


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}; give another with --save") from error
    return path


def _as_json(findings: list[_Kept], played: int, gone: float) -> dict[str, Any]:
    """The worst first: in the order of the rules."""
    ordered = sorted(findings, key=lambda kept: list(Rule).index(kept.finding.rule))
    first = _finding_as_json(ordered[0] if ordered else None)
    others = [_finding_as_json(kept) for kept in ordered[1:]]
    return {"found": bool(findings), "seconds": round(gone, 3), "stories": played, **first, "others": others}


def _finding_as_json(kept: _Kept | None) -> dict[str, Any]:
    if kept is None:
        return dict.fromkeys(
            ("story", "deviations", "replay", "rule", "wrong", "literal", "shown_again", "mermaid")
        )
    finding = kept.finding
    return {
        "story": list(finding.story),
        "deviations": [list(each) for each in finding.deviations],
        "replay": str(kept.replay),
        "rule": str(finding.rule),
        "wrong": finding.what,
        "literal": finding.literal or None,
        "shown_again": list(finding.again),
        "mermaid": finding.mermaid,
    }


def _tell(kept: _Kept, *, diagram: bool) -> None:
    """A finding, for people."""
    finding = kept.finding
    click.echo(f"Wrong ({finding.rule}): {finding.what}")
    for line in finding.story:
        click.echo(line)
    if len(finding.deviations):
        click.echo(f"The order of tasks: {finding.deviations!r}")
    shown, tried = finding.again
    if shown < tried:
        click.echo(f"Played again, it showed {shown} of {tried} times: it depends on timing.")
    if diagram:
        click.echo(f"\n{finding.mermaid}")
    click.echo(f"Kept: {kept.replay}. Play it again: python -m pytest {kept.replay}\n")


def _sum_up(target: str, findings: list[_Kept], played: int, gone: float) -> None:
    size = f"{_count(played, 'story')}, {gone:.0f} s"
    if findings:
        broken = ", ".join(str(kept.finding.rule) for kept in findings)
        click.echo(f"{_count(len(findings), 'rule')} broken: {broken} ({size}).")
    else:
        click.echo(f"Nothing was found: {target} kept every rule that is asked ({size}).")


def _count(number: int, what: str) -> str:
    many = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{number:,} {what if number == 1 else many}"
