"""``turnlock demo``: the same five stories with a naive loop and with a session, over real HTTP."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
import trio
from rich.console import Console
from rich.table import Table

from turnlock.cli import needs
from turnlock.engine import Fate

try:
    from turnlock.cli.naive import NaiveAgent
    from turnlock.cli.stage import Stage, Tally
    from turnlock.cli.stories import NAMED, STORIES, Guarded
    from turnlock.strict import Script, StrictProvider
    from turnlock.strict.server import serve
except ImportError as error:
    raise needs("demo", error) from error

Row = tuple[str, ...]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Only the figures, as one JSON object.")
@click.option(
    "--base-url", metavar="URL", help="A provider that plays the demo's script; default: one of its own."
)
def demo(*, as_json: bool, base_url: str | None) -> None:
    """Show what happens to an agent that is interrupted while tools run: without the engine, and with it.

    Five short stories over real HTTP, with the official OpenAI client and a provider that answers 400 to
    every history that the real one refuses. No key is needed, and nothing leaves this machine.

    With --base-url the same against another server, such as a recording proxy in front of
    `turnlock provider --script demo`; the key is then taken from OPENAI_API_KEY, if there is one.
    """
    # This is the application here, and it shows by itself what the library would warn of.
    logging.getLogger("turnlock").addHandler(logging.NullHandler())
    console = Console(stderr=as_json, quiet=as_json, highlight=False)
    figures, rows = trio.run(_play, Stage(console), base_url)
    if as_json:
        click.echo(json.dumps(figures))
    else:
        _sum_up(console, figures, rows)
    if figures["guarded"]["rejected"] or figures["guarded"]["lost"]:
        sys.exit(1)


async def _play(stage: Stage, base_url: str | None) -> tuple[dict[str, Any], list[Row]]:
    unguarded, guarded_tally = Tally(), Tally()
    rows: list[Row] = []
    key = os.environ.get("OPENAI_API_KEY") or "none"
    async with (
        _provider(base_url) as url,
        unguarded.client(url, key) as plain,
        guarded_tally.client(url, key) as other,
    ):
        guarded = Guarded(other, stage)
        for story in STORIES:
            before = unguarded.rejected, guarded_tally.rejected, guarded.held
            stage.title(story.title)
            stage.loop("without the engine")
            await story.naive(NaiveAgent(plain, NAMED, stage))
            stage.loop("with turnlock")
            await story.guarded(guarded)
            after = unguarded.rejected, guarded_tally.rejected, guarded.held
            rows.append((story.name, *(str(now - then) for now, then in zip(after, before, strict=True))))
    figures = {
        "unguarded": {
            "requests": unguarded.requests,
            "rejected": unguarded.rejected,
            "errors": unguarded.errors,
        },
        "guarded": {
            "requests": guarded_tally.requests,
            "rejected": guarded_tally.rejected,
            "held": guarded.held,
            "delivered": guarded.count(Fate.DELIVERED),
            "returned": guarded.count(Fate.RETURNED),
            "lost": guarded.lost,
        },
    }
    return figures, rows


@asynccontextmanager
async def _provider(base_url: str | None) -> AsyncIterator[str]:
    """The URL of the provider: the given one, or the strict provider in this process."""
    if base_url is not None:
        yield base_url
        return
    async with trio.open_nursery() as nursery:
        yield await nursery.start(serve, StrictProvider(Script.load("demo")))
        nursery.cancel_scope.cancel()


def _sum_up(console: Console, figures: dict[str, Any], rows: list[Row]) -> None:
    table = Table(title="\nIn short", title_justify="left", title_style="bold")
    table.add_column("story")
    table.add_column("refused without", justify="right", style="red")
    table.add_column("refused with", justify="right", style="green")
    table.add_column("messages held", justify="right", style="yellow")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    plain, guarded = figures["unguarded"], figures["guarded"]
    console.print(
        f"Without the engine {plain['rejected']} of {plain['requests']} requests were refused. "
        f"With it {guarded['rejected']} of {guarded['requests']}: {guarded['held']} messages were held, "
        f"{guarded['delivered']} delivered, {guarded['returned']} returned, {guarded['lost']} lost."
    )
