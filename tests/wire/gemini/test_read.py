"""Whole bodies of Gemini, read back into a transcript."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from turnlock.engine import Call, Cause, Item, Message, Output, Text
from turnlock.engine.outcome import NO_OUTPUT
from turnlock.wire import Settings, ToolSpec, encoder, read
from turnlock.wire.repair import mend_transcript

DATA = Path(__file__).parents[1] / "data" / "wire_recorded_gemini.jsonl"
RECORDED = [json.loads(line) for line in DATA.read_text("utf-8").split("\n") if line]


def items(*contents: Any) -> tuple[Item, ...]:
    return read({"contents": list(contents)}, "gemini").items


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def model(*parts: Any) -> dict[str, Any]:
    return user(*parts) | {"role": "model"}


def call(name: str, call_id: str = "") -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}} | ({"id": call_id} if call_id else {})}


def response(name: str, call_id: str = "", **said: Any) -> dict[str, Any]:
    found = {"name": name, "response": said or {"output": "ok"}}
    return {"functionResponse": found | ({"id": call_id} if call_id else {})}


def pairs(found: tuple[Item, ...]) -> tuple[list[int], list[int]]:
    calls = [item.ordinal for item in found if isinstance(item, Call)]
    return calls, [item.ordinal for item in found if isinstance(item, Output)]


def test_an_answer_is_a_run_of_the_models_contents() -> None:
    """R2: answers are numbered from 1, calls get ordinals, responses those of their calls."""
    found = items(
        user("go"),
        model("a", call("f", "x")),
        model(call("g", "y")),
        user(response("g", "y"), response("f", "x")),
        model("b"),
    )
    assert [item.request for item in found if isinstance(item, Text | Call)] == [1, 1, 1, 2]
    assert pairs(found) == ([1, 2], [2, 1])


def test_responses_without_ids_belong_to_the_last_turns_calls() -> None:
    """GEM-PARITY: by name, in order; a call that was never answered does not take a later one's response."""
    found = items(
        user("go"), model(call("f")), user("never mind"), model(call("f"), call("f")), user(response("f"))
    )
    assert pairs(found) == ([1, 2, 3], [2])


def test_a_late_response_finds_its_call() -> None:
    """C39: also when the model has spoken since, by its id or by its name, but not by another's id."""
    for named, found in (("a", [1]), ("", [1]), ("z", [2])):
        late = items(user("go"), model(call("f", "a")), user("x"), model("hm"), user(response("f", named)))
        assert pairs(late) == ([1], found)


def test_what_answers_nothing_stands_alone_and_a_second_one_stands_twice() -> None:
    """C37, C40: reading adds nothing and takes nothing away; mending does."""
    found = items(
        user("go"), model(call("f", "a")), user(response("f", "a"), response("f", "a"), response("h", "b"))
    )
    assert pairs(found) == ([1], [1, 1, 2])
    mended = mend_transcript(found)
    assert pairs(mended.items) == ([1], [1])
    assert len(mended.changes) == 2


def test_a_response_before_its_call_is_its_own() -> None:
    """C40: the pair is told by the id, whichever comes first."""
    found = items(user("go"), user(response("f", "a")), model(call("f", "a")), user("x"))
    assert pairs(found) == ([1], [1])


def test_text_beside_responses_is_a_message() -> None:
    """GEM-MIXED-TURN: in the order of the parts."""
    found = items(user("go"), model(call("f")), user("before", response("f"), "after"))
    assert [type(item) for item in found] == [Message, Call, Message, Output, Message]


@pytest.mark.parametrize(
    ("said", "text", "cause"),
    [
        ({"output": "ok"}, "ok", Cause.RETURNED),
        ({"return_value": 7}, '{"return_value":7}', Cause.RETURNED),
        ({"error": "Tool cancelled before it started: it was not run."}, "", Cause.NOT_STARTED),
        ({"error": "boom"}, "Tool error: boom", Cause.RAISED),
        ({"error": {"code": 7}}, 'Tool error: {"code":7}', Cause.RAISED),
        ({"output": "x", "error": "y"}, '{"output":"x","error":"y"}', Cause.RETURNED),
    ],
)
def test_what_a_response_says(said: dict[str, Any], text: str, cause: Cause) -> None:
    """R6: an error is never read as a result; text is text, and all else is its JSON."""
    output = items(user("go"), model(call("f")), user(response("f", **said)))[-1]
    assert isinstance(output, Output)
    assert output.outcome.cause is cause
    assert output.model_text == (text or said["error"])


def test_an_empty_response_has_no_output() -> None:
    """R10: ``{}`` is accepted by the provider, and reads as no output."""
    empty = {"functionResponse": {"name": "f", "response": {}}}
    output = items(user("go"), model(call("f")), user(empty))[-1]
    assert isinstance(output, Output)
    assert output.model_text == NO_OUTPUT


def test_the_envelope_is_read() -> None:
    """Instructions, functions in either form of schema, server tools; the rest are options."""
    body = {
        "contents": [user("go")],
        "system_instruction": {"parts": [{"text": "Be"}, {"text": "brief."}], "role": "user"},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}},
                    {"name": "g", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
                ],
                "googleSearch": {},
            },
            {"codeExecution": {}},
        ],
        "generationConfig": {"temperature": 0},
    }
    history = read(body, "gemini")
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert history.instructions == "Be\n\nbrief."
    assert history.tools == (ToolSpec("f", "d", {"type": "object"}), ToolSpec("g", "", schema))
    assert history.options == {
        "generationConfig": {"temperature": 0},
        "tools": [{"googleSearch": {}}, {"codeExecution": {}}],
    }
    assert history.model == ""


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["source"][-60:])
def test_a_recorded_body_is_read_and_written_again(recorded: dict[str, Any]) -> None:
    """What was read and written reads the same once more, whatever the names of its fields were."""
    history = read(recorded["body"], "gemini")
    again = encoder("gemini").encode(history.items, len(history.items), history.settings()).body
    assert [type(item) for item in read(again, "gemini").items] == [type(item) for item in history.items]
    settings = Settings("", history.instructions, history.tools, history.options)
    once_more = read(again, "gemini").items
    assert encoder("gemini").encode(once_more, len(once_more), settings).body == again


@pytest.mark.parametrize("body", [{}, {"contents": "x"}, {"contents": [7, {"parts": [7]}, {"role": 7}]}])
def test_a_broken_body_reads_as_far_as_it_can(body: dict[str, Any]) -> None:
    """Never fails: what cannot be read is not there."""
    assert all(isinstance(item, Message) for item in read(body, "gemini").items)
