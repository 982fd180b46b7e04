"""The verdicts on a Responses request: would OpenAI accept this history, and if not, with which words.

Owns every rule of ``openai_responses`` in rules.json that can be judged on a request, and on what the
provider holds for it. Pure: it does not know who asks, it answers nothing and it repairs nothing. Written
apart from the library's own checker on purpose: the two must come to the same verdict by different roads.

The order of the verdicts is fixed: malformed items first, by position; then what belongs together:
references, item ids, duplicates of a call id, outputs before their call, calls without output, outputs
without call, approvals, reasoning, compaction. The first violation is the answer, as with the real provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from turnlock.strict import verdict
from turnlock.strict.verdict import SHAPE, Refusal

Item: TypeAlias = Mapping[str, Any]


@frozen
class CallKind:
    """A kind of call that the client executes, and what may answer it.

    Attributes:
        words: Its name in the provider's texts.
        outputs: The types of items that are accepted as its output.
        rule: The rule that an unanswered call breaks.
    """

    words: str
    outputs: tuple[str, ...]
    rule: str


CALLS: Mapping[str, CallKind] = {
    "function_call": CallKind("function call", ("function_call_output",), "RESP-CALL-NO-OUTPUT"),
    "custom_tool_call": CallKind(
        "custom tool call", ("custom_tool_call_output",), "RESP-CALL-NO-OUTPUT-CUSTOM"
    ),
    "local_shell_call": CallKind(
        "local shell call",
        ("local_shell_call_output", "function_call_output"),
        "RESP-CALL-NO-OUTPUT-LOCALSHELL",
    ),
    "shell_call": CallKind("shell call", ("shell_call_output",), "RESP-CALL-NO-OUTPUT-OTHER"),
    "apply_patch_call": CallKind(
        "apply patch call", ("apply_patch_call_output",), "RESP-CALL-NO-OUTPUT-OTHER"
    ),
    "computer_call": CallKind("computer call", ("computer_call_output",), "RESP-CALL-NO-OUTPUT-OTHER"),
    "tool_search_call": CallKind(
        "tool search call", ("tool_search_output", "function_call_output"), "RESP-CALL-NO-OUTPUT-OTHER"
    ),
}
OUTPUTS: Mapping[str, str] = {
    "function_call_output": "function call output",
    "custom_tool_call_output": "custom tool call output",
    "local_shell_call_output": "local shell call output",
    "shell_call_output": "shell call output",
    "apply_patch_call_output": "apply patch call output",
    "computer_call_output": "computer call output",
    "tool_search_output": "tool search output",
}
#: Made by the model or run by the provider: no output of the client belongs to them.
_MODEL_SIDE = (
    "reasoning",
    "file_search_call",
    "web_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "program",
    "program_output",
    "compaction",
)
_CLIENT_SIDE = ("mcp_approval_response", "additional_tools", "configuration_update", "compaction_trigger")
TYPES = ("message", *CALLS, *OUTPUTS, *_MODEL_SIDE, *_CLIENT_SIDE, "item_reference")
ROLES = ("assistant", "system", "developer", "user")
#: RESP-ITEMID-PREFIX. Other kinds have prefixes too, but nobody has seen them enforced.
_PREFIXES = {"function_call": "fc", "reasoning": "rs", "message": "msg", "custom_tool_call": "ctc"}
_PATCH_STATUSES = ("completed", "failed")
_OUTPUT_PARTS = ("input_text", "input_image", "input_file")
_ASSISTANT_PARTS = ("output_text", "refusal")
_MESSAGE_PARTS = (
    *_OUTPUT_PARTS,
    "input_audio",
    *_ASSISTANT_PARTS,
    "computer_screenshot",
    "summary_text",
)


def type_of(item: Item) -> str | None:
    """The type of an item. Two kinds may leave it out: messages, and references, which are a lone id."""
    named = item.get("type")
    if named is not None:
        return named if isinstance(named, str) else ""
    if "role" in item:
        return "message"
    return "item_reference" if set(item) == {"id"} else None


def input_items(body: Mapping[str, Any]) -> Sequence[Item]:
    """The items of a request that was judged sound; a text is one user message."""
    given = body.get("input")
    if isinstance(given, str):
        return ({"type": "message", "role": "user", "content": given},)
    return given if isinstance(given, list) else ()


def resolved(body: Mapping[str, Any], stored: Mapping[str, Item]) -> list[Item]:
    """The items of a sound request, references replaced by what they name, where ``stored`` has it."""
    items = input_items(body)
    return [stored.get(item["id"], item) if type_of(item) == "item_reference" else item for item in items]


def judge(
    body: Mapping[str, Any],
    *,
    held: Sequence[Item] | None = None,
    stored: Mapping[str, Item] | None = None,
) -> Refusal | None:
    """Judge a Responses request.

    Args:
        body: The decoded request.
        held: The items that the provider holds for this request through ``previous_response_id`` or
            ``conversation``, inputs and outputs in order. None says that nobody knows: a request that
            continues something is then not refused for an output whose call it does not show.
        stored: What the provider has stored, by item id, to resolve item references with. None says that
            nobody knows.

    Returns:
        The first violation, or None when the provider would accept the request.

    Two verdicts are our own strictness, no source saw the provider give them: an ``mcp_approval_request``
    that is left unanswered (RESP-MCP-APPROVAL), and an output that stands before its call
    (RESP-OUTPUT-BEFORE-CALL). RESP-DUP-CALL-ID was seen at gateways only.
    """
    refusal = _malformed(body)
    if refusal is not None:
        return refusal
    request = _Request.read(body, held, stored)
    return next((refusal for check in _CHECKS if (refusal := check(request)) is not None), None)


# --- one item at a time


def _malformed(body: Mapping[str, Any]) -> Refusal | None:
    given = body.get("input")
    if given is None:
        if any(body.get(key) is not None for key in ("previous_response_id", "conversation", "prompt")):
            return None
        return verdict.missing("input")
    if isinstance(given, str):
        return None
    if not isinstance(given, list):
        return verdict.wrong_type("input", "one of an array of objects or string", given)
    found = (_malformed_item(f"input[{index}]", item) for index, item in enumerate(given))
    return next((refusal for refusal in found if refusal is not None), None)


def _malformed_item(path: str, item: object) -> Refusal | None:
    if not isinstance(item, dict):
        return verdict.wrong_type(path, "an object", item)
    kind = type_of(item)
    if kind is None:
        return verdict.missing(f"{path}.type")
    if kind not in TYPES:
        return verdict.bad_value(path, str(item["type"]), TYPES)
    return _bad_call_id(path, kind, item) or _bad_item_id(path, kind, item) or _bad_fields(path, kind, item)


def _bad_call_id(path: str, kind: str, item: Item) -> Refusal | None:
    call_id = item.get("call_id")
    joined = kind in CALLS or kind in OUTPUTS
    if not joined or (call_id is None and _may_lack_call_id(kind, item)):
        return None
    path = f"{path}.call_id"
    if "call_id" not in item:
        return verdict.missing(path)
    if not isinstance(call_id, str):
        return verdict.wrong_type(path, "a string", call_id)
    if not call_id:
        return verdict.empty_string("RESP-CALLID-EMPTY", path)
    return verdict.too_long("RESP-CALLID-LEN", path, call_id) if len(call_id) > verdict.MAX_ID else None


def _may_lack_call_id(kind: str, item: Item) -> bool:
    # Tool search may run on the server, then nothing is joined. The SDK's type of a local shell output has
    # `id` and no `call_id`: the provider reads it, and finds that it answers no call (see `_orphan`).
    if kind in {"tool_search_call", "tool_search_output"}:
        return item.get("execution") != "client"
    return kind == "local_shell_call_output" and item.get("id") is not None


def _bad_item_id(path: str, kind: str, item: Item) -> Refusal | None:
    path = f"{path}.id"
    item_id = item.get("id")
    if item_id is None:
        return verdict.missing(path) if kind in {"item_reference", "mcp_approval_request"} else None
    if not isinstance(item_id, str):
        return verdict.wrong_type(path, "a string", item_id)
    prefix = _PREFIXES.get(kind, "")
    if item_id.startswith(prefix):
        return None
    message = f"Invalid '{path}': '{item_id}'. Expected an ID that begins with '{prefix}'."
    return Refusal("RESP-ITEMID-PREFIX", message, param=path)


def _text(path: str, value: object, _item: Item) -> Refusal | None:
    return verdict.check_text(path, value)


def _name(path: str, value: object, _item: Item) -> Refusal | None:
    return verdict.empty_string(SHAPE, path) if value == "" else verdict.check_text(path, value)


def _object(path: str, value: object, _item: Item) -> Refusal | None:
    return None if isinstance(value, dict) else verdict.wrong_type(path, "an object", value)


def _array(path: str, value: object, _item: Item) -> Refusal | None:
    return None if isinstance(value, list) else verdict.wrong_type(path, "an array of objects", value)


def _flag(path: str, value: object, _item: Item) -> Refusal | None:
    return None if isinstance(value, bool) else verdict.wrong_type(path, "a boolean", value)


def _role(path: str, value: object, _item: Item) -> Refusal | None:
    if value in ROLES:
        return None
    return verdict.check_text(path, value) or verdict.bad_value(path, str(value), ROLES)


def _patch_status(path: str, value: object, _item: Item) -> Refusal | None:
    return None if value in _PATCH_STATUSES else verdict.bad_value(path, str(value), _PATCH_STATUSES)


def _output(path: str, value: object, _item: Item) -> Refusal | None:
    return _parts(path, value, _OUTPUT_PARTS)


def _content(path: str, value: object, item: Item) -> Refusal | None:
    return _parts(path, value, _ASSISTANT_PARTS if item.get("role") == "assistant" else _MESSAGE_PARTS)


def _parts(path: str, value: object, supported: Sequence[str]) -> Refusal | None:
    if isinstance(value, str):  # also the empty one: recorded for assistant messages, accepted for outputs
        return None
    if not isinstance(value, list):
        return verdict.wrong_type(path, "one of an array of objects or string", value)
    for index, part in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(part, dict):
            return verdict.wrong_type(place, "an object", part)
        if "type" not in part:
            return verdict.missing(f"{place}.type")
        if part["type"] not in supported:
            return verdict.bad_value(place, str(part["type"]), supported)
    return None


_FieldCheck: TypeAlias = Callable[[str, object, Item], Refusal | None]
_FIELDS: Mapping[str, Mapping[str, _FieldCheck]] = {
    "message": {"role": _role, "content": _content},
    "reasoning": {"summary": _array},
    "function_call": {"name": _name, "arguments": _text},
    "custom_tool_call": {"name": _name, "input": _text},
    "local_shell_call": {"action": _object},
    "shell_call": {"action": _object},
    "apply_patch_call": {"operation": _object},
    "function_call_output": {"output": _output},
    "custom_tool_call_output": {"output": _output},
    "local_shell_call_output": {"output": _text},
    "shell_call_output": {"output": _array},
    "apply_patch_call_output": {"status": _patch_status},
    "computer_call_output": {"output": _object},
    "tool_search_output": {"tools": _array},
    "mcp_approval_request": {"name": _name, "arguments": _text},
    "mcp_approval_response": {"approval_request_id": _text, "approve": _flag},
}


def _bad_fields(path: str, kind: str, item: Item) -> Refusal | None:
    for name, check in _FIELDS.get(kind, {}).items():
        place = f"{path}.{name}"
        refusal = check(place, item[name], item) if name in item else verdict.missing(place)
        if refusal is not None:
            return refusal
    return None


# --- what belongs together


@frozen
class _Place:
    """An item and where it stands: in what is held, then in the input."""

    at: int
    kind: str
    item: Item
    held: bool

    @property
    def call_id(self) -> str | None:
        """What joins a call and its output; None where nothing is joined."""
        call_id = self.item.get("call_id")
        if self.kind == "tool_search_output" and self.item.get("execution") == "server":
            return None
        return call_id if isinstance(call_id, str) else None

    @property
    def awaits_output(self) -> bool:
        """Whether the client must answer this call: not where the provider has run it itself."""
        match self.kind:
            case "tool_search_call":
                return self.item.get("execution") == "client"
            case "shell_call":
                environment = self.item.get("environment")
                return not isinstance(environment, dict) or environment.get("type") == "local"
            case _:
                return True

    def answers(self, call: _Place) -> bool:
        """Whether this output is an answer to ``call``: the kind fits and it stands behind it."""
        return self.at > call.at and self.kind in CALLS[call.kind].outputs


@frozen
class _Request:
    """A request with sound items, as the checks of the whole look at it."""

    places: tuple[_Place, ...]
    store: object
    #: Whether everything that the provider holds for this request is known, references included.
    whole: bool
    #: Item references that nothing resolves.
    dangling: tuple[str, ...]
    calls: Mapping[str, _Place] = field(init=False)
    outputs: Mapping[str, tuple[_Place, ...]] = field(init=False)

    @calls.default
    def _find_calls(self) -> Mapping[str, _Place]:
        found: dict[str, _Place] = {}
        for place in self.places:
            if place.kind in CALLS and place.call_id is not None:
                found.setdefault(place.call_id, place)
        return found

    @outputs.default
    def _find_outputs(self) -> Mapping[str, tuple[_Place, ...]]:
        found: dict[str, tuple[_Place, ...]] = {}
        for place in self.places:
            if place.kind in OUTPUTS and place.call_id is not None:
                found[place.call_id] = (*found.get(place.call_id, ()), place)
        return found

    @classmethod
    def read(
        cls, body: Mapping[str, Any], held: Sequence[Item] | None, stored: Mapping[str, Item] | None
    ) -> _Request:
        """Lay out what is held and what is sent, with references replaced by what they name."""
        continues = any(body.get(key) is not None for key in ("previous_response_id", "conversation"))
        sent = resolved(body, stored or {})
        dangling = [str(item["id"]) for item in sent if type_of(item) == "item_reference"]
        items = [*((item, True) for item in held or ()), *((item, False) for item in sent)]
        places = [_Place(at, type_of(item) or "", item, held) for at, (item, held) in enumerate(items)]
        return cls(
            places=tuple(places),
            store=body.get("store"),
            whole=not (continues and held is None) and not (dangling and stored is None),
            dangling=tuple(dangling) if stored is not None or body.get("store") is False else (),
        )

    def sent(self, *kinds: str) -> Iterator[_Place]:
        """The items of the input, of these kinds."""
        return (place for place in self.places if not place.held and place.kind in kinds)


def _unresolved(request: _Request) -> Refusal | None:
    unstored = list(request.dangling)
    if request.store is False:
        unstored += [
            place.item["id"]
            for place in request.sent("reasoning")
            if place.item.get("id") is not None and place.item.get("encrypted_content") is None
        ]
    if not unstored:
        return None
    message = f"Item with id '{unstored[0]}' not found."
    if request.store is not False:
        return Refusal("ITEM-NOT-FOUND", message, status=404, param="input")
    message += (
        " Items are not persisted when `store` is set to false."
        " Try again with `store` set to true, or remove this item from your input."
    )
    return Refusal("RESP-STORE-FALSE-REF", message, status=404)


def _duplicate_item_id(request: _Request) -> Refusal | None:
    seen: set[str] = set()
    for place in request.places:
        item_id = place.item.get("id")
        if item_id is None:
            continue
        if item_id in seen and not place.held:
            advice = "Remove duplicate items from your input and try again."
            message = f"Duplicate item found with id {item_id}. {advice}"
            return Refusal("RESP-DUP-ITEM-ID", message, param="input")
        seen.add(item_id)
    return None


def _duplicate_call_id(request: _Request) -> Refusal | None:
    # Outputs first: that is the text that was seen, also where the call is doubled together with its output.
    for group in (OUTPUTS, CALLS):
        seen: set[str] = set()
        for place in request.places:
            if place.kind not in group or place.call_id is None:
                continue
            if place.call_id in seen and not place.held:
                return _duplicate(request, place, place.call_id)
            seen.add(place.call_id)
    return None


def _duplicate(request: _Request, place: _Place, call_id: str) -> Refusal:
    call = request.calls.get(call_id)
    kind = "function_call" if call is None else call.kind
    output = place.kind if place.kind in OUTPUTS else CALLS[kind].outputs[0]
    message = (
        f"Duplicate {place.kind} for call_id '{call_id}'. Each {kind} must have exactly one matching {output}"
    )
    return Refusal("RESP-DUP-CALL-ID", message)


def _output_before_call(request: _Request) -> Refusal | None:
    for output in request.sent(*OUTPUTS):
        call = request.calls.get(output.call_id or "")
        if call is not None and call.at > output.at and output.kind in CALLS[call.kind].outputs:
            return _no_call("RESP-OUTPUT-BEFORE-CALL", output)
    return None


def _unanswered(request: _Request) -> Refusal | None:
    for call_id, call in request.calls.items():
        if not call.awaits_output or any(output.answers(call) for output in request.outputs.get(call_id, ())):
            continue
        kind = CALLS[call.kind]
        rule = "RESP-PREV-PENDING" if call.held else kind.rule
        return Refusal(rule, f"No tool output found for {kind.words} {call_id}.", param="input")
    return None


def _orphan(request: _Request) -> Refusal | None:
    for output in request.sent(*OUTPUTS):
        if output.call_id is None:
            if output.kind == "local_shell_call_output":
                return verdict.missing(
                    f"input[{output.at - sum(place.held for place in request.places)}].call_id"
                )
            continue
        call = request.calls.get(output.call_id)
        if call is None and not request.whole:
            continue
        if call is None or not output.answers(call):
            return _no_call("RESP-OUTPUT-NO-CALL", output)
    return None


def _no_call(rule: str, output: _Place) -> Refusal:
    message = f"No tool call found for {OUTPUTS[output.kind]} with call_id {output.call_id}."
    return Refusal(rule, message, param="input")


def _approvals(request: _Request) -> Refusal | None:
    rule = "RESP-MCP-APPROVAL"
    waiting: dict[str, bool] = {}
    for place in request.places:
        if place.kind == "mcp_approval_request":
            waiting[place.item["id"]] = True
        elif place.kind == "mcp_approval_response":
            request_id = place.item["approval_request_id"]
            if request_id not in waiting and request.whole and not place.held:
                message = f"No approval request found for approval response with id {request_id}."
                return Refusal(rule, message, param="input")
            if waiting.get(request_id) is False and not place.held:
                return Refusal(rule, f"Duplicate approval response found for {request_id}.", param="input")
            waiting[request_id] = False
    unanswered = [request_id for request_id, waits in waiting.items() if waits]
    if not unanswered:
        return None
    return Refusal(rule, f"No approval response found for {unanswered[0]}.", param="input")


def _reasoning(request: _Request) -> Refusal | None:
    alone = None
    partner: _Place | None = None
    for place in reversed([place for place in request.places if not place.held]):
        if place.kind != "reasoning":
            partner = place
        elif place.item.get("id") is not None and not _made_with_reasoning(partner):
            alone = place.item["id"]
    if alone is None:
        return None
    message = f"Item '{alone}' of type 'reasoning' was provided without its required following item."
    return Refusal("RESP-REASONING-FOLLOW", message, param="input")


def _made_with_reasoning(place: _Place | None) -> bool:
    """Whether the model made this item and it still has its id: a message written by hand does not count."""
    if place is None or place.item.get("id") is None:
        return False
    if place.kind == "message":
        return place.item.get("role") == "assistant"
    return place.kind in CALLS or place.kind in _MODEL_SIDE or place.kind == "item_reference"


def _compaction(request: _Request) -> Refusal | None:
    if any(place.at != len(request.places) - 1 for place in request.sent("compaction_trigger")):
        message = "A compaction_trigger must be the final input item."
        return Refusal("RESP-COMPACTION-LAST", message, param="input")
    return None


_CHECKS: tuple[Callable[[_Request], Refusal | None], ...] = (
    _unresolved,
    _duplicate_item_id,
    _duplicate_call_id,
    _output_before_call,
    _unanswered,
    _orphan,
    _approvals,
    _reasoning,
    _compaction,
)
