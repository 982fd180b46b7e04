"""What leaves for OpenAI Responses."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Item,
    Message,
    Note,
    Origin,
    Outcome,
    Output,
    Reasoning,
    Role,
    ServerCall,
    Text,
)
from turnlock.machines import InvocationState
from turnlock.wire import Encoded, Settings, ToolSpec, check, decode, encoder

OURS = "openai_responses"
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "fine")
LATE = Outcome(InvocationState.TIMED_OUT, Cause.DEADLINE, partial="half", seconds=2)
KILLED = Outcome(InvocationState.CANCELLED, Cause.INTERRUPTED, seconds=2)
LATE_TEXT = "Tool timed out after 2 s: it may have had effects.\nOutput so far (incomplete):\nhalf"
KILLED_TEXT = "Tool cancelled while it was running, after 2 s: it may have had effects."


def encode(*items: Item, model: str = "m", **options: Any) -> Encoded:
    return encoder(OURS).encode(items, len(items), Settings(model, options=options))


def sent(*items: Item, model: str = "m", **options: Any) -> list[dict[str, Any]]:
    body = encode(*items, model=model, **options).body
    assert check(body, OURS) == ()
    found: list[dict[str, Any]] = json.loads(body)["input"]
    return found


def made(raw: dict[str, Any], model: str = "m") -> Origin:
    return Origin(OURS, model, raw)


def call(
    kind: CallKind = CallKind.FUNCTION, arguments: str = "{}", raw: dict[str, Any] | None = None
) -> Call:
    origin = None if raw is None else made(raw)
    return Call(1, "c", "f" if kind in ("function", "custom") else kind, arguments, 1, kind, origin)


def answer(
    kind: CallKind, outcome: Outcome, /, refused: str | None = None, **more: Any
) -> list[dict[str, Any]]:
    """What answers a call of a kind, without its type and id."""
    row = {"type": f"{kind}_call", **more}
    items = sent(call(kind, raw=row), Output(1, outcome, refused))
    assert items[1].pop("call_id") == "c"
    return items[1:]


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_and_notes_stand_as_they_were_said() -> None:
    """R26: a note has the role user; parts are the session's own."""
    parts = ({"type": "input_text", "text": "x"},)
    assert sent(Message("1", "hi"), Message("2", parts, Role.DEVELOPER), Message("3", ()), Note("stop")) == [
        {"role": "user", "content": "hi"},
        {"role": "developer", "content": [{"type": "input_text", "text": "x"}]},
        {"role": "user", "content": ""},
        {"role": "user", "content": "stop"},
    ]


SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "hm", "annotations": []}],
    "phase": "commentary",
}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "status": "completed"}
SEALED = THOUGHT | {"encrypted_content": "gAAA"}
PLAIN = {"role": "assistant", "content": "hm", "phase": "commentary"}


def test_the_models_own_text_goes_back_as_it_came() -> None:
    """C41: with its id, status and phase; what an interrupted answer had shown has none of them (R7)."""
    assert sent(Text("hm", 1, made(SAID))) == [SAID]
    assert sent(Text("hm", 1)) == [{"role": "assistant", "content": "hm"}]
    assert sent(Text("hm", 1, made({**SAID, "status": None}))) == [SAID]


@pytest.mark.parametrize(
    "given",
    [{"model": "other"}, {"store": False}],
    ids=["another model", "nothing stored"],
)
def test_provider_ids_stay_with_the_model_that_stored_them(given: dict[str, Any]) -> None:
    """C41, RESP-STORE-FALSE-REF: another model, or no storage, and no id leaves; the phase does."""
    assert sent(Text("hm", 1, made(SAID)), **given) == [PLAIN]
    row = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c",
        "name": "f",
        "arguments": "{}",
        "namespace": "n",
    }
    first, _ = sent(call(raw=row), Output(1, DONE), **given)
    assert first == {key: value for key, value in row.items() if key != "id"}


