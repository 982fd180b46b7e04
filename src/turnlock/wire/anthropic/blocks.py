"""Content blocks of Anthropic Messages: their types, which belong together, and how they are written.

It owns what stands for content that says nothing (the provider takes no blank text), and what of an answer
goes back as it came. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from turnlock.engine.items import Call, Content, Origin, Output, Reasoning, ServerCall, Text
from turnlock.wire.common.content import ImagePart, TextPart, part_of
from turnlock.wire.common.jsontext import as_json

Block = Mapping[str, Any]

DIALECT = "anthropic"

TEXT = "text"
TOOL_USE = "tool_use"
TOOL_RESULT = "tool_result"
SERVER_TOOL_USE = "server_tool_use"
MCP_TOOL_USE = "mcp_tool_use"

SERVER_USES = frozenset({SERVER_TOOL_USE, MCP_TOOL_USE})
"""Calls that the provider executes itself."""

THINKING = frozenset({"thinking", "redacted_thinking"})

_TOOL_SEARCH = "tool_search_tool"  # there are several, with one type of result


def block_type(block: Mapping[str, Any]) -> str:
    """The type of a block, or ``""``."""
    kind = block.get("type")
    return kind if isinstance(kind, str) else ""


def blocks_of(content: object) -> Sequence[object]:
    """The blocks of a message's content; text is one text block."""
    if isinstance(content, str):
        return ({"type": TEXT, "text": content},)
    return content if isinstance(content, list | tuple) else ()


def is_server_result(kind: str) -> bool:
    """A block of this type says what the provider's own call found."""
    return kind.endswith("_tool_result")


def is_server_block(kind: str) -> bool:
    """A call that the provider executes, or its result."""
    return kind in SERVER_USES or is_server_result(kind)


def server_result_type(use: Mapping[str, Any]) -> str:
    """The type of the block that answers a server's call."""
    if block_type(use) == MCP_TOOL_USE:
        return "mcp_tool_result"
    name = str(use.get("name"))
    return f"{name}_tool_result" if not name.startswith(_TOOL_SEARCH) else f"{_TOOL_SEARCH}_result"


def says_nothing(content: object) -> bool:
    """A tool_result with this content is empty."""
    if isinstance(content, list | tuple):
        return all(isinstance(part, Mapping) and part.get(TEXT) == "" for part in content)
    return content is None or content == ""


# ── written ─────────────────────────────────────────────────────────────────────────────────────────

NOTHING_SAID = "(empty message)"
"""What an empty message says: the provider takes none, and no message is dropped (R16)."""

_SAID = frozenset({TEXT, "image", "document", "search_result", "container_upload"})
_RETURNED = frozenset({TEXT, "image", "document", "search_result", "tool_reference", "browser_state"})
_WITH_SOURCE = frozenset({"image", "document"})


def text_block(text: str) -> Block:
    """A text block."""
    return {"type": TEXT, TEXT: text}


def is_blank(text: object) -> bool:
    """The provider does not take this for the text of a block."""
    return not isinstance(text, str) or not text.strip()


def user_blocks(content: Content) -> list[Block]:
    """The blocks of a message: parts of this format as they are, others as near to them as can be."""
    given = (content,) if isinstance(content, str) else content
    blocks = [block for raw in given if (block := _user_block(raw)) is not None]
    return blocks or [text_block(NOTHING_SAID)]


def _user_block(raw: object) -> Block | None:
    if isinstance(raw, Mapping) and _fits(raw, _SAID):
        return raw
    part = part_of(raw)
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _source(part)}
    text = "" if part is None else part.text
    if isinstance(part, TextPart) and is_blank(text):
        return None
    return text_block(text) if text else None


def _source(image: ImagePart) -> Block:
    if image.url:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.media_type or "image/png", "data": image.data}


def _fits(raw: Mapping[str, Any], kinds: frozenset[str]) -> bool:
    """A block of this format, of one of these kinds, that is not blank."""
    kind = block_type(raw)
    if kind == TEXT:
        return TEXT in kinds and not is_blank(raw.get(TEXT))
    return kind in kinds and (kind not in _WITH_SOURCE or isinstance(raw.get("source"), Mapping))


def result_block(wire_id: str, output: Output) -> dict[str, Any]:
    """What answers a call: its text, or the blocks that its tool returned."""
    block: dict[str, Any] = {
        "type": TOOL_RESULT,
        "tool_use_id": wire_id,
        "content": _native(output) or output.model_text,
    }
    if not output.outcome.ok:
        block["is_error"] = True
    return block


def _native(output: Output) -> Sequence[Block] | None:
    """A returned value that is a list of blocks of this format; never one that the provider has refused."""
    native = output.outcome.native if output.outcome.ok and output.refused is None else None
    if not isinstance(native, list | tuple) or not native:
        return None
    fits = all(isinstance(part, Mapping) and _fits(part, _RETURNED) for part in native)
    return native if fits and as_json(native) is not None else None


def _own(origin: Origin | None, model: str) -> Block | None:
    """The provider's own form of an item, if the model that is asked made it."""
    if origin is None or (origin.dialect, origin.model) != (DIALECT, model):
        return None
    return origin.item


def own_field(call: Call, name: str) -> object:
    """A field of a call that its provider wants back."""
    origin = call.origin
    return origin.item.get(name) if origin is not None and origin.dialect == DIALECT else None


def answer_text(text: Text, model: str) -> Block | None:
    """Text of the model, with its citations if it is the model's own; blank text is none."""
    if is_blank(text.text):
        return None
    said = _own(text.origin, model)
    if said is not None and block_type(said) == TEXT and said.get(TEXT) == text.text:
        return said
    return text_block(text.text)


def answer_thinking(thought: Reasoning, model: str) -> Block | None:
    """Only the model that signed it takes it back."""
    said = _own(thought.origin, model)
    if said is None or block_type(said) not in THINKING:
        return None
    sealed = said.get("data" if block_type(said) == "redacted_thinking" else "signature")
    return said if isinstance(sealed, str) and sealed else None


def may_be_sent(call: ServerCall, model: str) -> bool:
    """What the server executed goes back to the model that asked for it."""
    said = _own(call.origin, model)
    return said is not None and block_type(said) not in ("", TOOL_RESULT)
