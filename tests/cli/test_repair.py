"""``turnlock repair``: bodies come back mended, in their own form; a session gives its next request."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from support.session_files import META, answer, call, human, item, output, said, write
from turnlock.cli import main
from turnlock.cli.lint.findings import look
from turnlock.engine.outcome import UNRECORDED
from turnlock.wire import DIALECTS, Severity, check

OPEN = {"model": "m", "input": [said("user", "Look."), call("a"), said("user", "Stop.")]}
SOUND = {"input": [said("user", "Look."), call("a"), output("a")]}
TWICE = {"input": [said("user", "Look."), call("a"), output("a"), output("a", "late")]}
FORMATTED = json.dumps(SOUND, indent=3) + "\n\n"
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "t"}}]},
        {"role": "user", "content": "Stop."},
    ]
}


def repair(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["repair", *map(str, arguments)], prog_name="turnlock")


def report(*arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in repair(*arguments, "--json").stderr.splitlines()]


def saved(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def errors(path: Path, dialect: str | None = None) -> list[str]:
    return [
        found.violation.rule
        for found in look(path, dialect, lambda: None)
        if found.violation.severity is Severity.ERROR
    ]


def kinds(body: dict[str, Any]) -> list[str]:
    return [row["type"] for row in body["input"]]


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_comes_back_closed(tmp_path: Path) -> None:
    """R16 and C38: the call has its output behind it, every other row and field stands; exit code 0."""
    result = repair(saved(tmp_path / "body.json", OPEN))
    assert result.exit_code == 0
    mended = json.loads(result.stdout)
    closed = {"type": "function_call_output", "call_id": "a", "output": UNRECORDED.model_text}
    assert mended == {"model": "m", "input": [*OPEN["input"][:2], closed, OPEN["input"][2]]}
    assert list(mended) == ["model", "input"]
    assert check(mended, "openai_responses") == ()


@pytest.mark.parametrize(
    "text",
    [
        FORMATTED,
        json.dumps({"body": SOUND, "status": 200, "extra": {"kept": True}}, indent=1),
        json.dumps([SOUND, SOUND], indent=1),
        f"{json.dumps(SOUND)}\r\n\n{json.dumps(SOUND)}",
        json.dumps(SOUND["input"]),
        "".join(f"{json.dumps(row)}\n" for row in CHAT["messages"][:1]),
        "\ufeff" + FORMATTED,
    ],
    ids=["body", "wrapper", "array", "lines", "rows", "rows a line", "mark"],
)
def test_what_is_right_comes_back_byte_for_byte(tmp_path: Path, text: str) -> None:
    """R19: a valid file is not touched, in whatever form it came, and it is said so."""
    path = saved(tmp_path / "file.json", text)
    path.write_bytes(text.encode())
    result = repair(path)
    assert result.exit_code == 0
    assert result.stdout_bytes == text.encode()
    assert result.stderr.endswith("nothing to repair.\n")


def test_a_wrapper_keeps_its_fields(tmp_path: Path) -> None:
    """Only the body is replaced: what became of it, and whatever else stands there, is kept to the digit."""
    text = (
        '{"id":12345678901234567890123,"body":'
        + json.dumps(OPEN)
        + ',"status":400,"dialect":"openai_responses"}'
    )
    mended = json.loads(repair(saved(tmp_path / "capture.json", text)).stdout)
    assert list(mended) == ["id", "body", "status", "dialect"]
    assert (mended["id"], mended["status"]) == (12345678901234567890123, 400)
    assert kinds(mended["body"])[2] == "function_call_output"


def test_a_body_that_was_text_stays_text(tmp_path: Path) -> None:
    """A capture that holds the body as text gets text."""
    path = saved(tmp_path / "capture.json", {"body": json.dumps(OPEN)})
    mended = json.loads(repair(path).stdout)
    assert kinds(json.loads(mended["body"]))[2] == "function_call_output"


def test_a_network_capture_keeps_everything_else(tmp_path: Path) -> None:
    """HAR: the text of the POST is replaced, and no other request is touched."""
    entries = [
        {"request": {"method": "GET", "url": "u"}, "response": {"status": 200}},
        {
            "request": {"postData": {"text": json.dumps(OPEN), "mimeType": "json"}},
            "response": {"status": 400},
        },
    ]
    mended = json.loads(
        repair(saved(tmp_path / "x.har", {"log": {"version": "1.2", "entries": entries}})).stdout
    )
    assert mended["log"]["entries"][0] == entries[0]
    sent = mended["log"]["entries"][1]["request"]["postData"]
    assert sent["mimeType"] == "json"
    assert kinds(json.loads(sent["text"]))[2] == "function_call_output"


def test_an_array_stays_an_array(tmp_path: Path) -> None:
    """Each is mended for itself, and those that need nothing keep their bytes."""
    mended = repair(saved(tmp_path / "many.json", f"[{json.dumps(SOUND)}, {json.dumps(OPEN)}]")).stdout
    assert len(json.loads(mended)) == 2
    assert mended.startswith("[" + json.dumps(SOUND) + ",")


def test_lines_stay_lines(tmp_path: Path) -> None:
    """A line each, in order; what needs no repair keeps its bytes, and its line end."""
    path = tmp_path / "many.jsonl"
    path.write_bytes(f"{json.dumps(SOUND)}\r\n\n{json.dumps(OPEN)}\n{json.dumps(SOUND)}".encode())
    first, blank, mended, last = repair(path).stdout_bytes.split(b"\n")
    assert (first, blank, last) == (json.dumps(SOUND).encode() + b"\r", b"", json.dumps(SOUND).encode())
    assert kinds(json.loads(mended))[2] == "function_call_output"


def test_messages_a_line_stay_messages_a_line(tmp_path: Path) -> None:
    """A bare list of messages has no envelope, and gets none."""
    path = write(tmp_path / "chat.jsonl", *CHAT["messages"])
    rows = [json.loads(line) for line in repair(path, "--dialect", "openai_responses").stdout.splitlines()]
    assert rows == CHAT["messages"]  # no such list is known to that dialect
    listed = saved(tmp_path / "list.json", OPEN["input"])
    assert [row["type"] for row in json.loads(repair(listed).stdout)][2] == "function_call_output"


def test_calls_that_the_provider_holds_are_closed(tmp_path: Path) -> None:
    """R22: a wrapper names them, and the body gets their outputs."""
    body = {"previous_response_id": "r", "input": [said("user", "Stop.")]}
    path = saved(tmp_path / "held.json", {"body": body, "open_calls": ["a"]})
    assert [row.get("call_id") for row in json.loads(repair(path).stdout)["body"]["input"]] == ["a", None]


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────


def codex(path: Path) -> Path:
    return write(
        path, META, *(item(row) for row in (said("user", "Look."), call("a"), said("user", "Stop.")))
    )


def claude(path: Path) -> Path:
    asks = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}}
    return write(
        path, human("Look.", uuid="1", sessionId="s"), answer("m", asks, uuid="2"), human("Stop.", uuid="3")
    )


def test_a_session_gives_its_next_request(tmp_path: Path) -> None:
    """C36 and C38: what would be sent next, closed; only one body comes out, and it is sound."""
    result = repair(codex(tmp_path / "rollout.jsonl"), "-o", tmp_path / "next.json")
    assert (result.exit_code, result.stdout) == (0, "")
    body = json.loads((tmp_path / "next.json").read_text())
    assert body["instructions"] == "Be brief."
    assert kinds(body) == ["message", "function_call", "function_call_output", "message"]
    assert errors(tmp_path / "next.json") == []


def test_a_session_of_claude_code(tmp_path: Path) -> None:
    """The result stands first behind its call."""
    body = json.loads(repair(claude(tmp_path / "session.jsonl")).stdout)
    (result,) = [block for row in body["messages"][2:] for block in row["content"] if "tool_use_id" in block]
    assert result["tool_use_id"] == "toolu_1"
    assert [found for found in check(body, "anthropic") if found.severity is Severity.ERROR] == []


WRITTEN = [name for name in DIALECTS if name not in ("openai_responses", "anthropic")]


@pytest.mark.parametrize("dialect", WRITTEN)
@pytest.mark.parametrize("make", [codex, claude])
def test_a_session_can_go_on_elsewhere(tmp_path: Path, make: Any, dialect: str) -> None:
    """R20: read, mended and written in another dialect: sound there, with every text, and stable."""
    path = make(tmp_path / "session.jsonl")
    result = repair(path, "--dialect", dialect, "-o", tmp_path / "next.json")
    assert result.exit_code == 0, result.stderr
    text = (tmp_path / "next.json").read_text()
    assert errors(tmp_path / "next.json", dialect) == []
    assert all(part in text for part in ("Look.", "Stop.", UNRECORDED.model_text))
    again = repair(tmp_path / "next.json", "--dialect", dialect)
    assert (again.exit_code, again.stdout) == (0, text)


def test_what_another_dialect_cannot_say_is_told(tmp_path: Path) -> None:
    """R16: thinking of another model is set aside, in full in the report; options are, too."""
    thought = {"type": "thinking", "thinking": "Hm, what now?", "signature": "sig"}
    path = write(
        tmp_path / "session.jsonl",
        human("Look.", uuid="1", sessionId="s"),
        answer("m", thought, {"type": "text", "text": "Yes."}, uuid="2"),
        human("And?", uuid="3"),
    )
    (told,) = report(path, "--dialect", "openai_chat")
    aside = [change["set_aside"] for change in told["changes"]]
    assert ["Hm, what now?" in json.dumps(each) for each in aside] == [True]
    assert told["changes"][0]["at"] == "item 1"


def test_several_conversations_give_a_line_each(tmp_path: Path) -> None:
    """A run of tau-bench holds tasks: each has a next request."""
    path = saved(
        tmp_path / "run.json", [{"traj": CHAT["messages"], "task_id": 1}, {"traj": CHAT["messages"]}]
    )
    lines = repair(path).stdout.splitlines()
    assert [[row["role"] for row in json.loads(line)["messages"]] for line in lines] == [
        ["user", "assistant", "tool", "user"]
    ] * 2


def test_a_torn_session_is_mended_and_told(tmp_path: Path) -> None:
    """The line that its writer did not finish is said, with exit code 2; the request comes all the same."""
    path = codex(tmp_path / "rollout.jsonl")
    with path.open("a") as stream:
        stream.write('{"type": "response_it')
    result = repair(path)
    assert result.exit_code == 2
    assert kinds(json.loads(result.stdout))[2] == "function_call_output"
    assert f"{path}:5: error[UNREADABLE] the last line is torn" in result.stderr


# ── what is told ────────────────────────────────────────────────────────────────────────────────────


def test_people_are_told_where_and_what(tmp_path: Path) -> None:
    """Each change by its place in what was given; what was set aside is shown, cut unless asked for."""
    late = "late " * 40
    path = saved(tmp_path / "body.json", {"input": [*TWICE["input"][:3], output("a", late)]})
    lines = repair(path).stderr.splitlines()
    assert lines[0] == f"{path}: request 0 of openai_responses"
    assert lines[1] == "  repaired /input/3 a: The output is a second one for its call: it is set aside."
    assert lines[2].startswith('    set aside: function_call_output: a "late late')
    assert lines[2].endswith("…  (--verbose shows all of it)")
    assert lines[3] == "1 body: 1 repaired (1 change)."
    assert late in repair(path, "--verbose").stderr


def test_json_is_a_line_for_each_body(tmp_path: Path) -> None:
    """The contract of --json: on stderr, also for bodies that needed nothing; stdout has the bodies alone."""
    path = write(tmp_path / "bodies.jsonl", SOUND, TWICE, "{oops")
    sound, twice, torn = report(path)
    place = {"file": str(path), "dialect": "openai_responses"}
    assert sound == place | {"index": 0, "line": 1, "changed": False, "changes": [], "left": []}
    (change,) = twice.pop("changes")
    assert twice == place | {"index": 1, "line": 2, "changed": True, "left": []}
    assert change == {
        "what": "The output is a second one for its call: it is set aside.",
        "at": "/input/3",
        "rule": "",
        "call_ids": ["a"],
        "set_aside": output("a", "late"),
    }
    assert (torn["index"], torn["line"], torn["left"][0]["rule"]) == (None, 3, "UNREADABLE")


def test_what_no_repair_can_know_is_left(tmp_path: Path) -> None:
    """Exit code 1: whoever built the body must say it; the rest is mended."""
    reference = {"type": "item_reference", "id": "msg_1"}
    path = saved(tmp_path / "body.json", {"store": False, "input": [*OPEN["input"], reference]})
    result = repair(path)
    left = [
        found.rule
        for found in check(json.loads(result.stdout), "openai_responses")
        if found.severity is Severity.ERROR
    ]
    assert (result.exit_code, len(left)) == (1, 1)
    assert f"error[{left[0]}]" in result.stderr
    assert "help: " in result.stderr
    assert [each["rule"] for each in report(path)[0]["left"]] == left


@pytest.mark.parametrize(
    "value", [OPEN, TWICE, [OPEN, SOUND], {"body": OPEN, "status": 400}, CHAT, OPEN["input"]]
)
def test_a_second_repair_changes_nothing(tmp_path: Path, value: object) -> None:
    """R16: what came out goes in, and comes out as it was."""
    once = repair(saved(tmp_path / "given.json", value), "-o", tmp_path / "once.json")
    twice = repair(tmp_path / "once.json", "-o", tmp_path / "twice.json")
    assert (once.exit_code, twice.exit_code) == (0, 0)
    assert (tmp_path / "once.json").read_bytes() == (tmp_path / "twice.json").read_bytes()
    assert twice.stderr.endswith("nothing to repair.\n")
    assert errors(tmp_path / "once.json") == []


# ── files, and bad input ────────────────────────────────────────────────────────────────────────────


def test_the_input_is_replaced_only_when_asked(tmp_path: Path) -> None:
    """-o may name the input: it is replaced in one step, keeps its mode, and a link stays a link."""
    path = saved(tmp_path / "body.json", OPEN)
    path.chmod(0o600)
    before = path.read_bytes()
    repair(path)
    assert path.read_bytes() == before
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert repair(link, "-o", link).exit_code == 0
    assert link.is_symlink()
    assert errors(path) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["body.json", "link.json"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("{oops", "neither JSON nor JSON lines"),
        ("[1, 2]", "its format is unknown"),
        ('{"hello": 1}', "its format is unknown"),
        ('{"body": 5}', "no request body"),
        ('{"body": {"input": []}, "dialect": "telepathy"}', "no dialect 'telepathy'"),
        ('{"input": 5}', "error[UNREADABLE]"),
        ('{"type": "thread.started"}\n{"type": "item.completed"}\n', "is known, and not read"),
        ('{"type": "session_meta", "payload": {"id": "s"}}\n', "nothing would be sent next"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str, says: str) -> None:
    """Exit code 2, a line that says why, no traceback; and nothing is lost of what was there."""
    path = saved(tmp_path / "odd.jsonl", text)
    result = repair(path)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout in ("", text)
    assert path.read_text() == text


def test_a_line_that_cannot_be_read_stays(tmp_path: Path) -> None:
    """Exit code 2 wins over the rest, which is mended; the line keeps its bytes and its place."""
    path = write(tmp_path / "bodies.jsonl", OPEN, '{"input": [', SOUND)
    result = repair(path)
    assert result.exit_code == 2
    first, torn, last = result.stdout.splitlines()
    assert kinds(json.loads(first))[2] == "function_call_output"
    assert (torn, json.loads(last)) == ('{"input": [', SOUND)
    assert f"{path}:2: error[UNREADABLE]" in result.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2: a file that is not there, a folder, an unknown dialect, an OUT that cannot be."""
    path = saved(tmp_path / "body.json", OPEN)
    cases: list[tuple[list[object], str]] = [
        (["nothing.json"], "does not exist"),
        ([tmp_path], "is a directory"),
        ([path, path], "unexpected extra argument"),
        ([], "Missing argument"),
        ([path, "--dialect", "telepathy"], "no dialect 'telepathy'"),
        ([path, "--dialect", "anthropic+9"], "no profile '9'"),
        ([path, "-o", tmp_path / "no" / "out.json"], "No such file or directory"),
        ([path, "-o", tmp_path], "is a directory"),
        ([path, "-o", path / "out.json"], "Not a directory"),
    ]
    for arguments, says in cases:
        result = repair(*arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert says in result.stderr, arguments
    assert [each.name for each in tmp_path.iterdir()] == ["body.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_out_that_may_not_be_written(tmp_path: Path) -> None:
    """A folder without permission: exit code 2, and nothing is left behind."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    result = repair(saved(tmp_path / "body.json", OPEN), "-o", folder / "out.json")
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_help_teaches() -> None:
    """Examples, exit codes, and no line that a terminal of 80 columns would break."""
    result = repair("--help")
    assert result.exit_code == 0
    assert "turnlock repair session.jsonl --dialect anthropic -o next.json" in result.stdout
    assert "Exit codes:" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
