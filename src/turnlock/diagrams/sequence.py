"""The sequence diagram of a recorded turn: who said what to whom, and when.

It draws plain values and knows nothing of engines or journals: whoever has a record makes arrows of it
(``recorded.py`` does so from the engine's inputs). Texts come from users and tools, so they are made safe,
cut and broken into lines here, and nowhere else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from textwrap import wrap
from typing import assert_never

from attrs import field, frozen
from attrs.validators import matches_re

from turnlock.diagrams.mermaid import escape

_INDENT = "    "
_LINE = 34  # characters in a line of text
_LINES = 3  # lines of one text; the rest is cut
_LOOKED_AT = 1_000  # characters of a text that are broken into lines at all: an output may be long


@frozen
class Participant:
    """Somebody with a line of its own.

    Attributes:
        id: Letters, digits and underscores; never shown.
        label: What the picture calls it.
    """

    id: str = field(validator=matches_re(r"[a-z][a-z0-9_]*", flags=re.ASCII))
    label: str


USER = Participant("user", "user")
SESSION = Participant("session", "session")
MODEL = Participant("model", "model")


class Kind(StrEnum):
    """What an arrow says about the work between two participants.

    ``said``: nothing more than its text. ``told``: the same, as an answer. ``begun``: the receiver is at
    work from here. ``ended``: the sender's work is done. ``lost``: the sender's work came to nothing.
    ``aborted``: the receiver's work is stopped. ``note``: no arrow, a note over both.
    """

    SAID = "said"
    TOLD = "told"
    BEGUN = "begun"
    ENDED = "ended"
    LOST = "lost"
    ABORTED = "aborted"
    NOTE = "note"


@frozen
class Arrow:
    """One thing that happened.

    Attributes:
        at: When, in seconds on the session's clock.
        source: Who did it.
        dest: Whom it went to; the same as ``source`` for a note about one participant.
        text: What it was; any text.
        kind: What it means for the work between the two.
    """

    at: float
    source: Participant
    dest: Participant
    text: str
    kind: Kind = Kind.SAID


def render(arrows: Sequence[Arrow]) -> str:
    """A mermaid sequence diagram: user, session and model first, then the others as they appear.

    The time since the first arrow, in seconds, stands before the first thing that happened at it.
    """
    mentioned = (who for arrow in arrows for who in (arrow.source, arrow.dest))
    lines = [
        f"participant {who.id} as {escape(who.label)}"
        for who in dict.fromkeys((USER, SESSION, MODEL, *mentioned))
    ]
    now: float | None = None
    at_work: Counter[Participant] = Counter()
    for arrow in arrows:
        when = f"{arrow.at - arrows[0].at:.1f} s · " if arrow.at != now else ""
        now = arrow.at
        lines += _arrow(arrow, _lines(when + arrow.text))
        lines += _work(arrow, at_work)
    # A bar that is not ended is not drawn: whoever is still at work is so until the end of the picture.
    lines += (f"deactivate {who.id}" for who in at_work.elements())
    return "\n".join(["sequenceDiagram", *(_INDENT + line for line in lines)]) + "\n"


def _arrow(arrow: Arrow, text: str) -> Iterator[str]:
    source, dest = arrow.source.id, arrow.dest.id
    match arrow.kind:
        case Kind.SAID | Kind.BEGUN:
            yield f"{source}->>{dest}: {text}"
        case Kind.TOLD | Kind.ENDED:
            yield f"{source}-->>{dest}: {text}"
        case Kind.LOST | Kind.ABORTED:
            yield f"{source}-x{dest}: {text}"
        case Kind.NOTE:
            over = source if arrow.source == arrow.dest else f"{source},{dest}"
            yield f"Note over {over}: {text}"
        case _:
            assert_never(arrow.kind)


def _work(arrow: Arrow, at_work: Counter[Participant]) -> Iterator[str]:
    """Begin and end the bars. Ending one that nobody began is an error to mermaid: it is left out."""
    if arrow.kind is Kind.BEGUN:
        at_work[arrow.dest] += 1
        yield f"activate {arrow.dest.id}"
    elif arrow.kind in (Kind.ENDED, Kind.LOST, Kind.ABORTED):
        worker = arrow.dest if arrow.kind is Kind.ABORTED else arrow.source
        if at_work[worker]:
            at_work[worker] -= 1
            yield f"deactivate {worker.id}"


def _lines(text: str) -> str:
    return "<br/>".join(map(escape, wrap(text[:_LOOKED_AT], _LINE, max_lines=_LINES, placeholder=" …")))
