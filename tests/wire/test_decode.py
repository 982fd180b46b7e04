"""What a provider sent, read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.engine import Call, CallKind, Cause, Origin, Reasoning, ServerCall, Text
from turnlock.wire import Decoded, decode

SHELL = {"commands": ["ls"], "timeout_ms": None}
CALLS: list[tuple[dict[str, Any], CallKind, str, str]] = [
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
        CallKind.FUNCTION,
        "f",
        '{"a": 1}',
    ),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x\n"},
        CallKind.CUSTOM,
        "p",
        '{"input":"x\\n"}',
    ),
    (
        {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"], "env": {}}},
        CallKind.LOCAL_SHELL,
        "local_shell",
        '{"command":["ls"],"env":{}}',
    ),
    (
        {"type": "shell_call", "call_id": "c", "action": SHELL},
        CallKind.SHELL,
        "shell",
        '{"commands":["ls"],"timeout_ms":null}',
    ),
    (
        {"type": "shell_call", "call_id": "c", "action": {"commands": []}, "environment": {"type": "local"}},
        CallKind.SHELL,
        "shell",
        '{"commands":[]}',
    ),
    (
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
        CallKind.APPLY_PATCH,
        "apply_patch",
        '{"type":"delete_file","path":"a"}',
    ),
    (
        {"type": "computer_call", "call_id": "c", "action": {"type": "wait"}, "actions": None},
        CallKind.COMPUTER,
        "computer",
        '{"action":{"type":"wait"}}',
    ),
    (
        {"type": "computer_call", "call_id": "c", "actions": []},
        CallKind.COMPUTER,
        "computer",
        '{"actions":[]}',
    ),
    (
        {"type": "tool_search_call", "execution": "client", "call_id": "c", "arguments": {"q": 1}},
        CallKind.TOOL_SEARCH,
        "tool_search",
        '{"q":1}',
    ),
    (
        {"type": "mcp_approval_request", "id": "c", "server_label": "s", "name": "n", "arguments": "{}"},
        CallKind.MCP_APPROVAL,
        "mcp_approval",
        '{"server_label":"s","name":"n","arguments":"{}"}',
    ),
]


def read(dialect: str, raw: Mapping[str, Any], *, cut: bool = False) -> list[Decoded]:
    ordinals = count(7)
    return decode(dialect, raw, request=3, model="m", next_ordinal=lambda: next(ordinals), cut=cut)


def responses(raw: Mapping[str, Any], *, cut: bool = False) -> list[Decoded]:
    return read("openai_responses", raw, cut=cut)


def called(decoded: Decoded) -> Call:
    assert isinstance(decoded.item, Call)
    return decoded.item


@pytest.mark.parametrize(("raw", "kind", "name", "arguments"), CALLS, ids=lambda value: str(value)[:24])
def test_a_call_of_every_kind_becomes_one_neutral_call(
    raw: dict[str, Any], kind: CallKind, name: str, arguments: str
) -> None:
    """R12: kind, name, and arguments that are always the text of a JSON object; the origin keeps the rest."""
    origin = Origin("openai_responses", "m", raw)
    assert responses(raw) == [Decoded(Call(7, "c", name, arguments, 3, kind, origin))]


@pytest.mark.parametrize(("raw", "kind", "name", "arguments"), CALLS, ids=lambda value: str(value)[:24])
@pytest.mark.parametrize("how", ["cut", "status"])
def test_a_call_that_was_cut_off_has_no_arguments(
    raw: dict[str, Any], kind: CallKind, name: str, arguments: str, how: str
) -> None:
    """R12: kept with arguments {}, never run, and the model learns why."""
    (found,) = responses(raw | ({"status": "incomplete"} if how == "status" else {}), cut=how == "cut")
    assert (called(found).arguments, found.problem, found.why) == ("{}", Cause.CUT_OFF, "")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"a" 1}', "not JSON: Expecting ':' delimiter at character 5: {\"a\" 1}"),
        ('{"a": NaN}', 'not JSON: NaN is not a JSON number: {"a": NaN}'),
        ("[1]", "they must be a JSON object, not an array: [1]"),
        ("null", "they must be a JSON object, not null: null"),
        ("true", "they must be a JSON object, not a boolean: true"),
        ('"x"', 'they must be a JSON object, not a string: "x"'),
        ("1.5", "they must be a JSON object, not a number: 1.5"),
        ([1], "they must be a JSON object, not an array: [1]"),
        ({"a": object()}, "they cannot be written as JSON"),
    ],
)
def test_arguments_that_are_no_object_are_not_run(arguments: Any, why: str) -> None:
    """C19: the model reads what is wrong and where; what is stored stays valid for every dialect."""
    (found,) = responses({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments})
    assert (called(found).arguments, found.problem, found.why) == ("{}", Cause.BAD_ARGUMENTS, why)


@pytest.mark.parametrize("arguments", ["{" + '"a": 1, ' * 9_000 + "oops", "1" * 5_000, "[" * 99_999])
def test_the_reason_quotes_a_short_piece(arguments: str) -> None:
    """C19: broken arguments can be as long as a file; the reason is one line."""
    (found,) = responses({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments})
    assert found.problem is Cause.BAD_ARGUMENTS
    assert len(found.why) < 300
    assert found.why.endswith("…") or found.why.endswith("oops")


@pytest.mark.parametrize("arguments", ["", "  ", None])
def test_no_arguments_are_an_empty_object(arguments: str | None) -> None:
    """C19: models leave the arguments out where a tool has none."""
    (found,) = responses({"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments})
    assert (called(found).arguments, found.problem) == ("{}", None)


def test_arguments_may_come_as_an_object() -> None:
    """Some servers send the object itself: it is written as text."""
    (found,) = responses({"type": "function_call", "call_id": "c", "name": "f", "arguments": {"ü": 1}})
    assert called(found).arguments == '{"ü":1}'


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "mcp_call", "id": "mcp_1"},
        {"type": "tool_search_call", "execution": "server", "call_id": None},
        {"type": "tool_search_call", "call_id": "tsc"},
        {"type": "shell_call", "call_id": "c", "environment": {"type": "container_reference"}},
        {"type": "program", "call_id": "p", "fingerprint": "fp"},
        {"type": "compaction", "encrypted_content": "g"},
        {"type": "from_the_future"},
        {},
        {"type": 7},
    ],
    ids=lambda raw: str(raw)[:40],
)
def test_what_a_client_does_not_answer_is_kept_as_it_came(raw: dict[str, Any]) -> None:
    """R21: what the provider executes, and what nobody here knows, is no invocation."""
    (found,) = responses(raw)
    assert isinstance(found.item, ServerCall)
    assert found.item.origin.item is raw


def test_messages_and_reasoning_are_read() -> None:
    """Text of all parts, a refusal's text, reasoning's summary; an empty message is nothing."""
    parts = [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}, {"type": "x"}, 7]
    said = {"type": "message", "role": "assistant", "content": parts}
    assert responses(said) == [Decoded(Text("ab", 3, Origin("openai_responses", "m", said)))]
    (plain,) = responses({"role": "assistant", "content": "as text"})
    assert isinstance(plain.item, Text)
    assert plain.item.text == "as text"
    assert responses({"type": "message", "content": []}) == responses({"role": "assistant"}) == []
    thought = {"type": "reasoning", "summary": [{"text": "x"}, {"text": "y"}]}
    assert responses(thought) == [Decoded(Reasoning("x\n\ny", 3, Origin("openai_responses", "m", thought)))]


def chat_call(arguments: Any, call_id: Any = "c") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_a_chat_message_becomes_its_text_and_its_calls() -> None:
    """R12: read whole, in the order that the canonical history has."""
    custom = {"id": "d", "type": "custom", "custom": {"name": "p", "input": "x"}}
    raw = {"role": "assistant", "content": "hm", "refusal": None, "tool_calls": [chat_call("{}"), custom]}
    text, function, other = read("openai_chat", raw)
    assert text.item == Text(
        "hm", 3, Origin("openai_chat", "m", {"role": "assistant", "content": "hm", "refusal": None})
    )
    assert function.item == Call(
        7, "c", "f", "{}", 3, CallKind.FUNCTION, Origin("openai_chat", "m", chat_call("{}"))
    )
    assert other.item == Call(
        8, "d", "p", '{"input":"x"}', 3, CallKind.CUSTOM, Origin("openai_chat", "m", custom)
    )


def test_in_a_cut_chat_message_the_last_call_is_cut() -> None:
    """R12: the calls before it are complete, even if the last one looks complete too."""
    first, last = read("openai_chat", {"tool_calls": [chat_call('{"a":1}'), chat_call("{}")]}, cut=True)
    assert (first.problem, called(first).arguments) == (None, '{"a":1}')
    assert (last.problem, called(last).arguments) == (Cause.CUT_OFF, "{}")


@pytest.mark.parametrize(
    "call",
    [{}, {"id": 7, "function": 8}, {"type": "mystery", "mystery": {}}, {"function": {"arguments": None}}],
)
def test_a_chat_call_in_any_shape_is_still_a_call(call: dict[str, Any]) -> None:
    """A call that is dropped makes the model forget it (R16)."""
    (found,) = read("openai_chat", {"content": None, "tool_calls": [call, "noise"]})
    assert called(found) == Call(7, "", "", "{}", 3, CallKind.FUNCTION, Origin("openai_chat", "m", call))


def test_chat_text_may_be_parts_or_a_refusal() -> None:
    """Whatever the model said is its text."""
    parts = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "refusal": "c"}
    (found,) = read("openai_chat", parts)
    assert isinstance(found.item, Text)
    assert found.item.text == "abc"
    assert read("openai_chat", {"content": None, "tool_calls": None}) == []


KEYS = ["type", "id", "call_id", "name", "arguments", "content", "tool_calls", "function", "action", "status"]
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(), st.sampled_from([raw["type"] for raw, *_ in CALLS])),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(KEYS), inner)),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat"])
@given(raw=st.dictionaries(st.sampled_from(KEYS), VALUES), cut=st.booleans())
def test_nothing_a_provider_sends_makes_reading_fail(dialect: str, raw: dict[str, Any], *, cut: bool) -> None:
    """C19: stored arguments are always the text of a JSON object, and a problem has its cause."""
    for found in read(dialect, raw, cut=cut):
        if isinstance(found.item, Call):
            assert isinstance(json.loads(found.item.arguments), dict)
            assert (found.why != "") == (found.problem is Cause.BAD_ARGUMENTS)


def test_an_unknown_dialect_is_refused() -> None:
    """The message names what there is."""
    with pytest.raises(ValueError, match="known: openai_responses, openai_chat"):
        read("openai", {})
