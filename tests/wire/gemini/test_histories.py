"""Any history that the engine can produce is written so that Gemini cannot refuse it, in any profile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from turnlock.engine import Call, Cause, Item, Message, Output, Reasoning, Role, ServerCall, Transcript
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import Settings, Severity, check, decode, encoder, growing, read

PROFILES = ("gemini", "gemini+3", "gemini+vertex", "gemini+3+vertex")
MODELS = ("gemini-2.5-flash", "gemini-3-pro", "other")
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}
TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d", "ok 🙂", '{"stdout": "a"}'])
IDS = st.sampled_from(["", None, "a", "a", "a_1", "a_2", "call_3", "terminal:0", "x" * 70, "x" * 300])
NAMES = st.sampled_from(["f", "f", "g", "", None])
ARGUMENTS: st.SearchStrategy[Any] = st.sampled_from([{"a": 1}, {}, None, "{", [1], {"x": "\ud83d"}])
SEALS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"thoughtSignature": "s"}, {"thought_signature": "s"}]
)


@st.composite
def gemini_parts(draw: st.DrawFn) -> dict[str, Any]:
    """A part of an answer of Gemini's."""
    kind = draw(st.sampled_from(["text", "thought", "seal", "call", "call", "server"]))
    match kind:
        case "text":
            return {"text": draw(TEXTS)} | draw(SEALS)
        case "thought":
            return {"text": draw(TEXTS), "thought": True} | draw(SEALS)
        case "seal":
            return {"text": "", "thoughtSignature": "s"}
        case "server":
            name = draw(
                st.sampled_from(["toolCall", "toolResponse", "executableCode", "codeExecutionResult"])
            )
            return {name: {"id": draw(st.sampled_from(["s", "t"]))}} | draw(SEALS)
    call = {"name": draw(NAMES), "id": draw(IDS), "args": draw(ARGUMENTS)}
    spelling = draw(st.sampled_from(["functionCall", "function_call"]))
    return {spelling: {key: value for key, value in call.items() if value is not None}} | draw(SEALS)


@st.composite
def chat_messages(draw: st.DrawFn) -> dict[str, Any]:
    """An answer of another dialect's model."""
    calls = [
        {"id": draw(IDS), "type": "function", "function": {"name": draw(NAMES), "arguments": "{}"}}
        for _ in range(draw(st.integers(0, 2)))
    ]
    return {"role": "assistant", "content": draw(TEXTS), "tool_calls": calls}


@st.composite
def outputs(draw: st.DrawFn, ordinal: int) -> Output:
    cause = draw(st.sampled_from(list(Cause)))
    state = ENDS[ENDINGS[cause].event]
    outcome = Outcome(state, cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS))
    return Output(ordinal, outcome, draw(st.sampled_from([None, None, None, "too big"])))


@st.composite
def messages(draw: st.DrawFn, fresh: Iterator[int]) -> Message:
    parts: Any = st.sampled_from([(), ({"text": "part"},), ({"type": "input_text", "text": "part"},)])
    return Message(f"m{next(fresh)}", draw(TEXTS | parts), draw(st.sampled_from(list(Role))))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Item], list[int]]:
    """A transcript as the engine fills it, and the lengths at which requests left."""
    fresh, ordinals = count(1), count(1)
    transcript = Transcript()
    lengths: list[int] = []
    for request in range(1, draw(st.integers(1, 4)) + 1):
        for _ in range(draw(st.integers(1 if request == 1 else 0, 2))):
            transcript.add_message(draw(messages(fresh)))
        lengths.append(transcript.mark_sent())
        dialect = draw(st.sampled_from(["gemini", "gemini", "openai_chat"]))
        size = draw(st.integers(1, 4)) if dialect == "gemini" else 1
        raws = [draw(gemini_parts() if dialect == "gemini" else chat_messages()) for _ in range(size)]
        model = draw(st.sampled_from(MODELS))
        for raw in raws:
            cut = raw is raws[-1] and draw(st.booleans())
            for decoded in decode(
                dialect, raw, request=request, model=model, next_ordinal=lambda: next(ordinals), cut=cut
            ):
                transcript.response.append(decoded.item)
        calls = [item for item in transcript.response if isinstance(item, Call)]
        transcript.commit(request, draw(st.sampled_from(["", "", "shown so far"])))
        transcript.items.extend(draw(outputs(call.ordinal)) for call in calls)
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
    lengths.append(len(transcript.items))
    return transcript.items, lengths


