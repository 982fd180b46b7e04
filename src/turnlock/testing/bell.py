"""A lock with a bell: threads and trio tasks wait until something is so, and are woken when it may be.

Owns how one thread wakes another, and how a thread wakes a trio task of any loop. Must not know what is
waited for. Waking is a look at the condition again: nobody sleeps for a time, and nobody polls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import trio
from attrs import define, field

from turnlock.hosts.loops import runs_here


@define(eq=False)
class Bell:
    """What guards a state that several threads look at, and tells them that it changed."""

    _lock: threading.Condition = field(factory=threading.Condition, init=False)
    _asleep: list[tuple[trio.lowlevel.TrioToken, trio.Event]] = field(factory=list, init=False)

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Hold the lock; whoever waits looks again when the block ends. Can be nested."""
        with self._lock:
            try:
                yield
            finally:
                woken, self._asleep = self._asleep, []
                self._lock.notify_all()
        for token, event in woken:
            if runs_here(token):
                event.set()  # at once, so that a schedule under test sees no other order
            else:
                with suppress(trio.RunFinishedError):  # its loop has ended, and the task with it
                    token.run_sync_soon(event.set)

    def ring(self) -> None:
        """Have whoever waits look again."""
        with self.changes():
            pass

    def wait_for(self, so: Callable[[], bool], timeout: float) -> bool:
        """Block this thread until ``so()``, for ``timeout`` seconds at most; whether it is so."""
        with self._lock:
            return self._lock.wait_for(so, timeout)

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait until ``so()``, under trio."""
        await trio.lowlevel.checkpoint()
        while True:
            with self._lock:
                if so():
                    return
                asleep = (trio.lowlevel.current_trio_token(), trio.Event())
                self._asleep.append(asleep)
            try:
                await asleep[1].wait()
            finally:
                with self._lock, suppress(ValueError):  # whoever wakes us has taken it out
                    self._asleep.remove(asleep)
