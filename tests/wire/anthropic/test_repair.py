"""Bodies of Anthropic Messages that somebody has broken, mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnlock.wire import Severity, check, repair
from turnlock.wire.anthropic import AnthropicRepairer, AnthropicWalk
from turnlock.wire.anthropic.repair import ERROR_WITHOUT_TEXT
from turnlock.wire.anthropic.servers import MINIMAX
from turnlock.wire.common.walk import walk_all
from turnlock.wire.repair.pairing import UNKNOWN_END
from turnlock.wire.repair.repairer import repair_body

OURS = "anthropic"
EVERY = "anthropic+4.6+tools_required"
GO = {"role": "user", "content": "go"}
NEXT = {"role": "user", "content": [{"type": "text", "text": "next"}]}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}


def text(said: str = "hm", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def use(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {}, **more}


def result(call_id: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def lost(call_id: str) -> dict[str, Any]:
    return result(call_id, UNKNOWN_END, is_error=True)


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def system(said: str = "be brief") -> dict[str, Any]:
    return {"role": "system", "content": said}


def mend(*messages: Any, dialect: str = OURS, **envelope: Any) -> list[Any]:
    """The mended messages; nothing is wrong with them, and another repair changes nothing."""
    given = json.dumps({"tools": TOOLS, "max_tokens": 9, **envelope, "messages": list(messages)})
    done = repair(given, dialect)
    assert done.left == ()
    assert [found for found in check(done.body, dialect) if found.severity is Severity.ERROR] == []
    again = repair(done.body, dialect)
    assert (again.body, again.changes) == (done.body, ())
    assert bool(done.changes) == (done.body.decode() != given)
    assert done.body == repair(given, dialect).body
    rows: list[Any] = done.value["messages"]
    return rows


def test_what_is_right_is_given_back_as_it_was() -> None:
    """C39: not a byte is changed, whatever fields stand there."""
    rows = [
        GO,
        {**says(text(), use("a", cache_control={})), "x": 1},
        user(result("a"), text()),
        system(),
        says(SEARCH),
    ]
    assert mend(*rows, y=2) == rows


def test_a_call_without_an_output_gets_one_that_says_so() -> None:
    """C36, C38: with its toolset; the results that stand there stay first."""
    assert mend(GO, says(use("a", toolset_name="t"))) == [
        GO,
        says(use("a", toolset_name="t")),
        user(lost("a") | {"toolset_name": "t"}),
    ]
    assert mend(GO, says(use("a"), use("b")), user(result("b"), text())) == [
        GO,
        says(use("a"), use("b")),
        user(lost("a"), result("b"), text()),
    ]


def test_messages_stay_apart_that_were() -> None:
    """R16: a new result joins the last ones, unless that would cost a field of their message."""
    asks = says(use("a"), use("b"), use("c"))
    assert mend(GO, asks, user(result("a")), user(result("b")))[2:] == [
        user(result("a")),
        user(result("b"), lost("c")),
    ]
    marked = {**user(result("a"), result("b")), "x": 1}
    assert mend(GO, asks, marked)[2:] == [marked, user(lost("c"))]


def test_an_output_that_stands_too_late_is_moved() -> None:
    """C39, ANT-RESULT-FIRST: also within its message; the user's words stand behind it."""
    assert mend(GO, says(use("a")), user(text(), result("a"))) == [
        GO,
        says(use("a")),
        user(result("a"), text()),
    ]
    assert mend(GO, says(use("a")), NEXT, user(result("a"))) == [GO, says(use("a")), user(result("a")), NEXT]
    assert mend(GO, says(use("a")), system(), user(result("a"))) == [
        GO,
        says(use("a")),
        user(result("a")),
        system(),
    ]


def test_orphans_and_second_outputs_are_set_aside() -> None:
    """C37, C40: they are reported, with what they said."""
    rows = [user(result("x")), says(use("a")), user(result("a"), result("a", "late"))]
    done = repair({"messages": rows}, OURS)
    assert done.value["messages"] == [says(use("a")), user(result("a"))]
    assert [change.set_aside for change in done.changes] == [result("x"), result("a", "late")]
    assert [change.at for change in done.changes] == ["/messages/0/content/0", "/messages/2/content/1"]


def test_an_output_before_its_call_is_moved_behind_it() -> None:
    """C40: [O, K]."""
    assert mend(GO, user(result("a")), says(use("a")), NEXT) == [GO, says(use("a")), user(result("a")), NEXT]


def test_two_calls_of_one_id_are_told_apart() -> None:
    """ANT-USE-ID-UNIQUE: in one turn; in two turns it is no fault."""
    (_, asks, answers) = mend(GO, says(use("a"), use("a")), user(result("a"), result("a", "other")))
    ids = [block["id"] for block in asks["content"]]
    assert len(set(ids)) == 2
    assert [(block["tool_use_id"], block["content"]) for block in answers["content"]] == [
        (ids[0], "ok"),
        (ids[1], "other"),
    ]
    again = [says(use("a")), user(result("a"))]
    assert mend(GO, *again, *again) == [GO, *again, *again]


def test_ids_of_other_characters_are_written_anew() -> None:
    """ANT-ID-CHARSET, C22: on both sides; a long one is taken."""
    assert mend(GO, says(use("terminal:0")), user(result("terminal:0")))[1:] == [
        says(use("terminal_0_2")),
        user(result("terminal_0_2")),
    ]
    long = [GO, says(use("x" * 99)), user(result("x" * 99))]
    assert mend(*long) == long


