"""langchain_agents:Chat breaks the rule "bystander". Written by ``hunting``; ``check langgraph_bystander`` replays it.

  1. the user says U1; the model will answer with 2 calls
       → request 1 carries U1
  2. the tool of call a raises
       → U1: ToolFailed('failure of a')

call b was cancelled, and nobody had interrupted it, nor was its time over
"""

from turnlock.testing import Answer, Fail, User

STEPS = (
    User(text="U1", answers=(Answer(calls=2),)),
    Fail(step="a"),
)
