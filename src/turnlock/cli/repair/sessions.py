"""A recorded session → the request that would be sent next, mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turnlock.reports import Implied, Recording


def next_requests(recordings: Sequence[Recording]) -> Iterator[Implied]:
    """What would be sent next, of each conversation in the main recording: nearly always one request.

    The main recording is the first one in which anything would be sent: those behind it are sidechains, which
    ended with their call. Problems of reading stand in the recordings afterwards.
    """
    for recording in recordings:
        found = [request for request in recording.requests() if request.next]
        if found:
            yield from found
            return