def test_items_of_a_response_that_broke_off_are_sent_without_their_ids() -> None:
    """R22: the provider may never have stored them; sealed reasoning still goes with its call."""
    row = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    cut = Origin(OURS, "m", row, known=False)
    rows = sent(
        Reasoning("", 1, Origin(OURS, "m", SEALED, known=False)),
        Call(1, "c", "f", "{}", 1, origin=cut),
        Output(1, DONE),
    )
    assert [sent_row.get("id") for sent_row in rows] == [None, None, None]
    assert rows[0]["encrypted_content"] == SEALED["encrypted_content"]
    assert rows[1] == {key: value for key, value in row.items() if key != "id"}


def test_a_text_that_was_changed_is_sent_as_it_is_now() -> None:
    """The neutral text is the truth; ids of the old one do not go with it."""
    assert sent(Text("now", 1, made(SAID))) == [PLAIN | {"content": "now"}]
    assert sent(Text("now", 1, Origin("openai_chat", "m", {"role": "assistant"}))) == [
        {"role": "assistant", "content": "now"}
    ]


# ── reasoning ───────────────────────────────────────────────────────────────────────────────────────────


def test_reasoning_goes_back_with_the_item_it_belongs_to() -> None:
    """C41, RESP-REASONING-FOLLOW: both with their ids, without a status."""
    items = sent(Reasoning("", 1, made(SEALED)), Text("hm", 1, made(SAID)))
    assert items == [{key: value for key, value in SEALED.items() if key != "status"}, SAID]


def test_without_storage_reasoning_travels_sealed() -> None:
    """RESP-STORE-FALSE-REF: its encrypted content and no id; without that it is set aside."""
    first, second = sent(Reasoning("", 1, made(SEALED)), Text("hm", 1, made(SAID)), store=False)
    assert first == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    assert second == PLAIN
    encoded = encode(Reasoning("", 1, made(THOUGHT)), Text("hm", 1, made(SAID)), store=False)
    assert list(encoded.positions) == [None, 0]


@pytest.mark.parametrize(
    "items",
    [
        [Reasoning("", 1, made(SEALED, "other")), Text("hm", 1, made(SAID, "other"))],
        [Reasoning("", 1, Origin("openai_chat", "m", {})), Text("hm", 1, made(SAID, "other"))],
        [Reasoning("", 1), Text("hm", 1)],
    ],
    ids=["another model", "another dialect", "no origin"],
)
def test_reasoning_of_others_is_set_aside(items: list[Item]) -> None:
    """R16, C41: opaque reasoning goes only to the model that made it."""
    assert list(encode(*items).positions) == [None, 0]
    assert all(row.get("type") != "reasoning" for row in sent(*items))


@pytest.mark.parametrize(
    "after",
    [[], [Message("1", "hi")], [Text("shown", 1)], [Text("hm", 2, made(SAID))]],
    ids=["end", "message", "text without origin", "another answer"],
)
def test_reasoning_without_its_item_is_set_aside(after: list[Item]) -> None:
    """R16, C41: its partner is not sent."""
    encoded = encode(Reasoning("", 1, made(SEALED)), *after)
    assert encoded.positions[0] is None
    assert check(encoded.body, OURS) == ()


def test_an_answer_keeps_its_ids_wholly_or_not_at_all() -> None:
    """RESP-DUP-ITEM-ID, RESP-ITEMID-PREFIX: ids of one answer refer to each other."""
    first: list[Item] = [Reasoning("", 1, made(SEALED)), Text("hm", 1, made(SAID))]
    again: list[Item] = [Reasoning("", 2, made(SEALED | {"id": "rs_2"})), Text("hm", 2, made(SAID))]
    rows = sent(*first, Message("1", "and?"), *again)
    assert [row.get("id") for row in rows] == ["rs_1", "msg_1", None, None, None]
    for wrong in ("uuid", "", "rs_" + "x" * 70, None):
        rows = sent(Reasoning("", 1, made(SEALED | {"id": wrong})), Text("hm", 1, made(SAID)))
        assert [row.get("id") for row in rows] == [None, None]
        assert rows[0]["encrypted_content"] == "gAAA"


