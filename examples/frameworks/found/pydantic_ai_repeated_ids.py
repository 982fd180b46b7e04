"""Found by `turnlock fuzz examples.frameworks.pydantic_agents:RepeatedIds`: refused.

request 2: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 2 calls, all with one id
           → request 1 carries U1
           → U1: UnexpectedModelBehavior("Function tool calls must have unique `tool_call_id` values; duplicate `tool_call_id`s: ['call_1']")
      2. the user says Ulast; the model will answer with a text
           → request 2 carries U1 K(a) K(b) O(b, 'The tool call was interrupted before a result was produced.') O(b, 'The tool call was interrupted before a result was produced.') Ulast
           → request 2 is refused: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[2] and messages[3].
           → Ulast: ModelRequestRejectedError('status_code: 400, model_name: any, body: {\\'message\\': "Invalid parameter: Duplicate value for \\'tool_call_id\\' of \\'call_1\\', in messages[2] and messages[3].", \\'type\\': \\'invalid_request_error\\', \\'param\\': \\'messages.[3].tool_call_id\\', \\'code\\': None}')
"""

from examples.frameworks.pydantic_agents import RepeatedIds
from turnlock.testing import Answer, User, replay


def test_refused() -> None:
    replay(
        RepeatedIds,
        [
            User(text="U1", answers=(Answer(calls=2, one_id=True),)),
        ],
        ignore=["lost", "progress"],
    )
