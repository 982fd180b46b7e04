"""Found by `turnlock fuzz examples.frameworks.autogen_agents:RepeatedIds`: refused.

request 2: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[3] and messages[4].

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 2 calls, all with one id
           → request 1 carries S U1
           → request 2 carries S U1 K(a) K(b) O(b, 'result of a') O(b, 'result of b')
           → request 2 is refused: 400 Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[3] and messages[4].
           → U1: BadRequestError("Error code: 400 - Invalid parameter: Duplicate value for 'tool_call_id' of 'call_1', in messages[3] and messages[4].")
"""

from examples.frameworks.autogen_agents import RepeatedIds
from turnlock.testing import Answer, User, replay


def test_refused() -> None:
    replay(
        RepeatedIds,
        [
            User(text="U1", answers=(Answer(calls=2, one_id=True),)),
        ],
        ignore=["progress", "runs-on"],
    )
