"""Compiled by mypy, never run: values are frozen for whoever types them.

Each ignored line must be an error; mypy complains about an ignore that is not needed, so this file proves it.
"""

from __future__ import annotations

from turnlock import Message, Outcome, Text
from turnlock.engine import inputs


def assign(message: Message, text: Text, outcome: Outcome, send: inputs.Send) -> None:
    message.content = "changed"  # type: ignore[misc]  # read-only: that is the point
    text.text = "changed"  # type: ignore[misc]  # read-only: that is the point
    outcome.output = "changed"  # type: ignore[misc]  # read-only: that is the point
    send.at = 1.0  # type: ignore[misc]  # read-only: that is the point
