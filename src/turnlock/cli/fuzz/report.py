"""What a fuzz run found: in words, as one JSON object, and as tests that play it again.

Owns the report and the files. What is wrong in a story, and the text of a test, are said elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from attrs import define, field, frozen

from turnlock.cli.exits import Unusable
from turnlock.cli.fuzz.target import Target
from turnlock.cli.screen import counted
from turnlock.testing.hunting.hunt import Hunted
from turnlock.testing.hunting.kept import as_test
from turnlock.testing.hunting.smaller import Finding
from turnlock.testing.sequencing.oracle import Rule

_LEGEND = "U1 is a message, K(a) a call, O(a, …) its output, A the model's text, … what was carried before."
_FEW = 10  # calls, after which a tool should have run


@frozen
class Kept:
    """A finding, and where it was written as a test."""

    finding: Finding
    replay: Path


@define(eq=False)
class Report:
    """What a run has found so far.

    Attributes:
        target: The agent.
        seed: Of the stories.
        ignore: The rules that are not asked.
        save: Where the first replay is written; None for a name of its own.
    """

    target: Target
    seed: int
    ignore: frozenset[Rule]
    save: Path | None
    kept: list[Kept] = field(factory=list, init=False)
    unsure: list[Finding] = field(factory=list, init=False)
    played: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    runs: int = field(default=0, init=False)
    interrupts: int = field(default=0, init=False)

    def check_save(self) -> None:
        """See before the search whether its findings can be written.

        Raises:
            click.UsageError: They cannot.
        """
        if self.save is not None and self.save.exists():
            raise click.UsageError(f"{self.save} is there already: give another file with --save")
        folder = Path.cwd() if self.save is None else self.save.absolute().parent
        if not os.access(folder, os.W_OK):
            raise click.UsageError(f"{folder} cannot be written to: give a file elsewhere with --save")

    def count(self, hunted: Hunted) -> None:
        """Add what a hunt has seen."""
        self.played += hunted.played
        self.calls += hunted.calls
        self.runs += hunted.runs
        self.interrupts += hunted.interrupts

    def keep(self, finding: Finding) -> Kept:
        """Write a finding as a test; one that stands there already is not written again.

        Raises:
            Unusable: It cannot be written.
        """
        without = self.ignore | {kept.finding.rule for kept in self.kept}
        save = self.save if not self.kept else None
        stem = f"test_found_{str(finding.rule).replace('-', '_')}"
        number, path = 1, Path(f"{stem}.py") if save is None else save
        while True:
            folder = _seen_from(path, self.target.folder)
            text = as_test(finding, self.target.module, self.target.name, without, folder)
            if not path.exists() or path.read_text(encoding="utf-8") == text:
                break
            number += 1
            path = Path(f"{stem}_{number}.py")
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Unusable(f"{path} cannot be written: {error.strerror}; give another with --save") from error
        kept = Kept(finding, path)
        self.kept.append(kept)
        return kept

    # ── in words ────────────────────────────────────────────────────────────────────────────────────

    def tell(self, finding: Finding, *, diagram: bool) -> None:
        """A finding, for people; where it is kept is told behind it."""
        if not self.kept:
            click.echo(_LEGEND)
        click.echo(f"\nWrong ({finding.rule}): {finding.what}")
        click.echo(f"What is asked: {finding.rule.asked}.")
        for line in finding.story:
            click.echo(line)
        if len(finding.deviations):
            click.echo(f"The order of tasks: {finding.deviations!r}")
        shown, tried = finding.again
        if shown < tried:
            click.echo(f"Played again, it showed {shown} of {tried} times: it depends on timing.")
        if diagram:
            click.echo(f"\n{finding.mermaid}")

    def tell_unsure(self, finding: Finding) -> None:
        """Something that was seen once, and never again."""
        self.unsure.append(finding)
        click.echo(f"\nSeen once, and never when it was played again ({finding.rule}): {finding.what}")

    def sum_up(self, gone: float, *, stopped: bool) -> None:
        """The last lines."""
        seen = ", ".join(
            (
                counted(self.played, "story"),
                counted(self.calls, "call"),
                f"{counted(self.runs, 'run')} of tools",
                counted(self.interrupts, "interrupt"),
                f"{gone:.0f} s",
                f"seed {self.seed}",
            )
        )
        if stopped:
            click.echo("\nStopped.")
        if self.kept:
            broken = ", ".join(str(kept.finding.rule) for kept in self.kept)
            click.echo(f"\n{counted(len(self.kept), 'rule')} broken: {broken} ({seen}).")
        elif not stopped:
            click.echo(f"Nothing was found: {self.target.named} kept every rule that is asked ({seen}).")
        else:
            click.echo(f"Nothing was found until then ({seen}).")
        if self.calls > _FEW and not self.runs and not self.kept:
            click.echo(
                "But no tool ever ran: is harness.work given to the agent, under the name `work`? "
                "Nothing that happens while a tool runs was tried.",
                err=True,
            )

    def as_json(self, gone: float, *, stopped: bool) -> dict[str, Any]:
        """The worst first: in the order of the rules."""
        ordered = sorted(self.kept, key=lambda kept: list(Rule).index(kept.finding.rule))
        return {
            "found": bool(self.kept),
            "seconds": round(gone, 3),
            "stories": self.played,
            "calls": self.calls,
            "runs": self.runs,
            "interrupts": self.interrupts,
            "seed": self.seed,
            "stopped": stopped,
            **_as_json(ordered[0] if ordered else None),
            "others": [_as_json(kept) for kept in ordered[1:]],
            "unsure": [finding.what for finding in self.unsure],
        }


def _seen_from(replay: Path, folder: Path | None) -> str:
    """The way from a replay to its module; empty where pytest finds it beside the replay."""
    here = replay.parent.resolve()
    return "" if folder is None or folder == here else Path(os.path.relpath(folder, here)).as_posix()


def _as_json(kept: Kept | None) -> dict[str, Any]:
    if kept is None:
        names = ("story", "deviations", "replay", "rule", "wrong", "literal", "shown_again", "mermaid")
        return dict.fromkeys(names)
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
