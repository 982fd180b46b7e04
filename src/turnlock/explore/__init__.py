"""Every interleaving of small worlds, through the real engine and the real machines.

Layout:

    worlds/       small worlds: what may happen, and how often; the moves of a world, and how people say them
    outside.py    what may happen next, decided from the commands alone
    explorer.py   what is found in a world, and in several
    search.py     breadth first over all interleavings; the shortest way to what is wrong
    images.py     when two states count as one
    coverage.py   which rows of the tables were exercised
    mutants/      machines that are wrong on purpose
    verdicts.py   every request that leaves, encoded, and judged by the strict provider
    oracles.py    what the engine may say, given what it was told
    dues.py       what each input must bring about
    facts.py      what an observer knows
    truth.py      the texts of outcomes, written a second time

Pure: no clock, I/O, logging or randomness: the same worlds give the same states, requests and
counterexamples. The engine's tables and guards are run here and never read: what may happen next and what
must hold is said a second time, apart from them.
"""

from turnlock.explore.coverage import Taken as Taken, all_rows as all_rows
from turnlock.explore.explorer import (
    Exploration as Exploration,
    Survey as Survey,
    explore as explore,
    survey as survey,
)
from turnlock.explore.mutants import (
    GUARDS as GUARDS,
    SOUND as SOUND,
    Machines as Machines,
    without_guard as without_guard,
)
from turnlock.explore.mutants.hunt import Hunt as Hunt, hunt as hunt
from turnlock.explore.mutants.rows import (
    Change as Change,
    Mutant as Mutant,
    row_mutants as row_mutants,
)
from turnlock.explore.search import Progress as Progress, Violation as Violation
from turnlock.explore.worlds import World as World, plain as plain, small_worlds as small_worlds
