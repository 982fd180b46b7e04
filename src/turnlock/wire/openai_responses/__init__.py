"""OpenAI Responses: encode, decode, check.

Layout:

    rules.py     the provider's rules, as data
    kinds.py     the kinds of call, as data: their items, names and fields
    outputs.py   what answers each kind of call
    encode.py    transcript → input
    decode.py    output item → item
    check.py     request body → violations; DeepSeek's strictness of the same format too
"""

from turnlock.wire.openai_responses.check import (
    check_deepseek as check_deepseek,
    check_responses as check_responses,
)
from turnlock.wire.openai_responses.decode import decode_responses as decode_responses
from turnlock.wire.openai_responses.encode import ResponsesEncoder as ResponsesEncoder
