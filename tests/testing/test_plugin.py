"""The plugin in runs of pytest of its own: what fails, what is told, and what is not imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import support

CLIENT = Path(support.__file__).parent / "plain_client.py"


def run(folder: Path, test: str, *options: str, **env: str) -> tuple[int, str]:
    """Run pytest on this text, with every warning an error; its status, and all that it said."""
    folder.joinpath("test_agent.py").write_text(test)
    folder.joinpath("plain_client.py").write_text(CLIENT.read_text())
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    ended = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env={**os.environ, **env},
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_pytest_finds_it() -> None:
    """Whoever has turnlock installed has the fixtures, without a line in a conftest."""
    (found,) = {point.value for point in entry_points(group="pytest11", name="turnlock")}
    assert found == "_turnlock_pytest"


FAILING = """
import pytest
from plain_client import ASK, BAD, post

def test_refused(strict_provider):
    post(strict_provider.base_url, BAD)

def test_fails_by_itself(strict_provider):
    status, _ = post(strict_provider.base_url, ASK)
    assert status == 200

@pytest.fixture
def agent(strict_provider):
    yield
    post(strict_provider.base_url, {"input": [{"role": "user", "content": 1}]})

def test_refused_behind_it(agent):
    pass

def test_long(strict_provider):
    post(strict_provider.base_url, {"input": "x" * 3000})

def test_of_a_function_of_its_own(strict_provider):
    def listen(change):
        raise ZeroDivisionError("a slip")
    strict_provider.answers({"text": "a"})
    strict_provider.subscribe(listen)
    post(strict_provider.base_url, ASK)

@pytest.mark.xfail(strict=True)
def test_known(strict_provider):
    post(strict_provider.base_url, BAD)

def test_skipped(strict_provider):
    post(strict_provider.base_url, BAD)
    pytest.skip("not here")

def test_the_server_lives_on(strict_provider):
    strict_provider.answers({"text": "a"})
    assert post(strict_provider.base_url, ASK)[0] == 200
"""


def test_what_fails_a_test(tmp_path: Path) -> None:
    """A refused request fails it, in the provider's words and with the history that it refused (C4)."""
    status, said = run(tmp_path, FAILING, "-p", "no:randomly", "-rA")
    assert status == 1
    assert re.search(r"4 failed, 2 passed, 1 skipped, 1 xfailed, 1 error in", said)
    outcomes = dict(reversed(line) for line in re.findall(r"^(\w+) test_agent.py::(\w+)", said, re.MULTILINE))
    assert outcomes["test_refused"] == "FAILED"
    assert outcomes["test_refused_behind_it"] == "ERROR"
    assert (
        "The provider refused a request:\n"
        "  request 1, 400 RESP-CALL-NO-OUTPUT: No tool output found for function call call_1.\n"
        '    U("hi") K(a, ls {})\n'
        "Mend the agent or the script, or say strict_provider.expect_refusals() where that is the point.\n"
    ) in said
    # One that fails by itself keeps its own words, and has those of the provider behind it.
    found = re.search(r"^_+ test_fails_by_itself _+$(.*?)^_{9}", said, re.MULTILINE | re.DOTALL)
    assert found is not None
    own, _, behind = found[1].partition("- Captured strict provider call -")
    assert "assert 422 == 200" in own
    assert "The script has no line for this request" in behind
    assert "Invalid type for 'input[0].content'" in said
    assert "ZeroDivisionError: a slip" in said
    assert "xxxxxxxxx" not in said.partition("_ test_long _")[2].partition("____")[0].partition("\n    U")[2]


PASSING = """
import asyncio, unittest
import pytest
from plain_client import ASK, post

@pytest.mark.parametrize("number", range(12))
def test_many(strict_provider, number):
    strict_provider.answers({"text": str(number)}, {"text": "unused"})
    for _ in range(2 if number % 2 else 1):
        assert post(strict_provider.base_url, ASK)[0] == 200
    assert strict_provider.transcript == "U"

def test_gates_that_nobody_opened(strict_provider, gates):
    work = gates.blocking_tool()
    import threading
    threading.Thread(target=work, args=["a"]).start()
    strict_provider.wait_for(lambda: gates.waiting == ("a",))

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, strict_provider):
        self.provider = strict_provider

    def test_asks(self):
        self.provider.answers({"text": "a"})
        assert post(self.provider.base_url, ASK)[0] == 200

def test_under_asyncio(strict_provider):
    strict_provider.answers({"text": "a"})
    assert asyncio.run(asyncio.to_thread(post, strict_provider.base_url, ASK))[0] == 200
"""


def test_in_two_processes_at_once(tmp_path: Path) -> None:
    """Under pytest-xdist each worker has a server; no test sees another's, and all end without a warning."""
    options = ["-p", "xdist.plugin", "-p", "_turnlock_pytest", "-n", "2"]
    status, said = run(tmp_path, PASSING, *options, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert (status, re.findall(r"\d+ passed|warning|Warning", said)) == (0, ["15 passed"])


LIGHT = """
import sys

HEAVY = {"turnlock", "trio", "hypothesis", "hypercorn", "httpx2", "openai", "attr"}

def test_nothing_heavy():
    assert {name for name in HEAVY if sys.modules.get(name)} == set()

def test_that_uses_it(strict_provider):
    pass
"""
CONFTEST = """
import sys
sys.modules["hypercorn"] = None
"""


def test_those_who_do_not_use_it_pay_nothing(tmp_path: Path) -> None:
    """Only a test that uses a fixture imports anything, and is told what to install when that is missing."""
    tmp_path.joinpath("conftest.py").write_text(CONFTEST)
    status, said = run(
        tmp_path, LIGHT, "-p", "_turnlock_pytest", "--tb=short", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )
    assert (status, re.findall(r"1 passed, 1 error", said)) == (1, ["1 passed, 1 error"])
    assert "a fixture of turnlock needs a package that is not installed (No module named 'hypercorn" in said
    assert "During handling" not in said
    assert "pip install 'turnlock[testing]'" in said


def test_the_library_without_the_extra() -> None:
    """What is asked for says what to install."""
    script = "import sys; sys.modules['hypercorn'] = None; from turnlock.testing import loopback"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith(
        "turnlock.errors.MissingExtra: turnlock.testing.loopback needs"
    )
    assert "turnlock[testing]" in ended.stderr