# ── calls ───────────────────────────────────────────────────────────────────────────────────────────────

NEUTRAL: list[tuple[CallKind, str, dict[str, Any]]] = [
    (CallKind.FUNCTION, '{"a": 1}', {"type": "function_call", "name": "f", "arguments": '{"a": 1}'}),
    (CallKind.CUSTOM, '{"input": "x"}', {"type": "custom_tool_call", "name": "f", "input": "x"}),
    (CallKind.CUSTOM, '{"input": 7}', {"type": "custom_tool_call", "name": "f", "input": "7"}),
    (CallKind.CUSTOM, "{}", {"type": "custom_tool_call", "name": "f", "input": ""}),
    (
        CallKind.LOCAL_SHELL,
        '{"command": ["ls"]}',
        {"type": "local_shell_call", "action": {"command": ["ls"]}, "status": "completed"},
    ),
    (
        CallKind.LOCAL_SHELL,
        "{}",
        {
            "type": "local_shell_call",
            "action": {"type": "exec", "command": [], "env": {}},
            "status": "completed",
        },
    ),
    (CallKind.SHELL, "{}", {"type": "shell_call", "action": {"commands": []}, "status": "completed"}),
    (
        CallKind.APPLY_PATCH,
        '{"type": "delete_file", "path": "a"}',
        {
            "type": "apply_patch_call",
            "operation": {"type": "delete_file", "path": "a"},
            "status": "completed",
        },
    ),
    (
        CallKind.APPLY_PATCH,
        "{}",
        {
            "type": "apply_patch_call",
            "operation": {"type": "update_file", "path": "", "diff": ""},
            "status": "completed",
        },
    ),
    (
        CallKind.COMPUTER,
        '{"actions": []}',
        {"type": "computer_call", "actions": [], "status": "completed", "pending_safety_checks": []},
    ),
    (
        CallKind.COMPUTER,
        "not json",
        {
            "type": "computer_call",
            "action": {"type": "wait"},
            "status": "completed",
            "pending_safety_checks": [],
        },
    ),
    (
        CallKind.TOOL_SEARCH,
        '{"q": "x"}',
        {"type": "tool_search_call", "arguments": {"q": "x"}, "status": "completed", "execution": "client"},
    ),
]


@pytest.mark.parametrize(("kind", "arguments", "row"), NEUTRAL, ids=lambda value: str(value)[:30])
def test_a_call_without_origin_is_written_from_its_neutral_fields(
    kind: CallKind, arguments: str, row: dict[str, Any]
) -> None:
    """C36, R12: every kind has its item; arguments that were cut off become valid ones that say nothing."""
    first, second, *_ = sent(call(kind, arguments), Output(1, DONE))
    assert first == row | {"call_id": "c"}
    assert second["call_id"] == "c"
    if arguments not in ("{}", "not json", '{"input": 7}'):
        (back,) = decode(OURS, first, request=1, model="m", next_ordinal=lambda: 1)
        assert isinstance(back.item, Call)
        assert (back.item.kind, json.loads(back.item.arguments)) == (kind, json.loads(arguments))


def test_a_call_goes_back_as_it_came_but_for_what_the_provider_does_not_take() -> None:
    """Fields that only this provider knows survive; its own additions, nulls and statuses do not."""
    row = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
    extra = {"namespace": "n", "new_field": 1, "caller": {"type": "direct"}}
    noise: dict[str, Any] = {"status": "completed", "created_by": "x", "parsed_arguments": {}, "other": None}
    first, second = sent(call(arguments='{"a":1}', raw=row | extra | noise), Output(1, DONE))
    assert first == row | extra
    assert second == {
        "type": "function_call_output",
        "call_id": "c",
        "output": "fine",
        "caller": {"type": "direct"},
    }


