"""The verdicts on Responses requests, beyond the examples of the table: kinds of calls, holdings, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from turnlock.strict import judge_responses
from turnlock.strict.responses import TYPES

Item = dict[str, Any]
#: The ends of the provider's longer texts.
TEXT_OR_PARTS = "one of an array of objects or string"
EMPTY_STRING = "empty string. Expected a string with minimum length 1, but got an empty string instead."
USER: Item = {"role": "user", "content": "go"}
EXEC = {"type": "exec", "command": ["ls"], "env": {}}

#: Each kind of call that the client executes: the call, every output that answers it, its name, its rule.
KINDS: dict[str, tuple[Item, Sequence[Item], str, str]] = {
    "function_call": (
        {"name": "f", "arguments": "{}"},
        [{"type": "function_call_output", "output": ""}, {"type": "function_call_output", "output": []}],
        "function call",
        "RESP-CALL-NO-OUTPUT",
    ),
    "custom_tool_call": (
        {"name": "f", "input": "x"},
        [{"type": "custom_tool_call_output", "output": "ok"}],
        "custom tool call",
        "RESP-CALL-NO-OUTPUT-CUSTOM",
    ),
    "local_shell_call": (
        {"action": EXEC},
        [
            {"type": "local_shell_call_output", "output": "{}"},
            {"type": "function_call_output", "output": "ok"},
        ],
        "local shell call",
        "RESP-CALL-NO-OUTPUT-LOCALSHELL",
    ),
    "shell_call": (
        {"action": {"commands": ["ls"]}, "environment": {"type": "local"}},
        [
            {
                "type": "shell_call_output",
                "output": [{"stdout": "", "stderr": "", "outcome": {"type": "timeout"}}],
            }
        ],
        "shell call",
        "RESP-CALL-NO-OUTPUT-OTHER",
    ),
    "apply_patch_call": (
        {"operation": {"type": "delete_file", "path": "a"}},
        [{"type": "apply_patch_call_output", "status": "failed"}],
        "apply patch call",
        "RESP-CALL-NO-OUTPUT-OTHER",
    ),
    "computer_call": (
        {"action": {"type": "wait"}, "pending_safety_checks": []},
        [{"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:"}}],
        "computer call",
        "RESP-CALL-NO-OUTPUT-OTHER",
    ),
    "tool_search_call": (
        {"arguments": {}, "execution": "client"},
        [{"type": "tool_search_output", "tools": []}, {"type": "function_call_output", "output": "none"}],
        "tool search call",
        "RESP-CALL-NO-OUTPUT-OTHER",
    ),
}


def call(kind: str = "function_call", call_id: object = "call_1", **more: object) -> Item:
    return {"type": kind, "call_id": call_id, **KINDS[kind][0], **more}


def output(kind: str = "function_call", call_id: str = "call_1", **more: object) -> Item:
    return {**KINDS[kind][1][0], "call_id": call_id, **more}


def refusal_of(*items: Item, **more: Any) -> tuple[str, str] | None:
    """Rule and text of the verdict on these items."""
    judging = {key: more.pop(key) for key in ("held", "stored") if key in more}
    refusal = judge_responses({"input": list(items), **more}, **judging)
    return None if refusal is None else (refusal.rule, refusal.message)


def test_a_text_is_an_input() -> None:
    """The short form of the input is one user message."""
    assert judge_responses({"input": "hello"}) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_of_any_kind_needs_its_output(kind: str) -> None:
    """The origin: a call of any kind without output is refused by its name (RESP-CALL-NO-OUTPUT…)."""
    words, rule = KINDS[kind][2:]
    assert refusal_of(USER, call(kind), USER) == (rule, f"No tool output found for {words} call_1.")


@pytest.mark.parametrize(("kind", "at"), [(kind, at) for kind in KINDS for at in range(len(KINDS[kind][1]))])
def test_every_output_that_is_accepted_for_a_kind_answers_it(kind: str, at: int) -> None:
    """Also the empty output, and a function output for shell and tool search (RESP-TOOLSEARCH-SERVER)."""
    answer = {**KINDS[kind][1][at], "call_id": "call_1"}
    assert refusal_of(USER, call(kind), USER, answer) is None


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in {"local_shell_call", "tool_search_call"}]
)
def test_an_output_of_another_kind_answers_nothing(kind: str) -> None:
    """The output kind must be accepted for the call kind (C40)."""
    other = "custom_tool_call" if kind == "function_call" else "function_call"
    words, rule = KINDS[kind][2:]
    assert refusal_of(call(kind), output(other)) == (rule, f"No tool output found for {words} call_1.")


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_of_any_kind_needs_its_call(kind: str) -> None:
    """An orphan is refused by its own name (RESP-OUTPUT-NO-CALL)."""
    words = KINDS[kind][1][0]["type"].replace("_", " ")
    expected = ("RESP-OUTPUT-NO-CALL", f"No tool call found for {words} with call_id call_1.")
    assert refusal_of(USER, output(kind)) == expected


def test_what_the_provider_ran_itself_needs_no_output() -> None:
    """Hosted shells, server-side tool search and programs are not the client's (RESP-TOOLSEARCH-SERVER)."""
    assert (
        refusal_of(
            USER,
            call("shell_call", environment={"type": "container_reference", "container_id": "c"}),
            call("tool_search_call", call_id="ts_1", id="ts_1", execution="server"),
            {**call("tool_search_call"), "call_id": None, "execution": "server"},
            {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": []},
            {"type": "program", "id": "prog_1", "call_id": "call_p", "code": "", "fingerprint": ""},
            {"type": "web_search_call", "id": "ws_1", "status": "failed"},
        )
        is None
    )


def test_an_output_for_a_hosted_shell_may_stand_there() -> None:
    """What needs no answer may still have one, as when the provider's own output is sent back."""
    hosted = call("shell_call", environment={"type": "container_reference", "container_id": "c"})
    assert refusal_of(hosted, output("shell_call")) is None


def test_a_local_shell_output_pairs_by_call_id_only() -> None:
    """Its SDK type has an `id`, which joins nothing (RESP-CALL-NO-OUTPUT-LOCALSHELL)."""
    by_id = {"type": "local_shell_call_output", "id": "call_1", "output": "{}"}
    rule, _text = refusal_of(call("local_shell_call"), by_id) or ("", "")
    assert rule == "RESP-CALL-NO-OUTPUT-LOCALSHELL"
    assert refusal_of(USER, by_id) == ("SHAPE", "Missing required parameter: 'input[1].call_id'.")


@pytest.mark.parametrize(
    ("items", "doubled"),
    [
        ((call(), output(), output()), "function_call_output"),
        ((call(), call(), output()), "function_call"),
        ((call(), output(), call(), output()), "function_call_output"),
        ((call(), call("custom_tool_call"), output()), "custom_tool_call"),
    ],
)
def test_a_call_id_belongs_to_one_call_and_one_output(items: tuple[Item, ...], doubled: str) -> None:
    """Doubled calls, doubled outputs and ids that come back are refused (RESP-DUP-CALL-ID, C40)."""
    rule, text = refusal_of(*items) or ("", "")
    assert rule == "RESP-DUP-CALL-ID"
    assert text.startswith(f"Duplicate {doubled} for call_id 'call_1'. Each ")


def test_reasoning_with_an_id_needs_the_item_it_was_made_with() -> None:
    """Calls and messages with their own ids count, behind other reasoning too (RESP-REASONING-FOLLOW)."""
    thought: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
    more: Item = {"type": "reasoning", "id": "rs_2", "summary": []}
    said = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "x"}],
    }
    alone = (
        "RESP-REASONING-FOLLOW",
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
    )
    assert refusal_of(thought, call(id="fc_1"), output()) is None
    assert refusal_of(thought, more, said) is None
    assert refusal_of(thought, call(), output()) == alone
    assert refusal_of(thought, USER) == alone
    assert refusal_of(thought, more) == alone
    assert refusal_of({"type": "reasoning", "summary": []}, USER) is None


