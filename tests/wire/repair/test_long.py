"""Repairs of long histories: nothing is left over, and the cost stays in proportion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import define, field

from turnlock.wire import repair
from turnlock.wire.gemini import GeminiRepairer
from turnlock.wire.openai_chat import ChatRepairer
from turnlock.wire.repair import pairing, repairer
from turnlock.wire.repair.pieces import Piece

MANY = repairer._ROUNDS + 200


def _mistral() -> dict[str, Any]:
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    step = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abcdefghi", "name": "f", "content": "ok"},
    ]
    return {"model": "m", "messages": step * MANY}


def _errors_without_text() -> dict[str, Any]:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "", "is_error": True}
    step = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return {"model": "m", "max_tokens": 9, "messages": step * MANY}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [("mistral", _mistral()), ("anthropic", _errors_without_text())],
    ids=["a user behind every result", "errors without a text"],
)
def test_all_of_many_violations_are_mended(dialect: str, body: dict[str, Any]) -> None:
    """MIS-ORDER, ANT-RESULT-ERROR-EMPTY: more of one rule than there are rounds of mends."""
    done = repair(body, dialect)
    assert done.ok
    rows = [int(change.at.split("/")[2]) for change in done.changes]
    assert len(rows) >= MANY - 1
    assert rows == sorted(rows)
    again = repair(done.body, dialect)
    assert (again.body, again.changes) == (done.body, ())


@define(eq=False)
class _Counting(ChatRepairer):
    """Counts what the pairing asks."""

    asked: int = field(default=0, init=False)

    def accepts(self, _call: Piece, _output: Piece) -> bool:
        self.asked += 1
        return True

    def new_label(self, label: str, number: int) -> str:
        self.asked += 1
        return super().new_label(label, number)


def _turns(label: str, count: int) -> Sequence[dict[str, Any]]:
    call = {"id": label, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    return [asked, {"role": "tool", "tool_call_id": label, "content": "ok"}] * count


def test_one_id_for_every_call_costs_no_more() -> None:
    """R2, C22: each pair asks about as much as the one before it, also where each needs an id of its own."""
    means = _Counting()
    mended = pairing.Pairing(means).mend(means.pieces(_turns("", 500)))
    assert len(mended) == 1500  # an answer is two pieces
    assert means.asked <= 1500


def test_a_gateway_that_takes_an_id_once_gets_it_once() -> None:
    """RESP-DUP-CALL-ID: in the profile, the pairs of one id are told apart; elsewhere they stay."""
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    pair = [call, {"type": "function_call_output", "call_id": "call_1", "output": "ok"}]
    body = {"model": "m", "input": [{"role": "user", "content": "go"}, *pair, *pair]}
    assert repair(body, "openai_responses").changes == ()
    done = repair(body, "openai_responses+unique_ids")
    assert done.ok
    assert len({row.get("call_id") for row in done.value["input"][1:]}) == 2
    assert repair(done.body, "openai_responses+unique_ids").changes == ()


def test_gemini_tells_calls_without_ids_apart_by_counting_on() -> None:
    """GEM-PARITY: labels of our own for calls of one name, each made once and not searched for."""
    calls = [{"functionCall": {"name": "f", "args": {}}}] * 300
    turns = [[{"role": "model", "parts": [call]}, {"role": "user", "parts": [_ANSWER]}] for call in calls]
    pieces = GeminiRepairer().pieces([row for turn in turns for row in turn])
    labels = [piece.label for piece in pieces]
    assert labels[::2] == labels[1::2]
    assert len(set(labels)) == 300


_ANSWER = {"functionResponse": {"name": "f", "response": {"output": "ok"}}}
