"""``turnlock lint``: what it finds, how it tells it, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, strategies as st

from support.session_files import META, call, event, item, output, said, write
from turnlock.cli import main
from turnlock.cli.lint.findings import look
from turnlock.reports import open_recording
from turnlock.wire import check

LITERAL = "No tool output found for function call a."
OPEN = {"input": [said("user", "Look."), call("a"), said("user", "Stop.")]}
SOUND = {"input": [said("user", "Look."), call("a"), output("a")]}


def lint(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["lint", *map(str, arguments)], prog_name="turnlock")


def found(*arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lint(*arguments, "--json").stdout.splitlines()]


def saved(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def refused(tmp_path: Path) -> Path:
    """A session whose third request was refused, and the fourth too."""
    error = event("error", message=f'unexpected status 400: {{"error": {{"message": "{LITERAL}"}}}}')
    return write(
        tmp_path / "rollout.jsonl",
        META,
        item(said("user", "Look.")),
        item(said("assistant", "Looking.")),
        item(said("user", "Go on.")),
        item(call("a")),
        item(said("user", "Stop.")),
        error,
        item(said("user", "Hello?")),
        error,
    )


def test_a_violation_a_line(tmp_path: Path) -> None:
    """The contract of --json: every request that has it, by its number; exit code 1."""
    path = refused(tmp_path)
    result = lint(path, "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    told = {
        "file": str(path),
        "dialect": "openai_responses",
        "rule": "RESP-CALL-NO-OUTPUT",
        "severity": "error",
        "call_ids": ["a"],
        "at": "/input/3",
        "message": LITERAL,
    }
    assert found(path) == [told | {"index": 2, "line": 7}, told | {"index": 3, "line": 9}]


def test_people_are_told_once_with_what_stands_around(tmp_path: Path) -> None:
    """The intruder is marked among its neighbours; then the rule, what was said to it, and what to do."""
    result = lint(refused(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.count(f"error[RESP-CALL-NO-OUTPUT] {LITERAL}") == 1
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[2:7] == [
        '      1 | assistant: "Looking."',
        '      2 | user: "Go on."',
        '>     3 | function_call: shell a "{}"',
        '!     4 | user: "Stop."',
        "       | (here the request ends)",
    ]
    assert lines[7].startswith("  = rule: Each function_call has one output")
    assert lines[8] == f"  = note: it was refused with 400: {LITERAL}"
    assert lines[9].startswith("  = help: Add one function_call_output")
    assert lines[10] == "  = also in request 3"
    assert lines[-1] == "4 requests in 1 file: 2 errors."


def test_clean_is_said_and_ends_with_0(tmp_path: Path) -> None:
    """Nothing goes unsaid: how much was looked at."""
    result = lint(saved(tmp_path / "body.json", SOUND))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "1 request in 1 file: nothing that a provider would refuse.\n"
    assert lint(tmp_path / "body.json", "--json").stdout == ""


def test_warnings_alone_are_clean(tmp_path: Path) -> None:
    """No source saw these refused: they are told, and the exit code is 0."""
    body = {"store": False, "input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}]}
    path = saved(tmp_path / "body.json", body)
    assert [(each["severity"], each["rule"]) for each in found(path)] == [
        ("warning", "RESP-REASONING-FOLLOW")
    ]
    result = lint(path)
    assert result.exit_code == 0
    assert result.stdout.endswith("1 request in 1 file: 1 warning.\n")


def test_what_cannot_be_read_wins_and_the_rest_is_read(tmp_path: Path) -> None:
    """Exit code 2, rule UNREADABLE, with the line; the violation behind it is found all the same."""
    path = write(tmp_path / "bodies.jsonl", SOUND, "{oops", OPEN)
    result = lint(path, "--json")
    assert result.exit_code == 2
    first, second = found(path)
    assert (first["rule"], first["line"], first["index"], first["severity"]) == (
        "UNREADABLE",
        2,
        None,
        "error",
    )
    assert (second["rule"], second["line"], second["index"]) == ("RESP-CALL-NO-OUTPUT", 3, 1)
    assert f"error[UNREADABLE] {first['message']}\n  --> {path}:2\n" in lint(path).stdout
    assert lint(saved(tmp_path / "none.json", {"input": 3})).exit_code == 2


@pytest.mark.parametrize("body", [OPEN, SOUND])
def test_the_dialect_is_given(tmp_path: Path, body: dict[str, Any]) -> None:
    """What is judged as another dialect is judged by its rules; a name that there is not is wrong usage."""
    path = saved(tmp_path / "body.json", body)
    assert {each["rule"] for each in found(path, "--dialect", "deepseek_responses")} == (
        {"DS-RESP-ADJACENT"} if body is OPEN else set()
    )
    result = lint(path, "--dialect", "openai_responses+nonsense")
    assert result.exit_code == 2
    assert "has no profile 'nonsense'" in result.stderr
    wrapped = saved(tmp_path / "wrapped.json", {"dialect": "nonsense", "body": body})
    [unreadable] = found(wrapped)
    assert (unreadable["rule"], lint(wrapped).exit_code) == ("UNREADABLE", 2)
    assert "there is no dialect 'nonsense'" in unreadable["message"]


def test_calls_that_the_provider_holds_are_known(tmp_path: Path) -> None:
    """R22: a capture says which calls are open; one of them is not answered."""
    body = {"previous_response_id": "r", "input": [output("a")]}
    path = write(
        tmp_path / "captured.jsonl", *({"body": body, "open_calls": ids} for ids in (["a"], ["a", "b"]))
    )
    assert [(each["index"], each["rule"], each["call_ids"]) for each in found(path)] == [
        (1, "RESP-PREV-PENDING", ["b"])
    ]


def test_folders_are_walked(tmp_path: Path) -> None:
    """JSON and JSON lines below it, by name; hidden files and all others are left out; no file twice."""
    for name in ("b/late.json", "a.jsonl", ".hidden/x.json", ".x.json", "notes.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        saved(path, OPEN)
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b" / "late.json")]
    assert [each["file"] for each in found(tmp_path, tmp_path / "a.jsonl")] == files
    assert [each["file"] for each in found(tmp_path / ".x.json")] == [str(tmp_path / ".x.json")]
    (tmp_path / "empty").mkdir()
    nothing = lint(tmp_path / "empty")
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "has no file that ends in .json" in nothing.stderr


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one problem of many files, not the end of the command."""
    saved(tmp_path / "a.json", SOUND)
    saved(tmp_path / "b.json", OPEN)
    opened = Path.open

    def locked(self: Path, *arguments: Any, **more: Any) -> Any:
        if self.name == "a.json":
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", locked)
    assert [(each["rule"], each["message"]) for each in found(tmp_path)] == [
        ("UNREADABLE", "Permission denied"),
        ("RESP-CALL-NO-OUTPUT", LITERAL),
    ]


