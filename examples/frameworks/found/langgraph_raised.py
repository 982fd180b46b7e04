"""Found by `turnlock fuzz examples.frameworks.langchain_agents:Chat`: refused.

request 2: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the tool of call a raises
           → turn('U1') raises ToolFailed('failure of a')
      3. the user says Ulast; the model will answer with a text
           → request 2 carries … K(a) Ulast
           → request 2 is refused: 400 An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001
           → turn('Ulast') raises OpenAIInvalidRequestError("Error code: 400 - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_901_00001")
"""

from examples.frameworks.langchain_agents import Chat
from turnlock.testing import Answer, Fail, User, replay


def test_refused() -> None:
    replay(
        Chat,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Fail(step="a"),
        ],
        ignore=["bystander"],
    )
