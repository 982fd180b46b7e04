"""Anthropic Messages: encode, decode, check.

Layout:

    rules.py     the provider's rules, as data
    servers.py   other servers of the format, as data: MiniMax
    blocks.py    the types of content blocks, and which belong together
    content.py   what users say and what tools return, as blocks
    inflight.py  which of the server's own calls may be sent back
    encode.py    transcript → messages
    decode.py    content block → item
    check.py     messages → violations
"""

from turnlock.wire.anthropic.check import AnthropicWalk as AnthropicWalk
from turnlock.wire.anthropic.decode import decode_anthropic as decode_anthropic
from turnlock.wire.anthropic.encode import AnthropicEncoder as AnthropicEncoder
