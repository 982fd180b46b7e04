"""What leaves for DeepSeek's servers of OpenAI's Responses."""

from __future__ import annotations

import json
from typing import Any

from turnlock.engine import Call, CallKind, Cause, Item, Message, Origin, Outcome, Output, Reasoning, Text
from turnlock.engine.items import Known
from turnlock.machines import InvocationState
from turnlock.wire import Settings, check, decode, encoder

OURS = "deepseek_responses"
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
THOUGHT: dict[str, Any] = {
    "type": "reasoning",
    "id": "fa6f3a83",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "encrypted_content": None,
}


def sent(*items: Item, model: str = "m") -> list[dict[str, Any]]:
    body = encoder(OURS).encode(items, len(items), Settings(model)).body
    assert check(body, OURS) == ()
    found: list[dict[str, Any]] = json.loads(body)["input"]
    return found


def thought(dialect: str = OURS) -> Item:
    (found,) = decode(dialect, THOUGHT, request=1, model="m", next_ordinal=lambda: 1)
    assert isinstance(found.item, Reasoning)
    assert found.item.text == "Hm."
    return found.item


def test_reasoning_goes_back_in_full_to_the_model_that_made_it() -> None:
    """C41: its text is what it is known by (recorded); another model, or another server, gets none."""
    items = [Message("1", "go"), thought(), Call(1, "a", "f", "{}", 1), Output(1, DONE)]
    assert sent(*items)[1] == {key: value for key, value in THOUGHT.items() if value is not None}
    assert [row.get("type") for row in sent(*items, model="other")] == [
        None,
        "function_call",
        "function_call_output",
    ]
    foreign = [Message("1", "go"), thought("openai_responses"), Text("x", 1)]
    assert len(sent(*foreign)) == 2


def test_calls_stand_last_in_their_answer() -> None:
    """DS-RESP-ADJACENT, C42: nothing stands between calls, nor between them and their outputs."""
    items: list[Item] = [Call(1, "a", "f", "{}", 1), Text("so", 1), thought(), Call(2, "b", "f", "{}", 1)]
    rows = sent(*items, Output(1, DONE), Output(2, DONE), Message("1", "go on"))
    kinds = ["", "reasoning", "function_call", "function_call"]
    assert [row.get("type", "") for row in rows] == [
        *kinds,
        "function_call_output",
        "function_call_output",
        "",
    ]
    assert [row.get("call_id") for row in rows[2:6]] == ["a", "b", "a", "b"]


def test_words_for_a_screen_stand_behind_all_outputs() -> None:
    """DS-RESP-ADJACENT: what a computer's output cannot say may not part the outputs."""
    calls = [Call(1, "a", "computer", "{}", 1, CallKind.COMPUTER), Call(2, "b", "f", "{}", 1)]
    rows = sent(*calls, Output(1, DONE), Output(2, DONE), Message("1", "go on"))
    assert [row.get("role") or row["type"] for row in rows[2:]] == [
        "computer_call_output",
        "function_call_output",
        "developer",
        "user",
    ]


def test_outputs_stand_before_messages() -> None:
    """C39: also in a transcript from elsewhere."""
    rows = sent(Call(1, "a", "f", "{}", 1), Message("1", "wait"), Output(1, DONE))
    assert [row.get("call_id") for row in rows] == ["a", "a", None]


def test_nothing_is_held_there() -> None:
    """R22: the whole history leaves every time, whatever is asked."""
    items: list[Item] = [Message("1", "go"), Text("x", 1, Origin(OURS, "m", {})), Message("2", "on")]
    settings = Settings("m", continues=True)
    encoded = encoder(OURS).encode(items, 3, settings, Known("resp_1", 2))
    assert len(json.loads(encoded.body)["input"]) == 3
    assert b"previous_response_id" not in encoded.body
