"""Whether the trio that is installed can be controlled: tried, not looked up.

Owns the proof. Runs in a few hundred milliseconds, as a test of the library and for whoever has a new trio.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

import trio

from turnlock.errors import SchedulingError
from turnlock.testing.scheduling.running import run_scheduled
from turnlock.testing.scheduling.schedulers import JUMP, Deviations, Schedule, Uniform

RUNS = 300
ORDERS = 60
"""More than so many of the 120 orders of five tasks must come up in that many runs."""


def canary() -> None:
    """Try whether schedules work with this trio.

    Raises:
        SchedulingError: They do not; it names the version of trio, and what was found.
    """
    try:
        found = _trouble()
    except SchedulingError:
        raise
    except Exception as error:
        raise SchedulingError.of_trio(trio.__version__, f"{type(error).__name__}: {error}") from error
    if found:
        raise SchedulingError.of_trio(trio.__version__, found)


def _trouble() -> str:
    """What does not work, or nothing."""
    order = _order(Deviations())
    if any(after < before for before, after in pairwise(order)):
        return f"first in, first out ran tasks 0 to 4 in the order {order}"
    if _order(Deviations({0: 4})) != (4, 0, 1, 2, 3):
        return "a deviation did not take the task at its place"
    random = Random(0)  # noqa: S311 - orders of tasks, no secrets
    orders = len({_order(Uniform(random)) for _ in range(RUNS)})
    if orders <= ORDERS:
        return f"{RUNS} runs of five tasks came in {orders} of 120 orders, not in more than {ORDERS}"
    late = run_scheduled(_late, Deviations({0: JUMP}))
    if not late or run_scheduled(_late, Deviations()):
        return "a jump to the next deadline did not end the wait of a task"
    return ""


def _order(schedule: Schedule) -> tuple[int, ...]:
    order: list[int] = []

    async def note(n: int) -> None:
        order.append(n)

    async def five() -> None:
        async with trio.open_nursery() as nursery:
            for n in range(5):
                nursery.start_soon(note, n)

    run_scheduled(five, schedule)
    return tuple(order)


async def _late() -> bool:
    """Whether a deadline passes while this task could go on."""
    with trio.move_on_after(1.0) as scope:
        await trio.lowlevel.checkpoint()
    return scope.cancelled_caught
