"""The fixtures as other people's tests use them: in any style, for agents in any language."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import unittest
from collections.abc import Iterator

import pytest
import trio

from support.plain_client import ASK, BAD, post
from turnlock.testing import Gates, Provider

LINES = ({"calls": [{"name": "ls"}]}, {"text": "Two files."})

PYTHON = """
import json, sys, urllib.request

base_url, history = sys.argv[1], [{"role": "user", "content": sys.argv[2]}]

def ask():
    body = json.dumps({"model": "any", "input": history}).encode()
    request = urllib.request.Request(base_url + "/responses", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["output"]

while (item := ask()[0])["type"] == "function_call":
    output = {"type": "function_call_output", "call_id": item["call_id"], "output": "a.txt b.txt"}
    history += [item, output]
print(item["content"][0]["text"])
"""

NODE = """
const http = require("http");
const [base, text] = process.argv.slice(1);
const history = [{role: "user", content: text}];

function ask() {
  const request = http.request(base + "/responses", {method: "POST", agent: false}, answer => {
    let raw = "";
    answer.on("data", piece => raw += piece);
    answer.on("end", () => {
      const output = JSON.parse(raw).output;
      const calls = output.filter(item => item.type === "function_call");
      if (!calls.length) return console.log(output[0].content[0].text);
      history.push(...calls);
      calls.forEach(call => history.push(
        {type: "function_call_output", call_id: call.call_id, output: "a.txt b.txt"}));
      ask();
    });
  });
  request.end(JSON.stringify({model: "any", input: history}));
}
ask();
"""

SHELL = """
answer=$(curl -sf "$1/responses" -d '{"input":"'"$2"'"}')
before=$(printf %s "$answer" | sed 's/^{"id":"\\([^"]*\\)".*/\\1/')
call=$(printf %s "$answer" | sed 's/.*"call_id":"\\([^"]*\\)".*/\\1/')
output='{"type":"function_call_output","call_id":"'$call'","output":"a.txt b.txt"}'
curl -sf "$1/responses" -d '{"previous_response_id":"'$before'","input":['"$output"']}' |
  sed 's/.*"output":\\[{.*"text":"\\([^"]*\\)"}\\].*/\\1/'
"""


def run_agent(program: str, *arguments: str) -> str:
    """What an agent prints, in whichever language it is written."""
    ended = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_an_agent_in_another_process(strict_provider: Provider) -> None:
    """Three lines: say what the model says, run the agent, look at what it sent."""
    strict_provider.answers(*LINES)
    said = run_agent(sys.executable, "-c", PYTHON, strict_provider.base_url, "List the files.")
    assert (said, strict_provider.transcripts) == ("Two files.\n", ("U", "U K(a) O(a)"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_an_agent_in_javascript(strict_provider: Provider) -> None:
    """The same for another language."""
    strict_provider.answers(*LINES)
    said = run_agent("node", "-e", NODE, strict_provider.base_url, "List the files.")
    assert (said, strict_provider.transcripts) == ("Two files.\n", ("U", "U K(a) O(a)"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_agent_in_a_shell(strict_provider: Provider) -> None:
    """The same for a script that leaves the history with the provider, and sends only what is new."""
    strict_provider.answers(*LINES)
    said = run_agent("sh", "-c", SHELL, "agent", strict_provider.base_url, "List the files.")
    assert (said.strip(), strict_provider.transcripts) == ("Two files.", ("U", "O(a)"))


def test_in_a_plain_test(strict_provider: Provider) -> None:
    """Lines that are left over are no failure."""
    strict_provider.answers(*LINES)
    assert post(strict_provider.base_url, ASK)[0] == 200


def test_under_asyncio(strict_provider: Provider) -> None:
    """The test may run whatever loop it likes."""
    strict_provider.answers(*LINES)
    assert asyncio.run(asyncio.to_thread(post, strict_provider.base_url, ASK))[0] == 200


async def test_under_trio(strict_provider: Provider) -> None:
    """Async tests of pytest-trio have the fixture as well."""
    strict_provider.answers(*LINES)
    assert (await trio.to_thread.run_sync(post, strict_provider.base_url, ASK))[0] == 200


class TestInTheStyleOfUnittest(unittest.TestCase):
    """Fixtures reach a TestCase by an autouse fixture of its own."""

    provider: Provider

    @pytest.fixture(autouse=True)
    def _take(self, strict_provider: Provider) -> None:
        self.provider = strict_provider

    def test_asks(self) -> None:
        """Each test of the case has a provider of its own."""
        self.provider.answers(*LINES)
        self.assertEqual(post(self.provider.base_url, ASK)[0], 200)  # noqa: PT009 - the style of unittest
        self.assertEqual(len(self.provider.exchanges), 1)  # noqa: PT009 - the style of unittest


def test_refusals_that_are_expected(strict_provider: Provider) -> None:
    """A test whose point is a refusal says so, by its rule or without."""
    strict_provider.expect_refusals("RESP-CALL-NO-OUTPUT")
    assert post(strict_provider.base_url, BAD)[0] == 400
    assert not strict_provider.unexpected
    post(strict_provider.base_url, ASK)
    assert [exchange.rule for exchange in strict_provider.unexpected] == ["SCRIPT"]
    strict_provider.expect_refusals()
    assert not strict_provider.unexpected


@pytest.fixture
def agent(strict_provider: Provider, gates: Gates) -> Iterator[threading.Thread]:
    """An agent in a thread, whose tool is gated."""
    work = gates.blocking_tool("work")

    def run() -> None:
        (call,) = post(strict_provider.base_url, ASK)[1]["output"]
        output = work(json.loads(call["arguments"])["step"])
        answer = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        post(strict_provider.base_url, {"input": [{"role": "user", "content": "go"}, call, answer]})

    thread = threading.Thread(target=run)
    yield thread
    thread.join(30)


def test_a_gated_tool(strict_provider: Provider, gates: Gates, agent: threading.Thread) -> None:
    """The test sees the tool arrive, and decides when it returns and what."""
    strict_provider.answers({"calls": [{"name": "work", "arguments": {"step": "a"}}]}, {"text": "Done."})
    agent.start()
    strict_provider.wait_for(lambda: gates.waiting == ("a",))
    assert strict_provider.transcripts == ("U",)
    gates.open("a", "finished")
    strict_provider.wait_for(lambda: len(strict_provider.exchanges) == 2)
    assert strict_provider.bodies[-1]["input"][-1]["output"] == "finished"
