"""``schedules()`` under hypothesis: it finds, shrinks, and replays from the database in another process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import StopTest

from support.races import RACES, lost_update, starved_consumer, timeout_after_effect
from turnlock.testing import Bounded, Deviations, Pct, Schedule, Uniform, run_scheduled, schedules
from turnlock.testing.scheduling.running import outcome

TESTS = Path(__file__).parents[2]
FEW: dict[Callable[[], Awaitable[None]], int] = {lost_update: 2, timeout_after_effect: 1, starved_consumer: 3}


@pytest.mark.parametrize("race", RACES)
def test_a_race_is_found_and_shrunk(race: Callable[[], Awaitable[None]]) -> None:
    """A test as users write it fails, and what is left of the schedule are the deviations that it takes.

    Derandomized, so that this test is: hypothesis draws the same every time.
    """
    failing: list[Deviations] = []

    @settings(max_examples=500, deadline=None, database=None, derandomize=True)
    @given(schedule=schedules())
    def races(schedule: Schedule) -> None:
        _result, run, error = outcome(race, schedule, ())
        if error is not None:
            failing.append(run.deviations)
            run_scheduled(race, run.deviations)

    with pytest.raises((AssertionError, ExceptionGroup)) as caught:
        races()
    assert len(failing[-1]) <= FEW[race]
    assert f"run_scheduled({race.__name__}, {failing[-1]!r})" in "\n".join(
        note for error in _all(caught.value) for note in getattr(error, "__notes__", ())
    )


def test_a_failing_schedule_is_shown_by_its_name() -> None:
    """Hypothesis prints what was drawn: the scheduler, and not the source of its draws."""

    @settings(max_examples=5, deadline=None, database=None, derandomize=True)
    @given(schedule=schedules(points=7))
    def fails(schedule: Schedule) -> None:
        raise ValueError("always")

    with pytest.raises(ValueError, match="always") as caught:
        fails()
    assert "schedule=Bounded(at_most=4, points=7)" in "\n".join(caught.value.__notes__)


def _all(error: BaseException) -> list[BaseException]:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [error, *(each for one in inner for each in _all(one))]


def test_every_kind_is_drawn() -> None:
    """The portfolio has all schedulers, and the simplest example is first in, first out."""
    seen: list[tuple[type[Schedule], Deviations]] = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(schedule=schedules(points=10))
    def draws(schedule: Schedule) -> None:
        seen.append((type(schedule), outcome(starved_consumer, schedule, ())[1].deviations))

    draws()
    assert {kind for kind, _ in seen} == {Bounded, Uniform, Pct}
    assert seen[0][1] == Deviations()
    assert len({deviations for _, deviations in seen}) > 20


def test_points_are_measured_once() -> None:
    """With ``measure`` the story is run once, first in, first out, and schedulers know how long it is."""
    ran = 0
    points: set[int] = set()

    async def story() -> None:
        nonlocal ran
        ran += 1
        await starved_consumer()

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(schedule=schedules(story))
    def draws(schedule: Schedule) -> None:
        if isinstance(schedule, (Bounded, Pct)):
            points.add(schedule.points)

    draws()
    assert (ran, points) == (1, {outcome(starved_consumer, Deviations(), ())[1].points})


def test_arguments() -> None:
    """What cannot be is told when the strategy is made."""
    with pytest.raises(ValueError, match="give measure or points, not both"):
        schedules(lost_update, points=3)
    for points, at_most in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="counts of at least 1"):
            schedules(points=points, at_most=at_most)


def test_used_up_data_is_hypothesis_s_own_business() -> None:
    """A story that draws more than hypothesis allows ends as hypothesis wants, and not as a failure.

    Its StopTest comes out of the run as itself: no group, no error of trio.
    """
    out: list[BaseException] = []

    async def long() -> None:
        for _ in range(400):
            await starved_consumer()

    @settings(
        max_examples=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedule=schedules())
    def draws(schedule: Schedule) -> None:
        if isinstance(schedule, Uniform):
            schedule.at_most = 10**9
        error = outcome(long, schedule, ())[2]
        if isinstance(error, StopTest):
            out.append(error)
            raise error

    draws()
    assert out


REPLAYED = """
import sys
sys.path.insert(0, {tests!r})
from hypothesis import given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from support.races import lost_update
from turnlock.testing import run_scheduled, schedules

ran = 0

@settings(max_examples=500, deadline=None, database=DirectoryBasedExampleDatabase({folder!r}))
@given(schedule=schedules())
def test(schedule):
    global ran
    ran += 1
    try:
        run_scheduled(lost_update, schedule)
    except BaseException:
        print("failed at example", ran, flush=True)
        raise

test()
"""


def test_a_failing_example_replays_in_a_fresh_process(tmp_path: Path) -> None:
    """From the example database, as the very first example: nothing of a schedule lives in the process."""
    code = REPLAYED.format(tests=str(TESTS), folder=str(tmp_path / "examples"))
    outs = []
    for _ in "ab":
        command = [sys.executable, "-c", code]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
        )
        assert ended.returncode == 1, ended.stderr
        assert re.search(r"run_scheduled\(lost_update, Deviations\(\{\d+: 1, \d+: 1\}\)\)", ended.stderr)
        outs.append(ended.stdout.splitlines()[0])
    assert outs[1] == "failed at example 1"
