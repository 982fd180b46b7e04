"""The script: its format, its errors, and which line answers a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnlock.strict import Asked, Call, Kind, Line, Player, Script, ScriptError


def asked(text: str, *answers: tuple[str, ...], raw: bytes = b"") -> Asked:
    return Asked(text, answers, raw or f"{text} {answers}".encode())


def played(player: Player, *requests: Asked) -> list[int | None]:
    """The numbers of the lines that answer these requests, in order."""
    lines = [player.choose(request) for request in requests]
    return [None if line is None else line.number for line in lines]


def test_a_line_is_read_with_all_it_can_say() -> None:
    """Text, calls of every form, reasoning, delay and selection come out as they were written."""
    script = Script.parse(
        '{"when": "go", "reasoning": "hm", "text": "Look.", "delay": 1.5, "cut_after": 2, "calls": ['
        '{"name": "ls", "arguments": {"path": "."}}, {"name": "ls", "arguments": "{broken", "id": ""},'
        '{"kind": "shell", "arguments": {"commands": ["ls"]}},'
        '{"kind": "server", "name": "web_search", "open": true}]}\n'
        "\n"
        '{"status": 429, "message": "Slow down.", "code": "rate_limit_exceeded", "retry_after": 2}\n'
    )
    assert script.lines == (
        Line(
            number=1,
            when="go",
            reasoning="hm",
            text="Look.",
            delay=1.5,
            cut_after=2,
            calls=(
                Call("ls", {"path": "."}),
                Call("ls", "{broken", id=""),
                Call("shell", {"commands": ["ls"]}, kind=Kind.SHELL),
                Call("web_search", {}, kind=Kind.SERVER, open=True),
            ),
        ),
        Line(number=3, status=429, message="Slow down.", code="rate_limit_exceeded", retry_after=2),
    )
    assert [call.text for call in script.lines[0].calls] == [
        '{"path":"."}',
        "{broken",
        '{"commands":["ls"]}',
        "{}",
    ]


@pytest.mark.parametrize(
    ("line", "problem", "repair"),
    [
        ("{", "this is no JSON", "write one JSON object a line"),
        ("[]", "a line is a JSON object", 'write for example {"text": "Hello."}'),
        ("{}", "it answers nothing", 'give "text", "calls" or "status"'),
        ('{"reasoning": "hm"}', "it answers nothing", 'give "text", "calls" or "status"'),
        ('{"txt": "x"}', 'a line has no key "txt"', 'did you mean "text"?'),
        ('{"zzz": "x"}', 'a line has no key "zzz"', "its keys are text, calls"),
        ('{"text": 3}', '"text" is a string', "put it in quotes"),
        ('{"calls": {"name": "f"}}', '"calls" is a list', 'write "calls": ['),
        ('{"calls": ["f"]}', "a call is an object", 'write {"name": "ls"'),
        ('{"calls": [{"arguments": {}}]}', "a function call has no name", 'give it a "name"'),
        ('{"calls": [{"name": "f", "args": {}}]}', 'a call has no key "args"', 'did you mean "arguments"?'),
        (
            '{"calls": [{"name": "f", "arguments": 3}]}',
            '"arguments" of a function call is an object',
            "write an object",
        ),
        (
            '{"calls": [{"kind": "shell", "arguments": "ls"}]}',
            '"arguments" of a shell call is an object',
            "write an object",
        ),
        (
            '{"calls": [{"name": "f", "kind": "magic"}]}',
            '"kind" is not "magic"',
            "it is one of function, custom",
        ),
        ('{"calls": [{"name": "f", "id": 3}]}', '"id" is a string', "put it in quotes"),
        ('{"calls": [{"kind": "server"}]}', "a server call has no name", 'give it a "name"'),
        (
            '{"calls": [{"kind": "server", "name": "web_search", "arguments": "q"}]}',
            '"arguments" of a server call is an object',
            "write an object",
        ),
        (
            '{"calls": [{"name": "f", "open": true}]}',
            '"open" is true of a server call only',
            'give it "kind": "server", or no "open"',
        ),
        (
            '{"calls": [{"kind": "server", "name": "web_search", "open": 1}]}',
            '"open" is true of a server call only',
            'or no "open"',
        ),
        (
            '{"calls": [{"name": "f"}], "finish": "pause"}',
            "an answer with calls for the client is not paused",
            'leave out "finish" or the calls',
        ),
        ('{"text": "x", "finish": "stop"}', '"finish" is not "stop"', "it is one of length, content_filter"),
        ('{"text": "x", "delay": "1"}', '"delay" is a time in seconds', "write a number, 0 or more"),
        ('{"text": "x", "cut_after": 2}', '"cut_after" is a number of items of the line', "from 0 to 1"),
        ('{"text": "x", "cut_after": "1"}', '"cut_after" is a whole number', "write it without quotes"),
        (
            '{"text": "x", "cut_after": 0, "finish": "length"}',
            '"cut_after" and "finish" are two ends',
            "leave out one",
        ),
        ('{"status": 200}', '"status" is an HTTP error', "write a number from 400 to 599"),
        ('{"status": "500"}', '"status" is a whole number', "write it without quotes"),
        ('{"status": 500, "text": "x"}', '"text" stands without "status"', 'leave out "text" or "status"'),
        (
            '{"text": "x", "retry_after": 1}',
            '"retry_after" stands only with "status"',
            'leave out "retry_after"',
        ),
    ],
)
def test_a_wrong_line_is_reported_with_number_and_repair(line: str, problem: str, repair: str) -> None:
    """Whoever writes a script is told where, what and how to mend it."""
    with pytest.raises(ScriptError) as caught:
        Script.parse(f'{{"text": "fine"}}\n{line}', name="my.jsonl")
    assert caught.value.line == 2
    assert caught.value.problem.startswith(problem)
    assert repair in caught.value.repair
    assert str(caught.value) == f"my.jsonl, line 2: {caught.value.problem}; {caught.value.repair}"


def test_a_file_is_loaded_and_a_missing_one_reported(tmp_path: Path) -> None:
    """A script comes from a file; what cannot be read is a ScriptError of the whole file."""
    path = tmp_path / "script.jsonl"
    path.write_text('{"text": "hello"}\n', encoding="utf-8")
    assert Script.load(path) == Script.of({"text": "hello"})
    with pytest.raises(ScriptError, match="it cannot be read") as caught:
        Script.load(str(tmp_path / "missing.jsonl"))
    assert caught.value.line is None


def test_the_demo_comes_with_the_package() -> None:
    """The name "demo" is a script that ships, and that can be read."""
    assert Script.load("demo").lines


def test_lines_without_when_are_played_once_in_order() -> None:
    """Each answers one request, whatever it asks; then nothing is left."""
    player = Player(Script.of({"text": "one"}, {"status": 500}, {"text": "two"}))
    assert played(player, *[asked("hi")] * 4) == [1, 2, 3, None]


def test_lines_with_when_are_counted_in_the_request_itself() -> None:
    """They answer by position behind the last user text, as often as they are asked, by any client."""
    player = Player(
        Script.of({"when": "files", "calls": [{"name": "ls"}]}, {"when": "files", "text": "Two."})
    )
    first, second = asked("How many files?"), asked("How many files?", ("call_1",))
    assert played(player, first, second, first, first, second) == [1, 2, 1, 1, 2]
    assert played(player, asked("How many files?", ("call_1",), ("call_2",)), asked("Hello")) == [None, None]


def test_lines_without_when_answer_what_the_others_do_not() -> None:
    """A text that no "when" matches, and what comes behind the last line of a group."""
    player = Player(Script.of({"when": "files", "text": "Two."}, {"text": "Hello."}, {"text": "Bye."}))
    assert played(player, asked("Hi"), asked("files?"), asked("files?", ())) == [2, 1, 3]


def test_a_failing_line_of_a_group_fails_once_for_each_body() -> None:
    """The same request asked again gets the next line; another request fails first, too."""
    player = Player(
        Script.of(
            {"when": "go", "status": 500},
            {"when": "go", "cut_after": 0, "text": "x"},
            {"when": "go", "text": "y"},
        )
    )
    assert played(player, *[asked("go", raw=b"1")] * 4) == [1, 2, 3, 3]
    assert played(player, *[asked("go", raw=b"2")] * 3) == [1, 2, 3]


def test_a_failure_may_stand_behind_an_answer() -> None:
    """A status is played at its place: here when the output of the first call is sent (C23)."""
    player = Player(
        Script.of(
            {"when": "go", "calls": [{"name": "ls"}]},
            {"when": "go", "status": 429},
            {"when": "go", "text": "y"},
        )
    )
    behind = asked("go", ("call_1",))
    assert played(player, asked("go"), behind, behind) == [1, 2, 3]


@pytest.mark.parametrize("given", [{}, {"id": "mine"}])
def test_what_the_client_kept_of_a_cut_answer_counts_as_an_answer(given: dict[str, Any]) -> None:
    """Responses: a completed call was kept, so the line behind answers; Chat: nothing was kept (C18)."""
    script = Script.of(
        {"when": "go", "calls": [{"name": "ls", **given}, {"name": "cat"}], "cut_after": 1},
        {"when": "go", "text": "y"},
    )
    line = script.lines[0]
    kept = line.call_id(line.calls[0], 7)
    player = Player(script)
    assert played(player, asked("go"), asked("go", (kept,))) == [1, 2]
    assert played(player, asked("go"), asked("go", ("call_of_another_answer",))) == [2, None]


def test_made_ids_show_their_line_and_never_repeat() -> None:
    """Ids come from a counter, the given ones are played verbatim."""
    (line,) = Script.of(
        {"calls": [{"name": "f"}, {"name": "f", "id": ""}, {"name": "f", "kind": "mcp_approval"}]}
    ).lines
    assert [line.call_id(call, at) for at, call in enumerate(line.calls, start=1)] == [
        "call_001_00001",
        "",
        "mcpr_001_00003",
    ]


def test_lines_that_follow() -> None:
    """Further lines are numbered on, so errors and call ids name the right one; none is half added."""
    script = Script.of({"text": "one"}).followed_by({"text": "two"}, {"calls": [{"name": "ls"}]})
    assert [line.number for line in script.lines] == [1, 2, 3]
    with pytest.raises(ScriptError, match='script, line 5: a line has no key "txt"; did you mean "text"'):
        script.followed_by({"text": "four"}, {"txt": "five"})
    assert len(script.lines) == 3
    twice = script.followed_by(script, {"text": "last"})
    assert [(line.number, line.text) for line in twice.lines[3:]] == [
        (4, "one"),
        (5, "two"),
        (6, None),
        (7, "last"),
    ]
