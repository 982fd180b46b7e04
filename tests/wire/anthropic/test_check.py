"""What is found in bodies of Anthropic Messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.wire import Severity, Violation, check, walk
from turnlock.wire.anthropic import AnthropicWalk
from turnlock.wire.anthropic.servers import MINIMAX, has_blocks
from turnlock.wire.common.walk import walk_all

TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
THINKING = {"type": "enabled", "budget_tokens": 1024}
GO = {"role": "user", "content": "go"}
NEXT = {"role": "user", "content": [{"type": "text", "text": "and then?"}]}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
NO_RESULT = "ANT-USE-NO-RESULT"
UNPAIRED = "ANT-SERVER-UNPAIRED"


def text(said: str = "hm") -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(call_id: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}


def result(call_id: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "ok", **more}


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def system(said: str = "be brief") -> dict[str, Any]:
    return {"role": "system", "content": said}


def find(*messages: Any, dialect: str = "anthropic", **envelope: Any) -> list[Violation]:
    body = {"tools": TOOLS, **envelope, "messages": list(messages)}
    return list(check(body, dialect))


def rules(*messages: Any, dialect: str = "anthropic", **envelope: Any) -> list[str]:
    return [violation.rule for violation in find(*messages, dialect=dialect, **envelope)]


def test_unanswered_calls_are_named_together() -> None:
    """ANT-USE-NO-RESULT: one finding per assistant turn with every id; it points at the first such call."""
    (found,) = find(GO, says(text(), use("a"), use("b")), says(use("c")), user(result("b")))
    assert found.message.startswith("messages.1: ")
    assert "immediately after: a, c. Each" in found.message
    assert (found.at, found.call_ids) == ("/messages/1/content/1", ("a", "c"))


def test_the_index_counts_merged_messages_and_the_pointer_rows() -> None:
    """ANT-MERGE: the second assistant turn is the server's fourth message, but stands in the seventh row."""
    rows = [GO, NEXT, says(use("a")), says(use("b")), user(result("a")), user(result("b"), text())]
    (found,) = find(*rows, says(use("c")), NEXT)
    assert found.message.startswith("messages.3: ")
    assert found.at == "/messages/6/content/0"


@pytest.mark.parametrize("end", [(), (NEXT,), (says(text()), NEXT), (says(text()), user(result("a")))])
def test_the_next_user_turn_answers_or_nobody(end: tuple[Any, ...]) -> None:
    """ANT-USE-NO-RESULT: at the end of a body, behind other text, behind another answer."""
    found = rules(GO, says(use("a")), *([GO] if len(end) > 1 else []), *end)
    assert found[0] == NO_RESULT


def test_results_belong_to_the_turn_directly_before() -> None:
    """ANT-RESULT-ORPHAN: with the merged position, the row's pointer, and the id."""
    (found,) = find(GO, says(use("a")), user(result("a")), user(text(), result("x")))
    assert found.message.startswith("messages.2.content.2: unexpected `tool_use_id`")
    assert (found.rule, found.at, found.call_ids) == ("ANT-RESULT-ORPHAN", "/messages/3/content/1", ("x",))
    assert rules(user(result("a"))) == rules(says(result("a"))) == ["ANT-RESULT-ORPHAN"]
    assert rules(user(result("a")), says(use("a")), user(result("a"))) == ["ANT-RESULT-ORPHAN"]


def test_results_stand_before_all_else() -> None:
    """ANT-RESULT-FIRST: also when what stands before them is a message of its own."""
    (found,) = find(GO, says(use("a"), use("b")), user(result("a"), text()), user(result("b")))
    assert "messages.1: " in found.message
    assert (found.rule, found.at, found.call_ids) == ("ANT-RESULT-FIRST", "/messages/3/content/0", ("b",))
    assert rules(GO, says(use("a")), GO, user(result("a"))) == ["ANT-RESULT-FIRST"]
    assert rules(GO, says(use("a")), user(result("a"), {"type": "image"}), NEXT) == []


def test_a_late_result_is_a_second_one() -> None:
    """ANT-RESULT-DUP: in the merged turn, wherever it stands."""
    (found,) = find(GO, says(use("a")), user(result("a", content="cancelled")), user(result("a")))
    assert found.message.startswith("messages.2.content.1: each tool_use must have a single result.")
    assert (found.rule, found.at) == ("ANT-RESULT-DUP", "/messages/3/content/0")


def test_an_id_is_unique_within_its_turn_only() -> None:
    """ANT-USE-ID-UNIQUE, C21: two rows make one turn; two answered turns may use one id."""
    (found,) = find(GO, says(use("a")), says(SEARCH, FOUND, use("a")), user(result("a")))
    assert found.message == "messages.1.content.3: `tool_use` ids must be unique"
    assert found.at == "/messages/2/content/2"
    again = (says(use("a")), user(result("a")))
    assert rules(GO, *again, *again) == []


