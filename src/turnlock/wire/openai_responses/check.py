"""Looks for violations of the rules of OpenAI Responses in a request body.

What a body cannot show, the calls that the provider holds, the walk is told in ``open_calls``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from attrs import define, field

from turnlock.engine.items import CallKind
from turnlock.wire.common.ids import ID_MAX
from turnlock.wire.common.pairing import HELD, Adjacent, Anywhere, Finding, Flaw
from turnlock.wire.common.rules import Rule, Severity
from turnlock.wire.common.walk import WHOLE, Found, Walk
from turnlock.wire.openai_responses import rules
from turnlock.wire.openai_responses.kinds import (
    BY_CALL,
    BY_OUTPUT,
    CALL_ID,
    ID_PREFIXES,
    Shape,
    by_provider,
    item_type,
)

_MADE_BY_MODEL = frozenset(
    {
        *BY_CALL,
        "code_interpreter_call",
        "file_search_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "reasoning",
        "web_search_call",
    }
)
_RULES: Mapping[Flaw, Rule] = {
    Flaw.NO_CALL: rules.OUTPUT_NO_CALL,
    Flaw.BEFORE_CALL: rules.OUTPUT_BEFORE_CALL,
    Flaw.SECOND_CALL: rules.DUP_CALL_ID,
    Flaw.REUSED_ID: rules.DUP_CALL_ID,
    Flaw.SECOND_ANSWER: rules.DUP_CALL_ID,
}


@define(eq=False)
class _InputWalk(Walk):
    """What both servers of the format share."""

    rows_field: ClassVar[str] = "input"

    def rows_in(self, body: Mapping[str, Any]) -> tuple[Iterable[object], str]:
        """The input items; text is one message, and no input is none."""
        rows = body.get("input")
        if rows is None or isinstance(rows, str):
            return (), ""
        if isinstance(rows, list | tuple):
            return rows, ""
        return (), "input is neither text nor a list of items"


@define(eq=False)
class DeepSeekWalk(_InputWalk):
    """The same format at DeepSeek: outputs directly behind their calls, item ids free, no history held."""

    pairs: Adjacent = field(init=False, factory=lambda: Adjacent(runs=True))

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        kind = item_type(row)
        call, output = BY_CALL.get(kind), BY_OUTPUT.get(kind)
        call_id: object = None
        if call is not None and not by_provider(call, row):
            call_id = row.get(call.id_field)
        elif output is not None and not by_provider(output, row):
            call_id = row.get(output.output_id_field)
        if not isinstance(call_id, str):
            self.pairs.other()
        elif call is not None:
            self.pairs.call(at, call_id)
        else:
            self.pairs.answer(at, call_id)

    def _pending(self) -> Iterator[Found]:
        for finding in self.pairs.findings():
            # A second output has no call of its own: what DeepSeek folds it into would be refused too.
            unanswered = finding.flaw is Flaw.UNANSWERED
            rule = rules.DEEPSEEK_ADJACENT if unanswered else rules.DEEPSEEK_OUTPUT_NO_CALL
            yield from self._broken(finding.at, rule, finding.ids, call_id=finding.ids[0])


@define(eq=False)
class ResponsesWalk(_InputWalk):
    """OpenAI's own rules."""

    pairs: Anywhere = field(init=False, factory=Anywhere)
    by_provider: set[str] = field(init=False, factory=set)  # ids of calls that want no output of ours
    refers: bool = field(init=False, default=False)  # items stand here by reference: they may be calls
    item_ids: set[str] = field(init=False, factory=set)
    thoughts: list[tuple[int, str]] = field(init=False, factory=list)  # reasoning that waits for its item
    reasoned: bool = field(init=False, default=False)  # there was reasoning since the last message of ours
    trigger: int | None = field(init=False, default=None)  # a compaction_trigger that must be the last item
    shapes: dict[int, Shape] = field(init=False, factory=dict)  # of the rows that are calls or outputs

    def _look_at(self, at: int, row: Mapping[str, Any]) -> None:
        if self.trigger is not None:
            self._add(self.trigger, rules.COMPACTION_LAST)
            self.trigger = None
        kind = item_type(row)
        if (shape := BY_CALL.get(kind)) is not None:
            self._look_at_call(at, row, shape)
        elif (shape := BY_OUTPUT.get(kind)) is not None:
            self._look_at_output(at, row, shape)
        elif kind == "item_reference":
            self.refers = True
        elif kind == "compaction_trigger":
            self.trigger = at
        item_id = row.get("id")
        if isinstance(item_id, str):
            self._look_at_id(at, kind, row, item_id)
        self._look_for_reasoning(at, kind, row)
        if kind != "reasoning":
            self._look_behind_thoughts(kind, row)
        elif isinstance(item_id, str):
            self.thoughts.append((at, item_id))

    def _look_at_call(self, at: int, row: Mapping[str, Any], shape: Shape) -> None:
        call_id = row.get(shape.id_field)
        hosted = by_provider(shape, row)
        if isinstance(call_id, str):
            self._look_at_label(at, call_id, shape.id_field)
            self.shapes[at] = shape
            self.pairs.call(at, call_id, shape.accepts)
            if hosted:
                self.by_provider.add(call_id)
        elif not hosted and shape.id_field == CALL_ID:
            self._add(at, rules.CALLID_EMPTY, below=f"/{CALL_ID}")

    def _look_at_output(self, at: int, row: Mapping[str, Any], shape: Shape) -> None:
        call_id = row.get(shape.output_id_field)
        if isinstance(call_id, str):
            self._look_at_label(at, call_id, shape.output_id_field)
            self.shapes[at] = shape
            self.pairs.answer(at, call_id, shape.output)
            if shape.kind is CallKind.TOOL_SEARCH and row.get("execution") != "client":
                self.by_provider.add(call_id)

    def _look_at_label(self, at: int, call_id: str, name: str) -> None:
        if name == CALL_ID and not call_id:
            self._add(at, rules.CALLID_EMPTY, below=f"/{name}")
        elif name == CALL_ID and len(call_id) > ID_MAX:
            self._add(at, rules.CALLID_LEN, (call_id,), below=f"/{name}", n=len(call_id))

    def _look_at_id(self, at: int, kind: str, row: Mapping[str, Any], item_id: str) -> None:
        by_model = kind in _MADE_BY_MODEL or (kind == "message" and row.get("role") == "assistant")
        held = by_model and self.envelope.get("previous_response_id") is not None
        if (shape := BY_CALL.get(kind)) is not None and shape.id_field == "id":
            held = item_id in self.open_calls  # the id is its label: it is not sent without
        if item_id in self.item_ids or held:
            self._add(at, rules.DUP_ITEM_ID, below="/id", item_id=item_id)
        self.item_ids.add(item_id)
        prefix = ID_PREFIXES.get(kind, "")
        if not item_id.startswith(prefix):
            self._add(at, rules.ITEMID_PREFIX, below="/id", item_id=item_id, prefix=prefix)
        referred = kind == "item_reference" or (kind == "reasoning" and not row.get("encrypted_content"))
        if referred and self.envelope.get("store") is False:
            self._add(at, rules.STORE_FALSE_REF, below="/id", item_id=item_id)

    def _look_for_reasoning(self, at: int, kind: str, row: Mapping[str, Any]) -> None:
        """What was made with reasoning is sent with it, if it is sent as the stored item that it is."""
        by_model = row.get("role") == "assistant" if kind == "message" else kind == "function_call"
        if kind in ("reasoning", "item_reference"):
            self.reasoned = True  # what a reference refers to may be reasoning
        elif kind == "message" and not by_model:
            self.reasoned = False
        elif by_model and not self.reasoned and isinstance(item_id := row.get("id"), str) and self._reasons():
            names = {"item_id": item_id, "kind": kind, "reasoning": "rs_…"}
            self._add(at, rules.CALL_NEEDS_REASONING, _labels(row), below="/id", **names)

    def _reasons(self) -> bool:
        """The model may have reasoned about what stands here, and the provider does not hold that itself."""
        model = self.envelope.get("model")
        if isinstance(model, str) and model.startswith(_NO_REASONING):
            return False
        held = (self.envelope.get(name) for name in ("previous_response_id", "conversation"))
        return self.envelope.get("store") is not False and all(each is None for each in held)

    def _look_behind_thoughts(self, kind: str, row: Mapping[str, Any]) -> None:
        """Reasoning must be followed by what the model made with it, under its id."""
        if self.thoughts:
            ours = kind in BY_OUTPUT or (kind == "message" and row.get("role") != "assistant")
            if ours or not row.get("id"):
                self._found.extend(self._alone())
            self.thoughts.clear()

    def _alone(self) -> Iterator[Found]:
        """Reasoning behind which its item does not stand."""
        severity = Severity.WARNING if self.envelope.get("store") is False else None
        for at, item_id in self.thoughts:
            yield from self._broken(at, rules.REASONING_FOLLOW, severity=severity, item_id=item_id)

    def _pending(self) -> Iterator[Found]:
        yield from self._alone()
        held = self.refers or any(
            self.envelope.get(name) is not None for name in ("previous_response_id", "conversation")
        )
        # Who says which calls are held has said all of them; else an output may answer one that is.
        orphans = held and not self.open_calls
        for finding in self.pairs.findings(self.open_calls, optional=self.by_provider, orphans=orphans):
            yield from self._broken_pair(finding)

    def _broken_pair(self, finding: Finding) -> Iterator[Found]:
        call_id = finding.ids[0]
        if finding.at == HELD:
            yield from self._broken(WHOLE, rules.PREV_PENDING, finding.ids, call_id=call_id)
            return
        shape = self.shapes[finding.at]
        rule = shape.rule if finding.flaw is Flaw.UNANSWERED else _RULES[finding.flaw]
        severity = Severity.ERROR if finding.flaw in _NOT_ONE_EACH else None
        if shape.kind is CallKind.MCP_APPROVAL:
            rule, severity = rules.MCP_APPROVAL, None
        names = {"call_id": call_id, "label": shape.label}
        yield from self._broken(finding.at, rule, finding.ids, severity=severity, **names)


def _labels(row: Mapping[str, Any]) -> tuple[str, ...]:
    label = row.get(CALL_ID)
    return (label,) if isinstance(label, str) else ()


_NO_REASONING = ("gpt-3", "gpt-4", "chatgpt-")
"""How the names of models begin that do not reason, so that their items were made without."""

_NOT_ONE_EACH = frozenset({Flaw.SECOND_CALL, Flaw.SECOND_ANSWER})
"""A call without an output, or with two, is an error everywhere (RESP-CALL-NO-OUTPUT: exactly one). An id
that comes again with a whole pair of its own is one at strict servers only."""
