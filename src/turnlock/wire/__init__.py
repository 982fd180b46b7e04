"""What leaves and what comes in: providers' formats, and their rules.

Layout:

    dialects.py    the dialects that there are; check(), encoder(), decode()
    request.py     what a request says beside the transcript, and the results of both directions
    rules.py       what a rule and a violation are
    pairing.py     the two ways in which providers pair calls with their answers
    encoding.py    encoding that grows with a transcript
    ids.py         call ids that are unique and short enough
    jsontext.py    JSON text, and arguments that are not JSON
    openai_responses/  openai_chat/    one room per dialect: its rules, and both directions

Pure: no clock, I/O, logging or randomness; the same items and settings give the same bytes (R10, R19). A
check is on the exact bytes that leave, whoever built them (R15). Nothing here repairs or deletes anything:
what a dialect cannot say is set aside, and ``Encoded.positions`` says so (R16).
"""

from turnlock.wire.dialects import (
    RULES as RULES,
    check as check,
    decode as decode,
    encoder as encoder,
)
from turnlock.wire.encoding import Encoder as Encoder
from turnlock.wire.request import (
    Decoded as Decoded,
    Encoded as Encoded,
    Settings as Settings,
    ToolSpec as ToolSpec,
)
from turnlock.wire.rules import Rule as Rule, Severity as Severity, Violation as Violation
