"""Encoding that grows with a transcript, whatever the dialect."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from turnlock.engine import (
    Call,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Outcome,
    Output,
    Reasoning,
    Text,
    Transcript,
)
from turnlock.machines import InvocationState
from turnlock.wire import Settings, encoder, openai_chat, openai_responses
from turnlock.wire.common.encoding import Encoder
from turnlock.wire.common.jsontext import dumps

DIALECTS = pytest.mark.parametrize("dialect", ["openai_responses", "openai_chat"])
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
PLAIN = Settings("m", "Be brief.")


def history() -> Transcript:
    """Two answers with repeated ids, their outputs, and a message; what stands last was never answered."""
    transcript = Transcript()
    transcript.add_message(Message("1", "go"))
    transcript.mark_sent()
    transcript.response += [Reasoning("hm", 1), Call(1, "a", "f", "{}", 1), Call(2, "a", "f", "{}", 1)]
    transcript.commit(1)
    transcript.items += [Output(1, DONE), Output(2, DONE)]
    transcript.mark_sent()
    transcript.response += [Text("and", 2), Call(3, "a", "f", "{}", 2)]
    transcript.commit(2)
    transcript.items += [Output(3, DONE), Message("2", "more")]
    transcript.mark_sent()
    return transcript


def fresh(dialect: str, items: list[Item], settings: Settings = PLAIN) -> tuple[bytes, list[int | None]]:
    encoded = encoder(dialect).encode(items, len(items), settings)
    return encoded.body, list(encoded.positions)


def again(known: Encoder, items: list[Item], settings: Settings = PLAIN) -> tuple[bytes, list[int | None]]:
    encoded = known.encode(items, len(items), settings)
    return encoded.body, list(encoded.positions)


@DIALECTS
def test_a_growing_history_keeps_its_prefix(dialect: str) -> None:
    """R10: what was sent once is sent again byte for byte, so that prompt caches survive."""
    items = history().items
    known = encoder(dialect)
    before = known.encode(items, 1, PLAIN).body
    for length in (6, 8, 9, 10):
        body = known.encode(items, length, PLAIN).body
        assert body.startswith(before.removesuffix(b"]}") + b",")
        assert body == encoder(dialect).encode(items, length, PLAIN).body
        before = body


@DIALECTS
def test_what_was_encoded_is_not_encoded_again(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Performance 6: only what is new is written; the rest is copied."""
    items = history().items
    known = encoder(dialect)
    first = again(known, items)
    written: list[Any] = []

    def count(value: object) -> bytes:
        written.append(value)
        return dumps(value)

    monkeypatch.setattr("turnlock.wire.common.encoding.dumps", count)
    assert again(known, items) == first
    items.append(Note("new"))
    again(known, items)
    assert [each for each in written if "model" not in each] == [{"role": "user", "content": "new"}]


@DIALECTS
def test_a_refused_tail_is_written_anew(dialect: str) -> None:
    """R20: message gone, output replaced; the bytes are those of an encoder that never saw them."""
    transcript = history()
    known = encoder(dialect)
    again(known, transcript.items)
    transcript.give_back("too big")
    assert isinstance(transcript.items[-1], Output)
    assert again(known, transcript.items) == fresh(dialect, transcript.items)
    assert b"too big" in again(known, transcript.items)[0]
    transcript.add_message(Message("3", "smaller"))
    assert again(known, transcript.items) == fresh(dialect, transcript.items)


@DIALECTS
def test_any_other_history_is_written_anew(dialect: str) -> None:
    """R19: shorter, cut within an answer, of other items: what was encoded before does not matter."""
    items = history().items
    known = encoder(dialect)
    others: list[list[Item]] = [
        items,
        items[:3],
        items[:4],
        items[:3],
        items,
        items[:1],
        [],
        [Text("x", 1), *items[1:]],
        [*items[:6], *items[7:]],
        items[5:],
        [*items[:-1], Message("2", "more")],
        items,
    ]
    for other in others:
        assert again(known, other) == fresh(dialect, other)


@DIALECTS
def test_an_answer_that_grows_is_written_as_one(dialect: str) -> None:
    """An item that joins the last answer may change how all of it is written."""
    origin = Origin("openai_responses", "m", {"type": "reasoning", "id": "rs_1", "summary": []})
    said = {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"text": "x"}]}
    items: list[Item] = [Text("w", 1), Reasoning("", 1, origin)]
    known = encoder(dialect)
    again(known, items)
    items.append(Text("x", 1, Origin("openai_responses", "m", said)))
    assert again(known, items) == fresh(dialect, items)


@DIALECTS
def test_content_that_cannot_be_written_leaves_no_trace(dialect: str) -> None:
    """R20: the message goes back to its sender, and the next body is as if it had never been there."""
    items = history().items
    known = encoder(dialect)
    again(known, items)
    with pytest.raises(TypeError):
        again(known, [*items, Message("3", ({"x": object()},))])
    assert again(known, items) == fresh(dialect, items)


@DIALECTS
@pytest.mark.parametrize(
    "settings",
    [
        Settings("other", "Be brief."),
        Settings("m", "Be long."),
        Settings("m", "Be brief.", options={"store": False}),
        Settings("m", "Be brief.", options={"temperature": 1}, stream=False),
        Settings("m"),
    ],
    ids=["model", "instructions", "store", "options", "nothing"],
)
def test_other_settings_give_their_own_bytes(dialect: str, settings: Settings) -> None:
    """R19: whatever was asked before."""
    items = history().items
    known = encoder(dialect)
    again(known, items)
    assert again(known, items, settings) == fresh(dialect, items, settings)
    assert again(known, items) == fresh(dialect, items)


@DIALECTS
def test_positions_say_where_each_item_stands(dialect: str) -> None:
    """C28: a message that was delivered can be found in the body."""
    items = history().items
    body, positions = fresh(dialect, items)
    rows = json.loads(body)["input" if dialect == "openai_responses" else "messages"]
    assert len(positions) == len(items)
    for item, position in zip(items, positions, strict=True):
        if isinstance(item, Message):
            assert position is not None
            assert rows[position]["content"] == item.content
        if isinstance(item, Reasoning):
            assert position is None


@DIALECTS
def test_text_that_json_cannot_carry_is_mended(dialect: str) -> None:
    """A cut emoji leaves half a character, which would make the whole body unreadable."""
    body, _ = fresh(dialect, [Message("1", "a\ud83d"), Message("2", ({"\udc00": ["\ud83d\ude42"], "n": 1},))])
    assert "a\ufffd" in body.decode()
    assert '{"\ufffd":["🙂"],"n":1}' in body.decode()


@DIALECTS
def test_any_mapping_may_stand_in_content_and_options(dialect: str) -> None:
    """Frozen mappings are written like plain ones; what is no JSON value is the caller's mistake."""
    part = MappingProxyType({"type": "input_text"})
    settings = Settings("m", options=MappingProxyType({"metadata": MappingProxyType({"a": 1})}))
    assert b'{"a":1}' in fresh(dialect, [Message("1", (part,))], settings)[0]
    with pytest.raises(TypeError, match="object is not a JSON value"):
        fresh(dialect, [Message("1", ({"x": object()},))])


def test_there_is_an_encoder_per_dialect() -> None:
    """One per session; an unknown name is refused with the known ones."""
    assert isinstance(encoder("openai_responses"), openai_responses.ResponsesEncoder)
    assert isinstance(encoder("openai_chat"), openai_chat.ChatEncoder)
    with pytest.raises(ValueError, match="known: openai_responses, openai_chat"):
        encoder("nobody")