def test_arguments_that_are_stored_otherwise_replace_the_providers() -> None:
    """C19: the broken arguments of the origin never leave again."""
    row = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{oops"}
    assert sent(call(raw=row), Output(1, KILLED))[0]["arguments"] == "{}"
    screen = {
        "type": "computer_call",
        "call_id": "c",
        "actions": [{"type": "cut"}],
        "pending_safety_checks": [],
    }
    first = sent(call(CallKind.COMPUTER, raw=screen), Output(1, KILLED))[0]
    assert (first["action"], "actions" in first) == ({"type": "wait"}, False)


def test_a_call_of_another_dialect_is_written_from_its_neutral_fields() -> None:
    """A history moves between providers; an origin of another form is not ours to send."""
    origin = Origin("openai_chat", "m", {"id": "c", "function": {}})
    assert sent(Call(1, "c", "", "{}", 1, CallKind.FUNCTION, origin), Output(1, DONE))[0] == {
        "type": "function_call",
        "call_id": "c",
        "name": "unknown",
        "arguments": "{}",
    }
    wrong = call(CallKind.CUSTOM, raw={"type": "function_call", "id": "fc_1"})
    assert sent(wrong, Output(1, DONE))[0] == {
        "type": "custom_tool_call",
        "call_id": "c",
        "name": "f",
        "input": "",
    }


def test_repeated_ids_are_told_apart_on_both_sides() -> None:
    """C20, C21, R2: outputs find their call by ordinal, never by its label."""
    calls = [Call(n, "c", "f", "{}", 1) for n in (1, 2)]
    rows = sent(*calls, Output(1, DONE), Output(2, KILLED), Call(3, "c", "f", "{}", 2), Output(3, DONE))
    assert [row["call_id"] for row in rows] == ["c", "c_2", "c", "c_2", "c_3", "c_3"]
    assert rows[3]["output"] == KILLED_TEXT


def test_an_output_without_its_call_is_set_aside() -> None:
    """R16, C37: the encoder deletes nothing silently: the position says None."""
    assert list(encode(Message("1", "hi"), Output(9, DONE)).positions) == [0, None]


# ── outputs ─────────────────────────────────────────────────────────────────────────────────────────────


def native(value: Any, text: str = "text") -> Outcome:
    return Outcome(InvocationState.COMPLETED, Cause.RETURNED, text, native=value)


@pytest.mark.parametrize("kind", [CallKind.FUNCTION, CallKind.CUSTOM])
def test_a_plain_output_is_text_or_parts(kind: CallKind) -> None:
    """WIRE 3.1: a native list of input parts goes as it is; anything else is what the model reads."""
    base = call(kind)

    def output(outcome: Outcome, refused: str | None = None) -> Any:
        return sent(base, Output(1, outcome, refused))[1]["output"]

    parts = [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "u"}]
    assert output(native(parts)) == parts
    assert output(native(tuple(parts))) == parts
    assert output(native([{"type": "other"}])) == output(native([])) == output(native({"a": 1})) == "text"
    assert output(native([{"type": "input_text", "text": object()}])) == "text"
    assert (
        output(native(parts), "too big")
        == "The output was refused by the provider (too big) and is left out."
    )
    assert output(Outcome(InvocationState.COMPLETED, Cause.RETURNED)) == "(no output)"
    assert output(LATE) == LATE_TEXT


def test_a_local_shell_output_is_the_text_of_a_json_object() -> None:
    """RESP-CALL-NO-OUTPUT-LOCALSHELL: labelled call_id, and always JSON."""
    own = Outcome(InvocationState.COMPLETED, Cause.RETURNED, '{"stdout": "a"}')
    action: dict[str, Any] = {"action": {}}
    assert answer(CallKind.LOCAL_SHELL, own, **action)[0]["output"] == '{"stdout": "a"}'
    assert json.loads(answer(CallKind.LOCAL_SHELL, DONE, **action)[0]["output"]) == {"output": "fine"}
    assert json.loads(answer(CallKind.LOCAL_SHELL, KILLED, **action)[0]["output"]) == {"output": KILLED_TEXT}


