"""What the parts of an answer of Gemini become."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.engine import Call, Cause, Origin, Reasoning, ServerCall, Text
from turnlock.wire import Decoded, decode


def read(part: Any, *, cut: bool = False) -> list[Decoded]:
    ordinals = count(1)
    return decode(
        "gemini", part, request=3, model="gemini-3-pro", next_ordinal=lambda: next(ordinals), cut=cut
    )


def origin(part: dict[str, Any]) -> Origin:
    return Origin("gemini", "gemini-3-pro", part)


def test_a_call_is_whole_as_it_comes() -> None:
    """R12: id, name and arguments; the signature stays with its part."""
    part = {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}}, "thoughtSignature": "s"}
    assert read(part) == [Decoded(Call(1, "a", "f", '{"x":1}', 3, origin=origin(part)))]


def test_a_call_may_lack_everything_but_its_name() -> None:
    """C22, C19: no id is an empty label, no arguments are none; snake_case reads the same."""
    part = {"function_call": {"name": "f"}}
    assert read(part) == [Decoded(Call(1, "", "f", "{}", 3, origin=origin(part)))]


@pytest.mark.parametrize("args", ["[1]", [1], 7])
def test_arguments_that_are_no_object_are_a_problem_the_model_reads(args: Any) -> None:
    """C19: the call is kept with ``{}``, and is not run."""
    (decoded,) = read({"functionCall": {"name": "f", "args": args}})
    assert isinstance(decoded.item, Call)
    assert (decoded.item.arguments, decoded.problem) == ("{}", Cause.BAD_ARGUMENTS)
    assert decoded.why


def test_a_call_that_was_cut_is_not_run() -> None:
    """R12: its arguments count for nothing."""
    (decoded,) = read({"functionCall": {"name": "f", "args": {"x": 1}}}, cut=True)
    assert isinstance(decoded.item, Call)
    assert (decoded.item.arguments, decoded.problem) == ("{}", Cause.CUT_OFF)


def test_text_thoughts_and_signatures() -> None:
    """Thoughts are reasoning, and so is a part with nothing but a signature; nothing at all is nothing."""
    text, thought = {"text": "hi", "thoughtSignature": "s"}, {"text": "hm", "thought": True}
    seal = {"text": "", "thoughtSignature": "s"}
    assert read(text) == [Decoded(Text("hi", 3, origin(text)))]
    assert read(thought) == [Decoded(Reasoning("hm", 3, origin(thought)))]
    assert read(seal) == [Decoded(Reasoning("", 3, origin(seal)))]
    assert read({"text": ""}) == read({}) == []


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"toolCall": {"id": "s"}, "thoughtSignature": "s"}, "toolCall"),
        ({"tool_response": {"id": "s"}}, "toolResponse"),
        ({"executableCode": {"code": "1"}}, "executableCode"),
        ({"codeExecutionResult": {"output": "1"}}, "codeExecutionResult"),
        ({"inline_data": {"data": "AAAA"}}, "inlineData"),
        ({"somethingNew": {}}, "somethingNew"),
    ],
)
def test_what_is_not_for_a_client_is_kept_as_it_came(part: dict[str, Any], name: str) -> None:
    """R21: no invocation, replayed as it is, also when nobody here knows it."""
    assert read(part) == [Decoded(ServerCall(name, 3, origin(part)))]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["text", "thought", "functionCall", "function_call", "thoughtSignature", "toolCall", "x"]
)


@given(part=st.dictionaries(KEYS, VALUES | st.dictionaries(st.sampled_from(["id", "name", "args"]), VALUES)))
def test_nothing_that_a_provider_sends_makes_it_fail(part: dict[str, Any]) -> None:
    """Whatever comes is an item, or nothing."""
    assert len(read(part)) <= 1
