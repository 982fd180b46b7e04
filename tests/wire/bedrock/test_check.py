"""What is found in bodies of Converse."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.wire import Violation, check, walk

CONFIG = {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]}


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": each} if isinstance(each, str) else each for each in blocks]}


def answers(*blocks: Any) -> dict[str, Any]:
    return says(*blocks) | {"role": "assistant"}


def use(call_id: Any, **more: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": call_id, "name": "f", "input": {}, **more}}


def result(call_id: Any, *content: Any, **more: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": call_id, "content": list(content) or [{"text": "ok"}], **more}}


def find(*messages: Any, profiles: str = "", config: Any = CONFIG) -> list[Violation]:
    body = {"messages": list(messages), "toolConfig": config}
    return list(check(body, f"bedrock_converse{profiles}"))


def rules(*messages: Any, profiles: str = "", config: Any = CONFIG) -> list[str]:
    return [found.rule for found in find(*messages, profiles=profiles, config=config)]


def test_calls_without_results_are_named_together_at_the_first_of_them() -> None:
    """BR-EXPECTED-RESULT: one finding per message; the provider counts to the message that lacks them."""
    (found,) = find(says("go"), answers("hm", use("a"), use("b"), use("c")), says(result("b")))
    assert found.message == "Expected toolResult blocks at messages.2.content for the following Ids: a, c"
    assert (found.at, found.call_ids) == ("/messages/1/content/1", ("a", "c"))


def test_a_history_that_ends_with_a_call_lacks_its_result() -> None:
    """BR-EXPECTED-RESULT: asked in between, and again when it went on: the walk does not change."""
    history = walk("bedrock_converse", {"toolConfig": CONFIG})
    history.feed([says("go"), answers(use("a"))])
    assert [found.rule for found in history.verdict()] == ["BR-EXPECTED-RESULT"]
    assert history.verdict() == history.verdict()
    history.feed([says(result("a"))])
    assert history.verdict() == ()


@pytest.mark.parametrize("between", [says("wait"), answers("wait")])
def test_nothing_stands_between_calls_and_results(between: dict[str, Any]) -> None:
    """BR-EXPECTED-RESULT, BR-EXTRA-RESULT: the very next message, whoever it is from."""
    found = rules(says("go"), answers(use("a")), between, says(result("a")))
    assert "BR-EXPECTED-RESULT" in found
    assert "BR-EXTRA-RESULT" in found
    assert "BR-ALTERNATE" in found


def test_results_stand_in_any_order_beside_words() -> None:
    """What was recorded as accepted: any order, text and images behind the results."""
    image = {"image": {"format": "png", "source": {"bytes": "QUJD"}}}
    assert rules(says("go"), answers(use("a"), use("b")), says(result("b"), result("a"), "also", image)) == []


def test_a_second_result_and_a_strange_one_are_too_many() -> None:
    """BR-EXTRA-RESULT: at the block that is too much."""
    (second,) = find(says("go"), answers(use("a")), says(result("a"), result("a")))
    assert (second.at, second.call_ids) == ("/messages/2/content/1", ("a",))
    assert second.message == (
        "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of "
        "previous turn."
    )
    assert rules(says(result("x"))) == ["BR-EXTRA-RESULT"]


def test_an_id_may_come_again_with_a_pair_of_its_own() -> None:
    """Not verified at the provider, so not flagged: one id in two turns, and of two calls at once."""
    turn = [answers(use("a")), says(result("a"))]
    assert rules(says("go"), *turn, *turn) == []
    assert rules(says("go"), answers(use("a"), use("a")), says(result("a"), result("a"))) == []
    assert rules(says("go"), answers(use("a"), use("a")), says(result("a"))) == ["BR-EXPECTED-RESULT"]


def test_a_call_that_the_provider_executed_has_its_result_beside_it() -> None:
    """BR-EXPECTED-RESULT: recorded with Nova's code interpreter; without the result nothing exempts it."""
    hosted = use("s", type="server_tool_use")
    assert rules(says("go"), answers(hosted, result("s"), "there"), says("more")) == []
    assert rules(says("go"), answers(hosted), says("more")) == ["BR-EXPECTED-RESULT"]
    assert rules(says("go"), answers(use("s"), result("s")), says("more")) == ["BR-EXPECTED-RESULT"]