def test_a_shell_output_has_an_outcome() -> None:
    """WIRE 3.1, 5: success, failure and timeout with the kind's own means; the limit goes back."""

    def chunk(outcome: Outcome, refused: str | None = None) -> Any:
        (found,) = answer(CallKind.SHELL, outcome, refused)
        (piece,) = found["output"]
        return piece["stdout"], piece["stderr"], piece["outcome"]

    ended = {"type": "exit", "exit_code": 0}
    assert chunk(DONE) == ("fine", "", ended)
    assert chunk(KILLED) == ("", KILLED_TEXT, {"type": "exit", "exit_code": 1})
    assert chunk(LATE) == ("", LATE_TEXT, {"type": "timeout"})
    own = [{"stdout": "o", "stderr": "e", "outcome": {"type": "timeout"}}]
    assert answer(CallKind.SHELL, native(own))[0]["output"] == own
    assert chunk(native(own), "no")[0].startswith("The output was refused")
    for wrong in ([{"stdout": "o"}], [{"stdout": "o", "stderr": "", "outcome": {}}], "text"):
        assert chunk(native(wrong)) == ("text", "", ended)
    limited = call(CallKind.SHELL, '{"commands": [], "max_output_length": 5}')
    assert sent(limited, Output(1, DONE))[1]["max_output_length"] == 5


@pytest.mark.parametrize("cause", [Cause.DEADLINE, Cause.IDLE, Cause.NO_ANSWER])
def test_every_cause_that_times_a_call_out_is_a_shell_timeout(cause: Cause) -> None:
    """WIRE 5: the three causes whose state is timed_out."""
    (found,) = answer(CallKind.SHELL, Outcome(InvocationState.TIMED_OUT, cause))
    assert found["output"][0]["outcome"] == {"type": "timeout"}


def test_a_patch_has_failed_unless_it_was_done() -> None:
    """WIRE 3.1: the kind has a failure of its own."""
    assert answer(CallKind.APPLY_PATCH, DONE)[0] == {
        "type": "apply_patch_call_output",
        "status": "completed",
        "output": "fine",
    }
    assert answer(CallKind.APPLY_PATCH, KILLED)[0]["status"] == "failed"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("data:image/png;base64,AA", {"image_url": "data:image/png;base64,AA"}),
        ("https://x.test/a.png", {"image_url": "https://x.test/a.png"}),
        ({"image_url": "u", "detail": 1}, {"image_url": "u"}),
        ({"type": "computer_screenshot", "file_id": "file-1"}, {"file_id": "file-1"}),
    ],
)
def test_a_computer_output_is_the_tools_picture(value: Any, shown: dict[str, str]) -> None:
    """WIRE 3.1: a screenshot, and no words beside it."""
    (found,) = answer(CallKind.COMPUTER, native(value))
    assert found["output"] == {"type": "computer_screenshot", **shown}


@pytest.mark.parametrize("outcome", [KILLED, native("words"), native({"file_id": 7}), native(None)])
def test_a_computer_call_without_a_picture_is_answered_in_words_too(outcome: Outcome) -> None:
    """R6: a picture is mandatory, so one pixel stands for it, and a developer message tells the truth."""
    screen, words = answer(CallKind.COMPUTER, outcome)
    assert b64decode(screen["output"]["image_url"].partition(",")[2]).startswith(b"\x89PNG")
    assert words == {"role": "developer", "content": outcome.model_text}
    positions = encode(call(CallKind.COMPUTER), Output(1, outcome), Note("x")).positions
    assert list(positions) == [0, 1, 3]


