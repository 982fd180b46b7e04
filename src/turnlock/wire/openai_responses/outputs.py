"""Outputs of calls, as OpenAI Responses wants them: one function per kind.

Each says what became of the call with the means of its kind: text where that is all there is, the kind's
own failure or timeout where it has one. A tool's native value is taken
when it has the kind's shape, and never when the provider has refused it (R20).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from attrs import evolve

from turnlock.engine.items import Call, CallKind, Output
from turnlock.engine.outcome import Cause
from turnlock.wire.common.jsontext import as_json, as_object, dumps
from turnlock.wire.openai_responses.kinds import DIALECT, FUNCTION_OUTPUT, SHAPES

Row = dict[str, Any]

NO_SCREENSHOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe"
    "/AAAAABJRU5ErkJggg=="
)
"""One black pixel: what a computer call is answered with when there is nothing to see."""

_TIMED_OUT = frozenset({Cause.DEADLINE, Cause.IDLE, Cause.NO_ANSWER})  # they end a call as timed_out
_EXIT_FAILED = 1
_PARTS = ("input_text", "input_image", "input_file")  # no set: any JSON may stand for a type


def output_rows(call: Call, wire_id: str, output: Output, *, dialect: str = DIALECT) -> Sequence[Row]:
    """The rows of an output; the first is the one that answers the call.

    Only a computer call may have a second: its output is a screenshot and nothing else, so where there is
    none, a developer message directly behind it tells the model what happened.
    """
    if call.origin is not None and call.origin.dialect != dialect:
        call = evolve(call, origin=None)  # its item was written without what only its provider understands
    shape = SHAPES[call.kind]
    row = {"type": shape.output, shape.output_id_field: wire_id, **_SAY[call.kind](call, output)}
    if call.origin is not None and call.origin.item.get("caller") is not None:
        row["caller"] = call.origin.item["caller"]
    if call.kind is CallKind.COMPUTER and _screenshot(output) is None:
        return row, {"role": "developer", "content": output.model_text}
    return (row,)


def _native(output: Output) -> object:
    """What the tool returned, if that may be sent."""
    return output.outcome.native if output.outcome.ok and output.refused is None else None


def _native_list(output: Output, fits: Callable[[Mapping[str, Any]], bool]) -> object:
    """A native value that is a list of objects of a shape, as JSON; else None."""
    native = _native(output)
    if not isinstance(native, list | tuple) or not native:
        return None
    return as_json(native) if all(isinstance(part, Mapping) and fits(part) for part in native) else None


def _text_or_parts(_call: Call, output: Output) -> Row:
    return {"output": _native_list(output, lambda part: part.get("type") in _PARTS) or output.model_text}


def _local_shell(_call: Call, output: Output) -> Row:
    text = output.model_text
    return {"output": text if as_object(text) else dumps({"output": text}).decode()}


def _shell(call: Call, output: Output) -> Row:
    outcome: Row = {"type": "exit", "exit_code": 0 if output.outcome.ok else _EXIT_FAILED}
    if output.outcome.cause in _TIMED_OUT:
        outcome = {"type": "timeout"}
    stdout, stderr = (output.model_text, "") if output.outcome.ok else ("", output.model_text)
    said = _native_list(output, _is_shell_chunk)
    row: Row = {"output": said or [{"stdout": stdout, "stderr": stderr, "outcome": outcome}]}
    limit = as_object(call.arguments).get("max_output_length")
    if isinstance(limit, int):
        row["max_output_length"] = limit  # the provider wants its own limit back
    return row


def _is_shell_chunk(chunk: Mapping[str, Any]) -> bool:
    outcome = chunk.get("outcome")
    if not isinstance(outcome, Mapping):
        return False
    ended = outcome.get("type") == "timeout" or isinstance(outcome.get("exit_code"), int)
    return ended and isinstance(chunk.get("stdout"), str) and isinstance(chunk.get("stderr"), str)


def _apply_patch(_call: Call, output: Output) -> Row:
    return {"status": "completed" if output.outcome.ok else "failed", "output": output.model_text}


def _computer(call: Call, output: Output) -> Row:
    shown = _screenshot(output) or {"image_url": NO_SCREENSHOT}
    row: Row = {"output": {"type": "computer_screenshot", **shown}}
    # A check that stays unacknowledged would keep the history from ever being sent again. Whoever let the
    # call run has seen it in the call's origin; a call that did not run acknowledges nothing that matters.
    checks = call.origin.item.get("pending_safety_checks") if call.origin is not None else None
    if checks:
        row["acknowledged_safety_checks"] = checks
    return row


def _screenshot(output: Output) -> Row | None:
    """The tool's own image: a URL, or an object that has one or names a file."""
    native = _native(output)
    if isinstance(native, str) and native.startswith(("data:image/", "https://", "http://")):
        return {"image_url": native}
    fields = native if isinstance(native, Mapping) else {}
    return {key: fields[key] for key in ("image_url", "file_id") if isinstance(fields.get(key), str)} or None


def _tool_search(_call: Call, output: Output) -> Row:
    native = _native(output)
    found = as_json(native) if isinstance(native, list | tuple) else None
    if found is None:
        return {"type": FUNCTION_OUTPUT, "output": output.model_text}
    return {"execution": "client", "status": "completed", "tools": found}


def _mcp_approval(_call: Call, output: Output) -> Row:
    if output.outcome.ok and output.refused is None:
        return {"approve": True}
    return {"approve": False, "reason": output.model_text}


_SAY: Mapping[CallKind, Callable[[Call, Output], Row]] = MappingProxyType(
    {
        CallKind.FUNCTION: _text_or_parts,
        CallKind.CUSTOM: _text_or_parts,
        CallKind.LOCAL_SHELL: _local_shell,
        CallKind.SHELL: _shell,
        CallKind.APPLY_PATCH: _apply_patch,
        CallKind.COMPUTER: _computer,
        CallKind.TOOL_SEARCH: _tool_search,
        CallKind.MCP_APPROVAL: _mcp_approval,
    }
)
