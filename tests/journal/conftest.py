"""Journals of every sort; and writing that takes no thread, for stories on a clock of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from support.storage import SORTS, OpenJournal
from turnlock.journal import jsonl


@pytest.fixture(params=SORTS)
def open_journal(request: pytest.FixtureRequest, tmp_path: Path) -> OpenJournal:
    return SORTS[request.param](tmp_path)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write where the session runs: a clock that jumps when nothing is to be done knows of no threads."""

    async def at_once(function: Callable[..., Any], *args: object) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(jsonl, "_in_thread", at_once)