def test_pending_safety_checks_are_acknowledged() -> None:
    """A check that stayed open would keep the history from ever being sent again."""
    checks = [{"id": "safe_1"}]
    found = answer(CallKind.COMPUTER, KILLED, pending_safety_checks=checks)
    assert found[0]["acknowledged_safety_checks"] == checks


def test_a_tool_search_is_answered_with_tools_or_text() -> None:
    """RESP-TOOLSEARCH-SERVER: both are accepted; a native list is the tools that were found."""
    client: dict[str, Any] = {"execution": "client", "arguments": {}}
    tools = [{"type": "function", "name": "f"}]
    assert answer(CallKind.TOOL_SEARCH, native(tools), **client)[0] == {
        "type": "tool_search_output",
        "execution": "client",
        "status": "completed",
        "tools": tools,
    }
    assert answer(CallKind.TOOL_SEARCH, KILLED, **client)[0] == {
        "type": "function_call_output",
        "output": KILLED_TEXT,
    }
    assert answer(CallKind.TOOL_SEARCH, native([object()]), **client)[0]["output"] == "text"


def approval(ordinal: int = 1, request_id: str = "mcpr_1") -> Call:
    raw = {
        "type": "mcp_approval_request",
        "id": request_id,
        "server_label": "s",
        "name": "n",
        "arguments": "{}",
    }
    said = '{"server_label":"s","name":"n","arguments":"{}"}'
    return Call(ordinal, request_id, "mcp_approval", said, ordinal, CallKind.MCP_APPROVAL, made(raw))


def test_only_an_allowed_approval_approves() -> None:
    """R21: every outcome but allow answers approve:false with the reason."""
    request, response = sent(approval(), Output(1, DONE))
    assert request == {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "server_label": "s",
        "name": "n",
        "arguments": "{}",
    }
    assert response == {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    for outcome, refused in [(KILLED, None), (LATE, None), (DONE, "no")]:
        response = sent(approval(), Output(1, outcome, refused))[1]
        assert response["approve"] is False
        assert response["reason"] == Output(1, outcome, refused).model_text


def test_an_approval_request_keeps_its_id_without_storage_and_never_twice() -> None:
    """RESP-MCP-APPROVAL, RESP-DUP-ITEM-ID: the id is its label; both sides change together."""
    said = {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"text": "x"}]}
    rows = sent(
        Text("x", 9, made(said)),
        approval(1, "msg_1"),
        Output(1, DONE),
        approval(2, "msg_1"),
        Output(2, DONE),
    )
    assert [row.get("id") or row.get("approval_request_id") for row in rows] == [
        "msg_1",
        "msg_1_1",
        "msg_1_1",
        "msg_1_2",
        "msg_1_2",
    ]
    assert sent(approval(), Output(1, DONE), store=False)[0]["id"] == "mcpr_1"


# ── what the provider executed ──────────────────────────────────────────────────────────────────────────


def test_a_server_call_is_replayed_as_it_came() -> None:
    """R21: with its id for the model that made it; another dialect's is set aside."""
    raw = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": None, "created_by": "x"}
    row = {key: value for key, value in raw.items() if key != "created_by"}
    found = ServerCall("web_search_call", 1, made(raw))
    assert sent(found) == [row]
    assert sent(found, store=False) == [{key: value for key, value in row.items() if key != "id"}]
    foreign = ServerCall("server_tool_use", 1, Origin("anthropic", "m", {"type": "server_tool_use"}))
    assert list(encode(foreign, Note("x")).positions) == [None, 0]


def test_the_label_of_a_server_call_is_kept_from_client_calls() -> None:
    """R4: unique within the request, whoever executed the call."""
    raw = {"type": "tool_search_call", "execution": "server", "call_id": "c", "arguments": {}}
    rows = sent(ServerCall("tool_search_call", 1, made(raw)), call(), Output(1, DONE))
    assert [row["call_id"] for row in rows] == ["c", "c_1", "c_1"]


