"""langchain_agents:Deadline breaks the rule "bound". Written by ``hunting``; ``check langgraph_bound`` replays it.

  1. the user says U1; the model will answer with a text and 3 calls; then a text and 3 calls
       → request 1 carries U1
  2. the tool of call a will not stop when it is cancelled

call a has had its deadline of 0.5 s, and 3.5 s later the turn still waits for its tool
"""

from turnlock.testing import Answer, Stubborn, User

STEPS = (
    User(text="U1", answers=(Answer(calls=3, text=True), Answer(calls=3, text=True))),
    Stubborn(step="a"),
)
