"""What leaves for Mistral, and what its answers are read as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnlock.engine import Call, CallKind, Cause, Item, Message, Outcome, Output, Reasoning, Role, Text
from turnlock.machines import InvocationState
from turnlock.wire import Settings, ToolSpec, check, decode, encoder, read, repair

OURS = "mistral"
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
HI = Message("1", "hi")
ASKED: list[Item] = [HI, Text("looking", 1), Call(1, "call_1", "fs.read", '{"x": 1}', 1), Output(1, DONE)]


def body(*items: Item, profiles: str = "", **more: Any) -> dict[str, Any]:
    settings = Settings(more.pop("model", "m"), **more)
    made: dict[str, Any] = json.loads(encoder(OURS + profiles).encode(items, len(items), settings).body)
    assert check(made, OURS + profiles) == ()
    return made


def sent(*items: Item, profiles: str = "", **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(*items, profiles=profiles, **more)["messages"]
    return found


def test_ids_have_nine_letters_and_digits_on_both_sides() -> None:
    """MIS-ID-9, C22: ours are the same at every rebuild; names are what Mistral takes."""
    _, asks, tool = sent(*ASKED)
    (call,) = asks["tool_calls"]
    assert len(call["id"]) == 9
    assert call["id"].isalnum()
    assert call == {
        "id": call["id"],
        "type": "function",
        "function": {"name": "fs_read", "arguments": '{"x": 1}'},
    }
    assert tool == {"role": "tool", "tool_call_id": call["id"], "name": "fs_read", "content": "fine"}
    assert sent(HI, Call(1, "abcdefghi", "f", "{}", 1), Output(1, DONE))[2]["tool_call_id"] == "abcdefghi"


@pytest.mark.parametrize(("profiles", "roles"), [("", ["assistant", "user"]), ("+common", ["user"])])
def test_a_user_speaks_behind_results(profiles: str, roles: list[str]) -> None:
    """MIS-ORDER: the hosted API wants an answer in between, mistral-common does not."""
    rows = sent(*ASKED, Message("2", "more", Role.DEVELOPER), profiles=profiles)
    assert [row["role"] for row in rows[3:]] == roles
    assert rows[-1] == {"role": "user", "content": "more"}


def test_old_tokenizers_get_words_and_calls_apart() -> None:
    """MIS-CONTENT-XOR, R16: two assistant messages; elsewhere it is one."""
    assert [row.get("content") for row in sent(*ASKED)] == ["hi", "looking", "fine"]
    rows = sent(*ASKED, profiles="+v3")
    assert [(row["role"], row["content"], "tool_calls" in row) for row in rows[1:3]] == [
        ("assistant", "looking", False),
        ("assistant", "", True),
    ]


def test_an_answer_is_not_the_last_word() -> None:
    """MIS-LAST, R10: a user's message closes the request, and stands there when its answer has come."""
    assert sent(HI, Text("a", 1))[2:] == [{"role": "user", "content": "Continue."}]
    assert [row["content"] for row in sent(HI, Text("a", 1), Text("b", 2))][:4] == [
        "hi",
        "a",
        "Continue.",
        "b",
    ]
    assert sent(HI, Text(" ", 1))[1]["content"] == "(No answer.)"


def test_instructions_and_tools_stand_in_the_body() -> None:
    """All tools are functions; what Mistral does not know is not asked for."""
    made = body(HI, instructions="Be brief.", tools=(ToolSpec("f"), ToolSpec("p", kind=CallKind.CUSTOM)))
    assert made["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [tool["function"]["name"] for tool in made["tools"]] == ["f", "p"]
    assert list(made) == ["model", "tools", "stream", "messages"]


@pytest.mark.parametrize("model", ["m", "other"])
def test_reasoning_goes_back_to_the_model_that_made_it(model: str) -> None:
    """C41: the chunk as it came; to another model, or an old tokenizer, it is set aside."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    raw = {"content": [thinking, {"type": "text", "text": "so"}]}
    answer = [each.item for each in decode(OURS, raw, request=1, model="m", next_ordinal=lambda: 1)]
    assert [(type(item), item.text) for item in answer if isinstance(item, Reasoning | Text)] == [
        (Reasoning, "hm"),
        (Text, "so"),
    ]
    kept = raw["content"] if model == "m" else "so"
    assert sent(HI, *answer, model=model)[1]["content"] == kept
    assert sent(HI, *answer, model=model, profiles="+v3")[1]["content"] == "so"


def test_contents_of_other_formats_are_shown_or_named() -> None:
    """R16: own chunks as they are, images by address or data, words for the rest."""
    own = {"type": "document_url", "document_url": "https://x.test/1.pdf"}
    image = {"image": {"format": "png", "source": {"bytes": "QUJD"}}}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "QUJD"}}
    (row,) = sent(Message("1", (own, image, sound)))
    assert row["content"] == [
        own,
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "text", "text": "[inlineData: cannot be shown here]"},
    ]


def test_an_answer_is_read_call_by_call() -> None:
    """R12, C19: the length limit cuts the last call."""
    calls = [{"id": "a", "function": {"name": "f", "arguments": given}} for given in ("{", {"x": 1}, "{}")]
    found = decode(OURS, {"tool_calls": calls}, request=1, model="m", next_ordinal=lambda: 1, cut=True)
    assert [each.problem for each in found] == [Cause.BAD_ARGUMENTS, None, Cause.CUT_OFF]
    assert [each.item.arguments for each in found if isinstance(each.item, Call)] == ["{}", '{"x":1}', "{}"]


def test_a_body_says_what_was_asked() -> None:
    """What stands in the envelope is read into the settings; what no setting says is an option."""
    made = body(*ASKED, instructions="Be brief.", tools=(ToolSpec("f", "Does f."),), options={"top_p": 1})
    history = read(made, OURS)
    assert (history.model, history.instructions, history.options) == ("m", "Be brief.", {"top_p": 1})
    assert [item.call_id for item in history.items if isinstance(item, Call)] == [
        made["messages"][2]["tool_calls"][0]["id"]
    ]
    assert (
        body(*history.items, instructions=history.instructions, tools=history.tools, options=history.options)
        == made
    )


def test_a_repair_keeps_what_the_body_had() -> None:
    """C36, C39, R16: the call is closed in its place, both get an id that is taken, and no field is lost."""
    asks = {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "index": 0, "function": {"name": "f", "arguments": "{}"}}],
        "content": "looking",
        "prefix": False,
    }
    wait = {"role": "user", "content": "wait", "extra": 1}
    done = repair({"messages": [wait, asks, wait], "model": "m", "seed": 7}, OURS)
    assert done.ok
    first, second, tool, bridge, last = done.value["messages"]
    assert (first, last, bridge["role"], done.value["seed"]) == (wait, wait, "assistant", 7)
    assert list(second) == list(asks)
    assert second["tool_calls"][0] == asks["tool_calls"][0] | {"id": tool["tool_call_id"]}  # type: ignore[index]
    assert [change.rule for change in done.changes] == ["", "", "MIS-ORDER"]