def test_reasoning_does_not_lean_on_an_output() -> None:
    """RESP-REASONING-FOLLOW: an output of the provider is no item that reasoning was made with."""
    found: dict[str, Any] = {
        "type": "tool_search_output",
        "execution": "server",
        "id": "tso_1",
        "call_id": None,
        "tools": [],
    }
    items: list[Item] = [
        Reasoning("", 1, made(SEALED)),
        ServerCall("tool_search_output", 1, made(found)),
    ]
    assert list(encode(*items).positions) == [None, 0]


# ── the rest of the body ────────────────────────────────────────────────────────────────────────────────


def test_the_body_says_what_the_settings_say() -> None:
    """R19: fields in a fixed order, the transcript last, so that a growing history keeps its prefix."""
    settings = Settings("m", "Be brief.", options={"temperature": 0, "store": False}, stream=False)
    body = encoder(OURS).encode([Message("1", "hi")], 1, settings).body
    assert body == (
        b'{"model":"m","temperature":0,"store":false,"stream":false,"instructions":"Be brief.",'
        b'"input":[{"role":"user","content":"hi"}]}'
    )
    assert encoder(OURS).encode([], 0, Settings("m")).body == b'{"model":"m","stream":true,"input":[]}'


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("spec", "tool"),
    [
        (
            ToolSpec("f", "does", SCHEMA, strict=True),
            {"type": "function", "name": "f", "description": "does", "parameters": SCHEMA, "strict": True},
        ),
        (
            ToolSpec("f"),
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}},
        ),
        (ToolSpec("c", "does", kind=CallKind.CUSTOM), {"type": "custom", "name": "c", "description": "does"}),
        (
            ToolSpec("c", parameters={"type": "text"}, kind=CallKind.CUSTOM),
            {"type": "custom", "name": "c", "format": {"type": "text"}},
        ),
        (ToolSpec("local_shell", "does", kind=CallKind.LOCAL_SHELL), {"type": "local_shell"}),
        (
            ToolSpec("shell", parameters={"environment": {"type": "local"}}, kind=CallKind.SHELL),
            {"type": "shell", "environment": {"type": "local"}},
        ),
        (ToolSpec("apply_patch", kind=CallKind.APPLY_PATCH), {"type": "apply_patch"}),
        (ToolSpec("computer", kind=CallKind.COMPUTER), {"type": "computer"}),
        (
            ToolSpec("tool_search", "finds", SCHEMA, CallKind.TOOL_SEARCH),
            {"type": "tool_search", "description": "finds", "execution": "client", "parameters": SCHEMA},
        ),
        (ToolSpec("tool_search", kind=CallKind.TOOL_SEARCH), {"type": "tool_search", "execution": "client"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_tool_is_declared_as_its_kind_asks(spec: ToolSpec, tool: dict[str, Any]) -> None:
    """As the SDK's types have them."""
    body = json.loads(encoder(OURS).encode([], 0, Settings("m", tools=(spec,))).body)
    assert body["tools"] == [tool]


def test_tools_of_the_provider_stand_behind_our_own() -> None:
    """Hosted tools come as options; who only answers for approvals is no tool of the model."""
    tools = (ToolSpec("f"), ToolSpec("mcp_approval", kind=CallKind.MCP_APPROVAL))
    settings = Settings("m", tools=tools, options={"tools": [{"type": "web_search"}]})
    body = json.loads(encoder(OURS).encode([], 0, settings).body)
    assert [tool["type"] for tool in body["tools"]] == ["function", "web_search"]


@pytest.mark.parametrize("name", ["model", "instructions", "stream", "input"])
def test_an_option_may_not_take_the_place_of_a_field(name: str) -> None:
    """Two sources for one field would make the bytes a matter of luck."""
    with pytest.raises(ValueError, match=f"'{name}' is not an option"):
        encoder(OURS).encode([], 0, Settings("m", options={"store": True, name: 1}))
