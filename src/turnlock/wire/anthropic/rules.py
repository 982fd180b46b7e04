"""The rules of Anthropic Messages that a body alone can break, and what else is known of it.

Data only: ids, the provider's words, where they were seen, what to do. ``check.py`` looks for them.
``messages.{i}`` in the provider's words counts messages after it has merged neighbours of one role, but for
what is wrong in a field (``OF_FIELDS``), which it sees before.
"""

from __future__ import annotations

from attrs import evolve

from turnlock.wire.common.rules import Confidence, Rule, Severity

_NOT_AFTER = (
    "messages.{i}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each "
    "`tool_use` block must have a corresponding `tool_result` block in the next message."
)

USE_NO_RESULT = Rule(
    "ANT-USE-NO-RESULT",
    Severity.ERROR,
    _NOT_AFTER,
    "Every tool_use of an assistant turn has its tool_result in the user turn directly behind it.",
    "anthropics/claude-code#1577, #3860, #5705; recorded: opencode "
    "rejects-malformed-assistant-tool-order-without-patch (400)",
    confidence=Confidence.RECORDED,
    fix="Put a tool_result for each tool_use at the start of the next user message, also for calls that "
    "were cancelled.",
    absent=True,
)
RESULT_ORPHAN = Rule(
    "ANT-RESULT-ORPHAN",
    Severity.ERROR,
    "messages.{i}.content.{j}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each "
    "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
    "A tool_result answers a tool_use of the assistant turn directly before its user turn.",
    "anthropics/claude-code#13460, #18947, tghamm/Anthropic.SDK#184",
    fix="Move the tool_result directly behind its tool_use, or leave it out when the call is gone.",
)
RESULT_FIRST = Rule(
    "ANT-RESULT-FIRST",
    Severity.ERROR,
    _NOT_AFTER,
    "In the user turn behind calls the tool_result blocks come first; all else stands behind them.",
    "platform.claude.com handle-tool-calls; diegosouzapw/OmniRoute#2382; recorded: text behind results is "
    "accepted",
    confidence=Confidence.DOCUMENTED,
    fix="Move text, images and documents of that user turn behind its tool_result blocks.",
)
RESULT_DUP = Rule(
    "ANT-RESULT-DUP",
    Severity.ERROR,
    "messages.{i}.content.{j}: each tool_use must have a single result. Found multiple `tool_result` blocks "
    "with id: {id}",
    "A tool_use has one tool_result; a late result may not follow one that stood in for it.",
    "OpenHands software-agent-sdk classifier.py; litellm 1.106.2 factory.py",
    fix="Keep the first tool_result of the call and leave the others out.",
)
USE_ID_UNIQUE = Rule(
    "ANT-USE-ID-UNIQUE",
    Severity.ERROR,
    "messages.{i}.content.{j}: `tool_use` ids must be unique",
    "The tool_use ids of one assistant turn differ; a later, answered turn may use one again.",
    "anthropics/claude-code#20901, BerriAI/litellm#23510; recorded: the same id in two turns is accepted",
    confidence=Confidence.RECORDED,
    fix="Give one of the calls another id, in its tool_use and in its tool_result.",
)
USE_TRAILING = Rule(
    "ANT-USE-TRAILING",
    Severity.ERROR,
    _NOT_AFTER,
    "Behind the first tool_use of an assistant turn stands neither text nor thinking.",
    "recorded: opencode rejects-malformed-assistant-tool-order-without-patch (400); anomalyco/opencode#7002, "
    "anthropics/claude-code#473",
    confidence=Confidence.RECORDED,
    fix="Move the text before the first tool_use of its assistant turn.",
)
ID_CHARSET = Rule(
    "ANT-ID-CHARSET",
    Severity.WARNING,
    "messages.{i}.content.{j}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    "A tool_use id is made of ASCII letters, digits, _ and -.",
    "litellm 1.106.2 factory.py, which quotes the pattern",
    confidence=Confidence.INFERRED,
    fix="Replace the other characters of the id, in the tool_use and in its tool_result.",
)
INPUT_DICT = Rule(
    "ANT-INPUT-DICT",
    Severity.ERROR,
    "messages.{i}.content.{j}.{type}.input: Input should be a valid dictionary",
    "The input of a tool_use is an object, also when its stream was cut.",
    "anthropics/claude-code#6696, #6695",
    fix="Send the object itself, and {} where the arguments were cut off.",
)
THINKING_FIRST = Rule(
    "ANT-THINKING-FIRST",
    Severity.ERROR,
    "messages.{i}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{type}`. When "
    "`thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the "
    "lastmost set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from "
    "previous turns. To avoid this requirement, disable `thinking`. Please consult our documentation at "
    "https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking",
    "While thinking is enabled, the assistant turn of an unfinished tool loop starts with its thinking.",
    "zed-industries/zed#33317; of adaptive thinking no source says it",
    why="the body shows whether thinking is enabled: an error when it is, silent otherwise",
    fix="Send the thinking blocks back as they came, or ask without thinking until the loop is over.",
)
SERVER_RESULT_ORPHAN = Rule(
    "ANT-SERVER-RESULT-ORPHAN",
    Severity.ERROR,
    "messages.{i}.content.{j}: unexpected `tool_use_id` found in `{type}` blocks: {id}. Each `{type}` block "
    "must have a corresponding `{use}` block before it.",
    "The result of a server's tool stands behind the call that it answers.",
    "anthropics/claude-code#64383, #95406",
    fix="Send the server's call together with its result, or neither of them.",
)
SERVER_UNPAIRED = Rule(
    "ANT-SERVER-UNPAIRED",
    Severity.ERROR,
    "messages.{i}: {call} with id `{id}` was found without a corresponding `{result}` block",
    "A server's call without a result is in flight: behind it stand only the tool_results of client calls.",
    "anthropics/anthropic-sdk-python#1339; pydantic-ai test_unpaired_native_tool_calls (measured); "
    "platform.claude.com handle-tool-calls",
    confidence=Confidence.DOCUMENTED,
    fix="Hold messages until the server's result has come, or leave the call out when its turn is over.",
)
PREFILL = Rule(
    "ANT-PREFILL",
    None,
    "This model does not support assistant message prefill. The conversation must end with a user message.",
    "From Claude 4.6 on the last message is not the assistant's, but for an answer that was paused.",
    "platform.claude.com/docs/en/api/errors; langchain-ai/langchain#36611, "
    "smallmain/vscode-unify-chat-provider#249",
    profiles=frozenset({"4.6"}),
    confidence=Confidence.DOCUMENTED,
    fix="End with a user message, such as one that asks to continue.",
    ends=True,
)
SYSTEM_PLACEMENT = Rule(
    "ANT-SYSTEM-PLACEMENT",
    Severity.ERROR,
    "messages.{i}: role 'system' must precede an 'assistant' message or end the array",
    "A system message stands behind a user turn, a server's result or another one, and before an assistant "
    "turn or at the end.",
    "anthropics/claude-code#73821, maximhq/bifrost#5931; recorded: accepted behind a user turn",
    confidence=Confidence.RECORDED,
    fix="Put the system message behind the user turn with the results, and user text before it.",
)
SYSTEM_FOLLOWS = evolve(SYSTEM_PLACEMENT, text="messages.{i}: role 'system' must follow a 'user' message")
"""The other half of the same rule; what else the provider says there was cut where it was seen."""
EMPTY_TEXT = Rule(
    "ANT-EMPTY-TEXT",
    Severity.ERROR,
    "messages: text content blocks must be non-empty",
    "A text block says something.",
    "portkey.ai error library 10487; 1Panel-dev/MaxKB#6683",
    fix="Leave the empty text block out.",
)
RAW_DELTA = Rule(
    "ANT-RAW-DELTA",
    Severity.ERROR,
    "Input tag '{type}' does not match any of the expected tags",
    "The deltas of a stream are no content: the block that they add up to is.",
    "1Panel-dev/MaxKB#6683",
    fix="Send the block that the deltas add up to, or leave them out when it was never completed.",
)
TOOLS_DEFINED = Rule(
    "ANT-TOOLS-DEFINED",
    None,
    "Requests which include `tool_use` or `tool_result` blocks must define tools",
    "A body whose history has tool calls defines tools.",
    "portkey.ai error library 10488; on current models not verified",
    profiles=frozenset({"tools_required"}),
    fix="Send tools, if need be with tool_choice none.",
)
RESULT_ERROR_EMPTY = Rule(
    "ANT-RESULT-ERROR-EMPTY",
    Severity.ERROR,
    "messages.{i}.content.{j}.tool_result: content cannot be empty if is_error is true",
    "A tool_result that says is_error has content; one that does not may be empty.",
    "recorded: 104 runs of ISO-Bench (400; is_error stood in backquotes there)",
    confidence=Confidence.RECORDED,
    fix="Say in the tool_result what went wrong, if only the type of the error.",
)

