"""Found by `turnlock fuzz examples.frameworks.pydantic_agents:ToolErrors`: progress.

the session cannot be used any more; one more message: UserError('Cannot provide a new user prompt when the message history contains unprocessed tool calls. Run the agent with this message history and no new prompt to execute the calls, pass `deferred_tool_results` if they were deferred, or call `pydantic_ai.messages.repair_messages()` on the history first to close them out.')

Play it again with `python -m pytest` and the name of this file: it fails until the agent is mended.

      1. the user says U1; the model will answer with 1 call
           → request 1 carries U1
      2. the tool of call a returns
      3. the user interrupts
           → U1: RunCancelled('The agent run was cancelled.')
      4. the user says Ulast; the model will answer with a text
           → Ulast: UserError('Cannot provide a new user prompt when the message history contains unprocessed tool calls. Run the agent with this message history and no new prompt to execute the calls, pass `deferred_tool_results` if they were deferred, or call `pydantic_ai.messages.repair_messages()` on the history first to close them out.')
"""

from examples.frameworks.pydantic_agents import ToolErrors
from turnlock.testing import Answer, Interrupt, Open, Together, User, replay


def test_progress() -> None:
    replay(
        ToolErrors,
        [
            User(text="U1", answers=(Answer(calls=1),)),
            Together(steps=(Open(step="a"), Interrupt(cancel=False))),
        ],
        ignore=["lost"],
    )
