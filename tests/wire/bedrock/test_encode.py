"""What leaves for Converse, and what its answers are read as."""

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
from turnlock.machines import InvocationState
from turnlock.wire import Settings, ToolSpec, check, decode, encoder, read, repair

OURS = "bedrock_converse"
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
RAISED = Outcome(InvocationState.COMPLETED, Cause.RAISED, why="ValueError")
HI = Message("1", "hi")
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}


def body(*items: Item, profiles: str = "", **more: Any) -> dict[str, Any]:
    settings = Settings(more.pop("model", "m"), **more)
    made: dict[str, Any] = json.loads(encoder(OURS + profiles).encode(items, len(items), settings).body)
    assert check(made, OURS + profiles) == ()
    return made


def sent(*items: Item, profiles: str = "", **more: Any) -> list[tuple[str, Any]]:
    """Role and content of every message; a text block is its text."""
    return [
        (row["role"], [block.get("text", block) for block in row["content"]])
        for row in body(*items, profiles=profiles, **more)["messages"]
    ]


def use(call_id: str, name: str = "f", **given: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": name, "input": given}}


def result(call_id: str, text: str, status: str = "success") -> dict[str, Any]:
    return {"toolResult": {"toolUseId": call_id, "content": [{"text": text}], "status": status}}


def answered(raw: list[dict[str, Any]], model: str = "m") -> list[Item]:
    found = decode(OURS, {"content": raw}, request=1, model=model, next_ordinal=lambda: 1)
    return [each.item for each in found]


def test_results_and_words_of_one_gap_are_one_message() -> None:
    """BR-ALTERNATE, BR-RESULT-ERROR-CONTENT, C42: results first in call order, and text before the calls."""
    items: list[Item] = [
        HI,
        Call(1, "a", "f", '{"x": 1}', 1),
        Text("looking", 1),
        Call(2, "a", "f", "{}", 1),
        Output(1, DONE),
        Output(2, RAISED),
        Note("stopped"),
        Message("2", "more", Role.DEVELOPER),
    ]
    assert sent(*items) == [
        ("user", ["hi"]),
        ("assistant", ["looking", use("a", x=1), use("a_2")]),
        ("user", [result("a", "fine"), result("a_2", "Tool error: ValueError", "error"), "stopped", "more"]),
    ]


def test_models_that_take_no_words_beside_results_get_a_bridge() -> None:
    """BR-MIXED-USER: an assistant message stands between; positions name where each item went."""
    items: list[Item] = [HI, Call(1, "a", "f", "{}", 1), Output(1, DONE), Message("2", "more")]
    rows = sent(*items, profiles="+unmixed_user")
    assert rows[2:] == [
        ("user", [result("a", "fine")]),
        ("assistant", ["(Tool results received.)"]),
        ("user", ["more"]),
    ]
    made = encoder(f"{OURS}+unmixed_user").encode(items, 4, Settings("m"))
    assert list(made.positions) == [0, 1, 2, 4]


def test_models_that_take_no_words_beside_calls_get_them_apart() -> None:
    """BR-MIXED-ASSISTANT, R16: the words stay, in a message of their own."""
    items: list[Item] = [HI, Text("looking", 1), Call(1, "a", "f", "{}", 1), Output(1, DONE)]
    assert sent(*items, profiles="+unmixed_assistant")[1:] == [
        ("assistant", ["looking"]),
        ("user", ["Continue."]),
        ("assistant", [use("a")]),
        ("user", [result("a", "fine")]),
    ]


def test_no_two_answers_stand_side_by_side() -> None:
    """BR-ALTERNATE, R10: what closed a request stays where it was when its answer has come."""
    assert sent(HI, Text("a", 1)) == [("user", ["hi"]), ("assistant", ["a"]), ("user", ["Continue."])]
    assert sent(HI, Text("a", 1), Text("b", 2))[:4] == [
        ("user", ["hi"]),
        ("assistant", ["a"]),
        ("user", ["Continue."]),
        ("assistant", ["b"]),
    ]
    assert sent(HI, Reasoning("?", 1), Message("2", "more")) == [
        ("user", ["hi"]),
        ("assistant", ["(No answer.)"]),
        ("user", ["more"]),
    ]
    assert sent(Text("a", 1), HI)[0] == ("user", ["Continue."])


def test_tools_are_there_as_long_as_the_history_has_calls() -> None:
    """BR-TOOLCONFIG: without tools of the session, those that the history names."""
    history: list[Item] = [HI, Call(1, "a", "fs.read", "{}", 1), Output(1, DONE)]
    assert body(*history)["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "fs_read", "inputSchema": {"json": {"type": "object"}}}}]
    }
    assert "toolConfig" not in body(HI)
    tools = (ToolSpec("f", "Does f.", {"type": "object"}, strict=True), ToolSpec("p", kind=CallKind.CUSTOM))
    options = {"toolConfig": {"toolChoice": {"any": {}}}, "tools": [{"cachePoint": {"type": "default"}}]}
    config = body(*history, tools=tools, options=options)["toolConfig"]
    function, custom, mark = config["tools"]
    assert config["toolChoice"] == {"any": {}}
    assert function["toolSpec"] == {
        "name": "f",
        "description": "Does f.",
        "inputSchema": {"json": {"type": "object"}},
        "strict": True,
    }
    assert custom["toolSpec"]["inputSchema"]["json"]["required"] == ["input"]
    assert mark == {"cachePoint": {"type": "default"}}


def test_the_model_and_the_stream_stand_in_the_url() -> None:
    """What is left of the settings: system and options."""
    made = body(HI, instructions="Be brief.", options={"inferenceConfig": {"maxTokens": 5}})
    assert list(made) == ["inferenceConfig", "system", "messages"]
    assert made["system"] == [{"text": "Be brief."}]
    for name in ("model", "modelId", "stream", "messages", "instructions"):
        with pytest.raises(ValueError, match=repr(name)):
            body(HI, options={name: 1})


@pytest.mark.parametrize("model", ["m", "other"])
def test_reasoning_goes_back_to_the_model_that_made_it(model: str) -> None:
    """C41: verbatim, signature and all; to any other it is set aside, and so is what has lost its partner."""
    answer = answered([THOUGHT, {"text": "so"}])
    ours = [THOUGHT] if model == "m" else []
    assert sent(HI, *answer, model=model)[1] == ("assistant", [*ours, "so"])
    assert sent(HI, answer[0], Text("shown", 1), model=model)[1] == ("assistant", ["shown"])


def test_what_the_provider_executed_goes_back_whole_or_not_at_all() -> None:
    """R21: call and result stay together, under one id; without its result nothing goes on from it."""
    hosted = {"toolUse": {"toolUseId": "s", "name": "code", "input": {}, "type": "server_tool_use"}}
    there = {"toolResult": {"toolUseId": "s", "content": [{"json": {"o": 1}}]}}
    answer = answered([hosted, there, {"text": "so"}])
    assert [type(item) for item in answer] == [ServerCall, ServerCall, Text]
    assert sent(HI, *answer)[1] == ("assistant", [hosted, there, "so"])
    assert body(HI, *answer)["toolConfig"]["tools"] == [{"systemTool": {"name": "code"}}]
    assert sent(HI, answer[0], answer[2])[1] == ("assistant", ["so"])
    assert sent(HI, *answer, model="other")[1] == ("assistant", ["so"])


def test_contents_of_other_formats_are_shown_or_named() -> None:
    """R16: images as Converse has them, text beside a document, and words for what cannot be shown."""
    image = {"image": {"format": "png", "source": {"bytes": "QUJD"}}}
    document = {"document": {"format": "pdf", "name": "d", "source": {"bytes": "QUJD"}}}
    data_url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    address = {"type": "input_image", "image_url": "https://x.test/1.png"}
    sound = {"type": "input_audio", "input_audio": {}}
    shown = sent(Message("1", (data_url, image, address, sound)))
    assert shown == [("user", [image, image, "https://x.test/1.png", "[input_audio: cannot be shown here]"])]
    assert sent(Message("1", (document,))) == [("user", [document, "(document)"])]
    assert sent(Message("1", " "), Message("2", ())) == [("user", ["(empty message)", "(empty message)"])]


def test_an_answer_is_read_block_by_block() -> None:
    """R12, C19: what was cut is the last block only; arguments that are no object are said to be none."""
    raw = [THOUGHT, {"text": "so"}, use("a", x=1), {"toolUse": {"toolUseId": "b", "name": "f", "input": "{"}}]
    found = decode(OURS, {"content": raw}, request=3, model="m", next_ordinal=lambda: 7)
    assert [type(each.item) for each in found] == [Reasoning, Text, Call, Call]
    assert [each.problem for each in found] == [None, None, None, Cause.BAD_ARGUMENTS]
    assert found[0].item == Reasoning("hm", 3, Origin(OURS, "m", THOUGHT))
    cut = decode(OURS, {"content": raw}, request=3, model="m", next_ordinal=lambda: 7, cut=True)
    assert [each.problem for each in cut] == [None, None, None, Cause.CUT_OFF]
    said = decode(
        OURS, {"content": [*raw, {"text": "!"}]}, request=3, model="m", next_ordinal=lambda: 7, cut=True
    )
    assert [each.problem for each in said][-2:] == [Cause.BAD_ARGUMENTS, None]


def test_a_body_says_what_was_asked() -> None:
    """What stands in the envelope is read into the settings; what no setting says is an option."""
    given = {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "inferenceConfig": {"maxTokens": 5},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}},
                {"systemTool": {"name": "code"}},
            ],
            "toolChoice": {"any": {}},
        },
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
    }
    history = read(given, OURS)
    assert (history.instructions, history.tools) == (
        "Be brief.",
        (ToolSpec("f", parameters={"type": "object"}),),
    )
    assert (
        body(*history.items, instructions="Be brief.", tools=history.tools, options=history.options) == given
    )


