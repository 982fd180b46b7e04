"""Writes a transcript as the messages of Anthropic Messages.

One answer is one assistant message; what stands between two answers is one user message, results first and in
call order, then what was said (R4). What the model itself made goes back as it came: thinking with its
signature, text with its citations, the server's calls with their results. Where another model made it, its
text and its calls are written from the neutral fields, and the rest is set aside (C41). What else differs:

* text that the model said behind a call is moved before the first one (C42), and blank text is left out: the
  provider takes neither;
* kinds of call beside function are functions of the kind's name, and names have no other characters than
  ids, so that no call is lost;
* developer and system messages are user text: which models take role ``system``, and where, no body shows;
* an empty message says that it is one;
* a history that ends with an answer is followed by a short user message, because newer models refuse to
  continue one (ANT-PREFILL); an answer that was paused goes back as it is (ANT-PAUSE-TURN);
* while ``thinking`` is enabled and the tool loop under way began without it (another model's, one that was
  interrupted), the request goes without it, as the provider advises (ANT-THINKING-FIRST);
* a history with calls is sent with a tool, also when the session has none any more (ANT-TOOLS-DEFINED).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, assert_never

from attrs import define, evolve, field

from turnlock.engine.items import (
    Call,
    CallKind,
    Item,
    Message,
    ModelItem,
    Note,
    Output,
    Reasoning,
    ServerCall,
    Text,
)
from turnlock.wire.anthropic.blocks import (
    SERVER_USES,
    THINKING,
    TOOL_USE,
    Block,
    answer_text,
    answer_thinking,
    block_type,
    is_server_block,
    may_be_sent,
    own_field,
    result_block,
    text_block,
    user_blocks,
)
from turnlock.wire.anthropic.inflight import Plan, plan
from turnlock.wire.anthropic.servers import ANTHROPIC, Server
from turnlock.wire.common.encoding import Encoder, Places, Rows
from turnlock.wire.common.ids import IdStyle
from turnlock.wire.common.jsontext import as_object, mended
from turnlock.wire.common.request import CONTINUE, NAMELESS, Encoded, Settings, ToolSpec, envelope

IDS = IdStyle(charset="_-")
"""^[a-zA-Z0-9_-]+$ (ANT-ID-CHARSET), and no longer than elsewhere; the same is asked of names."""

DEFAULT_MAX_TOKENS = 8192
"""``max_tokens`` is required: this many where the options name none, and a budget of thinking beside them."""

_KEPT = ("caller", "toolset_name")  # fields of a call that its provider wants back


class _Answer(NamedTuple):
    """Items of one answer that were written: which, in which row, and how it begins and ends."""

    start: int
    end: int
    row: int
    thinks: bool
    last: str


@define(eq=False)
class AnthropicEncoder(Encoder):
    """The encoder of ``anthropic``, and of other servers of the format."""

    transcript: ClassVar[str] = "messages"
    kinds: ClassVar[frozenset[CallKind]] = frozenset({CallKind.FUNCTION})
    joins: ClassVar[bool] = True
    id_style: ClassVar[IdStyle] = IDS

    server: Server = field(default=ANTHROPIC, kw_only=True)
    _plan: Plan = field(init=False, factory=Plan)
    _server_ids: set[str] = field(init=False, factory=set)  # of the server's calls that were written
    _answers: list[_Answer] = field(init=False, factory=list)
    _first_call: str = field(init=False, default="")

    def _encode(self, items: Sequence[Item], length: int, settings: Settings) -> Encoded:
        """As the base class; what a request needs that only its history shows is added to the settings."""
        encoded = super()._encode(items, length, settings)
        fitting = self._fitting(items, length, settings)
        return encoded if fitting is settings else super()._encode(items, length, fitting)

    def _fitting(self, items: Sequence[Item], length: int, settings: Settings) -> Settings:
        options = settings.options
        if _thinks(options) and not self._thought(items, length):
            settings = evolve(settings, options={key: options[key] for key in options if key != "thinking"})
        if self._first_call and not (_tools(settings) or options.get("tools")):
            choice = {"tool_choice": {"type": "none"}, **settings.options}
            settings = evolve(settings, tools=(ToolSpec(self._first_call),), options=choice)
        return settings

    def _thought(self, items: Sequence[Item], length: int) -> bool:
        """The tool loop that the request goes on with has its thinking, or there is none under way."""
        end = length
        heads: list[bool] = []  # of the turns of the loop, the last one first
        for answer in reversed(self._answers):
            between = items[answer.end : end]
            if heads and any(isinstance(item, Message | Note) for item in between):
                break
            if any(isinstance(item, Output) for item in between):
                heads.append(answer.thinks)
            elif heads:
                heads[-1] = answer.thinks  # the server merges the two
            else:
                return True
            end = answer.start
        return not heads or heads[0] or heads[-1]

    def _envelope(self, settings: Settings) -> Mapping[str, Any]:
        if "system" in settings.options:
            raise ValueError("'system' is not an option: it is Settings.instructions")
        body = envelope(settings, _tools(settings), transcript=self.transcript)
        if settings.instructions:
            body["system"] = settings.instructions
        if body.get("max_tokens") is None:
            body["max_tokens"] = DEFAULT_MAX_TOKENS + _budget(settings.options)
        return body

    def _shapes_items(self, settings: Settings) -> Hashable:
        return settings.model

    def _start(self, settings: Settings) -> None:
        self._plan = Plan()
        self._server_ids.clear()
        self._answers.clear()
        self._first_call = ""
        super()._start(settings)

    def _keep(self, items: Sequence[Item], length: int, settings: Settings) -> None:
        if self._plan.undecided:
            self._start(settings)  # what stands behind a call in flight decides what is sent of it
        super()._keep(items, length, settings)
        self._plan = plan(items, len(self._items), length, lambda call: may_be_sent(call, settings.model))

    def _closing(self, _settings: Settings) -> Rows:
        ends = self._answers[-1] if self._answers else None
        if ends is None or ends.row < self._rows - 1 or self._plan.flying or is_server_block(ends.last):
            return []
        return [{"role": "user", "content": [text_block(CONTINUE)]}]

    def _block(self, block: Sequence[Item], settings: Settings) -> tuple[Rows, Places]:
        made = [item for item in block if isinstance(item, ModelItem)]
        return self._answer(made, settings.model) if made else self._gap(block)

    def _gap(self, gap: Sequence[Item]) -> tuple[Rows, Places]:
        """What stands between two answers: results, then what was said."""
        results: list[Block] = []
        said: list[Block] = []
        unknown: set[int] = set()
        for at, item in enumerate(gap):
            if isinstance(item, Message | Note):
                said += user_blocks(item.content if isinstance(item, Message) else item.text)
            elif not (isinstance(item, Output) and self._take_result(item, results)):
                unknown.add(at)
        together = [results, said] if self.server.results_alone else [[*results, *said]]
        rows: Rows = [{"role": "user", "content": blocks} for blocks in together if blocks]
        last = len(rows) - 1
        places = [
            None if at in unknown else 0 if isinstance(item, Output) else last for at, item in enumerate(gap)
        ]
        return rows, places

    def _take_result(self, output: Output, results: list[Block]) -> bool:
        known = self._ids.of(output.ordinal)
        if known is None:
            return False  # without its call it would be refused: it is set aside (R16)
        call, wire_id = known
        block = result_block(wire_id, output)
        if (toolset := own_field(call, "toolset_name")) is not None:
            block["toolset_name"] = toolset
        results.append(block)
        return True

    def _answer(self, block: Sequence[ModelItem], model: str) -> tuple[Rows, Places]:
        first = len(self._items)
        written = [self._write_item(first + at, item, model) for at, item in enumerate(block)]
        for at in reversed(range(len(block))):
            if written[at] is None:
                continue
            if not isinstance(block[at], Reasoning):
                break
            written[at] = None  # an answer may not end with thinking: its item was never completed (C41)
        blocks = _calls_last(block, written)
        if not blocks:
            return [], [None] * len(block)
        thinks = block_type(blocks[0]) in THINKING
        self._answers.append(_Answer(first, first + len(block), self._rows, thinks, block_type(blocks[-1])))
        places = [None if each is None else 0 for each in written]
        return [{"role": "assistant", "content": blocks}], places

    def _write_item(self, at: int, item: ModelItem, model: str) -> Block | None:
        match item:
            case Text():
                return answer_text(item, model)
            case Reasoning():
                return answer_thinking(item, model)
            case Call():
                return self._call(item, model)
            case ServerCall():
                return None if at in self._plan.aside else self._server_call(item)
            case _:
                assert_never(item)

    def _call(self, call: Call, model: str) -> Block:
        name = IDS.written(mended(call.name), "name") if call.name else NAMELESS
        self._first_call = self._first_call or name
        block: dict[str, Any] = {
            "type": TOOL_USE,
            "id": self._ids.give(call, also_taken=self._server_ids),
            "name": name,
            "input": as_object(call.arguments),
        }
        for key in _KEPT:
            kept = own_field(call, key)
            if kept is not None and (key != "caller" or self._may_call(kept, call, model)):
                block[key] = kept
        return block

    def _may_call(self, caller: object, call: Call, model: str) -> bool:
        """The caller that the provider named is in the request: the model itself, or a server's call."""
        if not isinstance(caller, Mapping) or call.origin is None or call.origin.model != model:
            return False
        return caller.get("type") == "direct" or str(caller.get("tool_id")) in self._server_ids

    def _server_call(self, call: ServerCall) -> Block:
        block = call.origin.item
        if block_type(block) in SERVER_USES:
            self._server_ids.add(block["id"])
            if not isinstance(block.get("input"), Mapping):
                return {**block, "input": {}}
        return block


