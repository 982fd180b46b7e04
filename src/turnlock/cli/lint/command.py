"""The command: its options, what is done in which order, and how it ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill

import click

from turnlock.cli.lint.files import files
from turnlock.cli.lint.findings import look
from turnlock.cli.lint.report import Report, summary
from turnlock.cli.screen import Progress, few_collections
from turnlock.reports import FORMATS, explained, rulebook
from turnlock.wire import DIALECTS, RULES, Severity, walk

_FOUND, _UNREADABLE = 1, 2
_EVERY = 1000  # requests between two looks at the clock


def listed(names: Iterable[str]) -> str:
    """Names, on lines that fit."""
    return fill(", ".join(names), 76, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


_PROFILES = [
    f"{name}+{profile}"
    for name in DIALECTS
    for profile in sorted({profile for rule in RULES[name] for profile in rule.profiles})
]

_HELP = f"""Find what a provider would refuse, in captured requests and in recorded sessions.

PATH is a file, or a folder in which every JSON and JSON lines file is read. A session implies the requests
that were sent before every answer of the model, and the one that would be sent next; each is judged as it
stood, by the rules of its dialect. A violation has the provider's literal text: search for it.

\b
Formats, told by what stands in the file:
{listed(FORMATS)}

"bodies" are request bodies: one, an array or a line each, bare or as {{"body", "dialect", "status"}}; also a
bare list of messages, items or contents. What a body is written in is told by its shape; --dialect says it,
and how strict the server is: --dialect gemini+3.

\b
Examples:
  turnlock lint ~/.codex/sessions
  turnlock lint session.jsonl --json | jq .message
  turnlock lint request.json --dialect openai_chat
  turnlock lint --explain RESP-CALL-NO-OUTPUT

\b
Dialects:
{listed(DIALECTS)}

\b
Profiles, which make the rules of a dialect stricter; several may be joined:
{listed(_PROFILES)}

A warning is a rule that no source saw enforced everywhere; with nothing but warnings a file is clean.

--json prints a violation a line, for every request that has it: file, index (of the request in the file),
dialect, rule, severity, call_ids, at (a JSON pointer), message, line.

\b
Exit codes:
  0  clean: nothing that a provider would refuse
  1  a violation was found
  2  wrong usage, or something could not be read: rule UNREADABLE
"""


def _explain(context: click.Context, _option: click.Parameter, name: str | None) -> None:
    if name is not None:
        try:
            click.echo(explained(name))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        context.exit()


def _rulebook(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  # click's
    if wanted:
        click.echo(rulebook(), nl=False)
        context.exit()


def dialect_named(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """The value of an option that names a dialect, with profiles."""
    if name is not None:
        try:
            walk(name, {})
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return name


@click.command(help=_HELP)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dialect", callback=dialect_named, metavar="NAME", help="Judge everything as this dialect.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option(
    "--explain",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    metavar="RULE",
    help="Tell a rule: what it asks, its text, its evidence.",
)
@click.option(
    "--rulebook",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_rulebook,
    help="Tell every rule, as a page in Markdown.",
)
def lint(paths: Sequence[Path], dialect: str | None, *, as_json: bool) -> None:
    """Look at everything, tell what is wrong, and say by the exit code whether something is."""
    found = list(files(paths))
    report = Report()
    counts: Counter[str] = Counter()
    with few_collections(), Progress() as progress:
        for number, path in enumerate(found, 1):

            def checked(path: Path = path, number: int = number) -> None:
                counts["requests"] += 1
                if counts["requests"] % _EVERY == 0:
                    place = f"{number:,} of {len(found):,}: " if len(found) > 1 else ""
                    progress.show(f"{place}{path}, {counts['requests']:,} requests")

            progress.show(f"{number:,} of {len(found):,}: {path}")
            for finding in look(path, dialect, checked):
                counts["unread" if finding.unreadable else finding.violation.severity] += 1
                if as_json:
                    progress.hide()
                    click.echo(json.dumps(finding.as_json()))
                else:
                    report.add(finding)
            if not as_json:
                progress.hide()
                report.tell()
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    if not as_json:
        line = summary(found, counts["requests"], errors, warnings, counts["unread"])
        report.conclude(line, explain=bool(errors or warnings))
    code = _UNREADABLE if counts["unread"] else _FOUND if errors else 0
    click.get_current_context().exit(code)
