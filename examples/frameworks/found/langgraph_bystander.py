"""Found by `turnlock fuzz examples.frameworks.langchain_agents:Chat`: bystander.

call b was cancelled, and nobody had interrupted it, nor was its time over

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 2 calls
           → request 1 carries U1
      2. the tool of call a raises
           → U1: ToolFailed('failure of a')
"""

from examples.frameworks.langchain_agents import Chat
from turnlock.testing import Answer, Fail, User, replay


def test_bystander() -> None:
    replay(
        Chat,
        [
            User(text="U1", answers=(Answer(calls=2),)),
            Fail(step="a"),
        ],
        ignore=["progress", "refused"],
    )