def _calls_last(block: Sequence[Item], written: Sequence[Block | None]) -> list[Block]:
    """What was written of an answer, without text or thinking behind a call (C42, ANT-USE-TRAILING)."""
    pairs = [(item, each) for item, each in zip(block, written, strict=True) if each is not None]
    first = next((at for at, (item, _) in enumerate(pairs) if isinstance(item, Call)), len(pairs))
    moved = [each for item, each in pairs[first:] if isinstance(item, Text | Reasoning)]
    stay = [each for item, each in pairs[first:] if not isinstance(item, Text | Reasoning)]
    return [*(each for _, each in pairs[:first]), *moved, *stay]


def _thinks(options: Mapping[str, Any]) -> bool:
    thinking = options.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("type") == "enabled"


def _budget(options: Mapping[str, Any]) -> int:
    """What thinking may take of ``max_tokens``, which must be more."""
    budget = options["thinking"].get("budget_tokens") if _thinks(options) else 0
    return budget if isinstance(budget, int) else 0


def _tools(settings: Settings) -> Rows:
    return [_tool(spec) for spec in settings.tools if spec.kind is not CallKind.MCP_APPROVAL]


def _tool(spec: ToolSpec) -> Block:
    tool: dict[str, Any] = {"name": spec.name}
    if spec.description:
        tool["description"] = spec.description
    match spec.kind:
        case CallKind.FUNCTION | CallKind.TOOL_SEARCH:
            tool["input_schema"] = {"type": "object", **spec.parameters}
        case CallKind.CUSTOM:
            tool["input_schema"] = _CUSTOM_INPUT
        case _:  # the parameters of these are not a schema, and the provider knows none for them here
            tool["input_schema"] = {"type": "object"}
    if spec.strict is not None:
        tool["strict"] = spec.strict
    return tool


_CUSTOM_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
