"""langchain_agents:RepeatedIds breaks the rule "refused". Written by ``hunting``; ``check langgraph_repeated_ids`` replays it.

  1. the user says U1; the model will answer with 2 calls, all with one id
       → request 1 carries U1
  2. the user says Ulast; the model will answer with a text
       → request 2 carries U1 K(a) K(b) O(b, 'result of a') O(b, 'result of b')
       → request 2 is refused: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].
       → U1: OpenAIInvalidRequestError("Error code: 400 - Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].")
       → Ulast: OpenAIInvalidRequestError("Error code: 400 - Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].")

request 2: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].
"""

from turnlock.testing import Answer, User

STEPS = (User(text="U1", answers=(Answer(calls=2, one_id=True),)),)
