"""What is found in bodies of OpenAI Responses."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.wire import Severity, Violation, check

USER = {"role": "user", "content": "go"}
UNANSWERED = "No tool output found for {} c."

CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "function call": (
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "output": "ok"},
    ),
    "custom tool call": (
        {"type": "custom_tool_call", "name": "f", "input": ""},
        {"type": "custom_tool_call_output", "output": "ok"},
    ),
    "local shell call": (
        {"type": "local_shell_call", "status": "completed", "action": {}},
        {"type": "local_shell_call_output", "output": "{}"},
    ),
    "shell call": (
        {"type": "shell_call", "action": {"commands": []}, "environment": {"type": "local"}},
        {"type": "shell_call_output", "output": []},
    ),
    "apply patch call": (
        {"type": "apply_patch_call", "status": "completed", "operation": {}},
        {"type": "apply_patch_call_output", "status": "failed"},
    ),
    "computer call": (
        {"type": "computer_call", "status": "completed", "pending_safety_checks": []},
        {"type": "computer_call_output", "output": {}},
    ),
    "tool search call": (
        {"type": "tool_search_call", "execution": "client", "arguments": {}},
        {"type": "tool_search_output", "execution": "client", "tools": []},
    ),
}
KINDS = pytest.mark.parametrize("label", CALLS)


def pair(label: str, call_id: str = "c") -> list[dict[str, Any]]:
    return [item | {"call_id": call_id} for item in CALLS[label]]


def find(*items: Any, **body: Any) -> list[Violation]:
    return list(check({"input": list(items), **body}, "openai_responses", body.pop("open_calls", ())))


def rules(*items: Any, **body: Any) -> list[str]:
    return [violation.rule for violation in find(*items, **body)]


SEEN_REFUSED = ("function call", "custom tool call", "local shell call")


@KINDS
def test_a_call_of_any_kind_needs_its_output(label: str) -> None:
    """The origin story: a call of every kind that has no output is found, in the provider's words (R3).

    RESP-CALL-NO-OUTPUT-OTHER is inferred from the kinds whose refusal was seen: it warns.
    """
    call, _ = pair(label)
    (found,) = find(USER, call, USER)
    severity = Severity.ERROR if label in SEEN_REFUSED else Severity.WARNING
    assert (found.severity, found.message, found.at) == (severity, UNANSWERED.format(label), "/input/1")
    assert found.call_ids == ("c",)


@KINDS
def test_a_call_and_its_output_pair_over_any_distance(label: str) -> None:
    """RESP-PAIR-BY-ID-ANY-POSITION: messages in between are accepted."""
    call, output = pair(label)
    assert rules(USER, call, {"role": "developer", "content": "hook"}, output, USER) == []


@KINDS
def test_an_output_without_its_call_is_an_orphan(label: str) -> None:
    """RESP-OUTPUT-NO-CALL: reported where it stands, named after its kind."""
    (found,) = find(USER, pair(label)[1])
    assert found.message == f"No tool call found for {label} output with call_id c."
    assert (found.rule, found.at) == ("RESP-OUTPUT-NO-CALL", "/input/1")


@KINDS
def test_an_output_before_its_call_is_reported(label: str) -> None:
    """RESP-OUTPUT-BEFORE-CALL (C40): an error for our own bodies, although nobody verified it."""
    call, output = pair(label)
    assert rules(output, call) == ["RESP-OUTPUT-BEFORE-CALL"]


@KINDS
def test_one_call_has_one_output(label: str) -> None:
    """RESP-DUP-CALL-ID (C39, C40): a second output, or a second call of the id, is reported."""
    call, output = pair(label)
    assert rules(call, output, output) == ["RESP-DUP-CALL-ID"]
    assert rules(call, call, output) == ["RESP-DUP-CALL-ID"]


@pytest.mark.parametrize("label", set(CALLS) - {"function call", "local shell call", "tool search call"})
def test_an_output_of_another_kind_answers_nothing(label: str) -> None:
    """C40: the call stays unanswered, and the output is an orphan."""
    call, _ = pair(label)
    found = find(call, {"type": "function_call_output", "call_id": "c", "output": "ok"})
    assert [violation.message for violation in found] == [
        UNANSWERED.format(label),
        "No tool call found for function call output with call_id c.",
    ]


@pytest.mark.parametrize("label", ["local shell call", "tool search call"])
def test_a_plain_output_answers_two_other_kinds(label: str) -> None:
    """RESP-TOOLSEARCH-SERVER and what the codex CLI sends: a function_call_output is accepted there."""
    call, _ = pair(label)
    assert rules(call, {"type": "function_call_output", "call_id": "c", "output": "ok"}) == []


def test_what_the_provider_executed_wants_no_output() -> None:
    """R21: server-side tool search and shells in a container stand alone, with or without what they found."""
    search = {"type": "tool_search_call", "execution": "server", "call_id": "s", "arguments": {}}
    shell = {"type": "shell_call", "call_id": "h", "environment": {"type": "container_reference"}}
    assert rules(search, shell, search | {"call_id": None}) == []
    found = {"type": "tool_search_output", "execution": "server", "call_id": "s", "tools": []}
    assert rules(search, found, shell, {"type": "shell_call_output", "call_id": "h", "output": []}) == []
    assert rules(found) == []


def test_every_violation_is_reported_in_the_order_of_the_body() -> None:
    """Not only the first: a reader sees all of it at once."""
    first, orphan = pair("function call", "a")[0], pair("custom tool call", "b")[1]
    found = find(first, "text", orphan, pair("shell call", "d")[0])
    assert [(each.rule, each.at) for each in found] == [
        ("RESP-CALL-NO-OUTPUT", "/input/0"),
        ("UNREADABLE", "/input/1"),
        ("RESP-OUTPUT-NO-CALL", "/input/2"),
        ("RESP-CALL-NO-OUTPUT-OTHER", "/input/3"),
    ]


def test_a_label_in_the_wrong_field_answers_nothing() -> None:
    """RESP-CALL-NO-OUTPUT-LOCALSHELL: the SDK's `id` is not read by the provider."""
    call, output = pair("local shell call")
    del output["call_id"]
    assert rules(call, output | {"id": "c"}) == ["RESP-CALL-NO-OUTPUT-LOCALSHELL"]


