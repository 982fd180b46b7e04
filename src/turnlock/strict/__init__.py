"""The strict provider: a loopback server that speaks OpenAI's and Anthropic's APIs, from a script.

It answers 400, in the provider's own words, to every history that the provider would refuse. Agents in any
language can be run against it, and the rest of the library is judged by it: its verdicts are written apart
from ``turnlock.wire``, and it imports nothing else of turnlock. In three lines::

    provider = StrictProvider(Script.of({"calls": [{"name": "ls"}]}, {"text": "Two files."}))
    base_url = await nursery.start(turnlock.strict.server.serve, provider)
    client = AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0)

``provider.exchanges`` and ``provider.bodies`` then say what came in and why it was refused.
``judge_responses``, ``judge_chat`` and ``judge_anthropic`` are the verdicts alone, pure functions of a
request body.
``turnlock.strict.server`` has the doors, ``serve`` and ``InProcess``; it needs the extra ``demo`` and is not
imported here.

What it does not do: it runs no model and no tool, looks at no schema of a tool, checks no key or limit of
tokens and no model's name (only whether a Claude takes prefill), verifies no encrypted reasoning and no
signature but its own, and serves nothing but loopback.
"""

from turnlock.strict.anthropic.judge import judge as judge_anthropic
from turnlock.strict.app import (
    ConnectionCut as ConnectionCut,
    Exchange as Exchange,
    Reply as Reply,
    StrictProvider as StrictProvider,
)
from turnlock.strict.chat import judge as judge_chat
from turnlock.strict.responses import judge as judge_responses
from turnlock.strict.script import (
    Asked as Asked,
    Call as Call,
    Kind as Kind,
    Line as Line,
    Player as Player,
    Script as Script,
    ScriptError as ScriptError,
)
from turnlock.strict.verdict import Refusal as Refusal

__all__ = [
    "Asked",
    "Call",
    "ConnectionCut",
    "Exchange",
    "Kind",
    "Line",
    "Player",
    "Refusal",
    "Reply",
    "Script",
    "ScriptError",
    "StrictProvider",
    "judge_anthropic",
    "judge_chat",
    "judge_responses",
]
