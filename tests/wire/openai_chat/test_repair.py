"""Bodies of Chat Completions, mended as their servers take them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, strategies as st

from support.histories import CHATS, SERVERS, histories
from turnlock.engine.outcome import UNRECORDED
from turnlock.wire import Settings, check, encoder, read, repair
from turnlock.wire.repair import Repaired

U = {"role": "user", "content": "hi"}
TARGETS = [name for name in SERVERS if name.partition("+")[0] in CHATS]


def asks(*ids: Any, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    calls = [
        {"id": each, "type": "function", "function": {"name": "f", "arguments": arguments}} for each in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


def says(call_id: Any, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


LOST_TEXT = UNRECORDED.model_text


def mend(dialect: str, *rows: Any) -> Repaired:
    """A repair after which nothing is wrong, and which another one leaves alone."""
    done = repair({"messages": list(rows)}, dialect)
    assert done.left == ()
    assert [each for each in check(done.value, dialect) if each.severity == "error"] == []
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)
    return done


def rows(dialect: str, *given_rows: Any) -> list[Any]:
    found: list[Any] = mend(dialect, *given_rows).value["messages"]
    return found


@pytest.mark.parametrize("dialect", CHATS)
def test_what_is_open_is_closed_where_it_stands(dialect: str) -> None:
    """C36, C38, C39: a call gets its tool message directly behind it, its own where it has one somewhere."""
    assert rows(dialect, U, asks("a", content="")) == [U, asks("a", content=""), says("a", LOST_TEXT)]
    assert rows(dialect, U, asks("a", "b"), says("b"), U)[2:] == [says("a", LOST_TEXT), says("b"), U]
    assert rows(dialect, U, asks("a"), U, says("a"))[2:] == [says("a"), U]


@pytest.mark.parametrize("dialect", CHATS)
def test_what_answers_nothing_is_set_aside(dialect: str) -> None:
    """C37, C40, R16: it is reported, and nothing else changes."""
    done = mend(dialect, U, says("x"), asks("a"), says("a", "cancelled"), says("a"))
    assert done.value["messages"] == [U, asks("a"), says("a", "cancelled")]
    assert [change.set_aside for change in done.changes] == [says("x"), says("a")]
    assert [change.at for change in done.changes] == ["/messages/1", "/messages/4"]


def test_calls_of_one_id_are_told_apart() -> None:
    """C20: in one answer, together with the tool messages that answer them."""
    found = rows("openai_chat", U, asks("a", "a"), says("a", "one"), says("a", "two"))
    first, second = (call["id"] for call in found[1]["tool_calls"])
    assert first != second
    assert [row["tool_call_id"] for row in found[2:]] == [first, second]
    assert [row["content"] for row in found[2:]] == ["one", "two"]


def test_a_long_id_is_shortened_on_both_sides() -> None:
    """CHAT-ID-LEN, C22."""
    found = rows("openai_chat", U, asks("x" * 70), says("x" * 70))
    assert found[1]["tool_calls"][0]["id"] == found[2]["tool_call_id"]
    assert len(found[2]["tool_call_id"]) <= 64


@pytest.mark.parametrize("dialect", ["openai_chat", "groq", "minimax", "deepseek_chat", "dashscope_qwen"])
def test_a_tool_message_without_an_id_gets_the_one_that_is_left(dialect: str) -> None:
    """CHAT-TOOL-ID-MISSING: its text is the call's, and is not set aside."""
    nameless = {"role": "tool", "content": "one"}
    assert rows(dialect, U, asks("a", "b"), nameless, says("b"))[2:] == [says("a", "one"), says("b")]
    assert rows(dialect, U, asks("a", "b"), nameless, nameless)[2:] == [says("a", "one"), says("b", "one")]
    assert rows(dialect, U, nameless) == [U]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": ""}),
        ({"role": "assistant", "content": "x", "tool_calls": []}, {"role": "assistant", "content": "x"}),
        ({"role": "user", "content": []}, {"role": "user", "content": ""}),
    ],
    ids=["CHAT-CONTENT-NULL", "CHAT-EMPTY-ARRAYS", "content"],
)
def test_what_says_nothing_says_so(before: dict[str, Any], after: dict[str, Any]) -> None:
    """CHAT-CONTENT-NULL and CHAT-EMPTY-ARRAYS."""
    assert rows("openai_chat", U, before) == [U, after]


def test_a_picture_in_a_tool_message_is_shown_behind_the_results() -> None:
    """CHAT-TOOL-CONTENT, R16: the text stays an output, the picture a picture."""
    picture = {"type": "image_url", "image_url": {"url": "https://x/y"}}
    text = {"type": "text", "text": "see"}
    found = rows(
        "openai_chat", U, asks("a", "b", "c"), says("a", [text, picture]), says("b"), says("c", None), U
    )
    assert found[2:] == [
        says("a", "see\nhttps://x/y"),
        says("b"),
        says("c", "(no output)"),
        {"role": "user", "content": [picture]},
        U,
    ]


def test_groq_is_sent_what_it_knows() -> None:
    """GROQ-UNKNOWN-FIELD: the rest is left out of every message, and reported with its place."""
    done = mend(
        "groq", {**U, "timestamp": 1}, {"role": "assistant", "content": "x", "reasoning_content": "y"}
    )
    assert done.value["messages"] == [U, {"role": "assistant", "content": "x"}]
    assert [change.set_aside for change in done.changes] == [
        [{"at": "/messages/0", "timestamp": 1}, {"at": "/messages/1", "reasoning_content": "y"}]
    ]


