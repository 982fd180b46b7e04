"""Pictures between markers in anybody's Markdown file.

    <!-- turnlock diagram both --format mermaid -->
    (written here)
    <!-- turnlock end -->

It owns what a marker is, and leaves every other byte as it was, line ends included. A marker is a line of
its own that begins at its margin; inside a fenced or indented code block it is an example, and is not
touched. Whatever looks like a marker and is none is an error: it would silently go out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from turnlock.diagrams.registry import RENDERERS, Format, Subject, render
from turnlock.errors import TurnlockError

EXAMPLE = "<!-- turnlock diagram both --format mermaid -->\n<!-- turnlock end -->\n"
"""What to paste into a file to get a picture."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r" {0,3}(?:(?:[-*+]|\d+[.)]) +)*(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_LOOKS_LIKE_ONE = re.compile(r" {0,3}<!--\s*turnlock\b")
_MARKER = re.compile(r"<!--\s*turnlock\s+(?P<words>[^>]*?)\s*-->\s*")


class MarkerError(TurnlockError):
    """A marker that cannot be followed. Nothing was changed.

    Attributes:
        line: Where it stands, counted from 1.
        problem: What is wrong with it.
    """

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}")


@frozen
class Marker:
    """One marked place.

    Attributes:
        subject: What is drawn there.
        format: In which format.
        line: Where the opening marker stands, counted from 1.
        begin: Index of the first character behind the opening marker's line.
        end: Index of the first character of the closing marker's line.
        newline: The line end that the file uses there.
    """

    subject: Subject
    format: Format
    line: int
    begin: int
    end: int
    newline: str

    @property
    def block(self) -> str:
        """What stands between the markers: the picture, with an empty line on both sides."""
        text = render(self.subject, self.format)
        fence = RENDERERS[self.format].fence
        if fence:
            text = f"```{fence}\n{text}```\n"
        return f"\n{text}\n".replace("\n", self.newline)


def find(text: str) -> tuple[Marker, ...]:
    """The marked places of a file, in order.

    Raises:
        MarkerError: A marker is unknown, malformed, not closed, or closes nothing.
    """
    return tuple(_markers(_lines(text)))


def replace(text: str) -> str:
    """The file with every marked place drawn anew; the same text when all is current, or nothing is marked.

    Raises:
        MarkerError: As for ``find``.
    """
    parts: list[str] = []
    done = 0
    for marker in find(text):
        parts += (text[done : marker.begin], marker.block)
        done = marker.end
    return "".join([*parts, text[done:]])


@frozen
class _Line:
    """A line with its place in the file."""

    number: int
    begin: int
    end: int
    text: str


def _lines(text: str) -> Iterator[_Line]:
    for number, found in enumerate(_LINE.finditer(text), start=1):
        yield _Line(number, found.start(), found.end(), found[0])


def _markers(lines: Iterator[_Line]) -> Iterator[Marker]:
    fence = ""
    for line in lines:
        if fence:
            if _closes(line.text, fence):
                fence = ""
        elif opened := _FENCE.match(line.text.rstrip()):
            fence = opened["mark"]
        elif _LOOKS_LIKE_ONE.match(line.text):
            yield _marker(line, lines)


def _marker(line: _Line, lines: Iterator[_Line]) -> Marker:
    """What a marker asks for, and where it ends. The fences between the two are ours."""
    words = _words(line)
    if words == ["end"]:
        raise MarkerError(line.number, "this end closes nothing: no diagram is open here")
    subject, format_ = _request(line, words)
    newline = "\r\n" if line.text.endswith("\r\n") else "\n"
    for later in lines:
        if _LOOKS_LIKE_ONE.match(later.text):
            if _words(later) == ["end"]:
                return Marker(subject, format_, line.number, line.end, later.begin, newline)
            break
    raise MarkerError(line.number, "this diagram is not closed: put <!-- turnlock end --> below it")


def _closes(text: str, fence: str) -> bool:
    """A fence is closed by the same mark, at least as long, and nothing else on the line."""
    line = text.strip()
    return len(line) >= len(fence) and not line.strip(fence[0])


def _words(line: _Line) -> list[str]:
    found = _MARKER.fullmatch(line.text)
    if found is None:
        raise MarkerError(line.number, "a marker stands alone on its line, from its margin to its -->")
    return found["words"].split()


def _request(line: _Line, words: list[str]) -> tuple[Subject, Format]:
    """``diagram [subject] [--format name]``, as on the command line."""
    if words[:1] != ["diagram"]:
        raise MarkerError(line.number, f"unknown marker {' '.join(words)!r}: write diagram or end")
    given = " ".join(words[1:]).replace("--format=", "--format ").split()
    format_ = Format.MERMAID.value
    if "--format" in given:
        at = given.index("--format")
        format_ = given[at + 1] if at + 1 < len(given) else ""
        del given[at : at + 2]
    subject = given.pop(0) if given else Subject.BOTH.value
    if given:
        raise MarkerError(line.number, f"too many words: {' '.join(given)!r}")
    if subject not in tuple(Subject):
        raise MarkerError(line.number, f"unknown subject {subject!r}: write one of {', '.join(Subject)}")
    if format_ not in tuple(Format):
        raise MarkerError(line.number, f"unknown format {format_!r}: write one of {', '.join(Format)}")
    return Subject(subject), Format(format_)
