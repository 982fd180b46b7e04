"""The command: its options, and what is done in which order.

Owns the clock, Ctrl-C, and what the agent may print meanwhile (nothing, to stdout).
"""

from __future__ import annotations

import json
import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import click

from turnlock.cli import needs
from turnlock.cli.exits import INTERRUPTED, Unusable
from turnlock.cli.fuzz.target import described, load
from turnlock.cli.screen import Progress, counted

try:
    from turnlock.cli.fuzz.report import Report
    from turnlock.testing.hunting.hunt import Hunted, hunt_all
    from turnlock.testing.hunting.smaller import Finding
    from turnlock.testing.sequencing.oracle import Rule
except ImportError as error:
    needs("testing", error)

_FOUND = 1

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
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    report = Report(load(target), seed, ignore, save)
    report.check_save()
    click.echo(f"Playing stories to {target} for {seconds:g} s; Ctrl-C stops.", err=True)
    with _quiet(), Progress() as progress:

        def show(stories: int, found: Finding | None) -> None:
            text = f"{stories} stories, {progress.gone:.0f} of {seconds:.0f} s"
            if found is not None:
                text = f"found: {found.rule}; making it smaller: {counted(len(found.steps), 'step')}"
            progress.show(text)

        hunts = hunt_all(report.target.factory, seconds=seconds, seed=seed, ignore=ignore, progress=show)
        findings = _findings(hunts, report, progress)
        stopped = _tell(findings, report, as_json=as_json, diagram=diagram, first=first)
    gone = progress.gone
    if as_json:
        click.echo(json.dumps(report.as_json(gone, stopped=stopped)))
    else:
        report.sum_up(gone, stopped=stopped)
    code = INTERRUPTED if stopped else _FOUND if report.kept else 0
    click.get_current_context().exit(code)


def _tell(findings: Iterator[Finding], report: Report, *, as_json: bool, diagram: bool, first: bool) -> bool:
    """Tell and keep what is found as it comes; true if Ctrl-C ended it."""
    try:
        for finding in findings:
            if not finding.again[0]:
                if not as_json:
                    report.tell_unsure(finding)
                continue
            if not as_json:
                report.tell(finding, diagram=diagram)
            kept = report.keep(finding)
            if not as_json:
                click.echo(f"Kept: {kept.replay}. Play it again: python -m pytest {kept.replay}")
            if first:
                break
    except KeyboardInterrupt:
        return True
    return False


def _findings(hunts: Iterator[Hunted], report: Report, progress: Progress) -> Iterator[Finding]:
    """What the hunts find, one after the other; what the agent prints goes to stderr.

    Raises:
        Unusable: The adapter cannot be played.
    """
    while True:
        try:
            with redirect_stdout(sys.stderr):
                hunted = next(hunts, None)
        except (Exception, SystemExit) as error:
            raise Unusable(_unplayable(report.target.named, error)) from error
        finally:
            progress.hide()
        if hunted is None:
            return  # the time was over behind the last finding
        report.count(hunted)
        if hunted.finding is None:
            return
        yield hunted.finding


def _unplayable(target: str, error: BaseException) -> str:
    return (
        f"{target} could not be played: {described(error)}\n"
        "That is no finding: the adapter itself failed. See docs/fuzzing.md for what it must offer."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """What agents log while they are tormented is not for this screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
