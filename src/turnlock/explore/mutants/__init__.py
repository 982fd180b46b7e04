"""Machines that are wrong on purpose: an exploration that can find nothing proves nothing."""

from turnlock.explore.mutants.guards import (
    GUARDS as GUARDS,
    SOUND as SOUND,
    Machines as Machines,
    without_guard as without_guard,
)
