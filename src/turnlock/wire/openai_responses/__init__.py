"""OpenAI Responses: encode, decode, check.

Layout:

    rules.py     the provider's rules, as data
    kinds.py     the kinds of call, as data: their items, names and fields
    outputs.py   what answers each kind of call
    encode.py    transcript → input
    deepseek.py  the same for DeepSeek
    decode.py    output item → item
    read.py      a whole body → transcript
    repair.py    request body → request body, mended
    check.py     input → violations; DeepSeek's strictness of the same format too
"""

from turnlock.wire.openai_responses.check import (
    DeepSeekWalk as DeepSeekWalk,
    ResponsesWalk as ResponsesWalk,
)
from turnlock.wire.openai_responses.decode import decode_responses as decode_responses
from turnlock.wire.openai_responses.deepseek import DeepSeekEncoder as DeepSeekEncoder
from turnlock.wire.openai_responses.encode import ResponsesEncoder as ResponsesEncoder
from turnlock.wire.openai_responses.read import read_responses as read_responses
from turnlock.wire.openai_responses.repair import (
    DeepSeekRepairer as DeepSeekRepairer,
    ResponsesRepairer as ResponsesRepairer,
)
