"""Making a history valid that somebody else has broken: what is open is closed, and nothing is erased.

Layout:

    pieces.py      what a history is made of, in every dialect; what was done to it
    pairing.py     every call gets its one output, where the dialect wants it
    waiting.py     the calls that wait for an output meanwhile
    repairer.py    a dialect's means, and the order in which a body is mended
    transcript.py  the same on a transcript; where a history may be cut

A dialect's ``repair.py`` takes its bodies apart into pieces and puts them together again, and has a mend for
each of its rules that is not about pairs. Repairs are deterministic, and a repaired body is not changed by
another repair. A history that our engine has built needs none of this.
"""

from turnlock.wire.repair.pieces import Change as Change, Repaired as Repaired
from turnlock.wire.repair.transcript import (
    MendedTranscript as MendedTranscript,
    cut_to_last as cut_to_last,
    mend_transcript as mend_transcript,
)
