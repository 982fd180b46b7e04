"""The rules of Mistral that a body alone can break.

Data only: ids, the provider's words, where they were seen. ``check.py`` looks for them. The provider words
some rules in several ways: those are the same rule with another text.
"""

from __future__ import annotations

from attrs import evolve

from turnlock.wire.common.rules import Confidence, Rule, Severity

HOSTED = "hosted"
"""The provider's own API, as the plain dialect is."""

COMMON = "common"
"""A server that runs mistral-common 1.11.1 or later: a user may speak directly behind results."""

V3 = "v3"
"""A model with a tokenizer of version 1 to 3: words or calls, not both; results are counted."""

V13 = "v13"
"""A model with a tokenizer of version 13 or later: ids of any form."""

_VALIDATOR = "mistral-common 1.13.1 protocol/instruct/validator.py"

COUNT = Rule(
    "MIS-COUNT",
    Severity.ERROR,
    "Not the same number of function calls and responses",
    "Each call has a tool message before the next assistant message.",
    f"{_VALIDATOR}; camel-ai/camel#1467, mistralai/client-ts#106",
    confidence=Confidence.DOCUMENTED,
    fix="Put one tool message for each call behind the assistant message.",
)
ORDER = Rule(
    "MIS-ORDER",
    Severity.ERROR,
    "Unexpected role '{role}' after role '{previous}'",
    "Behind a tool message stands a tool or an assistant message; results stand behind their calls, and a "
    "system message at the beginning or behind a user's.",
    "datapizza-labs/datapizza-ai#98, pipecat-ai/pipecat-flows#178, NousResearch/hermes-agent#20154",
    fix="Put a short assistant message between the results and the user's.",
)
START = evolve(ORDER, text="Conversation must start with a user message or system message")
LAST = Rule(
    "MIS-LAST",
    Severity.ERROR,
    "Expected last role User or Tool (or Assistant with prefix True) for serving but got {role}",
    "The last message is a user's or a tool's, or an assistant's prefix; a prefix stands nowhere else.",
    f"{_VALIDATOR}; huggingface/smolagents#757, crewAIInc/crewAI#2194",
    confidence=Confidence.DOCUMENTED,
    fix="Let the user say something, or mark the assistant message as a prefix.",
    ends=True,
)
PREFIX = evolve(LAST, text="Assistant message with prefix True must be last message")
NOTHING = evolve(LAST, text="Conversation must have at least one message")
ID_9 = Rule(
    "MIS-ID-9",
    Severity.ERROR,
    "Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9.",
    "Ids have exactly nine letters and digits, on both sides; tokenizers from version 13 on take any.",
    _VALIDATOR,
    confidence=Confidence.DOCUMENTED,
    fix="Give the call an id of nine letters and digits, and its tool message the same.",
)
ID_MISSING = evolve(ID_9, text="Tool call id has to be defined.")
CALL_ID_MISSING = evolve(ID_9, text="Tool call id has to be defined in serving mode.")
ID_13 = evolve(
    ID_9,
    text="Tool call id must be a non-empty string other than 'null' for tokenizer version 13 or newer.",
)
ID_SET = Rule(
    "MIS-ID-SET",
    Severity.ERROR,
    "Duplicate tool call id {call_id} in tool results",
    "The ids of one assistant message differ, and each is answered once; older tokenizers only count.",
    f"{_VALIDATOR} (tokenizers of version 11 and later)",
    confidence=Confidence.DOCUMENTED,
    fix="Leave out the second tool message of a call, and the one that answers no call.",
)
ID_UNEXPECTED = evolve(ID_SET, text="Unexpected tool call id {call_id} in tool results")
ID_TWICE = evolve(ID_SET, text="Duplicate tool call id {call_id} in assistant message")
CONTENT_XOR = Rule(
    "MIS-CONTENT-XOR",
    None,
    "Assistant message must have either content or tool_calls, but not both.",
    "At tokenizers of version 1 to 3 an assistant message has words or calls: one of them.",
    _VALIDATOR,
    why="Which tokenizer reads a body stands nowhere in it: newer ones take both.",
    profiles=frozenset({V3}),
    confidence=Confidence.DOCUMENTED,
    fix="Put the words into an assistant message of their own, before the calls.",
)
NEITHER = evolve(
    CONTENT_XOR,
    severity=Severity.WARNING,
    text="Assistant message must have either content or tool_calls, but not none.",
    source="OpenHands/OpenHands#8685, solbrowse/extension#16",
    profiles=frozenset(),
    why="The hosted API answered so in 2025; mistral-common takes it since tokenizer version 7.",
    fix="Leave the message out, or say in it that it was empty.",
)

RULES = (COUNT, ORDER, LAST, ID_9, ID_SET, CONTENT_XOR)
