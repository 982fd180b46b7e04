"""langchain_agents:Chat breaks the rule "refused". Written by ``hunting``; ``check langgraph_raised`` replays it.

  1. the user says U1; the model will answer with 2 calls
       → request 1 carries U1
  2. the tool of call b raises
       → U1: ToolFailed('failure of b')
  3. the user says Ulast; the model will answer with a text
       → request 2 carries U1 K(a) K(b) Ulast
       → request 2 is refused: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001, call_901_00002
       → Ulast: OpenAIInvalidRequestError("Error code: 400 - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001, call_901_00002")

request 2: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001, call_901_00002
"""

from turnlock.testing import Answer, Fail, User

STEPS = (
    User(text="U1", answers=(Answer(calls=2),)),
    Fail(step="b"),
)