def test_calls_that_are_held_must_be_answered_by_the_next_request() -> None:
    """A chain cannot go on with user text alone (RESP-PREV-PENDING); with the output it can, in any place."""
    held = [USER, call(id="fc_1"), call(call_id="call_2")]
    more = {"previous_response_id": "resp_1", "held": held}
    assert refusal_of(USER, **more) == ("RESP-PREV-PENDING", "No tool output found for function call call_1.")
    assert refusal_of(USER, output(), output(call_id="call_2"), **more) is None
    assert refusal_of(output(), **more) == (
        "RESP-PREV-PENDING",
        "No tool output found for function call call_2.",
    )


def test_what_is_held_is_not_sent_again() -> None:
    """A stored call sent again is a duplicate, by its id or call id (RESP-DUP-ITEM-ID, RESP-DUP-CALL-ID)."""
    held = [USER, call(id="fc_1")]
    again = refusal_of(call(id="fc_1"), output(), previous_response_id="resp_1", held=held)
    assert again is not None
    assert again[0] == "RESP-DUP-ITEM-ID"
    bare = refusal_of(call(), output(), previous_response_id="resp_1", held=held)
    assert bare is not None
    assert bare[0] == "RESP-DUP-CALL-ID"


def test_an_output_is_an_orphan_only_where_the_holdings_are_known() -> None:
    """Nobody can say what an unknown chain holds: its outputs pass, unless the holdings are given (R16)."""
    assert refusal_of(output(), previous_response_id="resp_1") is None
    assert refusal_of(output(), conversation="conv_1") is None
    known = refusal_of(output(), previous_response_id="resp_1", held=[USER])
    assert known is not None
    assert known[0] == "RESP-OUTPUT-NO-CALL"


