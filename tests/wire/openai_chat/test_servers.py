"""The servers that take the format of Chat Completions: what each refuses, and how it is written to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from support.histories import CHATS, SERVERS, histories
from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Outcome,
    Output,
    Reasoning,
    Role,
    Text,
)
from turnlock.machines import InvocationState
from turnlock.wire import Settings, ToolSpec, Violation, check, decode, encoder, walk
from turnlock.wire.openai_chat import COMPATIBLE

DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
U = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "x"}
ALTERNATE = "vllm_hf_templates+alternate"


def asks(*ids: Any, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    calls = [{"id": each, "type": "function", "function": function} for each in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls, **more}


def says(call_id: Any, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def find(dialect: str, *rows: Any) -> list[Violation]:
    return list(check({"messages": list(rows)}, dialect))


def ids(dialect: str, *rows: Any) -> list[str]:
    return [violation.rule for violation in find(dialect, *rows)]


@pytest.mark.parametrize("dialect", COMPATIBLE)
def test_a_pair_that_is_broken_is_found_at_every_server(dialect: str) -> None:
    """R15: missing, orphaned, unknown, doubled and late, in the words of the server where it has some."""
    assert (
        find(dialect, U, asks("a"), says("a"), U if "vllm" not in dialect else SAID, asks("b"), says("b"))
        == []
    )
    for broken in (
        [U, asks("a")],
        [U, says("a")],
        [U, asks("a"), says("a"), says("z")],
        [U, asks("a"), says("a"), says("a")],
        [U, asks("a"), U, says("a")],
    ):
        found = find(dialect, *broken)
        assert found
        assert {each.severity for each in found} == {"warning" if "vllm" in dialect else "error"}


def test_qwen_names_the_message_that_stands_in_the_way() -> None:
    """QWEN-CALL-NO-TOOL: where a tool message should be, or the end of the body."""
    (missing, _orphan) = find("dashscope_qwen", U, asks("a", "b"), says("a"), U, says("b"))
    assert missing.message.endswith("did not have response messages: message[3].role")
    assert (missing.at, missing.call_ids) == ("/messages/1", ("b",))
    (missing,) = find("dashscope_qwen", U, asks("a"))
    assert missing.message.endswith("message[2].role")


def test_groq_takes_the_fields_of_the_format_alone() -> None:
    """GROQ-UNKNOWN-FIELD: each field where it stands, for the roles that it knows."""
    assert ids("groq", {**U, "name": "n"}, asks("a", reasoning="hm"), {**says("a"), "name": "f"}) == []
    first, second = find("groq", {**U, "time/stamp": 1}, {**SAID, "reasoning_content": "x"})
    assert (first.at, second.at) == ("/messages/0/time~1stamp", "/messages/1/reasoning_content")
    assert "'messages.1' : for 'role:assistant'" in second.message
    assert ids("groq", {"role": "from the future", "x": 1}) == []


@pytest.mark.parametrize(
    ("dialect", "rule"), [("minimax", "MINIMAX-ARGS"), ("openai_compatible", "ARGS-JSON")]
)
def test_arguments_are_read_where_a_server_reads_them(dialect: str, rule: str) -> None:
    """MINIMAX-ARGS, ARGS-JSON: JSON of any sort; elsewhere they are text."""
    for broken in ('{"a":', "", "NaN", "[" * 100_000):
        (found,) = find(dialect, U, asks("a", arguments=broken), says("a"))
        assert (found.rule, found.at) == (rule, "/messages/1/tool_calls/0/function/arguments")
        assert find("openai_chat", U, asks("a", arguments=broken), says("a")) == []
    assert ids(dialect, U, asks("a", arguments='{"x": "\\ud83d"}'), says("a")) == []


def test_reasoning_is_wanted_back_in_thinking_mode() -> None:
    """DS-REASONING-BACK, MOONSHOT-REASONING: at DeepSeek an empty one will do (recorded), at Moonshot not."""
    rows = [U, asks("a", reasoning_content=""), says("a"), SAID, U]
    assert ids("deepseek_chat+thinking", *rows) == ids("deepseek_chat", U, asks("a"), says("a")) == []
    (found,) = find("moonshot+thinking", *rows)
    assert found.message.endswith("tool call message at index 1")
    assert found.call_ids == ("a",)
    assert ids("moonshot+thinking", U, asks("a", reasoning_content=" "), says("a")) == []


def test_turns_are_counted_without_calls_and_tools() -> None:
    """TEMPLATE-ALTERNATE: also from the first message on; a system message does not count."""
    system = {"role": "system", "content": "x"}
    assert ids(ALTERNATE, system, U, asks("a"), says("a"), asks("b"), says("b"), SAID, U) == []
    assert [each.at for each in find(ALTERNATE, system, SAID, U, asks("a"), says("a"), U, SAID, SAID)] == [
        "/messages/1",
        "/messages/5",
        "/messages/7",
    ]
    assert {each.severity for each in find("vllm_hf_templates", U, U)} == {"warning"}


def test_a_template_only_looks_for_some_call_before() -> None:
    """TEMPLATE-GPTOSS: an orphan behind a call is another matter, of which nobody knows."""
    assert ids("vllm_hf_templates+gptoss", U, says("a")) == ["TEMPLATE-GPTOSS"]
    found = find("vllm_hf_templates+gptoss", U, asks("a"), says("a"), SAID, says("a"))
    assert [(each.rule, each.severity) for each in found] == [("CHAT-TOOL-ORPHAN", "warning")]


def test_a_body_in_blocks_is_judged_as_one() -> None:
    """MINIMAX-FOLLOW, MINIMAX-ID: the same server, in Anthropic's format, wherever the first block stands."""
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}
    user = {"role": "user", "content": [result]}
    assert ids("minimax", U, SAID, U, use, user, U) == []
    (found,) = find("minimax", U, use, {"role": "user", "content": [result, {"type": "text", "text": "x"}]})
    assert (found.rule, found.at) == ("MINIMAX-FOLLOW", "/messages/2/content/1")
    (found,) = find("minimax", U, user)
    assert found.message == "invalid params, tool result's tool id(a) not found (2013)"


