"""The rules of Bedrock's Converse that a body alone can break.

Data only: ids, the provider's words, where they were seen. ``check.py`` looks for them.
"""

from __future__ import annotations

from turnlock.wire.common.rules import Confidence, Rule, Severity

UNMIXED_USER = "unmixed_user"
"""A model that takes no text in a message that has results: Claude 3 in 2024, Llama 4."""

UNMIXED_ASSISTANT = "unmixed_assistant"
"""A model that takes no text in a message that has calls."""

_MODELS_DIFFER = "Which models refuse it stands in no body: a profile says so, and elsewhere it is accepted."

EXPECTED_RESULT = Rule(
    "BR-EXPECTED-RESULT",
    Severity.ERROR,
    "Expected toolResult blocks at messages.{next}.content for the following Ids: {ids}",
    "Each toolUse has its toolResult in the very next user message; one that the provider executed has it in "
    "its own message.",
    "agno-agi/agno#6698, genkit-ai/aws-bedrock-js-plugin#664; recorded: a server_tool_use (200)",
    fix="Put one toolResult for each toolUse into the user message that follows it.",
    absent=True,
)
EXTRA_RESULT = Rule(
    "BR-EXTRA-RESULT",
    Severity.ERROR,
    "The number of toolResult blocks at messages.{i}.content exceeds the number of toolUse blocks of "
    "previous turn.",
    "Each toolResult answers a toolUse of the message directly before it, and is the only one that does.",
    "OpenHands/OpenHands#4912, pydantic/pydantic-ai#2327, NousResearch/hermes-agent#108585",
    fix="Leave out the toolResult that answers nothing, or the second one.",
)
TOOLCONFIG = Rule(
    "BR-TOOLCONFIG",
    Severity.ERROR,
    "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    "A history with calls goes with a toolConfig, also when the model may call nothing any more.",
    "langgenius/dify#17545, vercel/ai#7537; recorded: all accepted bodies with calls have it",
    confidence=Confidence.RECORDED,
    fix="Send toolConfig with the tools that the history names.",
)
ALTERNATE = Rule(
    "BR-ALTERNATE",
    Severity.ERROR,
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
    "between user and assistant roles and try again.",
    "User and assistant messages take turns: nothing is merged.",
    "langchain-ai/langchain-aws#130, Portkey-AI/gateway#748",
    fix="Join neighbours of one role into one message: results first, then what was said.",
)
MIXED_USER = Rule(
    "BR-MIXED-USER",
    None,
    "messages.{i}.content: Conversation blocks and tool result blocks cannot be provided in the same turn.",
    "A user message has results or words, not both.",
    "strands-agents/harness-sdk#1223, BerriAI/litellm#6053; recorded: Claude 4.5 and Nova accept it",
    why=_MODELS_DIFFER,
    profiles=frozenset({UNMIXED_USER}),
    confidence=Confidence.RECORDED,
    fix="Put a short assistant message between the results and the words.",
)
MIXED_ASSISTANT = Rule(
    "BR-MIXED-ASSISTANT",
    None,
    "messages.{i}.content: Conversation blocks and tool use blocks cannot be provided in the same turn.",
    "An assistant message has calls or words, not both.",
    "quarkiverse/quarkus-langchain4j#1983",
    why=_MODELS_DIFFER,
    profiles=frozenset({UNMIXED_ASSISTANT}),
    fix="Put the words into an assistant message of their own, and a short user message behind it.",
)
RESULT_ERROR_CONTENT = Rule(
    "BR-RESULT-ERROR-CONTENT",
    Severity.ERROR,
    "The content field at messages.{i}.content.{j}.toolResult cannot be empty when status value is error.",
    "A toolResult of status error says what went wrong.",
    "aws-samples/sample-multi-agent-orchestration-chat-on-agentcore#15",
    fix="Say the error in a text block.",
)
RESULT_JSON_OBJECT = Rule(
    "BR-RESULT-JSON-OBJECT",
    Severity.ERROR,
    "The format of the value at messages.{i}.content.{j}.toolResult.content.{k}.json is invalid. Provide a "
    "json object for the field and try again.",
    "What a toolResult says as json is an object.",
    "sigoden/aichat#1550",
    fix="Put the value into an object, or write it as text.",
)
ID_PATTERN = Rule(
    "BR-ID-PATTERN",
    Severity.ERROR,
    "The toolUseId {call_id!r} at messages.{i}.content.{j} must have 1 to 64 characters of [a-zA-Z0-9_.:-].",
    "A toolUseId has 1 to 64 letters, digits and _ . : -, on both sides.",
    "botocore 1.44 bedrock-runtime/2023-09-30: ToolUseId",
    literal=False,
    confidence=Confidence.DOCUMENTED,
    fix="Give the call another id, and its result the same.",
)
EMPTY_MESSAGE = Rule(
    "BR-EMPTY-MESSAGE",
    Severity.ERROR,
    "The content field in the Message object at messages.[{i}] is empty. Add a ContentBlock object to the "
    "content field and try again.",
    "A message has at least one block.",
    "Portkey-AI/gateway#995",
    fix="Leave the message out, or say in a text block that it was empty.",
)

RULES = (
    EXPECTED_RESULT,
    EXTRA_RESULT,
    TOOLCONFIG,
    ALTERNATE,
    MIXED_USER,
    MIXED_ASSISTANT,
    RESULT_ERROR_CONTENT,
    RESULT_JSON_OBJECT,
    ID_PATTERN,
    EMPTY_MESSAGE,
)

START_USER = Rule(
    "BR-START-USER",
    None,
    "",
    "A history that begins with an assistant message is accepted for Claude; our encoder begins with a user "
    "message all the same.",
    "recorded: pydantic-ai test_bedrock_anthropic_message_history_starting_with_response (200)",
    literal=False,
    confidence=Confidence.RECORDED,
)

NOTES = (START_USER,)
"""What must not be flagged."""
