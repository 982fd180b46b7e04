"""What a transcript becomes as the contents of a Gemini request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Outcome,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.engine.outcome import UNRECORDED, failed, returned
from turnlock.wire import Settings, ToolSpec, check, encoder

MODEL = "gemini-2.5-flash"
NEW = "gemini-3-pro-preview"


def origin(part: dict[str, Any], model: str = MODEL, dialect: str = "gemini") -> Origin:
    return Origin(dialect, model, part)


def call(ordinal: int, name: str = "f", call_id: str = "", **more: Any) -> Call:
    return Call(ordinal, call_id, name, '{"a": 1}', 1, **more)


def encoded(*items: Item, model: str = MODEL, dialect: str = "gemini", **settings: Any) -> dict[str, Any]:
    body = encoder(dialect).encode(items, len(items), Settings(model, **settings)).body
    assert check(body, dialect) == ()
    value: dict[str, Any] = json.loads(body)
    return value


def contents(*items: Item, model: str = MODEL, dialect: str = "gemini") -> list[Any]:
    found: list[Any] = encoded(*items, model=model, dialect=dialect)["contents"]
    return found


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


U1, U2 = Message("m1", "go"), Message("m2", "and now?")


def test_responses_are_one_content_and_the_users_text_another() -> None:
    """C2, GEM-FR-ONE-CONTENT, GEM-MIXED-TURN: all outputs in call order, then each message for itself."""
    items = U1, call(1, "f", "a"), call(2, "g", "b"), Output(1, returned("one")), Output(2, UNRECORDED), U2
    assert contents(*items) == [
        said("go"),
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "a", "name": "f", "args": {"a": 1}}},
                {"functionCall": {"id": "b", "name": "g", "args": {"a": 1}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "a", "name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"id": "b", "name": "g", "response": {"error": UNRECORDED.model_text}}},
            ],
        },
        said("and now?"),
    ]


def test_an_id_is_sent_where_the_model_gave_one() -> None:
    """GEM-PARITY: a call without an id and its response have none; what counts is how many there are."""
    body = contents(U1, call(1), call(2, "f", "a"), Output(1, returned("x")), Output(2, returned("y")))
    assert [part["functionCall"].get("id") for part in body[1]["parts"]] == [None, "a"]
    assert [part["functionResponse"].get("id") for part in body[2]["parts"]] == [None, "a"]


def test_a_repeated_id_is_told_apart_on_both_sides() -> None:
    """R4, C20: two calls of one id keep each their own response."""
    body = contents(U1, call(1, "f", "a"), call(2, "f", "a"), Output(1, UNRECORDED), Output(2, UNRECORDED))
    ids = [part["functionCall"]["id"] for part in body[1]["parts"]]
    assert ids == [part["functionResponse"]["id"] for part in body[2]["parts"]] == ["a", "a_2"]


def test_a_signature_goes_back_on_its_part_to_its_model() -> None:
    """GEM-SIG-INVALID, C41: signatures, thoughts, the text's own part; for another model only the words."""
    thought = {"text": "hm", "thought": True}
    text = {"text": "I look", "thoughtSignature": "s1"}
    part = {"function_call": {"name": "f", "args": {"a": 1}, "id": "a"}, "thought_signature": "s2"}
    items = (
        U1,
        Reasoning("hm", 1, origin(thought)),
        Text("I look", 1, origin(text)),
        call(1, "f", "a", origin=origin(part)),
        Output(1, returned("x")),
    )
    ours = {"functionCall": {"id": "a", "name": "f", "args": {"a": 1}}}
    assert contents(*items)[1]["parts"] == [thought, text, ours | {"thoughtSignature": "s2"}]
    assert contents(*items, model="gemini-2.0-pro")[1]["parts"] == [{"text": "I look"}, ours]


def test_thoughts_alone_are_set_aside() -> None:
    """C41: when nothing else of the answer goes back as it came, its thoughts do not either."""
    thought = Reasoning("hm", 1, origin({"text": "hm", "thought": True}))
    encoded_ = encoder("gemini").encode([U1, thought, Text("so far", 1), U2], 4, Settings(MODEL))
    assert list(encoded_.positions) == [0, None, 1, 2]


