"""The room is pure, and looks only down."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import turnlock.wire

ROOM = Path(turnlock.wire.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
ALLOWED = {"attrs", "msgspec", "turnlock"}
INSIDE = ("turnlock.engine.items", "turnlock.engine.outcome", "turnlock.errors", "turnlock.wire")
NEVER = {
    "asyncio",
    "datetime",
    "io",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "threading",
    "time",
    "uuid",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_a_file_imports_nothing_but_what_lies_below(path: Path) -> None:
    """Design: no trio, clock, I/O, logging or randomness; of the engine, its items and outcomes."""
    for name in imported(path):
        top = name.partition(".")[0]
        assert top in ALLOWED or top in sys.stdlib_module_names
        assert top not in NEVER
        if top == "turnlock":
            assert name.startswith(INSIDE)


def test_a_room_has_at_most_ten_entries() -> None:
    """Design: a room that grows gets rooms of its own."""
    for room in {path.parent for path in FILES}:
        assert len([each for each in room.iterdir() if each.name != "__pycache__"]) <= 10
    assert max(len(path.read_text().splitlines()) for path in FILES) <= 300
