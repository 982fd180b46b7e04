"""For other people's tests: schedules, the strict provider, gated tools, sequencing tests."""

from turnlock.testing.schedules import (
    JUMP as JUMP,
    Bounded as Bounded,
    Deviations as Deviations,
    Pct as Pct,
    Schedule as Schedule,
    Uniform as Uniform,
    canary as canary,
    controlled as controlled,
    every_schedule as every_schedule,
    run_scheduled as run_scheduled,
    schedules as schedules,
    shortest as shortest,
)