def test_very_many_violations_are_cut(tmp_path: Path) -> None:
    """A screen is not a file: --json has all."""
    calls = [call(f"c{number}") for number in range(40)]
    path = saved(tmp_path / "body.json", {"input": calls})
    told = lint(path).stdout
    assert told.count("error[") == 30
    assert "… and 10 violations more in this file; --json has all." in told
    assert len(found(path)) == 40


def test_long_rows_are_cut_and_broken_lines_joined(tmp_path: Path) -> None:
    """A row is a line."""
    path = saved(tmp_path / "body.json", {"input": [said("user", "so\nlong " * 100), call("a")]})
    rows = [line for line in lint(path).stdout.splitlines() if " | " in line]
    assert max(map(len, rows)) < 120
    assert rows[0].endswith("…")
    assert "so long so long" in rows[0]


def test_a_rule_is_explained() -> None:
    """What it asks, the literal text, the evidence, what to do; no file is needed."""
    result = lint("--explain", "resp-call-no-output")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "No tool output found for {label} {call_id}." in result.stdout
    assert "trae-agent#245" in result.stdout
    assert "What to do: Add one function_call_output" in result.stdout
    unknown = lint("--explain", "RESP-CALL-NO-OUT")
    assert unknown.exit_code == 2
    assert "there is no rule 'RESP-CALL-NO-OUT'; did you mean RESP-CALL-NO-OUTPUT" in unknown.stderr
    assert "UNREADABLE  (every dialect)" in lint("--explain", "UNREADABLE").stdout


