"""``schedules()``: the strategy that draws a schedule, for ``@given``.

No scheduler finds everything: uniform choices find what short stories hide, priorities what needs one task
held back for long, a few deviations what is rare but simple. So it is one of them, drawn. Owns the portfolio
and nothing of how each chooses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from hypothesis import strategies as st

from turnlock.testing.scheduling.running import outcome
from turnlock.testing.scheduling.schedulers import Bounded, Deviations, Pct, Schedule, Uniform

LADDER: Final = (16, 64, 256, 1024)
"""Choice points that a run may have, where nobody has measured it: one of them is drawn."""


def schedules(
    measure: Callable[[], Awaitable[object]] | None = None, *, points: int | None = None, at_most: int = 4
) -> st.SearchStrategy[Schedule]:
    """Schedules for ``run_scheduled`` and ``controlled``: a strategy of hypothesis.

    Every choice of a run is drawn when it is made, and shrinks to first in, first out; a failure is replayed
    from hypothesis's database like any other.

    Args:
        measure: An async function that is run once, first in, first out, when the first schedule is drawn: so
            many choice points a run is then thought to have. Give the story itself, where it takes no
            arguments.
        points: The same as a number. Without either, one of a few sizes is drawn.
        at_most: Deviations in a run of the scheduler that makes only a few of them.

    Raises:
        ValueError: Both sizes are given, or one is not positive.
    """
    if measure is not None and points is not None:
        raise ValueError("give measure or points, not both: each says how many choice points a run has")
    if at_most < 1 or (points is not None and points < 1):
        raise ValueError("points and at_most are counts of at least 1")
    known = [points] if points is not None else []

    def size(draw: Callable[[st.SearchStrategy[int]], int]) -> int:
        if measure is not None and not known:
            known.append(max(1, outcome(measure, Deviations(), ())[1].points))
        return known[0] if known else draw(_LADDER)

    @st.composite
    def portfolio(draw: st.DrawFn) -> Schedule:
        kind = draw(_KINDS)
        random = draw(_RANDOM)
        if kind == 0:
            return Bounded(random, at_most=at_most, points=size(draw))
        if kind == 1:
            return Uniform(random)
        return Pct(random, points=size(draw))

    return portfolio()


_KINDS = st.integers(0, 2)
_LADDER = st.sampled_from(LADDER)
_RANDOM = st.randoms(use_true_random=False)
