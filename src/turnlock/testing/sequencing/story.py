"""What happened in a story, in words and as a mermaid sequence diagram.

Owns the wording. It knows nothing of threads and judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import define, field

from turnlock.testing.sequencing.oracle import step_of
from turnlock.testing.sequencing.record import Record
from turnlock.testing.sequencing.steps import Step
from turnlock.testing.transcript import Entry

_OTHERS = {"user": "U", "assistant": "A", "reasoning": "T", "system": "S"}
_SHORT = 60  # letters of a text in a line
_UNSAFE = re.compile(r"[;#<>`\n]")  # what mermaid takes for more than text


@define(eq=False)
class Story:
    """The lines and arrows of one story.

    Attributes:
        lines: What happened, a line each; what the agent did stands indented behind the step before it.
        arrows: The same as (from, to, text).
        joined: What is done next is done in the moment of what was done last.
    """

    record: Record
    lines: list[str] = field(factory=list, init=False)
    arrows: list[tuple[str, str, str]] = field(factory=list, init=False)
    joined: bool = field(default=False, init=False)
    _last: list[str] = field(factory=list, init=False)  # what the last request carried

    def step(self, step: Step, target: str = "Agent", source: str = "User") -> None:
        """Something was done to the agent."""
        said = f"at the same moment {step.say()}" if self.joined else step.say()
        self.lines.append(said)
        self.arrows.append((source, target, said))

    def request(self, number: int, entries: Iterable[Entry], calls: Sequence[str], refusal: str = "") -> None:
        """A request left, and was answered, or refused. What the last one carried, too, is left out."""
        shown = self._shown(entries)
        old, self._last = self._last, shown
        same = len(old) if old and shown[: len(old)] == old else 0
        carried = " ".join(["…"] * bool(same) + shown[same:])
        self._did(f"request {number} carries {carried}")
        self.arrows.append(("Agent", "Model", f"{number}: {carried}"))
        if refusal:
            self._did(f"request {number} is refused: {refusal}")
            self.arrows.append(("Model", "Agent", f"refused: {refusal}"))
        else:
            made = " ".join(f"K({step})" for step in calls)
            self.arrows.append(("Model", "Agent", made or "no call"))

    def agent(self, did: str) -> None:
        """The agent did something that the user sees."""
        self._did(did)
        self.arrows.append(("Agent", "User", did))

    def wrong(self, what: str) -> None:
        """How the story ends."""
        self.arrows.append(("Agent", "Agent", f"WRONG: {what}"))

    def _did(self, what: str) -> None:
        self.lines.append(f"  → {what}")

    def notation(self, entries: Iterable[Entry]) -> str:
        """A body in the notation of the specification, with the names of the story: ``U1 K(a) O(a) U2``."""
        return " ".join(self._shown(entries))

    def _shown(self, entries: Iterable[Entry]) -> list[str]:
        labels: dict[str | None, str] = {}
        shown = []
        for entry in entries:
            if entry.kind == "call":
                step = step_of(entry.text)
                labels[entry.call_id] = step if step in self.record.made else entry.name or "?"
                shown.append(f"K({labels[entry.call_id]})")
            elif entry.kind == "output":
                shown.append(f"O({labels.get(entry.call_id, '?')}, {_short(entry.text)!r})")
            elif entry.kind == "user" and self._named(entry.text):
                shown.append(self._named(entry.text))
            else:
                shown.append(_OTHERS.get(entry.kind, entry.name or "?"))
        return shown

    def _named(self, text: str) -> str:
        return " ".join(said.text for said in self.record.said if re.search(rf"\b{said.text}\b", text))

    def mermaid(self) -> str:
        """The story as a sequence diagram."""
        lines = [
            "sequenceDiagram",
            *(f"    participant {who}" for who in ("User", "Agent", "Model", "Tools")),
        ]
        lines += (f"    {source}->>{target}: {_safe(text)}" for source, target, text in self.arrows)
        return "\n".join(lines) + "\n"


def numbered(lines: Sequence[str]) -> list[str]:
    """The lines of a story; the steps are counted, what followed is not."""
    numbers = iter(range(1, len(lines) + 1))
    return [f"     {line}" if line.startswith("  →") else f"{next(numbers):3}. {line}" for line in lines]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHORT else f"{flat[: _SHORT - 1]}…"


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"#{ord(found.group())};", text)
