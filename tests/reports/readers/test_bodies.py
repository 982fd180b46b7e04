"""Request bodies: one or many, bare or wrapped; what they are written in is told by their shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.session_files import call, output, problems, requests, said, write
from turnlock.reports import Verdict, detect, open_recording
from turnlock.wire import check

RESPONSES = {"model": "m", "input": [said("user", "Look."), call("a"), output("a")]}
CHAT = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]},
        {"role": "tool", "tool_call_id": "a", "content": "done"},
    ],
}
PLAIN = [{"role": "user", "content": "Look."}]
ANTHROPIC = {"model": "m", "system": "Be brief.", "messages": PLAIN}
BEDROCK = {"messages": [{"role": "user", "content": [{"text": "Look."}]}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Look."}]}]}


def tools(**fields: Any) -> dict[str, Any]:
    return {"messages": PLAIN, "tools": [{"name": "t", **fields}]}


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        (RESPONSES, "openai_responses"),
        ({"model": "m", "input": "Look."}, "openai_responses"),
        ({"model": "m", "previous_response_id": "r"}, "openai_responses"),
        (CHAT, "openai_chat"),
        ({"model": "m", "messages": PLAIN}, "openai_chat"),
        (tools(type="function", function={"name": "t"}), "openai_chat"),
        (ANTHROPIC, "anthropic"),
        (tools(input_schema={}), "anthropic"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]},
            "anthropic",
        ),
        ({"model": "claude-x", "max_tokens": 1, "messages": PLAIN}, "anthropic"),
        (BEDROCK, "bedrock_converse"),
        ({"inferenceConfig": {}, "messages": PLAIN}, "bedrock_converse"),
        (GEMINI, "gemini"),
    ],
)
def test_the_shape_tells_the_dialect(tmp_path: Path, body: dict[str, Any], dialect: str) -> None:
    """And a body that is read is the body that was written."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps(body, indent=1))
    [request] = requests(path)
    assert detect(path) == "bodies"
    assert (request.dialect, request.body()) == (dialect, body)
    assert (request.index, request.fresh, request.next, request.verdict) == (0, 0, True, None)


def test_a_given_dialect_wins(tmp_path: Path) -> None:
    """The caller knows better than the shape."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps({"messages": PLAIN}))
    [request] = requests(path, "anthropic+4.6")
    assert (request.dialect, request.length) == ("anthropic+4.6", 1)


@pytest.mark.parametrize(
    ("rows", "key"),
    [(RESPONSES["input"], "input"), (CHAT["messages"], "messages"), (GEMINI["contents"], "contents")],
)
def test_a_bare_list_is_one_body(tmp_path: Path, rows: list[dict[str, Any]], key: str) -> None:
    """Messages, items or contents that somebody saved without the rest."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    [request] = requests(path)
    assert request.body() == {key: rows}
    lines = requests(write(tmp_path / "rows.jsonl", *rows))
    assert lines[-1].body()[key] == rows, "and a line each says the same"


def test_bodies_of_many_dialects_in_one_file(tmp_path: Path) -> None:
    """An array, or a line each; the line is named."""
    many: list[dict[str, Any]] = [RESPONSES, CHAT, ANTHROPIC, GEMINI]
    path = tmp_path / "many.json"
    path.write_text(json.dumps(many))
    spoken = ["openai_responses", "openai_chat", "anthropic", "gemini"]
    array, lines = requests(path), requests(write(tmp_path / "many.jsonl", *many))
    for found in (array, lines):
        assert [(each.index, each.dialect) for each in found] == list(enumerate(spoken))
        assert [each.body() for each in found] == many
    assert [each.line for each in lines] == [1, 2, 3, 4]


def test_a_wrapper_says_what_became_of_its_body(tmp_path: Path) -> None:
    """As in the shared recordings and our own captures: dialect, status, error, open calls."""
    error = json.dumps({"error": {"message": "No tool call found", "type": "invalid_request_error"}})
    path = write(
        tmp_path / "wire.jsonl",
        {"dialect": "openai_responses", "status": 200, "error": None, "body": RESPONSES},
        {"dialect": "openai_responses", "status": 400, "error": error, "body": {"input": [output("a")]}},
        {"dialect": "mistral+hosted", "status": 400, "error": {"message": "no"}, "body": {"messages": PLAIN}},
        {"body": {"input": [output("a")]}, "open_calls": ["a"]},
        {"status": None, "error": "ConnectError: refused", "body": {"input": "Look."}},
    )
    found = requests(path)
    assert [each.verdict for each in found] == [
        Verdict(accepted=True, status=200),
        Verdict(accepted=False, status=400, error="No tool call found"),
        Verdict(accepted=False, status=400, error="no"),
        None,
        Verdict(accepted=False, error="ConnectError: refused"),
    ]
    assert found[2].dialect == "mistral+hosted"
    assert [each.next for each in found] == [False, False, False, True, False]
    assert found[3].open_calls == ("a",)


def test_a_network_capture_holds_bodies_as_text(tmp_path: Path) -> None:
    """HAR: the posts of a browser or a proxy."""
    entry = {"request": {"postData": {"text": json.dumps(RESPONSES)}}, "response": {"status": 200}}
    path = tmp_path / "capture.har"
    path.write_text(json.dumps({"log": {"entries": [entry, {"request": {"method": "GET"}}, 1]}}))
    [request] = requests(path)
    assert request.body() == RESPONSES
    assert request.verdict == Verdict(accepted=True, status=200)


def test_what_is_no_body_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    """In arrays by its place, in lines by its line."""
    path = tmp_path / "many.json"
    path.write_text(json.dumps([RESPONSES, 1, {"a": 1}, {"body": "{oops"}]))
    assert len(requests(path)) == 1
    assert [problem.split(":")[0] for _, problem in problems(path)] == [
        "[1] it is no request body",
        "[2] it is no request body",
        "[3] its body is not JSON",
    ]
    lines = write(tmp_path / "many.jsonl", RESPONSES, {"a": 1}, "{oops", GEMINI)
    assert [each.index for each in requests(lines)] == [0, 1]
    assert [line for line, _ in problems(lines)] == [2, 3]


def test_a_list_that_is_none_is_left_to_the_check(tmp_path: Path) -> None:
    """A body is handed on as it is; that it is nonsense is for the rules to say."""
    path = tmp_path / "body.json"
    path.write_text('{"input": {"role": "user"}}')
    [request] = requests(path)
    assert request.body() == {"input": {"role": "user"}}
    assert [each.rule for each in check(request.body(), request.dialect)] == ["UNREADABLE"]


def test_lines_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    """Memory is flat: a file of bodies is not read before its first request is used."""
    path = write(tmp_path / "many.jsonl", RESPONSES, "{oops", RESPONSES)
    [recording] = open_recording(path)
    found = recording.requests()
    next(found)
    assert recording.problems == []
    next(found)
    assert [each.line for each in recording.problems] == [2]
