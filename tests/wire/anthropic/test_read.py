"""Bodies of Anthropic Messages, read back into transcripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import given, strategies as st

from turnlock.engine import Call, Cause, Item, Message, Note, Origin, Output, Role, Text
from turnlock.engine.outcome import Outcome, failed, returned
from turnlock.machines import InvocationState
from turnlock.wire import Settings, ToolSpec, encoder, read
from turnlock.wire.common.history import History

OURS = "anthropic"


def body(*messages: Any, **envelope: Any) -> dict[str, Any]:
    return {"model": "m", **envelope, "messages": list(messages)}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {"a": 1}}


def result(call_id: Any, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def origin(block: Mapping[str, Any]) -> Origin:
    return Origin(OURS, "m", block)


def call(ordinal: int, call_id: str, request: int = 1) -> Call:
    return Call(ordinal, call_id, "f", '{"a":1}', request, origin=origin(use(call_id)))


def items(*messages: Any) -> list[Item]:
    return list(read(body(*messages), OURS).items)


def test_a_body_is_a_transcript() -> None:
    """Answers are numbered from 1; results go to the calls that they name; what is said keeps its place."""
    first = says(text("hm"), use("a"), use("b"))
    rows = [
        {"role": "user", "content": "go"},
        first,
        user(result("b"), result("a"), text("next")),
        says(text("x")),
    ]
    assert items(*rows) == [
        Message("m1", "go"),
        Text("hm", 1, origin(text("hm"))),
        call(1, "a"),
        call(2, "b"),
        Output(2, returned("ok")),
        Output(1, returned("ok")),
        Message("m2", "next"),
        Text("x", 2, origin(text("x"))),
    ]


def test_answers_that_stand_together_are_one() -> None:
    """ANT-MERGE: as the server sees them."""
    rows = [says(text("a")), says(use("a")), user(result("a")), says(text("b"))]
    assert [getattr(item, "request", None) for item in items(*rows)] == [1, 1, None, 2]


def test_pairs_stand_as_they_are_when_they_are_wrong() -> None:
    """A result without its call has an ordinal of its own, a call without one has none (R16)."""
    assert items(user(result("x")), says(use("a"))) == [Output(1, returned("ok")), call(2, "a")]
    again = items(says(use("a")), user(result("a"), result("a", "late")))
    assert again == [call(1, "a"), Output(1, returned("ok")), Output(1, returned("late"))]


def test_results_are_read_with_what_they_show() -> None:
    """The blocks of a result come back as what its tool returned; an error as the outcome that it is."""
    image = {"type": "image", "source": {"type": "url", "url": "https://x.test/1"}}
    shown, broken, cut = (
        items(says(use("a")), user(result("a", *given[:1], is_error=given[1])))[1]
        for given in (
            ([text("see"), image], False),
            ([text("ValueError: no")], True),
            ("Tool not run: its arguments were cut off.", True),
        )
    )
    assert isinstance(shown, Output)
    assert (shown.outcome.native, shown.model_text) == ([text("see"), image], "see\nhttps://x.test/1")
    assert broken == Output(1, failed("ValueError: no"))
    assert cut == Output(1, Outcome(InvocationState.CANCELLED, Cause.CUT_OFF))


def test_what_is_said_is_a_message_for_each_text() -> None:
    """What shows more than text is one message; a system message is the system's."""
    image = {"type": "image", "source": {"type": "url", "url": "https://x.test/1"}}
    rows = [
        user(text("a"), text("b")),
        user(text("see"), image),
        {"role": "system", "content": "be brief"},
        user(),
    ]
    assert items(*rows) == [
        Message("m1", "a"),
        Message("m2", "b"),
        Message("m3", (text("see"), image)),
        Message("m4", "be brief", Role.SYSTEM),
        Message("m5", ""),
    ]


def test_the_envelope_is_read() -> None:
    """Tools that a client answers, and everything else as options."""
    tool = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": True}
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    system = [{**text("a"), "cache_control": {"type": "ephemeral"}}, text("b")]
    kept = {**tool, "cache_control": {"type": "ephemeral"}}
    given = body(system=system, tools=[tool, hosted, kept], max_tokens=9, stream=True, temperature=1)
    spec = ToolSpec("f", "d", {"type": "object"}, strict=True)
    options = {"max_tokens": 9, "temperature": 1, "tools": [hosted, kept]}
    assert read(given, OURS) == History((), "a\n\nb", (spec,), "m", options)
    assert read(body(system="s"), OURS).instructions == "s"


U = Message("m1", "go")
CITED = {**text("see"), "citations": []}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


def test_an_encoding_reads_back_the_same() -> None:
    """Text with citations, thinking, calls, outcomes and their texts; a note comes back as a message."""
    blocks = [THOUGHT, CITED, use("a"), use("b"), use("c")]
    answer = items(says(*blocks))
    cancelled = Outcome(InvocationState.CANCELLED, Cause.INTERRUPTED, partial="so far", seconds=1.5)
    outcomes = (returned("ok"), failed("Tool error: ValueError"), cancelled)
    outputs = [Output(ordinal, outcome) for ordinal, outcome in enumerate(outcomes, 1)]
    given = [U, *answer, *outputs, Note("stop"), Message("m3", "and?")]
    settings = Settings("m", "Be brief.", (ToolSpec("f", "d", {"type": "object"}),), {"max_tokens": 9})
    back = read(encoder(OURS).encode(given, len(given), settings).body, OURS)
    assert list(back.items) == [U, *answer, *outputs, Message("m2", "stop"), Message("m3", "and?")]
    assert back.settings() == settings


SCALARS: st.SearchStrategy[Any] = st.one_of(st.none(), st.integers(), st.text(), st.booleans())
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=5
)
BLOCKS = st.dictionaries(
    st.sampled_from(["type", "id", "tool_use_id", "text", "input", "content", "is_error"]),
    st.sampled_from(["text", "tool_use", "tool_result", "thinking", "a"]) | VALUES,
)
ROWS = VALUES | st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]) | VALUES},
    optional={"content": VALUES | st.lists(BLOCKS | VALUES)},
)


@given(
    rows=st.lists(ROWS) | VALUES,
    envelope=st.dictionaries(st.sampled_from(["model", "system", "tools"]), VALUES),
)
def test_whatever_a_body_says_it_is_read(rows: Any, envelope: dict[str, Any]) -> None:
    """Reading never fails, and what was read can be written."""
    history = read({**envelope, "messages": rows}, OURS)
    written = encoder(OURS).encode(history.items, len(history.items), history.settings())
    assert isinstance(json.loads(written.body)["messages"], list)
