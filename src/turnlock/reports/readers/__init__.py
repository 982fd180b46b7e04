"""Readers: a file → the requests that it holds, or that it implies were sent.

Layout:

    form.py         what a reader gives: requests, problems, recordings
    source.py       bytes of a file → JSON values, with their line numbers
    growing.py      a history that grows from request to request
    filling.py      what an agent puts in when it sends, and its file does not hold
    verdicts.py     an error as an agent wrote it down → status and text
    shapes.py       which dialect a body, a message or an item is of
    opening.py      which format a file is of, and its reader
    formats/        one reader per format: codex.py, claude_code.py, trae.py, bodies.py, chats.py

A session implies the requests that were sent before every model answer, and the one that would be sent next.
Rows stay as the file has them, in the dialect that was spoken. Nothing that a file holds makes a reader
fail: what cannot be read is said in ``Recording.problems``, and the rest is read.
"""

from turnlock.reports.readers.form import (
    Implied as Implied,
    Recording as Recording,
    Unreadable as Unreadable,
    Verdict as Verdict,
)
from turnlock.reports.readers.opening import (
    BODIES as BODIES,
    FORMATS as FORMATS,
    detect as detect,
    open_recording as open_recording,
)
