"""Found by `turnlock fuzz examples.frameworks.pydantic_agents:Chat`: truthful.

request 2 says of call a: 'The tool call was interrupted before a result was produced.'; but it had raised 'failure of a'

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the tool of call a raises
           → U1: ToolFailed('failure of a')
      3. the user says Ulast; the model will answer with a text
           → request 2 carries U1 K(a) O(a, 'The tool call was interrupted before a result was produced.') Ulast
"""

from examples.frameworks.pydantic_agents import Chat
from turnlock.testing import Answer, Fail, User, replay


def test_truthful() -> None:
    replay(
        Chat,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Fail(step="a"),
        ],
        ignore=["bystander", "lost", "progress"],
    )
