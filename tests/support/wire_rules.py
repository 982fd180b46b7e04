"""The shared table of wire rules, as small copies per dialect, and the recorded bodies beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "wire" / "data"
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "wire" / "recorded_requests.jsonl"
"""Every recorded body; it may be absent."""


def table(name: str) -> list[dict[str, Any]]:
    """The entries of one dialect."""
    found: list[dict[str, Any]] = json.loads((DATA / f"wire_rules_{name}.json").read_text("utf-8"))["rules"]
    return found


def recorded(path: Path) -> list[dict[str, Any]]:
    """Recorded bodies with the provider's verdict, a line each."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def literal(text: str) -> re.Pattern[str]:
    """A provider's text from the table, with its placeholders as wildcards."""
    return re.compile("(?:.+)".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text)))
