"""Commands: their output as it comes, their end, and the end of everything that they started.

On the real clock: processes take the time that they take. Margins are wide, and nothing waits for a time
that a slow machine could miss.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from support.live import asked, call, only, told, until
from turnlock import (
    CallEnded,
    CallLeaked,
    CallOutput,
    CallStarted,
    Cause,
    Limits,
    ProcessResult,
    Scripted,
    Session,
    TurnEnded,
    run_command,
    tool,
)
from turnlock.models import Say

PYTHON = sys.executable


def alive(pid: int) -> bool:
    """A process is there, and not only its entry."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(*pids: int) -> None:
    with trio.fail_after(20):
        while any(map(alive, pids)):
            await trio.sleep(0.01)


@pytest.fixture(autouse=True)
def proc() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks into /proc")


async def test_output_and_exit_code() -> None:
    """Both outputs in the order in which they came, and how it ended."""
    result = await run_command(["sh", "-c", "echo one; echo two >&2; echo three; exit 3"])
    assert result == ProcessResult("one\ntwo\nthree\n", 3)
    assert str(result) == "one\ntwo\nthree\n\n[exit code 3]"
    assert str(await run_command(["true"])) == ""
    assert str(await run_command(["false"])) == "[exit code 1]"
    assert (await run_command("kill -9 $$")).exit_code == -signal.SIGKILL


async def test_how_it_is_started(tmp_path: Path) -> None:
    """A string is for the shell; folder and variables are those that were given; it reads nothing."""
    script = 'pwd; echo "$MINE $HOME"; cat'
    result = await run_command(script, cwd=tmp_path, env={"MINE": "yes"})
    assert result.output == f"{tmp_path}\nyes {os.environ['HOME']}\n"
    with pytest.raises(FileNotFoundError):
        await run_command(["no-such-command-anywhere"])


async def test_a_lot_of_output() -> None:
    """More than any pipe holds, whole and in order; half a character at the end is not lost silently."""
    result = await run_command([PYTHON, "-c", "print('line\\n' * 300_000, end='')"])
    assert result == ProcessResult("line\n" * 300_000, 0)
    result = await run_command(["printf", r"Gr\303\274\303"])
    assert result.output == "Grü�"


async def test_output_comes_as_it_is_printed(tmp_path: Path) -> None:
    """R7: the host sees it while the command runs, and the call keeps it."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    @tool
    async def shell(command: str) -> str:
        return str(await run_command(command, env={"FIFO": str(fifo)}))

    seen: list[str] = []
    model = Scripted([call("shell", "a", command="echo one; read x < $FIFO; echo two"), Say("A")])
    async with Session(model, tools=[shell]) as session, session.turn("U1") as turn:
        with trio.fail_after(30):
            async for event in turn:
                if isinstance(event, CallOutput):
                    seen.append(event.text)
                    if len(seen) == 1:
                        await trio.to_thread.run_sync(fifo.write_text, "x\n")
    assert seen == ["one\n", "two\n"]
    assert asked(model)[1] == "U1 K(a) O(a: one\ntwo\n)"


async def test_the_group_is_killed() -> None:
    """R8: TERM to all of it, what it still prints is kept, then KILL to whoever is left."""
    script = """
        trap 'echo asked to stop' TERM
        sh -c 'trap "" TERM; echo $$; while true; do sleep 0.05; done' &
        echo $$
        while true; do sleep 0.05; done
    """
    seen: list[str] = []

    @tool
    async def shell() -> str:
        return str(await run_command(script, grace=0.3))

    model = Scripted([call("shell", "a"), Say("A")])
    async with Session(model, tools=[shell], limits=Limits(grace=20)) as session:
        with trio.fail_after(40):
            async with session.turn("U1") as turn:
                async for event in turn:
                    if isinstance(event, CallOutput):
                        seen.append(event.text)
                        if "".join(seen).count("\n") == 2:
                            await session.cancel(event.call)
    printed = "".join(seen)
    pids = [int(line) for line in printed.split() if line.isdigit()]
    assert len(pids) == 2
    await gone(*pids)
    text = asked(model)[1]
    assert "Tool cancelled while it was running" in text
    assert "asked to stop" in text.split("Output so far (incomplete):")[1]


async def soon(so: Callable[[], bool]) -> bool:
    """It becomes so within 20 seconds of real time, while the clock of the loop may stand still."""
    end = time.monotonic() + 20
    while not so() and time.monotonic() < end:
        await trio.to_thread.run_sync(time.sleep, 0.01)
    return so()


@pytest.mark.parametrize(("grace", "passed"), [(0.2, 0.15), (0.0, 0.0)])
async def test_no_more_time_than_its_call_has(mock_clock: MockClock, grace: float, passed: float) -> None:
    """R8: a command that ignores TERM is killed within its call's grace, however long its own; it is no leak.

    The clock moves by the steps that are taken here; the processes take the time that they take.
    """

    @tool
    async def shell() -> str:
        return str(await run_command("trap '' TERM; echo $$; while true; do sleep 0.05; done", grace=60))

    model = Scripted([call("shell", "a"), Say("A")])
    async with Session(model, tools=[shell], limits=Limits(grace=grace)) as session:
        events = session.events()
        await session.send("U1")
        printed = await until(events, CallOutput)
        await session.cancel(printed.call)
        for _ in range(round(passed * 100)):
            await wait_all_tasks_blocked()
            mock_clock.jump(0.01)
        killed = await soon(lambda: not alive(int(printed.text)))
        if not killed:
            mock_clock.rate = 1000.0  # the story is over: let the session end
        assert killed
        assert (await until(events, CallEnded)).outcome.cause is Cause.SKIPPED
        await until(events, TurnEnded)
        assert await soon(lambda: not session.leaks)  # no time has passed
        mock_clock.jump(10.0)  # whoever were late would be seen
        await wait_all_tasks_blocked()
        assert session.leaks == ()
        assert only(told(events), CallLeaked) == []


async def test_a_grace_of_its_own() -> None:
    """A command that nobody's call has stopped takes the grace that it was given."""
    script = "trap 'echo asked' TERM; echo $$; while true; do sleep 0.05; done"
    with trio.fail_after(20):
        result = await run_command(f"sh -c {shlex.quote(script)} & sleep 0.5", grace=0.3)
    pid, *said = result.output.split()
    assert "asked" in said
    await gone(int(pid))