@given(history=histories(), model=st.sampled_from(MODELS), dialect=st.sampled_from(PROFILES))
def test_no_body_of_the_engine_breaks_a_rule(
    history: tuple[list[Item], list[int]], model: str, dialect: str
) -> None:
    """R15, R4, C20-C22, C41: whatever ids, kinds, causes and models, there is nothing to find."""
    items, lengths = history
    known, checking = encoder(dialect), growing(dialect)
    for length in lengths:
        body = known.encode(items, length, Settings(model, "Be brief.")).body
        assert check(body, dialect) == checking.check(body) == ()
        if model == "gemini-3-pro":
            assert check(body, "gemini+3+vertex") == ()


@given(history=histories(), model=st.sampled_from(MODELS), dialect=st.sampled_from(PROFILES))
def test_the_bytes_depend_on_nothing_but_items_and_settings(
    history: tuple[list[Item], list[int]], model: str, dialect: str
) -> None:
    """R10, R19: an encoder that saw every request writes what a new one does."""
    items, lengths = history
    known = encoder(dialect)
    for length in lengths:
        encoded = known.encode(items, length, Settings(model))
        assert encoded == encoder(dialect).encode(items, length, Settings(model))


@given(history=histories(), model=st.sampled_from(MODELS), dialect=st.sampled_from(PROFILES))
def test_no_call_output_or_message_is_left_out(
    history: tuple[list[Item], list[int]], model: str, dialect: str
) -> None:
    """R16: only reasoning and calls that a provider executed are ever set aside; places are in order."""
    items, _ = history
    encoded = encoder(dialect).encode(items, len(items), Settings(model))
    for item, position in zip(items, encoded.positions, strict=True):
        assert position is not None or isinstance(item, Reasoning | ServerCall)
    standing = [position for position in encoded.positions if position is not None]
    assert standing == sorted(standing)


@given(history=histories(), model=st.sampled_from(MODELS))
def test_a_transcript_that_left_reads_back_the_same(
    history: tuple[list[Item], list[int]], model: str
) -> None:
    """Decoding an encoding gives the same calls, outputs and texts, up to what read.py's docstring lists."""
    items, _ = history
    body = encoder("gemini").encode(items, len(items), Settings(model)).body
    back = read(body, "gemini").items
    assert [story(item) for item in back if isinstance(item, Call)] == [
        story(item) for item in items if isinstance(item, Call)
    ]
    assert [story(item) for item in back if isinstance(item, Output)] == [
        story(item) for item in items if isinstance(item, Output)
    ]
    again = encoder("gemini").encode(back, len(back), Settings("")).body
    assert [story(item) for item in read(again, "gemini").items] == [story(item) for item in back]


def story(item: Item) -> Any:
    match item:
        case Call():
            return item.name or "unknown", json.loads(without_halves(item.arguments))
        case Output():
            return item.ordinal, without_halves(item.model_text)
        case Message():
            return "message", item.content
        case _:
            return type(item), getattr(item, "text", "")


def without_halves(text: str) -> str:
    return text.replace("\\ud83d", "�").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@pytest.mark.parametrize("damage", ["drop", "double", "move"])
@given(history=histories(), data=st.data())
def test_a_damaged_body_is_flagged(
    damage: str, history: tuple[list[Item], list[int]], data: st.DataObject
) -> None:
    """R15: a response that is dropped, doubled, or moved behind the next user content is an error."""
    items, _ = history
    body = json.loads(encoder("gemini").encode(items, len(items), Settings("gemini-3-pro")).body)
    contents = body["contents"]
    answered = [at for at, row in enumerate(contents) if "functionResponse" in row["parts"][0]]
    assume(answered)
    at = data.draw(st.sampled_from(answered))
    parts = contents[at]["parts"]
    part = data.draw(st.sampled_from(range(len(parts))))
    response = parts[part] if damage == "double" else parts.pop(part)
    if damage == "double":
        parts.insert(part, response)
    elif damage == "move":
        behind = {"role": "user", "parts": [response]}
        contents[at + 1 : at + 1] = [{"role": "user", "parts": [{"text": "next"}]}, behind]
    if not parts:
        contents.pop(at)
    for dialect in PROFILES:
        assert any(violation.severity is Severity.ERROR for violation in check(body, dialect))