def test_broken_arguments_are_sent_as_none() -> None:
    """MINIMAX-ARGS: what was there is reported."""
    done = mend("minimax", U, asks("a", arguments='{"a":'), says("a"))
    assert done.value["messages"][1] == asks("a")
    assert [change.set_aside for change in done.changes] == ['{"a":']


def test_a_body_in_blocks_is_mended_as_one() -> None:
    """MINIMAX-FOLLOW: the same server's other format; what was said beside a result gets its own message."""
    use = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}
    asked = {"role": "assistant", "content": [use]}
    assert rows("minimax", U, asked, {"role": "user", "content": [result]}, U)[1]["content"] == [use]
    closed = rows("minimax", U, asked, U)
    assert closed[2]["content"][0]["content"] == LOST_TEXT
    text = {"type": "text", "text": "and now?"}
    apart = rows("minimax", U, asked, {"role": "user", "content": [result, text]})
    assert [row["content"] for row in apart[2:]] == [[result], [text]]
    assert [type(item).__name__ for item in read({"messages": [U, asked]}, "minimax").items] == [
        "Message",
        "Call",
    ]


@pytest.mark.parametrize(("dialect", "said"), [("deepseek_chat", ""), ("moonshot", " ")])
def test_reasoning_that_is_not_there_is_said_to_be_empty(dialect: str, said: str) -> None:
    """DS-REASONING-BACK and MOONSHOT-REASONING: in thinking mode only."""
    given_rows = [U, asks("a"), says("a"), asks("b", reasoning_content="Hm."), says("b")]
    assert rows(dialect, *given_rows) == given_rows
    found = rows(f"{dialect}+thinking", *given_rows)
    assert [found[1]["reasoning_content"], found[3]["reasoning_content"]] == [said, "Hm."]


def test_turns_are_taken_where_a_template_wants_it() -> None:
    """TEMPLATE-ALTERNATE, LLAMACPP-NULL: nothing is dropped, short messages stand between."""
    said = {"role": "assistant", "content": "x"}
    found = rows(
        "vllm_hf_templates+alternate+llamacpp",
        said,
        said,
        U,
        {**U, "content": "again"},
        asks("a"),
        says("a"),
        U,
    )
    assert [(row["role"], row["content"]) for row in found] == [
        ("user", "Continue."),
        ("assistant", "x"),
        ("user", "Continue."),
        ("assistant", "x"),
        ("user", "hi\n\nagain"),
        ("assistant", ""),
        ("tool", "ok"),
        ("assistant", "Understood."),
        ("user", "hi"),
    ]


ODD = st.sampled_from(
    [
        {"role": "assistant"},
        {"role": "assistant", "content": None, "tool_calls": [7]},
        {"role": "assistant", "tool_calls": [{}]},
        {"role": "tool"},
        {"role": "tool", "tool_call_id": 7},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "image_url"}]},
        {"role": "user", "content": []},
        {"role": "user", "content": "x", "name": "n", "extra": 1},
        {},
        U,
        asks("a", "a"),
        asks(""),
        says(""),
    ]
)


def words(body: Mapping[str, Any]) -> list[str]:
    """Everything in a body that somebody said, called or answered, but for ids; as JSON."""
    found: list[Any] = []
    for row in body["messages"]:
        said = row.get("content")
        found += said if isinstance(said, list) else [said]
        found += [call.get("function") or call.get("custom") for call in row.get("tool_calls") or ()]
    return [json.dumps(each, sort_keys=True).strip('"') for each in found if each not in (None, "")]


@pytest.mark.parametrize("dialect", TARGETS)
@given(data=st.data())
def test_a_repair_ends_with_a_valid_body(dialect: str, data: st.DataObject) -> None:
    """R16: dropped, doubled, moved and odd rows: afterwards nothing is wrong, and a second repair is none."""
    items, _ = data.draw(histories(dialect))
    body = json.loads(encoder(dialect).encode(items, len(items), Settings("m")).body)
    sound = repair(body, dialect)
    assert sound.value is body
    assert sound.changes == ()
    messages = body["messages"]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(messages)))
        match data.draw(st.sampled_from(["drop", "double", "move", "odd"])):
            case "drop" if at < len(messages):
                del messages[at]
            case "double" if at < len(messages):
                messages.insert(at, messages[at])
            case "move" if at < len(messages):
                messages.append(messages.pop(at))
            case _:
                messages.insert(at, data.draw(ODD))
    done = repair(body, dialect)
    assert done.left == ()
    assert check(done.value, dialect) == check(done.body, dialect)
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)


@pytest.mark.parametrize("dialect", ["openai_chat", "groq", "vllm_hf_templates+alternate"])
@given(data=st.data())
def test_no_message_call_or_output_disappears(dialect: str, data: st.DataObject) -> None:
    """R16: what stood in the damaged body stands in the repaired one, or in the report."""
    items, _ = data.draw(histories(dialect))
    body = json.loads(encoder(dialect).encode(items, len(items), Settings("m")).body)
    messages = body["messages"]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(messages) - 1)))
        if messages and data.draw(st.booleans()):
            messages.append(messages.pop(at))
        elif messages:
            messages.insert(at, messages[at])
    done = repair(body, dialect)
    kept = json.dumps([done.value, [change.set_aside for change in done.changes]], sort_keys=True)
    assert [each for each in words(body) if each not in kept] == []