@pytest.mark.parametrize(("model", "dialect"), [(NEW, "gemini"), ("models/x", "gemini+3")])
def test_a_call_of_another_model_carries_the_documented_stand_in(model: str, dialect: str) -> None:
    """GEM-SIG-MISSING: Gemini 3 asks for a signature on the first call of a step; its siblings need none."""
    foreign = origin({"type": "function_call"}, "gpt-5", "openai_responses")
    items = (
        U1,
        call(1, "f", "a", origin=foreign),
        call(2, "g", "b"),
        Output(1, UNRECORDED),
        Output(2, UNRECORDED),
    )
    body = encoded(*items, model=model, dialect=dialect)
    assert check(body, "gemini+3") == ()
    signatures = [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]
    assert signatures == ["skip_thought_signature_validator", None]
    assert "skip_thought" not in json.dumps(contents(*items))


def test_a_history_that_begins_with_the_model_gets_a_first_word() -> None:
    """C43, GEM-FC-AFTER: the first content is a user's, and positions count it."""
    items: list[Item] = [call(1, "f", "a"), Output(1, returned("x")), U2]
    made = encoder("gemini").encode(items, 3, Settings(MODEL))
    body = json.loads(made.body)
    assert body["contents"][0] == said("Continue.")
    assert list(made.positions) == [1, 2, 3]
    assert check(made.body, "gemini+vertex") == ()


def test_a_request_does_not_end_with_the_model() -> None:
    """GEM-TRAILING-MODEL: what is asked again, or to go on, ends with a short word of the user's."""
    items: list[Item] = [U1, Text("Half", 1)]
    known = encoder("gemini")
    first = known.encode(items, 2, Settings(MODEL)).body
    assert json.loads(first)["contents"] == [said("go"), said("Half", "model"), said("Continue.")]
    items.append(U2)
    later = known.encode(items, 3, Settings(MODEL)).body
    assert json.loads(later)["contents"] == [said("go"), said("Half", "model"), said("and now?")]


def test_the_note_and_every_role_speak_as_the_user() -> None:
    """C3, R26: there is no developer among the contents; an empty message still stands."""
    note = Note("The user interrupted this turn.")
    interrupted = failed("Tool cancelled while it was running, after 2 s: it may have had effects.")
    assert interrupted.cause is Cause.INTERRUPTED
    items = (U1, call(1), Output(1, interrupted), note, Message("d", "be brief", Role.DEVELOPER))
    body = contents(*items, Message("e", ""))
    assert body[3:] == [said(note.text), said("be brief"), said("(empty message)")]


def test_every_kind_of_call_is_a_function() -> None:
    """C36: no call is lost because Gemini has no word for its kind; nor is one without a name."""
    for kind in CallKind:
        name = "f" if kind in (CallKind.FUNCTION, CallKind.CUSTOM) else str(kind)
        body = contents(U1, call(1, name, "a", kind=kind), Output(1, returned("x")))
        assert body[1]["parts"] == [{"functionCall": {"id": "a", "name": name, "args": {"a": 1}}}]
        assert body[2]["parts"][0]["functionResponse"]["name"] == name
    assert (
        contents(U1, call(1, ""), Output(1, returned("x")))[1]["parts"][0]["functionCall"]["name"]
        == "unknown"
    )


def test_what_the_provider_executed_goes_back_with_its_result_or_not_at_all() -> None:
    """R21: a server call in flight when its turn ended is set aside; so is another model's."""

    def server(part: dict[str, Any]) -> ServerCall:
        return ServerCall(next(iter(part)), 1, origin(part))

    tool: dict[str, Any] = {"toolCall": {"id": "s", "toolType": "GOOGLE_SEARCH_WEB"}}
    result: dict[str, Any] = {"toolResponse": {"id": "s", "response": {}}}
    code: dict[str, Any] = {"executableCode": {"code": "1"}}
    outcome: dict[str, Any] = {"codeExecutionResult": {"output": "1"}}
    parts = [tool, result, code, outcome]
    assert contents(U1, *map(server, parts), U2)[1]["parts"] == parts
    assert contents(U1, *map(server, [code, outcome, tool]), U2)[1]["parts"] == [code, outcome]
    assert contents(U1, *map(server, parts), U2, model="gemini-2.0") == [said("go"), said("and now?")]


