"""Histories from elsewhere, mended pair by pair (C36 to C41), in the format of OpenAI Responses."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.engine.outcome import UNRECORDED
from turnlock.wire import check, repair

U = {"role": "user", "content": "hi"}
R = {"type": "reasoning", "id": "rs_1", "summary": []}
RESPONSES, DEEPSEEK = "openai_responses", "deepseek_responses"
BOTH = pytest.mark.parametrize("dialect", [RESPONSES, DEEPSEEK])


def _call(call_id: str = "a", kind: str = "function_call", **more: Any) -> dict[str, Any]:
    fields = {"name": "f", "arguments": "{}"} if kind == "function_call" else {}
    return {"type": kind, "call_id": call_id, **fields, **more}


def out(call_id: str = "a", output: str = "ok", kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": call_id, "output": output}


K = _call


def short(row: dict[str, Any]) -> str:
    """``K(a)``, ``O(a)``, ``O(a)*`` where it is ours, ``U`` for a message."""
    kind = row.get("type", "message")
    letter = "K" if kind.endswith("_call") else "O" if kind.endswith("_output") else kind[0].upper()
    if letter == "M":
        return "U"
    star = "*" if row.get("output") == UNRECORDED.model_text else ""
    return f"{letter}({row['call_id']}){star}" if "call_id" in row else letter


def mended(dialect: str, *rows: dict[str, Any], **envelope: Any) -> tuple[str, list[str]]:
    """The repaired input in short, and what was done; it is clean, and stays as it is."""
    body = {**envelope, "input": list(rows)}
    done = repair(body, dialect)
    assert done.left == ()
    assert [each for each in check(done.value, dialect) if each.severity == "error"] == []
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)
    return " ".join(map(short, done.value["input"])), [change.what for change in done.changes]


@BOTH
def test_a_call_without_an_output_gets_one(dialect: str) -> None:
    """C36 and C38: directly behind the call, also before a message, and the same at every rebuild."""
    assert mended(dialect, U, K())[0] == "U K(a) O(a)*"
    assert mended(dialect, U, K(), U)[0] == "U K(a) O(a)* U"


@BOTH
def test_outputs_are_in_call_order(dialect: str) -> None:
    """R4 and C36: what is added stands where it belongs among those that are there."""
    assert mended(dialect, U, K("a"), K("b"), K("c"), out("b"), U)[0] == (
        "U K(a) K(b) K(c) O(a)* O(b) O(c)* U"
    )


def test_an_output_behind_the_message() -> None:
    """C39: moved where the dialect needs it next to its call; elsewhere it stays, for it is accepted."""
    assert mended(DEEPSEEK, K(), U, out()) == (
        "K(a) O(a) U",
        ["The output stands too late: it is moved directly behind its call."],
    )
    assert mended(RESPONSES, K(), U, out()) == ("K(a) U O(a)", [])
    assert mended(RESPONSES, K("a"), K("b"), U, out("b"), out("a")) == ("K(a) K(b) U O(b) O(a)", [])


@BOTH
def test_an_output_before_its_call(dialect: str) -> None:
    """C40: it is moved behind it."""
    assert mended(dialect, out(), K())[0] == "K(a) O(a)"
    assert mended(dialect, U, out("b"), K("a"), K("b"), out("a"))[0] == "U K(a) K(b) O(a) O(b)"


@BOTH
def test_two_calls_of_one_id_and_one_output(dialect: str) -> None:
    """C40: one pair for each call, and ids that tell them apart, on both sides."""
    assert mended(dialect, K(), K(), out())[0] == "K(a) K(a_2) O(a) O(a_2)*"
    assert mended(dialect, K(), K(), out(), out(output="2nd"))[0] == "K(a) K(a_2) O(a) O(a_2)"


@BOTH
def test_an_id_that_is_used_again_in_a_later_turn(dialect: str) -> None:
    """C21: two whole pairs are two whole pairs."""
    assert mended(dialect, K(), out(), U, K(), out()) == ("K(a) O(a) U K(a) O(a)", [])


@BOTH
def test_a_second_output_is_set_aside(dialect: str) -> None:
    """C40 and R16: it is reported with all that it said; never two outputs for one call."""
    done = repair({"input": [K(), out(), out(output="late")]}, dialect)
    assert [short(row) for row in done.value["input"]] == ["K(a)", "O(a)"]
    (change,) = done.changes
    assert change.what == "The output is a second one for its call: it is set aside."
    assert (change.at, change.call_ids, change.set_aside) == ("/input/2", ("a",), out(output="late"))


@BOTH
def test_an_orphan_is_set_aside(dialect: str) -> None:
    """C37: and reported."""
    done = repair({"input": [out("x"), U]}, dialect)
    assert done.value["input"] == [U]
    assert [(each.set_aside, each.call_ids) for each in done.changes] == [(out("x"), ("x",))]


@pytest.mark.parametrize("held", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_an_orphan_that_answers_what_the_provider_holds(held: dict[str, str]) -> None:
    """C37: the call stands in the history that the request continues."""
    assert mended(RESPONSES, out("x"), U, **held) == ("O(x) U", [])


def test_a_call_that_the_provider_holds_open_is_closed() -> None:
    """R22: the body alone does not show it, so the repair is told."""
    done = repair({"previous_response_id": "resp_1", "input": "And now?"}, RESPONSES, ["a"])
    assert [short(row) for row in done.value["input"]] == ["O(a)*", "U"]
    assert done.left == ()


@BOTH
def test_an_output_of_a_kind_that_is_not_taken(dialect: str) -> None:
    """C40: its words stay, its kind is that of its call."""
    done = repair({"input": [K(), out(output="found", kind="custom_tool_call_output")]}, dialect)
    assert done.value["input"] == [K(), out(output="found")]


KINDS: dict[str, dict[str, Any]] = {
    "custom_tool_call": {"name": "x", "input": "i"},
    "local_shell_call": {"action": {"type": "exec", "command": ["ls"]}},
    "shell_call": {"action": {"commands": ["ls"]}},
    "apply_patch_call": {"operation": {"type": "delete_file", "path": "a"}},
    "computer_call": {"action": {"type": "wait"}},
    "tool_search_call": {"execution": "client", "arguments": {}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_of_every_kind_gets_an_output_of_its_own_kind(kind: str) -> None:
    """C36: the origin story, for every call kind; where text cannot be said, a note says it."""
    done = repair({"input": [U, K("a", kind, **KINDS[kind]), U]}, RESPONSES)
    assert check(done.value, RESPONSES) == ()
    rows = done.value["input"][2:-1]
    assert rows[0]["call_id"] == "a"
    assert UNRECORDED.model_text in str(rows)
    assert repair(done.body, RESPONSES).changes == ()


def test_an_approval_request_is_denied_with_the_reason() -> None:
    """R21 and C36: nobody has allowed it."""
    request = {
        "type": "mcp_approval_request",
        "id": "m1",
        "server_label": "s",
        "name": "n",
        "arguments": "{}",
    }
    answer = repair({"input": [U, request, U]}, RESPONSES).value["input"][2]
    assert (answer["approval_request_id"], answer["approve"]) == ("m1", False)


def test_what_the_provider_executes_needs_nothing() -> None:
    """R21: neither a hosted shell nor a server's tool search is answered by us."""
    hosted = K("a", "shell_call", action={"commands": []}, environment={"type": "container_reference"})
    search = K("b", "tool_search_call", execution="server", arguments={})
    assert mended(RESPONSES, U, hosted, search)[1] == []


