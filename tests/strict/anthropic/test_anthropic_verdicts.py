"""Verdicts on Anthropic histories beyond the table's examples: merging, places, models, thinking, fields."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.strict import judge_anthropic
from turnlock.strict.anthropic.judge import trace
from turnlock.strict.anthropic.signatures import sign

Block = dict[str, Any]
GO: Block = {"role": "user", "content": "go"}
SEARCH: Block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
FOUND: Block = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
A_PLACE = "a 'user' message or an 'assistant' message ending in a server tool result"
EMPTY = "all messages must have non-empty content except for the optional final assistant message"
NOTE: Block = {"role": "system", "content": "a new rule"}


def use(call_id: str = "toolu_1", **more: Any) -> Block:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}


def result(call_id: str = "toolu_1", **more: Any) -> Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "ok", **more}


def text(words: str = "x") -> Block:
    return {"type": "text", "text": words}


def user(*blocks: Block) -> Block:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Block) -> Block:
    return {"role": "assistant", "content": list(blocks)}


def verdict(*messages: Any, **body: Any) -> tuple[str, str] | None:
    refusal = judge_anthropic({"model": "claude-sonnet-5", "messages": list(messages), **body})
    return None if refusal is None else (refusal.rule, refusal.message)


def rule(*messages: Any, **body: Any) -> str | None:
    found = verdict(*messages, **body)
    return None if found is None else found[0]


# --- calls and results


def test_what_is_missing_is_named_in_the_order_of_the_calls() -> None:
    """All open ids stand in one text, and the index counts merged turns (ANT-USE-NO-RESULT)."""
    found = verdict(GO, GO, assistant(use("a")), assistant(use("b"), use("c")), user(result("b")))
    text = (
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a, c. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )
    assert found == ("ANT-USE-NO-RESULT", text)


def test_results_of_merged_messages_count_together() -> None:
    """Two user messages in a row are one turn: results split over both are fine (ANT-MERGE)."""
    assert rule(GO, assistant(use("a"), use("b")), user(result("b")), user(result("a"), text())) is None


def test_a_whybetween_results_comes_too_early() -> None:
    """All results stand before the first other block, in the merged turn (ANT-RESULT-FIRST)."""
    assert rule(GO, assistant(use("a"), use("b")), user(result("a"), text()), user(result("b"))) == (
        "ANT-RESULT-FIRST"
    )
    assert rule(GO, assistant(use()), user(result(), {"type": "image"}, {"type": "document"})) is None


def test_a_turn_that_speaks_on_behind_its_call() -> None:
    """Text and thinking are refused there, blocks of server tools are not (ANT-USE-TRAILING)."""
    thought = {"type": "thinking", "thinking": "x", "signature": "of a real model"}
    assert rule(GO, assistant(use(), text()), user(result())) == "ANT-USE-TRAILING"
    assert rule(GO, assistant(use(), thought), user(result())) == "ANT-USE-TRAILING"
    assert rule(GO, assistant(use(), text()), user(text())) == "ANT-USE-NO-RESULT"
    assert rule(GO, assistant(use(), SEARCH, FOUND, use("b")), user(result(), result("b"))) is None


def test_calls_and_results_stand_with_their_own_role() -> None:
    """A result in an assistant message and a call in a user message are refused by role."""
    assert verdict(GO, assistant(use(), result())) == (
        "SHAPE",
        "messages.1: `tool_result` blocks can only be in `user` messages",
    )
    assert verdict(user(text(), use())) == (
        "SHAPE",
        "messages.0: `tool_use` blocks can only be in `assistant` messages",
    )


# --- server tools


@pytest.mark.parametrize(
    ("call", "tool", "result_type"),
    [
        (SEARCH, "web_search", "web_search_tool_result"),
        ({**SEARCH, "name": "tool_search_tool_regex"}, "tool_search_tool_regex", "tool_search_tool_result"),
        ({**SEARCH, "type": "mcp_tool_use", "name": "ask"}, "mcp", "mcp_tool_result"),
    ],
)
def test_nobody_speaks_while_a_server_tool_is_under_way(call: Block, tool: str, result_type: str) -> None:
    """Results alone may follow; the user's text waits for its result, and so does a further answer (C45).

    ANT-SERVER-UNPAIRED.
    """
    why = f"`{tool}` tool use with id `srvtoolu_1` was found without a corresponding `{result_type}` block"
    pending = [GO, assistant(call, use()), user(result())]
    assert rule(*pending) is None
    assert verdict(*pending, GO) == ("ANT-SERVER-UNPAIRED", f"messages.1: {why}")
    assert rule(*pending, assistant(use("b")), user(result("b"))) == "ANT-SERVER-UNPAIRED"
    assert rule(GO, assistant(text(), call), GO) == "ANT-SERVER-UNPAIRED"


def test_code_that_calls_tools_takes_several_rounds() -> None:
    """It is under way until it has called them all: its calls say who called (ANT-SERVER-UNPAIRED).

    Documented for programmatic tool calling.
    """
    code = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {}}
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    history = [GO, assistant(code, use("a", caller=caller)), user(result("a"))]
    history += [assistant(use("b", caller=caller)), user(result("b"))]
    assert rule(*history) is None
    assert rule(*history[:3], assistant(use("b", caller={"type": "direct"})), user(result("b"))) is None
    direct = [GO, assistant(code, use("a", caller={"type": "direct"})), *history[2:3]]
    assert rule(*direct, assistant(use("b")), user(result("b"))) == "ANT-SERVER-UNPAIRED"


def test_a_result_that_comes_late_resolves_its_call() -> None:
    """In the next answer, behind the client's results: then the user may speak (ANT-SERVER-UNPAIRED)."""
    history = [GO, assistant(SEARCH, use()), user(result()), assistant(FOUND, text())]
    assert rule(*history, GO) is None
    assert rule(*history[:2], user(result(), text()), assistant(FOUND), GO) == "ANT-SERVER-UNPAIRED"


