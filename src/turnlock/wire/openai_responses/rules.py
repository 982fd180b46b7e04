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
    fix="Add one function_call_output with this call_id that says what became of the call.",
    absent=True,
)
CALL_NO_OUTPUT_CUSTOM = Rule(
    "RESP-CALL-NO-OUTPUT-CUSTOM",
    Severity.ERROR,
    _NO_OUTPUT,
    "Each custom_tool_call has one custom_tool_call_output with its call_id.",
    "diegosouzapw/OmniRoute#8946",
    fix="Add one custom_tool_call_output with this call_id that says what became of the call.",
    absent=True,
)
CALL_NO_OUTPUT_LOCAL_SHELL = Rule(
    "RESP-CALL-NO-OUTPUT-LOCALSHELL",
    Severity.ERROR,
    _NO_OUTPUT,
    "Each local_shell_call has one output that carries its label as call_id, never as id.",
    "openai/openai-agents-python#1855",
    fix="Add one local_shell_call_output, or function_call_output, with this call_id, not as its id.",
    absent=True,
)
CALL_NO_OUTPUT_OTHER = Rule(
    "RESP-CALL-NO-OUTPUT-OTHER",
    Severity.WARNING,
    _NO_OUTPUT,
    "Each local shell_call, apply_patch_call, computer_call and client tool_search_call has its output.",
    "openai 3.51 ResponseInputItem; the wording is that of the other kinds",
    confidence=Confidence.INFERRED,
    fix="Add one output of the call's kind with this call_id that says what became of the call.",
    absent=True,
)
OUTPUT_NO_CALL = Rule(
    "RESP-OUTPUT-NO-CALL",
    Severity.ERROR,
    _NO_CALL,
    "Each output answers a call of the input, or one that the provider holds; of a kind that it accepts.",
    "microsoft/vscode#320060, vercel/ai#18537",
    fix="Put the call back in, or leave the output out; name what holds the call if the provider does.",
)
OUTPUT_BEFORE_CALL = Rule(
    "RESP-OUTPUT-BEFORE-CALL",
    Severity.WARNING,
    _NO_CALL,
    "An output stands behind its call.",
    "pydantic-ai treats it as an orphan; not verified at the provider",
    confidence=Confidence.INFERRED,
    fix="Move the output behind its call.",
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
    fix="Keep one output for each call, and give calls that share a call_id ids of their own, with "
    "their outputs.",
)
DUP_ITEM_ID = Rule(
    "RESP-DUP-ITEM-ID",
    Severity.ERROR,
    "Duplicate item found with id {item_id}. Remove duplicate items from your input and try again.",
    "An item id stands once; items that previous_response_id holds are not sent again.",
    "OpenRouterTeam/ai-sdk-provider#254, openai/openai-ruby#172",
    fix="Send the item once, and not at all when previous_response_id holds it; or leave its id out.",
)
REASONING_FOLLOW = Rule(
    "RESP-REASONING-FOLLOW",
    Severity.ERROR,
    "Item '{item_id}' of type 'reasoning' was provided without its required following item.",
    "Reasoning with an id is followed by the item that it was made with, and that item has its id too.",
    "recorded: pydantic-ai test_openai_responses_thinking_with_modified_history (400)",
    why="With store=false only a warning: the rule is about stored items, and newer models were seen not to "
    "enforce such pairings (jin-bo/agentao#321).",
    confidence=Confidence.RECORDED,
    fix="Send the item that the reasoning was made with, with its id, directly behind it; or leave the "
    "reasoning out.",
)
CALL_NEEDS_REASONING = Rule(
    "RESP-CALL-NEEDS-REASONING",
    None,
    "Item '{item_id}' of type '{kind}' was provided without its required 'reasoning' item: '{reasoning}'.",
    "A stored call or message that is sent with its id has the reasoning before it that it was made with.",
    "continuedev/continue#10018 and #12620, cline/cline#12242, mastra-ai/mastra#8738",
    why="What a model reasoned stands in no body: it is looked for only where items are known to be stored.",
    profiles=frozenset({"stored"}),
    fix="Send the reasoning item before it, or leave the item's id out.",
)
STORE_FALSE_REF = Rule(
    "RESP-STORE-FALSE-REF",
    Severity.ERROR,
    "Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. Try again "
    "with `store` set to true, or remove this item from your input.",
    "With store=false nothing is referred to by id: reasoning carries its encrypted_content.",
    "can1357/oh-my-pi#41, anomalyco/opencode#7724",
    fix="Send the item itself instead, reasoning with its encrypted_content; or leave it out.",
)
CALLID_LEN = Rule(
    "RESP-CALLID-LEN",
    Severity.ERROR,
    "Invalid 'input[{i}].call_id': string too long. Expected a string with maximum length 64, but got a "
    "string with length {n} instead.",
    "A call_id has at most 64 characters.",
    "AnswerDotAI/fastllm#45, orchidfiles/ungate#26",
    fix="Shorten the call_id, in the call and in its output alike.",
)
CALLID_EMPTY = Rule(
    "RESP-CALLID-EMPTY",
    Severity.ERROR,
    "Invalid 'input[{i}].call_id': empty string. Expected a string with minimum length 1, but got an empty "
    "string instead.",
    "A call_id has at least one character; a call without one cannot be answered.",
    "BigPizzaV3/CodexPlusPlus#315",
    fix="Give the call an id, and its output the same.",
)
ITEMID_PREFIX = Rule(
    "RESP-ITEMID-PREFIX",
    Severity.ERROR,
    "Invalid 'input[{i}].id': '{item_id}'. Expected an ID that begins with '{prefix}'.",
    "An item id begins as the provider's ids of that type do.",
    "nodetool-ai/nodetool#4252, jlcodes99/cockpit-tools#2090",
    fix="Leave the id out; the call's label belongs into call_id.",
)
PREV_PENDING = Rule(
    "RESP-PREV-PENDING",
    Severity.ERROR,
    "No tool output found for function call {call_id}.",
    "Calls that the provider holds open are answered by the next request.",
    "openai/openai-agents-python#673",
    fix="Add the output of this call to the input, before or beside what else is new.",
)
MCP_APPROVAL = Rule(
    "RESP-MCP-APPROVAL",
    Severity.WARNING,
    "The approval request {call_id} and its response must both be there, once.",
    "An mcp_approval_request is answered by one mcp_approval_response that names its id.",
    "openai 3.51 McpApprovalRequest, McpApprovalResponse; refusal not verified",
    literal=False,
    confidence=Confidence.INFERRED,
    fix="Answer the request with one mcp_approval_response that names its id.",
)
COMPACTION_LAST = Rule(
    "RESP-COMPACTION-LAST",
    Severity.ERROR,
    "A compaction_trigger must be the final input item.",
    "Nothing stands behind a compaction_trigger.",
    "openai 3.51 CompactionTrigger",
    literal=False,
    confidence=Confidence.DOCUMENTED,
    fix="Move the compaction_trigger to the end.",
)
DEEPSEEK_ADJACENT = Rule(
    "DS-RESP-ADJACENT",
    Severity.ERROR,
    "No tool output found for tool call {call_id}.",
    "A run of calls is followed directly by the run of their outputs.",
    "recorded: pydantic-ai test_deepseek_responses_rejects_interleaved_function_calls (400)",
    confidence=Confidence.RECORDED,
    fix="Put the outputs directly behind the run of their calls, and all else before or behind them.",
    absent=True,
)
DEEPSEEK_OUTPUT_NO_CALL = Rule(
    "DS-RESP-OUTPUT-NO-CALL",
    Severity.ERROR,
    "No tool call found for tool output with call_id {call_id}.",
    "Each output belongs to the run of calls directly before it.",
    "deepseek-ai/DeepSeek-V3#1611",
    fix="Move the output directly behind the run that holds its call, or leave it out if that is gone.",
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
    CALL_NEEDS_REASONING,
    STORE_FALSE_REF,
    CALLID_LEN,
    CALLID_EMPTY,
    ITEMID_PREFIX,
    PREV_PENDING,
    MCP_APPROVAL,
    COMPACTION_LAST,
)
DEEPSEEK_RULES = (DEEPSEEK_ADJACENT, DEEPSEEK_OUTPUT_NO_CALL)