@pytest.mark.parametrize("label", ["", "x" * 70])
def test_ids_that_are_not_taken(label: str) -> None:
    """C22: another one on both sides, the same one every time."""
    done = repair({"input": [K(label), out(label)]}, RESPONSES)
    call, output = done.value["input"]
    assert call["call_id"] == output["call_id"]
    assert 1 <= len(call["call_id"]) <= 64
    assert done.left == ()


def test_reasoning_without_the_item_that_it_belongs_to() -> None:
    """C41: set aside; where its content is in it, only its id goes."""
    done = repair({"input": [U, R, U]}, RESPONSES)
    assert (done.value["input"], done.changes[0].set_aside) == ([U, U], R)
    sealed = {**R, "encrypted_content": "gAAA"}
    done = repair({"input": [U, sealed, U]}, RESPONSES)
    assert done.value["input"][1] == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}


def test_item_ids_that_are_wrong_are_left_out() -> None:
    """RESP-DUP-ITEM-ID, RESP-ITEMID-PREFIX: the items stay."""
    rows = [K("a", id="fc_1"), out("a"), K("b", id="fc_1"), out("b"), K("c", id="c"), out("c")]
    done = repair({"input": rows}, RESPONSES)
    assert [row.get("id") for row in done.value["input"]] == ["fc_1", None, None, None, None, None]
    assert [change.rule for change in done.changes] == ["RESP-DUP-ITEM-ID", "RESP-ITEMID-PREFIX"]


def test_a_compaction_trigger_goes_to_the_end() -> None:
    """RESP-COMPACTION-LAST."""
    done = repair({"input": [{"type": "compaction_trigger"}, U]}, RESPONSES)
    assert [row.get("type") for row in done.value["input"]] == [None, "compaction_trigger"]


def test_what_nobody_here_can_know_is_left_and_said() -> None:
    """RESP-STORE-FALSE-REF: what a reference stands for stands with the provider, if anywhere."""
    done = repair({"store": False, "input": [{"type": "item_reference", "id": "rs_1"}]}, RESPONSES)
    assert [each.rule for each in done.left] == ["RESP-STORE-FALSE-REF"]
    assert (done.changes, done.ok) == ((), False)


def test_a_valid_body_comes_back_byte_for_byte() -> None:
    """Nothing is written again that needs no repair."""
    body = b'{ "input": [ {"role":"user", "content":"hi"} ] }'
    assert repair(body, RESPONSES).body is body


@pytest.mark.parametrize("body", [b"{", b"[]", "nothing"])
def test_what_is_no_body_is_said(body: bytes | str) -> None:
    """Bad input: a clear error, and nothing is made up."""
    with pytest.raises(ValueError, match="the body cannot be repaired: it is not"):
        repair(body, RESPONSES)


def test_a_second_output_for_what_the_provider_holds_is_set_aside() -> None:
    """C40, R22: the first one answers the call that no body shows."""
    assert mended(RESPONSES, out(), out(), previous_response_id="resp_1") == (
        "O(a)",
        ["The output is a second one for its call: it is set aside."],
    )


def test_a_stored_item_without_its_reasoning_loses_its_id() -> None:
    """RESP-CALL-NEEDS-REASONING: where items are known to be stored; the item itself stays."""
    body = {"input": [U, K(id="fc_1"), out()]}
    assert repair(body, RESPONSES).value is body
    assert repair(body, f"{RESPONSES}+stored").value["input"] == [U, K(), out()]


def test_the_output_of_a_hosted_call_is_the_providers() -> None:
    """R21: it is no orphan, and stays; one of ours with the same id is still paired."""
    hosted = K("a", "shell_call", action={"commands": []}, environment={"type": "container_reference"})
    answer = {"type": "shell_call_output", "call_id": "a", "output": []}
    assert mended(RESPONSES, U, hosted, answer)[1] == []
    assert mended(RESPONSES, U, hosted, answer, K("b"), U)[0].endswith("K(b) O(b)* U")
