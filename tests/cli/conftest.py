"""The demo, played once for all tests: side by side, since most of it is waiting."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.commands import NO_WAY_OUT, SECRETS, Demos, Relay, aside, on_terminal, started, turnlock
from turnlock.cli import main


@pytest.fixture(scope="session")
def demos() -> Iterator[Demos]:
    with ExitStack() as stack:
        provider = stack.enter_context(started("provider", "--script", "demo"))
        url = json.loads(provider.until("base_url"))["base_url"]
        relay = Relay(int(url.removesuffix("/v1").rpartition(":")[2]))
        base_url = stack.enter_context(aside(relay.serving))
        threads = stack.enter_context(ThreadPoolExecutor())
        script = (str(Path(sysconfig.get_path("scripts"), "turnlock")),)
        figures = threads.submit(turnlock, "demo", "--json", command=script, **SECRETS, **NO_WAY_OUT)
        elsewhere = threads.submit(turnlock, "demo", "--json", "--base-url", base_url, **SECRETS)
        narrow = threads.submit(on_terminal, "demo", columns=80)
        colourless = threads.submit(on_terminal, "demo", columns=120, NO_COLOR="1")
        piped = CliRunner().invoke(main, ["demo"], env={"COLUMNS": "80"})
        ended = elsewhere.result()
        provider.process.terminate()
        yield Demos(
            figures.result(), ended, relay, provider.end(), narrow.result(), colourless.result(), piped
        )