@pytest.mark.parametrize("block", [text(), THOUGHT, {"type": "redacted_thinking", "data": "x"}])
def test_no_text_stands_behind_a_call(block: dict[str, Any]) -> None:
    """ANT-USE-TRAILING, C42: in the words of a missing result; blocks of the server may stand there."""
    rows = (GO, says(use("a"), block, block, use("b"), SEARCH, FOUND), user(result("a"), result("b")))
    (found,) = find(*rows)
    assert found.message.startswith("messages.1: `tool_use` ids were found without `tool_result` blocks")
    assert (found.rule, found.at, found.call_ids) == ("ANT-USE-TRAILING", "/messages/1/content/1", ("a",))


def test_an_answer_continued_in_its_own_turn_has_text_behind_its_call() -> None:
    """ANT-USE-TRAILING: an aborted answer that was asked again into the same turn."""
    assert rules(GO, says(use("a")), says(text(), use("b")), user(result("a"), result("b"))) == [
        "ANT-USE-TRAILING"
    ]


@pytest.mark.parametrize("call_id", ["terminal:0", "", "ü"])
def test_other_characters_of_an_id_are_warned_of(call_id: str) -> None:
    """ANT-ID-CHARSET: no source saw it refused."""
    (found,) = find(GO, says(use(call_id)), user(result(call_id)))
    assert (found.rule, found.severity, found.call_ids) == ("ANT-ID-CHARSET", Severity.WARNING, (call_id,))


@pytest.mark.parametrize("given_input", ["{}", None, [], 7])
def test_input_is_an_object(given_input: Any) -> None:
    """ANT-INPUT-DICT: of the provider's own calls, too."""
    (found,) = find(GO, says(use("a", input=given_input)), user(result("a")))
    assert found.message == "messages.1.content.0.tool_use.input: Input should be a valid dictionary"
    (found,) = find(GO, says(SEARCH | {"input": given_input}, FOUND), NEXT)
    assert found.message == "messages.1.content.0.server_tool_use.input: Input should be a valid dictionary"


def test_a_tool_loop_starts_with_thinking() -> None:
    """ANT-THINKING-FIRST: judged by the body; only the loop that the request goes on with counts."""
    loop = (says(text(), use("a")), user(result("a")))
    (found,) = find(GO, *loop, thinking=THINKING)
    assert found.message.startswith("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`")
    assert "but found `text`" in found.message
    assert (found.rule, found.at) == ("ANT-THINKING-FIRST", "/messages/1/content/0")
    assert rules(GO, *loop) == rules(GO, *loop, thinking={"type": "adaptive"}) == []
    assert rules(GO, *loop, says(text()), NEXT, thinking=THINKING) == []


def test_thinking_once_in_a_tool_loop_is_enough() -> None:
    """ANT-THINKING-FIRST: a model thinks before its first call, or between all of them."""
    first = (says(THOUGHT, use("a")), user(result("a")))
    loop = (says(use("b")), user(result("b")))
    assert rules(GO, *first, *loop, thinking=THINKING) == []
    assert rules(GO, *loop, *first, thinking=THINKING) == []
    assert rules(GO, *first, NEXT, *loop, thinking=THINKING) == ["ANT-THINKING-FIRST"]


def test_a_servers_result_stands_behind_its_call() -> None:
    """ANT-SERVER-RESULT-ORPHAN: named by its own type; the call may stand in the answer before (R21)."""
    (found,) = find(GO, says(FOUND, SEARCH), NEXT)[:1]
    assert "`web_search_tool_result` block must have a corresponding `server_tool_use` block" in found.message
    mcp = {"type": "mcp_tool_result", "tool_use_id": "m", "content": []}
    (found,) = find(GO, says(mcp), NEXT)
    assert "found in `mcp_tool_result` blocks: m." in found.message
    assert "`mcp_tool_use` block before it." in found.message
    assert rules(GO, says(SEARCH, use("a")), user(result("a")), says(FOUND, text()), NEXT) == []


def test_a_servers_call_may_be_in_flight() -> None:
    """ANT-SERVER-UNPAIRED, ANT-PAUSE-TURN, C45: while only results of client calls stand behind it."""
    flying = says(SEARCH, use("a"), use("b"))
    for dialect in ("anthropic", "anthropic+4.6"):
        assert rules(GO, says(SEARCH), dialect=dialect) == []
        assert rules(GO, says(SEARCH), says(FOUND), dialect=dialect) == []
        assert rules(GO, says(SEARCH, text()), dialect=dialect) == []
        assert rules(GO, flying, user(result("a")), user(result("b")), dialect=dialect) == []


