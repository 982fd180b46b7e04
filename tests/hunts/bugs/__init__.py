"""The corpus: mistakes that others have made, seeded into the engine and the runtime one at a time.

It owns the list, and what each bug is. It must not know how they are found: that is the hunts' business, and
``test_bugs_are_real.py`` proves of each that it breaks the specification.
"""

from __future__ import annotations

from collections.abc import Mapping

from hunts.bugs.in_engine import IN_ENGINE
from hunts.bugs.in_runtime import IN_RUNTIME
from hunts.bugs.made import Bug, Room, Shows, Source

BUGS: Mapping[str, Bug] = {bug.name: bug for bug in (*IN_ENGINE, *IN_RUNTIME)}
"""All of them, by name."""

__all__ = ["BUGS", "Bug", "Room", "Shows", "Source"]
