"""OpenAI Chat Completions, and the servers that take its format: encode, decode, check.

Layout:

    rules.py        OpenAI's rules, and the other servers' own, as data
    servers.py      the servers: which rules hold where, and what is written otherwise
    encode.py       transcript → messages
    decode.py       assistant message → items
    read.py         a whole body → transcript
    repair.py       request body → request body, mended
    content.py      the content of messages, both ways
    tools.py        the tools of a request
    check.py        messages → violations
"""

from turnlock.wire.openai_chat.check import ChatWalk as ChatWalk, TwoFormatsWalk as TwoFormatsWalk
from turnlock.wire.openai_chat.decode import decode_chat as decode_chat
from turnlock.wire.openai_chat.encode import ChatEncoder as ChatEncoder, encoder_for as encoder_for
from turnlock.wire.openai_chat.read import read_chat as read_chat
from turnlock.wire.openai_chat.repair import ChatRepairer as ChatRepairer
from turnlock.wire.openai_chat.servers import (
    COMPATIBLE as COMPATIBLE,
    OPENAI as OPENAI,
    Server as Server,
)
