"""``turnlock demo``: the same five stories with a naive loop and with a session, over real HTTP."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import click
import trio
from attrs import frozen
from rich.console import Console
from rich.table import Table

from turnlock.cli import needs
from turnlock.cli.exits import Unusable, run
from turnlock.engine import Fate

try:
    from turnlock.cli.guarded import Guarded
    from turnlock.cli.naive import NaiveAgent
    from turnlock.cli.stage import Screen, Stage, Tally, Unplayable
    from turnlock.cli.stories import NAMED, STORIES, TOOLS, Story
    from turnlock.strict import Script, StrictProvider
    from turnlock.strict.server import serve
except ImportError as error:
    needs("demo", error)

_PATIENCE = 60.0  # seconds that a story may take; it takes two to four
_FOUND = 1


def _url(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    """Refuse what no client could call."""
    try:
        usable = url is None or (urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname))
    except ValueError:
        usable = False
    if not usable:
        raise click.BadParameter(f"{url!r} is no URL of a provider, such as http://127.0.0.1:8080/v1")
    return url


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Only the figures, as one JSON object.")
@click.option(
    "--base-url",
    callback=_url,
    metavar="URL",
    help="A provider that plays the demo's script; default: one of its own.",
)
def demo(*, as_json: bool, base_url: str | None) -> None:
    """Show what happens to an agent that is interrupted while tools run: without the engine, and with it.

    Five short stories over real HTTP, with the official OpenAI client and a provider that answers 400 to
    every history that the real one refuses. It takes ten seconds. No key is needed or sent, and nothing
    leaves this machine.

    With --base-url the same against another server, such as a recording proxy in front of
    `turnlock provider --script demo`.

    \b
    Exit codes:
      0  with the engine nothing was refused and nothing lost
      1  something was
      2  wrong usage, or a URL where nobody plays the demo
    """  # noqa: D301  # click leaves a paragraph alone that begins with \b
    # This is the application here, and it shows by itself what the library would warn of.
    logging.getLogger("turnlock").addHandler(logging.NullHandler())
    screen = Screen(stderr=as_json, quiet=as_json, highlight=False)
    show = _Show(Stage(screen), base_url)
    try:
        figures, rows = run(show.play)
    except* Unplayable as problems:
        raise Unusable(f"{base_url or 'the demo'}: {_first(problems)}{_REPAIR}") from None
    if as_json:
        click.echo(json.dumps(figures))
    else:
        _sum_up(screen, figures, rows)
    if figures["guarded"]["rejected"] or figures["guarded"]["lost"]:
        sys.exit(_FOUND)


_REPAIR = "\nA provider that plays the demo: turnlock provider --script demo"


def _first(problems: BaseExceptionGroup[Unplayable]) -> str:
    first: BaseException = problems
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)


@frozen
class _Row:
    """A line of the summary."""

    story: str
    refused: tuple[int, int]
    held: int
    remarks: tuple[str, str]


@frozen
class _Show:
    """All stories, one after the other."""

    stage: Stage
    base_url: str | None

    async def play(self) -> tuple[dict[str, Any], list[_Row]]:
        """Tell them; return the figures, and what to remember of each."""
        plain, guarded = Tally(), Tally()
        proxies = self.base_url is not None  # to this very machine there is no proxy
        async with (
            self._provider() as url,
            plain.client(url, through_proxies=proxies) as one,
            guarded.client(url, through_proxies=proxies) as other,
        ):
            user = Guarded(other, self.stage, TOOLS)
            self.stage.open(len(STORIES))
            rows = []
            for number, story in enumerate(STORIES, 1):
                self.stage.title(f"{number}/{len(STORIES)}  {story.title}")
                before = plain.rejected, guarded.rejected, user.held
                remarks = await self._tell(story, NaiveAgent(one, NAMED, self.stage), user)
                refused = plain.rejected - before[0], guarded.rejected - before[1]
                rows.append(_Row(story.name, refused, user.held - before[2], remarks))
        return {
            "unguarded": {
                "requests": plain.requests,
                "rejected": plain.rejected,
                "errors": plain.errors,
            },
            "guarded": {
                "requests": guarded.requests,
                "rejected": guarded.rejected,
                "held": user.held,
                "delivered": user.count(Fate.DELIVERED),
                "returned": user.count(Fate.RETURNED),
                "lost": user.lost,
            },
        }, rows

    async def _tell(self, story: Story, agent: NaiveAgent, user: Guarded) -> tuple[str, str]:
        """One story, twice."""
        try:
            with trio.fail_after(_PATIENCE):
                self.stage.loop("without the engine")
                plain = await story.naive(agent)
                self.stage.loop("with turnlock")
                return plain, await story.guarded(user)
        except trio.TooSlowError:
            problem = f"the story {story.name!r} did not end within {_PATIENCE:g} s"
            raise Unplayable(problem) from None

    @asynccontextmanager
    async def _provider(self) -> AsyncIterator[str]:
        """The URL of the provider: the given one, or the strict provider in this process."""
        if self.base_url is not None:
            yield self.base_url
            return
        async with trio.open_nursery() as nursery:
            yield await nursery.start(serve, StrictProvider(Script.load("demo")))
            nursery.cancel_scope.cancel()


def _sum_up(console: Console, figures: dict[str, Any], rows: list[_Row]) -> None:
    console.print("\n[bold]In short[/]")
    table = Table()
    for column in ("story", "without the engine", "with turnlock"):
        table.add_column(column)
    for row in rows:
        held = f"{row.held} message held" if row.held else ""
        table.add_row(
            row.story,
            *(
                _cell(refused, *more)
                for refused, *more in zip(row.refused, row.remarks, ("", held), strict=True)
            ),
        )
    console.print(table)
    plain, guarded = figures["unguarded"], figures["guarded"]
    console.print(
        f"Without the engine {plain['rejected']} of {plain['requests']} requests were refused. With it"
        f" {guarded['rejected']} of {guarded['requests']}:\n{guarded['held']} messages were held,"
        f" {guarded['delivered']} delivered, {guarded['returned']} returned, {guarded['lost']} lost.\n\n"
        "Next: docs/guide.md, and `turnlock explore` for every other order of events."
    )


def _cell(refused: int, *more: str) -> str:
    first = f"[bold red]{refused} refused[/]" if refused else "[green]0 refused[/]"
    return ", ".join([first, *filter(None, more)])
