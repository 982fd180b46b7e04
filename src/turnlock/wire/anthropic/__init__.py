"""Anthropic Messages: encode, decode, check.

Layout:

    rules.py     the provider's rules, as data
    servers.py   other servers of the format, as data: MiniMax
    blocks.py    the types of content blocks, and which belong together
    check.py     messages → violations
"""

from turnlock.wire.anthropic.check import AnthropicWalk as AnthropicWalk
