"""The rules of OpenAI Responses that a body alone can break, and DeepSeek's of the same format.

Data only: ids, the provider's words, where they were seen. ``check.py`` looks for them.
"""

from __future__ import annotations

from turnlock.wire.common.rules import Confidence, Rule, Severity

_NO_OUTPUT = "No tool output found for {label} {call_id}."
_NO_CALL = "No tool call found for {label} output with call_id {call_id}."

CALL_NO_OUTPUT = Rule(
    "RESP-CALL-NO-OUTPUT",
    Severity.ERROR,
    _NO_OUTPUT,
    "Each function_call has one output with its call_id, anywhere in the input.",
    "openai/openai-agents-python#673, bytedance/trae-agent#245",
)
CALL_NO_OUTPUT_CUSTOM = Rule(
    "RESP-CALL-NO-OUTPUT-CUSTOM",
    Severity.ERROR,
    _NO_OUTPUT,
    "Each custom_tool_call has one custom_tool_call_output with its call_id.",
    "diegosouzapw/OmniRoute#8946",
)
CALL_NO_OUTPUT_LOCAL_SHELL = Rule(
    "RESP-CALL-NO-OUTPUT-LOCALSHELL",
    Severity.ERROR,
    _NO_OUTPUT,
    "Each local_shell_call has one output that carries its label as call_id, never as id.",
    "openai/openai-agents-python#1855",
)
CALL_NO_OUTPUT_OTHER = Rule(
    "RESP-CALL-NO-OUTPUT-OTHER",
    Severity.WARNING,
    _NO_OUTPUT,
    "Each local shell_call, apply_patch_call, computer_call and client tool_search_call has its output.",
    "openai 3.51 ResponseInputItem; the wording is that of the other kinds",
    confidence=Confidence.INFERRED,
)
OUTPUT_NO_CALL = Rule(
    "RESP-OUTPUT-NO-CALL",
    Severity.ERROR,
    _NO_CALL,
    "Each output answers a call of the input, or one that the provider holds; of a kind that it accepts.",
    "microsoft/vscode#320060, vercel/ai#18537",
)
OUTPUT_BEFORE_CALL = Rule(
    "RESP-OUTPUT-BEFORE-CALL",
    Severity.WARNING,
    _NO_CALL,
    "An output stands behind its call.",
    "pydantic-ai treats it as an orphan; not verified at the provider",
    confidence=Confidence.INFERRED,
)
DUP_CALL_ID = Rule(
    "RESP-DUP-CALL-ID",
    Severity.WARNING,
    "Duplicate function_call_output for call_id '{call_id}'. Each function_call must have exactly one "
    "matching function_call_output",
    "A call_id belongs to one call and one output.",
    "NousResearch/hermes-agent#102629, openai/gpt-oss#309",
    why="An error all the same where a call has no output of its own, or a second one: RESP-CALL-NO-OUTPUT "
    "asks for exactly one.",
    profiles=frozenset({"unique_ids"}),
)
DUP_ITEM_ID = Rule(
    "RESP-DUP-ITEM-ID",
    Severity.ERROR,
    "Duplicate item found with id {item_id}. Remove duplicate items from your input and try again.",
    "An item id stands once; items that previous_response_id holds are not sent again.",
    "OpenRouterTeam/ai-sdk-provider#254, openai/openai-ruby#172",
)
REASONING_FOLLOW = Rule(
    "RESP-REASONING-FOLLOW",
    Severity.ERROR,
    "Item '{item_id}' of type 'reasoning' was provided without its required following item.",
    "Reasoning with an id is followed by the item that it was made with, and that item has its id too.",
    "recorded: pydantic-ai test_openai_responses_thinking_with_modified_history (400)",
    why="With store=false only a warning: the rule is about stored items, and newer models were seen not to "
    "enforce such pairings (jin-bo/agentao#321).",
)
STORE_FALSE_REF = Rule(
    "RESP-STORE-FALSE-REF",
    Severity.ERROR,
    "Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. Try again "
    "with `store` set to true, or remove this item from your input.",
    "With store=false nothing is referred to by id: reasoning carries its encrypted_content.",
    "can1357/oh-my-pi#41, anomalyco/opencode#7724",
)
CALLID_LEN = Rule(
    "RESP-CALLID-LEN",
    Severity.ERROR,
    "Invalid 'input[{i}].call_id': string too long. Expected a string with maximum length 64, but got a "
    "string with length {n} instead.",
    "A call_id has at most 64 characters.",
    "AnswerDotAI/fastllm#45, orchidfiles/ungate#26",
)
CALLID_EMPTY = Rule(
    "RESP-CALLID-EMPTY",
    Severity.ERROR,
    "Invalid 'input[{i}].call_id': empty string. Expected a string with minimum length 1, but got an empty "
    "string instead.",
    "A call_id has at least one character; a call without one cannot be answered.",
    "BigPizzaV3/CodexPlusPlus#315",
)
ITEMID_PREFIX = Rule(
    "RESP-ITEMID-PREFIX",
    Severity.ERROR,
    "Invalid 'input[{i}].id': '{item_id}'. Expected an ID that begins with '{prefix}'.",
    "An item id begins as the provider's ids of that type do.",
    "nodetool-ai/nodetool#4252, jlcodes99/cockpit-tools#2090",
)
PREV_PENDING = Rule(
    "RESP-PREV-PENDING",
    Severity.ERROR,
    "No tool output found for function call {call_id}.",
    "Calls that the provider holds open are answered by the next request.",
    "openai/openai-agents-python#673",
)
MCP_APPROVAL = Rule(
    "RESP-MCP-APPROVAL",
    Severity.WARNING,
    "The approval request {call_id} and its response must both be there, once.",
    "An mcp_approval_request is answered by one mcp_approval_response that names its id.",
    "openai 3.51 McpApprovalRequest, McpApprovalResponse; refusal not verified",
    literal=False,
    confidence=Confidence.INFERRED,
)
COMPACTION_LAST = Rule(
    "RESP-COMPACTION-LAST",
    Severity.ERROR,
    "A compaction_trigger must be the final input item.",
    "Nothing stands behind a compaction_trigger.",
    "openai 3.51 CompactionTrigger",
    literal=False,
)
DEEPSEEK_ADJACENT = Rule(
    "DS-RESP-ADJACENT",
    Severity.ERROR,
    "No tool output found for tool call {call_id}.",
    "A run of calls is followed directly by the run of their outputs.",
    "recorded: pydantic-ai test_deepseek_responses_rejects_interleaved_function_calls (400)",
)
DEEPSEEK_OUTPUT_NO_CALL = Rule(
    "DS-RESP-OUTPUT-NO-CALL",
    Severity.ERROR,
    "No tool call found for tool output with call_id {call_id}.",
    "Each output belongs to the run of calls directly before it.",
    "deepseek-ai/DeepSeek-V3#1611",
)

RULES = (
    CALL_NO_OUTPUT,
    CALL_NO_OUTPUT_CUSTOM,
    CALL_NO_OUTPUT_LOCAL_SHELL,
    CALL_NO_OUTPUT_OTHER,
    OUTPUT_NO_CALL,
    OUTPUT_BEFORE_CALL,
    DUP_CALL_ID,
    DUP_ITEM_ID,
    REASONING_FOLLOW,
    STORE_FALSE_REF,
    CALLID_LEN,
    CALLID_EMPTY,
    ITEMID_PREFIX,
    PREV_PENDING,
    MCP_APPROVAL,
    COMPACTION_LAST,
)
DEEPSEEK_RULES = (DEEPSEEK_ADJACENT, DEEPSEEK_OUTPUT_NO_CALL)
