"""Histories as the engine can produce them, with answers of every sort that a provider may send.

Hypothesis strategies; which dialects there are to choose from is said by whoever draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from hypothesis import strategies as st

from turnlock.engine import Call, CallKind, Cause, Item, Message, Output, Role, Transcript
from turnlock.engine.outcome import ENDINGS, Outcome
from turnlock.machines import InvocationEvent, InvocationState
from turnlock.wire import decode
from turnlock.wire.openai_chat import COMPATIBLE, OPENAI

RESPONSES = ("openai_responses", "deepseek_responses")
CHATS = (OPENAI.name, *COMPATIBLE)
DIALECTS = (*RESPONSES, *CHATS)
PROFILES = (
    "openai_responses+stored",
    "openai_responses+stored+unique_ids",
    "deepseek_chat+thinking",
    "moonshot+thinking",
    "vllm_hf_templates+alternate",
    "vllm_hf_templates+alternate+gptoss+llamacpp",
)
SERVERS = DIALECTS + PROFILES
MODELS = ("model-a", "model-b")
ENDS = {
    InvocationEvent.COMPLETE: InvocationState.COMPLETED,
    InvocationEvent.CANCEL: InvocationState.CANCELLED,
    InvocationEvent.EXPIRE: InvocationState.TIMED_OUT,
}
STORES: tuple[Mapping[str, Any], ...] = ({}, {"store": True}, {"store": False})

TEXTS = st.sampled_from(["", " ", "hello", "zwei\nZeilen", "cut emoji \ud83d", "ok 🙂", '{"stdout": "a"}'])
CALL_IDS = st.sampled_from(["", "a", "a", "a_1", "a_2", "call_1", "call_3", "terminal:0", "x" * 70, "x" * 71])
ITEM_IDS = st.sampled_from(["_1", "_1", "_2", "_3", "_4", "_5", "_6", "", None, "x" * 80])
ARGUMENTS = st.sampled_from(['{"a": 1}', "{}", "", "{", "[1]", "null", '{"x": "\\ud83d"}', '{"q": NaN}'])
NAMES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([{"name": "f"}, {"name": "f"}, {"name": ""}, {}])
CALLERS = st.sampled_from([None, {"type": "program", "caller_id": "p1"}])
ANY_OBJECT = st.dictionaries(st.sampled_from(["command", "commands", "path", "q"]), TEXTS, max_size=2)
NATIVES = st.sampled_from(
    [
        None,
        object(),
        "data:image/png;base64,AAAA",
        {"image_url": "https://x.test/1.png"},
        {"file_id": 7},
        [],
        [{"type": "input_text", "text": "part"}],
        [{"type": "input_text", "text": object()}],
        [{"type": "function", "name": "f", "parameters": {}}],
        [{"stdout": "o", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        [{"stdout": "o", "stderr": "", "outcome": "bad"}],
    ]
)


@st.composite
def item_ids(draw: st.DrawFn, prefix: str) -> dict[str, Any]:
    tail = draw(ITEM_IDS)
    right = draw(st.sampled_from([prefix, prefix, prefix, "f00"]))
    return {} if tail is None else {"id": right + tail}


@st.composite
def client_calls(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(CallKind)))
    base: dict[str, Any] = {"call_id": draw(CALL_IDS)}
    status = {"status": draw(st.sampled_from(["completed", "completed", "incomplete"]))}
    match kind:
        case CallKind.FUNCTION:
            base |= {
                "type": "function_call",
                **draw(NAMES),
                "arguments": draw(ARGUMENTS),
                "caller": draw(CALLERS),
            }
            base |= draw(item_ids("fc")) | status
        case CallKind.CUSTOM:
            base |= {"type": "custom_tool_call", **draw(NAMES), "input": draw(TEXTS), "caller": draw(CALLERS)}
            base |= draw(item_ids("ctc"))
        case CallKind.LOCAL_SHELL:
            base |= {"type": "local_shell_call", "action": draw(ANY_OBJECT)} | draw(item_ids("lsh")) | status
        case CallKind.SHELL:
            where = draw(st.sampled_from([None, {"type": "local"}]))
            action = draw(ANY_OBJECT) | draw(st.sampled_from([{}, {"max_output_length": 5}]))
            base |= {"type": "shell_call", "action": action, "environment": where, "created_by": "x"}
            base |= draw(item_ids("sh")) | status
        case CallKind.APPLY_PATCH:
            base |= {"type": "apply_patch_call", "operation": draw(ANY_OBJECT), "status": "completed"}
            base |= draw(item_ids("apc"))
        case CallKind.COMPUTER:
            base |= draw(st.sampled_from([{"action": {"type": "wait"}}, {"actions": []}, {}]))
            checks = draw(st.sampled_from([[], [{"id": "safe_1"}]]))
            base |= {"type": "computer_call", "pending_safety_checks": checks} | draw(item_ids("cu")) | status
        case CallKind.TOOL_SEARCH:
            base |= {"type": "tool_search_call", "execution": "client", "arguments": draw(ANY_OBJECT)}
            base |= draw(item_ids("tsc")) | status
        case CallKind.MCP_APPROVAL:
            base = {"type": "mcp_approval_request", "id": draw(CALL_IDS), "server_label": "s"} | draw(NAMES)
            base["arguments"] = draw(ARGUMENTS)
    return base


PARTS: tuple[tuple[dict[str, Any], ...], ...] = (
    ({"type": "text", "text": "part"},),
    ({"type": "input_text", "text": "part"}, {"type": "input_image", "image_url": "https://x.test/1.png"}),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},),
    ({"text": "part"}, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
)
"""Contents in the formats of several dialects: a session may be continued in another one."""


@st.composite
def server_items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What the provider executed."""
    item_id = draw(item_ids(draw(st.sampled_from(["ws", "ci", "mcp"]))))
    call_id = {"call_id": draw(CALL_IDS)}
    search = {"type": "tool_search_call", "execution": "server", "arguments": {}, "status": "completed"}
    shell = {
        "type": "shell_call",
        "action": {"commands": ["ls"]},
        "environment": {"type": "container_reference"},
    }
    found: list[list[dict[str, Any]]] = [
        [{"type": "web_search_call", "status": "completed", **item_id}],
        [{"type": "mcp_call", "name": "n", "arguments": "{}", "server_label": "s", **item_id}],
        [{"type": "compaction", "encrypted_content": "gAAA", "created_by": "x", **item_id}],
        [{"type": "program", "code": "1", "fingerprint": "fp", **call_id, **item_id}],
        [search | call_id, {"type": "tool_search_output", "execution": "server", "tools": []} | call_id],
        [search | {"call_id": None}, {"type": "tool_search_output", "tools": [], "call_id": None}],
        [shell | call_id | item_id, {"type": "shell_call_output", "output": []} | call_id],
    ]
    return draw(st.sampled_from(found))


