"""Bodies of Gemini that somebody else has broken, mended: nothing is erased, and what is right stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turnlock.engine.outcome import UNRECORDED
from turnlock.wire import Severity, check, repair
from turnlock.wire.gemini.encode import STAND_IN

PROFILES = ("gemini", "gemini+3", "gemini+vertex", "gemini+3+vertex")
DATA = Path(__file__).parents[1] / "data"
RECORDED = [
    json.loads(line) for line in (DATA / "wire_recorded_gemini.jsonl").read_text("utf-8").split("\n") if line
]
RULES = json.loads((DATA / "wire_rules_gemini.json").read_text("utf-8"))["rules"]


def call(name: str, call_id: str = "", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}} | ({"id": call_id} if call_id else {}), **more}


def response(name: str, call_id: str = "") -> dict[str, Any]:
    found = {"name": name, "response": {"output": "ok"}}
    return {"functionResponse": found | ({"id": call_id} if call_id else {})}


def user(*parts: Any, **more: Any) -> dict[str, Any]:
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    return {"role": "user", "parts": said, **more}


def model(*parts: Any) -> dict[str, Any]:
    return user(*parts) | {"role": "model"}


def short(body: Any) -> str:
    """Contents as ``M[K(a)] U[O(a)*]``: the star is a response of ours."""
    return " ".join(
        f"{row.get('role', '?')[0].upper()}[{' '.join(map(_part, row['parts']))}]" for row in body["contents"]
    )


def _part(part: Any) -> str:
    found = part.get("functionCall") or part.get("function_call")
    if found:
        return f"K({found.get('id', found['name'])})" + (
            "!" if part.get("thoughtSignature") == STAND_IN else ""
        )
    found = part.get("functionResponse") or part.get("function_response")
    if found:
        star = "*" if found["response"] == {"error": UNRECORDED.model_text} else ""
        return f"O({found.get('id', found['name'])}){star}"
    return str(part.get("text"))


def mended(*contents: Any, dialect: str = "gemini", **envelope: Any) -> tuple[str, list[str]]:
    """The repaired contents in short, and what was done; they are clean, and stay as they are."""
    done = repair({**envelope, "contents": list(contents)}, dialect)
    assert done.left == ()
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)
    return short(done.value), [change.what for change in done.changes]


U = user("hi")


def test_a_call_without_a_response_gets_one() -> None:
    """C36, C38: directly behind the turn, among those that are there, before the user's text."""
    assert mended(U, model(call("f", "a")))[0] == "U[hi] M[K(a)] U[O(a)*]"
    assert mended(U, model(call("f", "a")), U)[0] == "U[hi] M[K(a)] U[O(a)*] U[hi]"
    assert mended(U, model(call("f", "a"), call("g", "b")), user(response("g", "b")))[0] == (
        "U[hi] M[K(a) K(b)] U[O(a)* O(b)]"
    )


def test_ids_are_not_invented() -> None:
    """GEM-PARITY: a call without an id gets a response without one; the spelling is the call's."""
    done = repair({"contents": [U, model({"function_call": {"name": "f", "args": {}}}), U]}, "gemini")
    said = {"name": "f", "response": {"error": UNRECORDED.model_text}}
    assert done.value["contents"][2] == {"role": "user", "parts": [{"function_response": said}]}
    assert (
        mended(U, model(call("f"), call("f")), user(response("f")))[0] == "U[hi] M[K(f) K(f)] U[O(f) O(f)*]"
    )


def test_a_response_behind_the_users_text_is_moved() -> None:
    """C39: directly behind its call; the text stays behind it."""
    assert mended(U, model(call("f", "a")), user("wait"), user(response("f", "a"), "x")) == (
        "U[hi] M[K(a)] U[O(a)] U[wait] U[x]",
        ["The output stands too late: it is moved directly behind its call."],
    )
    assert (
        mended(U, model(call("f")), user("wait"), user(response("f")))[0] == "U[hi] M[K(f)] U[O(f)] U[wait]"
    )


def test_second_and_orphan_responses_are_set_aside() -> None:
    """C37, C40, R16: reported with what they said."""
    done = repair(
        {"contents": [U, model(call("f", "a")), user(response("f", "a"), response("f", "a"))]}, "gemini"
    )
    assert short(done.value) == "U[hi] M[K(a)] U[O(a)]"
    assert [change.set_aside for change in done.changes] == [response("f", "a")]
    assert [(change.at, change.call_ids) for change in done.changes] == [("/contents/2/parts/1", ("a",))]
    assert mended(user(response("f", "a")), U)[0] == "U[hi]"
    assert mended(user(response("f", "a")), cachedContent="c")[1] == []


def test_a_response_before_its_call_is_moved() -> None:
    """C40: behind it, and in one content with the others."""
    assert mended(
        U, user(response("g", "b")), model(call("f", "a"), call("g", "b")), user(response("f", "a"))
    )[0] == ("U[hi] M[K(a) K(b)] U[O(a) O(b)]")


def test_repeated_ids_are_left_alone() -> None:
    """C20: ids are labels here; two calls of one id with two responses are right."""
    contents = [U, model(call("f", "a"), call("f", "a")), user(response("f", "a"), response("f", "a"))]
    assert mended(*contents)[1] == []
    assert mended(*contents[:2], user(response("f", "a")))[0] == "U[hi] M[K(a) K(a)] U[O(a) O(a)*]"


