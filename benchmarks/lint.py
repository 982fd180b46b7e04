"""What linting a file costs: ``turnlock lint`` without its words ÷ a null walk of the same bytes.

    python benchmarks/lint.py [--json] [--rounds N] [--items N]

The null walk decodes each line of the file as JSON and looks at each item of its list once. Both read the
file from disk, in turn, in one process; figures are medians of the paired ratios: single rounds on shared
cores are worthless. Files:

    lines of request bodies, for each dialect: turns of a message, a call, its output and an answer
    a session of Codex, and one of Claude Code: the requests that they imply are checked, every one

Sessions and lines are measured at 1, 4 and 16 times their size: the cost of an item must not grow. The memory
of linting lines is what ``tracemalloc`` counts at its peak.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from attrs import frozen

from turnlock import Message, Text
from turnlock.cli.lint.findings import look
from turnlock.cli.screen import few_collections
from turnlock.engine import Call, Cause, Item, Outcome, Output
from turnlock.machines import InvocationState
from turnlock.wire import DIALECTS, Settings, Severity, ToolSpec, encoder

GATE, AIM = 8.0, 4.0  # lint ÷ null walk
FLAT = 1.25  # cost of an item at 16 times the size ÷ at its size, and memory
SIZES = (1, 4, 16)
TEXT = "There are many files in this folder, and each of them has a name, a size and a date. "

# ── files ───────────────────────────────────────────────────────────────────────────────────────────


def history(turns: int) -> list[Item]:
    """Turns of four items, with texts of the length that agents' have."""
    items: list[Item] = []
    for n in range(1, turns + 1):
        outcome = Outcome(InvocationState.COMPLETED, Cause.RETURNED, TEXT * 4, "", 0.5, "", None)
        items += [
            Message(f"m{n}", f"How many files are in folder {n}?"),
            Call(n, f"call_{n}", "count_files", f'{{"folder": "{n}"}}', 2 * n - 1),
            Output(n, outcome),
            Text(TEXT, 2 * n),
        ]
    return [*items, Message("last", "And now?")]


def bodies(path: Path, dialect: str, lines: int, turns: int) -> Path:
    """Lines of request bodies, wrapped as captures are: their dialect is said."""
    items = history(turns)
    tool = ToolSpec("count_files", "Counts files.", {"type": "object"})
    encoded = encoder(dialect).encode(items, len(items), Settings("benchmark", "Be brief.", (tool,)))
    line = b'{"dialect":"%b","body":%b}\n' % (dialect.encode(), encoded.body)
    path.write_bytes(line * lines)
    return path


def codex(path: Path, turns: int) -> Path:
    """A session as Codex writes it, without the lines that are no items."""

    def rows() -> Iterator[dict[str, Any]]:
        yield {"type": "session_meta", "payload": {"id": "s", "instructions": "Be brief."}}
        for n in range(turns):
            asks = {
                "type": "function_call",
                "call_id": f"call_{n}",
                "name": "shell",
                "arguments": '{"command":["ls"]}',
            }
            answers = {"type": "function_call_output", "call_id": f"call_{n}", "output": TEXT * 4}
            for payload in (_said("user", f"How many in {n}?"), asks, answers, _said("assistant", TEXT)):
                yield {"timestamp": "2026-01-01T00:00:00Z", "type": "response_item", "payload": payload}

    return _lines(path, rows())


def claude(path: Path, turns: int) -> Path:
    """A session as Claude Code writes it: a line for each block."""

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(turns):
            asks = {"type": "tool_use", "id": f"toolu_{n}", "name": "Bash", "input": {"command": "ls"}}
            answers = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": TEXT * 4}
            yield _entry(n, 0, "user", f"How many in {n}?")
            yield _entry(n, 1, "assistant", [asks], id=f"msg_{n}", model="claude")
            yield _entry(n, 2, "user", [answers])
            yield _entry(n, 3, "assistant", [{"type": "text", "text": TEXT}], id=f"msg_{n}b", model="claude")

    return _lines(path, rows())


