"""The verdicts on an Anthropic Messages request: would the provider accept this history, and if not, why.

Owns every rule of ``anthropic`` in rules.json that is about a history. Pure: it answers nothing and repairs
nothing. It judges as the server does: the fields first (``shape``), then the merged turns, in this order:
where system messages stand, calls and their results from the first turn to the last, calls of server tools,
thinking, and what the request ends with. The first violation is the answer; its indices count merged turns.

ANT-TOOLS-DEFINED is not judged: nobody has verified it on a model of today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from turnlock.strict.anthropic import shape, signatures
from turnlock.strict.anthropic.shape import SERVER_CALLS, THINKING, Block, Turn, is_server_result
from turnlock.strict.verdict import SHAPE, Refusal

#: What tells a block again, however a client wrote it down: an SDK may add fields that are null.
Trace: TypeAlias = tuple[tuple[Any, ...], ...]

_MODEL = re.compile(r"claude-(?:[a-z]+-)*v?(\d+)(?:[-.](\d{1,2}))?(?!\d)")
_NO_PREFILL = (4, 6)  # from this version on a request may not end with the assistant


def judge(body: Mapping[str, Any], *, paused: Collection[Trace] = ()) -> Refusal | None:
    """Judge an Anthropic Messages request.

    Args:
        body: The decoded body.
        paused: The answers that the provider ended with ``pause_turn``, as ``trace`` tells them: a request
            may end with one. What ends with a server tool counts as paused, too.

    Returns:
        The first violation, or None when the provider would accept the request.

    A model whose version cannot be read is taken for one of today.
    """
    refusal = shape.malformed(body.get("messages"))
    if refusal is not None:
        return refusal
    turns = shape.turns(body["messages"])
    stages: tuple[Callable[[], Iterator[Refusal]], ...] = (
        lambda: _misplaced_system(turns),
        lambda: _unpaired(turns),
        lambda: _unresolved_server_calls(turns),
        lambda: _thinking(turns, body),
        lambda: _prefill(turns, body, paused),
    )
    return next((refusal for stage in stages for refusal in stage()), None)


def trace(blocks: Sequence[Block]) -> Trace:
    """What tells these blocks again."""
    keys = ("type", "id", "tool_use_id", "text", "thinking")
    return tuple(tuple(block.get(key) for key in keys) for block in blocks)


def open_server_calls(turns: Sequence[Turn]) -> list[Block]:
    """The calls of server tools that have no result yet, in order."""
    under_way: dict[str, tuple[int, Block]] = {}
    for index, turn in enumerate(turns):
        _follow(under_way, index, turn)
    return [call for _, call in under_way.values()]


def _follow(under_way: dict[str, tuple[int, Block]], index: int, turn: Turn) -> None:
    """Go on by a turn: its server calls are under way, with its number, until a result stands behind them."""
    for block in turn.blocks if turn.role == "assistant" else ():
        if block["type"] in SERVER_CALLS:
            under_way[block["id"]] = index, block
        elif is_server_result(block):
            under_way.pop(block["tool_use_id"], None)


# --- system messages in the conversation


def _misplaced_system(turns: Sequence[Turn]) -> Iterator[Refusal]:
    for index, turn in enumerate(turns):
        if turn.role != "system":
            continue
        rule, path = "ANT-SYSTEM-PLACEMENT", f"messages.{index}"
        before = turns[index - 1] if index else None
        if before is None:
            yield Refusal(rule, f"{path}: use the top-level 'system' parameter for the initial system prompt")
        elif turns[index + 1 : index + 2] and turns[index + 1].role != "assistant":
            yield Refusal(rule, f"{path}: role 'system' must precede an 'assistant' message or end the array")
        elif before.role == "assistant" and not is_server_result(before.blocks[-1]):
            there = "a 'user' message or an 'assistant' message ending in a server tool result"
            yield Refusal(rule, f"{path}: role 'system' must follow {there}")


# --- calls and their results


def _unpaired(turns: Sequence[Turn]) -> Iterator[Refusal]:
    served: set[str] = set()
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            yield from _bad_calls(turns, index, served)
        elif turn.role == "user":
            before = turns[index - 1].of("tool_use") if index else []
            yield from _bad_results(turn, index, {block["id"] for block in before})


def _bad_calls(turns: Sequence[Turn], index: int, served: set[str]) -> Iterator[Refusal]:
    """What is wrong with an assistant turn and how the next one answers it.

    Args:
        turns: All turns.
        index: Which one.
        served: The calls of server tools until here; those of this turn are added.
    """
    path = f"messages.{index}"
    follows = turns[index + 1] if index + 1 < len(turns) else Turn("user", ())
    answered = {block["tool_use_id"] for block in follows.of("tool_result")}
    called: list[str] = []
    for at, block in enumerate(turns[index].blocks):
        match block["type"]:
            case "tool_result":
                yield Refusal(SHAPE, f"{path}: `tool_result` blocks can only be in `user` messages")
            case "tool_use":
                if block["id"] in called:
                    yield Refusal("ANT-USE-ID-UNIQUE", f"{path}.content.{at}: `tool_use` ids must be unique")
                called.append(block["id"])
            case "server_tool_use" | "mcp_tool_use":
                served.add(block["id"])
            case _ if is_server_result(block):
                if block["tool_use_id"] not in served:
                    place = f"{path}.content.{at}"
                    yield _no_call("ANT-SERVER-RESULT-ORPHAN", place, block, "block before it")
            case _ if called:
                # The provider takes what was called until here as a message of its own, without an answer.
                yield _no_result("ANT-USE-TRAILING", index, called, answered)
    first = _first_results(follows)
    late = [call_id for call_id in called if call_id not in first]
    if late:
        yield _no_result("ANT-RESULT-FIRST", index, late, answered)


def _first_results(turn: Turn) -> list[str]:
    """The ids of the results that a turn begins with."""
    ids = []
    for block in turn.blocks:
        if block["type"] != "tool_result":
            break
        ids.append(block["tool_use_id"])
    return ids


def _bad_results(turn: Turn, index: int, asked: Collection[str]) -> Iterator[Refusal]:
    """What is wrong with the results of a user turn, whose calls are known to be answered."""
    if turn.of("tool_use"):
        yield Refusal(SHAPE, f"messages.{index}: `tool_use` blocks can only be in `assistant` messages")
    answered = set()
    for at, block in enumerate(turn.blocks):
        if block["type"] != "tool_result":
            continue
        path, call_id = f"messages.{index}.content.{at}", block["tool_use_id"]
        if call_id not in asked:
            yield _no_call("ANT-RESULT-ORPHAN", path, block, "block in the previous message")
        if call_id in answered:
            text = "each tool_use must have a single result. Found multiple `tool_result` blocks with id"
            yield Refusal("ANT-RESULT-DUP", f"{path}: {text}: {call_id}")
        answered.add(call_id)


def _no_result(rule: str, index: int, ids: Sequence[str], answered: Collection[str]) -> Refusal:
    """The text that three rules share; ``rule`` is the one that is broken where each call has a result."""
    text = (
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block "
        "in the next message."
    )
    return Refusal(rule if set(ids) <= set(answered) else "ANT-USE-NO-RESULT", text)


def _no_call(rule: str, path: str, block: Block, where: str) -> Refusal:
    kind = block["type"]
    calls = {"tool_result": "tool_use", "mcp_tool_result": "mcp_tool_use"}
    text = (
        f"{path}: unexpected `tool_use_id` found in `{kind}` blocks: {block['tool_use_id']}. "
        f"Each `{kind}` block must have a corresponding `{calls.get(kind, 'server_tool_use')}` {where}."
    )
    return Refusal(rule, text)


# --- calls of server tools


def _unresolved_server_calls(turns: Sequence[Turn]) -> Iterator[Refusal]:
    """While a server tool is under way, results alone may follow, and the answer that begins with its own.

    Code that calls the client's tools takes several rounds, and nobody has seen what ends it too early.
    """
    uses = [block for turn in turns for block in turn.of("tool_use")]
    callers = [block["caller"].get("tool_id") for block in uses if isinstance(block.get("caller"), dict)]
    under_way: dict[str, tuple[int, Block]] = {}
    for at, turn in enumerate(turns):
        _follow(under_way, at, turn)
        for index, call in under_way.values():
            goes_on = index < at if turn.role == "assistant" else turn.role == "user" and _speaks(turn)
            if goes_on and call["id"] not in callers:
                tool = call["name"] if call["type"] == "server_tool_use" else "mcp"
                text = (
                    f"messages.{index}: `{tool}` tool use with id `{call['id']}` "
                    f"was found without a corresponding `{shape.result_of(call)}` block"
                )
                yield Refusal("ANT-SERVER-UNPAIRED", text)


def _speaks(turn: Turn) -> bool:
    """Whether a user turn says more than results."""
    return any(block["type"] != "tool_result" for block in turn.blocks)


# --- thinking


def _thinking(turns: Sequence[Turn], body: Mapping[str, Any]) -> Iterator[Refusal]:
    asked = body.get("thinking")
    if isinstance(asked, dict) and asked.get("type") == "enabled":
        yield from _no_thinking(turns)
    latest = max((index for index, turn in enumerate(turns) if turn.role == "assistant"), default=-1)
    model = body.get("model")
    for index, turn in enumerate(turns):
        for at, block in enumerate(turn.blocks):
            signer = signatures.signer(block["signature"]) if block["type"] == "thinking" else None
            if signer is None:
                continue  # only the model that signed it can say whether it is whole
            path = f"messages.{index}.content.{at}"
            if isinstance(model, str) and model != signer:
                yield shape.invalid_signature(path)
            if block["signature"] != signatures.sign(signer, block["thinking"]):
                yield _modified(path) if index == latest else shape.invalid_signature(path)


def _modified(path: str) -> Refusal:
    text = (
        f"{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message "
        "cannot be modified. These blocks must remain as they were in the original response."
    )
    return Refusal("ANT-THINKING-MODIFIED", text)


def _no_thinking(turns: Sequence[Turn]) -> Iterator[Refusal]:
    """The calls at the end of the history have thinking before them, in one of their turns.

    A model that does not think between tools thinks in the first turn of the loop only.
    """
    said = [(index, turn) for index, turn in enumerate(turns) if turn.role != "system"]
    loop: list[tuple[int, Turn]] = []
    while said and said[-1][1].of("tool_result"):
        if _speaks(said.pop()[1]) and loop:
            break  # the user spoke: another loop
        loop.append(said.pop())
    if not loop or any(turn.blocks[0]["type"] in THINKING for _, turn in loop):
        return
    index, last = loop[0]
    text = (
        f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
        f"`{last.blocks[0]['type']}`. When `thinking` is enabled, a final `assistant` message must start "
        "with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). "
        "We recommend you include thinking blocks from previous turns. "
        "To avoid this requirement, disable `thinking`. Please consult our documentation at "
        "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking"
    )
    yield Refusal("ANT-THINKING-FIRST", text)


# --- how it ends


def _prefill(turns: Sequence[Turn], body: Mapping[str, Any], paused: Collection[Trace]) -> Iterator[Refusal]:
    last = turns[-1] if turns else None
    if last is None or last.role != "assistant" or _version(body.get("model")) < _NO_PREFILL:
        return
    said = trace(last.blocks)
    if any(said[-len(answer) :] == answer for answer in paused if answer):
        return
    server = bool(last.blocks) and (
        last.blocks[-1]["type"] in SERVER_CALLS or is_server_result(last.blocks[-1])
    )
    if not server and not open_server_calls([last]):
        text = (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
        yield Refusal("ANT-PREFILL", text)


def _version(model: object) -> tuple[int, int]:
    """The version in a model's name, whoever serves it."""
    found = _MODEL.search(model) if isinstance(model, str) else None
    if found is None:
        return (99, 0)
    return int(found[1]), int(found[2] or 0)
