"""Found by `turnlock fuzz examples.frameworks.openai_agents:Deadline`: bound.

call a was asked to stop, and 3.5 s later the turn still waits for its tool

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the tool of call a will not stop when it is cancelled
"""

from examples.frameworks.openai_agents import Deadline
from turnlock.testing import Answer, Stubborn, User, replay


def test_bound() -> None:
    replay(
        Deadline,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Stubborn(step="a"),
        ],
        ignore=["erased"],
    )