@pytest.mark.parametrize(
    "behind",
    [
        (NEXT,),
        (user(result("a"), text()),),
        (user(result("a")), GO),
        (user(result("a")), says(text())),
        (user(result("a")), says(text()), NEXT),
        (user(result("a")), system()),
    ],
)
def test_nothing_else_stands_behind_a_servers_call_in_flight(behind: tuple[Any, ...]) -> None:
    """ANT-SERVER-UNPAIRED, C46: it points at the call, and names the block that is missing."""
    found = [each for each in find(GO, says(SEARCH, use("a")), *behind) if each.rule == UNPAIRED]
    assert [(each.at, each.call_ids) for each in found] == [("/messages/1/content/0", ("srv_1",))]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            SEARCH,
            "`web_search` tool use with id `srv_1` was found without a corresponding `web_search_tool_r",
        ),
        (SEARCH | {"name": "tool_search_tool_bm25"}, "corresponding `tool_search_tool_result` block"),
        (
            SEARCH | {"type": "mcp_tool_use"},
            "messages.1: `mcp_tool_use` with id `srv_1` was found without a ",
        ),
    ],
)
def test_a_servers_call_is_named_as_the_provider_does(block: dict[str, Any], words: str) -> None:
    """ANT-SERVER-UNPAIRED: the name of the tool, and the block that belongs to it."""
    (found,) = find(GO, says(block), NEXT)
    assert words in found.message


def test_from_4_6_on_the_last_word_is_not_the_assistants() -> None:
    """ANT-PREFILL: an answer without calls; in the plain dialect it is accepted."""
    (found,) = find(GO, says(text()), says(text()), dialect="anthropic+4.6")
    assert (found.rule, found.at) == ("ANT-PREFILL", "/messages/2")
    assert rules(GO, says(text())) == rules(dialect="anthropic+4.6") == []
    assert rules(GO, says(use("a")), dialect="anthropic+4.6") == [NO_RESULT]
    assert rules(GO, says(SEARCH, FOUND, text()), dialect="anthropic+4.6") == ["ANT-PREFILL"]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((system(), says(text()), GO), ["messages.0: role 'system' must follow a 'user' message"]),
        ((GO, says(text()), system()), ["messages.2: role 'system' must follow a 'user' message"]),
        (
            (GO, system(), NEXT),
            ["messages.1: role 'system' must precede an 'assistant' message or end the array"],
        ),
        ((GO, system(), says(text()), GO), []),
        (
            (GO, system(), system(), NEXT),
            ["messages.2: role 'system' must precede an 'assistant' message or end the array"],
        ),
        ((GO, system(), system(), says(text()), GO, system()), []),
        ((GO, says(SEARCH, FOUND), system(), says(text()), GO), []),
        ((system(), system()), ["messages.0: role 'system' must follow a 'user' message"]),
    ],
)
def test_a_system_message_has_its_places(messages: tuple[Any, ...], words: list[str]) -> None:
    """ANT-SYSTEM-PLACEMENT: both halves of the rule."""
    assert [found.message for found in find(*messages)] == words


def test_a_system_message_does_not_hide_a_result() -> None:
    """ANT-SYSTEM-PLACEMENT: between call and result it is the one thing that is wrong."""
    assert rules(GO, says(use("a")), system(), user(result("a"))) == ["ANT-SYSTEM-PLACEMENT"]
    assert rules(GO, says(use("a")), system(), says(text())) == ["ANT-SYSTEM-PLACEMENT", NO_RESULT][::-1]


def test_text_says_something() -> None:
    """ANT-EMPTY-TEXT: text as content is a block, too; only an assistant's last message may be empty."""
    (found,) = find(GO, says(text("x"), text("")), GO)
    assert found.at == "/messages/1/content/1"
    (found,) = find({"role": "user", "content": ""})
    assert (found.rule, found.at) == ("ANT-EMPTY-TEXT", "/messages/0/content")
    empty = {"role": "assistant", "content": ""}
    assert rules(GO, empty, GO, GO) == ["ANT-EMPTY-TEXT"]
    assert rules(GO, empty) == []


@pytest.mark.parametrize("kind", ["input_json_delta", "text_delta", "signature_delta"])
def test_deltas_are_no_content(kind: str) -> None:
    """ANT-RAW-DELTA: named by its type."""
    (found,) = find(GO, says({"type": kind}), GO)
    assert found.message == f"Input tag '{kind}' does not match any of the expected tags"


def test_tools_are_defined_where_calls_stand() -> None:
    """ANT-TOOLS-DEFINED: once per body, where the server is known to ask it; silent elsewhere."""
    asked = "anthropic+tools_required"
    rows = (GO, says(use("a")), user(result("a")))
    (found,) = find(*rows, tools=None, dialect=asked)
    assert (found.rule, found.severity, found.at) == (
        "ANT-TOOLS-DEFINED",
        Severity.ERROR,
        "/messages/1/content/0",
    )
    assert find(*rows, tools=[]) == []
    assert find(GO, says(SEARCH, FOUND), GO, tools=[], dialect=asked) == []


