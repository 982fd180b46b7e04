"""What all dialects need to write an answer down: ids, pieces of text, token counts, the finished answer.

Owns nothing that a dialect decides. No clock and no randomness: the same script, asked the same requests in
the same order, gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import define, field, frozen

from turnlock.strict.script import Kind, Line

Item: TypeAlias = dict[str, Any]

#: When the first answer was made, as the provider tells it: Unix time, seconds. Each further answer is one
#: later.
EPOCH = 1_700_000_000


@define(eq=False)
class Ids:
    """The ids of one provider, unique and in order: ``ids.make("fc") == "fc_00001"``."""

    _made: Counter[str] = field(factory=Counter)

    def number(self, prefix: str) -> int:
        """The next number of this prefix, from 1."""
        self._made[prefix] += 1
        return self._made[prefix]

    def make(self, prefix: str) -> str:
        """The next id with this prefix."""
        return f"{prefix}_{self.number(prefix):05d}"


@frozen
class Answer:
    """An answer as it is sent.

    Attributes:
        id: The id of the response or completion.
        items: What the client sees complete: Responses items, or the one message of a Chat completion.
        chunks: The parts of the body, bytes; the last one of a whole stream holds its end marker.
        cut: Whether the connection is cut behind the last chunk.
    """

    id: str
    items: tuple[Item, ...]
    chunks: tuple[bytes, ...]
    cut: bool


def lacks(name: str, kinds: Container[Kind], finishes: Container[str], line: Line) -> str | None:
    """Why the dialect of this name, which has these kinds of calls and these ends, cannot say a line."""
    foreign = [f"a {call.kind} call" for call in line.calls if call.kind not in kinds]
    if line.finish is not None and line.finish not in finishes:
        foreign.append(f"the end {line.finish}")
    return f"Line {line.number} of the script has {foreign[0]}, which {name} lacks." if foreign else None


def torn(chunks: list[bytes]) -> tuple[bytes, ...]:
    """These chunks, the last one cut in half: a connection does not break between two events."""
    return (*chunks[:-1], chunks[-1][: len(chunks[-1]) // 2])


def first_half(text: str) -> str:
    """What had arrived of a text when it broke off."""
    return text[: len(text) // 2]


def pieces(text: str) -> Iterator[str]:
    """A text in up to four deltas: more than one wherever it has more than one character."""
    size = max(1, -(-len(text) // 4))
    return (text[start : start + size] for start in range(0, len(text), size))


def tokens(*texts: str) -> int:
    """A plausible number of tokens, the same each time: four characters are one."""
    return sum(-(-len(text) // 4) for text in texts)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, of either dialect: its content, or the texts of its parts together."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(
        part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
    )
