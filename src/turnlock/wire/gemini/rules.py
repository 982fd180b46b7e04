"""The rules of Gemini's generateContent that a body alone can break.

Data only: ids, the provider's words, where they were seen. ``check.py`` looks for them. Profiles: ``3`` is a
model of Gemini 3 or newer, ``vertex`` the same format on Vertex AI. The rule that asks for parity counts; ids
are optional here, and where neither side has them the order of the responses says which call they answer.
"""

from __future__ import annotations

from turnlock.wire.common.rules import Confidence, Rule, Severity

_CASSETTES = "pydantic/pydantic-ai@4fda3898 tests/models/cassettes"

PARITY = Rule(
    "GEM-PARITY",
    Severity.ERROR,
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn.",
    "Behind a model turn with n functionCall parts stand n functionResponse parts, before anything else.",
    f"google-gemini/gemini-cli#16984, #3814; {_CASSETTES}: 334 function call turns, all of them even",
    confidence=Confidence.RECORDED,
    fix="Give every functionCall its one functionResponse in the content that follows the model turn.",
    absent=True,
)
FR_ONE_CONTENT = Rule(
    "GEM-FR-ONE-CONTENT",
    None,
    PARITY.text,
    "The responses to parallel calls are parts of one user content; a content for each is not merged.",
    "vertesia/llumiverse#620 (replayed: apart 400, together 200)",
    profiles=frozenset({"vertex"}),
    fix="Put all functionResponse parts of a turn into one user content.",
)
FC_AFTER = Rule(
    "GEM-FC-AFTER",
    Severity.ERROR,
    "Please ensure that function call turn comes immediately after a user turn or after a function response "
    "turn.",
    "A model turn that calls functions stands behind a user turn or behind responses, so never first.",
    "google-gemini/gemini-cli#11814, continuedev/continue#11164, lobehub/lobehub#10049",
    fix="Let the history begin with a user content; when it is cut short, cut before one.",
)
FR_AFTER_FC = Rule(
    "GEM-FR-AFTER-FC",
    Severity.ERROR,
    "Please ensure that function response turn comes immediately after a function call turn.",
    "A content with functionResponse parts stands directly behind the model turn that called.",
    "GoogleCloudPlatform/generative-ai#368, langchain-ai/langchain#27799",
    fix="Move the responses to directly behind their model turn, and the user's text behind them.",
)
MIXED_TURN = Rule(
    "GEM-MIXED-TURN",
    Severity.WARNING,
    "Requests ending with a model turn are not supported.",
    "A content with functionResponse parts has no other parts; new text of the user is a content of its own.",
    f"Prism-Shadow/agenthub#191, decolua/9router#3055, anomalyco/opencode#43479; {_CASSETTES}: "
    "89 separate contents accepted, none mixed; gemini-cli still mixes",
    profiles=frozenset({"vertex"}),
    fix="Put what is not a functionResponse into a user content of its own, behind the responses.",
)
TRAILING_MODEL = Rule(
    "GEM-TRAILING-MODEL",
    Severity.ERROR,
    "Requests ending with a model turn are not supported.",
    "The last content is not the model's.",
    f"crewAIInc/crewAI#6973, decolua/9router#3055; {_CASSETTES}: all 479 accepted requests end with the user",
    fix="End the request with a user content.",
    ends=True,
)
SIG_MISSING = Rule(
    "GEM-SIG-MISSING",
    None,
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
    "correctly, and missing thought_signature may lead to degraded model performance. Additional data, "
    "function call `default_api:{name}` , position {position}. Please refer to "
    "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
    "In the current turn, which is all that stands behind the last user content with more than responses, "
    "the first functionCall of each step carries the thoughtSignature that it came with.",
    f"lbjlaq/Antigravity-Manager#733, NousResearch/hermes-agent#15054; {_CASSETTES}: 288 signed turns on "
    "Gemini 3, 6 unsigned ones accepted on 2.x",
    profiles=frozenset({"3"}),
    confidence=Confidence.RECORDED,
    fix="Send the signature back on its part; for another model's call 'skip_thought_signature_validator'.",
)
FR_ROLE = Rule(
    "GEM-FR-ROLE",
    Severity.ERROR,
    "contents[{i}] holds functionResponse parts, so its role must be 'user', not {role}.",
    "A content with functionResponse parts has the role user.",
    "BerriAI/litellm#20806, maximhq/bifrost#2222",
    literal=False,
    fix="Give the content the role 'user'.",
)
FR_NAME = Rule(
    "GEM-FR-NAME",
    Severity.ERROR,
    "contents[{i}].parts[{j}].function_response{problem}.",
    "A functionResponse has the name of its call and a response, which is an object; its id, if it has one, "
    "is its call's.",
    f"google-genai 3.3 types.FunctionResponse; {_CASSETTES}: 349 responses with an id accepted, 110 of them "
    "on Vertex",
    literal=False,
    confidence=Confidence.DOCUMENTED,
    fix="Copy the name (and the id, if there is one) from the call; say an error as {'error': …}.",
)

RULES = (
    PARITY,
    FR_ONE_CONTENT,
    FC_AFTER,
    FR_AFTER_FC,
    MIXED_TURN,
    TRAILING_MODEL,
    SIG_MISSING,
    FR_ROLE,
    FR_NAME,
)

NOTES = (
    Rule(
        "GEM-MODEL-MERGE",
        None,
        "",
        "Model contents that stand in a row are one turn, and so are their calls; AI Studio accepts them.",
        f"{_CASSETTES}: test_cross_provider_capability_replay (4 times 200); not recorded on Vertex",
        literal=False,
        confidence=Confidence.RECORDED,
    ),
    Rule(
        "GEM-SIG-INVALID",
        None,
        "Unable to submit request because Thought signature is not valid.. Learn more: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini",
        "A signature goes back unchanged, and only to the model and the service that made it. No body shows "
        "whether it does.",
        "NoeFabris/opencode-antigravity-auth#368",
        fix="Send signatures back as they came; leave out those of another model.",
    ),
)
"""What is not looked for: a shape that is accepted, and what no body can show."""