_ENCRYPTED = (
    "The encrypted content {first}...{last} could not be verified. Reason: Encrypted content could not be "
    "decrypted or parsed."
)

NOTES = (
    Rule(
        "RESP-PAIR-BY-ID-ANY-POSITION",
        None,
        "",
        "Calls and outputs are paired by call_id over the whole input; anything may stand between them.",
        "fish2lab/DSCodex#9, deepseek-ai/DeepSeek-V3#1588; codex checks for existence only",
    ),
    Rule(
        "RESP-OUTPUT-ORDER",
        None,
        "",
        "Outputs of calls of one answer stand in any order, behind all the calls or each behind its own.",
        "recorded: pydantic-ai test_openai_responses_model_retry; another order was not recorded",
        confidence=Confidence.INFERRED,
    ),
    Rule(
        "RESP-TOOLSEARCH-SERVER",
        None,
        "",
        "A tool_search_call that the provider executes needs no output; one of the client's may be answered "
        "by a function_call_output too.",
        "recorded: pydantic-ai test_tool_availability_portability_matrix (200)",
        confidence=Confidence.RECORDED,
    ),
    Rule(
        "RESP-PROGRAM-CALLER",
        None,
        "",
        "Calls that a program makes name it as their caller, and so do their outputs; a program's "
        "fingerprint goes back as it came.",
        "openai 3.51 Program, ProgramOutput, Caller",
        confidence=Confidence.DOCUMENTED,
    ),
    Rule(
        "RESP-ENCRYPTED-INVALID",
        None,
        _ENCRYPTED,
        "encrypted_content goes back byte for byte, to the organisation and the models that made it.",
        "openai/codex#8145, Wei-Shaw/sub2api#2863",
    ),
    Rule(
        "RESP-PREV-ZDR",
        None,
        "Previous response cannot be used for this organization due to Zero Data Retention.",
        "Organisations without data retention send the history instead of previous_response_id.",
        "can1357/oh-my-pi#2341",
    ),
    Rule(
        "RESP-CONV-LOCK",
        None,
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        "A conversation has one request in flight.",
        "paulgmiller/careme#379",
    ),
)
"""What must not be flagged, and what only the provider can know."""
