"""docs/testing.md: its tests run under pytest, its tables are those of the code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from turnlock.testing import Gates, Provider, loopback
from turnlock.testing.plugin import complaint

PAGE = Path(__file__).parents[2].joinpath("docs", "testing.md").read_text()

AGENT = """#!{python}
import json, sys, urllib.request

url, history = sys.argv[2], [{{"role": "user", "content": sys.argv[3]}}]

def ask():
    body = json.dumps({{"model": "any", "input": history}}).encode()
    with urllib.request.urlopen(url + "/responses", body) as answer:
        return json.load(answer)["output"][0]

while (item := ask())["type"] == "function_call":
    history += [item, {{"type": "function_call_output", "call_id": item["call_id"], "output": "a.txt b.txt"}}]
"""


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    """Each block that has a test is run by pytest as it stands, with an agent of the name that it runs."""
    blocks = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def test_" in block]
    for number, block in enumerate(blocks):
        tmp_path.joinpath(f"test_block_{number}.py").write_text(block)
    agent = tmp_path / "my-agent"
    agent.write_text(AGENT.format(python=sys.executable))
    agent.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )
    assert (ended.returncode, re.findall(r"\d+ passed", ended.stdout)) == (0, [f"{len(blocks)} passed"])
    assert len(blocks) > 1


def test_every_member_of_a_provider() -> None:
    """The table has each public name once."""
    table = PAGE.partition("| of a provider | meaning |")[2].partition("\n\n")[0]
    told = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)[(`]", row.split(" | ")[0])]
    made = {name for name in dir(Provider) if not name.startswith("_")}
    assert sorted(told) == sorted(made - {"of"})


def test_what_the_page_says_of_gates_is_there() -> None:
    """Names of the gates that the page uses."""
    used = set(re.findall(r"gates\.(\w+)", PAGE))
    assert {name for name in used if not hasattr(Gates, name)} == set()


def test_the_complaint_of_the_page() -> None:
    """It is word for word what a test is told."""
    told = PAGE.partition("refused:\n\n")[2].partition("\n\n")[0]
    with loopback({"calls": [{"name": "ls"}]}) as provider:
        user = {"role": "user", "content": "List the files."}
        provider.respond("POST", "/responses", [], b'{"input": "List the files."}').finish("complete")
        call = {"type": "function_call", "call_id": "call_001_00001", "name": "ls", "arguments": "{}"}
        body = {"input": [user, call, {"role": "user", "content": "wait"}]}
        provider.respond("POST", "/responses", [], json.dumps(body).encode())
        assert complaint(provider) == re.sub("^    ", "", told, flags=re.MULTILINE)
