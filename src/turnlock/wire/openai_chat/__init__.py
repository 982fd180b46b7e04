"""OpenAI Chat Completions: encode, decode, check.

Layout:

    rules.py     the provider's rules, as data
    encode.py    transcript → messages
    decode.py    assistant message → items
    check.py     messages → violations
"""

from turnlock.wire.openai_chat.check import ChatWalk as ChatWalk
from turnlock.wire.openai_chat.decode import decode_chat as decode_chat
from turnlock.wire.openai_chat.encode import ChatEncoder as ChatEncoder
