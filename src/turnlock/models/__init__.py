"""Models: adapters over the providers' SDKs, and one that plays a script in process.

    base.py      what an adapter is
    scripted.py  a model that says what it was told to
    openai.py    OpenAI Responses and Chat Completions, over the official client (extra ``openai``)
    anthropic.py Anthropic Messages, over the official client (extra ``anthropic``)
    sdk.py       what the adapters over the two clients share
    gemini.py    Gemini, with the addresses and keys of the official client (extra ``google-genai``)
    stream.py    answers that come as server-sent events
    demo.py      the strict provider's script, played in process (extra ``demo``)
    names.py     "openai:gpt-5" and other names -> adapters

SDKs are imported by names, and by the names of the adapters in the package, when somebody asks for them.
"""

from turnlock.models.base import (
    Model as Model,
    Request as Request,
    Response as Response,
    Sink as Sink,
    Usage as Usage,
)
from turnlock.models.names import as_model as as_model, resolve as resolve
from turnlock.models.scripted import (
    Fail as Fail,
    Invoke as Invoke,
    Pause as Pause,
    Say as Say,
    Scripted as Scripted,
    Stop as Stop,
)
