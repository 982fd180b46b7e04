"""What both loops of the demo show and count: lines for people, figures for the summary."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx2
import msgspec
from attrs import define, field
from openai import AsyncOpenAI
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from turnlock.engine import Call, Item

_MARKS = {  # what stands in front, its style, the style of the text
    "user": (" you", "bold cyan", "bold"),
    "request": ("   →", "bold", ""),
    "model": ("   ←", "bold", ""),
    "tool": ("   ·", "bold", ""),
    "held": ("hold", "bold yellow", "yellow"),
    "delivered": ("sent", "bold green", "green"),
    "stop": ("stop", "bold magenta", ""),
    "refused": (" 400", "bold red", "red"),
    "note": ("", "", "italic"),
}
_INDENT = 5
_NARROW = 20  # columns that a text gets on the smallest terminal


class Unplayable(Exception):
    """The provider does not play the demo: it is not there, or it says something else."""


class Screen(Console):
    """A console that lets its command say what happens when nobody reads on."""

    def on_broken_pipe(self) -> NoReturn:
        """Leave with the error itself; rich ends the process where it stands."""
        raise BrokenPipeError


@define(eq=False)
class Stage:
    """Where the demo is shown. Silent when only the figures are wanted."""

    console: Console

    def open(self, stories: int) -> None:
        """Say what is going to be seen, and how to read it."""
        legend = Text(
            f"{stories} stories over real HTTP, each told twice: by the loop that most agents start\n"
            "with, and by turnlock. The provider refuses every history that real ones refuse.\n\n"
            "→ a request and what it carries   ← the model   · a tool\n"
        )
        legend.append("400", _MARKS["refused"][1]).append(" it was refused   ")
        legend.append("hold", _MARKS["held"][1]).append(" a message waits   ")
        legend.append("sent", _MARKS["delivered"][1]).append(" a message went out")
        self.console.print(legend)

    def title(self, text: str) -> None:
        """A story begins."""
        self.console.print()
        self.console.rule(f"[bold]{escape(text)}", align="left", style="dim")

    def loop(self, text: str) -> None:
        """One of the two loops takes the stage."""
        self.console.print(f"\n[bold reverse] {escape(text)} [/]")

    def say(self, mark: str, text: str) -> None:
        """Something happened."""
        head, head_style, style = _MARKS[mark]
        width = max(self.console.width - _INDENT, _NARROW)
        for line in Text(text, style).wrap(self.console, width):
            line.rstrip()
            shown = Text.assemble((f"{head:{_INDENT}}", head_style), line)
            self.console.print(shown, soft_wrap=True)
            head = ""


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

    def client(self, base_url: str, *, through_proxies: bool) -> AsyncOpenAI:
        """The real client, counted.

        It has no key. Who plays the demo needs none, and what a proxy records may be shown around.
        """
        http = httpx2.AsyncClient(
            event_hooks={"response": [self.count]},
            timeout=httpx2.Timeout(60, connect=10),
            trust_env=through_proxies,
        )
        with _no_secrets():
            return AsyncOpenAI(base_url=base_url, api_key="none", http_client=http, max_retries=0)


@contextmanager
def _no_secrets() -> Iterator[None]:
    """Hide the variables from which the SDK takes keys, organisations and headers of its own accord."""
    hidden = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith("OPENAI_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


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
    "Output": "output",
    "Note": "note",
}


def outline(items: Sequence[Mapping[str, Any] | Item]) -> str:
    """What a request carries, in a line: the items of a body, or of a transcript."""
    return " · ".join(_WORDS.get(kind, kind) for kind in map(_kind, items))


def _kind(item: Mapping[str, Any] | Item) -> str:
    if isinstance(item, Mapping):
        return str(item.get("role") or item["type"])
    return f"{item.kind}_call" if isinstance(item, Call) else type(item).__name__


def label(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as people write it: ``ask_mirror(first)``."""
    words = (" ".join(value) if isinstance(value, list) else value for value in arguments.values())
    return f"{name}({', '.join(word for word in words if isinstance(word, str) and word != 'exec')})"
