"""Looks for violations of the rules of OpenAI Responses in a request body.

Linear in the number of input items. It must never fail: whatever JSON it is given, it answers with
violations. What it cannot see, the calls that the provider holds, it is told in ``open_calls``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from attrs import define, field

from turnlock.engine.items import CallKind
from turnlock.wire.ids import ID_MAX
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
from turnlock.wire.pairing import HELD, Adjacent, Anywhere, Finding, Flaw
from turnlock.wire.rules import UNREADABLE, Rule, Severity, Violation

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
    Flaw.SECOND_ANSWER: rules.DUP_CALL_ID,
}


def check_responses(body: Mapping[str, Any], open_calls: Collection[str]) -> list[Violation]:
    """Every violation of OpenAI's own rules, in the order of the body."""
    return _Check(body).run(frozenset(open_calls))


def check_deepseek(body: Mapping[str, Any], _open_calls: Collection[str]) -> list[Violation]:
    """The same format at DeepSeek: outputs directly behind their calls, item ids free, no history held."""
    return _DeepSeekCheck(body).run()


@define(eq=False)
class _Report:
    """What was found in one body."""

    body: Mapping[str, Any]
    found: list[tuple[int, Violation]] = field(init=False, factory=list)

    def items(self) -> Sequence[object]:
        """The input items; text is one message, and no input is none."""
        items = self.body.get("input")
        if items is None or isinstance(items, str):
            return ()
        if isinstance(items, list | tuple):
            return items
        self.add(HELD, UNREADABLE, problem="input is neither text nor a list of items")
        return ()

    def add(
        self,
        at: int,
        rule: Rule,
        call_ids: tuple[str, ...] = (),
        *,
        below: str = "",
        severity: Severity | None = None,
        **names: object,
    ) -> None:
        where = "/input" if at == HELD else f"/input/{at}{below}"
        self.found.append((at, rule.broken(where, call_ids, severity=severity, i=at, **names)))

    def in_order(self) -> list[Violation]:
        self.found.sort(key=lambda entry: entry[0])
        return [violation for _, violation in self.found]


@define(eq=False)
class _DeepSeekCheck(_Report):
    pairs: Adjacent = field(init=False, factory=lambda: Adjacent(runs=True))

    def run(self) -> list[Violation]:
        for at, item in enumerate(self.items()):
            if not isinstance(item, Mapping):
                self.add(at, UNREADABLE, problem=f"input[{at}] is not an object")
                continue
            kind = item_type(item)
            call, output = BY_CALL.get(kind), BY_OUTPUT.get(kind)
            if call is not None and isinstance(call_id := item.get(call.id_field), str):
                self.pairs.call(at, call_id)
            elif output is not None and isinstance(call_id := item.get(output.output_id_field), str):
                self.pairs.answer(at, call_id)
            else:
                self.pairs.other()
        for finding in self.pairs.findings():
            rule, severity = rules.DEEPSEEK_OUTPUT_NO_CALL, None
            if finding.flaw is Flaw.UNANSWERED:
                rule = rules.DEEPSEEK_ADJACENT
            elif finding.flaw is Flaw.SECOND_ANSWER:
                severity = Severity.WARNING  # nobody saw what DeepSeek says to a second output
            self.add(finding.at, rule, finding.ids, severity=severity, call_id=finding.ids[0])
        return self.in_order()


