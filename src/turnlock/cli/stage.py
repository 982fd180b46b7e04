"""What both loops of the demo show and count: lines for people, figures for the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import msgspec
from attrs import define, field
from openai import AsyncOpenAI
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from turnlock.engine import Item

_MARKS = {
    "user": ("you", "bold cyan"),
    "request": ("  →", "dim"),
    "model": ("  ←", "green"),
    "tool": ("  ·", "blue"),
    "held": ("hold", "bold yellow"),
    "delivered": ("pass", "bold green"),
    "stop": ("stop", "magenta"),
    "refused": ("400", "bold red"),
    "note": ("", ""),
}


@define(eq=False)
class Stage:
    """Where the demo is shown. Silent when only the figures are wanted."""

    console: Console

    def title(self, text: str) -> None:
        """A story begins."""
        self.console.print()
        self.console.rule(f"[bold]{escape(text)}", align="left")

    def loop(self, text: str) -> None:
        """One of the two loops takes the stage."""
        self.console.print(f"\n[bold reverse] {escape(text)} [/]")

    def say(self, mark: str, text: str) -> None:
        """Something happened."""
        head, style = _MARKS[mark]
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_column(width=4)
        line.add_column()
        line.add_row(Text(head, style), Text(text, style))
        self.console.print(line)


@define(eq=False)
class Tally:
    """Counts what the provider got, at the client: it is the same behind any proxy."""

    requests: int = 0
    rejected: int = 0
    errors: list[str] = field(factory=list)

    async def count(self, response: httpx2.Response) -> None:
        """A hook of the HTTP client."""
        if response.request.method != "POST":
            return
        self.requests += 1
        if 400 <= response.status_code < 500:
            self.rejected += 1
            self.errors.append(_text(await response.aread()))

    def client(self, base_url: str, key: str) -> AsyncOpenAI:
        """The real client, counted."""
        http = httpx2.AsyncClient(event_hooks={"response": [self.count]}, timeout=60)
        return AsyncOpenAI(base_url=base_url, api_key=key, http_client=http, max_retries=0)


def _text(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]


_WORDS = {
    "function_call": "call",
    "local_shell_call": "shell call",
    "function_call_output": "output",
    "Message": "user",
    "Text": "assistant",
    "Call": "call",
    "Output": "output",
    "Note": "note",
}


def outline(items: Sequence[Mapping[str, Any] | Item]) -> str:
    """What a request carries, in a line: the items of a body, or of a transcript."""
    kinds = (
        item.get("role") or item["type"] if isinstance(item, Mapping) else type(item).__name__
        for item in items
    )
    return " · ".join(_WORDS.get(kind, kind) for kind in kinds)
