"""``turnlock diagram``: print the pictures, write them, or check that what was written is current.

It owns files and exit codes; what a picture is made of stands in ``turnlock.diagrams``.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen
from click.core import ParameterSource

from turnlock.cli.screen import in_one_step
from turnlock.diagrams import Format, MarkerError, Subject, files, markers, render

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_DIFF_LINES = 12
_STALE, _UNREADABLE = 1, 2
_PATH_OPTIONS = ("--write", "--check")


class _SeveralPaths(click.Command):
    """A command whose path options take all the words up to the next option: ``--check diagrams README.md``.

    click gives an option a fixed number of values, so the option is repeated before each further word.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_repeated(args)))


def _repeated(args: Sequence[str]) -> Iterator[str]:
    option = ""  # the path option whose words these are
    for previous, word in zip(["", *args], args, strict=False):
        if word.startswith("-"):
            name = word.partition("=")[0]
            option = name if name in _PATH_OPTIONS else ""
        elif option and previous != option:
            yield option
        yield word


_HELP = """Draw the states of a turn and of its tool calls, from the tables that run.

Without --write and --check the picture of SUBJECT is printed.

A PATH is a folder, which gets every picture in every format and keeps its other files, or a Markdown file,
in which the text between such markers is replaced:

\b
  <!-- turnlock diagram both --format mermaid -->
  <!-- turnlock end -->

\b
Examples:
  turnlock diagram turn --format dot | dot -Tsvg > turn.svg
  turnlock diagram --write diagrams README.md
  turnlock diagram --check diagrams README.md

\b
Exit codes:
  0  printed, written, or all current
  1  --check found something stale or missing
  2  wrong usage, or a PATH that cannot be read or written
"""


def _paths(flag: str, says: str) -> Callable[[_Decorated], _Decorated]:
    path = click.Path(path_type=Path)
    return click.option(flag, multiple=True, type=path, metavar="PATH...", help=says)


@click.command(cls=_SeveralPaths, help=_HELP)
@click.argument(
    "subject", type=click.Choice([subject.value for subject in Subject]), default=Subject.BOTH.value
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([format_.value for format_ in Format]),
    default=Format.MERMAID.value,
    show_default=True,
    help="What is printed.",
)
@_paths("--write", "Write the pictures there.")
@_paths("--check", "Say whether the pictures there are current.")
def diagram(subject: str, format_: str, write: tuple[Path, ...], check: tuple[Path, ...]) -> None:
    """Print, write or check."""
    if write and check:
        raise click.UsageError("--write and --check exclude each other: write first, then check.")
    if write or check:
        source = click.get_current_context().get_parameter_source
        for name, given in (("subject", subject), ("format_", format_)):
            if source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(
                    "--write and --check are about all pictures of a folder, and about what a file's markers "
                    f"name: leave out {given}."
                )
    if write:
        _write(write)
    elif check:
        _check(check)
    else:
        click.echo(render(subject, format_), nl=False)


@frozen
class _File:
    """A file as it is, and as it would be written today. ``now`` is None while it does not exist."""

    path: Path
    now: str | None
    wanted: str

    @property
    def current(self) -> bool:
        return self.now == self.wanted


def _plan(path: Path) -> list[_File]:
    """Everything that a path stands for. What does not exist is a folder, unless its name has a suffix."""
    if path.is_dir() or not (path.exists() or path.suffix):
        return [_File(path / name, _read(path / name), text) for name, text in files().items()]
    now = path.read_bytes().decode()  # with its own line ends
    if not markers.find(now):
        raise click.ClickException(
            f"no marker in it. Paste this where the picture belongs:\n\n{markers.EXAMPLE}"
        )
    return [_File(path, now, markers.replace(now))]


def _read(path: Path) -> str | None:
    """One of our own files, which is written anew whatever it holds; None when it is not there."""
    try:
        return path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None


def _planned(paths: Sequence[Path]) -> tuple[dict[Path, list[_File]], int]:
    """The plans of all paths that can be read; the rest is told, and gives exit code 2."""
    plans: dict[Path, list[_File]] = {}
    code = 0
    for path in dict.fromkeys(paths):
        try:
            plans[path] = _plan(path)
        except (OSError, UnicodeDecodeError, MarkerError, click.ClickException) as error:
            click.echo(f"Error: {path}: {error}", err=True)
            code = _UNREADABLE
    return plans, code


def _exit(code: int) -> None:
    click.get_current_context().exit(code)


def _write(paths: Sequence[Path]) -> None:
    """Write what is not current; nothing at all when one of the paths cannot be read."""
    plans, code = _planned(paths)
    if code:
        _exit(code)
    for file in (file for plan in plans.values() for file in plan if not file.current):
        try:
            _replace(file.path, file.wanted)
        except OSError as error:
            click.echo(f"Error: {file.path}: {error}", err=True)
            code = _UNREADABLE
        else:
            click.echo(f"wrote {file.path}", err=True)
    _exit(code)


def _replace(path: Path, text: str) -> None:
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    with in_one_step(path) as stream:
        stream.write(text.encode())


def _check(paths: Sequence[Path]) -> None:
    """Say what is not current, how it differs, and how to repair it."""
    plans, code = _planned(paths)
    stale = {path: [file for file in plan if not file.current] for path, plan in plans.items()}
    for file in (file for plan in stale.values() for file in plan):
        click.echo(f"{file.path}: {'missing' if file.now is None else 'stale'}")
        for line in _diff(file):
            click.echo(line, err=True)
    repair = [str(path) for path, plan in stale.items() if plan]
    if repair:
        click.echo(f"Repair with: turnlock diagram --write {shlex.join(repair)}", err=True)
    _exit(code or (_STALE if repair else 0))


def _diff(file: _File) -> Iterator[str]:
    """The beginning of a unified diff; nothing for a file that is not there."""
    if file.now is None:
        return
    was, wanted = file.now.split("\n"), file.wanted.split("\n")
    lines = list(difflib.unified_diff(was, wanted, str(file.path), "as it should be", n=1, lineterm=""))
    yield from lines[:_DIFF_LINES]
    if len(lines) > _DIFF_LINES:
        yield f"… and {len(lines) - _DIFF_LINES} more lines"