def test_a_path_is_needed() -> None:
    """Wrong usage."""
    assert "Missing argument" in lint().stderr


def test_a_file_that_is_not_there_does_not_hide_the_rest(tmp_path: Path) -> None:
    """UNREADABLE: it wins, and what can be read is judged all the same."""
    body = saved(tmp_path / "body.json", {"input": [call("a")]})
    result = lint(body, tmp_path / "nothing.json", "--json")
    rules = [json.loads(line)["rule"] for line in result.stdout.splitlines()]
    assert (result.exit_code, rules) == (2, ["RESP-CALL-NO-OUTPUT", "UNREADABLE"])


def test_a_body_is_judged_with_its_own_envelope(tmp_path: Path) -> None:
    """Nothing of the body before it is kept, also when that one was empty."""
    thought = {"type": "reasoning", "id": "rs_1"}
    bodies: list[dict[str, Any]] = [
        {"input": [], "store": False},
        {"input": [thought]},
        {"input": [thought], "store": False},
    ]
    rules = [
        (each["index"], each["rule"], each["severity"])
        for each in found(write(tmp_path / "b.jsonl", *bodies))
    ]
    assert rules == [
        (1, "RESP-REASONING-FOLLOW", "error"),
        (2, "RESP-STORE-FALSE-REF", "error"),
        (2, "RESP-REASONING-FOLLOW", "warning"),
    ]


def test_what_a_session_does_not_write_down_is_no_violation(tmp_path: Path) -> None:
    """ANT-TOOLS-DEFINED: Claude Code sends tools, and no file has them; of a whole body it is known."""
    rows = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]},
    ]
    kinds = ("user", "assistant", "user")
    lines = [{"type": kind, "message": row} for kind, row in zip(kinds, rows, strict=True)]
    asked = ("--dialect", "anthropic+tools_required")
    assert found(write(tmp_path / "session.jsonl", *lines), *asked) == []
    assert found(saved(tmp_path / "rows.json", rows), *asked) == []
    whole = found(saved(tmp_path / "body.json", {"max_tokens": 9, "messages": rows}), *asked)
    assert [(each["rule"], each["severity"]) for each in whole] == [("ANT-TOOLS-DEFINED", "error")]


IDS = st.sampled_from(["a", "b", "c"])
LINES = st.lists(
    st.one_of(
        st.builds(lambda i: item(call(i)), IDS),
        st.builds(lambda i: item(output(i)), IDS),
        st.sampled_from(
            [
                item(said("user", "hi")),
                item(said("assistant", "ok")),
                {"type": "turn_context", "payload": {"model": "m"}},
                {"type": "compacted", "payload": {"replacement_history": [said("user", "so far")]}},
                event("error", message="error code: 400"),
            ]
        ),
    ),
    max_size=20,
)


@given(lines=LINES)
def test_each_request_is_judged_as_if_it_stood_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Any]
) -> None:
    """A session is looked at once, and nothing is missed or kept for it."""
    path = write(tmp_path_factory.mktemp("lint") / "rollout.jsonl", META, *lines)
    alone = [
        (request.index, violation)
        for recording in open_recording(path)
        for request in recording.requests()
        for violation in check(request.body(), request.dialect)
    ]
    together = [
        (each.request.index, each.violation) for each in look(path, None, lambda: None) if each.request
    ]
    assert together == alone


TURNS = [
    {"type": "user", "content": [{"text": "Look."}]},
    {"type": "gemini", "content": "Done."},
]
"""A session of Gemini CLI that is at rest: its next request begins with what the user will say."""


def test_a_session_at_rest_is_clean(tmp_path: Path) -> None:
    """GEM-TRAILING-MODEL: how the next request ends nobody knows yet; a body that ends so is wrong."""
    session = {"sessionId": "s", "projectHash": "p", "messages": TURNS}
    assert found(saved(tmp_path / "session.json", session)) == []
    user, model = (
        {"role": "user", "parts": [{"text": "Look."}]},
        {"role": "model", "parts": [{"text": "Done."}]},
    )
    body = saved(tmp_path / "body.json", {"contents": [user, model]})
    assert [each["rule"] for each in found(body)] == ["GEM-TRAILING-MODEL"]
    assert "body.json, request (0) of gemini" in lint(body).stdout


