"""Found by `turnlock fuzz examples.frameworks.openai_agents:Conversation`: refused.

request 2: 400 No tool output found for function call call_901_00001.

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the task of the turn is cancelled
      3. the user says Ulast; the model will answer with a text
           → request 2 carries U1 K(a) Ulast
           → request 2 is refused: 400 No tool output found for function call call_901_00001.
           → Ulast: BadRequestError('Error code: 400 - No tool output found for function call call_901_00001.')
"""

from examples.frameworks.openai_agents import Conversation
from turnlock.testing import Answer, Interrupt, User, replay


def test_refused() -> None:
    replay(
        Conversation,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Interrupt(),
        ],
        ignore=["lost"],
    )