def test_references_stand_for_what_is_stored() -> None:
    """A reference to a stored call pairs like the call; one to nothing is a 404 (RESP-STORE-FALSE-REF)."""
    reference = {"type": "item_reference", "id": "fc_1"}
    stored = {"fc_1": call(id="fc_1")}
    assert refusal_of(reference, output(), stored=stored) is None
    assert refusal_of({"id": "fc_1"}, stored=stored) == (
        "RESP-CALL-NO-OUTPUT",
        "No tool output found for function call call_1.",
    )
    assert refusal_of(reference, output()) is None
    assert refusal_of(reference, output(), stored={}) == ("ITEM-NOT-FOUND", "Item with id 'fc_1' not found.")
    unstored = judge_responses({"input": [reference], "store": False}, stored={})
    assert unstored is not None
    assert (unstored.rule, unstored.status) == ("RESP-STORE-FALSE-REF", 404)


def test_reasoning_that_was_not_stored_must_bring_its_content() -> None:
    """With store=false a reasoning id alone names nothing (RESP-STORE-FALSE-REF)."""
    thought: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
    pair = (call(id="fc_1"), output())
    rule, _text = refusal_of(thought, *pair, store=False) or ("", "")
    assert rule == "RESP-STORE-FALSE-REF"
    assert refusal_of({**thought, "encrypted_content": "e"}, *pair, store=False) is None


def test_an_approval_request_is_answered_once() -> None:
    """Unknown, doubled and missing answers are refused, the last by our strictness (RESP-MCP-APPROVAL)."""
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "f", "arguments": "{}"}
    denied = {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": False,
        "reason": "no",
    }
    rule = "RESP-MCP-APPROVAL"
    assert refusal_of(USER, request, denied) is None
    assert refusal_of(denied, previous_response_id="resp_1") is None
    assert refusal_of(USER, request, USER) == (rule, "No approval response found for mcpr_1.")
    assert refusal_of(request, denied, denied) == (rule, "Duplicate approval response found for mcpr_1.")
    assert refusal_of(USER, held=[request], previous_response_id="r") == (
        rule,
        "No approval response found for mcpr_1.",
    )


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("hello", "Invalid type for 'input[0]': expected an object, but got a string instead."),
        ({}, "Missing required parameter: 'input[0].type'."),
        (
            {"role": "tool", "content": "x"},
            "Invalid value: 'tool'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
        ),
        ({"role": "user"}, "Missing required parameter: 'input[0].content'."),
        (
            {"role": "user", "content": None},
            f"Invalid type for 'input[0].content': expected {TEXT_OR_PARTS}, but got null instead.",
        ),
        (
            {"role": "assistant", "content": [{"type": "input_text", "text": "x"}]},
            "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        ),
        (
            {"role": "user", "content": [{"text": "x"}]},
            "Missing required parameter: 'input[0].content[0].type'.",
        ),
        (
            {"role": "user", "content": ["x"]},
            "Invalid type for 'input[0].content[0]': expected an object, but got a string instead.",
        ),
        (
            {"type": "function_call", "name": "f", "arguments": "{}"},
            "Missing required parameter: 'input[0].call_id'.",
        ),
        (
            call(call_id=7),
            "Invalid type for 'input[0].call_id': expected a string, but got an integer instead.",
        ),
        (call(call_id=None), "Invalid type for 'input[0].call_id': expected a string, but got null instead."),
        (
            call(arguments={}),
            "Invalid type for 'input[0].arguments': expected a string, but got an object instead.",
        ),
        (
            call(name=""),
            f"Invalid 'input[0].name': {EMPTY_STRING}",
        ),
        (call(id=5), "Invalid type for 'input[0].id': expected a string, but got an integer instead."),
        (
            call("custom_tool_call", id="fc_1"),
            "Invalid 'input[0].id': 'fc_1'. Expected an ID that begins with 'ctc'.",
        ),
        (
            {"type": "function_call_output", "call_id": "call_1"},
            "Missing required parameter: 'input[0].output'.",
        ),
        (
            output(output=1.5),
            f"Invalid type for 'input[0].output': expected {TEXT_OR_PARTS}, but got a decimal instead.",
        ),
        (
            output("apply_patch_call", status="aborted"),
            "Invalid value: 'aborted'. Supported values are: 'completed' and 'failed'.",
        ),
        (
            output("computer_call", output="x"),
            "Invalid type for 'input[0].output': expected an object, but got a string instead.",
        ),
        ({"type": "item_reference"}, "Missing required parameter: 'input[0].id'."),
        (
            {"type": "mcp_approval_response", "approval_request_id": "m", "approve": "no"},
            "Invalid type for 'input[0].approve': expected a boolean, but got a string instead.",
        ),
        ({"type": "reasoning", "id": "rs_1"}, "Missing required parameter: 'input[0].summary'."),
    ],
)
def test_a_malformed_item_is_refused_with_its_path(item: object, text: str) -> None:
    """Types and missing fields get the provider's words, with param and code (SHAPE, RESP-ITEMID-PREFIX)."""
    refusal = judge_responses({"input": [item]})
    assert refusal is not None
    assert refusal.message == text
    assert (refusal.param or "").startswith("input[0]")
    assert refusal.status == 400


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    """The provider lists what it would take."""
    refusal = judge_responses({"input": [{"type": "tool_result"}]})
    assert refusal is not None
    assert refusal.message.startswith(
        "Invalid value: 'tool_result'. Supported values are: 'message', 'function_call', "
    )
    assert (refusal.param, refusal.code) == ("input[0]", "invalid_value")


