"""A refusal reads as if the provider had answered."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from support.sdk import posted
from turnlock.errors import MissingExtra
from turnlock.guard.answers import refusal
from turnlock.guard.endpoints import FORMATS
from turnlock.wire import Severity, Violation

TEXT = "No."
OPENAI = {"message": TEXT, "type": "invalid_request_error", "code": None}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai_responses+stored", {"error": {**OPENAI, "param": "input"}}),
        ("deepseek_responses", {"error": {**OPENAI, "param": "input"}}),
        ("openai_chat", {"error": {**OPENAI, "param": "messages.[3].tool_calls.[0]"}}),
        ("groq", {"error": {**OPENAI, "param": "messages.[3].tool_calls.[0]"}}),
        ("mistral+hosted", {"object": "error", **OPENAI, "param": None}),
        (
            "anthropic+4.6",
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": TEXT},
                "request_id": None,
            },
        ),
        ("gemini+3", {"error": {"code": 400, "message": TEXT, "status": "INVALID_ARGUMENT"}}),
        ("bedrock_converse", {"message": TEXT}),
    ],
)
def test_every_envelope(dialect: str, body: dict[str, Any]) -> None:
    """R15: the provider's error, its literal words, and beside it what we know of the rule."""
    broken = Violation("RULE", Severity.ERROR, TEXT, "/messages/3/tool_calls/0")
    response = refusal(posted("http://x/", b"{}"), dialect, [broken])
    said = response.json()
    (told,) = said.pop("turnlock")
    assert said == body
    assert told["rule"] == response.headers["x-turnlock-refused"] == "RULE"
    assert response.headers["x-should-retry"] == "false"
    assert response.headers.get("x-amzn-errortype") == (
        "ValidationException" if dialect == "bedrock_converse" else None
    )


def test_every_dialect_has_one() -> None:
    """A dialect of the table cannot be without words."""
    for dialect in FORMATS:
        refusal(posted("http://x/", b"{}"), dialect, [Violation("RULE", Severity.ERROR, TEXT, "")])


def test_without_httpx2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room says which extra it needs."""
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "turnlock.guard")
    with pytest.raises(MissingExtra, match=r"turnlock\[guard\]"):
        __import__("turnlock.guard")
