"""The registry: a subject and a format -> text. The one function that callers need.

It also knows the full set of files that a folder of diagrams holds. Writing them is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from attrs import frozen

from turnlock.diagrams import dot, markdown, mermaid, recorded, sequence
from turnlock.diagrams.form import Picture
from turnlock.machines import INVOCATION, TURN, Table


class Subject(StrEnum):
    """What a picture is of."""

    INVOCATION = "invocation"
    TURN = "turn"
    BOTH = "both"


class Format(StrEnum):
    """What a picture is written in."""

    MERMAID = "mermaid"
    DOT = "dot"
    MARKDOWN = "markdown"


@frozen
class Renderer:
    """One format.

    Attributes:
        draw: A picture as text, which ends with a line feed.
        suffix: What a file of this format ends with.
        fence: The language of the fenced block that shows it in Markdown; empty for Markdown itself.
    """

    draw: Callable[[Picture], str]
    suffix: str
    fence: str


RENDERERS: Mapping[Format, Renderer] = MappingProxyType(
    {
        Format.MERMAID: Renderer(mermaid.render, ".mmd", "mermaid"),
        Format.DOT: Renderer(dot.render, ".dot", "dot"),
        Format.MARKDOWN: Renderer(markdown.render, ".md", ""),
    }
)
_TABLES: Mapping[Subject, tuple[Table, ...]] = MappingProxyType(
    {
        Subject.INVOCATION: (INVOCATION,),
        Subject.TURN: (TURN,),
        Subject.BOTH: (TURN, INVOCATION),
    }
)


def render(subject: Subject | str = Subject.BOTH, format: Format | str = Format.MERMAID) -> str:  # noqa: A002  # the option's name
    """Draw what is declared.

    Raises:
        ValueError: There is no such subject or format.
    """
    return RENDERERS[Format(format)].draw(Picture.of(*_TABLES[Subject(subject)]))


def files() -> Mapping[str, str]:
    """Name -> text of every file that a folder of diagrams holds."""
    drawn = {
        f"{subject}{renderer.suffix}": render(subject, format_)
        for subject in Subject
        for format_, renderer in RENDERERS.items()
    }
    return drawn | {"turn-recorded.mmd": sequence.render(recorded.record(recorded.STORY))}
