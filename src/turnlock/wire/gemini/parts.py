"""The parts of Gemini's contents, in both spellings.

The API takes camelCase and snake_case alike, and clients send both (Vertex traffic is recorded in snake_case,
AI Studio's in camelCase). It owns what a part is called here; nothing else in this room spells a field twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DIALECT = "gemini"
MODEL = "model"
USER = "user"

CALL = "functionCall"
RESPONSE = "functionResponse"
SIGNATURE = "thoughtSignature"

SNAKE: Mapping[str, str] = {
    "cachedContent": "cached_content",
    "codeExecutionResult": "code_execution_result",
    "executableCode": "executable_code",
    "fileData": "file_data",
    CALL: "function_call",
    "functionDeclarations": "function_declarations",
    RESPONSE: "function_response",
    "generationConfig": "generation_config",
    "inlineData": "inline_data",
    "parametersJsonSchema": "parameters_json_schema",
    "systemInstruction": "system_instruction",
    SIGNATURE: "thought_signature",
    "toolCall": "tool_call",
    "toolResponse": "tool_response",
}
"""The other spelling of every name of more than one word that is read here."""

SERVER_CALLS: Mapping[str, str] = {"toolCall": "toolResponse", "executableCode": "codeExecutionResult"}
"""Calls that the provider executes, and what it says of them."""

MEDIA = ("inlineData", "fileData")
"""Parts that show or play something."""


def look(fields: Mapping[str, Any], name: str) -> object:
    """A field, by its name in camelCase; None when there is none."""
    value = fields.get(name)
    return fields.get(SNAKE.get(name, name)) if value is None else value


def without(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Everything but these fields, in either spelling."""
    left_out = {*names, *(SNAKE[name] for name in names if name in SNAKE)}
    return {key: value for key, value in fields.items() if key not in left_out}


def parts_of(content: Mapping[str, Any]) -> Sequence[object]:
    """The parts of a content; none when they cannot be read."""
    parts = content.get("parts")
    return parts if isinstance(parts, list | tuple) else ()


def inner(part: object, name: str) -> Mapping[str, Any] | None:
    """What a part of this name holds: a call, a response; None when it is no such part."""
    if not isinstance(part, Mapping):
        return None
    value = look(part, name)
    return None if value is None or not isinstance(value, Mapping) else value


_BESIDE = frozenset({"thought", SIGNATURE, SNAKE[SIGNATURE], "partMetadata", "part_metadata"})
_CAMEL: Mapping[str, str] = {snake: camel for camel, snake in SNAKE.items()}


def kind_of(part: Mapping[str, Any]) -> str:
    """What a part is: the name in camelCase of the one field that holds it; empty when it holds nothing."""
    key = next((key for key, value in part.items() if key not in _BESIDE and value is not None), "")
    return _CAMEL.get(key, key)


def text_of(value: object) -> str:
    """A text, or none."""
    return value if isinstance(value, str) else ""
