"""Gemini's generateContent, at AI Studio and on Vertex AI: check.

Layout:

    parts.py     what the parts of a content are called, in both spellings
    rules.py     the provider's rules, as data
    check.py     contents → violations
"""

from turnlock.wire.gemini.check import GeminiWalk as GeminiWalk
