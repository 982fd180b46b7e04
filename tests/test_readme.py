"""The README says what is true: its code runs as written, its lines are those of CI."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_quick_start_runs_as_written() -> None:
    """The quick start, as a user would paste it: one call, both messages, a true outcome."""
    code = re.search(r"## Quick start\n\n```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    command = [sys.executable, "-W", "error", "-c", code[1]]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    outcome = r"Tool cancelled while it was running, after [\d.]+ s: it may have had effects\."
    assert re.fullmatch(f"count_files -> {outcome}", lines[0])
    assert lines[-1].startswith("Going on:")
    assert lines[-1].endswith(" end_turn")


def test_ci_runs_the_test_line_exactly() -> None:
    """`.ci/run` is the second line of the README and nothing else."""
    line = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"
    assert f"    {line}\n" in README
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert script[-1] == line
    assert shlex.split(script[2]) == ["set", "-euo", "pipefail"]


def test_every_page_that_is_linked_exists() -> None:
    """Links between the pages of the repository lead somewhere."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    links = ((page, target) for page in pages for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()))
    assert [
        f"{page.name} -> {target}"
        for page, target in links
        if "://" not in target and not (page.parent / target).exists()
    ] == []