def _said(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _entry(turn: int, part: int, role: str, content: object, **fields: str) -> dict[str, Any]:
    place = {
        "uuid": f"{turn}-{part}",
        "sessionId": "s",
        "isSidechain": False,
        "cwd": "/src",
        "version": "2.0.0",
    }
    return {**place, "type": role, "message": {"role": role, "content": content, **fields}}


def _lines(path: Path, rows: Iterator[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────


def linted(path: Path) -> None:
    """As the command does it, but for words; nothing may be wrong."""
    with few_collections():
        for found in look(path, None, lambda: None):
            assert found.violation.severity is not Severity.ERROR, found


def walked(path: Path) -> int:
    """The null walk: the number of items."""
    items = 0
    with path.open("rb") as stream:
        for line in stream:
            value = msgspec.json.decode(line)
            body = value.get("body", value)
            rows = body.get("input") or body.get("messages") or body.get("contents") or (body,)
            for row in rows:
                items += bool(len(row))
    return items


@frozen
class Figure:
    """What was measured of one file."""

    ratio: float
    items: int
    us: float


def measure(path: Path, rounds: int) -> Figure:
    """Pairs of a null walk and a lint, in turn."""
    items = walked(path)
    linted(path)
    ratios, spent = [], []
    for _ in range(rounds):
        before = _timed(walked, path)
        spent.append(_timed(linted, path))
        ratios.append(spent[-1] / before)
    return Figure(statistics.median(ratios), items, statistics.median(spent) / items * 1e6)


def _timed(work: Callable[[Path], object], path: Path) -> float:
    gc.collect()
    start = time.process_time()
    work(path)
    return time.process_time() - start


def peak(path: Path) -> int:
    """Bytes at the peak of linting a file."""
    gc.collect()
    tracemalloc.start()
    try:
        linted(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def figures(items: int, rounds: int) -> dict[str, Any]:
    """Everything, by the name of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.jsonl"
        turns = items // 4
        result: dict[str, Any] = {}
        for name, make in (("codex session", codex), ("claude session", claude)):
            result[name] = [measure(make(path, turns * size), rounds) for size in SIZES]
        for dialect in DIALECTS:
            result[dialect] = [measure(bodies(path, dialect, items // 80, 20), rounds)]
        lines = "openai_responses"
        result[lines] += [measure(bodies(path, lines, items // 80 * size, 20), rounds) for size in SIZES[1:]]
        memory = [peak(bodies(path, lines, items // 80 * size, 20)) for size in (SIZES[0], SIZES[-1])]
    return {"files": result, "memory": memory}


def missed(result: dict[str, Any]) -> list[str]:
    """The gates that are not met."""
    found = []
    for name, row in result["files"].items():
        found += [f"{name}: {each.ratio:.1f}" for each in row if each.ratio > GATE]
        if len(row) > 1 and row[-1].us > FLAT * row[0].us:
            found.append(f"{name}: an item costs {row[-1].us / row[0].us:.2f} times as much in a long file")
    first, last = result["memory"]
    if last > FLAT * first:
        found.append(f"memory: {last / first:.2f} times as much for {SIZES[-1]} times the lines")
    return found


def main() -> None:
    """Run, and print a table or JSON; exit 1 when a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--items", type=int, default=4_000, help="items of the smallest file (default 4,000)")
    options = parser.parse_args()
    result = figures(options.items, options.rounds)
    wrong = missed(result)
    if options.json:
        plain = {name: [each.ratio for each in row] for name, row in result["files"].items()}
        print(json.dumps({"python": platform.python_version(), **result, "files": plain, "missed": wrong}))
        sys.exit(bool(wrong))
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}")
    print(f"lint ÷ a null walk of the same bytes (gate {GATE:g}, aim {AIM:g}); at {SIZES} times the size")
    for name, row in result["files"].items():
        ratios = "  ".join(f"{each.ratio:4.1f}" for each in row)
        print(f"  {name:<20} {ratios:<18} {row[0].us:5.2f} µs an item" + _growth(row))
    first, last = result["memory"]
    print(f"memory of linting lines: {first:,} bytes; {last:,} for {SIZES[-1]} times as many")
    print("missed: " + "; ".join(wrong) if wrong else "all gates are met")
    sys.exit(bool(wrong))


def _growth(row: list[Figure]) -> str:
    return f", {row[-1].us / row[0].us:.2f} times that at {SIZES[-1]} times the size" if len(row) > 1 else ""


if __name__ == "__main__":
    main()
