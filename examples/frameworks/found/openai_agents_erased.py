"""Found by `turnlock fuzz examples.frameworks.openai_agents:Responses`: erased.

request 2 does not hold call a, which was made

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the task of the turn is cancelled
      3. the user says Ulast; the model will answer with a text
           → request 2 carries U1 Ulast
"""

from examples.frameworks.openai_agents import Responses
from turnlock.testing import Answer, Interrupt, User, replay


def test_erased() -> None:
    replay(
        Responses,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Interrupt(),
        ],
    )
