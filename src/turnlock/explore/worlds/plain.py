"""The plain world, of the size that is asked for."""

from __future__ import annotations

from turnlock.engine import Mode, OnInterrupt
from turnlock.explore.worlds.form import ANSWER, Plan, Response, World, call

CALLS_MAX, MESSAGES_MAX = 5, 4
"""The largest plain world."""

EXACT_CALLS_MAX = 4
"""The largest one of exact histories: four calls and four messages are 1.3 million states, some minutes."""


def plain(calls: int, messages: int, *, exact: bool = False) -> World:
    """N calls in one answer, M messages, one interrupt, deadlines, tools that return after their calls end.

    The second message is queued, the third one is returned by an interrupt, and the fourth one interrupts.

    Args:
        calls: N, 1 to 5.
        messages: M, 1 to 4.
        exact: It is to be explored with whole histories: no more than 4 calls.

    Raises:
        ValueError: The world would be too large, or holds nothing.
    """
    for what, number, most in (("calls", calls, CALLS_MAX), ("messages", messages, MESSAGES_MAX)):
        if number < 1:
            raise ValueError(f"{number} {what}: a world without {what} shows nothing, give 1 to {most}")
        if number > most:
            raise ValueError(f"{number} {what} are too many: give 1 to {most}")
    if exact and calls > EXACT_CALLS_MAX:
        raise ValueError(f"{calls} calls are too many for exact histories: give 1 to {EXACT_CALLS_MAX}")
    kinds = (
        (Mode.STEER, OnInterrupt.KEEP),
        (Mode.QUEUE, OnInterrupt.KEEP),
        (Mode.STEER, OnInterrupt.RETURN),
        (Mode.INTERRUPT, OnInterrupt.KEEP),
    )
    return World(
        name="plain",
        about="calls, messages, an interrupt, deadlines, late results",
        responses=(Response(tuple(map(call, "abcde"[:calls]))), ANSWER),
        messages=tuple(Plan(f"U{n + 1}", *kinds[n]) for n in range(messages)),
        deadlines=True,
        symmetric=True,
    )
