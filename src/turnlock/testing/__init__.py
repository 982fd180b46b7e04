"""For other people's tests: schedules, the strict provider, gated tools, sequencing tests.

All of it needs the extra ``testing``. The fixtures for pytest stand in ``_turnlock_pytest``.
"""

from turnlock.errors import MissingExtra

try:
    from turnlock.testing.gates import Gates as Gates, ToolFailed as ToolFailed
    from turnlock.testing.loopback import loopback as loopback
    from turnlock.testing.provider import (
        Change as Change,
        Hold as Hold,
        Provider as Provider,
        ProviderClosed as ProviderClosed,
        Request as Request,
        Response as Response,
    )
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
    from turnlock.testing.transcript import Entry as Entry
except ImportError as error:
    raise MissingExtra("turnlock.testing", "testing", error) from error
