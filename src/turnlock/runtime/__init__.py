"""The trio edge of the engine: one owner task, tools in a nursery, requests, events, logs.

session.py     Session: the API, opening and closing
conductor.py   performs the engine's commands
owner.py       inbox, journal, engine, commands: the one writer
requester.py   encode, check, send, stream
supervisor.py  tools: tasks, deadlines, grace, leaks
streams.py     events for hosts, and one turn as a block
events.py      what a session tells
watchdog.py    one heap of times for everything that must not wait for ever
results.py     receipts, results of turns, what a turn waits for
logs.py        the same as log events
"""

from turnlock.runtime.conductor import Allow as Allow, Approve as Approve, Deny as Deny
from turnlock.runtime.results import (
    Leak as Leak,
    Receipt as Receipt,
    TurnResult as TurnResult,
    Waiting as Waiting,
)
from turnlock.runtime.session import Session as Session, WhenBusy as WhenBusy
from turnlock.runtime.streams import EventStream as EventStream, TurnStream as TurnStream
