"""How a command ends when something outside ends it: a code and a word, never a traceback.

Owns Ctrl-C, readers that leave, and outputs that cannot be written. What a command itself finds or refuses is
said by the command.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import NoReturn, TypeVar

import click
import trio

_T = TypeVar("_T")

INTERRUPTED = 130
"""Ctrl-C, as shells say it: 128 + SIGINT."""

READER_LEFT = 141
"""Whoever read the output is gone (`| head -1`): 128 + SIGPIPE."""


class Unusable(click.ClickException):
    """It cannot be done that way; the message names the repair."""

    exit_code = 2


def leave(error: BaseException) -> NoReturn:
    """End the command for what came from outside or is for the user; raise again what is neither."""
    parts = tuple(_leaves(error))
    if any(isinstance(part, KeyboardInterrupt) for part in parts):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one has nothing left to end in order
        click.echo(err=True)  # the prompt gets a line of its own
        raise click.exceptions.Exit(INTERRUPTED) from None
    if isinstance(parts[0], click.ClickException):  # it left through a nursery
        raise parts[0]
    if all(isinstance(part, BrokenPipeError) for part in parts):
        _forget_output()
        raise click.exceptions.Exit(READER_LEFT) from None
    if isinstance(parts[0], UnicodeEncodeError):
        letter = parts[0].object[parts[0].start]
        encoding = parts[0].encoding
        raise Unusable(f"{letter!a} cannot be written in {encoding}: set PYTHONIOENCODING=utf-8") from None
    if all(isinstance(part, OSError) for part in parts):
        _forget_output()
        raise Unusable(str(parts[0])) from None
    raise error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _forget_output() -> None:
    """Send what is still buffered nowhere: written at exit, it would fail a second time."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(main: Callable[[], Awaitable[_T]], *, stops: Iterable[signal.Signals] = (signal.SIGINT,)) -> _T:
    """``trio.run`` that is left in order when one of these signals comes; it then ends in KeyboardInterrupt.

    Python's own way raises the interrupt wherever the code stands, also inside a server or a session that is
    being closed. A second Ctrl-C does not wait for anybody: it ends the process.
    """

    async def watched() -> _T:
        with trio.open_signal_receiver(*stops) as signals:
            async with trio.open_nursery() as nursery:

                async def stop() -> None:
                    async for _signal in signals:
                        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the receiver is left
                        nursery.cancel_scope.cancel()

                nursery.start_soon(stop)
                result = await main()
                nursery.cancel_scope.cancel()
                return result
        raise KeyboardInterrupt

    return trio.run(watched)