def test_text_behind_a_call_is_moved_before_it() -> None:
    """C42, ANT-USE-TRAILING: over the messages of one turn, too."""
    assert mend(GO, says(use("a"), text()), user(result("a")))[1] == says(text(), use("a"))
    merged = mend(GO, says(use("a")), says(text(), use("b")), user(result("a"), result("b")))
    assert [block["type"] for row in merged[1:-1] for block in row["content"]] == [
        "text",
        "tool_use",
        "tool_use",
    ]


@pytest.mark.parametrize(
    ("given_input", "sent"), [('{"a": 1}', {"a": 1}), ('{"a":', {}), (None, {}), ([1], {})]
)
def test_input_becomes_an_object(given_input: Any, sent: Any) -> None:
    """ANT-INPUT-DICT: the one that its text says, or an empty one."""
    assert mend(GO, says(use("a", input=given_input)), user(result("a")))[1] == says(use("a", input=sent))


def test_an_error_without_text_says_so() -> None:
    """ANT-RESULT-ERROR-EMPTY."""
    given = (GO, says(use("a")), user(result("a", "", is_error=True)))
    assert mend(*given)[2] == user(result("a", ERROR_WITHOUT_TEXT, is_error=True))


def test_empty_text_is_left_out() -> None:
    """ANT-EMPTY-TEXT, R16: an answer may go, a user's message may not."""
    assert mend(GO, says(text(""), text("x")), user(text("")), says(text("")), GO) == [
        GO,
        says(text("x")),
        {"role": "user", "content": "(empty message)"},
        GO,
    ]
    assert mend({"role": "user", "content": ""}, {"role": "assistant", "content": ""}, GO) == [
        {"role": "user", "content": "(empty message)"},
        GO,
    ]


def test_a_delta_is_no_content() -> None:
    """ANT-RAW-DELTA: what it was a piece of was never completed."""
    delta = {"type": "input_json_delta", "partial_json": "{}"}
    assert mend(GO, says(text(), delta), user(result("a"))) == [GO, says(text())]


def test_the_servers_halves_are_set_aside() -> None:
    """C46, ANT-SERVER-UNPAIRED, ANT-SERVER-RESULT-ORPHAN: and nothing else of their answer."""
    assert mend(GO, says(SEARCH, text()), NEXT) == [GO, says(text()), NEXT]
    assert mend(GO, says(FOUND, text()), NEXT) == [GO, says(text()), NEXT]
    assert mend(GO, says(SEARCH), NEXT) == [GO, NEXT]
    assert mend(GO, says(SEARCH, use("a")), NEXT) == [GO, says(use("a")), user(lost("a")), NEXT]


def test_a_loop_without_thinking_goes_on_without_it() -> None:
    """ANT-THINKING-FIRST: the option is set aside, and reported."""
    enabled = {"type": "enabled", "budget_tokens": 1024}
    rows = [GO, says(use("a")), user(result("a"))]
    done = repair({"messages": rows, "thinking": enabled}, OURS)
    assert "thinking" not in done.value
    assert [change.set_aside for change in done.changes] == [enabled]


def test_a_history_that_ends_with_an_answer_is_continued() -> None:
    """ANT-PREFILL: where that is refused."""
    assert mend(GO, says(text()), dialect=EVERY) == [
        GO,
        says(text()),
        {"role": "user", "content": "Continue."},
    ]
    assert mend(GO, says(text())) == [GO, says(text())]


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ([GO, system(), NEXT], [GO, NEXT, system()]),
        ([GO, says(text()), system()], [GO, says(text()), {"role": "user", "content": "be brief"}]),
        ([system(), says(text()), GO, NEXT, says(text())], [says(text()), GO, NEXT, system(), says(text())]),
        ([GO, system("1"), system("2"), NEXT], [GO, NEXT, system("1"), system("2")]),
    ],
)
def test_a_system_message_is_put_where_it_may_stand(given: list[Any], mended: list[Any]) -> None:
    """ANT-SYSTEM-PLACEMENT: behind the next user turn, or the user says it."""
    assert mend(*given) == mended


def test_tools_are_defined_where_they_must_be() -> None:
    """ANT-TOOLS-DEFINED: where it is only a warning, nothing is changed."""
    rows = [GO, says(use("a")), user(result("a"))]
    done = repair({"messages": rows}, EVERY)
    assert (done.value["tools"], done.value["tool_choice"]) == (TOOLS, {"type": "none"})
    assert repair({"messages": rows}, OURS).changes == ()


def test_a_result_in_an_answer_becomes_the_users() -> None:
    """ANT-RESULT-ORPHAN: it says what the call did, and is not lost."""
    assert mend(GO, says(use("a"), result("a"), text()), GO) == [
        GO,
        says(use("a")),
        user(result("a")),
        says(text()),
        GO,
    ]


def test_minimax_gets_results_alone() -> None:
    """MINIMAX-FOLLOW: what stands behind the results has a message of its own."""
    body = {"messages": [GO, says(use("a")), user(result("a"), text(), text())]}

    def judge(value: Any) -> Any:
        return walk_all(AnthropicWalk(value, server=MINIMAX), value)

    done = repair_body(body, None, AnthropicRepairer(), judge)
    assert done.value["messages"] == [GO, says(use("a")), user(result("a")), user(text(), text())]
    assert done.left == ()


@pytest.mark.parametrize(
    "rows", [None, 7, [7, "x", {"content": 3}], [user()], [{"role": "assistant"}, says(7, {})]]
)
def test_what_cannot_be_read_is_left(rows: Any) -> None:
    """UNREADABLE: nothing is thrown away, and nothing fails."""
    done = repair({"messages": rows}, EVERY)
    assert done.changes == () or rows == [{"role": "assistant"}, says(7, {})]
