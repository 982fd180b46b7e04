"""Which calls of the provider's own may be sent back: those with their result, and those in flight.

A call without its result is in flight while behind its answer stand only outputs of client calls. Once a
message, a note or another answer has passed it, nothing can resolve it any more, and a request that holds it
is refused (ANT-SERVER-UNPAIRED): it is set aside, and so is a result without its call (R16, C46).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from turnlock.engine.items import Call, Item, Message, ModelItem, Note, Output, ServerCall
from turnlock.wire.anthropic.blocks import SERVER_USES, block_type, is_server_result


@frozen
class Plan:
    """What becomes of the server's calls of a piece of a transcript.

    Attributes:
        aside: The indices of items that may not be sent.
        flying: A call in flight is sent: no message may be.
        undecided: What follows may change what becomes of a call here.
    """

    aside: frozenset[int] = frozenset()
    flying: bool = False
    undecided: bool = field(default=False)


def plan(items: Sequence[Item], start: int, end: int, sendable: Callable[[ServerCall], bool]) -> Plan:
    """Decide over ``items[start:end]``, where no call in flight stands before ``start``.

    Args:
        items: The transcript.
        start: Where to begin: at the first item of a block.
        end: How much of it the request carries.
        sendable: May this block go back at all, if it is paired?
    """
    aside: set[int] = set()
    waiting: dict[str, tuple[int, int]] = {}  # by id: where the call stands, and in which answer
    answer = 0
    behind_outputs = False
    for at in range(start, end):
        item = items[at]
        if isinstance(item, Message | Note):
            aside.update(index for index, _ in waiting.values())
            waiting.clear()
        elif isinstance(item, Output):
            behind_outputs = True
        elif isinstance(item, ModelItem):
            answer += behind_outputs
            behind_outputs = False
            if isinstance(item, ServerCall) and not _paired(item, at, answer, waiting, sendable):
                aside.add(at)
            elif isinstance(item, Call) and (code := _caller(item)) in waiting:
                waiting[code] = waiting[code][0], answer  # it goes on: it may need several rounds of outputs
    late = [index for index, asked in waiting.values() if asked < answer]
    return Plan(frozenset({*aside, *late}), len(late) < len(waiting), bool(waiting))


def _caller(call: Call) -> str:
    """The server call whose code makes this call."""
    caller = None if call.origin is None else call.origin.item.get("caller")
    return str(caller.get("tool_id")) if isinstance(caller, Mapping) else ""


def _paired(
    item: ServerCall,
    at: int,
    answer: int,
    waiting: dict[str, tuple[int, int]],
    sendable: Callable[[ServerCall], bool],
) -> bool:
    """May this block be sent, as far as is known? A call that waits is taken out later, if nothing comes."""
    if not sendable(item):
        return False
    block = item.origin.item
    kind = block_type(block)
    if kind in SERVER_USES:
        call_id = block.get("id")
        if not isinstance(call_id, str) or call_id in waiting:
            return False
        waiting[call_id] = at, answer
    elif is_server_result(kind):
        call_id = str(block.get("tool_use_id"))
        # The server looks for it in the answer of the call, or in the one behind the client's outputs.
        if call_id not in waiting or answer - waiting[call_id][1] > 1:
            return False
        del waiting[call_id]
    return True
