"""Bodies as letters: every dialect, every kind of call, and whatever else a client may send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from turnlock.strict import Script, StrictProvider
from turnlock.strict.responses import CALLS, OUTPUTS, TYPES
from turnlock.testing.transcript import Entry, added, items, notation, open_calls

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "ls", "arguments": '{"path": "."}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "3 files"}
CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": '{"path": "."}'}}


def letters(*given: Any, texts: bool = False) -> str:
    return notation(items({"input": list(given)}), texts=texts)


def chat(*messages: Any, texts: bool = False) -> str:
    return notation(items({"messages": list(messages)}), texts=texts)


def test_one_story_in_both_dialects() -> None:
    """The same history has the same letters, and the same texts."""
    said = {"role": "assistant", "content": "Three."}
    responses = items({"input": [{"role": "developer", "content": "Be brief."}, USER, CALL, OUTPUT, said]})
    answer = {"role": "tool", "tool_call_id": "c1", "content": "3 files"}
    called = {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}
    completions = items(
        {"messages": [{"role": "system", "content": "Be brief."}, USER, called, answer, said]}
    )
    assert responses == completions
    assert notation(responses) == "S U K(a) O(a) A"
    assert (
        notation(responses, texts=True)
        == 'S("Be brief.") U("hi") K(a, ls {"path": "."}) O(a, "3 files") A("Three.")'
    )


def test_messages_of_anthropic() -> None:
    """Results and the text beside them are entries of their own; so are thinking and server tools."""
    use = {"type": "tool_use", "id": "c1", "name": "ls", "input": {"path": "."}}
    answer = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "3 files"}]}
    texts = [{"type": "text", "text": "And"}, {"type": "text", "text": " now?"}]
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Look."}, use]}
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    served = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, search, found]}
    story = chat(USER, said, {"role": "user", "content": [answer, *texts]}, served)
    assert story == "U T A K(a) O(a) U T server_tool_use web_search_tool_result"
    assert chat(said, {"role": "user", "content": [answer, *texts]}, texts=True) == (
        'T("hm") A("Look.") K(a, ls {"path":"."}) O(a, "3 files") U("And now?")'
    )


def test_a_text_as_input() -> None:
    """What is one text is one user message; a request without any is empty."""
    assert items({"input": "hi"}) == (Entry("user", "hi"),)
    assert items({"previous_response_id": "resp_1"}) == ()


def test_labels_are_in_the_order_of_appearance() -> None:
    """Ids are named by where they first stand, also an output's; behind z come two letters."""
    outputs = [{**OUTPUT, "call_id": f"c{number}"} for number in range(28)]
    assert letters(outputs[5], CALL, outputs[5]) == "O(a) K(b) O(a)"
    assert letters(*outputs).split()[24:] == ["O(y)", "O(z)", "O(aa)", "O(ab)"]


@pytest.mark.parametrize("kind", [*CALLS, "mcp_approval_request"])
def test_every_kind_of_call(kind: str) -> None:
    """What the client answers is a call, with its tool or its type; its outputs belong to it."""
    script_kind = kind.removesuffix("_call").removesuffix("_request").replace("custom_tool", "custom")
    arguments: Any = "x" if script_kind == "custom" else {"x": 1}
    provider = StrictProvider(
        Script.of({"calls": [{"kind": script_kind, "name": "t", "arguments": arguments}]})
    )
    provider.respond("POST", "/responses", [], b'{"input": "go"}').finish("complete")
    (call,) = provider.exchanges[0].answer
    (entry,) = items({"input": [call]})
    assert (entry.kind, entry.call_id) == ("call", call.get("call_id", call["id"]))
    assert entry.name == ("t" if "name" in call else kind)
    assert "x" in entry.text


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_kind_of_output(kind: str) -> None:
    """Outputs of all kinds carry the id of their call, and what came of it."""
    key = "tools" if kind == "tool_search_output" else "output"
    assert letters({"type": kind, "call_id": "c1", key: ["x"]}, texts=True) == 'O(a, "[\\"x\\"]")'