def test_first_and_last_roles() -> None:
    """C43, GEM-FC-AFTER, GEM-TRAILING-MODEL: a short word of the user's before and behind."""
    assert mended(model(call("f", "a")), user(response("f", "a")), model("x"))[0] == (
        "U[Continue.] M[K(a)] U[O(a)] M[x] U[Continue.]"
    )


def test_what_only_vertex_refuses() -> None:
    """GEM-FR-ONE-CONTENT, GEM-MIXED-TURN: mended there, left alone elsewhere."""
    apart = U, model(call("f", "a"), call("g", "b")), user(response("f", "a")), user(response("g", "b"))
    assert mended(*apart)[1] == []
    assert mended(*apart, dialect="gemini+vertex")[0] == "U[hi] M[K(a) K(b)] U[O(a) O(b)]"
    mixed = U, model(call("f", "a")), user("first", response("f", "a"), "x")
    assert mended(*mixed)[1] == []
    assert mended(*mixed, dialect="gemini+vertex")[0] == "U[hi] M[K(a)] U[O(a)] U[first x]"


def test_missing_signatures() -> None:
    """GEM-SIG-MISSING: the documented stand-in, on the first call of each step of the current turn."""
    contents = U, model(call("f", "a"), call("g", "b")), user(response("f", "a"), response("g", "b"))
    assert mended(*contents)[1] == []
    assert mended(*contents, dialect="gemini+3")[0] == "U[hi] M[K(a)! K(b)] U[O(a) O(b)]"


def test_roles_names_and_objects() -> None:
    """GEM-FR-ROLE, GEM-FR-NAME: from the call, by its id or its place; what was said stays."""
    wrong = user(response("f", "a")) | {"role": "model"}
    assert mended(U, model(call("f", "a")), wrong)[0] == "U[hi] M[K(a)] U[O(a)]"
    broken: list[dict[str, Any]] = [{"id": "b", "response": "said"}, {"response": None}]
    parts = [{"functionResponse": each} for each in broken]
    done = repair({"contents": [U, model(call("f"), call("g", "b")), user(*parts)]}, "gemini")
    assert [part["functionResponse"] for part in done.value["contents"][2]["parts"]] == [
        {"id": "b", "name": "g", "response": {"output": "said"}},
        {"name": "f", "response": {}},
    ]
    assert done.ok


def test_fields_that_nobody_here_knows_stay() -> None:
    """R16: contents and parts keep what they have beside what is mended."""
    content = user(response("f", "a"), "x", labels={"a": 1})
    part = call("f", "a", partMetadata={"b": 2})
    done = repair({"contents": [U, model(part, call("g")), content], "safetySettings": []}, "gemini")
    assert done.value == {
        "contents": [
            U,
            model(part, call("g")),
            {
                "role": "user",
                "labels": {"a": 1},
                "parts": [
                    response("f", "a"),
                    {"functionResponse": {"name": "g", "response": {"error": UNRECORDED.model_text}}},
                ],
            },
            {"role": "user", "parts": [{"text": "x"}], "labels": {"a": 1}},
        ],
        "safetySettings": [],
    }


@pytest.mark.parametrize("dialect", PROFILES)
@pytest.mark.parametrize(
    "entry", [entry for entry in RULES if entry["invalid_example"]], ids=lambda e: e["id"]
)
def test_every_broken_example_is_mended(entry: dict[str, Any], dialect: str) -> None:
    """Each rule's invalid example passes when it is repaired, in every profile."""
    mended(*entry["invalid_example"]["contents"], dialect=dialect)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["source"][-60:])
def test_a_recorded_body_is_given_back_byte_for_byte(recorded: dict[str, Any]) -> None:
    """What is right is not touched."""
    written = json.dumps(recorded["body"]).encode()
    assert repair(written, "gemini+vertex").body == written


LABELS = st.sampled_from(["", "", "a", "b", "c"])
NAMES = st.sampled_from(["f", "f", "g"])
PARTS = st.one_of(
    st.builds(call, NAMES, LABELS),
    st.builds(response, NAMES, LABELS),
    st.sampled_from([{"text": "x"}, {"text": "t", "thought": True}, {"toolCall": {"id": "s"}}]),
)
CONTENTS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "model"]), "parts": st.lists(PARTS, max_size=3)}),
    max_size=6,
)


def outlines(contents: list[Any]) -> list[str]:
    """Everything but responses and signatures, sorted: what may not disappear."""
    parts = [part for row in contents for part in row["parts"]]
    return sorted(
        json.dumps({**part, "thoughtSignature": ""}) for part in parts if "functionResponse" not in part
    )


@given(contents=CONTENTS, dialect=st.sampled_from(PROFILES))
def test_any_damage_is_mended(contents: list[Any], dialect: str) -> None:
    """R16: clean afterwards, and stays so; no call or text is gone, and no response but reported orphans."""
    done = repair({"contents": contents}, dialect)
    assert [each for each in check(done.value, dialect) if each.severity is Severity.ERROR] == []
    again = repair(done.body, dialect)
    assert (again.changes, again.body) == ((), done.body)
    before, after = outlines(contents), outlines(list(done.value["contents"]))
    assert [part for part in after if "Continue." not in part] == before
    count = json.dumps(contents).count("functionResponse")
    ours = json.dumps(done.value).count(json.dumps(UNRECORDED.model_text))
    aside = sum(change.set_aside is not None for change in done.changes)
    assert json.dumps(done.value).count("functionResponse") == count - aside + ours
