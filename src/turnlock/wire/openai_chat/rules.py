"""The rules of OpenAI Chat Completions that a body alone can break.

Data only: ids, the provider's words, where they were seen. ``check.py`` looks for them.
"""

from __future__ import annotations

from turnlock.wire.common.rules import Rule, Severity

CALL_NO_TOOL = Rule(
    "CHAT-CALL-NO-TOOL",
    Severity.ERROR,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: {ids}",
    "Tool messages stand directly behind the calls that they answer, one for each.",
    "farhan0167/otto-m8#30, livekit/agents#1977",
)
TOOL_ORPHAN = Rule(
    "CHAT-TOOL-ORPHAN",
    Severity.ERROR,
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
    "'tool_calls'.",
    "A tool message belongs to the run of tool messages behind an assistant message with calls.",
    "smarter-sh/smarter#264, miurla/morphic#136",
)
TOOL_ID_UNKNOWN = Rule(
    "CHAT-TOOL-ID-UNKNOWN",
    Severity.ERROR,
    "Invalid parameter: 'tool_call_id' of '{call_id}' not found in 'tool_calls' of previous message.",
    "A tool message names a call of the assistant message before it.",
    "dapr/dapr-agents#145",
)
TOOL_DUP = Rule(
    "CHAT-TOOL-DUP",
    Severity.ERROR,
    "Invalid parameter: Duplicate value for 'tool_call_id' of '{call_id}', in messages[{first}] and "
    "messages[{i}].",
    "A call has one tool message; a late result may not follow one that stood in for it.",
    "agno-agi/agno#5116, fatwang2/search2ai#30",
)
TOOL_ID_MISSING = Rule(
    "CHAT-TOOL-ID-MISSING",
    Severity.ERROR,
    "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'.",
    "A tool message names the call that it answers.",
    "MadcowD/ell#325",
)
CONTENT_NULL = Rule(
    "CHAT-CONTENT-NULL",
    Severity.ERROR,
    "Invalid value for 'content': expected a string, got null.",
    "An assistant message without calls has content.",
    "docker/docker-agent#63; recorded: null or no content beside calls is accepted",
)
EMPTY_ARRAYS = Rule(
    "CHAT-EMPTY-ARRAYS",
    Severity.ERROR,
    "Invalid 'messages[{i}].{field}': empty array. Expected an array with minimum length 1, but got an empty "
    "array instead.",
    "content and tool_calls are left out rather than empty.",
    "langchain-ai/langchainjs#11419",
)
ID_LEN = Rule(
    "CHAT-ID-LEN",
    Severity.ERROR,
    "Invalid 'messages[{i}].tool_calls[{j}].id': string too long. Expected a string with maximum length 64, "
    "but got a string with length {n} instead.",
    "A call's id has at most 64 characters.",
    "agno-agi/agno#5382 (40 at the time), jin-bo/agentao#321; recorded: 50 characters are accepted",
)
TOOL_CONTENT = Rule(
    "CHAT-TOOL-CONTENT",
    Severity.ERROR,
    "The content of messages[{i}], a tool message, must be text or a list of text parts.",
    "A tool message says text, and nothing else.",
    "openai 3.51 ChatCompletionToolMessageParam",
    literal=False,
)

RULES = (
    CALL_NO_TOOL,
    TOOL_ORPHAN,
    TOOL_ID_UNKNOWN,
    TOOL_DUP,
    TOOL_ID_MISSING,
    CONTENT_NULL,
    EMPTY_ARRAYS,
    ID_LEN,
    TOOL_CONTENT,
)
"""The tenth rule of the shared table, CHAT-TOOL-ORDER, only says what must not be flagged."""
