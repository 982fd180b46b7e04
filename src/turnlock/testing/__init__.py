"""For other people's tests: schedules, the strict provider, gated tools, sequencing tests.

    scheduling/    a test decides which trio task runs next, and when time passes
    provider.py    the strict provider as a test holds it (with bell.py, holds.py, doors.py)
    loopback_server.py    the same on loopback HTTP, for agents in any language
    transcript.py  request bodies as ``U K(a) O(a) U``
    gates.py       tools that do nothing until the test lets them
    sequencing/    a story played to an agent, and what must hold in it
    hunting/       random stories: the hypothesis test case, and the search behind ``turnlock fuzz``
    sessions.py    a session of this library as such an agent

Names are imported when they are asked for: what a part needs is not needed by the others. All of it comes
with the extra ``testing``. The fixtures for pytest stand in ``_turnlock_pytest``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from turnlock.errors import MissingExtra

if TYPE_CHECKING:
    from turnlock.testing.gates import Gates as Gates, ToolFailed as ToolFailed, Visit as Visit
    from turnlock.testing.hunting.hunt import Hunted as Hunted, hunt as hunt, hunt_all as hunt_all
    from turnlock.testing.hunting.machine import sequencing_test as sequencing_test
    from turnlock.testing.hunting.smaller import Finding as Finding
    from turnlock.testing.loopback_server import loopback as loopback
    from turnlock.testing.provider import (
        Change as Change,
        Hold as Hold,
        Provider as Provider,
        ProviderClosed as ProviderClosed,
        Request as Request,
        Response as Response,
    )
    from turnlock.testing.scheduling import (
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
    from turnlock.testing.sequencing.ending import replay as replay
    from turnlock.testing.sequencing.harness import Agent as Agent, Harness as Harness
    from turnlock.testing.sequencing.oracle import Rule as Rule, Violation as Violation
    from turnlock.testing.sequencing.steps import (
        Advance as Advance,
        Answer as Answer,
        Approve as Approve,
        Fail as Fail,
        Interrupt as Interrupt,
        Open as Open,
        Release as Release,
        Send as Send,
        Stubborn as Stubborn,
        Together as Together,
        User as User,
    )
    from turnlock.testing.sessions import SessionAgent as SessionAgent
    from turnlock.testing.transcript import Entry as Entry, items as items, notation as notation

_MODULES = {
    "gates": ("Gates", "ToolFailed", "Visit"),
    "loopback_server": ("loopback",),
    "provider": ("Change", "Hold", "Provider", "ProviderClosed", "Request", "Response"),
    "scheduling": (
        *("JUMP", "Bounded", "Deviations", "Pct", "Schedule", "Uniform", "canary", "controlled"),
        *("every_schedule", "run_scheduled", "schedules", "shortest"),
    ),
    "sequencing.harness": ("Agent", "Harness"),
    "hunting.hunt": ("Hunted", "hunt", "hunt_all"),
    "hunting.smaller": ("Finding",),
    "sequencing.ending": ("replay",),
    "hunting.machine": ("sequencing_test",),
    "sequencing.oracle": ("Rule", "Violation"),
    "sequencing.steps": (
        *("Advance", "Answer", "Approve", "Fail", "Interrupt"),
        *("Open", "Release", "Send", "Stubborn", "Together", "User"),
    ),
    "sessions": ("SessionAgent",),
    "transcript": ("Entry", "items", "notation"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever has this name
    """Import what is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"turnlock.testing.{name}", "testing", error) from error
