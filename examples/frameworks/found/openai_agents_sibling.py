"""Found by `turnlock fuzz examples.frameworks.openai_agents:Responses`: unanswered.

call b has returned, and the agent rests without telling the model

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 2 calls
           → request 1 carries U1
      2. the tool of call b returns
      3. the task of the turn is cancelled
      4. the user says U2; the model will answer with a text
           → request 2 carries … U2
"""

from examples.frameworks.openai_agents import Responses
from turnlock.testing import Answer, Interrupt, Open, User, replay


def test_unanswered() -> None:
    replay(
        Responses,
        [
            User(text="U1", answers=(Answer(calls=2),)),
            Open(step="b"),
            Interrupt(),
            User(text="U2"),
        ],
        ignore=["erased"],
    )
