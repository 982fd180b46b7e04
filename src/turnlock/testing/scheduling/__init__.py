"""Schedules for trio: a test decides which task runs next, and when time passes.

``strategy.py`` needs hypothesis, all else only trio.
"""

from turnlock.testing.scheduling._trio import Run as Run
from turnlock.testing.scheduling.canary import canary as canary
from turnlock.testing.scheduling.running import (
    controlled as controlled,
    every_schedule as every_schedule,
    run_scheduled as run_scheduled,
    shortest as shortest,
)
from turnlock.testing.scheduling.schedulers import (
    JUMP as JUMP,
    Bounded as Bounded,
    Deviations as Deviations,
    Pct as Pct,
    Schedule as Schedule,
    Uniform as Uniform,
)
from turnlock.testing.scheduling.strategy import schedules as schedules