async def test_one_that_ends_when_it_is_told_to() -> None:
    """R8: nobody waits the grace for a group that is gone."""
    with trio.fail_after(20), trio.move_on_after(0.3):
        await run_command(["sleep", "60"], grace=60)


async def test_what_it_leaves_behind() -> None:
    """A process in the background does not hold the call, and ends with its command."""
    with trio.fail_after(20):
        result = await run_command("sleep 60 & echo $!; echo done")
    pid, done = result.output.split()
    assert (done, result.exit_code) == ("done", 0)
    await gone(int(pid))


async def test_what_it_leaves_behind_with_its_output_elsewhere() -> None:
    """The same for one that does not hold the pipe."""
    with trio.fail_after(20):
        result = await run_command("sleep 60 > /dev/null 2>&1 & echo $!")
    await gone(int(result.output))


async def test_one_that_has_left_the_group() -> None:
    """A process with a session of its own lives on, and holds nothing up although it has the pipe."""
    code = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
    with trio.fail_after(20):
        result = await run_command(f'"{PYTHON}" -c "{code}" & sleep 0.5; echo done')
    pid = int(next(line for line in result.output.split() if line.isdigit()))
    assert "done" in result.output
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    await gone(pid)


async def test_one_that_closes_its_output() -> None:
    """The end of its output is not the end of the command."""
    with trio.fail_after(20):
        result = await run_command("exec >&- 2>&-; sleep 0.2; exit 4")
    assert result == ProcessResult("", 4)


async def test_a_deadline() -> None:
    """C5: timed out, with what it had printed; the turn goes on."""

    @tool(deadline=0.5)
    async def shell() -> str:
        return str(await run_command("echo begun; sleep 60"))

    model = Scripted([call("shell", "a"), Say("A")])
    async with Session(model, tools=[shell], limits=Limits(grace=20)) as session:
        with trio.fail_after(40):
            result = await session.run("U1")
    assert result.calls[0].outcome is not None
    assert result.calls[0].outcome.cause is Cause.DEADLINE
    assert result.calls[0].outcome.partial == "begun\n"


async def test_a_result_that_is_returned_whole() -> None:
    """It is a value like others: the model reads it as JSON."""

    @tool
    async def shell() -> ProcessResult:
        return await run_command("echo hi; exit 1")

    model = Scripted([call("shell", "a"), Say("A")])
    async with Session(model, tools=[shell]) as session:
        events = session.events()
        await session.run("U1")
        assert len(only(list(events._events), CallStarted)) == 1
    assert asked(model)[1] == 'U1 K(a) O(a: {"exit_code":1,"output":"hi\\n"})'
