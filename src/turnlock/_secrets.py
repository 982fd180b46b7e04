"""What must not be told, logged or recorded: keys, wherever an SDK, a provider or a body repeats them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from turnlock.errors import ModelError

HIDDEN = "[redacted]"
_SHORTEST = 8  # characters: what servers of one's own are given for a key ("x", "none") is in many texts
_CREDENTIALS = r"(?=[^\s'\"\\,;]*[\d_=+/])[^\s'\"\\,;]+"  # no word has one of these in it
_LOOKS_LIKE_A_KEY = re.compile(
    rf"(?i:\b(?:bearer|basic)\s+){_CREDENTIALS}|\b(?:sk|pk|rk|gsk|xai)-[\w*.-]{{6,}}"
    r"|\bgsk_\w{20,}|\bAIza[\w-]{20,}|\bya29\.[\w.-]{6,}"  # Groq, Google and its OAuth
)


def without_keys(text: str, key: str = "") -> str:
    """A text without this key and without whatever looks like one."""
    text = _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)
    return text.replace(key.strip(), HIDDEN) if len(key.strip()) >= _SHORTEST else text


@contextmanager
def hiding(find_key: Callable[[], str]) -> Iterator[None]:
    """Errors of a model leave this block without keys, and without the error that they come from.

    Args:
        find_key: The key that was used; empty if it is not known.

    Raises:
        ModelError: The same, in other words if there was a key in it.
    """
    try:
        yield
    except ModelError as error:
        text = without_keys(error.text, find_key())
        if text == error.text:
            raise
        raise ModelError(error.trouble, text, status=error.status, retry_after=error.retry_after) from None