def test_parts_of_any_dialect_are_written_as_geminis() -> None:
    """Content parts: pictures inline or by address, own parts as they are, what cannot be shown in words."""
    video = {"fileData": {"fileUri": "gs://b/v.mp4", "mimeType": "video/mp4"}}
    message = Message(
        "m",
        (
            {"type": "input_text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}},
            {"type": "input_image", "image_url": "https://x.test/1.png?size=2"},
            {"inlineData": {"mimeType": "image/png", "data": "BBBB"}},
            video,
            {"type": "input_audio", "input_audio": {}},
        ),
    )
    assert contents(message)[0]["parts"] == [
        {"text": "see"},
        {"inlineData": {"mimeType": "image/gif", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/1.png?size=2"}},
        {"inlineData": {"mimeType": "image/png", "data": "BBBB"}},
        video,
        {"text": "[input_audio: cannot be shown here]"},
    ]


def test_the_envelope_is_geminis() -> None:
    """Model and streaming stand in the URL; instructions, functions and options have the API's names."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    body = encoded(
        U1,
        instructions="Be brief.",
        tools=(
            ToolSpec("read", "Read a file.", schema),
            ToolSpec("now"),
            ToolSpec("patch", kind=CallKind.CUSTOM, parameters={"type": "text"}),
            ToolSpec("local_shell", kind=CallKind.LOCAL_SHELL, parameters={"env": {}}),
        ),
        options={"generationConfig": {"temperature": 0.2}, "tools": [{"googleSearch": {}}]},
    )
    text = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    assert {key: value for key, value in body.items() if key != "contents"} == {
        "generationConfig": {"temperature": 0.2},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "read", "description": "Read a file.", "parametersJsonSchema": schema},
                    {"name": "now"},
                    {"name": "patch", "parametersJsonSchema": text},
                    {"name": "local_shell", "parametersJsonSchema": {"type": "object"}},
                ]
            },
            {"googleSearch": {}},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
    }
    assert encoded(U1) == {"contents": [said("go")]}


@pytest.mark.parametrize("name", ["model", "stream", "contents", "systemInstruction", "instructions"])
def test_an_option_may_not_take_the_place_of_a_setting(name: str) -> None:
    """What Settings has a field for is no option; the text says so."""
    with pytest.raises(ValueError, match=f"{name!r} is not an option"):
        encoder("gemini").encode([U1], 1, Settings(MODEL, options={name: "x"}))


def test_an_output_without_its_call_is_set_aside() -> None:
    """R16, C37: it would be refused; its place says that it was not sent."""
    made = encoder("gemini").encode([U1, Output(7, returned("x"))], 2, Settings(MODEL))
    assert list(made.positions) == [0, None]


def test_what_failed_is_marked_and_never_empty() -> None:
    """R10: the means of the dialect for an error, and a text for every outcome."""
    for outcome, field in ((returned(""), "output"), (failed(""), "error"), (UNRECORDED, "error")):
        part = contents(U1, call(1), Output(1, outcome))[2]["parts"][0]
        assert part["functionResponse"]["response"] == {field: outcome.model_text}
        assert outcome.model_text


def test_texts_of_outcomes_are_known_again() -> None:
    """R6, R10: an outcome read from its text reads the same, with what was printed behind it."""
    for text in (
        "Tool error: ValueError: bad\nOutput so far (incomplete):\nhalf",
        "Tool denied: it was not run.",
        "Tool denied: it was not run. No.",
        "Tool timed out after 2.5 s: it may have had effects.",
        "Tool not run: there is no tool x.",
        UNRECORDED.model_text,
    ):
        outcome = failed(text)
        assert outcome.model_text == text
        assert not outcome.ok
    assert failed("boom") == Outcome(failed("x").state, Cause.RAISED, why="boom")