@st.composite
def responses_items(draw: st.DrawFn, *, hosted: bool = True) -> list[dict[str, Any]]:
    """The output items of one answer, of a server that executes calls itself or only searches."""
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["reasoning", "message", "call", "call", "server"]))
        match kind:
            case "reasoning":
                said: dict[str, Any] = {
                    "content": [{"type": "reasoning_text", "text": "Hm."}],
                    "encrypted_content": None,
                }
                sealed = draw(st.sampled_from([{}, {"encrypted_content": "gAAA"}, said]))
                found.append({"type": "reasoning", "summary": [], **sealed, **draw(item_ids("rs"))})
            case "message":
                content = [{"type": "output_text", "text": draw(TEXTS), "annotations": []}]
                phase = draw(st.sampled_from([{}, {"phase": "commentary"}]))
                message = {"type": "message", "role": "assistant", "content": content, **phase}
                found.append(message | draw(item_ids("msg")))
            case "call":
                found.append(draw(client_calls()))
            case _:
                found += draw(server_items()) if hosted else [{"type": "web_search_call", "id": "ws"}]
    return found


@st.composite
def chat_messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The assistant message of one answer."""
    calls: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        call: dict[str, Any] = {"id": draw(CALL_IDS), "type": "function"}
        if draw(st.booleans()):
            call |= {"function": draw(NAMES) | {"arguments": draw(ARGUMENTS)}}
        else:
            call |= {"type": "custom", "custom": draw(NAMES) | {"input": draw(TEXTS)}}
        calls.append(call)
    thought = draw(st.sampled_from(THOUGHTS))
    return [
        {"role": "assistant", "content": draw(TEXTS), **thought, **({"tool_calls": calls} if calls else {})}
    ]


THOUGHTS: list[dict[str, Any]] = [
    {},
    {"reasoning_content": "Hm."},
    {"reasoning_content": ""},
    {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
]


@st.composite
def outputs(draw: st.DrawFn, ordinal: int) -> Output:
    cause = draw(st.sampled_from(list(Cause)))
    native = draw(NATIVES) if cause is Cause.RETURNED else None
    state = ENDS[ENDINGS[cause].event]
    outcome = Outcome(state, cause, draw(TEXTS), draw(TEXTS), 1.5, draw(TEXTS), native)
    return Output(ordinal, outcome, draw(st.sampled_from([None, None, None, "too big"])))


@st.composite
def messages(draw: st.DrawFn, fresh: Iterator[int]) -> Message:
    content: Any = draw(st.one_of(TEXTS, st.sampled_from([(), *PARTS])))
    return Message(f"m{next(fresh)}", content, draw(st.sampled_from(list(Role))))


@st.composite
def histories(draw: st.DrawFn, speaks: str) -> tuple[list[Item], list[int]]:
    """A transcript as the engine fills it, and the lengths at which requests left.

    The session speaks one dialect, but has answers from sessions in others.
    """
    sources = ["openai_responses", "openai_chat", speaks.partition("+")[0]]
    fresh, ordinals = count(1), count(1)
    transcript = Transcript()
    lengths: list[int] = []
    for request in range(1, draw(st.integers(1, 5)) + 1):
        for _ in range(draw(st.integers(1 if request == 1 else 0, 2))):
            transcript.add_message(draw(messages(fresh)))
        lengths.append(transcript.mark_sent())
        dialect = draw(st.sampled_from(sources))
        model = draw(st.sampled_from(MODELS))
        hosted = dialect == "openai_responses"
        items = draw(responses_items(hosted=hosted) if dialect in RESPONSES else chat_messages())
        for raw in items:
            cut = raw is items[-1] and draw(st.booleans())
            for decoded in decode(
                dialect,
                raw,
                request=request,
                model=model,
                next_ordinal=lambda: next(ordinals),
                cut=cut,
            ):
                transcript.response.append(decoded.item)
        calls = [item for item in transcript.response if isinstance(item, Call)]
        transcript.commit(request, draw(st.sampled_from(["", "", "shown so far"])))
        transcript.items.extend(draw(outputs(call.ordinal)) for call in calls)
        if draw(st.booleans()):
            transcript.add_note("The user interrupted this turn.")
    lengths.append(len(transcript.items))
    return transcript.items, lengths
