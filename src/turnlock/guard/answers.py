"""The local 400: a refusal that reads as if the provider had answered.

Owns the envelopes, so that an SDK raises its own typed error with the provider's literal words and existing
handlers keep working. Headers say that the answer is ours, and that asking again is of no use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import msgspec

from turnlock.guard.dialects import plain
from turnlock.guard.endpoints import ANTHROPIC, CONVERSE, FORMATS, GEMINI, RESPONSES
from turnlock.guard.memory import Answer
from turnlock.wire import Violation

HEADER = "x-turnlock-refused"
"""The header of every local answer: the id of the rule."""
AGAIN = "R20"
"""The rule of an answer that the provider has already given to the same bytes."""
_LOCAL = {"x-should-retry": "false"}  # the SDKs of OpenAI and Anthropic obey it


def refusal(request: httpx2.Request, dialect: str, violations: Sequence[Violation]) -> httpx2.Response:
    """A 400 for a body that breaks these rules; the first is the one that the provider would name."""
    body = {**envelope(dialect, violations[0]), "turnlock": [as_data(one) for one in violations]}
    headers = {"content-type": "application/json", HEADER: violations[0].rule, **_LOCAL}
    if plain(dialect) == CONVERSE:
        headers["x-amzn-errortype"] = "ValidationException"
    return httpx2.Response(400, headers=headers, content=msgspec.json.encode(body), request=request)


def again(request: httpx2.Request, answer: Answer) -> httpx2.Response:
    """What the provider answered to the same bytes before, byte by byte."""
    headers = [*answer.headers, (HEADER, AGAIN), *_LOCAL.items()]
    return httpx2.Response(
        answer.status,
        headers=headers,
        stream=httpx2.ByteStream(answer.content),
        request=request,
    )


def envelope(dialect: str, violation: Violation) -> Mapping[str, Any]:
    """An error as the provider of the dialect writes it."""
    text, name = violation.message, plain(dialect)
    shape = FORMATS[name][0]
    if name == "mistral":
        return {
            "object": "error",
            "message": text,
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    if shape == ANTHROPIC:
        error = {"type": "invalid_request_error", "message": text}
        return {"type": "error", "error": error, "request_id": None}
    if shape == GEMINI:
        return {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}
    if shape == CONVERSE:
        return {"message": text}
    param = "input" if shape == RESPONSES else _dotted(violation.at)
    return {"error": {"message": text, "type": "invalid_request_error", "param": param, "code": None}}


def as_data(violation: Violation) -> dict[str, Any]:
    """A violation as plain data, for answers and captures."""
    return {
        "rule": violation.rule,
        "severity": str(violation.severity),
        "message": violation.message,
        "at": violation.at,
        "call_ids": list(violation.call_ids),
    }


def _dotted(pointer: str) -> str | None:
    """A JSON pointer as Chat Completions writes a place: ``messages.[3].tool_calls``."""
    return re.sub(r"/(\d+)", r".[\1]", pointer).lstrip("/").replace("/", ".") or None
