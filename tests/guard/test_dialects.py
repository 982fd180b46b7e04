"""Which requests are ours, and what they speak."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.guard.dialects import dialect_of, plain, told_by_path
from turnlock.guard.endpoints import CLUES, FORMATS, HOSTS, PATHS, TRANSCRIPTS
from turnlock.wire import DIALECTS, check

MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "go"}]}
INPUT: dict[str, Any] = {"input": [{"role": "user", "content": "go"}]}
CONTENTS: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "go"}]}]}
VERTEX = "us-central1-aiplatform.googleapis.com"
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("host", "path", "body", "dialect"),
    [
        ("api.openai.com", "/v1/responses", INPUT, "openai_responses"),
        ("api.openai.com", "/v1/responses/", {"input": "go"}, "openai_responses"),
        ("x.openai.azure.com", "/openai/deployments/d/chat/completions", MESSAGES, "openai_chat"),
        ("127.0.0.1", "/p1/v1/chat/completions", MESSAGES, "openai_chat"),
        ("api.groq.com", "/openai/v1/chat/completions", MESSAGES, "groq"),
        ("api.deepseek.com", "/chat/completions", MESSAGES, "deepseek_chat"),
        ("api.deepseek.com", "/responses", INPUT, "deepseek_responses"),
        (
            "api.deepseek.com",
            "/chat/completions",
            {**MESSAGES, "thinking": {"type": "enabled"}},
            "deepseek_chat+thinking",
        ),
        ("api.deepseek.com", "/anthropic/v1/messages", MESSAGES, "anthropic"),
        ("api.moonshot.cn", "/v1/chat/completions", MESSAGES, "moonshot"),
        (
            "api.moonshot.ai",
            "/v1/chat/completions",
            {**MESSAGES, "model": "kimi-k2-thinking"},
            "moonshot+thinking",
        ),
        ("api.minimaxi.com", "/anthropic/v1/messages", MESSAGES, "minimax"),
        ("api.mistral.ai", "/v1/chat/completions", MESSAGES, "mistral+hosted"),
        ("notapi.mistral.ai.example", "/v1/chat/completions", MESSAGES, "openai_chat"),
        ("dashscope-intl.aliyuncs.com", "/compatible-mode/v1/chat/completions", MESSAGES, "dashscope_qwen"),
        ("api.anthropic.com", "/v1/messages", {**MESSAGES, "model": "claude-opus-4-6"}, "anthropic+4.6"),
        (
            "api.anthropic.com",
            "/v1/messages",
            {**MESSAGES, "model": "claude-sonnet-5"},
            "anthropic+4.6",
        ),
        ("gateway", "/v1/messages", {**MESSAGES, "model": "anthropic/claude-haiku-4.7"}, "anthropic+4.6"),
        ("api.anthropic.com", "/v1/messages", {**MESSAGES, "model": "claude-opus-4-20250514"}, "anthropic"),
        ("api.anthropic.com", "/v1/messages", {**MESSAGES, "model": "claude-opus-4-5-20251101"}, "anthropic"),
        ("api.anthropic.com", "/v1/messages", {**MESSAGES, "model": "claude-3-7-sonnet-latest"}, "anthropic"),
        ("g", "/v1beta/models/gemini-3-pro-preview:streamGenerateContent", CONTENTS, "gemini+3"),
        ("g", "/v1beta/models/gemini-3.1-flash:generateContent", CONTENTS, "gemini+3"),
        ("g", "/v1beta/models/gemini-2.5-pro:generateContent", CONTENTS, "gemini"),
        (VERTEX, "/v1/p/google/models/gemini-3-pro:generateContent", CONTENTS, "gemini+3+vertex"),
        (
            "aiplatform.googleapis.com",
            "/v1/models/gemini-2.5:generateContent",
            CONTENTS,
            "gemini+vertex",
        ),
        (
            VERTEX,
            "/v1/p/publishers/anthropic/models/claude-opus-4-6@20260101:streamRawPredict",
            {**MESSAGES, "anthropic_version": "v"},
            "anthropic+4.6",
        ),
        ("bedrock", "/model/us.amazon.nova-pro-v1:0/converse-stream", MESSAGES, "bedrock_converse"),
        ("bedrock", "/model/arn:aws:b::x/meta.llama4-a/converse", MESSAGES, "bedrock_converse+unmixed_user"),
        ("bedrock", "/model/a.claude-3-v1:0/invoke", {**MESSAGES, "anthropic_version": "b"}, "anthropic"),
        # Not ours.
        ("api.openai.com", "/v1/embeddings", {"input": ["a"], "model": "m"}, ""),
        ("api.openai.com", "/v1/moderations", {"input": [{"type": "text", "text": "a"}]}, ""),
        ("api.openai.com", "/v1/responses/input_tokens", INPUT, ""),
        ("api.openai.com", "/v1/responses/resp_1/cancel", {}, ""),
        ("api.openai.com", "/v1/completions", {"prompt": "a"}, ""),
        ("api.openai.com", "/v1/threads/t/messages", MESSAGES, ""),
        ("api.openai.com", "/v1/responses", {"prompt": {"id": "p"}}, ""),
        ("api.anthropic.com", "/v1/messages/count_tokens", MESSAGES, ""),
        ("api.anthropic.com", "/v1/messages/batches", {"requests": []}, ""),
        ("g", "/v1beta/models/gemini-3-pro:countTokens", CONTENTS, ""),
        ("g", "/v1beta/models/gemini-3-pro:batchGenerateContent", {"batch": {}}, ""),
        ("g", "/v1internal:generateContent", {"model": "m", "request": CONTENTS}, ""),
        ("bedrock", "/model/meta.llama3/invoke", {"prompt": "a"}, ""),
        ("anywhere", "/ask", MESSAGES, ""),
        ("anywhere", "/ask", {"messages": "go"}, ""),
        ("anywhere", "/v1/messages", {"messages": ["go"]}, ""),
    ],
)
def test_by_address(host: str, path: str, body: dict[str, Any], dialect: str) -> None:
    """The address tells the format, host and model the profiles; token counts and the like are left alone."""
    assert dialect_of(host, path, body) == dialect


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"messages": [{"role": "assistant", "tool_calls": CALLS}]}, "openai_chat"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}, "openai_chat"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]},
            "anthropic",
        ),
        ({"messages": [{"role": "assistant", "content": [{"toolUse": {}}]}]}, "bedrock_converse"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f"}}]}]}, "gemini"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "openai_responses"),
        ({"input": [{"type": "local_shell_call", "call_id": "c"}]}, "openai_responses"),
        ({"input": [{"type": "message", "role": "user", "content": "go"}]}, ""),
        ({"contents": [{"parts": [{"text": "go"}]}]}, ""),
    ],
)
def test_by_shape(body: dict[str, Any], dialect: str) -> None:
    """At an address that nobody knows, a transcript with calls in it tells its format."""
    assert dialect_of("gateway", "/ask", body) == dialect


def test_what_the_application_says() -> None:
    """A dialect that is given is believed for its own format, also at unknown addresses."""
    assert dialect_of("gateway", "/v1/chat/completions", MESSAGES, "mistral+hosted") == "mistral+hosted"
    assert dialect_of("gateway", "/v1/agents/ask", MESSAGES, "mistral+hosted") == "mistral+hosted"
    assert dialect_of("gateway", "/v1/messages", MESSAGES, "mistral+hosted") == "anthropic"
    assert dialect_of("gateway", "/v1/messages/count_tokens", MESSAGES, "anthropic+4.6") == ""
    assert dialect_of("gateway", "/v1/embeddings", {"input": ["a"]}, "openai_responses") == ""


def test_only_known_addresses_are_read() -> None:
    """A stream of bytes is read only where the address says that it is a conversation."""
    assert told_by_path("/v1/responses") is True
    assert told_by_path("/v1/files") is False
    assert told_by_path("/ask") is None


def test_the_tables_fit_together() -> None:
    """Every dialect of wire has its formats, and every profile that a table tells is one of wire's."""
    assert [dialect for dialect in DIALECTS if dialect not in FORMATS] == []
    assert {shape for shapes in FORMATS.values() for shape in shapes} == TRANSCRIPTS.keys()
    assert {row.format for row in PATHS} == TRANSCRIPTS.keys()
    told = [dialect for _, _, dialect in HOSTS] + [f"{clue.dialect}+{clue.profile}" for clue in CLUES]
    for dialect in told:
        assert plain(dialect) in FORMATS
        if plain(dialect) in DIALECTS:
            check({}, dialect)
