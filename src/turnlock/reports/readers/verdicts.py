"""An error as an agent wrote it down → the status and the provider's own text.

Agents keep an error as the text of an exception: some words, a status, and the provider's JSON, or Python's
picture of it.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from turnlock.reports.readers.form import Verdict

_STATUS = re.compile(
    r"(?:error code|api error|status(?: code)?|client error|server error|http)\W{0,4}\s*([45]\d\d)\b",
    re.IGNORECASE,
)
_MAX = 100_000


def refusal(text: str) -> Verdict:
    """What an error text says; the text itself when it holds no envelope of a provider."""
    status = _STATUS.search(text)
    at = text.find("{", status.end() if status else 0)
    message = _message(_envelope(text[at : at + _MAX])) if at >= 0 else None
    return Verdict(accepted=False, status=int(status[1]) if status else None, error=message or text)


def message_of(envelope: object) -> str:
    """The text of a provider's error, whatever form it was kept in."""
    if isinstance(envelope, str):
        return _message(_envelope(envelope)) or envelope
    return _message(envelope) or json.dumps(envelope, ensure_ascii=False, default=str)


def _envelope(text: str) -> object:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        pass
    try:
        value: object = ast.literal_eval(text[: text.rfind("}") + 1])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return value


def _message(value: Any) -> str | None:  # noqa: ANN401  # JSON can be anything
    while isinstance(value, dict):
        if isinstance(value.get("message"), str):
            return str(value["message"])
        value = value.get("error") or value.get("detail")
    return value if isinstance(value, str) else None
