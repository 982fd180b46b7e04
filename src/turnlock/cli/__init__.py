"""The command line.

Every command ends with 0 (done, or clean), 1 (it found what it looks for) or 2 (usage, unreadable input);
with 130 when Ctrl-C ends it, with 141 when nobody reads on. Results go to stdout, progress and problems to
stderr. Commands are imported when they are called, so that ``turnlock --help`` needs no extra.

    demo.py      the origin story, unguarded and guarded, over real HTTP
    stories.py   what happens in it, told to a session
    guarded.py   the user of these sessions, and who shows them
    naive.py     the loop that most agents start with
    stage.py     what both show and count
    provider.py  the strict provider, for agents in any language
    diagram.py   pictures of the tables
    explore.py   every interleaving of small worlds
    lint/        what a provider would refuse, in files
    repair/      the same, mended
    fuzz/        random stories played to somebody's agent
    screen.py    progress, numbers in words, files in one step
    exits.py     Ctrl-C, closed pipes, full disks
"""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn

import click

from turnlock._version import __version__
from turnlock.cli.exits import Unusable, leave
from turnlock.errors import MissingExtra

_COMMANDS = {
    "demo": "The origin story: an interrupted agent, without the engine and with it.",
    "diagram": "Pictures of the two tables: print, write or check them.",
    "explore": "Every interleaving of a small world, judged by the strict provider.",
    "fuzz": "Random stories played to your agent, until one breaks a rule.",
    "lint": "What a provider would refuse, in captured requests and recorded sessions.",
    "provider": "A provider that refuses what real ones refuse, for agents in any language.",
    "repair": "Close what is open in captured requests and recorded sessions.",
}


class _Group(click.Group):
    """Commands by name, imported when they are called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"turnlock.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. There are: {', '.join(sorted(_COMMANDS))}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BaseException as error:  # noqa: BLE001  # a Ctrl-C is one too; what is not from outside goes on
            leave(error)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="turnlock")
def main() -> None:
    """The turn engine for agents: no message passes an open tool call.

    Start with `turnlock demo`. Every command ends with 0 when all is well, 1 when it found what it looks
    for, and 2 when it could not be used that way.
    """


def needs(extra: str, error: ImportError) -> NoReturn:
    """Say what to install. What is missing in this package itself is our own fault, and raised again."""
    if (error.name or "").partition(".")[0] == "turnlock":
        raise error
    raise Unusable(str(MissingExtra("this command", extra, error))) from error
