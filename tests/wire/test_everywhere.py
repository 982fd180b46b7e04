"""A session that has spoken to every provider: its history can be said to each of them.

Answers come from all dialects in turn, with what only their maker understands: signatures, encrypted
reasoning, calls of the provider's own, ids of every sort. Whatever the engine makes of them, every encoder
writes it so that no rule is broken in any profile, and neither the strict provider nor our own repair finds
anything to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from turnlock.engine import Call, Cause, Item, Message, Output, Role, Transcript
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import DIALECTS, Settings, check, decode, encoder, mend_transcript, read, repair

JUDGES: Mapping[str, Callable[[Any], object]]
try:
    from turnlock.strict import judge_anthropic, judge_chat, judge_responses
except ImportError:
    JUDGES = {}
else:
    JUDGES = {"openai_responses": judge_responses, "openai_chat": judge_chat, "anthropic": judge_anthropic}

PROFILES = {
    "openai_responses": ["+stored", "+unique_ids"],
    "anthropic": ["+4.6", "+tools_required"],
    "gemini": ["+3", "+vertex", "+3+vertex"],
    "bedrock_converse": ["+unmixed_user", "+unmixed_assistant", "+unmixed_user+unmixed_assistant"],
    "mistral": ["+hosted", "+common", "+v3", "+v13"],
    "deepseek_chat": ["+thinking"],
    "moonshot": ["+thinking"],
    "vllm_hf_templates": ["+alternate", "+gptoss", "+llamacpp"],
}
SERVERS = [name + profile for name in DIALECTS for profile in ["", *PROFILES.get(name, [])]]

IDS = st.sampled_from(
    ["", "a", "a", "call_1", "call_1_2", "terminal:0", "x" * 70, "toolu_1", "abcdefghi", "ü b"]
)
TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d"])
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}


def _chat(label: str, text: str) -> list[dict[str, Any]]:
    call = {"id": label, "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    return [{"role": "assistant", "content": text, "reasoning_content": "hm", "tool_calls": [call, call]}]


def _responses(label: str, text: str) -> list[dict[str, Any]]:
    return [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": text}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call", "id": "fc_1", "call_id": label, "name": "f", "arguments": "{"},
        {"type": "apply_patch_call", "call_id": label, "operation": {"type": "delete_file", "path": "a"}},
        {"type": "computer_call", "call_id": label, "action": {"type": "wait"}, "pending_safety_checks": []},
    ]


def _anthropic(label: str, text: str) -> list[dict[str, Any]]:
    server = {"type": "server_tool_use", "id": f"srv{label}", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": f"srv{label}", "content": []}
    return [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "EvA"},
        server,
        found,
        {"type": "text", "text": text},
        {"type": "tool_use", "id": label, "name": "f", "input": {"a": 1}},
        {"type": "text", "text": text},
    ]


def _gemini(label: str, text: str) -> list[dict[str, Any]]:
    return [
        {"text": "hm", "thought": True},
        {"text": text},
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": label}, "thoughtSignature": "sig"},
        {"functionCall": {"name": "g", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
    ]


def _bedrock(label: str, text: str) -> list[dict[str, Any]]:
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}
    call = {"toolUse": {"toolUseId": label, "name": "f", "input": {"a": 1}}}
    return [{"role": "assistant", "content": [thought, {"text": text}, call]}]


ANSWERS: Mapping[str, Callable[[str, str], list[dict[str, Any]]]] = {
    "openai_responses": _responses,
    "deepseek_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock_converse": _bedrock,
    "mistral": _chat,
    "openai_chat": _chat,
    "deepseek_chat": _chat,
    "minimax": _chat,
    "moonshot": _chat,
}
PARTS: list[Mapping[str, Any]] = [
    {"type": "text", "text": "part"},
    {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
    {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
    {"document": {"format": "pdf", "name": "d", "source": {"bytes": "QUJD"}}},
]


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    cause = draw(st.sampled_from(list(Cause)))
    return Outcome(ENDS[ENDINGS[cause].event], cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS))


@st.composite
def messages(draw: st.DrawFn, fresh: Iterator[int]) -> Message:
    content = draw(st.one_of(TEXTS, st.lists(st.sampled_from(PARTS), max_size=3).map(tuple)))
    return Message(f"m{next(fresh)}", content, draw(st.sampled_from(list(Role))))


@st.composite
def transcripts(draw: st.DrawFn) -> tuple[list[Item], list[int]]:
    """What the engine makes of such a session, and where its requests left."""
    fresh, ordinals, transcript, lengths = count(1), count(1), Transcript(), []
    transcript.add_message(Message("m0", draw(TEXTS)))
    for request in range(1, draw(st.integers(1, 4)) + 1):
        for _ in range(draw(st.integers(0, 2))):
            transcript.add_message(draw(messages(fresh)))
        lengths.append(transcript.mark_sent())
        dialect = draw(st.sampled_from(list(ANSWERS)))
        raws = ANSWERS[dialect](draw(IDS), draw(TEXTS))
        for raw in raws[: draw(st.integers(1, len(raws)))]:
            found = decode(
                dialect,
                raw,
                request=request,
                model=draw(st.sampled_from(["gemini-3-pro", "model-b"])),
                next_ordinal=lambda: next(ordinals),
            )
            transcript.response.extend(decoded.item for decoded in found)
        calls = [item for item in transcript.response if isinstance(item, Call)]
        transcript.commit(request, draw(st.sampled_from(["", "shown"])), broken=draw(st.booleans()))
        transcript.items.extend(Output(call.ordinal, draw(outcomes())) for call in calls)
        transcript.end_flight()  # the turn is over
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
    return transcript.items, [*lengths, len(transcript.items)]


@pytest.mark.parametrize("server", SERVERS)
@settings(max_examples=40)  # for each of many servers
@given(data=st.data(), model=st.sampled_from(["gemini-3-pro", "model-b"]))
def test_every_provider_can_be_told(server: str, data: st.DataObject, model: str) -> None:
    """R4, R10, R15, C20 to C22, C41, C42: nothing to find for the check, the strict provider or a repair."""
    items, lengths = data.draw(transcripts())
    write = encoder(server)
    for length in lengths:
        body = write.encode(items, length, Settings(model, "Be brief.")).body
        assert check(body, server) == ()
        if judge := JUDGES.get(server.partition("+")[0]):
            assert judge(json.loads(body)) is None
        assert repair(body, server).body is body


@pytest.mark.parametrize("server", SERVERS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_one_was_told_another_can_be(server: str, data: st.DataObject) -> None:
    """R16: a body is read back, mended and written for another provider: each call, with one output."""
    items, _ = data.draw(transcripts())
    other = data.draw(st.sampled_from(SERVERS))
    history = read(encoder(server).encode(items, len(items), Settings("model-b")).body, server)
    mended = mend_transcript(history.items).items
    body = encoder(other).encode(mended, len(mended), Settings("model-b")).body
    assert check(body, other) == ()
    made, given_calls = ([type(item) for item in each].count(Call) for each in (mended, items))
    assert made == given_calls
    assert [type(item) for item in mended].count(Output) == made


def test_every_profile_is_tried() -> None:
    """A profile that is added is added here."""
    for name in DIALECTS:
        for profile in PROFILES.get(name, []):
            check({}, name + profile)
        with pytest.raises(ValueError, match="has no profile") as refused:
            check({}, f"{name}+nobody")
        known = str(refused.value).partition("known: ")[2]
        assert set(known.split(", ")) - {"none"} <= {name + profile for profile in PROFILES.get(name, [])}
