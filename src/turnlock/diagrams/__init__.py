"""Pictures of the tables and of recorded turns: from the same rows that run, so that none can be out of date.

Layout:

    form.py       the neutral form of a table, and the one merge rule
    mermaid.py    state diagrams for GitHub
    dot.py        the same for graphviz
    markdown.py   the rows, and the matrix of events and states
    sequence.py   the sequence diagram of arrows that somebody made of a record
    recorded.py   a recorded list of inputs -> those arrows
    registry.py   the registry: subject and format -> text; the files of a folder
    markers.py    pictures between markers in anybody's Markdown

Pure: text in, text out. Reading and writing files is the command line's.
"""

from turnlock.diagrams.form import Form as Form, Picture as Picture
from turnlock.diagrams.markers import MarkerError as MarkerError
from turnlock.diagrams.recorded import record as record
from turnlock.diagrams.registry import Format as Format, Subject as Subject, files as files, render as render
from turnlock.diagrams.sequence import (
    MODEL as MODEL,
    SESSION as SESSION,
    USER as USER,
    Arrow as Arrow,
    Kind as Kind,
    Participant as Participant,
)