def test_outputs_of_their_own_form() -> None:
    """An approval answers by its request's id; a local shell output may say `id`; a patch has a status."""
    assert items({"input": [{"type": "mcp_approval_response", "approval_request_id": "m", "approve": True}]})[
        0
    ] == Entry("output", "true", "m")
    assert items({"input": [{"type": "local_shell_call_output", "id": "c1", "output": "x"}]})[0] == Entry(
        "output", "x", "c1"
    )
    patched = {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed"}
    assert items({"input": [patched]})[0] == Entry("output", "failed", "c1")


def test_contents_in_parts() -> None:
    """Texts are put together; what has none stands with its type."""
    parts = [{"type": "input_text", "text": "look "}, {"type": "input_image", "image_url": "data:"}]
    assert letters({"role": "user", "content": parts}, texts=True) == 'U("look [input_image]")'
    assert chat({"role": "user", "content": [{"type": "text", "text": "a"}]}, texts=True) == 'U("a")'
    refused = [{"type": "refusal", "refusal": "No."}]
    assert letters({"role": "assistant", "content": refused}, texts=True) == 'A("No.")'
    assert letters({**OUTPUT, "output": parts}, texts=True) == 'O(a, "look [input_image]")'


def test_reasoning_and_what_else_there_is() -> None:
    """Reasoning is T in both dialects; what the provider ran, references and the unknown keep their type."""
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    assert letters(thought, texts=True) == 'T("hm")'
    assert chat({"role": "assistant", "reasoning_content": "hm", "content": "a"}) == "T A"
    assert (
        letters({"type": "mcp_call"}, {"id": "msg_1"}, {"type": "novel"}) == "mcp_call item_reference novel"
    )


def test_messages_of_chat() -> None:
    """Text and calls of one message, custom calls, functions of the old form, a message without either."""
    custom = {"id": "c2", "type": "custom", "custom": {"name": "edit", "input": "x"}}
    both = {"role": "assistant", "content": "Now.", "tool_calls": [CHAT_CALL, custom]}
    assert chat(both, texts=True) == 'A("Now.") K(a, ls {"path": "."}) K(b, edit "x")'
    old = {"role": "assistant", "content": None, "function_call": {"name": "ls", "arguments": "{}"}}
    result = {"role": "function", "name": "ls", "content": "x"}
    assert chat(old, result, texts=True) == 'K(?, ls {}) O(?, "x")'
    assert chat({"role": "assistant", "content": None}) == "A"
    assert chat({"role": "assistant", "tool_calls": [{"id": "c1", "type": "function"}]}) == "function"


def test_lines_stay_lines() -> None:
    """A transcript is one line, whatever the texts and arguments have in them."""
    shown = letters({"role": "user", "content": "a\nb"}, {**CALL, "arguments": '{"a":\n1}'}, texts=True)
    assert shown == 'U("a\\nb") K(a, ls {"a": 1})'


def test_what_was_added() -> None:
    """A later request says what the earlier one said, and more; one that changed it is named."""
    earlier, later = items({"input": [USER, CALL]}), items({"input": [USER, CALL, OUTPUT]})
    assert notation(added(earlier, later)) == "O(a)"
    with pytest.raises(ValueError, match=r'changes entry 0: it was U\("hi"\), and is nothing'):
        added(earlier, ())
    with pytest.raises(ValueError, match=r"changes entry 1: it was K\(a, ls .*\), and is O\(a, "):
        added(earlier, items({"input": [USER, OUTPUT]}))


def test_open_calls() -> None:
    """Calls that no later output answers; an output before its call answers nothing."""
    second = {**CALL, "call_id": "c2"}
    assert open_calls(items({"input": [CALL, second, OUTPUT]})) == ("c2",)
    assert open_calls(items({"input": [OUTPUT, CALL]})) == ("c1",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["type", "role", "content", "call_id", "id", "tool_calls", "output", "summary", "text", "name", "status"]
)
ITEM = st.dictionaries(KEYS, JSON | st.sampled_from([*TYPES, "user", "assistant", "tool", "function"])) | JSON


@given(
    st.fixed_dictionaries({}, optional={"input": st.lists(ITEM) | JSON, "messages": st.lists(ITEM) | JSON})
)
@example({"messages": [{"role": "user", "content": [3, {"type": "tool_use", "input": 3}, {"type": []}]}]})
@example({"input": [{"type": "a\nb"}, {**CALL, "name": "a\nb"}, {**CALL, "arguments": "{a\u2028}"}]})
def test_no_body_makes_it_fail(body: dict[str, Any]) -> None:
    """It reads what a provider refuses, too; each item is an entry, and the line is one line."""
    entries = items(body)
    for texts in (False, True):
        assert "\n" not in notation(entries, texts=texts)
    if isinstance(body.get("messages"), list):
        assert len(entries) >= len(body["messages"])
    elif isinstance(body.get("input"), list):
        assert len(entries) == len(body["input"])
