"""What `turnlock fuzz` keeps can be played again, wherever the agent lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AGENT = """
import json
import urllib.request


class Adapter:
    loop = "thread"

    def __init__(self, harness):
        self.url = harness.base_url + "/responses"

    def turn(self, text):  # it has no memory
        body = json.dumps({"model": "m", "input": text}).encode()
        urllib.request.urlopen(self.url, body).read()
"""


@pytest.mark.parametrize("place", ["agent_here.py", "below/agent_there.py", "below/agent-with-dash.py"])
def test_a_kept_test_finds_its_agent(tmp_path: Path, place: str) -> None:
    """The line that the command prints plays it again: the agent is imported, and fails."""
    module = tmp_path / place
    module.parent.mkdir(exist_ok=True)
    module.write_text(AGENT, encoding="utf-8")
    shadow = tmp_path / module.name
    if shadow != module:  # the file that was named is meant, and no other of this name
        shadow.write_text("raise RuntimeError('not this one')", encoding="utf-8")
    hunt = [sys.executable, "-m", "turnlock", "fuzz", f"{place}:Adapter", "--seconds", "20", "--first"]
    told = subprocess.run(hunt, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "test_found_lost.py" in told.stdout
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_found_lost.py"]
    played = subprocess.run(again, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert played.returncode == 1, played.stdout
    assert "Violation" in played.stdout
    assert "request 2 does not" in played.stdout
