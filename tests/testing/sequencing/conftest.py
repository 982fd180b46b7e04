"""What holds for every story."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

_KEPT = "turnlock loopback"  # the server of the process stays
_PATIENCE = 30.0


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Every story ends its loops, its threads and its tools, however it ends."""
    before = set(threading.enumerate())
    yield
    left = [
        each
        for each in threading.enumerate()
        if each not in before and each.name.startswith("turnlock") and each.name != _KEPT
    ]
    for thread in left:
        if thread.name == "turnlock thread":  # a plain function that has just been let go
            thread.join(_PATIENCE)
    assert not [thread for thread in left if thread.is_alive()]