@pytest.mark.parametrize("content", ["", [], None, [text("")]])
def test_an_error_says_what_it_is(content: Any) -> None:
    """ANT-RESULT-ERROR-EMPTY: an empty result that is none is accepted."""
    (found,) = find(GO, says(use("a")), user(result("a", is_error=True, content=content)))
    assert found.message == "messages.2.content.0.tool_result: content cannot be empty if is_error is true"
    assert found.call_ids == ("a",)
    assert rules(GO, says(use("a")), user(result("a", is_error=False, content=content))) == []
    (found,) = find(GO, says(text()), says(use("a")), user(result("a", is_error=True, content=content)))
    assert found.message.startswith("messages.3.content.0.tool_result: ")  # recorded: not merged
    assert rules(GO, says(use("a")), user(result("a", is_error=True, content=[text(), text("")]))) == []


def minimax(*messages: Any) -> list[str]:
    body = {"messages": list(messages)}
    return [found.rule for found in walk_all(AnthropicWalk(body, server=MINIMAX), body)]


def test_minimax_wants_results_in_a_message_of_their_own() -> None:
    """MINIMAX-FOLLOW, MINIMAX-ID: in its own words, and nothing of Anthropic's that nobody saw there."""
    assert minimax(GO, says(use("a:0"), text()), user(result("a:0")), NEXT) == []
    assert minimax(GO, says(use("a")), user(result("a"), text(), text())) == ["MINIMAX-FOLLOW"]
    assert minimax(GO, says(use("a")), user(text(), result("a"))) == ["MINIMAX-FOLLOW"]
    assert minimax(GO, says(use("a")), NEXT) == ["MINIMAX-FOLLOW"]
    assert minimax(GO, says(use("a")), user(result("a"), result("x"))) == ["MINIMAX-ID"]
    assert minimax(GO, says(use("a")), user(result("a"), result("a"))) == ["MINIMAX-FOLLOW"]
    assert minimax("noise") == ["UNREADABLE"]


def test_the_format_is_known_by_its_blocks() -> None:
    """A server that takes two formats is told by what only one of them has."""
    assert has_blocks(says(use("a")))
    assert not has_blocks({"role": "assistant", "content": [text(), 7], "tool_calls": []})
    assert not has_blocks(GO)


KINDS = [
    "text",
    "tool_use",
    "tool_result",
    "thinking",
    "server_tool_use",
    "web_search_tool_result",
    "mcp_tool_use",
    "input_json_delta",
]
SMALL: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["", "a", "b"])
)
VALUES = st.recursive(
    SMALL, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=4
)
ANY_BLOCK = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS) | VALUES,
        "id": SMALL,
        "tool_use_id": SMALL,
        "text": SMALL,
        "input": st.just({}) | SMALL,
        "is_error": SMALL,
        "content": SMALL,
        "name": SMALL,
    },
)
ANY_ROW = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "system", "tool"]) | VALUES,
            "content": VALUES | st.lists(ANY_BLOCK | VALUES, max_size=4),
        },
    ),
)
ENVELOPES = st.fixed_dictionaries({}, optional={"thinking": st.just(THINKING) | VALUES, "tools": VALUES})
DIALECT_NAMES = st.sampled_from(["anthropic", "anthropic+4.6", "anthropic+tools_required+4.6"])


@given(rows=st.lists(ANY_ROW, max_size=8), envelope=ENVELOPES, dialect=DIALECT_NAMES)
def test_a_walk_answers_as_the_check_of_each_prefix(rows: list[Any], envelope: Any, dialect: str) -> None:
    """R15: fed row by row and asked after each, it says what a check of the body so far says.

    Whatever JSON stands there, it does not fail.
    """
    going = walk(dialect, envelope)
    for length in range(len(rows) + 1):
        assert going.verdict() == check({**envelope, "messages": rows[:length]}, dialect)
        going.feed(rows[length : length + 1])


def test_code_that_calls_our_tools_may_need_several_rounds() -> None:
    """ANT-SERVER-UNPAIRED: the provider's code names itself as caller; its result comes in the end."""

    def calls(call_id: str) -> dict[str, Any]:
        caller = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}
        return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, "caller": caller}

    code = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {}}
    rounds = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [code, calls("a")]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
        {"role": "assistant", "content": [calls("b")]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "2"}]},
    ]
    assert check({"messages": rounds}, "anthropic") == ()
    stranded = [*rounds, {"role": "user", "content": "and now?"}]
    assert [each.rule for each in check({"messages": stranded}, "anthropic")] == ["ANT-SERVER-UNPAIRED"]
