"""Which requests are ours, as data: paths, hosts, names of models → dialects of ``turnlock.wire``.

Owns what is known of providers' addresses and models; ``dialects.py`` reads it. A row stands here only where
it is sure: a wrong one would refuse what a provider accepts. Whoever knows better says ``dialect=``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from attrs import frozen

RESPONSES, CHAT, ANTHROPIC = "openai_responses", "openai_chat", "anthropic"
GEMINI, CONVERSE = "gemini", "bedrock_converse"

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        RESPONSES: (RESPONSES,),
        "deepseek_responses": (RESPONSES,),
        CHAT: (CHAT,),
        "mistral": (CHAT,),
        "deepseek_chat": (CHAT,),
        "groq": (CHAT,),
        "dashscope_qwen": (CHAT,),
        "moonshot": (CHAT,),
        "minimax": (CHAT, ANTHROPIC),
        "vllm_hf_templates": (CHAT,),
        "openai_compatible": (CHAT,),
        ANTHROPIC: (ANTHROPIC,),
        GEMINI: (GEMINI,),
        CONVERSE: (CONVERSE,),
    }
)
"""Each dialect, without its profiles: the formats of the bodies that it is about."""

TRANSCRIPTS: Mapping[str, str] = MappingProxyType(
    {RESPONSES: "input", CHAT: "messages", ANTHROPIC: "messages", GEMINI: "contents", CONVERSE: "messages"}
)
"""Each format: the field that carries the transcript."""


@frozen
class Path:
    """An address of a format.

    Attributes:
        pattern: How the path ends.
        format: The format of its bodies.
        needs: A field that says that it is so, where the address is shared with other formats.
    """

    pattern: re.Pattern[str]
    format: str
    needs: str = ""


PATHS = (
    Path(re.compile(r"/responses$"), RESPONSES),
    Path(re.compile(r"/chat/completions$"), CHAT),
    Path(re.compile(r"/v1/messages$"), ANTHROPIC),
    Path(re.compile(r":(?:stream)?(?:g|G)enerateContent$"), GEMINI),
    Path(re.compile(r"/model/.+/converse(?:-stream)?$"), CONVERSE),
    # Claude behind Vertex and Bedrock's InvokeModel: Anthropic's body, the model in the address.
    Path(re.compile(r"/anthropic/models/[^/:]+:(?:r|streamR)awPredict$"), ANTHROPIC, "anthropic_version"),
    Path(re.compile(r"/model/.+/invoke(?:-with-response-stream)?$"), ANTHROPIC, "anthropic_version"),
)

OTHERS = re.compile(
    r"/count-tokens:\w+$|:(?!(?:stream)?(?:g|G)enerateContent$|(?:r|streamR)awPredict$)[A-Za-z]+$"
    r"|/(?:threads|conversations|evals|fine_tuning|images|audio|files|batches|assistants)(?:/|$)"
    r"|/(?:embeddings|moderations|rerank|score|tokenize|detokenize|count_tokens|input_tokens|compact)$"
    r"|(?<!chat)/completions$"
)
"""Known addresses that answer no conversation, though some are asked with one (token counting): untouched."""

HOSTS: tuple[tuple[str, str, str], ...] = (
    ("api.groq.com", CHAT, "groq"),
    ("api.deepseek.com", CHAT, "deepseek_chat"),
    ("api.deepseek.com", RESPONSES, "deepseek_responses"),
    ("api.moonshot.ai", CHAT, "moonshot"),
    ("api.moonshot.cn", CHAT, "moonshot"),
    ("api.minimax.io", CHAT, "minimax"),
    ("api.minimax.io", ANTHROPIC, "minimax"),
    ("api.minimax.chat", CHAT, "minimax"),
    ("api.minimaxi.com", CHAT, "minimax"),
    ("api.minimaxi.com", ANTHROPIC, "minimax"),
    ("api.mistral.ai", CHAT, "mistral+hosted"),
    ("codestral.mistral.ai", CHAT, "mistral+hosted"),
    ("dashscope.aliyuncs.com", CHAT, "dashscope_qwen"),
    ("dashscope-intl.aliyuncs.com", CHAT, "dashscope_qwen"),
    ("dashscope-us.aliyuncs.com", CHAT, "dashscope_qwen"),
)
"""Host, or the end of one; the format; the dialect. A host that is not here speaks the plain dialect."""


@frozen
class Clue:
    """What tells a profile.

    Attributes:
        dialect: The dialect that has it.
        profile: Its name.
        where: What is looked at: the model's name is the body's, or stands somewhere in the address.
        pattern: What is found there.
        since: The pattern's groups are a version, and it is at least this one.
    """

    dialect: str
    profile: str
    where: Literal["host", "model", "thinking"]
    pattern: re.Pattern[str]
    since: tuple[int, int] | None = None


# Two digits at most: what follows in claude-opus-4-20250514 is a date.
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_GEMINI = re.compile(r"(?:^|/)gemini-(\d{1,2})(?!\d)(?:\.(\d{1,2}))?")
_ENABLED = re.compile(r"^enabled$")

CLUES = (
    Clue(ANTHROPIC, "4.6", "model", _CLAUDE, (4, 6)),
    Clue(GEMINI, "3", "model", _GEMINI, (3, 0)),
    Clue(GEMINI, "vertex", "host", re.compile(r"(?:^|[.-])aiplatform\.(?:\w+\.rep\.)?googleapis\.com$")),
    Clue(CONVERSE, "unmixed_user", "model", re.compile(r"meta\.llama4")),
    Clue("deepseek_chat", "thinking", "thinking", _ENABLED),
    Clue("deepseek_chat", "thinking", "model", re.compile(r"^deepseek-reasoner$")),
    Clue("moonshot", "thinking", "thinking", _ENABLED),
    Clue("moonshot", "thinking", "model", re.compile(r"^kimi-.*thinking")),
)
"""In the order in which profiles are joined: ``gemini+3+vertex``."""
