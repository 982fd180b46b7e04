"""Found by `turnlock fuzz examples.frameworks.pydantic_agents:ToolErrors`: lost.

U2 was accepted, and no request ever carried it

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the user says U2 while the turn is under way
      3. the task of the turn is cancelled
      4. the user says Ulast; the model will answer with a text
           → request 2 carries U1 K(a) O(a, 'The tool call was interrupted before a result was produced.') Ulast
"""

from examples.frameworks.pydantic_agents import ToolErrors
from turnlock.testing import Answer, Interrupt, Send, User, replay


def test_lost() -> None:
    replay(
        ToolErrors,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Send(text="U2"),
            Interrupt(),
        ],
        ignore=["progress"],
    )
