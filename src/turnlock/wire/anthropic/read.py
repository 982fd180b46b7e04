"""Reads a whole body of Anthropic Messages back into a transcript.

Assistant messages that stand together are one answer, as the server merges them; answers are numbered from 1.
A user message of plain text blocks is one message for each of them; one that shows something beside text is
one message of blocks.

What a body does not say, and so does not come back of an encoding: under which id a message came, and from
whom (notes and developers speak as the user); the kind of a call beside function; that an answer was paused
and went on; ids and names that had to change; text that was moved before calls; reasoning and server's calls
that were set aside; blank text, which is left out or named; which of the causes that share a text ended a
call, and what it returned beside text, which is read as the blocks that stand there. An error in words that
are not ours is one that the tool raised: it reads ``Tool error: …`` when it is sent again. The message that
follows a history which would end with an answer, and the tool of a history whose session has none, are read
like others; so are breakpoints of the cache in ``system``, which are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from turnlock.engine.items import Role
from turnlock.engine.outcome import Outcome, failed, returned
from turnlock.wire.anthropic.blocks import TEXT, TOOL_RESULT, Block, block_type, blocks_of
from turnlock.wire.anthropic.decode import decode_anthropic
from turnlock.wire.common.content import plain_text
from turnlock.wire.common.history import History, Reading, tools_of
from turnlock.wire.common.request import ToolSpec

_NOT_OPTIONS = frozenset({"messages", "model", "system", "tools", "stream"})
_SAID = frozenset({"name", "description", "input_schema", "strict"})  # what a ToolSpec can say of a tool


def read_anthropic(body: Mapping[str, Any]) -> History:
    """Read a body as it stands; see ``turnlock.wire.read``."""
    model = _text(body.get("model"))
    reading = Reading()
    role = ""
    for row in _mappings(body.get("messages")):
        before, role = role, _text(row.get("role"))
        blocks = _mappings(blocks_of(row.get("content")))
        if role == "assistant":
            request = reading.answer if before == role else reading.begin_answer()
            for block in blocks:
                _take_answer(reading, block, request, model)
        else:
            _take_user(reading, blocks, Role.SYSTEM if role == Role.SYSTEM else Role.USER)
    tools, others = tools_of(body.get("tools"), _spec)
    options = {name: value for name, value in body.items() if name not in _NOT_OPTIONS}
    if others:
        options["tools"] = others
    instructions = "\n\n".join(_text(block.get(TEXT)) for block in _mappings(blocks_of(body.get("system"))))
    return History(tuple(reading.items), instructions, tools, model, options)


def _take_answer(reading: Reading, block: Block, request: int, model: str) -> None:
    for decoded in decode_anthropic(block, request=request, model=model, next_ordinal=reading.next_ordinal):
        reading.add(decoded.item)


def _take_user(reading: Reading, blocks: Sequence[Block], role: Role) -> None:
    said: list[Block] = []
    for block in blocks:
        if block_type(block) == TOOL_RESULT:
            _say(reading, said, role)
            said = []
            reading.output(_text(block.get("tool_use_id")), _outcome(block))
        else:
            said.append(block)
    if said or not blocks:
        _say(reading, said or [{"type": TEXT, TEXT: ""}], role)


def _say(reading: Reading, blocks: Sequence[Block], role: Role) -> None:
    if all(block.keys() == {"type", TEXT} and isinstance(block[TEXT], str) for block in blocks):
        for block in blocks:
            reading.say(block[TEXT], role)
    else:
        reading.say(tuple(blocks), role)


def _outcome(result: Block) -> Outcome:
    """What a result says: of an error the text, else also the blocks themselves."""
    content = result.get("content")
    parts = _mappings(content) if not isinstance(content, str) else ()
    text = content if isinstance(content, str) else plain_text(tuple(parts))
    if result.get("is_error") is True:
        return failed(text)
    return evolve(returned(text), native=list(parts)) if parts else returned(text)


def _spec(tool: Block) -> ToolSpec | None:
    """A tool, if it has nothing that a ``ToolSpec`` cannot say."""
    name, parameters, strict = tool.get("name"), tool.get("input_schema"), tool.get("strict")
    description = tool.get("description", "")
    right = isinstance(name, str) and isinstance(description, str) and isinstance(parameters, Mapping)
    if not (right and tool.keys() <= _SAID and isinstance(strict, bool | None)):
        return None
    return ToolSpec(str(name), description, parameters or {}, strict=strict)


def _mappings(value: object) -> Sequence[Block]:
    if not isinstance(value, list | tuple):
        return ()
    return [each for each in value if isinstance(each, Mapping)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
