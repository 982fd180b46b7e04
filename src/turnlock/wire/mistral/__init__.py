"""Mistral's chat: encode, decode, check, read, repair.

Layout:

    rules.py     the provider's rules, as data
    encode.py    transcript → messages
    decode.py    assistant message → items
    check.py     messages → violations
    read.py      a whole body → transcript
    repair.py    a broken body → one that may leave
"""

from turnlock.wire.mistral.check import MistralWalk as MistralWalk
from turnlock.wire.mistral.decode import decode_mistral as decode_mistral
from turnlock.wire.mistral.encode import MistralEncoder as MistralEncoder
from turnlock.wire.mistral.read import read_mistral as read_mistral
from turnlock.wire.mistral.repair import MistralRepairer as MistralRepairer