@pytest.mark.parametrize("dialect", [*CHATS, "anthropic"])
@given(data=st.data())
def test_a_walk_can_be_asked_after_every_row(dialect: str, data: st.DataObject) -> None:
    """A history grows: at each length the verdict is that of a body that ends there."""
    rows = data.draw(st.lists(st.sampled_from(ROWS), max_size=8))
    growing = walk(dialect, {"model": "m"})
    for end, row in enumerate(rows, 1):
        growing.feed([row])
        assert (
            growing.verdict() == growing.verdict() == check({"model": "m", "messages": rows[:end]}, dialect)
        )


ROWS: list[Any] = [
    U,
    SAID,
    asks("a"),
    asks("a", "b"),
    says("a"),
    says("b"),
    says(None),
    {"role": "assistant", "content": None},
    {"role": "system", "content": []},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "ok"}]},
    7,
]


# ── what is written ─────────────────────────────────────────────────────────────────────────────────


def sent(dialect: str, *items: Item, model: str = "m", **settings: Any) -> list[dict[str, Any]]:
    body = encoder(dialect).encode(items, len(items), Settings(model, **settings)).body
    assert check(body, dialect) == ()
    found: list[dict[str, Any]] = json.loads(body)["messages"]
    return found


def answer(dialect: str, raw: dict[str, Any], *, request: int = 1, model: str = "m") -> list[Item]:
    return [
        each.item for each in decode(dialect, raw, request=request, model=model, next_ordinal=lambda: request)
    ]


ASKED = Message("1", "go")


@pytest.mark.parametrize("dialect", ["deepseek_chat", "moonshot"])
def test_reasoning_goes_back_to_the_model_that_gave_it(dialect: str) -> None:
    """C41, DS-REASONING-BACK: with its calls, to that model at that server; elsewhere it is set aside."""
    items: list[Item] = [ASKED, *answer(dialect, asks("a", reasoning_content="Hm.")), Output(1, DONE)]
    assert sent(dialect, *items)[1]["reasoning_content"] == "Hm."
    assert "reasoning_content" not in sent(dialect, *items, model="other")[1]
    assert "reasoning_content" not in sent("groq", *items)[1]
    assert "reasoning_content" not in sent("openai_chat", *items)[1]


@pytest.mark.parametrize(("dialect", "said"), [("deepseek_chat", ""), ("moonshot", " ")])
def test_an_answer_without_reasoning_says_that_there_is_none(dialect: str, said: str) -> None:
    """DS-REASONING-BACK, MOONSHOT-REASONING: a call of another model does not make the history unsendable."""
    items: list[Item] = [ASKED, Call(1, "a", "f", "{}", 1), Output(1, DONE), Text("done", 2)]
    rows = sent(f"{dialect}+thinking", *items)
    assert rows[1]["reasoning_content"] == said
    assert "reasoning_content" not in rows[3]
    assert "reasoning_content" not in sent(dialect, *items)[1]


def test_details_of_reasoning_go_back_as_they_came() -> None:
    """MiniMax and OpenRouter: a list that only they understand; recorded as accepted."""
    details = [{"type": "reasoning.text", "text": "Hm.", "signature": "s"}]
    items: list[Item] = [
        ASKED,
        *answer("minimax", {**SAID, "reasoning_details": details}),
        Message("2", "and?"),
    ]
    assert isinstance(items[1], Reasoning)
    assert items[1].text == "Hm."
    assert sent("minimax", *items)[1] == {**SAID, "reasoning_details": details}