@pytest.mark.parametrize("call_id", [None, 7, ["c"]])
def test_a_call_without_a_label_cannot_be_answered(call_id: Any) -> None:
    """RESP-CALLID-EMPTY: no label is as bad as an empty one."""
    assert rules({"type": "function_call", "call_id": call_id}) == ["RESP-CALLID-EMPTY"]


def test_the_64th_character_is_the_last() -> None:
    """RESP-CALLID-LEN (C22): 64 pass, 65 do not, on both sides."""
    assert rules(*pair("function call", "x" * 64)) == []
    assert [each.at for each in find(*pair("function call", "x" * 65))] == [
        "/input/0/call_id",
        "/input/1/call_id",
    ]


def test_calls_that_the_provider_holds_must_be_answered() -> None:
    """RESP-PREV-PENDING (R22, C48): the check is told which; their outputs are no orphans."""
    answer = pair("function call")[1]
    body = {"previous_response_id": "resp_1", "open_calls": ("c", "d")}
    (found,) = find(answer, USER, **body)
    assert (found.rule, found.at, found.call_ids) == ("RESP-PREV-PENDING", "/input", ("d",))
    assert found.message == "No tool output found for function call d."
    assert rules(answer, pair("shell call", "d")[1], **body) == []
    assert rules(answer, pair("shell call", "e")[1], **body) == ["RESP-PREV-PENDING", "RESP-OUTPUT-NO-CALL"]
    assert rules(answer, answer, **body | {"open_calls": ("c",)}) == ["RESP-DUP-CALL-ID"]
    assert check({"input": "hi", "conversation": "conv"}, "openai_responses", ("c",))[0].call_ids == ("c",)


@pytest.mark.parametrize("held", [{"previous_response_id": "r"}, {"conversation": {"id": "conv"}}])
def test_an_output_may_answer_what_nobody_told_us_of(held: dict[str, Any]) -> None:
    """C37: while the provider holds history and no open calls are named, an orphan is not for us to judge."""
    assert rules(pair("function call")[1], **held) == []
    assert rules(pair("function call")[0], **held) == ["RESP-CALL-NO-OUTPUT"]


def test_an_output_may_answer_an_item_that_stands_by_reference() -> None:
    """An item_reference can be a call: what it is stands at the provider."""
    assert rules(USER, {"type": "item_reference", "id": "fc_1"}, pair("function call")[1]) == []
    assert rules(USER, {"id": "fc_1"}, pair("function call")[1]) == []


APPROVAL = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "s",
    "name": "n",
    "arguments": "{}",
}
ANSWER = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False}


@pytest.mark.parametrize(
    "items", [[APPROVAL], [ANSWER], [ANSWER, APPROVAL], [APPROVAL, ANSWER, ANSWER]], ids=len
)
def test_an_approval_request_pairs_by_its_own_id(items: list[dict[str, Any]]) -> None:
    """RESP-MCP-APPROVAL: inferred, so it warns; the words are ours."""
    (found,) = find(*items)
    assert (found.rule, found.severity) == ("RESP-MCP-APPROVAL", Severity.WARNING)
    assert found.call_ids == ("mcpr_1",)


def test_an_answered_approval_request_is_fine() -> None:
    """RESP-MCP-APPROVAL: in the body, or held by the provider."""
    assert rules(APPROVAL, ANSWER) == []
    assert rules(ANSWER, previous_response_id="r", open_calls=("mcpr_1",)) == []


THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
DEED = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
DONE = pair("function call")[1]


@pytest.mark.parametrize(
    "after",
    [[], [USER], [{"role": "assistant", "content": "42"}], [DONE]],
    ids=["end", "user", "text", "output"],
)
def test_reasoning_needs_the_item_it_was_made_with(after: list[dict[str, Any]]) -> None:
    """RESP-REASONING-FOLLOW (C41): an item without an id is not it; recorded word for word."""
    found = find(DEED | {"id": "fc_0"}, THOUGHT, *after, *([] if after == [DONE] else [DONE]))
    assert [each.rule for each in found] == ["RESP-REASONING-FOLLOW"]
    assert found[0].message == (
        "Item 'rs_1' of type 'reasoning' was provided without its required following item."
    )


def test_reasoning_may_wait_behind_more_reasoning() -> None:
    """RESP-REASONING-FOLLOW: a run of reasoning belongs to the item behind it, whole or not at all."""
    more = THOUGHT | {"id": "rs_2"}
    assert rules(THOUGHT, more, DEED, DONE) == []
    assert rules(THOUGHT, more, USER) == ["RESP-REASONING-FOLLOW"] * 2
    assert rules({"type": "reasoning", "summary": []}, USER) == []


def test_without_storage_the_reasoning_rule_only_warns() -> None:
    """RESP-REASONING-FOLLOW is about stored items; with store=false nobody saw it enforced."""
    (found,) = find(THOUGHT, USER, store=False)
    assert (found.rule, found.severity) == ("RESP-REASONING-FOLLOW", Severity.WARNING)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "rs_1"},
        {"id": "rs_1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ],
    ids=["reference", "bare id", "unsealed reasoning"],
)
def test_without_storage_nothing_is_known_by_its_id(item: dict[str, Any]) -> None:
    """RESP-STORE-FALSE-REF: references, and reasoning without its encrypted content."""
    assert "RESP-STORE-FALSE-REF" in rules(item, DEED, DONE, store=False)
    assert rules(item, DEED, DONE) == []


def test_an_item_id_stands_once() -> None:
    """RESP-DUP-ITEM-ID: also when the provider holds the item already."""
    again = DEED | {"call_id": "d"}
    (found,) = find(DEED, DONE, again, DONE | {"call_id": "d"})
    assert (found.rule, found.at) == ("RESP-DUP-ITEM-ID", "/input/2/id")
    said = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
    assert rules(said, previous_response_id="r") == ["RESP-DUP-ITEM-ID"]
    assert rules(USER | {"id": "msg_2"}, previous_response_id="r") == []


@pytest.mark.parametrize(
    ("item", "prefix"),
    [
        (DEED | {"id": "call_1"}, "fc"),
        (THOUGHT | {"id": "r"}, "rs"),
        ({"type": "message", "role": "assistant", "id": "x", "content": "a"}, "msg"),
        (USER | {"id": "x"}, "msg"),
        ({"type": "custom_tool_call", "id": "fc_1", "call_id": "c", "name": "f", "input": ""}, "ctc"),
    ],
)
def test_an_item_id_begins_as_its_type_does(item: dict[str, Any], prefix: str) -> None:
    """RESP-ITEMID-PREFIX: the usual bug is a call id in the place of an item id."""
    first = find(item)[0]
    assert first.rule == "RESP-ITEMID-PREFIX"
    assert (
        first.message == f"Invalid 'input[0].id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
    )


def test_nothing_stands_behind_a_compaction_trigger() -> None:
    """RESP-COMPACTION-LAST: last or not at all."""
    assert rules(USER, {"type": "compaction_trigger"}) == []
    assert rules({"type": "compaction_trigger"}, USER) == ["RESP-COMPACTION-LAST"]


def test_deepseek_wants_outputs_directly_behind_the_run_of_calls() -> None:
    """DS-RESP-ADJACENT: what OpenAI accepts, its clone refuses; the profile says which is which."""
    (call, done), (second, seconded) = pair("function call", "a"), pair("function call", "b")

    def deepseek(*items: Any) -> list[str]:
        return [each.rule for each in check({"input": list(items)}, "deepseek_responses")]

    assert deepseek(USER, THOUGHT | {"id": "uuid"}, call, second, done, seconded, USER) == []
    assert deepseek(call, done, second, seconded) == []
    assert deepseek(call, USER, done) == ["DS-RESP-ADJACENT", "DS-RESP-OUTPUT-NO-CALL"]
    assert deepseek(call, second, done, USER) == ["DS-RESP-ADJACENT"]
    assert deepseek(call, done, seconded, 7) == ["DS-RESP-OUTPUT-NO-CALL", "UNREADABLE"]
    twice = check({"input": [call, done, done]}, "deepseek_responses")
    assert [(each.rule, each.severity) for each in twice] == [("DS-RESP-OUTPUT-NO-CALL", Severity.ERROR)]
