"""Found by `turnlock fuzz examples.frameworks.langchain_agents:Deadline`: bound.

call b has had its deadline of 0.5 s, and 3.5 s later the turn still waits for its tool

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 2 calls
           → request 1 carries U1
      2. the tool of call b will not stop when it is cancelled
"""

from examples.frameworks.langchain_agents import Deadline
from turnlock.testing import Answer, Stubborn, User, replay


def test_bound() -> None:
    replay(
        Deadline,
        [
            User(text="U1", answers=(Answer(calls=2),)),
            Stubborn(step="b"),
        ],
        ignore=["progress", "refused"],
    )