def test_a_repair_says_what_it_did() -> None:
    """C36, C39, C40, R16: closed, moved, set aside; and the next message joins what it made."""
    user, late = (
        {"role": "user", "content": [{"text": "wait"}]},
        {"role": "user", "content": [result("a", "x")]},
    )
    asks = {"role": "assistant", "content": [use("a"), use("b")]}
    done = repair({"messages": [user, asks, user, late]}, OURS)
    assert done.ok
    assert [change.rule for change in done.changes] == ["", "", "BR-TOOLCONFIG"]
    rows = done.value["messages"]
    assert [row["role"] for row in rows] == ["user", "assistant", "user"]
    assert [next(iter(block)) for block in rows[2]["content"]] == ["toolResult", "toolResult", "text"]
    (orphan,) = repair({"messages": [late, asks, user], "toolConfig": {"tools": [1]}}, OURS).changes[:1]
    assert "moved" in orphan.what
    (aside,) = repair(
        {"messages": [user, asks | {"content": [{"text": "x"}]}, late], "toolConfig": [1]}, OURS
    ).changes[:1]
    assert aside.set_aside == result("a", "x")


def test_a_repair_leaves_alone_what_is_right() -> None:
    """Where in a message a result stands is free: a body that may leave is given back as it was."""
    rows = [
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [use("a"), {"text": "looking"}]},
        {"role": "user", "content": [{"text": "wait"}, result("a", "fine")]},
    ]
    given = {"messages": rows, "toolConfig": {"tools": [1]}}
    assert repair(given, OURS).changes == ()
    broken = {**given, "messages": [*rows, rows[1], rows[0]]}
    done = repair(broken, OURS)
    assert done.value["messages"][:4] == [*rows, rows[1]]
    assert [list(block) for block in done.value["messages"][4]["content"]] == [["toolResult"], ["text"]]
