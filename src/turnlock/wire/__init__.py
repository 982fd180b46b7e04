"""What leaves and what comes in: providers' formats, and their rules.

Layout:

    dialects.py    the dialects that there are; check(), walk(), encoder(), decode()
    repair/        making a history valid that somebody else has broken
    common/        what all dialects share: rules, the walk of a check, encoding, ids
    openai_responses/  openai_chat/    one room per dialect: its rules, and both directions

Pure: no clock, I/O, logging or randomness; the same items and settings give the same bytes (R10, R19). A
check is on the exact bytes that leave, whoever built them (R15). Nothing here deletes anything: what a
dialect cannot say, or a repair takes out, is set aside, and ``Encoded.positions`` and ``Repaired.changes``
say so (R16).
"""

from turnlock.wire.common.encoding import Encoder as Encoder
from turnlock.wire.common.history import History as History
from turnlock.wire.common.request import (
    Decoded as Decoded,
    Encoded as Encoded,
    Settings as Settings,
    ToolSpec as ToolSpec,
)
from turnlock.wire.common.rules import (
    Confidence as Confidence,
    Rule as Rule,
    Severity as Severity,
    Violation as Violation,
)
from turnlock.wire.common.walk import Growing as Growing, Walk as Walk
from turnlock.wire.dialects import (
    DIALECTS as DIALECTS,
    RULES as RULES,
    check as check,
    decode as decode,
    encoder as encoder,
    growing as growing,
    read as read,
    repair as repair,
    walk as walk,
)
from turnlock.wire.repair import (
    Change as Change,
    MendedTranscript as MendedTranscript,
    Repaired as Repaired,
    cut_to_last as cut_to_last,
    mend_transcript as mend_transcript,
)
