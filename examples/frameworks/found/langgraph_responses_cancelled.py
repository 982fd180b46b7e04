"""langchain_agents:Responses breaks the rule "refused". Written by ``hunting``; ``check langgraph_responses_cancelled`` replays it.

  1. the user says U1; the model will answer with 2 calls
       → request 1 carries U1
  2. the task of the turn is cancelled
  3. the user says Ulast; the model will answer with a text
       → request 2 carries U1 K(a) K(b) Ulast
       → request 2 is refused: 400 No tool output found for function call call_901_00001.
       → Ulast: OpenAIInvalidRequestError('Error code: 400 - No tool output found for function call call_901_00001.')

request 2: 400 No tool output found for function call call_901_00001.
"""

from turnlock.testing import Answer, Interrupt, User

STEPS = (
    User(text="U1", answers=(Answer(calls=2),)),
    Interrupt(),
)
