"""An event loop in a thread of its own, and waiting that works under either loop.

Owns the thread and the hand-over: another thread hands a loop coroutines and gets what became of them. It
must not know what they do. Under asyncio a task is cancelled as ``Task.cancel`` does it: once, at its next
await; under trio by its cancel scope. Nothing here waits without a bound, except where its caller says so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Literal, Self, TypeAlias, TypeVar

import trio
import trio.testing
from attrs import define, field

Library: TypeAlias = Literal["asyncio", "trio"]
T = TypeVar("T")

_PATIENCE = 60.0  # seconds that a loop may take to begin or to end
_END = 20.0  # seconds for a loop to end
_TURN = 8.0  # seconds for tasks to have some turns
_LAST = 5.0  # seconds for tasks that are cancelled when the loop ends
_TURNS = 30


async def wait(future: Future[T], *, shielded: bool = False) -> T:
    """Wait for a future that another thread completes, under asyncio or trio.

    Whoever is cancelled here leaves the future as it is. ``shielded``: under trio, no cancellation is heard;
    asyncio knows no such thing, there it is heard once.

    Raises:
        Exception: What the future was given.
    """
    if not trio.lowlevel.in_trio_run():
        return await asyncio.shield(asyncio.wrap_future(future))
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def tell(_future: Future[T]) -> None:
        if runs_here(token):
            done.set()  # at once: so a schedule under test sees one order
            return
        with suppress(trio.RunFinishedError):  # nobody waits any more
            token.run_sync_soon(done.set)

    future.add_done_callback(tell)
    with trio.CancelScope(shield=shielded):
        await done.wait()
    return future.result()


def runs_here(token: trio.lowlevel.TrioToken) -> bool:
    """Whether this thread is the one of that trio run."""
    return trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is token


@define(eq=False)
class Task:
    """A coroutine that runs in a loop of another thread.

    Attributes:
        future: What becomes of it; cancelled when it ended by its own cancellation.
    """

    future: Future[Any]
    _cancel: Callable[[], None]

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.future.done()

    @property
    def error(self) -> BaseException | None:
        """What it raised; None when it returned, was cancelled, or still runs."""
        if not self.future.done() or self.future.cancelled():
            return None
        return self.future.exception()

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        self._cancel()


@define(eq=False)
class LoopThread:
    """An event loop in a thread of its own.

    Args:
        library: Which loop.
        clock: trio's clock; None is the real one.
        around: A context manager that stands around the run, in its thread.

    Attributes:
        deaf: A task holds the loop, and nothing else runs in it.
    """

    library: Library
    clock: trio.abc.Clock | None = None
    around: Callable[[], Any] | None = None
    _thread: threading.Thread = field(init=False)
    _began: Future[None] = field(factory=Future, init=False)
    _ended: Future[None] = field(factory=Future, init=False)
    _loop: Any = field(default=None, init=False)
    _nursery: Any = field(default=None, init=False)
    _stop: Any = field(default=None, init=False)
    deaf: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name=f"turnlock {self.library} loop", daemon=True)
        self._thread.start()
        self._began.result(_PATIENCE)
        return self

    def __exit__(self, *_error: object) -> None:
        """End the loop: what still runs is cancelled. A task that swallows that is left behind.

        Raises:
            TimeoutError: It does not end.
            BaseException: What ended the loop before.
        """
        if not self._ended.done():
            self._soon(self._stop.set)
        if self.deaf:
            return  # nothing runs in it any more: its thread is left behind
        try:
            self._ended.result(_END)
        except TimeoutError as error:
            if self._ended.done():
                raise  # what ended the loop
            text = "the loop does not end: a task in it shields itself from its cancellation, or blocks"
            raise TimeoutError(text) from error
        self._thread.join(_PATIENCE)

    # ── what other threads call ─────────────────────────────────────────────────────────────────────

    def spawn(self, function: Callable[[], Awaitable[Any]]) -> Task:
        """Start a coroutine."""
        future: Future[Any] = Future()
        if self.library == "trio":
            scope = trio.CancelScope()
            self._soon(partial(self._start, future, partial(_tell_within, scope, future, function)))
            return Task(future, partial(self._soon, scope.cancel))
        made: list[asyncio.Task[Any]] = []

        def start() -> None:
            made.append(self._loop.create_task(_tell(future, function)))
            made[0].add_done_callback(lambda _task: future.cancel())  # if it was cancelled before it began

        self._soon(start)
        return Task(future, partial(self._soon, lambda: made[0].cancel()))  # noqa: PLW0108  # made by then

    def call(self, function: Callable[[], Awaitable[T]], *, patience: float = _PATIENCE) -> T:
        """Run a coroutine and wait for what it returns.

        Raises:
            TimeoutError: It took longer than ``patience`` seconds; it is cancelled.
            BaseException: What it raised.
        """
        task = self.spawn(function)
        try:
            result: T = task.future.result(patience)
        except TimeoutError:
            task.cancel()
            raise
        return result

    def settle(self) -> None:
        """Return when the loop's tasks have had their turns.

        Under trio all of them are blocked then. Under asyncio that cannot be seen; each had a good number.

        Raises:
            TimeoutError: A task holds the loop: it blocks, and nothing else can run.
        """
        try:
            self.call(
                trio.testing.wait_all_tasks_blocked if self.library == "trio" else _some_turns, patience=_TURN
            )
        except TimeoutError:
            self.deaf = True
            raise

    def _start(self, future: Future[Any], started: Callable[[], Awaitable[None]]) -> None:
        try:
            self._nursery.start_soon(started)
        except RuntimeError:  # the nursery is closed: the loop is about to end
            future.cancel()

    def _soon(self, function: Callable[[], object]) -> None:
        if self.library == "trio" and runs_here(self._loop):
            function()
        elif self.library == "asyncio":
            self._loop.call_soon_threadsafe(function)
        else:
            self._loop.run_sync_soon(function)

    # ── in the thread ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            with _around(self.around):
                if self.library == "asyncio":
                    _run_asyncio(self._serve_asyncio)
                else:
                    trio.run(self._serve_trio, clock=self.clock)
        except BaseException as error:  # noqa: BLE001  # told to whoever closes the loop
            self._fail(error)
        else:
            self._ended.set_result(None)

    def _fail(self, error: BaseException) -> None:
        for future in (self._began, self._ended):
            if not future.done():
                future.set_exception(error)

    async def _serve_asyncio(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._began.set_result(None)
        await self._stop.wait()

    async def _serve_trio(self) -> None:
        self._loop = trio.lowlevel.current_trio_token()
        self._stop = trio.Event()
        async with trio.open_nursery() as self._nursery:
            self._began.set_result(None)
            await self._stop.wait()
            self._nursery.cancel_scope.cancel()


def in_thread(function: Callable[[], Any]) -> Task:
    """Run a plain function in a thread of its own; it cannot be cancelled."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  # whoever waits for the future is told
            future.set_exception(error)

    threading.Thread(target=run, name="turnlock thread", daemon=True).start()
    return Task(future, lambda: None)


