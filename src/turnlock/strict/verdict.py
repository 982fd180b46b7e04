"""What a refusal is, and the provider's words for malformed fields.

Owns the shape of a verdict and the sentences that OpenAI uses for a field that is missing, of a wrong type,
empty or too long; both dialects share them. Must not know any dialect: which fields there are, and how calls
and outputs belong together, is said in ``responses`` and ``chat``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

from attrs import frozen

#: The rule of every verdict that is about one field and not about a history. It has no entry in rules.json.
SHAPE = "SHAPE"

MAX_ID = 64  # characters; RESP-CALLID-LEN and CHAT-ID-LEN


@frozen
class Refusal:
    """Why a request is refused: what the provider would have answered, and the rule that says so.

    Attributes:
        rule: The id of the rule in rules.json; ``"SHAPE"`` for a malformed field; ``"HTTP-…"``,
            ``"PREVIOUS-NOT-FOUND"``, ``"ITEM-NOT-FOUND"`` and ``"SCRIPT"`` for what is no history at all.
        message: The provider's literal text.
        status: The HTTP status.
        type: The ``type`` of the error envelope.
        code: Its ``code``.
        param: Its ``param``: the path of what is wrong.
    """

    rule: str
    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """The error envelope, as OpenAI sends it."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


#: The names of JSON types, with their article, as they stand in the provider's texts.
_JSON_TYPES: Mapping[type, str] = {
    NoneType: "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
}


def missing(param: str) -> Refusal:
    """A required field is absent."""
    return Refusal(
        SHAPE, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def wrong_type(param: str, expected: str, value: object) -> Refusal:
    """A field holds another JSON type than ``expected``."""
    got = _JSON_TYPES.get(type(value), "an object")
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return Refusal(SHAPE, message, code="invalid_type", param=param)


def bad_value(param: str, value: str, supported: Sequence[str]) -> Refusal:
    """A field holds a word that is not one of ``supported``, which are two or more."""
    quoted = [f"'{word}'" for word in supported]
    listed = " and ".join(quoted) if len(quoted) == 2 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
    message = f"Invalid value: '{value}'. Supported values are: {listed}."
    return Refusal(SHAPE, message, code="invalid_value", param=param)


def empty_string(rule: str, param: str) -> Refusal:
    """A text that must have a character has none."""
    message = (
        f"Invalid '{param}': empty string. "
        "Expected a string with minimum length 1, but got an empty string instead."
    )
    return Refusal(rule, message, code="empty_string", param=param)


def empty_array(rule: str, param: str) -> Refusal:
    """A list that must have an element has none."""
    message = (
        f"Invalid '{param}': empty array. "
        "Expected an array with minimum length 1, but got an empty array instead."
    )
    return Refusal(rule, message, code="empty_array", param=param)


def too_long(rule: str, param: str, value: str) -> Refusal:
    """An id has more than ``MAX_ID`` characters."""
    message = (
        f"Invalid '{param}': string too long. Expected a string with maximum length {MAX_ID}, "
        f"but got a string with length {len(value)} instead."
    )
    return Refusal(rule, message, code="string_above_max_length", param=param)


def check_text(param: str, value: object) -> Refusal | None:
    """Refuse what is no string; an empty string is a string."""
    return None if isinstance(value, str) else wrong_type(param, "a string", value)
