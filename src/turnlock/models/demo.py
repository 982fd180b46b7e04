"""The model behind the name ``demo``: the strict provider's script through the real client, in process.

No key and no socket: what a session sends is judged like a provider would, and answered from the script.
"""

from __future__ import annotations

import httpx2
from openai import AsyncOpenAI

from turnlock.models.openai import OpenAIResponses
from turnlock.strict import Script, StrictProvider
from turnlock.strict.server import InProcess


def demo_model() -> OpenAIResponses:
    """An adapter that owns its provider; closing it closes both."""
    transport = InProcess(StrictProvider(Script.load("demo")))
    client = AsyncOpenAI(
        api_key="none",
        base_url="http://strict/v1",
        http_client=httpx2.AsyncClient(transport=transport),
    )
    return OpenAIResponses("demo", client=client, owned=True)