RULES = (
    USE_NO_RESULT,
    RESULT_ORPHAN,
    RESULT_FIRST,
    RESULT_DUP,
    USE_ID_UNIQUE,
    USE_TRAILING,
    ID_CHARSET,
    INPUT_DICT,
    THINKING_FIRST,
    SERVER_RESULT_ORPHAN,
    SERVER_UNPAIRED,
    PREFILL,
    SYSTEM_PLACEMENT,
    EMPTY_TEXT,
    RAW_DELTA,
    TOOLS_DEFINED,
    RESULT_ERROR_EMPTY,
)

OF_FIELDS = frozenset({ID_CHARSET.id, INPUT_DICT.id, RESULT_ERROR_EMPTY.id})
"""Seen before messages are merged: every recorded RESULT_ERROR_EMPTY names the message as it was sent."""

NOTES = (
    Rule(
        "ANT-MERGE",
        None,
        "",
        "Neighbouring messages of one role count as one: calls in two assistant messages and their results "
        "in one user message are accepted.",
        "anthropic 2.10 message_create_params; recorded: 4 accepted requests",
        confidence=Confidence.RECORDED,
    ),
    Rule(
        "ANT-FIRST-ROLE",
        None,
        "",
        "The first message may be the assistant's.",
        "recorded: opencode accepts-malformed-assistant-tool-order-with-default-patch (200)",
        confidence=Confidence.RECORDED,
    ),
    Rule(
        "ANT-PAUSE-TURN",
        None,
        "",
        "An answer that was paused goes back unchanged as the last message.",
        "recorded: pydantic-ai test_pause_turn_web_search_streaming_vcr (200)",
        confidence=Confidence.RECORDED,
    ),
    Rule(
        "ANT-THINKING-MODIFIED",
        None,
        "messages.{i}.content.{j}: `thinking` or `redacted_thinking` blocks in the latest assistant message "
        "cannot be modified. These blocks must remain as they were in the original response.",
        "Thinking of the latest assistant turn goes back to the byte and in its order. Only the provider "
        "knows what it was.",
        "anthropics/claude-code#63404, #63203",
    ),
    Rule(
        "ANT-THINKING-SIGNATURE",
        None,
        "messages.{i}.content.{j}: Invalid `signature` in `thinking` block",
        "A signature is bound to the model that made it. Only the provider can verify it.",
        "anthropics/anthropic-sdk-python#1598, vybestack/llxprt-code#2335, langchain-ai/langchain#33391",
    ),
)
"""What no check flags: shapes that are accepted, and refusals that a body alone does not show."""