def test_thoughts_of_one_answer_are_put_together() -> None:
    """Answers of other clients may hold several: none is lost."""
    origins = [Origin("deepseek_chat", "m", {"reasoning_content": each}) for each in ("one", "two")]
    thoughts = [Reasoning(str(origin.item["reasoning_content"]), 1, origin) for origin in origins]
    assert sent("deepseek_chat", ASKED, *thoughts, Text("x", 1))[1]["reasoning_content"] == "one\n\ntwo"
    assert sent("deepseek_chat", ASKED, *thoughts) == [U | {"content": "go"}]


def test_only_openai_knows_custom_tools_and_developers() -> None:
    """A custom tool is a function with one text elsewhere, and a developer speaks as the system."""
    call = Call(1, "a", "p", '{"input":"x"}', 1, CallKind.CUSTOM)
    items: list[Item] = [Message("1", "now", Role.DEVELOPER), call, Output(1, DONE)]
    tools = (ToolSpec("p", "d", {"type": "text"}, CallKind.CUSTOM),)
    rows = sent("groq", *items, tools=tools)
    assert rows[0]["role"] == "system"
    assert rows[1]["tool_calls"][0]["function"] == {"name": "p", "arguments": '{"input":"x"}'}
    body = json.loads(encoder("groq").encode([], 0, Settings("m", tools=tools)).body)
    assert body["tools"][0]["function"]["parameters"]["required"] == ["input"]
    assert encoder("groq").kinds == {CallKind.FUNCTION}
    assert sent("openai_chat", *items)[0]["role"] == "developer"


def test_a_template_is_written_to_in_turns() -> None:
    """TEMPLATE-ALTERNATE: users' messages are one, never dropped; missing turns are filled in."""
    items: list[Item] = [
        Text("hello", 1),
        Text("again", 2),
        Message("1", "one"),
        Message("2", ({"type": "image_url", "image_url": {"url": "https://x/y"}},)),
        Call(1, "a", "f", "{}", 3),
        Output(1, DONE),
        Note("Interrupted."),
        Message("3", "two", Role.DEVELOPER),
        Text("done", 4),
    ]
    encoded = encoder(ALTERNATE).encode(items, len(items), Settings("m", "Be brief."))
    assert check(encoded.body, "vllm_hf_templates+alternate+llamacpp") == ()
    rows = json.loads(encoded.body)["messages"]
    assert [(row["role"], row["content"]) for row in rows] == [
        ("system", "Be brief."),
        ("user", "Continue."),
        ("assistant", "hello"),
        ("user", "Continue."),
        ("assistant", "again"),
        (
            "user",
            [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}],
        ),
        ("assistant", ""),
        ("tool", "fine"),
        ("assistant", "Understood."),
        ("user", "Interrupted.\n\ntwo"),
        ("assistant", "done"),
    ]
    assert encoded.positions == (2, 4, 5, 5, 6, 7, 9, 9, 10)


def test_a_block_that_grows_is_written_as_if_at_once() -> None:
    """R10, TEMPLATE-ALTERNATE: whose turn it was before the block is remembered, not who spoke last in it."""
    items: list[Item] = [
        ASKED,
        Call(1, "a", "f", "{}", 1),
        Output(1, DONE),
        Message("2", "x"),
        Message("3", "y"),
    ]
    grown, fresh = encoder(ALTERNATE), encoder(ALTERNATE)
    grown.encode(items, 4, Settings("m"))
    assert grown.encode(items, 5, Settings("m")) == fresh.encode(items, 5, Settings("m"))
    items[0:1] = [Text("hi", 0), ASKED]
    grown.encode(items, 1, Settings("m"))
    grown.encode(items, 2, Settings("m"))
    assert grown.encode(items, 1, Settings("m")) == encoder(ALTERNATE).encode(items, 1, Settings("m"))
    assert grown.encode(items, 6, Settings("m")) == encoder(ALTERNATE).encode(items, 6, Settings("m"))


@pytest.mark.parametrize("dialect", [name for name in SERVERS if name.partition("+")[0] in CHATS])
@given(data=st.data())
def test_what_was_refused_leaves_no_turn_behind(dialect: str, data: st.DataObject) -> None:
    """R20: when the end of a history is taken back, the next body is as if it had never been there."""
    items, _ = data.draw(histories(dialect))
    known = encoder(dialect)
    for length in data.draw(st.lists(st.integers(1, len(items)), max_size=4)):
        encoded = known.encode(items, length, Settings("model-a"))
        assert encoded == encoder(dialect).encode(items, length, Settings("model-a"))


def test_ids_are_short_where_nobody_knows_the_server() -> None:
    """CHAT-ID-LEN: forty characters were the limit once."""
    items: list[Item] = [ASKED, Call(1, "x" * 50, "f", "{}", 1), Output(1, DONE)]
    assert len(sent("openai_compatible", *items)[2]["tool_call_id"]) == 40
    assert sent("groq", *items)[2]["tool_call_id"] == "x" * 50
