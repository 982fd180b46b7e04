"""Found by `turnlock fuzz examples.frameworks.autogen_agents:Chat`: progress.

the user interrupted the turn, and it never ends, although nothing holds it

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries S U1
      2. the user interrupts
"""

from examples.frameworks.autogen_agents import Chat
from turnlock.testing import Answer, Interrupt, User, replay


def test_progress() -> None:
    replay(
        Chat,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Interrupt(cancel=False),
        ],
        ignore=["refused", "runs-on"],
    )