def test_a_result_of_a_server_tool_needs_its_call() -> None:
    """Before it, in any assistant turn; the text names the block's own type (ANT-SERVER-RESULT-ORPHAN)."""
    assert rule(GO, assistant(FOUND, SEARCH, text()), GO) == "ANT-SERVER-RESULT-ORPHAN"
    found = verdict(GO, assistant({**FOUND, "type": "mcp_tool_result"}), GO)
    assert found is not None
    assert found[1].endswith(
        "Each `mcp_tool_result` block must have a corresponding `mcp_tool_use` block before it."
    )


# --- system messages in the conversation


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([NOTE, GO], "messages.0: use the top-level 'system' parameter for the initial system prompt"),
        (
            [GO, NOTE, NOTE, GO],
            "messages.1: role 'system' must precede an 'assistant' message or end the array",
        ),
        (
            [GO, assistant(text()), NOTE],
            f"messages.2: role 'system' must follow {A_PLACE}",
        ),
    ],
)
def test_a_system_message_out_of_place(messages: list[Block], text: str) -> None:
    """It follows a user turn and ends the array or stands before the assistant (ANT-SYSTEM-PLACEMENT)."""
    assert verdict(*messages) == ("ANT-SYSTEM-PLACEMENT", text)


def test_a_system_message_in_place() -> None:
    """Behind results, behind a server tool's result, two in a row; one that only sets options, anywhere."""
    setting = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert rule(GO, assistant(use()), user(result()), NOTE, NOTE) is None
    assert rule(GO, assistant(SEARCH, FOUND), NOTE, assistant(text()), GO) is None
    assert rule(setting, GO, assistant(use()), setting, user(result())) is None
    assert rule(GO, {"role": "system", "content": []}) == "SHAPE"


# --- how it ends


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("claude-opus-4-6", True),
        ("claude-sonnet-4-6-20260115", True),
        ("anthropic/claude-opus-4.6", True),
        ("us.anthropic.claude-sonnet-5-v1:0", True),
        ("claude-fable-5", True),
        ("claude-opus-5-5", True),
        ("claude-haiku-4-10", True),
        ("any", True),
        (None, True),
        ("claude-opus-4-5-20251101", False),
        ("claude-sonnet-4-20250514", False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", False),
        ("claude-sonnet-4-0", False),
        ("claude-3-5-sonnet-20241022", False),
        ("anthropic.claude-v2:1", False),
        ("claude-2.1", False),
    ],
)
def test_prefill_is_for_older_models(model: object, *, refused: bool) -> None:
    """The model's name decides who may end with the assistant; an unknown one may not (ANT-PREFILL)."""
    assert rule(GO, assistant(text()), model=model) == ("ANT-PREFILL" if refused else None)
    assert rule(GO, {"role": "assistant", "content": ""}, model=model) == ("ANT-PREFILL" if refused else None)


def test_a_paused_answer_may_end_the_request() -> None:
    """With a call under way, or behind a result; one that ends with text only if it was paused there (C45).

    ANT-PAUSE-TURN.
    """
    ended = [text("Let me look."), SEARCH, FOUND, text("And")]
    assert rule(GO, assistant(text(), SEARCH)) is None
    assert rule(GO, assistant(SEARCH, FOUND)) is None
    assert rule(GO, assistant(SEARCH, text("And"))) is None
    assert rule(GO, assistant(*ended)) == "ANT-PREFILL"
    body = {
        "messages": [GO, assistant(*ended[:2]), assistant(*({**each, "more": None} for each in ended[2:]))]
    }
    assert judge_anthropic(body, paused={trace(ended)}) is None
    assert judge_anthropic(body, paused={trace(ended[:2]), ()}) is not None


# --- thinking


