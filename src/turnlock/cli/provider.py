"""``turnlock provider``: the strict provider on loopback, until it is stopped."""

from __future__ import annotations

import json
import signal

import click
import trio

from turnlock.cli import needs
from turnlock.strict import Script, ScriptError, StrictProvider

DIALECTS = ("openai_responses", "openai_chat")


@click.command()
@click.option("--dialect", type=click.Choice(DIALECTS), help="Speak only this one; default: both.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; default: a free one.")
@click.option(
    "--script",
    default="demo",
    metavar="FILE",
    help='What the model says, a JSON object a line; "demo" (the default) is the demo\'s own script.',
)
def provider(dialect: str | None, port: int, script: str) -> None:
    """Serve a provider that answers 400 to every history that the real one refuses.

    Prints {"base_url": …} when it is ready, and serves on loopback until Ctrl-C. Point any OpenAI client at
    the URL, with any key. GET base_url/exchanges tells what came in and why it was refused.

    \b
    A script, one answer a line:
      {"calls": [{"name": "ls", "arguments": {"path": "."}}]}
      {"text": "Two files."}
      {"status": 500}
    \b
    Also in a line: "when" (answer only when the last user text has this part), "delay" (seconds),
    "cut_after" (cut the connection after so many items), and in a call "id" and "kind"
    (function, custom, local_shell, shell, apply_patch, computer, tool_search, mcp_approval).
    """  # noqa: D301  # click leaves a paragraph alone that begins with \b
    try:
        from turnlock.strict.server import serve  # noqa: PLC0415  # needs an extra
    except ImportError as error:
        raise needs("demo", error) from error
    try:
        played = Script.load(script)
    except ScriptError as error:
        raise click.UsageError(str(error)) from error
    strict = StrictProvider(played, dialect=dialect)  # type: ignore[arg-type]  # click has checked the choice

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                base_url = await nursery.start(
                    lambda task_status: serve(strict, port=port, task_status=task_status)
                )
                click.echo(json.dumps({"base_url": base_url}))
                async for _signal in signals:
                    break
            nursery.cancel_scope.cancel()

    try:
        trio.run(run)
    except* OSError as errors:
        reason = errors.exceptions[0]
        raise click.UsageError(f"port {port} cannot be used: {reason}") from errors
