"""What can be learnt from files: sessions that other agents recorded, and requests that were captured.

Layout:

    readers/     recorded sessions and bodies → the requests that they hold or imply
    rulebook.py  every rule of the wire in words

The room reads files and writes none. It judges nothing: rules stand in ``turnlock.wire``.
"""

from turnlock.reports.readers import (
    BODIES as BODIES,
    FORMATS as FORMATS,
    Implied as Implied,
    Recording as Recording,
    Unreadable as Unreadable,
    Verdict as Verdict,
    detect as detect,
    open_recording as open_recording,
)
from turnlock.reports.rulebook import explained as explained, rulebook as rulebook
