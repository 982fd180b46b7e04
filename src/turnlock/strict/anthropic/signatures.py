"""The signatures of the thinking that the strict provider gives.

Owns their form. A signature says which model thought and which text: so it can be checked without memory, by
another process too, and what a real model signed is recognised as foreign.
"""

from __future__ import annotations

import hashlib

_OURS = "strict:"


def sign(model: str, thinking: str) -> str:
    """The signature of what this model thought."""
    return f"{_OURS}{hashlib.sha256(thinking.encode()).hexdigest()[:32]}:{model}"


def signer(signature: str) -> str | None:
    """The model that a signature of ours was given for; None when it is not ours."""
    ours, _, rest = signature.partition(_OURS)
    return rest.partition(":")[2] if not ours and rest else None
