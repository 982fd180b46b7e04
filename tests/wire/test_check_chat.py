"""What is found in bodies of Chat Completions."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.wire import Violation, check

USER = {"role": "user", "content": "go"}


def asks(*ids: str, **more: Any) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


def says(call_id: Any, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def find(*messages: Any) -> list[Violation]:
    return list(check({"messages": list(messages)}, "openai_chat"))


def rules(*messages: Any) -> list[str]:
    return [violation.rule for violation in find(*messages)]


def test_unanswered_calls_are_named_together() -> None:
    """CHAT-CALL-NO-TOOL: one finding per assistant message, with every id, as the provider words it."""
    (found,) = find(USER, asks("a", "b", "c"), says("b"))
    assert found.message.endswith("The following tool_call_ids did not have response messages: a, c")
    assert (found.at, found.call_ids) == ("/messages/1", ("a", "c"))


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
def test_nothing_stands_between_calls_and_their_tool_messages(role: str) -> None:
    """CHAT-CALL-NO-TOOL, CHAT-TOOL-ORPHAN: an empty message breaks it as well."""
    between = {"role": role, "content": ""}
    assert rules(asks("a"), between, says("a")) == ["CHAT-CALL-NO-TOOL", "CHAT-TOOL-ORPHAN"]


def test_tool_messages_stand_in_any_order() -> None:
    """CHAT-TOOL-ORDER: matched by id within the run."""
    assert rules(USER, asks("a", "b"), says("b"), says("a"), USER, asks("a"), says("a")) == []


def test_calls_do_not_reach_over_the_next_assistant_message() -> None:
    """CHAT-CALL-NO-TOOL: two assistant messages in a row are two groups."""
    assert rules(asks("a"), asks("b"), says("b")) == ["CHAT-CALL-NO-TOOL"]
    assert rules(asks("a"), {"role": "assistant", "tool_calls": [7, {"id": None}]}, says("a")) == [
        "CHAT-CALL-NO-TOOL",
        "CHAT-TOOL-ORPHAN",
    ]


def test_a_tool_message_names_a_call_of_its_run() -> None:
    """CHAT-TOOL-ID-UNKNOWN and CHAT-TOOL-ID-MISSING: and a missing name does not end the run."""
    assert rules(asks("a"), says("x"), says("a")) == ["CHAT-TOOL-ID-UNKNOWN"]
    assert rules(asks("a"), says(None), says("a")) == ["CHAT-TOOL-ID-MISSING"]


def test_a_late_result_is_a_duplicate() -> None:
    """CHAT-TOOL-DUP: with both positions, as the provider says it."""
    (found,) = find(asks("a"), says("a", "cancelled"), says("a"))
    assert found.message == (
        "Invalid parameter: Duplicate value for 'tool_call_id' of 'a', in messages[1] and messages[2]."
    )


@pytest.mark.parametrize("content", [None, 7, {"type": "text"}, [{"type": "image_url"}], ["text"]])
def test_a_tool_message_says_text(content: Any) -> None:
    """CHAT-TOOL-CONTENT: text or text parts, no pictures."""
    assert rules(asks("a"), says("a", content)) == ["CHAT-TOOL-CONTENT"]
    assert rules(asks("a"), says("a", [{"type": "text", "text": "ok"}])) == []


@pytest.mark.parametrize("message", [{"content": None}, {}, {"content": None, "tool_calls": None}])
def test_an_assistant_message_says_something(message: dict[str, Any]) -> None:
    """CHAT-CONTENT-NULL: null or nothing is fine beside calls only."""
    assert rules({"role": "assistant", **message}) == ["CHAT-CONTENT-NULL"]
    without = {key: value for key, value in asks("a").items() if key != "content"}
    assert rules(without, says("a")) == []
    assert rules({"role": "assistant", **message, "refusal": "no"}) == []
    assert rules({"role": "assistant", **message, "function_call": {"name": "f"}}) == []


@pytest.mark.parametrize("name", ["content", "tool_calls"])
def test_empty_arrays_are_left_out(name: str) -> None:
    """CHAT-EMPTY-ARRAYS: an empty list is not the same as none; null is."""
    (found,) = find({"role": "assistant", "content": "x", name: []})
    assert (found.rule, found.at) == ("CHAT-EMPTY-ARRAYS", f"/messages/0/{name}")
    assert rules({"role": "user", "content": "x", "tool_calls": None}) == []


def test_a_long_id_is_named_where_it_stands() -> None:
    """CHAT-ID-LEN: 64 characters, the recorded 50 among them."""
    assert rules(asks("x" * 64), says("x" * 64)) == []
    (found,) = find(asks("a", "x" * 65), says("a"), says("x" * 65))
    assert (found.rule, found.at) == ("CHAT-ID-LEN", "/messages/0/tool_calls/1/id")


def test_what_is_no_message_is_said_to_be_unreadable() -> None:
    """UNREADABLE: the check says that it saw nothing rather than that all is well."""
    assert rules(USER, "hello") == ["UNREADABLE"]
    assert [each.at for each in check({"messages": {}}, "openai_chat")] == ["/messages"]
    assert [each.at for each in check({}, "openai_chat")] == ["/messages"]
