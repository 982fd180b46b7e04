"""The kinds of call that a client answers, as OpenAI Responses writes them.

One row per kind: the items on the wire, what they are called in errors, and how the call's neutral
arguments (always the text of a JSON object) become fields and come back. Encoder, decoder and check read
the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from turnlock.engine.items import Call, CallKind
from turnlock.wire.common.jsontext import arguments_of, as_object, dumps
from turnlock.wire.common.request import NAMELESS, ToolSpec
from turnlock.wire.common.rules import Rule
from turnlock.wire.openai_responses import rules

DIALECT = "openai_responses"
FUNCTION_OUTPUT = "function_call_output"
CALL_ID = "call_id"


@frozen
class Shape:
    """How one kind of call is written.

    Attributes:
        kind: The kind.
        call: The type of the call's item.
        output: The type of its output's item.
        label: What the provider's errors call it.
        rule: The rule that an unanswered call breaks.
        function_output: A plain function_call_output answers it too.
        id_field: The field of the call that carries its label.
        output_id_field: The field of the output that carries it.
        whole: The field that carries the arguments as one value; empty when ``parts`` does.
        parts: The fields that carry them one by one.
        blank: What stands for arguments that were cut off or broken: valid, and harmless if it were run.
        status: The call's item has a status.
        accepts: The types of output that answer it.
    """

    kind: CallKind
    call: str
    output: str
    label: str
    rule: Rule = rules.CALL_NO_OUTPUT_OTHER
    function_output: bool = False
    id_field: str = CALL_ID
    output_id_field: str = CALL_ID
    whole: str = ""
    parts: tuple[str, ...] = ()
    blank: Mapping[str, Any] = field(factory=dict)
    status: bool = True
    accepts: frozenset[str] = field(init=False)

    @accepts.default
    def _accepts(self) -> frozenset[str]:
        return frozenset({self.output, FUNCTION_OUTPUT} if self.function_output else {self.output})

    def arguments(self, item: Mapping[str, Any]) -> tuple[str, str]:
        """The neutral arguments of an item, and what is wrong with them."""
        if self.whole:
            return arguments_of(item.get(self.whole))
        return arguments_of({key: item[key] for key in self.parts if item.get(key) is not None})

    def fields(self, call: Call) -> dict[str, Any]:
        """The fields of the item that say the call's arguments."""
        if self.kind is CallKind.FUNCTION:
            return {self.whole: call.arguments}
        said = as_object(call.arguments)
        if self.whole:
            return {self.whole: said or self.blank}
        if self.kind is CallKind.COMPUTER:
            return {key: said[key] for key in self.parts if key in said} or dict(self.blank)
        return {key: _text(said.get(key)) or blank for key, blank in self.blank.items()}


def _text(value: object) -> str:
    """What a field of text holds; a value that is not text is sent as its JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value).decode()


SHAPES: Mapping[CallKind, Shape] = MappingProxyType(
    {
        shape.kind: shape
        for shape in (
            Shape(
                CallKind.FUNCTION,
                "function_call",
                FUNCTION_OUTPUT,
                "function call",
                rules.CALL_NO_OUTPUT,
                whole="arguments",
                status=False,
            ),
            Shape(
                CallKind.CUSTOM,
                "custom_tool_call",
                "custom_tool_call_output",
                "custom tool call",
                rules.CALL_NO_OUTPUT_CUSTOM,
                parts=("input",),
                blank={"input": ""},
                status=False,
            ),
            Shape(
                CallKind.LOCAL_SHELL,
                "local_shell_call",
                "local_shell_call_output",
                "local shell call",
                rules.CALL_NO_OUTPUT_LOCAL_SHELL,
                function_output=True,  # what the codex CLI sends
                whole="action",
                blank={"type": "exec", "command": [], "env": {}},
            ),
            Shape(
                CallKind.SHELL,
                "shell_call",
                "shell_call_output",
                "shell call",
                whole="action",
                blank={"commands": []},
            ),
            Shape(
                CallKind.APPLY_PATCH,
                "apply_patch_call",
                "apply_patch_call_output",
                "apply patch call",
                whole="operation",
                blank={"type": "update_file", "path": "", "diff": ""},
            ),
            Shape(
                CallKind.COMPUTER,
                "computer_call",
                "computer_call_output",
                "computer call",
                parts=("action", "actions"),
                blank={"action": {"type": "wait"}},
            ),
            Shape(
                CallKind.TOOL_SEARCH,
                "tool_search_call",
                "tool_search_output",
                "tool search call",
                function_output=True,  # recorded (RESP-TOOLSEARCH-SERVER)
                whole="arguments",
            ),
            Shape(
                CallKind.MCP_APPROVAL,
                "mcp_approval_request",
                "mcp_approval_response",
                "MCP approval request",
                rules.MCP_APPROVAL,
                id_field="id",
                output_id_field="approval_request_id",
                parts=("server_label", "name", "arguments"),
                blank={"server_label": NAMELESS, "name": NAMELESS, "arguments": "{}"},
                status=False,
            ),
        )
    }
)

BY_CALL: Mapping[str, Shape] = MappingProxyType({shape.call: shape for shape in SHAPES.values()})
BY_OUTPUT: Mapping[str, Shape] = MappingProxyType({shape.output: shape for shape in SHAPES.values()})

ID_PREFIXES: Mapping[str, str] = MappingProxyType(
    {"function_call": "fc", "reasoning": "rs", "message": "msg", "custom_tool_call": "ctc"}
)
"""How item ids begin (RESP-ITEMID-PREFIX); of other types no source says."""


def item_type(item: Mapping[str, Any]) -> str:
    """The type of an item; messages and references may leave it out."""
    kind = item.get("type")
    if isinstance(kind, str):
        return kind
    if "role" in item:
        return "message"
    return "item_reference" if "id" in item else ""


def by_provider(shape: Shape, item: Mapping[str, Any]) -> bool:
    """A call of this shape was, or is, executed by the provider: it wants no output of ours (R21)."""
    if shape.kind is CallKind.TOOL_SEARCH:
        return item.get("execution") != "client"
    environment = item.get("environment") if shape.kind is CallKind.SHELL else None
    return isinstance(environment, Mapping) and environment.get("type") != "local"


NAMED = frozenset({CallKind.FUNCTION, CallKind.CUSTOM})
"""The kinds of calls that carry a tool's name."""

_DESCRIBED = NAMED | {CallKind.TOOL_SEARCH}


def tool_row(spec: ToolSpec) -> Mapping[str, Any] | None:
    """A tool's entry in the request, if it has one."""
    tool: dict[str, Any] = {"type": spec.kind}
    if spec.kind in NAMED:
        tool["name"] = spec.name
    if spec.kind in _DESCRIBED and spec.description:
        tool["description"] = spec.description
    match spec.kind:
        case CallKind.FUNCTION:
            tool["parameters"] = spec.parameters or {"type": "object", "properties": {}}
            if spec.strict is not None:
                tool["strict"] = spec.strict
        case CallKind.CUSTOM:
            if spec.parameters:
                tool["format"] = spec.parameters
        case CallKind.TOOL_SEARCH:
            tool["execution"] = "client"
            if spec.parameters:
                tool["parameters"] = spec.parameters
        case CallKind.MCP_APPROVAL:
            return None  # a server's tools are named by an option; this one only answers for them
        case _:
            tool |= spec.parameters
    return tool
