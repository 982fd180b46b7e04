"""The verdicts on a Chat Completions request: would OpenAI accept these messages, and if not, in which words.

Owns every rule of ``openai_chat`` in rules.json that can be judged on a request. Pure: it answers nothing and
it repairs nothing. The messages are read once, from the first to the last, and the first violation is the
answer, as with the real provider; only the fields of one message are looked at before its place in the
history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from turnlock.strict import verdict
from turnlock.strict.verdict import SHAPE, Refusal

Message: TypeAlias = Mapping[str, Any]

ROLES = ("system", "assistant", "user", "function", "tool", "developer")
#: What a tool call of each type carries, and the field of it that must be a text.
_CALL_TEXT = {"function": "arguments", "custom": "input"}


def judge(body: Mapping[str, Any]) -> Refusal | None:
    """Judge a Chat Completions request.

    Returns:
        The first violation, or None when the provider would accept the request.

    Our own strictness, no source saw the provider give it: two calls of one message that share an id can not
    both be answered, and are refused as unanswered (CHAT-CALL-NO-TOOL). An id that comes back in a later turn
    is accepted: nobody has seen it refused.
    """
    messages = body.get("messages")
    if messages is None:
        return verdict.missing("messages")
    if not isinstance(messages, list):
        return verdict.wrong_type("messages", "an array of objects", messages)
    if not messages:
        return verdict.empty_array(SHAPE, "messages")
    for index, message in enumerate(messages):
        refusal = _malformed(index, message) or _misplaced(messages, index)
        if refusal is not None:
            return refusal
    return None


# --- one message at a time


def _malformed(index: int, message: object) -> Refusal | None:
    path = f"messages[{index}]"
    if not isinstance(message, dict):
        return verdict.wrong_type(path, "an object", message)
    role = message.get("role")
    if role is None:
        return verdict.missing(f"{path}.role")
    if role not in ROLES:
        return verdict.bad_value(f"{path}.role", str(role), ROLES)
    return _bad_content(index, message) or (_bad_calls(path, message) if role == "assistant" else None)


def _bad_content(index: int, message: Message) -> Refusal | None:
    path, content = f"messages[{index}].content", message.get("content")
    match content:
        case None:
            if _speaks_without_content(message):
                return None
            text = "Invalid value for 'content': expected a string, got null."
            return Refusal("CHAT-CONTENT-NULL", text, param=f"messages.[{index}].content")
        case str():
            return None
        case []:
            return verdict.empty_array("CHAT-EMPTY-ARRAYS", path)
        case list():
            found = (_bad_part(f"{path}[{at}]", message["role"], part) for at, part in enumerate(content))
            return next((refusal for refusal in found if refusal is not None), None)
        case _:
            return verdict.wrong_type(path, "one of an array of objects or string", content)


def _speaks_without_content(message: Message) -> bool:
    """Whether something else stands for the text: a call, also of the old kind, a refusal, spoken audio."""
    if message["role"] == "function":  # the result of a call of the old kind
        return "content" in message
    stands_for_text = ("tool_calls", "function_call", "refusal", "audio")
    return message["role"] == "assistant" and any(message.get(key) is not None for key in stands_for_text)


def _bad_part(path: str, role: str, part: object) -> Refusal | None:
    if not isinstance(part, dict):
        return verdict.wrong_type(path, "an object", part)
    if "type" not in part:
        return verdict.missing(f"{path}.type")
    if role == "tool" and part["type"] != "text":
        # The rule is documented, its text was not seen: these are the words for a wrong part elsewhere.
        message = f"Invalid value: '{part['type']}'. Supported values are: 'text'."
        return Refusal("CHAT-TOOL-CONTENT", message, code="invalid_value", param=f"{path}.type")
    return None


def _bad_calls(path: str, message: Message) -> Refusal | None:
    path, calls = f"{path}.tool_calls", message.get("tool_calls")
    if calls is None:
        return None
    if not isinstance(calls, list):
        return verdict.wrong_type(path, "an array of objects", calls)
    if not calls:
        return verdict.empty_array("CHAT-EMPTY-ARRAYS", path)
    found = (_bad_call(f"{path}[{at}]", call) for at, call in enumerate(calls))
    return next((refusal for refusal in found if refusal is not None), None)


def _bad_call(path: str, call: object) -> Refusal | None:
    if not isinstance(call, dict):
        return verdict.wrong_type(path, "an object", call)
    kind = call.get("type")
    if kind is None:
        return verdict.missing(f"{path}.type")
    if not isinstance(kind, str) or kind not in _CALL_TEXT:
        return verdict.bad_value(f"{path}.type", str(kind), tuple(_CALL_TEXT))
    return _bad_id(f"{path}.id", call) or _bad_said(f"{path}.{kind}", call.get(kind), _CALL_TEXT[kind])


def _bad_id(path: str, call: Mapping[str, Any]) -> Refusal | None:
    if "id" not in call:
        return verdict.missing(path)
    if not isinstance(call["id"], str):
        return verdict.wrong_type(path, "a string", call["id"])
    return verdict.too_long("CHAT-ID-LEN", path, call["id"]) if len(call["id"]) > verdict.MAX_ID else None


def _bad_said(path: str, said: object, text: str) -> Refusal | None:
    if said is None:
        return verdict.missing(path)
    if not isinstance(said, dict):
        return verdict.wrong_type(path, "an object", said)
    for name in ("name", text):
        if name not in said:
            return verdict.missing(f"{path}.{name}")
        refusal = verdict.check_text(f"{path}.{name}", said[name])
        if refusal is not None:
            return refusal
    return verdict.empty_string(SHAPE, f"{path}.name") if said["name"] == "" else None


# --- its place in the history


def _misplaced(messages: Sequence[Any], index: int) -> Refusal | None:
    message = messages[index]
    if message["role"] == "assistant" and message.get("tool_calls"):
        return _unanswered(messages, index)
    if message["role"] == "tool" and not _in_run_of_answers(messages, index):
        text = (
            "Invalid parameter: messages with role 'tool' must be "
            "a response to a preceeding message with 'tool_calls'."
        )
        return Refusal("CHAT-TOOL-ORPHAN", text, param=f"messages.[{index}].role")
    return None


def _in_run_of_answers(messages: Sequence[Any], index: int) -> bool:
    before = index - 1
    while before >= 0 and messages[before]["role"] == "tool":
        before -= 1
    return (
        before >= 0 and messages[before]["role"] == "assistant" and bool(messages[before].get("tool_calls"))
    )


def _unanswered(messages: Sequence[Any], index: int) -> Refusal | None:
    """Judge the run of tool messages directly behind the calls at ``index``."""
    asked = [call["id"] for call in messages[index]["tool_calls"]]
    answered: dict[str, int] = {}
    end = index + 1
    while end < len(messages) and isinstance(messages[end], dict) and messages[end].get("role") == "tool":
        refusal = _bad_answer(messages[end], end, asked, answered)
        if refusal is not None:
            return refusal
        end += 1
    open_ids = [
        call_id for call_id in dict.fromkeys(asked) if call_id not in answered or asked.count(call_id) > 1
    ]
    if not open_ids:
        return None
    text = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_ids)}"
    )
    # Seen with the index of the message that stands where the tool message should.
    return Refusal("CHAT-CALL-NO-TOOL", text, param=f"messages.[{min(end, len(messages) - 1)}].role")


def _bad_answer(message: Message, at: int, asked: Sequence[str], answered: dict[str, int]) -> Refusal | None:
    """Judge one tool message, and note in ``answered`` which id it stands for."""
    param = f"messages.[{at}].tool_call_id"
    call_id = message.get("tool_call_id")
    if call_id is None:
        text = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
        return Refusal("CHAT-TOOL-ID-MISSING", text, param=param)
    if call_id not in asked:
        text = (
            f"Invalid parameter: 'tool_call_id' of '{call_id}' not found in 'tool_calls' of previous message."
        )
        return Refusal("CHAT-TOOL-ID-UNKNOWN", text, param=param)
    if call_id in answered:
        text = (
            f"Invalid parameter: Duplicate value for 'tool_call_id' of '{call_id}', "
            f"in messages[{answered[call_id]}] and messages[{at}]."
        )
        return Refusal("CHAT-TOOL-DUP", text, param=param)
    answered[call_id] = at
    return None
