"""Found by `turnlock fuzz examples.frameworks.autogen_agents:Cancelled`: runs-on.

the turn is over, and the tool of call a runs on

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries S U1
      2. the task of the turn is cancelled
"""

from examples.frameworks.autogen_agents import Cancelled
from turnlock.testing import Answer, Interrupt, User, replay


def test_runs_on() -> None:
    replay(
        Cancelled,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Interrupt(),
        ],
        ignore=["progress", "refused"],
    )
