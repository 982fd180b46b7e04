"""The rules of Chat Completions that a body alone can break: OpenAI's, and other servers' in their own words.

Data only: ids, the providers' words, where they were seen. ``servers.py`` says which of them hold where, and
``check.py`` looks for them.
"""

from __future__ import annotations

from turnlock.wire.common.rules import Confidence, Rule, Severity

CALL_NO_TOOL = Rule(
    "CHAT-CALL-NO-TOOL",
    Severity.ERROR,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: {ids}",
    "Tool messages stand directly behind the calls that they answer, one for each.",
    "farhan0167/otto-m8#30, livekit/agents#1977",
    fix="Put one tool message for each of these ids directly behind the assistant message, and "
    "everything else behind them.",
    absent=True,
)
TOOL_ORPHAN = Rule(
    "CHAT-TOOL-ORPHAN",
    Severity.ERROR,
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
    "'tool_calls'.",
    "A tool message belongs to the run of tool messages behind an assistant message with calls.",
    "smarter-sh/smarter#264, miurla/morphic#136",
    fix="Move the tool message directly behind the assistant message that has its call, or leave it out"
    " if that is gone.",
)
TOOL_ID_UNKNOWN = Rule(
    "CHAT-TOOL-ID-UNKNOWN",
    Severity.ERROR,
    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message.",
    "A tool message names a call of the assistant message before it.",
    "dapr/dapr-agents#145",
    fix="Give the tool message the id of a call of the assistant message before it.",
)
TOOL_DUP = Rule(
    "CHAT-TOOL-DUP",
    Severity.ERROR,
    "Invalid parameter: Duplicate value for 'tool_call_id' of '{id}', in messages[{first}] and "
    "messages[{i}].",
    "A call has one tool message; a late result may not follow one that stood in for it.",
    "agno-agi/agno#5116, fatwang2/search2ai#30",
    fix="Keep the first tool message of the call and leave the second out: a late result is not told.",
)
TOOL_ID_MISSING = Rule(
    "CHAT-TOOL-ID-MISSING",
    Severity.ERROR,
    "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'.",
    "A tool message names the call that it answers.",
    "MadcowD/ell#325",
    fix="Say in tool_call_id which call the tool message answers.",
)
CONTENT_NULL = Rule(
    "CHAT-CONTENT-NULL",
    Severity.ERROR,
    "Invalid value for 'content': expected a string, got null.",
    "An assistant message without calls has content.",
    "docker/docker-agent#63; recorded: null or no content beside calls is accepted",
    confidence=Confidence.RECORDED,
    fix="Give the assistant message its text, an empty one if need be.",
)
EMPTY_ARRAYS = Rule(
    "CHAT-EMPTY-ARRAYS",
    Severity.ERROR,
    "Invalid 'messages[{i}].{field}': empty array. Expected an array with minimum length 1, but got an empty "
    "array instead.",
    "content and tool_calls are left out rather than empty.",
    "langchain-ai/langchainjs#11419",
    fix="Leave the field out.",
)
ID_LEN = Rule(
    "CHAT-ID-LEN",
    Severity.ERROR,
    "Invalid 'messages[{i}].tool_calls[{j}].id': string too long. Expected a string with maximum length 64, "
    "but got a string with length {n} instead.",
    "A call's id has at most 64 characters.",
    "agno-agi/agno#5382 (40 at the time), jin-bo/agentao#321; recorded: 50 characters are accepted",
    fix="Shorten the id, in the call and in its tool message alike.",
)
TOOL_CONTENT = Rule(
    "CHAT-TOOL-CONTENT",
    Severity.ERROR,
    "The content of messages[{i}], a tool message, must be text or a list of text parts.",
    "A tool message says text, and nothing else.",
    "openai 3.51 ChatCompletionToolMessageParam",
    literal=False,
    confidence=Confidence.DOCUMENTED,
    fix="Say it as text; put pictures and files into a user message behind the tool messages.",
)


_DIRECTLY = "Tool messages stand directly behind the calls that they answer, one for each."
_ANSWER = (
    "Put one tool message for each of these ids directly behind the assistant message, and everything else "
    "behind them."
)
_ORPHAN = "A tool message belongs to the run of tool messages behind an assistant message with calls."
_MOVE = (
    "Move the tool message directly behind the assistant message that has its call, or leave it out if that "
    "is gone."
)

