"""A failure as people read it: the steps, the few deviations marked, a test that replays it.

Owns the words. Long runs are told by windows around the deviations; a note never has more than some dozen
lines.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from turnlock.testing.scheduling._trio import Run, Step

AROUND = 3
"""Steps that are shown on each side of a deviation, and at the end."""
MARKED = 8
"""Deviations that are shown with what stands around them."""
LEFT = 6
"""Steps in a gap from which on it is left out."""


def note(async_fn: Callable[..., object], run: Run, args: Sequence[object]) -> str:
    """What a failing run's exception is told.

    Args:
        async_fn: What ran.
        run: What happened.
        args: What it was given.
    """
    count = len(run.taken)
    head = f"{len(run.trace)} steps, {run.points} choice point{'s' * (run.points != 1)}, first in, first out"
    if count:
        head += f" but for {count} deviation{'s' * (count != 1)}, marked >"
    return "\n".join((head, *_steps(run), "", *_replay(async_fn, run, args)))


def _steps(run: Run) -> Iterator[str]:
    trace = run.trace
    names = _names(trace)
    marked = [at for at, step in enumerate(trace) if step[0] in run.taken]
    shown: set[int] = set()
    for at in (*marked[:MARKED], len(trace) - 1):
        shown.update(range(max(0, at - AROUND), min(len(trace), at + AROUND + 1)))
    rows = [_HEADINGS, *(_row(at, trace[at], names, run) for at in sorted(shown))]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    before = -2
    for at, row in zip((-1, *sorted(shown)), rows, strict=True):
        if at > before + 1:
            hidden = sum(before < mark < at for mark in marked)
            yield f"   … {at - before - 1} steps" + (f", {hidden} of them deviations" if hidden else "")
        before = at
        numbers = [text.rjust(width) for text, width in zip(row[:4], widths[:4], strict=True)]
        yield "  ".join((*numbers, row[4].ljust(widths[4]), row[5])).rstrip()


_HEADINGS = ("", "step", "point", "time", "runs", "")


def _row(at: int, step: Step, names: dict[int, str], run: Run) -> tuple[str, str, str, str, str, str]:
    point, time, task, _name, overtaken, *_counts = step
    return (
        ">" if point in run.taken else "",
        str(at),
        str(point) if point >= 0 else "",
        f"{time:.3f}",
        names[task] if task >= 0 else "the clock jumps to the next deadline",
        f"instead of {names.get(overtaken, 'a task that never ran')}" if overtaken >= 0 else "",
    )


def _names(trace: Sequence[Step]) -> dict[int, str]:
    """A short name for each task; the second that was made with a name is ``name#2``."""
    seen: dict[str, int] = {}
    names: dict[int, str] = {}
    for task, name in sorted({(task, name) for _point, _time, task, name, *_rest in trace if task >= 0}):
        short = _short(name)
        seen[short] = seen.get(short, 0) + 1
        names[task] = short if seen[short] == 1 else f"{short}#{seen[short]}"
    return names


def _short(name: str) -> str:
    return name.rpartition("<locals>.")[2].rpartition(".")[2]


def _replay(async_fn: Callable[..., object], run: Run, args: Sequence[object]) -> Iterator[str]:
    """A test to paste; where a name cannot be imported, a comment says what to put there."""
    name = getattr(async_fn, "__name__", "story")
    module = getattr(async_fn, "__module__", None)
    yield "A test that replays it:"
    yield ""
    yield "    from turnlock.testing import Deviations, run_scheduled"
    found = getattr(sys.modules.get(module or ""), name, None)
    if found is async_fn and module != "__main__":
        yield f"    from {module} import {name}"
    else:
        yield f"    # {name} as in the test that failed"
    if args:
        yield "    # the arguments as in the test that failed: check that their reprs can be pasted"
    yield ""
    yield "    def test_replay() -> None:"
    given = "".join(f", {argument!r}" for argument in args)
    if run.horizon != 3600.0:
        given += f", horizon={run.horizon!r}"
    yield f"        run_scheduled({name}, {run.deviations!r}{given})"
    if len(run.taken) > MARKED:
        yield ""
        yield f"These are many deviations: shortest({name}, Deviations(...)) finds the few that matter."
