"""What the check of Gemini's rules sees in a body: turns, responses, signatures, and broken JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.wire import Severity, check, walk

PROFILES = ("gemini", "gemini+3", "gemini+vertex", "gemini+3+vertex")


def call(name: str, call_id: str = "", signature: str = "sig") -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"name": name, "args": {}}}
    if call_id:
        part["functionCall"]["id"] = call_id
    return part | ({"thoughtSignature": signature} if signature else {})


def response(name: str, call_id: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "response": {"output": "ok"}}
    return {"functionResponse": found | ({"id": call_id} if call_id else {})}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def model(*parts: Any) -> dict[str, Any]:
    return user(*parts) | {"role": "model"}


def found(*contents: Any, dialect: str = "gemini", **body: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    violations = check({"contents": list(contents), **body}, dialect)
    return [(violation.rule, violation.at, violation.call_ids) for violation in violations]


def test_a_lost_response_is_told_at_its_call() -> None:
    """GEM-PARITY: the violation points at the call without a response, and names it."""
    contents = user("go"), model("I look", call("f", "a"), call("g", "b")), user(response("f", "a"))
    assert found(*contents) == [("GEM-PARITY", "/contents/1/parts/2", ("b",))]


def test_calls_that_nothing_follows_are_pending() -> None:
    """GEM-PARITY, GEM-TRAILING-MODEL: a request that ends with calls breaks both rules."""
    assert found(user("go"), model(call("f", "a"))) == [
        ("GEM-PARITY", "/contents/1/parts/0", ("a",)),
        ("GEM-TRAILING-MODEL", "/contents/1", ()),
    ]


def test_a_second_response_is_one_too_many() -> None:
    """GEM-PARITY: in the same content or in one of its own, a late result may not follow."""
    history = user("go"), model(call("f", "a"))
    assert found(*history, user(response("f", "a"), response("f", "a"))) == [
        ("GEM-PARITY", "/contents/2/parts/1", ("a",))
    ]
    assert found(*history, user(response("f", "a")), user(response("f", "a"))) == [
        ("GEM-PARITY", "/contents/3/parts/0", ("a",))
    ]


def test_each_response_too_many_is_told() -> None:
    """GEM-PARITY: whatever they are called, as many as there are too many."""
    parts = response("x"), response("f", "a"), response("f", "a"), response("y")
    told = found(user("go"), model(call("f", "a")), user(*parts))
    assert [(rule, at) for rule, at, _ in told] == [
        ("GEM-FR-NAME", "/contents/2/parts/0"),
        ("GEM-PARITY", "/contents/2/parts/1"),
        ("GEM-PARITY", "/contents/2/parts/2"),
        ("GEM-PARITY", "/contents/2/parts/3"),
    ]


def test_a_response_behind_the_users_text_is_out_of_place() -> None:
    """C39, GEM-FR-AFTER-FC: its call counts as unanswered where the text stands."""
    assert found(user("go"), model(call("f", "a")), user("wait"), user(response("f", "a"))) == [
        ("GEM-PARITY", "/contents/1/parts/0", ("a",)),
        ("GEM-FR-AFTER-FC", "/contents/3", ("a",)),
    ]


def test_a_response_without_any_call_is_out_of_place() -> None:
    """C37, GEM-FR-AFTER-FC: at the start, and behind a model turn that called nothing."""
    assert found(user(response("f", "a"))) == [("GEM-FR-AFTER-FC", "/contents/0", ("a",))]
    assert found(user("go"), model("hi"), user(response("f"))) == [("GEM-FR-AFTER-FC", "/contents/2", ())]


def test_what_is_counted_is_no_ids() -> None:
    """GEM-PARITY: calls without ids are answered by responses without ids, in any order of names."""
    contents = user("go"), model(call("f"), call("g"), call("f"))
    assert found(*contents, user(response("g"), response("f"), response("f"))) == []
    assert found(*contents, user(response("f"), response("f"))) == [("GEM-PARITY", "/contents/1/parts/1", ())]


def test_model_contents_in_a_row_are_one_turn() -> None:
    """GEM-MODEL-MERGE: their calls count together, and only the first must be signed."""
    contents = user("go"), model(call("f", "a")), model(call("g", "b", signature=""))
    assert found(*contents, user(response("f", "a"), response("g", "b")), dialect="gemini+3+vertex") == []
    assert found(*contents, user(response("f", "a"))) == [("GEM-PARITY", "/contents/2/parts/0", ("b",))]


def test_responses_apart_are_refused_on_vertex_only() -> None:
    """GEM-FR-ONE-CONTENT: each content is judged for itself there; how many there are is right."""
    contents = (
        user("go"),
        model(call("f", "a"), call("g", "b")),
        user(response("f", "a")),
        user(response("g", "b")),
    )
    assert found(*contents) == []
    assert found(*contents, dialect="gemini+vertex") == [("GEM-FR-ONE-CONTENT", "/contents/3", ("b",))]


def test_text_beside_responses_ends_them() -> None:
    """GEM-MIXED-TURN: it warns, and what was not answered up to here is not answered."""
    contents = user("go"), model(call("f", "a"), call("g", "b")), user(response("f", "a"), "and now?")
    assert found(*contents) == [
        ("GEM-PARITY", "/contents/1/parts/1", ("b",)),
        ("GEM-MIXED-TURN", "/contents/2", ("a",)),
    ]


def test_a_history_may_not_begin_with_calls() -> None:
    """C43, GEM-FC-AFTER: a cut history begins with the user."""
    assert found(model("x"), model(call("f", "a")), user(response("f", "a"))) == [
        ("GEM-FC-AFTER", "/contents/1/parts/0", ("a",))
    ]
    assert found(model("x"), user("go")) == []


@pytest.mark.parametrize("role", ["model", "tool", None])
def test_responses_are_the_users(role: str | None) -> None:
    """GEM-FR-ROLE: the model's role, another dialect's, and none are refused; the call is answered."""
    content = user(response("f", "a")) | {"role": role}
    if role is None:
        del content["role"]
    where = "/contents/2/role" if role else "/contents/2"
    assert found(user("go"), model(call("f", "a")), content) == [("GEM-FR-ROLE", where, ("a",))]


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "a", "response": {}},
        {"id": "a", "name": "f"},
        {"id": "a", "name": "f", "response": "ok"},
        {"id": "a", "name": "other", "response": {}},
        {"id": "a", "name": 7, "response": {}},
    ],
)
def test_a_response_names_its_call_and_holds_an_object(broken: dict[str, Any]) -> None:
    """GEM-FR-NAME: told at the response; the count is right all the same."""
    contents = user("go"), model(call("f", "a")), user({"functionResponse": broken})
    assert found(*contents) == [("GEM-FR-NAME", "/contents/2/parts/0", ("a",))]


def test_another_id_beside_the_right_name_warns() -> None:
    """GEM-FR-NAME: nobody saw it refused; an id on one side alone is recorded as accepted."""
    (warning,) = check(
        {"contents": [user("go"), model(call("f", "a")), user(response("f", "b"))]}, "gemini+3"
    )
    assert (warning.rule, warning.severity) == ("GEM-FR-NAME", Severity.WARNING)
    assert found(user("go"), model(call("f")), user(response("f", "b"))) == []
    assert found(user("go"), model(call("f", "a")), user(response("f"))) == []


def test_signatures_are_asked_for_in_the_current_turn() -> None:
    """GEM-SIG-MISSING: text of the user begins a turn; responses do not."""
    step = (
        model(call("f", "a", signature=""), call("g", "b", signature="")),
        user(response("f", "a"), response("g", "b")),
    )
    assert found(user("go"), *step, dialect="gemini+3") == [
        ("GEM-SIG-MISSING", "/contents/1/parts/0", ("a",))
    ]
    assert found(user("go"), *step, user("thanks"), dialect="gemini+3") == []
    later = found(user("go"), *step, user("thanks"), *step, *step, dialect="gemini+3")
    assert [at for _, at, _ in later] == ["/contents/4/parts/0", "/contents/6/parts/0"]
    assert found(user("go"), *step) == found(user("go"), *step, dialect="gemini+vertex") == []


def test_the_missing_signature_is_told_in_googles_words() -> None:
    """GEM-SIG-MISSING: with the function's name and the content's place, counted from one."""
    (violation,) = check(
        {"contents": [user("go"), model(call("list_files", signature="")), user(response("list_files"))]},
        "gemini+3",
    )
    assert "function call `default_api:list_files` , position 2." in violation.message


def test_both_spellings_are_the_same() -> None:
    """Vertex traffic is recorded in snake_case: it is judged as the other is."""
    contents: list[Any] = [
        user("go"),
        model(call("f", "a"), call("g", "b")),
        user(response("f", "a")),
        user("x"),
    ]
    body: dict[str, Any] = {"contents": contents}
    snake = (
        json.dumps(body)
        .replace("functionCall", "function_call")
        .replace("functionResponse", "function_response")
        .replace("thoughtSignature", "thought_signature")
    )
    for dialect in PROFILES:
        assert check(snake, dialect) == check(body, dialect) != ()


def test_a_cached_history_may_hold_the_calls() -> None:
    """R22: nobody here knows how cached contents end, unless the open calls are named."""
    answer = user(response("f", "a"))
    assert found(answer, cachedContent="cachedContents/1") == []
    assert found(model(call("g", "b")), user(response("g", "b")), cached_content="cachedContents/1") == []
    body = {"contents": [answer], "cachedContent": "cachedContents/1"}
    assert check(body, "gemini", ["a"]) == ()
    (violation,) = check(body, "gemini", ["a", "b"])
    assert (violation.rule, violation.at, violation.call_ids) == ("GEM-PARITY", "/contents", ("b",))


def test_what_the_provider_executes_wants_no_response() -> None:
    """R21: server calls and code stand in the model's content with what came of them."""
    parts = (
        {"toolCall": {"id": "s", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}},
        {"toolResponse": {"id": "s", "toolType": "GOOGLE_SEARCH_WEB", "response": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    )
    contents = user("go"), model(call("f", "a"), *parts), user(response("f", "a"))
    assert found(*contents, dialect="gemini+3+vertex") == []


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["f", "g", "", 7, None])
PARTS = st.one_of(
    JSON,
    st.builds(lambda name, key: {"functionCall": {"name": name, "id": key}}, NAMES, NAMES),
    st.builds(
        lambda name, key: {"function_response": {"name": name, "id": key, "response": {}}}, NAMES, NAMES
    ),
    st.builds(lambda key, value: {key: value}, st.sampled_from(["functionCall", "functionResponse"]), JSON),
)
CONTENTS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {}, optional={"role": st.sampled_from(["user", "model", "x", None, []]), "parts": st.lists(PARTS)}
    ),
    st.fixed_dictionaries({"role": JSON, "parts": JSON}),
)


@given(contents=st.lists(CONTENTS, max_size=6) | JSON, more=JSON, dialect=st.sampled_from(PROFILES))
def test_no_json_makes_the_check_fail(contents: Any, more: Any, dialect: str) -> None:
    """A linter meets everything: it answers with violations, and the same for text and value."""
    body = {"contents": contents, "cachedContent": more}
    assert check(body, dialect) == check(json.dumps(body), dialect)


@given(contents=st.lists(CONTENTS, max_size=6), dialect=st.sampled_from(PROFILES))
def test_a_walk_that_goes_on_says_what_a_new_check_says(contents: list[Any], dialect: str) -> None:
    """Asked behind every content, the growing check gives the verdict of each prefix."""
    growing = walk(dialect, {}, ())
    for length, content in enumerate(contents, 1):
        growing.feed([content])
        assert growing.verdict() == check({"contents": contents[:length]}, dialect)


def test_ten_thousand_calls_answered_backwards_are_paired_at_once() -> None:
    """The pairing is linear: nothing is looked through for each response."""
    many = range(10_000)
    contents = (
        user("go"),
        model(*(call("f", str(each)) for each in many)),
        user(*(response("f", str(each)) for each in reversed(many))),
    )
    assert found(*contents) == []
