"""Commands of the system as tools run them: own process group, output kept as it comes, TERM then KILL.

The group ends with its command: when the command has ended, when it is cancelled, or when its tool's time is
up, whatever it has started and left behind is asked to end, and killed when its own time is up. Until then
what is printed is given to the call (R7), so that the model learns of it.
"""

from __future__ import annotations

import codecs
import math
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import trio
from attrs import define, field, frozen

from turnlock.tools.context import ToolContext, find_call

_CHUNK = 64 * 1024
_LOOK = 0.05  # seconds of silence after which we look whether there is anybody left to say something
_REST = 0.5  # seconds of a call's own grace that are kept for the end after KILL; never more than half of it


@frozen
class ProcessResult:
    """How a command ended.

    Attributes:
        output: What it printed, standard output and error together, in the order in which it came.
        exit_code: Its exit code; negative is the number of the signal that ended it.
    """

    output: str
    exit_code: int

    def __str__(self) -> str:
        return (
            self.output
            if self.exit_code == 0
            else f"{self.output}\n[exit code {self.exit_code}]".lstrip("\n")
        )


async def run_command(
    command: Sequence[str] | str,
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    grace: float = 1.0,
) -> ProcessResult:
    """Run a command to its end; from a tool, what it prints is given to the call as it comes.

    What it leaves running in the background is ended with it; to outlive it, a process needs a session of its
    own (``setsid``), and its output somewhere else.

    Args:
        command: A list of words, or one string for the system's shell.
        cwd: The folder to run it in.
        env: Variables beside those of this process.
        grace: Seconds between asking the group to end and killing it; fewer when the call that it runs in was
            asked to stop, and has less of its own grace left.

    Raises:
        OSError: It cannot be started.
    """
    process = await trio.lowlevel.open_process(
        command,
        shell=isinstance(command, str),  # a string is for the shell: whoever gives one asks for it
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, **env} if env else None,
        start_new_session=True,  # a group of its own
    )
    assert process.stdout is not None
    printed = _Printed(process.stdout, find_call())
    try:
        # Its end is the end of the command. The end of its output may never come: a process that it has left
        # in the background holds the pipe.
        while await printed.receive() or process.poll() is None:
            if printed.ended:
                await process.wait()
    finally:
        with trio.CancelScope(shield=True):
            await _end_group(process, printed, grace)
            await process.stdout.aclose()
    return ProcessResult(printed.text, process.returncode or 0)


async def _end_group(process: trio.Process, printed: _Printed, grace: float) -> None:
    """TERM, grace, KILL, to everything that the command started; what it says by then is kept."""
    if _signal(process, signal.SIGTERM):
        with trio.move_on_after(grace) as patience:
            while _signal(process, 0):
                patience.deadline = min(patience.deadline, _latest(printed.call))
                await printed.receive()
        _signal(process, signal.SIGKILL)
    await process.wait()
    while not printed.ended and await printed.receive():  # what stands in the pipe
        pass


def _latest(call: ToolContext | None) -> float:
    """When a group must be killed at the latest, so that the call has its end within its own grace (R8)."""
    if call is None or call.until is None:
        return math.inf
    left = call.until - trio.current_time()
    return call.until - min(left / 2, _REST)


def _signal(process: trio.Process, number: int) -> bool:
    """Signal the group; False when nobody is left in it."""
    process.poll()  # a command that has ended is in it until somebody takes note of that
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
        return True
    return False


@define
class _Printed:
    """What a command prints, given to the call as it comes.

    Attributes:
        ended: Nobody can print any more.
    """

    stream: trio.abc.ReceiveStream
    call: ToolContext | None
    ended: bool = False
    _pieces: list[str] = field(factory=list)
    _decode: Callable[[bytes, bool], str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._pieces)

    async def receive(self) -> bool:
        """Take what is there; False when nothing has come for a moment, or nothing can come any more."""
        if self.ended:
            await trio.sleep(_LOOK)
            return False
        chunk: bytes | None = None
        with trio.move_on_after(_LOOK):
            chunk = bytes(await self.stream.receive_some(_CHUNK))
        if chunk is None:
            return False
        self.ended = not chunk
        text = self._decode(chunk, self.ended)
        if text:
            self._pieces.append(text)
            if self.call is not None:
                self.call.output(text)
        return not self.ended