def test_another_format_is_no_clean_one(tmp_path: Path) -> None:
    """What --dialect says against what stands there was not judged: 2, and never a silent 0."""
    asked = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{}"}}]}
    path = saved(tmp_path / "body.json", {"messages": [{"role": "user", "content": "Look."}, asked]})
    [unreadable] = found(path, "--dialect", "anthropic+4.6")
    assert unreadable["message"] == "it is written as openai_chat: it cannot be judged as anthropic+4.6"
    assert {each["rule"] for each in found(path, "--dialect", "groq")} == {"CHAT-CALL-NO-TOOL"}
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]}
    path = saved(tmp_path / "body.json", {"messages": [said("user", "Look."), used]})
    assert "written as anthropic" in found(path, "--dialect", "bedrock_converse")[0]["message"]
    used = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}]}
    path = saved(tmp_path / "body.json", {"messages": [said("user", "Look."), used]})
    assert "written as bedrock_converse" in found(path, "--dialect", "mistral")[0]["message"]
    assert "written as openai_responses" in found(saved(path, OPEN), "--dialect", "gemini")[0]["message"]
    session = write(tmp_path / "rollout.jsonl", META, item(said("user", "Look.")))
    assert "none can be read as openai_chat" in found(session, "--dialect", "openai_chat")[0]["message"]


def test_nothing_read_is_not_nothing_wrong(tmp_path: Path) -> None:
    """The last line says that nothing was judged."""
    (tmp_path / "empty.json").touch()
    assert lint(tmp_path / "empty.json").stdout.endswith(
        "0 requests in 1 file: nothing was judged. 1 problem of reading.\n"
    )


def test_the_last_lines_say_where_to_learn_more(tmp_path: Path) -> None:
    """A rule's name alone explains nothing."""
    assert "More of a rule, and who saw it: turnlock lint --explain RULE\n" in lint(refused(tmp_path)).stdout


def test_a_reader_who_leaves_is_told_apart_from_a_violation(tmp_path: Path) -> None:
    """``| head -1``: 141, as of every command; 1 would say that something was found."""
    path = saved(tmp_path / "body.json", SOUND)
    command = [sys.executable, "-m", "turnlock", "lint", str(path)]
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_rows_fit_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is a line there too, and the call at fault is on it."""
    called = {"type": "tool_use", "id": "a", "name": "t", "input": {}}
    spoken = {"role": "assistant", "content": [{"type": "text", "text": "long " * 40}, called]}
    path = saved(tmp_path / "body.json", {"messages": [{"role": "user", "content": "Look."}, spoken]})
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "60")
    rows = [click.unstyle(line) for line in lint(path).stdout.splitlines() if " | " in line]
    assert max(map(len, rows)) <= 60
    assert rows[1].endswith(" + call t a")


def test_help_names_the_profiles() -> None:
    """Nobody has to guess what stands behind a +."""
    told = lint("--help").stdout
    assert "gemini+3" in told
    assert "bedrock_converse+unmixed_user" in told


@pytest.mark.parametrize(
    ("rows", "signs"),
    [
        ([call("a")], ">!"),
        ([call("a"), call("b"), output("b"), said("user", "Stop.")], ">  !"),
        ([call("a"), {"type": "reasoning", "summary": []}, said("user", "Stop.")], "> !"),
    ],
    ids=["the end", "behind its siblings", "behind the answer"],
)
def test_the_intruder_is_marked_too(tmp_path: Path, rows: list[dict[str, Any]], signs: str) -> None:
    """Where an output is missing, what stands in its place, or the end that came too soon."""
    result = lint(saved(tmp_path / "body.json", {"input": rows}), "--dialect", "openai_responses")
    shown = [line[0] for line in result.stdout.splitlines() if "|" in line[:9]]
    assert "".join(shown).rstrip() == signs
