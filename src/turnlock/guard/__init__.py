"""The guard: an HTTP client for today's SDKs that checks the exact body that is about to leave (R15).

    clients.py     guarded(), guarded_sync(): clients, ready or put under guard
    transports.py  the two transports
    judge.py       what is done with a request, and what is told of it
    dialects.py    which dialect a request speaks; endpoints.py what that is decided by, as data
    answers.py     the local 400, as the provider would write it
    memory.py      what was refused is not asked again (R20)
    watching.py    responses on their way past
    capture.py     exchanges as lines, without keys; files.py where they are written

For code that does not use our engine. It keeps no history and owns no retries; what it cannot read it lets
pass. Needs httpx2 (extra ``guard``).
"""

try:
    import httpx2 as _httpx2
except ImportError as error:
    from turnlock.errors import MissingExtra

    raise MissingExtra("turnlock.guard", "guard", error) from error

from turnlock.errors import RequestRefused as RequestRefused
from turnlock.guard.clients import guarded as guarded, guarded_sync as guarded_sync
from turnlock.guard.judge import Guard as Guard
from turnlock.guard.transports import (
    GuardedSyncTransport as GuardedSyncTransport,
    GuardedTransport as GuardedTransport,
)

del _httpx2
