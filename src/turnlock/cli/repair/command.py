"""The command: its options, where the result goes, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from turnlock.cli.exits import Unusable
from turnlock.cli.lint.command import dialect_named, listed
from turnlock.cli.repair.bodies import Bodies
from turnlock.cli.repair.mending import mend
from turnlock.cli.repair.report import Report
from turnlock.cli.repair.sessions import next_requests
from turnlock.cli.screen import Progress, few_collections, in_one_step
from turnlock.reports import FORMATS, Unreadable, open_recording
from turnlock.reports.readers.opening import BODIES, Found, look
from turnlock.wire import DIALECTS
from turnlock.wire.common.jsontext import dumps

_LEFT, _UNREADABLE = 1, 2

_HELP = f"""Close what is open in captured requests and recorded sessions, so that a provider takes them.

Nothing is erased: a call without an output gets one that says so, an output that stands elsewhere is moved
behind its call, and what answers nothing is set aside and told. What is right already is not touched.

\b
PATH is a file. The result has its form:
  bodies     the same, each mended: one, an array, or a line each; wrappers
             keep their other fields; what needs no repair comes back byte
             for byte
  a session  the request that would be sent next, without what the file does
             not hold, such as the tools; of a file with several
             conversations one a line

\b
Formats, told by what stands in the file:
{listed(FORMATS)}

The result goes to stdout, or to the file that -o names, which is replaced in one step; the report goes to
stderr. --json makes it a JSON object for each body: file, index, line, dialect, changed, changes (each with
what, at, rule, call_ids, set_aside) and left (errors that no repair can mend, as lint prints them).

With --dialect bodies are taken as written in it. A session that is written in another one is read, mended and
encoded anew; what that dialect cannot say is set aside and told.

\b
Examples:
  turnlock repair request.json > mended.json
  turnlock repair requests.jsonl -o requests.jsonl
  turnlock repair session.jsonl --json 2> report.jsonl | jq .input
  turnlock repair session.jsonl --dialect anthropic -o next.json

\b
Dialects:
{listed(DIALECTS)}

\b
Exit codes:
  0  nothing is left to mend, whether or not something was repaired
  1  an error is left that no repair can mend: the report names it
  2  wrong usage, or something could not be read or written; the rest is
     mended all the same
"""


@click.command(help=_HELP)
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result there.",
)
@click.option("--dialect", callback=dialect_named, metavar="NAME", help="The dialect of the result.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON, a line for each body.")
@click.option("--verbose", is_flag=True, help="Show in full what was set aside.")
def repair(path: Path, out: Path | None, dialect: str | None, *, as_json: bool, verbose: bool) -> None:
    """Mend what the path holds, tell what was done, and say by the exit code whether something is left."""
    with few_collections(), Progress() as progress:
        report = Report(path, as_json, verbose, progress)
        try:
            found = look(path)
        except OSError as error:
            raise Unusable(f"{path}: {error.strerror or error}") from error
        if found.format == BODIES:
            pieces = _bodies(path, found, dialect, report)
        else:
            pieces = _session(path, dialect, report)
        _write(pieces, out)
        report.conclude()
    code = _UNREADABLE if report.counts["unread"] else _LEFT if report.counts["left"] else 0
    click.get_current_context().exit(code)


def _bodies(path: Path, found: Found, dialect: str | None, report: Report) -> Iterator[bytes]:
    file = Bodies(path, dialect, report.tell)
    yield from file.mended(found)
    for problem in file.problems:
        report.unread(problem)


def _session(path: Path, dialect: str | None, report: Report) -> Iterator[bytes]:
    recordings = open_recording(path)
    following = False
    for request in next_requests(recordings):
        following = True
        try:
            done = mend(request, dialect)
        except ValueError as error:
            raise Unusable(f"{path}: {error}") from error
        report.tell(request, done)
        yield dumps(done.body) + b"\n"
    problems = [problem for recording in recordings for problem in recording.problems]
    if not (problems or following):
        problems.append(Unreadable(None, "it holds no request, and nothing would be sent next"))
    for problem in problems:
        report.unread(problem)


def _write(pieces: Iterator[bytes], out: Path | None) -> None:
    """Nothing is opened before there is something to write."""
    first = next(pieces, None)
    if first is None:
        return
    if out is None:
        for piece in chain((first,), pieces):
            click.echo(piece, nl=False)
        return
    with in_one_step(out) as stream:
        stream.writelines(chain((first,), pieces))
