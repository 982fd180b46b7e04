"""``turnlock provider``: the strict provider on loopback, until it is stopped."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress

import click
import trio

from turnlock.cli import needs
from turnlock.cli.exits import Unusable, run
from turnlock.strict import Script, ScriptError, StrictProvider

DIALECTS = ("openai_responses", "openai_chat", "anthropic")

_HELP = """Serve a provider that answers 400 to every history that the real one refuses.

Prints {"base_url": …} when it is ready, and serves on loopback until Ctrl-C. Point any client of OpenAI
(Responses, Chat Completions) or Anthropic (Messages) at the URL, with any key. GET base_url/exchanges tells
what came in and why it was refused.

\b
A script, one answer a line:
  {"calls": [{"name": "ls", "arguments": {"path": "."}}]}
  {"text": "Two files."}
  {"status": 429, "retry_after": 1}

\b
Also in a line:
  "reasoning": "…"  before the text; to Anthropic signed thinking
  "finish": "…"     it ends incomplete: length, content_filter; only
                    to Anthropic: context (too long), pause
  "when": "…"       only if the last user text has this part
  "delay": 0.2      seconds before the answer
  "cut_after": 1    cut the connection after so many items
  in a call         "id", and "kind": function, custom, local_shell, shell,
                    apply_patch, computer, tool_search, mcp_approval,
                    server (the provider runs it; only to Anthropic)

\b
Examples:
  turnlock provider
  turnlock provider --port 8080 --script answers.jsonl
  curl http://127.0.0.1:8080/v1/exchanges

\b
Exit codes:
  0  it was stopped, by Ctrl-C or SIGTERM
  2  wrong usage, a script that cannot be played, or a port that is taken
"""


@click.command(help=_HELP)
@click.option("--dialect", type=click.Choice(DIALECTS), help="Speak only this one; default: all.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="The port; default: a free one.",
)
@click.option(
    "--script",
    default="demo",
    metavar="FILE",
    help='What the model says, a JSON object a line; "demo" (the default) is the demo\'s own script.',
)
def provider(dialect: str | None, port: int, script: str) -> None:
    """Serve until stopped."""
    try:
        from turnlock.strict.server import serve  # noqa: PLC0415  # needs an extra
    except ImportError as error:
        needs("demo", error)
    try:
        played = Script.load(script)
    except ScriptError as error:
        raise Unusable(str(error)) from error
    strict = StrictProvider(played, dialect=dialect)  # type: ignore[arg-type]  # click has checked the choice

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            try:
                base_url = await nursery.start(
                    lambda task_status: serve(strict, port=port, task_status=task_status)
                )
            except OSError as error:
                raise Unusable(
                    f"port {port} cannot be used: {error.strerror}; without --port a free one is taken"
                ) from error
            click.echo(json.dumps({"base_url": base_url}))
            if sys.stdout.isatty():
                click.echo("Serving until Ctrl-C; what came in is told at base_url/exchanges.", err=True)

    with suppress(KeyboardInterrupt):  # to be stopped is how it ends
        run(main, stops=(signal.SIGINT, signal.SIGTERM))
