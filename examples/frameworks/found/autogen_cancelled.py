"""Found by `turnlock fuzz examples.frameworks.autogen_agents:Cancelled`: refused.

request 2: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries S U1
      2. the task of the turn is cancelled
      3. the user says Ulast; the model will answer with a text
           → request 2 carries S U1 K(a) Ulast
           → request 2 is refused: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001
           → Ulast: BadRequestError("Error code: 400 - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001")
"""

from examples.frameworks.autogen_agents import Cancelled
from turnlock.testing import Answer, Interrupt, User, replay


def test_refused() -> None:
    replay(
        Cancelled,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Interrupt(),
        ],
        ignore=["runs-on"],
    )
