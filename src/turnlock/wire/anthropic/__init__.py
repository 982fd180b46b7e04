"""Anthropic Messages: encode, decode, read, check, repair.

Layout:

    rules.py     the provider's rules, as data
    servers.py   other servers of the format, as data: MiniMax
    blocks.py    content blocks: their types, which belong together, how they are written
    inflight.py  which of the server's own calls may be sent back
    encode.py    transcript → messages
    decode.py    content block → item
    read.py      body → transcript
    check.py     messages → violations
    repair.py    body → body without violations
"""

from turnlock.wire.anthropic.check import AnthropicWalk as AnthropicWalk
from turnlock.wire.anthropic.decode import decode_anthropic as decode_anthropic
from turnlock.wire.anthropic.encode import AnthropicEncoder as AnthropicEncoder
from turnlock.wire.anthropic.read import read_anthropic as read_anthropic
from turnlock.wire.anthropic.repair import AnthropicRepairer as AnthropicRepairer
