"""The verdicts against the table of rules, and against what a real provider answered."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from turnlock.strict import Refusal, judge_chat, judge_responses

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[3] / "shared" / "wire" / "recorded_requests.jsonl"
RULES: dict[str, dict[str, Any]] = {
    rule["id"]: rule for rule in json.loads((DATA / "rules_openai.json").read_text(encoding="utf-8"))["rules"]
}
#: Cannot be judged on a request. RESP-CALL-NEEDS-REASONING has counter-evidence, and its text names an item
#: that the request does not show.
NOT_JUDGED = {"RESP-CALL-NEEDS-REASONING", "RESP-ENCRYPTED-INVALID", "RESP-PREV-ZDR", "RESP-CONV-LOCK"}
#: What the provider holds in the examples that continue something.
HELD: dict[str, tuple[dict[str, Any], ...]] = {
    "RESP-PREV-PENDING": (
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
    ),
    "RESP-MCP-APPROVAL": ({"type": "mcp_approval_request", "id": "mcpr_1", "name": "f", "arguments": "{}"},),
}
HELD["RESP-DUP-ITEM-ID"] = HELD["RESP-PREV-PENDING"]
#: Texts that nobody has seen: ours, in the provider's manner.
OUR_TEXTS = {
    "RESP-CALL-NO-OUTPUT-OTHER": "No tool output found for apply patch call call_1.",
    "RESP-MCP-APPROVAL": "No approval request found for approval response with id mcpr_unknown.",
    "RESP-COMPACTION-LAST": "A compaction_trigger must be the final input item.",
    "CHAT-TOOL-CONTENT": "Invalid value: 'image_url'. Supported values are: 'text'.",
}
LIMIT = "{40|64}"  # CHAT-ID-LEN: the older limit and today's


def judge(
    provider: str, body: Mapping[str, Any], held: tuple[dict[str, Any], ...] | None = None
) -> Refusal | None:
    return judge_chat(body) if provider == "openai_chat" else judge_responses(body, held=held)


def as_pattern(template: str) -> str:
    """A text of the table, with its {names} standing for anything."""
    return re.sub(r"\\{[a-z_\\\-0-9]+\\}", ".+", re.escape(template.replace(LIMIT, "64")))


@pytest.mark.parametrize("rule_id", [rule_id for rule_id in RULES if RULES[rule_id]["valid_example"]])
def test_every_valid_example_is_accepted(rule_id: str) -> None:
    """What the table calls valid passes, the shapes of severity "accept" among them (every rule)."""
    rule = RULES[rule_id]
    held = HELD.get(rule_id) if "previous_response_id" in rule["valid_example"] else None
    assert judge(rule["provider"], rule["valid_example"], held) is None


@pytest.mark.parametrize("rule_id", [i for i in RULES if RULES[i]["invalid_example"] and i not in NOT_JUDGED])
def test_every_invalid_example_is_refused_with_the_literal_text(rule_id: str) -> None:
    """What the table calls invalid breaks that rule, with its status, code, param and text (every rule)."""
    rule = RULES[rule_id]
    held = HELD.get(rule_id) if "previous_response_id" in rule["invalid_example"] else None
    refusal = judge(rule["provider"], rule["invalid_example"], held)
    assert refusal is not None
    assert (refusal.rule, refusal.status) == (rule_id, rule["http_status"])
    assert refusal.type == "invalid_request_error"
    if rule_id in OUR_TEXTS:
        assert refusal.message == OUR_TEXTS[rule_id]
    else:
        assert re.fullmatch(as_pattern(rule["error_text"]), refusal.message)
        assert refusal.code == rule["error_code"]
    if rule["error_param"] is not None:
        assert refusal.param is not None
        assert re.fullmatch(as_pattern(rule["error_param"]), refusal.param)


@pytest.mark.parametrize("rule_id", sorted(NOT_JUDGED - {"RESP-CONV-LOCK"}))
def test_what_no_request_shows_is_not_refused(rule_id: str) -> None:
    """A rule that only the provider's own state can decide is not guessed at (the rules of NOT_JUDGED)."""
    rule = RULES[rule_id]
    assert judge(rule["provider"], rule["invalid_example"]) is None


def recorded(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row.get("dialect") in {"openai_responses", "openai_chat"}]


def disagreements(rows: list[dict[str, Any]]) -> list[str]:
    """The rows on which the real provider and the verdict differ."""
    found = []
    for row in rows:
        refusal = judge(row["dialect"], row["body"])
        literal = (row["error"] or {}).get("error", {}).get("message")
        if row["status"] == 200 and refusal is not None:
            found.append(f"{row['source']}: accepted, but {refusal.message}")
        if refusal is not None and row["status"] != 200 and refusal.message != literal:
            found.append(f"{row['source']}: {literal} != {refusal.message}")
    return found


def test_the_copied_recordings_are_judged_as_the_provider_did() -> None:
    """Real accepted bodies pass, and the real structural 400 gets the same text (RESP-REASONING-FOLLOW)."""
    rows = recorded(DATA / "recorded_openai.jsonl")
    assert len(rows) == 10
    assert disagreements(rows) == []
    refused = [judge(row["dialect"], row["body"]) for row in rows if row["status"] == 400]
    assert [refusal.rule for refusal in refused if refusal is not None] == ["RESP-REASONING-FOLLOW"]


@pytest.mark.skipif(
    not SHARED.exists(), reason="the whole collection of recordings is kept outside the repository"
)
def test_no_recorded_request_that_was_accepted_is_refused() -> None:
    """Over the whole collection the verdicts are never stricter than OpenAI was (every accept shape)."""
    rows = recorded(SHARED)
    assert len(rows) > 90
    assert disagreements(rows) == []


def test_the_room_imports_nothing_else_of_turnlock() -> None:
    """The oracle stands alone: stdlib, attrs, msgspec and trio; the doors alone know hypercorn and httpx2."""
    room = Path(__file__).parents[2] / "src" / "turnlock" / "strict"
    allowed = {"attr", "attrs", "msgspec", "trio"}
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top = name.split(".")[0]
                if top == "turnlock":
                    assert name.startswith("turnlock.strict"), f"{path.name}: {name}"
                    assert name != "turnlock.strict.server", f"{path.name} needs the extra"
                elif path.name == "server.py":
                    assert top in allowed | {"hypercorn", "httpx2"} | sys.stdlib_module_names, (
                        f"{path.name}: {name}"
                    )
                else:
                    assert top in allowed | sys.stdlib_module_names, f"{path.name}: {name}"
