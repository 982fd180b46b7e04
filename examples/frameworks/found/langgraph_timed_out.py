"""langchain_agents:Deadline breaks the rule "refused". Written by ``hunting``; ``check langgraph_timed_out`` replays it.

  1. the user says U1; the model will answer with 1 call; then 1 call, standing still behind item 2; then a text and 2 calls
       → request 1 carries U1
  2. 1 s pass
       → U1: TimeoutError()
  3. the user says Ulast; the model will answer with a text
       → request 2 carries U1 K(a) Ulast
       → request 2 is refused: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001
       → Ulast: OpenAIInvalidRequestError("Error code: 400 - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001")

request 2: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001
"""

from turnlock.testing import Advance, Answer, User

STEPS = (
    User(text="U1", answers=(Answer(calls=1), Answer(calls=1, holds=2), Answer(calls=2, text=True))),
    Advance(seconds=1.0),
)