@define(eq=False)
class _Check(_Report):
    pairs: Anywhere = field(init=False, factory=Anywhere)
    by_provider: set[str] = field(init=False, factory=set)  # ids of calls that want no output of ours
    refers: bool = field(init=False, default=False)  # items stand here by reference: they may be calls
    item_ids: set[str] = field(init=False, factory=set)
    thoughts: list[tuple[int, str]] = field(init=False, factory=list)  # reasoning that waits for its item

    def run(self, open_calls: frozenset[str]) -> list[Violation]:
        items = self.items()
        for at, item in enumerate(items):
            if isinstance(item, Mapping):
                self.look_at(at, item)
            else:
                self.add(at, UNREADABLE, problem=f"input[{at}] is not an object")
        self.settle_thoughts(followed=False)
        held = self.refers or any(
            self.body.get(name) is not None for name in ("previous_response_id", "conversation")
        )
        # Who says which calls are held has said all of them; else an output may answer one that is.
        orphans = held and not open_calls
        for finding in self.pairs.findings(open_calls, optional=self.by_provider, orphans=orphans):
            self.add_finding(finding, items)
        return self.in_order()

    def look_at(self, at: int, item: Mapping[str, Any]) -> None:
        kind = item_type(item)
        if (shape := BY_CALL.get(kind)) is not None:
            self.look_at_call(at, item, shape)
        elif (shape := BY_OUTPUT.get(kind)) is not None:
            self.look_at_output(at, item, shape)
        elif kind == "item_reference":
            self.refers = True
        item_id = item.get("id")
        if isinstance(item_id, str):
            self.look_at_id(at, kind, item, item_id)
        if kind == "reasoning":
            if isinstance(item_id, str):
                self.thoughts.append((at, item_id))
        elif self.thoughts:
            ours = kind in BY_OUTPUT or (kind == "message" and item.get("role") != "assistant")
            self.settle_thoughts(followed=bool(item_id) and not ours)
        if kind == "compaction_trigger" and at + 1 < len(self.items()):
            self.add(at, rules.COMPACTION_LAST)

    def look_at_call(self, at: int, item: Mapping[str, Any], shape: Shape) -> None:
        call_id = item.get(shape.id_field)
        hosted = by_provider(shape, item)
        if isinstance(call_id, str):
            self.look_at_label(at, call_id, shape.id_field)
            self.pairs.call(at, call_id, shape.accepts)
            if hosted:
                self.by_provider.add(call_id)
        elif not hosted and shape.id_field == CALL_ID:
            self.add(at, rules.CALLID_EMPTY, below=f"/{CALL_ID}")

    def look_at_output(self, at: int, item: Mapping[str, Any], shape: Shape) -> None:
        call_id = item.get(shape.output_id_field)
        if isinstance(call_id, str):
            self.look_at_label(at, call_id, shape.output_id_field)
            self.pairs.answer(at, call_id, shape.output)
            if shape.kind is CallKind.TOOL_SEARCH and item.get("execution") != "client":
                self.by_provider.add(call_id)

    def look_at_label(self, at: int, call_id: str, name: str) -> None:
        if name == CALL_ID and not call_id:
            self.add(at, rules.CALLID_EMPTY, below=f"/{name}")
        elif name == CALL_ID and len(call_id) > ID_MAX:
            self.add(at, rules.CALLID_LEN, (call_id,), below=f"/{name}", n=len(call_id))

    def look_at_id(self, at: int, kind: str, item: Mapping[str, Any], item_id: str) -> None:
        by_model = kind in _MADE_BY_MODEL or (kind == "message" and item.get("role") == "assistant")
        if item_id in self.item_ids or (by_model and self.body.get("previous_response_id") is not None):
            self.add(at, rules.DUP_ITEM_ID, below="/id", item_id=item_id)
        self.item_ids.add(item_id)
        prefix = ID_PREFIXES.get(kind, "")
        if not item_id.startswith(prefix):
            self.add(at, rules.ITEMID_PREFIX, below="/id", item_id=item_id, prefix=prefix)
        referred = kind == "item_reference" or (kind == "reasoning" and not item.get("encrypted_content"))
        if referred and self.body.get("store") is False:
            self.add(at, rules.STORE_FALSE_REF, below="/id", item_id=item_id)

    def settle_thoughts(self, *, followed: bool) -> None:
        """The item behind a run of reasoning is there, or the end is."""
        if not followed:
            severity = Severity.WARNING if self.body.get("store") is False else None
            for at, item_id in self.thoughts:
                self.add(at, rules.REASONING_FOLLOW, severity=severity, item_id=item_id)
        self.thoughts.clear()

    def add_finding(self, finding: Finding, items: Sequence[Any]) -> None:
        call_id = finding.ids[0]
        if finding.at == HELD:
            self.add(HELD, rules.PREV_PENDING, finding.ids, call_id=call_id)
            return
        kind = item_type(items[finding.at])
        shape = BY_CALL[kind] if kind in BY_CALL else BY_OUTPUT[kind]
        rule = shape.rule if finding.flaw is Flaw.UNANSWERED else _RULES[finding.flaw]
        if shape.kind is CallKind.MCP_APPROVAL:
            rule = rules.MCP_APPROVAL
        self.add(finding.at, rule, finding.ids, call_id=call_id, label=shape.label)