def test_a_tool_loop_begins_with_thinking() -> None:
    """Where it is enabled: in one of the loop's turns, before all else (ANT-THINKING-FIRST)."""
    thought = {"type": "redacted_thinking", "data": "x"}
    enabled: Block = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    bare = [assistant(text(), use()), user(result())]
    found = verdict(GO, *bare, **enabled)
    assert found is not None
    assert found[1].startswith(
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`."
    )
    assert rule(GO, *bare) is None
    assert rule(GO, *bare, thinking={"type": "adaptive"}) is None
    thoughtful = [assistant(thought, use()), user(result())]
    assert rule(GO, *thoughtful, **enabled) is None
    assert rule(GO, *thoughtful, NOTE, *bare, **enabled) is None, "between tools not every model thinks"
    assert rule(GO, *thoughtful, GO, *bare, **enabled) == "ANT-THINKING-FIRST"
    assert rule(GO, *bare[:1], user(result(), text()), **enabled) == "ANT-THINKING-FIRST"
    assert rule(GO, *bare, assistant(text()), GO, **enabled) is None, "the loop is over"


def test_thinking_comes_back_as_it_was_given() -> None:
    """Changed in the latest turn, changed before it, or sent to another model: refused by its signature.

    ANT-THINKING-MODIFIED, ANT-THINKING-SIGNATURE.
    """
    model = "claude-sonnet-5"
    whole = {"type": "thinking", "thinking": "hm", "signature": sign(model, "hm")}
    loop = [assistant({**whole, "thinking": "hm!"}, use()), user(result())]
    assert rule(GO, assistant(whole, use()), user(result())) is None
    found = verdict(GO, *loop)
    changed = (
        "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message "
        "cannot be modified. These blocks must remain as they were in the original response."
    )
    assert found == ("ANT-THINKING-MODIFIED", changed)
    invalid = ("ANT-THINKING-SIGNATURE", "messages.1.content.0: Invalid `signature` in `thinking` block")
    assert verdict(GO, *loop, assistant(text()), GO) == invalid
    assert verdict(GO, assistant(whole, use()), user(result()), model="claude-opus-5") == invalid
    assert verdict(GO, assistant({**whole, "signature": ""}, text()), GO) == invalid
    assert rule(GO, assistant({**whole, "signature": "EqQB"}, text()), GO) is None, "a real model signed it"


# --- fields


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "messages: Field required"),
        ({"messages": "go"}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["go"]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"content": "go"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "tool", "content": "go"}]},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content: Input should be a valid list"),
        ({"messages": [user("x")]}, "messages.0.content.0: Input should be a valid dictionary"),  # type: ignore[arg-type]  # wrong on purpose
        ({"messages": [user({})]}, "messages.0.content.0.type: Field required"),
        ({"messages": [user({"type": 3})]}, "messages.0.content.0.type: Input should be a valid string"),
        ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text.text: Field required"),
        (
            {"messages": [user(result("a", tool_use_id=3))]},
            "messages.0.content.0.tool_result.tool_use_id: Input should be a valid string",
        ),
        (
            {"messages": [assistant({"type": "tool_use", "id": "a", "name": "f"})]},
            "messages.0.content.0.tool_use.input: Field required",
        ),
        (
            {"messages": [assistant({"type": "thinking", "thinking": "x"})]},
            "messages.0.content.0.thinking.signature: Field required",
        ),
        (
            {"messages": [assistant({**FOUND, "tool_use_id": None})]},
            "messages.0.content.0.web_search_tool_result.tool_use_id: Input should be a valid string",
        ),
        (
            {"messages": [user(), GO]},
            f"messages.0: {EMPTY}",
        ),
        (
            {"messages": [GO, assistant(), GO]},
            f"messages.1: {EMPTY}",
        ),
    ],
)
def test_a_malformed_field(body: Block, text: str) -> None:
    """The path of the field and what should be there, as the provider's own validation words it."""
    refusal = judge_anthropic(body)
    assert refusal is not None
    assert (refusal.rule, refusal.message) == ("SHAPE", text)


def test_fields_are_judged_before_the_history() -> None:
    """A field of the last message is reported before an open call of the first turn."""
    assert rule(GO, assistant(use()), user(text(""))) == "ANT-EMPTY-TEXT"
    assert rule(GO, assistant(use("terminal:0")), GO) == "ANT-ID-CHARSET"
    assert rule(GO, assistant({**SEARCH, "input": "{"})) == "ANT-INPUT-DICT"


@pytest.mark.parametrize("content", ["", [], None, [{"type": "text", "text": ""}]])
def test_an_error_says_something(content: object) -> None:
    """A failed call has a text; one that succeeded may be silent (ANT-RESULT-ERROR-EMPTY)."""
    silent = result(content=content)
    assert rule(GO, assistant(use()), user({**silent, "is_error": True})) == "ANT-RESULT-ERROR-EMPTY"
    assert rule(GO, assistant(use()), user({**silent, "is_error": False})) is None
    picture = result(content=[{"type": "text", "text": ""}, {"type": "image"}], is_error=True)
    assert rule(GO, assistant(use()), user(picture)) is None


def test_blocks_that_we_do_not_know_pass() -> None:
    """There are new ones all the time; only the deltas of a stream are told (ANT-RAW-DELTA)."""
    assert rule(GO, assistant({"type": "compaction", "content": "x"}), GO) is None
    assert rule(user({"type": "thinking_delta"})) == "ANT-RAW-DELTA"