@contextmanager
def _around(made: Callable[[], Any] | None) -> Iterator[None]:
    if made is None:
        yield
    else:
        with made():
            yield


def _run_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """``asyncio.run``, but a task that swallows its cancellation does not hold it for ever."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_LAST))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


async def _some_turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _tell(future: Future[Any], function: Callable[[], Awaitable[Any]]) -> None:
    """Run a coroutine under asyncio and put what becomes of it into the future."""
    try:
        result = await function()
    except asyncio.CancelledError:
        future.cancel()
        raise
    except BaseException as error:  # noqa: BLE001  # whoever waits for the future is told
        future.set_exception(error)
    else:
        future.set_result(result)


async def _tell_within(
    scope: trio.CancelScope, future: Future[Any], function: Callable[[], Awaitable[Any]]
) -> None:
    """The same under trio: what its own scope has cancelled is taken out of what it raises."""
    returned = False
    try:
        with scope:
            result = await function()
            returned = True
    except BaseException as error:
        if _is_cancelled(error):  # with the loop
            future.cancel()
            raise
        future.set_exception(error)
    else:
        if returned:
            future.set_result(result)
        else:
            future.cancel()


def _is_cancelled(error: BaseException) -> bool:
    """Whether trio has cancelled it, and nothing else has happened."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)
