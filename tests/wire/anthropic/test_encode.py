"""A transcript as the messages of Anthropic Messages."""

from __future__ import annotations

import json
from itertools import count, pairwise
from typing import Any

import pytest

from turnlock.engine import Call, CallKind, Cause, Item, Message, Note, Output, Role, Text
from turnlock.engine.outcome import Outcome
from turnlock.machines import InvocationState
from turnlock.wire import Encoder, Settings, ToolSpec, check, decode, encoder
from turnlock.wire.anthropic import AnthropicEncoder
from turnlock.wire.anthropic.encode import DEFAULT_MAX_TOKENS
from turnlock.wire.anthropic.servers import MINIMAX

OURS = "anthropic"
U = Message("m1", "go")
U2 = Message("m2", "and then?")
M = Note("interrupted")
TOOLS = (ToolSpec("f"),)
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
CONTINUE = {"role": "user", "content": [{"type": "text", "text": "Continue."}]}


def text(said: str = "hm", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def use(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": {"a": 1}, **more}


def result(call_id: str, content: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def answer(*blocks: dict[str, Any], request: int = 1, model: str = "m", first: int = 1) -> list[Any]:
    """The items of an answer; its calls have the ordinals from ``first`` on."""
    ordinals = count(first)
    return [
        decoded.item
        for block in blocks
        for decoded in decode(OURS, block, request=request, model=model, next_ordinal=lambda: next(ordinals))
    ]


def output(ordinal: int = 1, said: str = "ok", cause: Cause = Cause.RETURNED, **more: Any) -> Output:
    refused = more.pop("refused", None)
    return Output(ordinal, Outcome(InvocationState.COMPLETED, cause, said, **more), refused)


def write(items: list[Item], encoder_: Encoder | None = None, **more: Any) -> dict[str, Any]:
    settings = Settings(**{"model": "m", "tools": TOOLS, **more})
    encoded = (encoder_ or encoder(OURS)).encode(items, len(items), settings)
    assert check(encoded.body, f"{OURS}+4.6+tools_required") == ()
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def rows(items: list[Item], **more: Any) -> list[Any]:
    """The blocks of each message."""
    messages = write(items, **more)["messages"]
    assert all(one["role"] != other["role"] for one, other in pairwise(messages))
    return [message["content"] for message in messages]


def places(items: list[Item], model: str = "m") -> list[int | None]:
    return list(encoder(OURS).encode(items, len(items), Settings(model)).positions)


def test_one_gap_is_one_user_message_with_the_results_first() -> None:
    """R4, C2, C3: results in call order, the note, then what the user said."""
    cancelled = output(2, "", Cause.NOT_STARTED)
    items = [U, *answer(text(), use("a"), use("b")), output(1), cancelled, M, U2]
    said = "Tool cancelled before it started: it was not run."
    assert rows(items) == [
        [text("go")],
        [text(), use("a"), use("b")],
        [result("a"), result("b", said, is_error=True), text("interrupted"), text("and then?")],
    ]
    assert places(items) == [0, 1, 1, 1, 2, 2, 2, 2]


def test_a_gap_that_grows_is_written_anew() -> None:
    """R10: what is said behind results that were sent joins their message, and the bytes before it stand."""
    known = encoder(OURS)
    items: list[Item] = [U, *answer(use("a")), output()]
    assert write(items, known)["messages"][-1]["content"] == [result("a")]
    assert write([*items, U2], known)["messages"][-1]["content"] == [result("a"), text("and then?")]
    assert write(items, known)["messages"][-1]["content"] == [result("a")]


def test_minimax_gets_results_and_text_apart() -> None:
    """MINIMAX-FOLLOW: a message for the results, and one for what was said."""
    items = [U, *answer(use("a")), output(), U2]
    encoded = AnthropicEncoder(server=MINIMAX).encode(items, len(items), Settings("m"))
    assert [row["content"] for row in json.loads(encoded.body)["messages"]][2:] == [
        [result("a")],
        [text("and then?")],
    ]
    assert encoded.positions == (0, 1, 2, 3)


def test_what_the_model_made_goes_back_as_it_came() -> None:
    """C41: thinking with its signature, text with its citations, the caller of a call."""
    sealed = {"type": "redacted_thinking", "data": "x"}
    cited = text("see", citations=[{"type": "web_search_result_location", "url": "https://x.test"}])
    blocks: list[dict[str, Any]] = [
        THOUGHT,
        sealed,
        SEARCH,
        FOUND,
        cited,
        use("a", caller={"type": "direct"}, toolset_name="t"),
    ]
    items = [U, *answer(*blocks), output()]
    assert rows(items)[1:] == [blocks, [result("a", toolset_name="t")]]


def test_another_model_gets_text_and_calls_only() -> None:
    """C41, R16: what only its maker understands is set aside, and nothing else."""
    items = [U, *answer(THOUGHT, SEARCH, FOUND, text("see", citations=[]), use("a", caller=SEARCH)), output()]
    assert rows(items, model="n")[1] == [text("see"), use("a")]
    assert places(items, "n") == [0, None, None, None, 1, 1, 2]


@pytest.mark.parametrize("sealed", [{"signature": ""}, {"signature": None}])
def test_thinking_without_its_seal_is_set_aside(sealed: dict[str, Any]) -> None:
    """ANT-THINKING-SIGNATURE: a stream that was cut has none."""
    items = [U, *answer(THOUGHT | sealed, text()), U2]
    assert rows(items)[1] == [text()]


def test_an_answer_does_not_end_with_thinking() -> None:
    """C41: the item that it belongs to was never completed; nothing at all is left of such an answer."""
    assert rows([U, *answer(text(), THOUGHT), U2])[1] == [text()]
    assert places([U, *answer(THOUGHT), U2]) == [0, None, 1]


def test_text_behind_a_call_is_moved_before_it() -> None:
    """C42, ANT-USE-TRAILING: and thinking too, all in their order; the server's blocks stay."""
    items = [
        U,
        *answer(text("1"), use("a"), THOUGHT, SEARCH, FOUND, text("2"), use("b")),
        output(),
        output(2),
    ]
    assert rows(items)[1] == [text("1"), THOUGHT, text("2"), use("a"), SEARCH, FOUND, use("b")]


def test_blank_text_is_left_out() -> None:
    """ANT-EMPTY-TEXT: of an answer; an empty message says that it is one (R16)."""
    assert rows([U, *answer(text(" "), use("a")), output()])[1] == [use("a")]
    assert rows([Message("m", "")]) == [[text("(empty message)")]]
    assert rows([Message("m", ({"type": "text", "text": " "},))]) == [[text("(empty message)")]]


def test_a_paused_answer_goes_back_as_it_came() -> None:
    """C45, ANT-PAUSE-TURN, R21: twice in a row; then the message leaves."""
    known = encoder(OURS)
    items: list[Item] = [U, *answer(text(), SEARCH)]
    assert write(items, known)["messages"][1:] == [{"role": "assistant", "content": [text(), SEARCH]}]
    again = SEARCH | {"id": "srv_2"}
    items += answer(FOUND, again, request=2)
    assert [row["content"] for row in write(items, known)["messages"][1:]] == [
        [text(), SEARCH],
        [FOUND, again],
    ]
    items += [*answer(FOUND | {"tool_use_id": "srv_2"}, text(), request=3), U2]
    assert len(write(items, known)["messages"]) == 5


def test_a_servers_call_flies_over_the_results_of_client_calls() -> None:
    """R21: both were asked for at once; the server's result comes in the answer behind them."""
    flying: list[Item] = [U, *answer(SEARCH, use("a")), output()]
    assert rows(flying)[1:] == [[SEARCH, use("a")], [result("a")]]
    assert rows([*flying, *answer(FOUND, text(), request=2), U2])[3] == [FOUND, text()]


@pytest.mark.parametrize("behind", [[M, U2], [U2], [*answer(text(), request=2), U2]])
def test_a_servers_call_that_nothing_resolved_is_set_aside(behind: list[Any]) -> None:
    """C46, ANT-SERVER-UNPAIRED: also by an encoder that has sent it, and its late result with it."""
    known = encoder(OURS)
    flying: list[Item] = [U, *answer(SEARCH, use("a")), output()]
    write(flying, known)
    items = [*flying, *behind, *answer(FOUND, text("late"), request=3), U2]
    messages = write(items, known)["messages"]
    assert messages[1]["content"] == [use("a")]
    assert messages[-2]["content"] == [text("late")]


def test_a_late_result_finds_its_call_no_more() -> None:
    """ANT-SERVER-UNPAIRED: once an answer has passed without it; neither of the two is sent."""
    flying: list[Item] = [U, *answer(SEARCH, use("a")), output()]
    passed = [*flying, *answer(use("b"), request=2, first=2), output(2)]
    assert rows(passed)[1] == [use("a")]
    assert rows([*passed, *answer(FOUND, text(), request=3), U2])[1::4] == [[use("a")], [text()]]


def test_one_of_two_calls_of_one_id_is_sent() -> None:
    """R16: the result belongs to the first of them."""
    assert rows([U, *answer(SEARCH, SEARCH, FOUND, text()), U2])[1] == [SEARCH, FOUND, text()]


@pytest.mark.parametrize("end", [[SEARCH, FOUND], [SEARCH, text()]])
def test_an_answer_is_paused_in_many_places(end: list[dict[str, Any]]) -> None:
    """ANT-PAUSE-TURN: behind a result, or behind text beside a call in flight."""
    assert rows([U, *answer(*end)])[1:] == [end]


def test_what_was_taken_for_one_model_is_free_for_another() -> None:
    """R10: an encoder whose model changes writes what a new one does."""
    known = encoder(OURS)
    items = [U, *answer(SEARCH, FOUND, use("srv_1")), output()]
    assert write(items, known)["messages"][1]["content"][2]["id"] == "srv_1_1"
    assert write(items, known, model="n")["messages"][1]["content"] == [use("srv_1")]


@pytest.mark.parametrize(
    "block", [SEARCH | {"id": None}, {"type": "tool_result"}, {}, FOUND | {"tool_use_id": 7}]
)
def test_a_servers_block_that_cannot_be_paired_is_set_aside(block: dict[str, Any]) -> None:
    """R16: what no request may hold is reported by its place."""
    assert places([U, *answer(block, text()), U2]) == [0, None, 1, 2]


def test_a_servers_call_has_an_object_for_its_input() -> None:
    """ANT-INPUT-DICT: what was cut is sent as {}."""
    assert rows([U, *answer(SEARCH | {"input": '{"q'}, FOUND), U2])[1] == [SEARCH | {"input": {}}, FOUND]


def test_the_caller_of_a_call_is_named_if_it_is_there() -> None:
    """A program that called a tool is a server's call: set aside, it may not be referred to."""
    caller = {"type": "code_execution_20260120", "tool_id": "srv_1"}
    run = SEARCH | {"name": "code_execution"}
    flying: list[Item] = [U, *answer(run, use("a", caller=caller)), output()]
    assert rows(flying)[1] == [run, use("a", caller=caller)]
    assert rows([*flying, M, U2])[1] == [use("a")]


def test_a_history_that_ends_with_an_answer_is_continued() -> None:
    """ANT-PREFILL: not by the answer itself; it is no part of the history."""
    known = encoder(OURS)
    items: list[Item] = [U, *answer(text())]
    assert write(items, known)["messages"][-1] == CONTINUE
    assert [row["content"] for row in write([*items, U2], known)["messages"]] == [
        [text("go")],
        [text()],
        [text("and then?")],
    ]
    assert rows([U, *answer(THOUGHT)]) == [[text("go")]]


def test_thinking_is_off_for_a_loop_that_began_without_it() -> None:
    """ANT-THINKING-FIRST: as the provider advises; with thinking, or with no loop under way, it stays on."""
    loop = [*answer(use("a"), model="n"), output()]
    assert "thinking" not in write([U, *loop], options=ENABLED)
    assert "thinking" not in write([U, *loop, M, U2], options=ENABLED)
    assert "thinking" in write([U, *loop, *answer(text(), request=2), U2], options=ENABLED)
    more = [*answer(THOUGHT, use("b"), request=2, first=2), output(2)]
    assert "thinking" in write([U, *more], options=ENABLED)
    assert "thinking" in write([U, *loop, *more], options=ENABLED)
    later = [*answer(use("c"), request=3, first=3), output(3)]
    assert "thinking" in write([U, *more, *later], options=ENABLED)
    assert "thinking" not in write([U, *more, U2, *later], options=ENABLED)
    paused = [U, *answer(THOUGHT, text(), request=1), *answer(use("a"), request=2), output()]
    assert "thinking" in write(paused, options=ENABLED)


def test_max_tokens_is_always_there() -> None:
    """It is required, and must be more than thinking may take."""
    assert write([U])["max_tokens"] == DEFAULT_MAX_TOKENS
    assert write([U], options={"max_tokens": 5})["max_tokens"] == 5
    assert write([U], options=ENABLED)["max_tokens"] == DEFAULT_MAX_TOKENS + 2048


def test_the_envelope_is_the_providers() -> None:
    """Fields as the API names them; instructions are not an option."""
    body = write([U], instructions="Be brief.", options={"temperature": 0}, stream=False)
    assert {key: body[key] for key in body if key not in ("messages", "tools", "max_tokens")} == {
        "model": "m",
        "temperature": 0,
        "stream": False,
        "system": "Be brief.",
    }
    with pytest.raises(ValueError, match=r"Settings\.instructions"):
        write([U], options={"system": "x"})


SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}


@pytest.mark.parametrize(
    ("spec", "tool"),
    [
        (ToolSpec("f"), {"name": "f", "input_schema": {"type": "object"}}),
        (
            ToolSpec("f", "reads", SCHEMA, strict=True),
            {"name": "f", "description": "reads", "input_schema": SCHEMA, "strict": True},
        ),
        (
            ToolSpec("shell", parameters={"x": 1}, kind=CallKind.SHELL),
            {"name": "shell", "input_schema": {"type": "object"}},
        ),
        (
            ToolSpec("p", kind=CallKind.CUSTOM),
            {
                "name": "p",
                "input_schema": {
                    "type": "object",
                    "properties": {"input": {"type": "string"}},
                    "required": ["input"],
                },
            },
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_tool_is_told_as_the_provider_has_it(spec: ToolSpec, tool: dict[str, Any]) -> None:
    """Kinds that Anthropic does not know are functions; an approval is none that a model calls."""
    approval = ToolSpec("mcp_approval", kind=CallKind.MCP_APPROVAL)
    assert write([U], tools=(spec, approval))["tools"] == [tool]


def test_a_history_with_calls_defines_a_tool() -> None:
    """ANT-TOOLS-DEFINED: one that the model may not call, when the session has none any more."""
    items = [U, *answer(use("a")), output()]
    body = write(items, tools=())
    assert (body["tools"], body["tool_choice"]) == (
        [{"name": "f", "input_schema": {"type": "object"}}],
        {"type": "none"},
    )
    hosted = {"type": "web_search_20250305", "name": "web_search"}
    assert write(items, tools=(), options={"tools": [hosted]})["tools"] == [hosted]
    assert "tools" not in write([U], tools=())


@pytest.mark.parametrize("kind", CallKind)
def test_every_kind_of_call_is_a_function_here(kind: CallKind) -> None:
    """C36: no call of another dialect is lost, whatever its arguments and its output are."""
    call = Call(7, "terminal:0", "" if kind is CallKind.FUNCTION else str(kind), '{"a":1}', 1, kind)
    name = "unknown" if kind is CallKind.FUNCTION else str(kind)
    shown = output(7, "done", native="data:image/png;base64,AAAA")
    assert rows([U, call, shown])[1:] == [
        [{"type": "tool_use", "id": "terminal_0", "name": name, "input": {"a": 1}}],
        [result("terminal_0", "done")],
    ]


def test_ids_are_taken_and_unique() -> None:
    """C20, C21, C22: on both sides, and apart from the server's own."""
    items = [U, *answer(SEARCH, FOUND, use("srv_1"), use("a:b"), use("a:b")), output(), output(2), output(3)]
    assert [block["id"] for block in rows(items)[1] if block["type"] == "tool_use"] == [
        "srv_1_1",
        "a_b",
        "a_b_3",
    ]
    assert [block["tool_use_id"] for block in rows(items)[2]] == ["srv_1_1", "a_b", "a_b_3"]


def test_a_name_that_another_provider_took_is_written_as_this_one_does() -> None:
    """No call is lost for its name; a good one is not changed."""
    calls = [
        Call(1, "a", "fs.read", "{}", 1),
        Call(2, "b", "x" * 70, "{}", 1),
        Call(3, "c", "fs-read", "{}", 1),
    ]
    names = [block["name"] for block in rows([U, *calls, output(), output(2), output(3)])[1]]
    assert (names[0], len(names[1]) <= 64, names[2]) == ("fs_read", True, "fs-read")


def test_an_output_without_its_call_is_set_aside() -> None:
    """R16: the provider would refuse it."""
    assert rows([U, output(9), U2]) == [[text("go"), text("and then?")]]
    assert places([U, output(9), U2]) == [0, None, 0]
    assert places([output(9)]) == [None]


PART = {"type": "text", "text": "part", "cache_control": {"type": "ephemeral"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.test/1.png"}}
DATA = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
FILE = {"type": "document", "source": {"type": "file", "file_id": "f"}}


@pytest.mark.parametrize(
    ("parts", "blocks"),
    [
        ((PART, IMAGE, FILE), [PART, IMAGE, FILE]),
        (({"type": "input_text", "text": "x"},), [text("x")]),
        (({"type": "image_url", "image_url": {"url": "https://x.test/1.png"}},), [IMAGE]),
        (({"type": "input_image", "image_url": "data:image/png;base64,AAAA"},), [DATA]),
        (({"type": "input_audio"},), [text("[input_audio: cannot be shown here]")]),
        (({"type": "tool_result"},), [text("[tool_result: cannot be shown here]")]),
        (({"type": "image"},), [text("[image: cannot be shown here]")]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_contents_of_every_dialect_are_shown(parts: tuple[Any, ...], blocks: list[Any]) -> None:
    """Parts of this format go as they are, others as near to them as can be (R16)."""
    assert rows([Message("m", parts)]) == [blocks]


@pytest.mark.parametrize("role", Role)
def test_whoever_speaks_is_the_user_here(role: Role) -> None:
    """ANT-SYSTEM-PLACEMENT: no role system among the messages, which only some models take."""
    assert write([Message("m", "hi", role)])["messages"] == [{"role": "user", "content": [text("hi")]}]


def test_a_tool_may_return_blocks() -> None:
    """An image that a tool returned is shown; not one that the provider refused, nor other values (R20)."""
    call = answer(use("a"))
    assert rows([U, *call, output(native=[IMAGE, PART])])[2] == [result("a", [IMAGE, PART])]
    for native in ([], [text("")], [{"type": "x"}], [PART | {"x": object()}], object()):
        assert rows([U, *call, output(native=native)])[2] == [result("a")]
    refused = "The output was refused by the provider (no) and is left out."
    assert rows([U, *call, output(native=[IMAGE], refused="no")])[2] == [result("a", refused)]


def test_what_was_shown_of_an_interrupted_answer_is_text() -> None:
    """R7: without an origin, and with one that says something else."""
    (said,) = answer(text("whole"))
    assert isinstance(said, Text)
    assert rows([U, Text("shown", 1), M, U2])[1] == [text("shown")]
    assert rows([U, Text("part", 1, said.origin), U2])[1] == [text("part")]


def test_a_paused_answer_may_end_in_text() -> None:
    """ANT-PAUSE-TURN: also when it ends in text; otherwise a history must not end with the model's turn."""
    items: list[Item] = [Message("m1", "go"), Text("Let me look.", 1)]
    write = encoder("anthropic")
    paused = json.loads(write.encode(items, 2, Settings("m"), paused=True).body)["messages"]
    assert paused == [
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}]},
    ]
    gone_on = json.loads(write.encode(items, 2, Settings("m")).body)["messages"]
    assert gone_on[:2] == paused
    assert [row["role"] for row in gone_on[2:]] == ["user"]
