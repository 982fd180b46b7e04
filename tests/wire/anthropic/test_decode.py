"""What Anthropic sent, read block by block."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.engine import Call, Cause, Origin, Reasoning, ServerCall, Text
from turnlock.wire import Decoded, decode


def read(raw: Mapping[str, Any], *, cut: bool = False) -> list[Decoded]:
    ordinals = count(7)
    return decode("anthropic", raw, request=3, model="m", next_ordinal=lambda: next(ordinals), cut=cut)


def origin(raw: Mapping[str, Any]) -> Origin:
    return Origin("anthropic", "m", raw)


def use(given_input: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": "f", "input": given_input}


@pytest.mark.parametrize(
    ("given_input", "arguments"),
    [({"ü": 1}, '{"ü":1}'), ('{"a": 1}', '{"a": 1}'), ("", "{}"), ({}, "{}"), (None, "{}")],
)
def test_a_call_is_read_from_its_object_or_its_deltas(given_input: Any, arguments: str) -> None:
    """R12: no deltas at all are no arguments, and nothing is wrong with that."""
    raw = use(given_input)
    assert read(raw) == [Decoded(Call(7, "toolu_1", "f", arguments, 3, origin=origin(raw)))]


@pytest.mark.parametrize("given_input", ['{"a": ', "[1]", [1], 7])
def test_input_that_is_no_object_is_not_run(given_input: Any) -> None:
    """C19, ANT-INPUT-DICT: what is stored stays valid; eager streaming does not validate its JSON."""
    (found,) = read(use(given_input))
    assert isinstance(found.item, Call)
    assert (found.item.arguments, found.problem) == ("{}", Cause.BAD_ARGUMENTS)
    assert found.why


def test_a_call_that_the_limit_cut_has_no_arguments() -> None:
    """R12: kept, never run, and the model learns why."""
    (found,) = read(use({"a": 1}), cut=True)
    assert isinstance(found.item, Call)
    assert (found.item.arguments, found.problem, found.why) == ("{}", Cause.CUT_OFF, "")


def test_text_and_thinking_keep_their_blocks() -> None:
    """C41: what only the model understands travels beside them; empty text is nothing."""
    said = {"type": "text", "text": "hi", "citations": []}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    sealed = {"type": "redacted_thinking", "data": "x"}
    assert read(said) == [Decoded(Text("hi", 3, origin(said)))]
    assert read(thought) == [Decoded(Reasoning("hm", 3, origin(thought)))]
    assert read(sealed) == [Decoded(Reasoning("", 3, origin(sealed)))]
    assert read({"type": "text", "text": ""}) == read({"type": "text"}) == []


@pytest.mark.parametrize(
    ("raw", "name", "label"),
    [
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, "web_search", "s"),
        ({"type": "mcp_tool_use", "id": 7, "name": 7}, "mcp_tool_use", ""),
        ({"type": "container_upload", "id": "s", "name": "x"}, "container_upload", ""),
        ({"type": 7}, "", ""),
        ({}, "", ""),
    ],
)
def test_what_a_client_does_not_answer_is_kept_as_it_came(raw: dict[str, Any], name: str, label: str) -> None:
    """R21: what the provider executes is no invocation, nor what nobody here knows; its label is its id."""
    assert read(raw) == [Decoded(ServerCall(name, 3, origin(raw), label))]


@pytest.mark.parametrize("kind", ["web_search_tool_result", "mcp_tool_result", "tool_search_tool_result"])
def test_a_servers_result_names_its_call(kind: str) -> None:
    """R21: so that it is known which of them are in flight."""
    raw = {"type": kind, "tool_use_id": "s"}
    assert read(raw) == [Decoded(ServerCall(kind, 3, origin(raw), "s", result=True))]


def test_deltas_are_no_content() -> None:
    """ANT-RAW-DELTA: the block that they add up to is."""
    assert read({"type": "input_json_delta", "partial_json": "{}"}) == []


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)
KEYS = st.sampled_from(["type", "id", "name", "input", "text", "thinking", "signature"])
TYPES = st.sampled_from(["tool_use", "text", "thinking", "server_tool_use", "x"])


@given(raw=st.dictionaries(KEYS, VALUES), kind=TYPES | VALUES, cut=st.booleans())
def test_nothing_a_provider_sends_makes_reading_fail(raw: dict[str, Any], kind: Any, *, cut: bool) -> None:
    """C19: stored arguments are always the text of a JSON object."""
    for found in read(raw | {"type": kind}, cut=cut):
        if isinstance(found.item, Call):
            assert isinstance(json.loads(found.item.arguments), dict)
