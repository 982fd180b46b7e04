"""Commands of the system as tools run them: own process group, output kept as it comes, TERM then KILL.

A command that is cancelled has its whole group asked to end, and killed when its time is up; what it printed
until then has been given to the call (R7), so that the model learns of it.
"""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import trio
from attrs import frozen

from turnlock.tools.context import find_call

_CHUNK = 64 * 1024


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

    Args:
        command: A list of words, or one string for the system's shell.
        cwd: The folder to run it in.
        env: Variables beside those of this process.
        grace: Seconds between asking the group to end and killing it, when the tool is stopped.

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
        start_new_session=True,  # a group of its own: what it started dies with it
    )
    printed: list[str] = []
    call = find_call()
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    assert process.stdout is not None
    exit_code: int | None = None
    try:
        async with process.stdout as stream:
            while chunk := await stream.receive_some(_CHUNK):
                text = decode(chunk)
                printed.append(text)
                if call is not None:
                    call.output(text)
            exit_code = await process.wait()
    finally:
        if exit_code is None:
            with trio.CancelScope(shield=True):
                await _end_group(process, grace)
    return ProcessResult("".join(printed), exit_code)


async def _end_group(process: trio.Process, grace: float) -> None:
    """TERM, grace, KILL, to everything that the command started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with trio.move_on_after(grace):
        await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