def test_roles_take_turns() -> None:
    """BR-ALTERNATE: each second message of a role; whoever begins."""
    assert rules(says("a"), says("b"), answers("c"), answers("d"), answers("e")) == ["BR-ALTERNATE"] * 3
    assert rules(answers("hi"), says("go")) == []


@pytest.mark.parametrize("config", [None, {}, {"tools": []}, []])
def test_a_history_with_calls_goes_with_its_tools(config: Any) -> None:
    """BR-TOOLCONFIG: named once, at the first block that needs it."""
    history = says("go"), answers("hm", use("a")), says(result("a"))
    (found,) = find(*history, config=config)
    assert (found.rule, found.at) == ("BR-TOOLCONFIG", "/messages/1/content/1")
    assert rules(*history, config="[present]") == []
    assert rules(says("go"), config=config) == []


def test_words_beside_results_or_calls_are_for_the_models_that_take_them() -> None:
    """BR-MIXED-USER, BR-MIXED-ASSISTANT: errors in their profiles, and in no other."""
    history = says("go"), answers("hm", use("a")), says(result("a"), "also")
    assert rules(*history) == []
    (user,) = find(*history, profiles="+unmixed_user")
    assert (user.rule, user.at) == ("BR-MIXED-USER", "/messages/2/content/1")
    (assistant,) = find(*history, profiles="+unmixed_assistant")
    assert (assistant.rule, assistant.at) == ("BR-MIXED-ASSISTANT", "/messages/1/content/0")
    assert rules(*history, profiles="+unmixed_user+unmixed_assistant") == [assistant.rule, user.rule]
    mark = {"cachePoint": {"type": "default"}}
    thought = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
    bare = says("go"), answers(thought, use("a")), says(result("a"), mark)
    assert rules(*bare, profiles="+unmixed_user+unmixed_assistant") == []


@pytest.mark.parametrize("content", [None, [], [{"text": " "}], [{"text": 7}], [{}], "no"])
def test_an_error_says_what_went_wrong(content: Any) -> None:
    """BR-RESULT-ERROR-CONTENT: blank is as good as nothing; a success may be silent."""
    block = {"toolResult": {"toolUseId": "a", "content": content, "status": "error"}}
    (found,) = find(says("go"), answers(use("a")), says(block))
    assert found.message == (
        "The content field at messages.2.content.0.toolResult cannot be empty when status value is error."
    )
    assert found.at == "/messages/2/content/0/toolResult/content"
    block["toolResult"]["status"] = "success"
    assert rules(says("go"), answers(use("a")), says(block)) == []


def test_json_of_a_result_is_an_object() -> None:
    """BR-RESULT-JSON-OBJECT: with all three positions."""
    block = result("a", {"json": {}}, {"json": [1]})
    (found,) = find(says("go"), answers(use("a")), says(block))
    assert found.message.startswith(
        "The format of the value at messages.2.content.0.toolResult.content.1.json is"
    )
    assert found.at == "/messages/2/content/0/toolResult/content/1/json"


@pytest.mark.parametrize("call_id", ["", "a b", "x" * 65, "ä", None, 7])
def test_ids_are_short_and_plain(call_id: Any) -> None:
    """BR-ID-PATTERN: on both sides."""
    found = find(says("go"), answers(use(call_id)), says(result(call_id)))
    assert [each.at for each in found if each.rule == "BR-ID-PATTERN"] == [
        "/messages/1/content/0/toolUse/toolUseId",
        "/messages/2/content/0/toolResult/toolUseId",
    ]
    assert rules(says("go"), answers(use("a_.:-Z9")), says(result("a_.:-Z9"))) == []


@pytest.mark.parametrize("content", [None, [], ()])
def test_a_message_says_something(content: Any) -> None:
    """BR-EMPTY-MESSAGE."""
    (found,) = find({"role": "user", "content": content})
    assert (found.rule, found.at) == ("BR-EMPTY-MESSAGE", "/messages/0/content")


def test_what_is_no_message_is_said_to_be_unreadable() -> None:
    """UNREADABLE: text in place of blocks, and a role that Converse does not have."""
    assert rules({"role": "user", "content": "go"}) == ["UNREADABLE"]
    assert rules(says("go") | {"role": "system"}) == ["UNREADABLE"]
    assert rules(says("go"), 7) == ["UNREADABLE"]
    assert [each.at for each in check({}, "bedrock_converse")] == ["/messages"]
