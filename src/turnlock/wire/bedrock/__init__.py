"""Amazon Bedrock's Converse: encode, decode, check, read, repair.

Layout:

    rules.py     the provider's rules, as data
    blocks.py    the blocks of a message's content
    encode.py    transcript → messages
    decode.py    assistant message → items
    check.py     messages → violations
    read.py      a whole body → transcript
    repair.py    a broken body → one that may leave
"""

from turnlock.wire.bedrock.check import BedrockWalk as BedrockWalk
from turnlock.wire.bedrock.decode import decode_bedrock as decode_bedrock
from turnlock.wire.bedrock.encode import BedrockEncoder as BedrockEncoder
from turnlock.wire.bedrock.read import read_bedrock as read_bedrock
from turnlock.wire.bedrock.repair import BedrockRepairer as BedrockRepairer
