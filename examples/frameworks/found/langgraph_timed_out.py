"""Found by `turnlock fuzz examples.frameworks.langchain_agents:Deadline`: refused.

request 2: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call; then a text and 1 call, standing still behind item 0; then 2 calls, standing still behind item 1
           → request 1 carries U1
      2. 1 s pass
           → U1: TimeoutError()
      3. the user says Ulast; the model will answer with a text
           → request 2 carries U1 K(a) Ulast
           → request 2 is refused: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001
           → Ulast: OpenAIInvalidRequestError("Error code: 400 - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001")
"""

from examples.frameworks.langchain_agents import Deadline
from turnlock.testing import Advance, Answer, User, replay


def test_refused() -> None:
    replay(
        Deadline,
        [
            User(
                text="U1",
                answers=(Answer(calls=1), Answer(calls=1, text=True, holds=0), Answer(calls=2, holds=1)),
            ),
            Advance(seconds=1.0),
        ],
    )
