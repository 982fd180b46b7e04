"""The house: who may import whom, what the pure rooms must not touch, and how big a file may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlock

SRC = Path(turnlock.__file__).parent
ROOMS = {
    # room: the rooms that it may import, beside itself and `errors`
    "machines": set(),
    "engine": {"machines"},
    "wire": {"engine"},
    "journal": {"engine"},
    "models": {"engine", "wire", "strict"},
    "tools": {"engine", "wire"},
    "runtime": {"engine", "machines", "wire", "journal", "models", "tools"},
    "strict": set(),
    "explore": {"engine", "machines", "wire", "strict"},
    "diagrams": {"engine", "machines"},
    "reports": {"engine", "wire", "journal"},
    "hosts": {"engine", "machines", "wire", "journal", "models", "tools", "runtime"},
    "guard": {"wire"},
    "testing": {"engine", "models", "tools", "runtime", "hosts", "strict", "explore"},
    "cli": {
        "engine",
        "machines",
        "wire",
        "journal",
        "models",
        "tools",
        "runtime",
        "strict",
        "explore",
        "diagrams",
        "reports",
        "hosts",
        "guard",
        "testing",
    },
}
PURE = ("machines", "engine", "wire", "explore", "diagrams")
IMPURE_MODULES = {
    "asyncio",
    "datetime",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "structlog",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "trio",
    "uuid",
}
"""A clock, I/O, logging, randomness, or an event loop."""
IMPURE_CALLS = {"open", "print", "input", "breakpoint"}


def files(*rooms: str) -> list[Path]:
    folders = [SRC / room for room in rooms] if rooms else [SRC]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that this test can read them"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """The room of turnlock that a module belongs to; None for everything else."""
    parts = module.split(".")
    return parts[1] if parts[0] == "turnlock" and len(parts) > 1 and parts[1] in ROOMS else None


def name(path: Path) -> str:
    return str(path.relative_to(SRC))


def test_every_room_stands_in_the_table() -> None:
    """A new room is given its place before it is built."""
    assert {path.name for path in SRC.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_below_it(room: str) -> None:
    """Nothing imports upwards, and strict imports nothing of turnlock."""
    wrong = [
        f"{name(path)} imports {module}"
        for path in files(room)
        for module in imports(path)
        if (there := room_of(module)) is not None and there != room and there not in ROOMS[room]
    ]
    assert wrong == []


def test_strict_is_an_oracle_of_its_own() -> None:
    """Not even the errors of turnlock are shared with the room that judges the others."""
    wrong = [
        f"{name(path)} imports {module}"
        for path in files("strict")
        for module in imports(path)
        if module.split(".")[0] == "turnlock"
        and not module.startswith("turnlock.strict")
        and module != "turnlock"
    ]
    assert wrong == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_nothing_of_the_world(room: str) -> None:
    """No trio, clock, I/O, logging or randomness: by imports and by calls."""
    wrong = [
        f"{name(path)} imports {module}"
        for path in files(room)
        for module in imports(path)
        if module.split(".")[0] in IMPURE_MODULES
    ]
    wrong += [
        f"{name(path)} calls {node.func.id}()"
        for path in files(room)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
    ]
    assert wrong == []


def test_only_the_hosts_use_asyncio() -> None:
    """Everything else runs under trio, or names no event loop at all, as guard/ does."""
    hosts = set(files("hosts"))
    assert [name(path) for path in files() if path not in hosts and "asyncio" in set(imports(path))] == []


def test_the_library_prints_nothing_and_configures_no_logging() -> None:
    """Results are returned, events are logged; handlers and levels are the application's."""
    allowed = SRC / "cli"
    wrong = []
    for path in files():
        if allowed in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"print", "logging.basicConfig", "structlog.configure"} or called.endswith(
                    (".addHandler", ".setLevel")
                ):
                    wrong.append(f"{name(path)}:{node.lineno} {called}")
    assert wrong == []


def test_files_stay_small_and_rooms_have_few() -> None:
    """No file over 700 lines, no room of more than ten files."""
    assert [name(path) for path in files() if len(path.read_text().splitlines()) > 700] == []
    crowded = {
        folder: count
        for folder in {path.parent for path in files()}
        if (count := sum(path.suffix == ".py" and path.name != "__init__.py" for path in folder.iterdir()))
        > 10
    }
    assert crowded == {}


def test_the_layout_page_is_true() -> None:
    """docs/layout.md names every room."""
    page = Path(__file__).parents[1] / "docs" / "layout.md"
    text = page.read_text()
    assert [room for room in ROOMS if f"`{room}/`" not in text] == []
