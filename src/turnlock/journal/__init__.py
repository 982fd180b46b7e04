"""The journal: every input of a session, recorded before its effect.

    protocol.py  what a journal must do
    records.py   values <-> plain data, for journals that write bytes
    memory.py    the default of a session that names no journal
    jsonl.py     one readable line per record: the debugging record of a session
    choose.py    what a host gives for a journal -> a journal

A session appends through this protocol from its first input on, and performs a command only after the
record of the input that led to it has been appended.
"""

from turnlock.journal.choose import as_journal as as_journal
from turnlock.journal.jsonl import JsonlJournal as JsonlJournal, read_jsonl as read_jsonl
from turnlock.journal.memory import MemoryJournal as MemoryJournal
from turnlock.journal.protocol import (
    Entry as Entry,
    InstantJournal as InstantJournal,
    Journal as Journal,
    RequestSent as RequestSent,
    SessionOpened as SessionOpened,
)
from turnlock.journal.records import from_record as from_record, to_record as to_record
