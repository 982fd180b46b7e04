"""Gemini's generateContent, at AI Studio and on Vertex AI: encode, decode, read, check, repair.

Layout:

    parts.py     what the parts of a content are called, in both spellings
    rules.py     the provider's rules, as data
    encode.py    transcript → contents
    decode.py    part → items
    read.py      request body → transcript
    matching.py  which call a response answers, where ids are optional
    check.py     contents → violations
    repair.py    request body → request body, mended
"""

from turnlock.wire.gemini.check import GeminiWalk as GeminiWalk
from turnlock.wire.gemini.decode import decode_gemini as decode_gemini
from turnlock.wire.gemini.encode import GeminiEncoder as GeminiEncoder, signs_calls as signs_calls
from turnlock.wire.gemini.read import read_gemini as read_gemini
from turnlock.wire.gemini.repair import GeminiRepairer as GeminiRepairer
