"""Keys are told to nobody: errors of a model leave their adapter without them."""

from __future__ import annotations

import pytest

from turnlock import ModelError
from turnlock._secrets import hiding, without_keys


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Wrong key: hunter2-hunter3!", "Wrong key: [redacted]!"),
        ("Incorrect API key provided: sk-proj-****lKey.", "Incorrect API key provided: [redacted]"),
        ("Illegal header value b'Bearer tok.en/1\\n'", "Illegal header value b'[redacted]\\n'"),
        ("API key AIzaSyA-0123456789_x0123456789 not valid", "API key [redacted] not valid"),
        ("authorization: Basic dXNlcjpwdw==, retry", "authorization: [redacted], retry"),
        ("key=AIzaSyA-1234567890abcdefghijklmnop is not valid", "key=[redacted] is not valid"),
        ("Request had ya29.a0Af_byC-1: expired", "Request had [redacted]: expired"),
        ("a task-force of 20 asked for sk-1", "a task-force of 20 asked for sk-1"),
        ("Missing bearer or basic authentication", "Missing bearer or basic authentication"),
        ("Your basic plan allows 3 requests", "Your basic plan allows 3 requests"),
        ("The model `gpt-5` does not exist", "The model `gpt-5` does not exist"),
    ],
)
def test_keys_in_a_text(text: str, told: str) -> None:
    """The key that was used, and what looks like one, are not told; everything else is."""
    assert without_keys(text, "hunter2-hunter3\n") == told


def test_a_short_key() -> None:
    """What a server of one's own is given for a key is no secret, and would tear holes into every text."""
    assert without_keys("no such model: x1", "x") == "no such model: x1"


def test_an_error_with_a_key() -> None:
    """It says everything else that it said, and does not carry the error that it was made of."""
    with pytest.raises(ModelError) as caught, hiding(lambda: "hunter2-hunter3"):
        raise ModelError("lost", "hunter2-hunter3 is wrong", status=429, retry_after=3.0) from OSError(
            "hunter2-hunter3"
        )
    error = caught.value
    assert (error.trouble, error.text, error.status, error.retry_after) == (
        "lost",
        "[redacted] is wrong",
        429,
        3.0,
    )
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_an_error_without_a_key() -> None:
    """It is the same error."""
    original = ModelError("fatal", "no")
    with pytest.raises(ModelError) as caught, hiding(str):
        raise original
    assert caught.value is original