@pytest.mark.parametrize("body", [{}, {"input": 3}, {"input": None, "model": "m"}])
def test_a_request_needs_an_input(body: Item) -> None:
    """Without something that it continues, a request says something."""
    refusal = judge_responses(body)
    assert refusal is not None
    assert refusal.param == "input"


def test_a_request_that_continues_may_say_nothing() -> None:
    """A chain may be asked again without new items."""
    assert judge_responses({"previous_response_id": "resp_1"}, held=[USER]) is None


def test_the_envelope_is_the_provider_s() -> None:
    """A refusal is told apart by nothing but its rule: the body is what OpenAI sends."""
    refusal = judge_responses({"input": [call()]})
    assert refusal is not None
    assert refusal.body() == {
        "error": {
            "message": "No tool output found for function call call_1.",
            "type": "invalid_request_error",
            "param": "input",
            "code": None,
        }
    }


KEYS = (
    "role content id call_id output execution summary status name arguments input action environment "
    "operation tools approve approval_request_id type"
)
keys = st.sampled_from(KEYS.split())
scalars = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "user", "assistant", "x", "fc_1"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=2)
)
some_items = st.builds(
    lambda kind, more: {**more, **({} if kind is None else {"type": kind})},
    st.none() | st.sampled_from(TYPES) | scalars,
    st.dictionaries(keys, values, max_size=6),
)


@settings(max_examples=300)
@given(st.lists(some_items, max_size=4) | values, st.booleans() | st.none(), values)
def test_no_body_makes_the_judge_fail(given_input: object, store: object, previous: object) -> None:
    """Whatever JSON comes in, there is a verdict and never an exception."""
    body = {"input": given_input, "store": store, "previous_response_id": previous, "conversation": previous}
    judge_responses(body)
    judge_responses(body, held=[], stored={})


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [None, True, 7, "x", [], [[]], {}, {"type": []}])
def test_no_field_of_any_item_makes_the_judge_fail(kind: str, value: object) -> None:
    """Each field of each type, holding each kind of JSON value, gets a verdict and no exception."""
    for name in [
        "role",
        "content",
        "id",
        "call_id",
        "output",
        "execution",
        "summary",
        "status",
        "environment",
    ]:
        sound: Item = {"id": "x", "call_id": "c", "role": "user", "content": "", "output": "", "name": "f"}
        sound |= {"arguments": "", "input": "", "action": {}, "operation": {}, "summary": [], "tools": []}
        judge_responses(
            {"input": [{**sound, "type": kind, name: value}, output(), call()]}, held=[], stored={}
        )