DEEPSEEK_CALL_NO_TOOL = Rule(
    "DS-CHAT-CALL-NO-TOOL",
    Severity.ERROR,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. (insufficient tool messages following tool_calls message)",
    _DIRECTLY,
    "agno-agi/agno#3105, smallmain/vscode-unify-chat-provider#248",
    fix=_ANSWER,
    absent=True,
)
DEEPSEEK_TOOL_ORPHAN = Rule(
    "DS-CHAT-TOOL-ORPHAN",
    Severity.ERROR,
    "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
    _ORPHAN,
    "FoundationAgents/OpenManus#744, qwersyk/Newelle#425",
    fix=_MOVE,
)
DEEPSEEK_REASONING = Rule(
    "DS-REASONING-BACK",
    None,
    "The `reasoning_content` in the thinking mode must be passed back to the API.",
    "While the model thinks, an assistant message with calls keeps the reasoning_content it came with.",
    "earendil-works/pi#3636, qwersyk/Newelle#404; recorded: an empty one is accepted",
    profiles=frozenset({"thinking"}),
    fix="Send the reasoning_content back that came with the calls; an empty one where none came.",
)
QWEN_CALL_NO_TOOL = Rule(
    "QWEN-CALL-NO-TOOL",
    Severity.ERROR,
    '<400> InternalError.Algo.InvalidParameter: An assistant message with "tool_calls" must be followed by '
    'tool messages responding to each "tool_call_id". The following tool_call_ids did not have response '
    "messages: message[{behind}].role",
    _DIRECTLY,
    "QwenLM/qwen-code#606, google-gemini/gemini-cli#5031",
    fix=_ANSWER,
    absent=True,
)
QWEN_TOOL_ORPHAN = Rule(
    "QWEN-TOOL-ORPHAN",
    Severity.ERROR,
    '<400> InternalError.Algo.InvalidParameter: messages with role "tool" must be a response to a '
    'preceeding message with "tool_calls".',
    _ORPHAN,
    "philschmid/mcp-openai-gemini-llama-example#5, langchain-ai/langgraph-supervisor-py#122",
    fix=_MOVE,
)
MINIMAX_ARGS = Rule(
    "MINIMAX-ARGS",
    Severity.ERROR,
    "invalid params, invalid function arguments json string, tool_call_id: {id} (2013)",
    "A call's arguments are valid JSON.",
    "earendil-works/pi#5468",
    fix="Send the arguments as JSON text; an empty object where they were cut off.",
)
MOONSHOT_REASONING = Rule(
    "MOONSHOT-REASONING",
    None,
    "thinking is enabled but reasoning_content is missing in assistant tool call message at index {i}",
    "While the model thinks, an assistant message with calls keeps its reasoning_content, never empty.",
    "iOfficeAI/AionUi#2746; theopenco/llmgateway#2093: an empty one counts as missing",
    profiles=frozenset({"thinking"}),
    fix="Send the reasoning_content back that came with the calls; a space where none came.",
)
GROQ_UNKNOWN_FIELD = Rule(
    "GROQ-UNKNOWN-FIELD",
    Severity.ERROR,
    "'messages.{i}' : for 'role:{role}' the following must be satisfied[('messages.{i}' : property "
    "'{name}' is unsupported)]",
    "A message has the fields of the format and no others.",
    "ServiceStack/llms#17, odysseus-dev/odysseus#200",
    fix="Leave the field out.",
)
ALTERNATE = Rule(
    "TEMPLATE-ALTERNATE",
    Severity.WARNING,
    "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
    "User messages and assistant messages without calls take turns, the user's first.",
    "nomic-ai/gpt4all#3255, mistralai/mistral-vibe#1006, run-llama/llama_index#11731",
    profiles=frozenset({"alternate"}),
    fix="Join user messages that follow each other, and put a short assistant message between results and a "
    "user message.",
)
GPTOSS = Rule(
    "TEMPLATE-GPTOSS",
    Severity.WARNING,
    "Message has tool role, but there was no previous assistant message with a tool call!",
    "A tool message has a call before it.",
    "ggml-org/llama.cpp#15789",
    profiles=frozenset({"gptoss"}),
    fix=_MOVE,
)
LLAMACPP_NULL = Rule(
    "LLAMACPP-NULL",
    Severity.WARNING,
    "Expected 'content' to be a string or an array",
    "An assistant message has content, beside calls too.",
    "ggml-org/llama.cpp#13471, lmstudio-ai/lmstudio-bug-tracker#261",
    profiles=frozenset({"llamacpp"}),
    fix='Send "" instead of null.',
)
ARGS_JSON = Rule(
    "ARGS-JSON",
    Severity.WARNING,
    "failed to parse tool call arguments as json",
    "A call's arguments are valid JSON.",
    "OpenHands software-agent-sdk, MALFORMED_HISTORY_PATTERNS",
    fix="Send the arguments as JSON text; an empty object where they were cut off.",
)

NOTES = (
    Rule(
        "CHAT-TOOL-ORDER",
        None,
        "",
        "The tool messages of a run stand in any order: they are matched by id.",
        "OpenAI's guide to function calling; all 99 recorded runs are in the order of the calls",
        confidence=Confidence.DOCUMENTED,
    ),
    Rule(
        "GROQ-TOOL-USE-FAILED",
        None,
        "Tool call validation failed: tool call validation failed: parameters for tool {name} did not match "
        "schema: errors: [...]",
        "What the model called does not match the tool's schema; the history is not at fault: ask again.",
        "recorded: pydantic-ai test_groq/test_tool_use_failed_error (400)",
        confidence=Confidence.RECORDED,
    ),
)
"""What must not be flagged, and what no check of a body can find."""
