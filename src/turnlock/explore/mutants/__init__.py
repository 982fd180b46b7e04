"""Machines that are wrong on purpose: an exploration that can find nothing proves nothing.

Layout:

    guards.py   a guard dropped from every row
    rows.py     one row wrong, made from the rows
    hunt.py     exploring until something is wrong; why some mutants survive
"""

from turnlock.explore.mutants.guards import (
    GUARDS as GUARDS,
    SOUND as SOUND,
    Machines as Machines,
    without_guard as without_guard,
)
